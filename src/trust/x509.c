/* SPDX-License-Identifier: MIT */
#include "trust/x509.h"

#include "trust/name.h"
#include "trust/oid.h"
#include "trust/x509_grammar.h"

#define BMP_STRING 0x1E /* two bytes a character */

_Static_assert(sizeof(struct th_x509) <= 400, "the reader of a certificate promises 400 bytes");

void th_x509_begin(struct th_x509 *x509, size_t len, const struct th_trust_name *name,
                   const struct th_hash_ops *sha256, union th_hash_state *part)
{
    *x509 = (struct th_x509){
        .name = name, .sha256 = sha256, .part = part, .path_length = TH_X509_NO_PATH_LENGTH};
    th_der_init(&x509->der, len);
    x509->kind[0] = X_FILE;
}

static void set(struct th_x509 *x509, uint16_t flag)
{
    x509->flags |= flag;
}

/* ---- names for people: the last common name, or the first DNS name ---- */

static char *text_of(struct th_x509 *x509)
{
    if (x509->taken == X_ALT_DNS)
        return x509->subject;
    return x509->hashing == X_ISSUER ? x509->issuer : x509->subject;
}

static bool is_text(const struct th_x509 *x509)
{
    if (x509->taken == X_ATTRIBUTE_VALUE)
        return x509->attribute == TH_OID_COMMON_NAME;
    return x509->taken == X_ALT_DNS && x509->attribute == TH_OID_SUBJECT_ALT_NAME;
}

/* It comes from the peer and goes to a terminal: printable ASCII alone. */
static void put_text(struct th_x509 *x509, struct th_span piece)
{
    const size_t most = TH_FAILURE_NAME_MAX - 1;
    size_t cut = x509->der.len > most ? most - 3 : most;
    char *text = text_of(x509);
    for (size_t i = 0; i < piece.len; i++) {
        uint8_t c = piece.at[i];
        bool is_wide_half = c == 0 && x509->der.tag == BMP_STRING;
        if (x509->token_len < cut && !is_wide_half)
            text[x509->token_len++] = c >= 0x20 && c < 0x7F ? (char)c : '?';
    }
    memcpy(text + x509->token_len, "...", x509->der.len > most ? 4 : 0);
    if (x509->der.len <= most)
        text[x509->token_len] = '\0';
}

/* ---- elements, when they begin ---- */

/* A certificate without a common name is called by its first DNS name; `attribute` tells the text
 * functions so. */
static void begin_alt_dns(struct th_x509 *x509)
{
    x509->attribute = x509->subject[0] == '\0' ? TH_OID_SUBJECT_ALT_NAME : TH_OID_UNKNOWN;
    th_trust_match_begin(&x509->match, x509->name);
}

/* What the table cannot tell: parameters and extensions are entered only when they are known. */
static uint8_t action_of(const struct th_x509 *x509, const struct th_x509_rule *rule)
{
    bool is_rsa = x509->key_algorithm == TH_OID_RSA || x509->key_algorithm == TH_OID_RSA_PSS;
    uint8_t algorithm = rule->parent == X_OUTER_ALGORITHM ? x509->algorithm : x509->inner_algorithm;
    switch (rule->kind) {
    case X_PSS: return algorithm == TH_OID_RSA_PSS ? X_ENTER : X_SKIP;
    case X_KEY_BITS: return is_rsa ? X_ENTER_BITS : X_SKIP;
    case X_EXTENSION_VALUE: return x509->extension != TH_OID_UNKNOWN ? X_ENTER : X_SKIP;
    default: return rule->action;
    }
}

static void begin_kind(struct th_x509 *x509, uint8_t kind)
{
    switch (kind) {
    case X_EXTENSIONS_TAG: set(x509, TH_X509_EXTENDED); break;
    case X_EXTENSION:
        x509->flags &= (uint16_t)~TH_X509_CRITICAL;
        x509->extension = TH_OID_UNKNOWN;
        break;
    case X_EXTENSION_VALUE:
        if (x509->extension == TH_OID_UNKNOWN && (x509->flags & TH_X509_CRITICAL))
            set(x509, TH_X509_UNKNOWN_CRITICAL);
        break;
    case X_PERMITTED: x509->flags &= (uint16_t)~TH_X509_EXCLUDING; break;
    case X_EXCLUDED: set(x509, TH_X509_EXCLUDING); break;
    case X_ALT_DNS: begin_alt_dns(x509); break;
    case X_SUBTREE_DNS:
        th_trust_match_begin_subtree(&x509->match, x509->name, x509->der.len);
        break;
    case X_SUBTREE_IP:
        x509->match = (struct th_trust_match){.state = x509->der.len == 2u * x509->name->ip_len};
        break;
    case X_SUBTREE_OTHER: set(x509, TH_X509_CONSTRAINTS_OTHER); break;
    default: break;
    }
}

/* RFC 5280 §4.2: not more than one of each. */
static bool begin_extension_value(struct th_x509 *x509)
{
    uint8_t which = (uint8_t)(x509->extension - TH_OID_BASIC_CONSTRAINTS);
    uint8_t bit = (uint8_t)(1u << which);
    bool again = (x509->extensions & bit) != 0;
    x509->extensions |= bit;
    if (bit == TH_X509_HAS_NAME_CONSTRAINTS && (x509->flags & TH_X509_CRITICAL))
        set(x509, TH_X509_CONSTRAINTS_CRITICAL);
    x509->kind[x509->der.depth] = (uint8_t)(X_BASIC_VALUE + which);
    return !again;
}

static void begin_hash(struct th_x509 *x509, uint8_t kind)
{
    x509->hashing = kind;
    x509->sha256->init(x509->part);
    x509->sha256->update(x509->part, x509->der.header, x509->der.header_len);
}

static bool begin_element(struct th_x509 *x509)
{
    uint8_t level = x509->der.depth;
    const struct th_x509_rule *rule =
        th_x509_rule(x509->kind[level], x509->step[level], x509->der.tag);
    if (rule == NULL)
        return false;
    x509->step[level] = rule->next_step;
    begin_kind(x509, rule->kind);
    uint8_t action = action_of(x509, rule);
    if (action == X_SKIP)
        return true;
    if (action == X_TAKE) {
        x509->taken = rule->kind;
        x509->token_len = 0;
        th_der_take(&x509->der);
        return true;
    }
    if (action == X_HASH_AND_ENTER)
        begin_hash(x509, rule->kind);
    th_der_enter(&x509->der, action == X_ENTER_BITS ? 1 : 0);
    if (x509->der.depth == level)
        return false;
    x509->kind[x509->der.depth] = rule->kind;
    x509->step[x509->der.depth] = 0;
    return rule->kind != X_EXTENSION_VALUE || begin_extension_value(x509);
}

/* ---- contents ---- */

static void put_token(struct th_x509 *x509, struct th_span piece)
{
    size_t room = TH_X509_TOKEN - (size_t)x509->token_len;
    size_t len = piece.len < room ? piece.len : room;
    memcpy(x509->token + x509->token_len, piece.at, len);
    x509->token_len = (uint8_t)(x509->token_len + len);
}

/* An address, then its mask: a byte of the mask settles the same byte of the address. */
static void put_subtree_ip(struct th_x509 *x509, struct th_span piece)
{
    const struct th_trust_name *name = x509->name;
    for (size_t i = 0; i < piece.len; i++) {
        uint16_t at = x509->match.at++;
        if (at < name->ip_len)
            x509->token[at] = piece.at[i];
        else if (x509->match.state != 0 && at < 2u * name->ip_len) {
            uint8_t which = (uint8_t)(at - name->ip_len);
            if (((x509->token[which] ^ name->ip[which]) & piece.at[i]) != 0)
                x509->match.state = 0;
        }
    }
}

static void put_bytes(struct th_x509 *x509, struct th_span piece)
{
    if (is_text(x509))
        put_text(x509, piece);
    switch (x509->taken) {
    case X_ATTRIBUTE_VALUE: break;
    case X_ALT_DNS:
    case X_SUBTREE_DNS: th_trust_match_feed(&x509->match, x509->name, piece); break;
    case X_SUBTREE_IP: put_subtree_ip(x509, piece); break;
    default: put_token(x509, piece); break;
    }
}

/* ---- elements, when they end ---- */

static uint16_t bit_length(const uint8_t *bytes, uint32_t len)
{
    if (len > 0 && bytes[0] == 0) {
        bytes++;
        len--;
    }
    if (len == 0 || len > UINT16_MAX / 8 || bytes[0] == 0)
        return 0;
    uint16_t bits = (uint16_t)(8 * len);
    for (uint8_t top = bytes[0]; (top & 0x80) == 0; top = (uint8_t)(top << 1))
        bits--;
    return bits;
}

static void end_oid(struct th_x509 *x509)
{
    bool whole = x509->der.len <= TH_X509_TOKEN;
    enum th_oid oid = whole ? th_oid_of(th_span_of(x509->token, x509->token_len)) : TH_OID_UNKNOWN;
    bool outer = x509->kind[1] == X_CERTIFICATE && x509->step[1] == 2;
    switch (x509->taken) {
    case X_ALGORITHM_OID: *(outer ? &x509->algorithm : &x509->inner_algorithm) = oid; break;
    case X_PSS_HASH_OID: x509->pss_hash[outer] = oid; break;
    case X_ATTRIBUTE_OID: x509->attribute = oid; break;
    case X_KEY_OID: x509->key_algorithm = oid; break;
    case X_KEY_CURVE: x509->key_curve = oid; break;
    case X_EXTENSION_OID:
        if (oid >= TH_OID_BASIC_CONSTRAINTS && oid <= TH_OID_NAME_CONSTRAINTS)
            x509->extension = oid;
        break;
    default:
        if (oid == TH_OID_SERVER_AUTH)
            set(x509, TH_X509_SERVER_AUTH);
    }
}

/* DER has one true and one false (X.690 §11.1). */
static bool end_boolean(struct th_x509 *x509, uint16_t flag)
{
    if (x509->der.len != 1 || (x509->token[0] != 0 && x509->token[0] != 0xFF))
        return false;
    if (x509->token[0] == 0xFF)
        set(x509, flag);
    return true;
}

static bool end_path_length(struct th_x509 *x509)
{
    if (x509->der.len < 1 || (x509->token[0] & 0x80) != 0)
        return false;
    bool large = x509->der.len > 1 || x509->token[0] >= TH_X509_NO_PATH_LENGTH;
    x509->path_length = large ? TH_X509_NO_PATH_LENGTH - 1 : x509->token[0];
    return true;
}

static bool end_integer(struct th_x509 *x509)
{
    const uint8_t *token = x509->token;
    uint32_t len = x509->der.len;
    if (len < 1)
        return false;
    switch (x509->taken) {
    case X_VERSION_NUMBER:
        if (len == 1 && token[0] == 2)
            set(x509, TH_X509_V3);
        return len == 1 && token[0] <= 2;
    case X_RSA_MODULUS: x509->key_bits = bit_length(token, len); return (token[0] & 0x80) == 0;
    default:
        if (len == 1 && token[0] < 3)
            set(x509, TH_X509_KEY_WEAK);
        return (token[0] & 0x80) == 0;
    }
}

static bool end_time(struct th_x509 *x509)
{
    struct th_span contents = {x509->token, x509->token_len};
    int64_t *out = x509->taken == X_NOT_BEFORE ? &x509->not_before_s : &x509->not_after_s;
    return x509->der.len == x509->token_len && th_der_time(x509->der.tag, contents, out);
}

static bool end_usage(struct th_x509 *x509)
{
    if (x509->der.len < 1)
        return false;
    x509->key_usage = x509->token_len > 1 ? x509->token[1] : 0;
    return true;
}

static void end_subtree(struct th_x509 *x509, bool same_form, bool matches)
{
    bool excluding = (x509->flags & TH_X509_EXCLUDING) != 0;
    if (!excluding && same_form)
        set(x509, TH_X509_PERMITS_SOME);
    if (matches)
        set(x509, excluding ? TH_X509_EXCLUDES_OURS : TH_X509_PERMITS_OURS);
}

static bool end_subtree_ip(struct th_x509 *x509)
{
    uint32_t len = x509->der.len;
    bool is_ours = x509->name->ip_len > 0;
    end_subtree(x509, is_ours, is_ours && x509->match.state != 0);
    return len == 8 || len == 32;
}

static bool end_alt_ip(struct th_x509 *x509)
{
    uint8_t len = x509->name->ip_len;
    if (len > 0 && x509->der.len == len && memcmp(x509->token, x509->name->ip, len) == 0)
        set(x509, TH_X509_NAME_MATCHES);
    return x509->der.len == 4 || x509->der.len == 16;
}

static bool end_taken(struct th_x509 *x509)
{
    switch (x509->taken) {
    case X_VERSION_NUMBER:
    case X_RSA_MODULUS:
    case X_RSA_EXPONENT: return end_integer(x509);
    case X_BASIC_PATH_LENGTH: return end_path_length(x509);
    case X_NOT_BEFORE:
    case X_NOT_AFTER: return end_time(x509);
    case X_EXTENSION_CRITICAL: return end_boolean(x509, TH_X509_CRITICAL);
    case X_BASIC_CA: return end_boolean(x509, TH_X509_CA);
    case X_USAGE: return end_usage(x509);
    case X_ATTRIBUTE_VALUE: return true;
    case X_ALT_DNS:
        if (th_trust_match_end(&x509->match, x509->name))
            set(x509, TH_X509_NAME_MATCHES);
        return true;
    case X_ALT_IP: return end_alt_ip(x509);
    case X_SUBTREE_DNS:
        end_subtree(x509, x509->name->ip_len == 0, th_trust_match_end(&x509->match, x509->name));
        return true;
    case X_SUBTREE_IP: return end_subtree_ip(x509);
    default: end_oid(x509); return true;
    }
}

static bool end_container(struct th_x509 *x509)
{
    uint8_t level = (uint8_t)(x509->der.depth + 1);
    uint8_t kind = x509->kind[level];
    if (kind == x509->hashing) {
        uint8_t *digest = kind == X_ISSUER    ? x509->issuer_digest
                          : kind == X_SUBJECT ? x509->subject_digest
                                              : x509->spki_digest;
        x509->sha256->out(x509->part, digest);
        x509->hashing = X_NONE;
    }
    return th_x509_complete(kind, x509->step[level]);
}

static bool end_element(struct th_x509 *x509)
{
    if (x509->taken == X_NONE)
        return end_container(x509);
    bool good = end_taken(x509);
    x509->taken = X_NONE;
    return good;
}

/* ---- the way through ---- */

void th_x509_feed(struct th_x509 *x509, struct th_span piece)
{
    while (!x509->bad) {
        struct th_span bytes = {NULL, 0}, from = piece;
        enum th_der_event event = th_der_next(&x509->der, &piece, &bytes);
        if (x509->hashing != X_NONE && from.len > piece.len)
            x509->sha256->update(x509->part, from.at, from.len - piece.len);
        switch (event) {
        case TH_DER_MORE: return;
        case TH_DER_BEGIN: x509->bad = !begin_element(x509); break;
        case TH_DER_BYTES: put_bytes(x509, bytes); break;
        case TH_DER_END: x509->bad = !end_element(x509); break;
        case TH_DER_BAD: x509->bad = true; break;
        }
    }
}

bool th_x509_end(struct th_x509 *x509)
{
    bool whole = !x509->bad && th_der_finished(&x509->der);
    if (!whole || !th_x509_complete(X_FILE, x509->step[0]))
        return false;
    /* RFC 5280 §4.1.1.2: what is signed names the same algorithm; §4.1.2.9: extensions are v3's. */
    bool same = x509->algorithm == x509->inner_algorithm &&
                (x509->algorithm != TH_OID_RSA_PSS || x509->pss_hash[0] == x509->pss_hash[1]);
    bool v3 = (x509->flags & TH_X509_V3) != 0;
    return same && (v3 || (x509->flags & TH_X509_EXTENDED) == 0);
}

/* SPDX-License-Identifier: MIT */
#include <thimble/pem.h>

#include <thimble/der.h>

#include "base/base64.h"

static const struct {
    const char *label;
    enum th_pem_kind kind;
} kinds[] = {
    {"CERTIFICATE", TH_PEM_CERTIFICATE},         {"X509 CERTIFICATE", TH_PEM_CERTIFICATE},
    {"PRIVATE KEY", TH_PEM_PRIVATE_KEY},         {"EC PRIVATE KEY", TH_PEM_EC_KEY},
    {"RSA PRIVATE KEY", TH_PEM_RSA_KEY},         {"ENCRYPTED PRIVATE KEY", TH_PEM_ENCRYPTED_KEY},
    {"PUBLIC KEY", TH_PEM_PUBLIC_KEY},           {"CERTIFICATE REQUEST", TH_PEM_REQUEST},
    {"NEW CERTIFICATE REQUEST", TH_PEM_REQUEST}, {"X509 CRL", TH_PEM_CRL},
};

static enum th_pem_kind kind_of(struct th_span label)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (th_span_equal(label, th_span_str(kinds[i].label)))
            return kinds[i].kind;
    }
    return TH_PEM_OTHER;
}

static bool is_key(enum th_pem_kind kind)
{
    return kind == TH_PEM_PRIVATE_KEY || kind == TH_PEM_EC_KEY || kind == TH_PEM_RSA_KEY ||
           kind == TH_PEM_ENCRYPTED_KEY;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- lines ---- */

static struct th_span without_blanks(struct th_span line)
{
    while (line.len > 0 && is_blank(line.at[line.len - 1]))
        line.len--;
    while (line.len > 0 && is_blank(line.at[0])) {
        line.at++;
        line.len--;
    }
    return line;
}

/* Takes one line off `text`: it ends with LF, CR LF or CR. */
static struct th_span next_line(struct th_span *text)
{
    struct th_span line = {text->at, 0};
    while (line.len < text->len && text->at[line.len] != '\n' && text->at[line.len] != '\r')
        line.len++;
    size_t used = line.len < text->len ? line.len + 1 : line.len;
    text->at += used;
    text->len -= used;
    return without_blanks(line);
}

static bool starts_with(struct th_span line, const char *start)
{
    size_t len = strlen(start);
    return line.len >= len && memcmp(line.at, start, len) == 0;
}

/* "-----BEGIN CERTIFICATE-----" into "CERTIFICATE"; `mark` is "-----BEGIN ". */
static bool read_mark(struct th_span line, const char *mark, struct th_span *label)
{
    static const char dashes[] = "-----";
    const size_t mark_len = strlen(mark), dashes_len = sizeof dashes - 1;
    static const uint8_t byte_order[] = {0xEF, 0xBB, 0xBF}; /* Windows editors put it first */
    if (line.len > sizeof byte_order && memcmp(line.at, byte_order, sizeof byte_order) == 0)
        line = th_span_of(line.at + sizeof byte_order, line.len - sizeof byte_order);
    if (line.len < mark_len + dashes_len || !starts_with(line, mark) ||
        memcmp(line.at + line.len - dashes_len, dashes, dashes_len) != 0)
        return false;
    *label = th_span_of(line.at + mark_len, line.len - mark_len - dashes_len);
    return true;
}

/* ---- blocks ---- */

/* RFC 1421 headers of a key: "Proc-Type: 4,ENCRYPTED", "DEK-Info: ...", then an empty line. */
static bool has_colon(struct th_span line)
{
    return line.len > 0 && memchr(line.at, ':', line.len) != NULL;
}

static bool says_encrypted(struct th_span line)
{
    static const char word[] = "ENCRYPTED";
    const size_t len = sizeof word - 1;
    return starts_with(line, "Proc-Type:") && line.len >= len &&
           memcmp(line.at + line.len - len, word, len) == 0;
}

static enum th_error read_body(struct th_span *text, struct th_pem_block *out)
{
    bool in_headers = true;
    out->body = th_span_of(text->at, 0);
    while (text->len > 0) {
        const uint8_t *begin = text->at;
        struct th_span line = next_line(text), label;
        if (read_mark(line, "-----END ", &label)) {
            out->body.len = (size_t)(begin - out->body.at);
            return th_span_equal(label, out->label) ? TH_OK : TH_ERR_FILE_FORMAT;
        }
        if (starts_with(line, "-----"))
            return TH_ERR_FILE_FORMAT;
        if (in_headers && says_encrypted(line))
            out->kind = TH_PEM_ENCRYPTED_KEY;
        in_headers = in_headers && (has_colon(line) || line.len == 0);
        if (in_headers)
            out->body.at = text->at;
    }
    return TH_ERR_FILE_FORMAT;
}

enum th_error th_pem_next(struct th_span *text, struct th_pem_block *out)
{
    while (text->len > 0) {
        struct th_span line = next_line(text);
        if (!read_mark(line, "-----BEGIN ", &out->label))
            continue;
        out->kind = kind_of(out->label);
        return read_body(text, out);
    }
    return TH_ERR_FILE_EMPTY;
}

enum th_error th_pem_decode(const struct th_pem_block *block, uint8_t *into, size_t room,
                            size_t *out_len)
{
    struct th_base64 base64 = {0};
    size_t len = 0;
    for (size_t i = 0; i < block->body.len; i++) {
        uint8_t c = block->body.at[i], out[3];
        if (is_blank(c))
            continue;
        int bytes = th_base64_char(&base64, (char)c, out);
        if (bytes < 0)
            return TH_ERR_FILE_FORMAT;
        if ((size_t)bytes > room - len)
            return TH_ERR_FILE_TOO_LARGE;
        memcpy(into + len, out, (size_t)bytes);
        len += (size_t)bytes;
    }
    *out_len = len;
    return th_base64_whole(&base64) && len > 0 ? TH_OK : TH_ERR_FILE_FORMAT;
}

/* ---- files ---- */

bool th_pem_is_der(struct th_span file)
{
    struct th_der der;
    struct th_span bytes, rest = file;
    th_der_init(&der, file.len);
    if (th_der_next(&der, &rest, &bytes) != TH_DER_BEGIN || der.tag != TH_DER_SEQUENCE)
        return false;
    return th_der_next(&der, &rest, &bytes) == TH_DER_MORE && th_der_finished(&der);
}

static enum th_error check_not_empty(struct th_span file)
{
    for (size_t i = 0; i < file.len; i++) {
        if (!is_blank(file.at[i]))
            return TH_OK;
    }
    return TH_ERR_FILE_EMPTY;
}

static enum th_error take_der(struct th_span file, uint8_t *into, size_t room, struct th_span *out)
{
    if (file.len > room)
        return TH_ERR_FILE_TOO_LARGE;
    memmove(into, file.at, file.len);
    *out = th_span_of(into, file.len);
    return TH_OK;
}

/* The tag of the next element, after what has begun is entered or skipped; 0 when there is none. */
static uint8_t next_tag(struct th_der *der, struct th_span *rest, bool enter)
{
    struct th_span bytes;
    enum th_der_event event;
    if (enter)
        th_der_enter(der, 0);
    do {
        event = th_der_next(der, rest, &bytes);
    } while (event == TH_DER_END);
    return event == TH_DER_BEGIN ? der->tag : 0;
}

/* A bare DER file says what it is by how it begins: a key with its version, an INTEGER; a
 * certificate with a SEQUENCE of other things than an algorithm; an encrypted PKCS#8 key with an
 * algorithm and an OCTET STRING, a public key with an algorithm and a BIT STRING. */
static enum th_pem_kind der_kind(struct th_span file)
{
    struct th_der der;
    th_der_init(&der, file.len);
    next_tag(&der, &file, false);
    uint8_t first = next_tag(&der, &file, true);
    if (first == TH_DER_INTEGER)
        return TH_PEM_PRIVATE_KEY;
    if (first != TH_DER_SEQUENCE || next_tag(&der, &file, true) != TH_DER_OID)
        return TH_PEM_CERTIFICATE;
    uint8_t second;
    do {
        second = next_tag(&der, &file, false);
    } while (second != 0 && der.depth > 1);
    return second == TH_DER_OCTET_STRING ? TH_PEM_ENCRYPTED_KEY : TH_PEM_OTHER;
}

static enum th_error der_certificate(struct th_span file, uint8_t *into, size_t room,
                                     struct th_span *out, size_t *count)
{
    if (der_kind(file) != TH_PEM_CERTIFICATE)
        return TH_ERR_FILE_FORMAT;
    if (*count < 1)
        return TH_ERR_FILE_TOO_LARGE;
    *count = 1;
    return take_der(file, into, room, out);
}

enum th_error th_pem_certificates(struct th_span file, uint8_t *into, size_t room,
                                  struct th_span *out, size_t *count)
{
    struct th_pem_block block;
    size_t most = *count, found = 0;
    enum th_error error = check_not_empty(file);
    if (error != TH_OK)
        return error;
    if (th_pem_is_der(file))
        return der_certificate(file, into, room, out, count);
    while ((error = th_pem_next(&file, &block)) == TH_OK) {
        size_t len = 0;
        if (block.kind != TH_PEM_CERTIFICATE)
            continue;
        if (found == most)
            return TH_ERR_FILE_TOO_LARGE;
        error = th_pem_decode(&block, into, room, &len);
        if (error != TH_OK)
            return error;
        if (!th_pem_is_der(th_span_of(into, len)))
            return TH_ERR_CERT_MALFORMED;
        out[found++] = th_span_of(into, len);
        into += len;
        room -= len;
    }
    *count = found;
    return error == TH_ERR_FILE_EMPTY && found > 0 ? TH_OK : TH_ERR_FILE_FORMAT;
}

enum th_error th_pem_private_key(struct th_span file, uint8_t *into, size_t room,
                                 struct th_span *out)
{
    struct th_pem_block block;
    enum th_error error = check_not_empty(file);
    if (error != TH_OK)
        return error;
    if (th_pem_is_der(file)) {
        enum th_pem_kind kind = der_kind(file);
        if (kind == TH_PEM_ENCRYPTED_KEY)
            return TH_ERR_KEY_ENCRYPTED;
        return kind == TH_PEM_PRIVATE_KEY ? take_der(file, into, room, out) : TH_ERR_FILE_FORMAT;
    }
    while (th_pem_next(&file, &block) == TH_OK) {
        size_t len = 0;
        if (!is_key(block.kind))
            continue;
        if (block.kind == TH_PEM_ENCRYPTED_KEY)
            return TH_ERR_KEY_ENCRYPTED;
        error = th_pem_decode(&block, into, room, &len);
        if (error == TH_OK && !th_pem_is_der(th_span_of(into, len)))
            return TH_ERR_FILE_FORMAT;
        *out = th_span_of(into, len);
        return error;
    }
    return TH_ERR_FILE_FORMAT;
}

/* SPDX-License-Identifier: MIT */
#include "trust_bundle.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h> /* X509_check_ca */

#include "credentials.h"
#include "exits.h"
#include "names.h"
#include "term.h"

#define BLOCK 1024 /* bytes: what a small device receives at once */

/* ---- items ---- */

static int add(struct trust_set *set, const struct th_trust_item *item, const char *what)
{
    enum th_error error = th_trust_set_add(set->at, sizeof set->at, &set->len, item);
    if (error == TH_ERR_TOO_LARGE)
        return fail(EXIT_INPUT,
                    "with %s the trust set is larger than the %d bytes a device takes\n"
                    "leave anchors or users out",
                    what, TH_TRUST_SET_MAX);
    return error == TH_OK ? EXIT_OK
                          : fail(EXIT_INPUT, "%s cannot stand in a trust set\nleave it out", what);
}

static int add_certificate(struct trust_set *set, const uint8_t *der, size_t len, const char *what)
{
    char date[24];
    X509 *certificate = x509_of_der(der, len);
    int code = EXIT_OK;
    if (!certificate || X509_check_ca(certificate) != 1)
        code = fail(EXIT_INPUT,
                    "%s is no CA's certificate, and no device takes it as an anchor\n"
                    "name the file of the CA",
                    what);
    else if (x509_not_after(certificate) < time(NULL))
        warn("the anchor %s has ended on %s\nleave it out", what,
             term_date(x509_not_after(certificate), date));
    X509_free(certificate);
    if (code != EXIT_OK)
        return code;
    struct th_trust_item item = {.kind = TH_ITEM_ANCHOR, .bytes = th_span_of(der, len)};
    return add(set, &item, what);
}

/* While the server CA is exchanged there are two. */
static int add_server_cas(struct home *home, struct trust_set *set)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    size_t count = registry_anchors(&home->registry, REGISTRY_SERVER, anchors);
    int code = count
                   ? EXIT_OK
                   : fail(EXIT_MISSING, "there is no server CA in %s\nthimble ca init", home->dir);
    for (size_t i = 0; code == EXIT_OK && i < count; i++) {
        struct bytes der = x509_der(anchors[i].certificate);
        code = add_certificate(set, der.at, der.len, "the server CA");
        bytes_free(&der);
    }
    registry_anchors_free(anchors, count);
    return code;
}

static int add_anchor_file(struct trust_set *set, const char *path)
{
    struct credentials credentials = {0};
    int code = credentials_anchors(&credentials, path);
    for (uint8_t i = 0; code == EXIT_OK && i < credentials.anchors.count; i++)
        code =
            add_certificate(set, credentials.anchors.at[i].at, credentials.anchors.at[i].len, path);
    credentials_free(&credentials);
    return code;
}

static int nibble(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return !at ? -1 : at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

/* With or without colons between the bytes, as other tools print digests. */
static bool digest_of(const char *text, uint8_t digest[TH_SHA256_BYTES])
{
    for (int i = 0; i < TH_SHA256_BYTES; i++) {
        int high = nibble(text[0]), low = high < 0 ? -1 : nibble(text[1]);
        if (low < 0)
            return false;
        digest[i] = (uint8_t)(high << 4 | low);
        text += text[2] == ':' && i < TH_SHA256_BYTES - 1 ? 3 : 2;
    }
    return *text == '\0';
}

static int add_pin(struct trust_set *set, const char *text)
{
    uint8_t digest[TH_SHA256_BYTES];
    if (!digest_of(text, digest))
        return fail(EXIT_USAGE,
                    "'%s' is no pin: 64 hexadecimal digits, the SHA-256 of a public key\n"
                    "thimble tls HOST shows those of a server",
                    text);
    struct th_trust_item item = {.kind = TH_ITEM_PIN, .bytes = th_span_of(digest, sizeof digest)};
    return add(set, &item, text);
}

static int add_address(struct trust_set *set, enum th_trust_item_kind kind, const char *host,
                       size_t host_len, long port)
{
    struct th_trust_item item = {
        .kind = kind,
        .bytes = th_span_of((const uint8_t *)host, host_len),
        .port = (uint16_t)port,
    };
    return add(set, &item, host);
}

/* host:port, [v6]:port; of several colons without brackets the last one counts. */
static int add_broker(struct trust_set *set, enum th_trust_item_kind kind, const char *text)
{
    char host[TH_TRUST_HOST_MAX + 1];
    long port;
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    if (bracketed)
        text++, len -= 2;
    if (len > 0 && len < sizeof host && options_number(colon + 1, 1, 65535, &port)) {
        memcpy(host, text, len);
        host[len] = '\0';
        if (!names_host_fault(host))
            return add_address(set, kind, host, len, port);
    }
    return fail(EXIT_USAGE, "'%s' is no broker as HOST:PORT\n--broker broker.example:8883", text);
}

static int add_brokers(struct home *home, enum th_trust_item_kind kind, const struct words *words,
                       const char *port_name, struct trust_set *set)
{
    char host[REGISTRY_TEXT_MAX], port[REGISTRY_TEXT_MAX];
    long number;
    int code = EXIT_OK;
    for (size_t i = 0; code == EXIT_OK && i < words->count; i++)
        code = add_broker(set, kind, words->at[i]);
    if (code != EXIT_OK || words->count > 0)
        return code;
    if (registry_get(&home->registry, "broker.host", host) &&
        registry_get(&home->registry, port_name, port) && options_number(port, 1, 65535, &number))
        return add_address(set, kind, host, strlen(host), number);
    return kind == TH_ITEM_RECOVERY
               ? EXIT_OK
               : fail(EXIT_MISSING, "there is no broker that devices could be told of\n"
                                    "thimble broker init, or name it: --broker HOST:PORT");
}

static bool named(const struct words *words, const char *name)
{
    for (size_t i = 0; i < words->count; i++) {
        if (strcmp(words->at[i], name) == 0)
            return true;
    }
    return false;
}

static int add_keys(struct home *home, const struct words *without, struct trust_set *set)
{
    struct trust_key keys[TRUST_KEYS_MAX];
    size_t count = 0, found = 0, trust = 0;
    int code = trust_keys(home, keys, &count);
    for (size_t i = 0; code == EXIT_OK && i < count; i++) {
        struct th_trust_item item = {.kind = TH_ITEM_UPDATE_KEY, .key = keys[i].update};
        if (named(without, keys[i].name)) {
            found++;
            continue;
        }
        trust += keys[i].update.components >> TH_COMPONENT_TRUST & 1;
        code = add(set, &item, keys[i].name);
    }
    if (code == EXIT_OK && found < without->count)
        return fail(EXIT_INPUT, "--without names a key that is not in %s/update\nls %s/update",
                    home->dir, home->dir);
    if (code == EXIT_OK && trust == 0)
        return fail(EXIT_MISSING, "there is no update key that may sign trust: devices would take "
                                  "no further bundle\nthimble trust keygen");
    return code;
}

/* ---- roles ---- */

struct roles {
    struct trust_set *set;
    int code;
};

static bool add_role(void *user, const struct registry_principal *principal)
{
    static const struct {
        const char *word;
        enum th_role role;
    } words[] = {{"viewer", TH_ROLE_VIEWER},
                 {"operator", TH_ROLE_OPERATOR},
                 {"admin", TH_ROLE_ADMIN},
                 {"agent", TH_ROLE_AGENT}};
    struct roles *roles = user;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(principal->state, "active") == 0 &&
            strcmp(principal->role, words[i].word) == 0) {
            struct th_trust_item item = {
                .kind = TH_ITEM_ROLE,
                .role = words[i].role,
                .bytes = th_span_of((const uint8_t *)principal->name, strlen(principal->name)),
            };
            roles->code = add(roles->set, &item, principal->name);
        }
    }
    return roles->code == EXIT_OK;
}

int trust_bundle_set(struct home *home, const struct trust_order *order, struct trust_set *set)
{
    struct roles roles = {set, EXIT_OK};
    set->len = 0;
    int code = add_server_cas(home, set);
    for (size_t i = 0; code == EXIT_OK && i < order->anchors.count; i++)
        code = add_anchor_file(set, order->anchors.at[i]);
    for (size_t i = 0; code == EXIT_OK && i < order->pins.count; i++)
        code = add_pin(set, order->pins.at[i]);
    if (code == EXIT_OK)
        code = add_brokers(home, TH_ITEM_BROKER, &order->brokers, "broker.port", set);
    if (code == EXIT_OK)
        code = add_brokers(home, TH_ITEM_RECOVERY, &order->recovery, "broker.recovery_port", set);
    if (code == EXIT_OK)
        code = add_keys(home, &order->without, set);
    if (code == EXIT_OK) {
        registry_principals(&home->registry, "user", add_role, &roles);
        code = roles.code;
    }
    if (code == EXIT_OK && th_trust_set_check(th_span_of(set->at, set->len)) != TH_OK)
        code = fail(EXIT_FAILED, "the trust set is not one that devices take\nreport this");
    return code;
}

/* ---- manifest ---- */

static void sha256(const uint8_t *bytes, size_t len, uint8_t digest[TH_SHA256_BYTES])
{
    const struct th_hash_ops *hash = th_crypto_openssl.hashes->sha256;
    union th_hash_state state;
    hash->init(&state);
    hash->update(&state, bytes, len);
    hash->out(&state, digest);
}

void trust_bundle_blocks(const uint8_t *content, size_t len, uint32_t block_size,
                         uint8_t digest[TH_SHA256_BYTES])
{
    const struct th_hash_ops *hash = th_crypto_openssl.hashes->sha256;
    union th_hash_state list;
    hash->init(&list);
    while (len > 0) {
        uint8_t block[TH_SHA256_BYTES];
        size_t step = len < block_size ? len : block_size;
        sha256(content, step, block);
        hash->update(&list, block, sizeof block);
        content += step;
        len -= step;
    }
    hash->out(&list, digest);
}

int trust_bundle_sign(const struct trust_release *release, const struct trust_set *set,
                      EVP_PKEY *key, const struct trust_key *signer,
                      uint8_t bundle[TRUST_BUNDLE_MAX], size_t *len)
{
    struct th_manifest manifest = {
        .component = TH_COMPONENT_TRUST,
        .development = release->development,
        .sequence = release->sequence,
        .epoch = release->epoch,
        .time_s = release->time_s,
        .hardware_min = release->hardware_min,
        .hardware_max = release->hardware_max,
        .size = (uint32_t)set->len,
        .block_size = BLOCK,
    };
    if (strlen(release->product) <= TH_MANIFEST_PRODUCT)
        snprintf(manifest.product, sizeof manifest.product, "%s", release->product);
    sha256(set->at, set->len, manifest.sha256);
    trust_bundle_blocks(set->at, set->len, BLOCK, manifest.blocks);
    memcpy(manifest.key_id, signer->id, sizeof manifest.key_id);
    if (th_manifest_encode(&manifest, bundle) != TH_OK)
        return fail(EXIT_USAGE,
                    "a product is 1 to %d printable characters without spaces, and the first "
                    "hardware revision is not above the last\nthimble trust sign --help",
                    TH_MANIFEST_PRODUCT);
    int code = trust_key_sign(key, bundle);
    if (code != EXIT_OK)
        return code;
    memcpy(bundle + TH_MANIFEST_BYTES, set->at, set->len);
    *len = TH_MANIFEST_BYTES + set->len;
    return EXIT_OK;
}

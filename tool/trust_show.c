/* SPDX-License-Identifier: MIT */
#include "trust_show.h"

#include <stdio.h>
#include <string.h>

#include "exits.h"
#include "json.h"
#include "term.h"
#include "trust_bundle.h"

struct bundle {
    const char *path;
    struct th_manifest manifest;
    struct th_span content;
    bool whole;  /* size, digest and block list are as announced */
    bool is_set; /* the content is a trust set in good form */
    enum { SIGNER_UNKNOWN, SIGNER_OWN, SIGNER_KNOWN } signer;
    bool signature; /* right, under the signer's key */
    struct trust_key by;
};

/* ---- judging ---- */

static bool content_is(const struct th_manifest *manifest, struct th_span content)
{
    const struct th_hash_ops *hash = th_crypto_openssl.hashes->sha256;
    union th_hash_state state;
    uint8_t digest[TH_SHA256_BYTES];
    if (manifest->size != content.len)
        return false;
    hash->init(&state);
    hash->update(&state, content.at, content.len);
    hash->out(&state, digest);
    if (memcmp(digest, manifest->sha256, sizeof digest) != 0)
        return false;
    trust_bundle_blocks(content.at, content.len, manifest->block_size, digest);
    return memcmp(digest, manifest->blocks, sizeof digest) == 0;
}

static bool signed_by(struct bundle *bundle, const uint8_t manifest[TH_MANIFEST_BYTES],
                      const struct th_update_key *key)
{
    uint8_t id[TH_KEY_ID_BYTES], digest[TH_SHA256_BYTES];
    th_key_id(th_crypto_openssl.hashes->sha256, key->point, id);
    if (memcmp(id, bundle->manifest.key_id, sizeof id) != 0)
        return false;
    th_manifest_digest(th_crypto_openssl.hashes->sha256, manifest, digest);
    bundle->signature = th_crypto_openssl.p256_verify(
        NULL, key->point, digest, manifest + TH_MANIFEST_BYTES - TH_P256_SIGNATURE);
    bundle->by.update = *key;
    return true;
}

static void find_signer(struct bundle *bundle, const uint8_t manifest[TH_MANIFEST_BYTES],
                        const struct trust_key *keys, size_t count)
{
    struct th_trust_item item;
    memcpy(bundle->by.id, bundle->manifest.key_id, sizeof bundle->by.id);
    for (size_t i = 0; i < count && bundle->signer == SIGNER_UNKNOWN; i++) {
        if (signed_by(bundle, manifest, &keys[i].update)) {
            bundle->signer = SIGNER_KNOWN;
            bundle->by = keys[i];
        }
    }
    for (size_t n = 0; bundle->is_set && bundle->signer == SIGNER_UNKNOWN &&
                       th_trust_set_item(bundle->content, TH_ITEM_UPDATE_KEY, n, &item);
         n++) {
        if (signed_by(bundle, manifest, &item.key))
            bundle->signer = SIGNER_OWN;
    }
}

/* ---- words ---- */

static const char *component_text(uint8_t component)
{
    static const char *const texts[] = {"", "firmware", "co-processor", "trust"};
    return texts[component];
}

static const char *kind_text(enum th_trust_item_kind kind)
{
    static const char *const texts[] = {
        "", "anchor", "pin", "fingerprint", "broker", "recovery broker", "update key", "role",
    };
    return texts[kind];
}

static const char *role_text(enum th_role role)
{
    static const char *const texts[] = {"", "viewer", "operator", "admin", "agent"};
    return texts[role];
}

static const char *signer_text(const struct bundle *bundle)
{
    if (bundle->signer == SIGNER_UNKNOWN)
        return "not checked: nobody here knows the key";
    if (!bundle->signature)
        return "WRONG";
    if (!(bundle->by.update.components >> bundle->manifest.component & 1))
        return "right, but the key may not sign this";
    return bundle->signer == SIGNER_KNOWN
               ? "right"
               : "right, by a key the bundle itself names: that alone proves nothing";
}

/* ---- items, for people ---- */

static void anchor_text(struct th_span der)
{
    char name[128] = "(not readable)", from[24] = "?", to[24] = "?";
    X509 *certificate = x509_of_der(der.at, der.len);
    if (certificate) {
        x509_common_name(certificate, name, sizeof name);
        term_date(x509_not_before(certificate), from);
        term_date(x509_not_after(certificate), to);
    }
    for (char *at = name; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            *at = '?';
    }
    say("  %-15s  %s, %s to %s", kind_text(TH_ITEM_ANCHOR), name, from, to);
    X509_free(certificate);
}

static void digest_text(const struct th_trust_item *item)
{
    char text[2 * TH_SHA256_BYTES + 1];
    for (size_t i = 0; i < TH_SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", item->bytes.at[i]);
    say("  %-15s  %s", kind_text(item->kind), text);
}

static void item_text(const struct th_trust_item *item)
{
    struct trust_key key = {.update = item->key};
    char id[TRUST_KEY_ID_TEXT], signs[40];
    switch (item->kind) {
    case TH_ITEM_ANCHOR: anchor_text(item->bytes); break;
    case TH_ITEM_PIN:
    case TH_ITEM_FINGERPRINT: digest_text(item); break;
    case TH_ITEM_BROKER:
    case TH_ITEM_RECOVERY:
        say("  %-15s  %.*s port %u", kind_text(item->kind), (int)item->bytes.len, item->bytes.at,
            item->port);
        break;
    case TH_ITEM_UPDATE_KEY:
        th_key_id(th_crypto_openssl.hashes->sha256, item->key.point, key.id);
        trust_key_id_text(key.id, id);
        trust_key_components_text(item->key.components, signs, sizeof signs);
        say("  %-15s  %s signs %s%s", kind_text(item->kind), id, *signs ? signs : "nothing known",
            item->key.development ? ", development" : "");
        break;
    case TH_ITEM_ROLE:
        say("  %-15s  %.*s is %s", kind_text(item->kind), (int)item->bytes.len, item->bytes.at,
            role_text(item->role));
        break;
    }
}

static void bundle_text(const struct bundle *bundle)
{
    const struct th_manifest *manifest = &bundle->manifest;
    struct th_trust_item item;
    size_t at = 0;
    char date[24], id[TRUST_KEY_ID_TEXT];
    trust_key_id_text(manifest->key_id, id);
    say("%s%s%s: %s, sequence %u%s", term_out(TERM_BOLD), bundle->path, term_out(TERM_PLAIN),
        component_text(manifest->component), manifest->sequence,
        manifest->development ? ", for development" : "");
    say("  product          %s, hardware %u to %u, security epoch %u", manifest->product,
        manifest->hardware_min, manifest->hardware_max, manifest->epoch);
    say("  signed           %s by %s%s%s", term_date(manifest->time_s, date), id,
        *bundle->by.name ? " " : "", bundle->by.name);
    say("  signature        %s", signer_text(bundle));
    say("  content          %u bytes, %s", manifest->size,
        bundle->whole ? "as announced" : "NOT what the manifest announces");
    while (bundle->is_set && th_trust_set_next(bundle->content, &at, &item))
        item_text(&item);
}

/* ---- the same as JSON ---- */

static void item_json(struct json *json, const struct th_trust_item *item)
{
    char text[40];
    json_open(json, NULL, '{');
    json_text(json, "kind", kind_text(item->kind));
    switch (item->kind) {
    case TH_ITEM_ANCHOR:
    case TH_ITEM_PIN:
    case TH_ITEM_FINGERPRINT:
        json_hex(json, item->kind == TH_ITEM_ANCHOR ? "der" : "sha256", item->bytes.at,
                 item->bytes.len);
        break;
    case TH_ITEM_BROKER:
    case TH_ITEM_RECOVERY:
        json_bytes(json, "host", item->bytes.at, item->bytes.len);
        json_number(json, "port", item->port);
        break;
    case TH_ITEM_UPDATE_KEY:
        trust_key_components_text(item->key.components, text, sizeof text);
        json_text(json, "signs", text);
        json_bool(json, "development", item->key.development);
        json_hex(json, "point", item->key.point, sizeof item->key.point);
        break;
    case TH_ITEM_ROLE:
        json_bytes(json, "caller", item->bytes.at, item->bytes.len);
        json_text(json, "role", role_text(item->role));
        break;
    }
    json_close(json, '}');
}

static void bundle_json(const struct bundle *bundle)
{
    static const char *const signers[] = {"unknown", "own", "known"};
    const struct th_manifest *manifest = &bundle->manifest;
    struct th_trust_item item;
    size_t at = 0;
    struct json json = json_begin(stdout);
    json_text(&json, "component", component_text(manifest->component));
    json_number(&json, "sequence", manifest->sequence);
    json_number(&json, "epoch", manifest->epoch);
    json_bool(&json, "development", manifest->development);
    json_number(&json, "time", manifest->time_s);
    json_text(&json, "product", manifest->product);
    json_number(&json, "hardware_min", manifest->hardware_min);
    json_number(&json, "hardware_max", manifest->hardware_max);
    json_number(&json, "size", manifest->size);
    json_hex(&json, "sha256", manifest->sha256, sizeof manifest->sha256);
    json_hex(&json, "key_id", manifest->key_id, sizeof manifest->key_id);
    json_text(&json, "key", bundle->by.name);
    json_text(&json, "signer", signers[bundle->signer]);
    json_bool(&json, "signature", bundle->signature);
    json_bool(&json, "whole", bundle->whole);
    if (bundle->is_set) {
        json_open(&json, "trust", '[');
        while (th_trust_set_next(bundle->content, &at, &item))
            item_json(&json, &item);
        json_close(&json, ']');
    }
    json_end(&json);
}

static int verdict(const struct bundle *bundle)
{
    bool json = term.json;
    term.json = false; /* stdout has its one document already */
    int code = EXIT_OK;
    if (!bundle->whole)
        code = fail(EXIT_INPUT,
                    "the content of %s is not what its manifest announces\n"
                    "copy the bundle again",
                    bundle->path);
    else if (bundle->manifest.component == TH_COMPONENT_TRUST && !bundle->is_set)
        code = fail(EXIT_INPUT, "%s: %s\n%s", bundle->path, th_error_text(TH_ERR_TRUST_SET_FORMAT),
                    th_error_remedy(TH_ERR_TRUST_SET_FORMAT));
    else if (bundle->signer == SIGNER_UNKNOWN)
        code = fail(EXIT_INPUT,
                    "nobody here knows the key that %s says it is signed with\n"
                    "name the public key: --key FILE",
                    bundle->path);
    else if (!bundle->signature)
        code = fail(EXIT_INPUT, "%s: %s\n%s", bundle->path, th_error_text(TH_ERR_UPDATE_SIGNATURE),
                    th_error_remedy(TH_ERR_UPDATE_SIGNATURE));
    term.json = json;
    return code;
}

int trust_show(const char *path, const struct trust_key *keys, size_t key_count)
{
    struct bytes file;
    struct bundle bundle = {.path = path};
    int code = files_read(path, &file);
    if (code != EXIT_OK)
        return code;
    if (file.len < TH_MANIFEST_BYTES || th_manifest_decode(file.at, &bundle.manifest) != TH_OK) {
        code = fail(EXIT_INPUT, "%s: %s\nname a file that thimble trust sign has written", path,
                    th_error_text(TH_ERR_UPDATE_FORMAT));
    } else {
        bundle.content = th_span_of(file.at + TH_MANIFEST_BYTES, file.len - TH_MANIFEST_BYTES);
        bundle.whole = content_is(&bundle.manifest, bundle.content);
        bundle.is_set = bundle.manifest.component == TH_COMPONENT_TRUST && bundle.whole &&
                        th_trust_set_check(bundle.content) == TH_OK;
        find_signer(&bundle, file.at, keys, key_count);
        if (term.json)
            bundle_json(&bundle);
        else
            bundle_text(&bundle);
        code = verdict(&bundle);
    }
    bytes_free(&file);
    return code;
}

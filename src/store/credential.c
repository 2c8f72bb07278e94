/* SPDX-License-Identifier: MIT */
#include "store/credential.h"

#include "base/id.h"
#include "base/wipe.h"

#define RECORD_VERSION 1
#define RECORD_BYTES   152

enum {
    AT_VERSION = 0,
    AT_NAME_LEN = 1,
    AT_SECRET = 4,
    AT_POINT = AT_SECRET + TH_P256_SECRET,
    AT_NONCE = AT_POINT + TH_P256_POINT,
    AT_NAME = AT_NONCE + TH_REQUEST_NONCE,
};
_Static_assert(AT_NAME + TH_NAME_MAX <= RECORD_BYTES, "docs/flash-format.md");
_Static_assert(TH_NAME_MAX == TH_ID_MAX, "one rule for all names");

bool th_device_name_valid(struct th_span name)
{
    return th_id_valid(name);
}

/* ---- the key's record ---- */

enum th_error key_record_write(struct th_log *log, uint8_t kind, const struct key_record *key)
{
    uint8_t raw[RECORD_BYTES] = {[AT_VERSION] = RECORD_VERSION};
    size_t name_len = strlen(key->name);

    raw[AT_NAME_LEN] = (uint8_t)name_len;
    memcpy(raw + AT_SECRET, key->secret, sizeof key->secret);
    memcpy(raw + AT_POINT, key->point, sizeof key->point);
    memcpy(raw + AT_NONCE, key->nonce, sizeof key->nonce);
    memcpy(raw + AT_NAME, key->name, name_len);
    enum th_error error = th_log_write(log, kind, th_span_of(raw, sizeof raw));
    th_wipe(raw, sizeof raw);
    return error;
}

bool key_record_read(const struct th_log *log, uint8_t kind, struct key_record *out)
{
    uint8_t raw[RECORD_BYTES];

    memset(out, 0, sizeof *out);
    bool ok = th_log_len(log, kind) == sizeof raw &&
              th_log_read(log, kind, 0, raw, sizeof raw) == sizeof raw &&
              raw[AT_VERSION] == RECORD_VERSION && raw[AT_NAME_LEN] <= TH_NAME_MAX;
    if (ok) {
        memcpy(out->secret, raw + AT_SECRET, sizeof out->secret);
        memcpy(out->point, raw + AT_POINT, sizeof out->point);
        memcpy(out->nonce, raw + AT_NONCE, sizeof out->nonce);
        memcpy(out->name, raw + AT_NAME, raw[AT_NAME_LEN]);
    }
    th_wipe(raw, sizeof raw);
    return ok;
}

enum th_error key_record_make(struct key_record *out, const struct th_crypto *crypto,
                              const struct th_board *board, struct th_span name)
{
    memset(out, 0, sizeof *out);
    if (name.len > TH_NAME_MAX)
        return TH_ERR_INVALID;
    if (!th_p256_generate(crypto, board, out->secret, out->point) ||
        !board->entropy.ops->fill(board->entropy.ctx, out->nonce, sizeof out->nonce)) {
        th_wipe(out, sizeof *out);
        return TH_ERR_TLS_ENTROPY;
    }
    if (name.len > 0)
        memcpy(out->name, name.at, name.len);
    return TH_OK;
}

/* ---- the chain ---- */

/* The whole length of the DER sequence at the front; 0 when it is none. */
static size_t sequence_len(struct th_span bytes)
{
    size_t head = 2, len;

    if (bytes.len < 4 || bytes.at[0] != 0x30)
        return 0;
    len = bytes.at[1];
    if (len == 0x81) {
        len = bytes.at[2];
        head = 3;
    } else if (len == 0x82) {
        len = (size_t)(bytes.at[2] << 8 | bytes.at[3]);
        head = 4;
    } else if (len >= 0x80) {
        return 0;
    }
    return head + len <= bytes.len ? head + len : 0;
}

uint8_t th_chain_split(struct th_span bytes, struct th_span out[TH_CHAIN_COUNT])
{
    uint8_t count = 0;

    if (bytes.len > TH_CHAIN_MAX)
        return 0;
    while (bytes.len > 0) {
        size_t len = sequence_len(bytes);

        if (len == 0 || count == TH_CHAIN_COUNT)
            return 0;
        out[count++] = th_span_of(bytes.at, len);
        bytes = th_span_of(bytes.at + len, bytes.len - len);
    }
    return count;
}

/* ---- loading ---- */

enum th_error credential_load(const struct th_log *log, uint8_t key_kind, uint8_t chain_kind,
                              uint8_t *into, size_t room, struct th_credential *out)
{
    struct key_record key;
    size_t len = into ? th_log_len(log, chain_kind) : 0;

    memset(out, 0, sizeof *out);
    if (len > room)
        return TH_ERR_TOO_LARGE;
    if (!key_record_read(log, key_kind, &key))
        return TH_ERR_BAD_STATE;
    memcpy(out->name, key.name, sizeof out->name);
    memcpy(out->point, key.point, sizeof out->point);
    memcpy(out->nonce, key.nonce, sizeof out->nonce);
    th_csr_key(key.secret, key.point, out->key);
    th_wipe(&key, sizeof key);
    if (len > 0 && th_log_read(log, chain_kind, 0, into, len) != len) {
        th_credential_wipe(out);
        return TH_ERR_STORE;
    }
    out->chain_count = th_chain_split(th_span_of(into, len), out->chain);
    return TH_OK;
}

void th_credential_identity(const struct th_credential *credential, struct th_identity *out)
{
    *out = (struct th_identity){
        .chain = credential->chain,
        .chain_count = credential->chain_count,
        .kind = TH_KEY_EC_P256,
        .key = th_span_of(credential->key, sizeof credential->key),
    };
}

void th_credential_wipe(struct th_credential *credential)
{
    th_wipe(credential, sizeof *credential);
}

enum th_error credential_csr(const struct th_log *log, uint8_t key_kind,
                             const struct th_crypto *crypto, struct th_span common_name,
                             uint8_t *into, size_t room, size_t *len)
{
    struct key_record key;

    if (!key_record_read(log, key_kind, &key))
        return TH_ERR_BAD_STATE;
    *len = th_csr_make(crypto, key.secret, common_name, into, room);
    th_wipe(&key, sizeof key);
    if (*len > 0)
        return TH_OK;
    return common_name.len == 0 || common_name.len > TH_CSR_NAME_MAX ? TH_ERR_INVALID
                                                                     : TH_ERR_TOO_LARGE;
}

/* SPDX-License-Identifier: MIT */
#include <thimble/factory.h>

#include "base/wipe.h"
#include "store/credential.h"
#include "store/kinds.h"

enum th_error th_factory_open(struct th_factory *factory, const struct th_board *board,
                              const struct th_flash_map *map, uint32_t nonce)
{
    const struct th_flash_ops *flash = board->flash.ops;

    if (!flash || th_flash_map_check(map, flash->geometry(board->flash.ctx)))
        return TH_ERR_CONFIG;
    enum th_error error = th_log_mount(&factory->log, flash, board->flash.ctx,
                                       th_flash_map_region(map, TH_FLASH_FACTORY), nonce);
    return error ? error : th_log_tidy(&factory->log);
}

/* ---- set-up code ---- */

enum th_error th_factory_code_set(struct th_factory *factory, const char *code)
{
    char checked[TH_SETUP_CODE + 1];
    bool ok = th_setup_code_parse(th_span_str(code), checked) && strcmp(checked, code) == 0;

    th_wipe(checked, sizeof checked);
    if (!ok)
        return TH_ERR_INVALID;
    return th_log_replace(&factory->log, FACTORY_ALL, FACTORY_CODE,
                          th_span_of(code, TH_SETUP_CODE));
}

/* What is not in the form of a code was not stored by this version: it counts as none. */
bool th_factory_code(const struct th_factory *factory, char code[TH_SETUP_CODE + 1])
{
    uint8_t stored[TH_SETUP_CODE];
    bool good =
        th_log_len(&factory->log, FACTORY_CODE) == TH_SETUP_CODE &&
        th_log_read(&factory->log, FACTORY_CODE, 0, stored, sizeof stored) == sizeof stored &&
        th_setup_code_parse(th_span_of(stored, sizeof stored), code) &&
        memcmp(code, stored, sizeof stored) == 0;

    th_wipe(stored, sizeof stored);
    if (!good)
        th_wipe(code, TH_SETUP_CODE + 1);
    return good;
}

/* ---- IDevID ---- */

bool th_factory_has_key(const struct th_factory *factory)
{
    struct key_record key;
    bool has = key_record_read(&factory->log, FACTORY_KEY, &key);

    th_wipe(&key, sizeof key);
    return has;
}

enum th_error th_factory_key_make(struct th_factory *factory, const struct th_crypto *crypto,
                                  const struct th_board *board)
{
    struct key_record key;

    if (th_factory_has_key(factory))
        return TH_OK;
    enum th_error error = key_record_make(&key, crypto, board, th_span_of(NULL, 0));
    if (error == TH_OK)
        error = key_record_write(&factory->log, FACTORY_KEY, &key);
    th_wipe(&key, sizeof key);
    return error;
}

enum th_error th_factory_csr(const struct th_factory *factory, const struct th_crypto *crypto,
                             struct th_span common_name, uint8_t *into, size_t room, size_t *len)
{
    return credential_csr(&factory->log, FACTORY_KEY, crypto, common_name, into, room, len);
}

enum th_error th_factory_sign(const struct th_factory *factory, const struct th_crypto *crypto,
                              const uint8_t digest[TH_SHA256_BYTES],
                              uint8_t signature[TH_P256_SIGNATURE])
{
    struct key_record key;

    if (!key_record_read(&factory->log, FACTORY_KEY, &key))
        return TH_ERR_BAD_STATE;
    bool ok = crypto->ops->p256_sign(crypto->ctx, key.secret, digest, signature);
    th_wipe(&key, sizeof key);
    return ok ? TH_OK : TH_ERR_BAD_STATE;
}

enum th_error th_factory_certify(struct th_factory *factory, struct th_span chain)
{
    struct th_span split[TH_CHAIN_COUNT];

    if (!th_factory_has_key(factory))
        return TH_ERR_BAD_STATE;
    if (th_chain_split(chain, split) == 0)
        return TH_ERR_INVALID;
    return th_log_write(&factory->log, FACTORY_CHAIN, chain);
}

enum th_error th_factory_idevid(const struct th_factory *factory, uint8_t *into, size_t room,
                                struct th_credential *out)
{
    return credential_load(&factory->log, FACTORY_KEY, FACTORY_CHAIN, into, room, out);
}

/* ---- calibration ---- */

enum th_error th_factory_calibration_put(struct th_factory *factory, struct th_span bytes)
{
    if (bytes.len > TH_CALIBRATION_MAX)
        return TH_ERR_TOO_LARGE;
    return th_log_write(&factory->log, FACTORY_CALIBRATION, bytes);
}

size_t th_factory_calibration(const struct th_factory *factory, uint8_t *into, size_t room)
{
    return th_log_read(&factory->log, FACTORY_CALIBRATION, 0, into, room);
}

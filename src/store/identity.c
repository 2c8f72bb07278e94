/* SPDX-License-Identifier: MIT */
#include "store/identity.h"

#include "base/wipe.h"
#include "store/credential.h"
#include "store/kinds.h"

#define INDEX_VERSION 1
#define INDEX_BYTES   16

enum { PLACE_NONE, PLACE_A, PLACE_B };

/* ---- the index: which place is what ---- */

static bool index_sound(const uint8_t raw[INDEX_BYTES])
{
    bool in_range = raw[1] <= TH_RESET_DECOMMISSION;

    for (size_t i = 2; i < 6; i++)
        in_range = in_range && raw[i] <= PLACE_B;
    return raw[0] == INDEX_VERSION && in_range && (raw[2] == PLACE_NONE || raw[2] != raw[3]) &&
           (raw[4] == PLACE_NONE || raw[4] != raw[5]);
}

static void index_read(struct th_identity_store *store)
{
    uint8_t raw[INDEX_BYTES];

    if (th_log_read(&store->log, IDENTITY_INDEX, 0, raw, sizeof raw) != sizeof raw ||
        !index_sound(raw))
        return;
    store->duty = raw[1];
    memcpy(store->ldevid, raw + 2, 2);
    memcpy(store->trust, raw + 4, 2);
}

static uint32_t bit(unsigned kind)
{
    return 1u << kind;
}

static uint32_t kinds_named(const struct th_identity_store *store)
{
    uint32_t kinds = 0;

    for (int i = 0; i < 2; i++) {
        if (store->ldevid[i] != PLACE_NONE)
            kinds |= bit(IDENTITY_KEY_A + store->ldevid[i] - 1u) |
                     bit(IDENTITY_CHAIN_A + store->ldevid[i] - 1u);
        if (store->trust[i] != PLACE_NONE)
            kinds |= bit(IDENTITY_TRUST_A + store->trust[i] - 1u);
    }
    return kinds;
}

enum th_error identity_commit(struct th_identity_store *store, const struct th_identity_store *next,
                              uint32_t also)
{
    const uint8_t raw[INDEX_BYTES] = {INDEX_VERSION,   next->duty,     next->ldevid[0],
                                      next->ldevid[1], next->trust[0], next->trust[1]};
    struct th_identity_store wanted = *next;
    bool reset = next->duty != TH_RESET_NOTHING || store->duty != TH_RESET_NOTHING;
    uint32_t keep = kinds_named(next) | also;

    /* Kinds of a newer version stay, but for a reset (O14, I9). */
    if (!reset)
        keep |= UINT32_MAX << (IDENTITY_SESSION + 1);
    enum th_error error =
        th_log_replace(&store->log, keep, IDENTITY_INDEX, th_span_of(raw, sizeof raw));

    wanted.log = store->log;
    if (error == TH_OK)
        *store = wanted;
    else if (error == TH_ERR_STORE)
        index_read(store); /* it failed before the index changed, or only in the erasing after it */
    return error;
}

enum th_error th_identity_open(struct th_identity_store *store, const struct th_board *board,
                               const struct th_flash_map *map, uint32_t nonce)
{
    const struct th_flash_ops *flash = board->flash.ops;

    memset(store, 0, sizeof *store);
    if (!flash || th_flash_map_check(map, flash->geometry(board->flash.ctx)))
        return TH_ERR_CONFIG;
    enum th_error error = th_log_mount(&store->log, flash, board->flash.ctx,
                                       th_flash_map_region(map, TH_FLASH_IDENTITY), nonce);
    if (error)
        return error;
    index_read(store);
    return th_log_tidy(&store->log);
}

static uint8_t other(uint8_t place)
{
    return place == PLACE_A ? PLACE_B : PLACE_A;
}

static uint8_t key_kind(uint8_t place)
{
    return (uint8_t)(IDENTITY_KEY_A + place - 1);
}

static uint8_t chain_kind(uint8_t place)
{
    return (uint8_t)(IDENTITY_CHAIN_A + place - 1);
}

static uint8_t trust_kind(uint8_t place)
{
    return (uint8_t)(IDENTITY_TRUST_A + place - 1);
}

void th_identity_report(const struct th_identity_store *store, struct th_identity_report *out)
{
    uint8_t next = store->ldevid[TH_NEXT];
    uint8_t named = store->ldevid[TH_IN_FORCE] ? store->ldevid[TH_IN_FORCE] : next;
    struct key_record key;

    *out = (struct th_identity_report){
        .enrolled = store->ldevid[TH_IN_FORCE] != PLACE_NONE,
        .requested = next != PLACE_NONE,
        .certified = next != PLACE_NONE && th_log_len(&store->log, chain_kind(next)) > 0,
        .trusts = store->trust[TH_IN_FORCE] != PLACE_NONE,
        .candidate = store->trust[TH_NEXT] != PLACE_NONE,
        .session = store->duty == TH_RESET_NOTHING && th_log_len(&store->log, IDENTITY_SESSION) > 0,
        .resetting = store->duty != TH_RESET_NOTHING,
    };
    if (named != PLACE_NONE && key_record_read(&store->log, key_kind(named), &key)) {
        memcpy(out->name, key.name, sizeof out->name);
        th_wipe(&key, sizeof key);
    }
}

/* ---- the LDevID ---- */

enum th_error th_identity_load(const struct th_identity_store *store, enum th_identity_place place,
                               uint8_t *into, size_t room, struct th_credential *out)
{
    uint8_t at = store->ldevid[place];

    memset(out, 0, sizeof *out);
    return at == PLACE_NONE
               ? TH_ERR_BAD_STATE
               : credential_load(&store->log, key_kind(at), chain_kind(at), into, room, out);
}

/* Until the index names the place, what is written there counts for nothing. */
static enum th_error put_key(struct th_identity_store *store, uint8_t at,
                             const struct key_record *key)
{
    struct th_identity_store next = *store;
    enum th_error error = TH_OK;

    if (th_log_len(&store->log, chain_kind(at)) > 0)
        error = th_log_write(&store->log, chain_kind(at), th_span_of(NULL, 0));
    if (error == TH_OK)
        error = key_record_write(&store->log, key_kind(at), key);
    if (error)
        return error;
    next.ldevid[TH_NEXT] = at;
    return identity_commit(store, &next, bit(IDENTITY_SESSION));
}

enum th_error th_identity_next_make(struct th_identity_store *store, const struct th_crypto *crypto,
                                    const struct th_board *board, struct th_span name)
{
    struct key_record key;

    if (store->duty)
        return TH_ERR_BAD_STATE;
    if (!th_device_name_valid(name))
        return TH_ERR_INVALID;
    enum th_error error = th_identity_next_drop(store);
    if (error == TH_OK)
        error = key_record_make(&key, crypto, board, name);
    if (error)
        return error;
    error = put_key(store, other(store->ldevid[TH_IN_FORCE]), &key);
    th_wipe(&key, sizeof key);
    return error;
}

enum th_error th_identity_next_csr(const struct th_identity_store *store,
                                   const struct th_crypto *crypto, uint8_t *into, size_t room,
                                   size_t *len)
{
    struct th_identity_report report;

    if (store->ldevid[TH_NEXT] == PLACE_NONE)
        return TH_ERR_BAD_STATE;
    th_identity_report(store, &report);
    return credential_csr(&store->log, key_kind(store->ldevid[TH_NEXT]), crypto,
                          th_span_str(report.name), into, room, len);
}

enum th_error th_identity_next_certify(struct th_identity_store *store, struct th_span chain)
{
    struct th_span split[TH_CHAIN_COUNT];

    if (store->ldevid[TH_NEXT] == PLACE_NONE)
        return TH_ERR_BAD_STATE;
    if (th_chain_split(chain, split) == 0)
        return TH_ERR_INVALID;
    return th_log_write(&store->log, chain_kind(store->ldevid[TH_NEXT]), chain);
}

enum th_error th_identity_promote(struct th_identity_store *store)
{
    struct th_identity_store next = *store;
    uint8_t at = store->ldevid[TH_NEXT];

    if (at == PLACE_NONE || th_log_len(&store->log, chain_kind(at)) == 0)
        return TH_ERR_BAD_STATE;
    next.ldevid[TH_IN_FORCE] = at;
    next.ldevid[TH_NEXT] = PLACE_NONE;
    return identity_commit(store, &next, 0);
}

enum th_error th_identity_next_drop(struct th_identity_store *store)
{
    struct th_identity_store next = *store;

    if (store->ldevid[TH_NEXT] == PLACE_NONE)
        return TH_OK;
    next.ldevid[TH_NEXT] = PLACE_NONE;
    return identity_commit(store, &next, bit(IDENTITY_SESSION));
}

/* ---- trust sets ---- */

enum th_error th_identity_trust_put(struct th_identity_store *store,
                                    struct th_span manifest_and_set)
{
    struct th_identity_store next = *store;
    uint8_t at = other(store->trust[TH_IN_FORCE]);

    if (store->duty || manifest_and_set.len == 0)
        return store->duty ? TH_ERR_BAD_STATE : TH_ERR_INVALID;
    enum th_error error = th_identity_trust_drop(store);
    if (error == TH_OK)
        error = th_log_write(&store->log, trust_kind(at), manifest_and_set);
    if (error)
        return error;
    next.trust[TH_NEXT] = at;
    return identity_commit(store, &next, bit(IDENTITY_SESSION));
}

size_t th_identity_trust_len(const struct th_identity_store *store, enum th_identity_place place)
{
    uint8_t at = store->trust[place];

    return at == PLACE_NONE ? 0 : th_log_len(&store->log, trust_kind(at));
}

size_t th_identity_trust_read(const struct th_identity_store *store, enum th_identity_place place,
                              uint32_t from, uint8_t *into, size_t room)
{
    uint8_t at = store->trust[place];

    return at == PLACE_NONE ? 0 : th_log_read(&store->log, trust_kind(at), from, into, room);
}

enum th_error th_identity_trust_promote(struct th_identity_store *store)
{
    struct th_identity_store next = *store;

    if (store->trust[TH_NEXT] == PLACE_NONE)
        return TH_ERR_BAD_STATE;
    next.trust[TH_IN_FORCE] = store->trust[TH_NEXT];
    next.trust[TH_NEXT] = PLACE_NONE;
    return identity_commit(store, &next, 0);
}

enum th_error th_identity_trust_drop(struct th_identity_store *store)
{
    struct th_identity_store next = *store;

    if (store->trust[TH_NEXT] == PLACE_NONE)
        return TH_OK;
    next.trust[TH_NEXT] = PLACE_NONE;
    return identity_commit(store, &next, bit(IDENTITY_SESSION));
}

/* ---- enrolment ---- */

enum th_error th_identity_enrol(struct th_identity_store *store, struct th_span chain,
                                struct th_span manifest_and_set)
{
    struct th_identity_store next = *store;
    uint8_t at = other(store->trust[TH_IN_FORCE]);

    if (store->ldevid[TH_IN_FORCE] != PLACE_NONE)
        return TH_ERR_BAD_STATE;
    enum th_error error = th_identity_next_certify(store, chain);
    if (error == TH_OK)
        error = th_log_write(&store->log, trust_kind(at), manifest_and_set);
    if (error)
        return error;
    next.ldevid[TH_IN_FORCE] = store->ldevid[TH_NEXT];
    next.ldevid[TH_NEXT] = PLACE_NONE;
    next.trust[TH_IN_FORCE] = at;
    next.trust[TH_NEXT] = PLACE_NONE;
    return identity_commit(store, &next, 0);
}

/* ---- session ---- */

enum th_error th_identity_session_put(struct th_identity_store *store, struct th_span session)
{
    if (store->duty)
        return TH_ERR_BAD_STATE;
    if (session.len > 0)
        return th_log_write(&store->log, IDENTITY_SESSION, session);
    return identity_commit(store, store, 0);
}

size_t th_identity_session(const struct th_identity_store *store, uint8_t *into, size_t room)
{
    return store->duty ? 0 : th_log_read(&store->log, IDENTITY_SESSION, 0, into, room);
}

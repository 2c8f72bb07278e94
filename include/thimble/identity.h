/* SPDX-License-Identifier: MIT */
/*
 * Who the device is and whom it believes: its operational credential (LDevID) in force and the
 * next one, the trust set in force and a candidate, and a stored TLS session where it is kept on
 * flash. Whatever is put beside what is in force takes effect by one atomic write (promote, enrol),
 * so that under any power cut the old holds or the new; what was in force then is erased from the
 * flash. Stored form: docs/flash-format.md, chapter "Identity". Requirements I1, I5, I9, T11.
 *
 * Between th_reset_begin() and the end of the reset everything here reads as blank.
 */
#ifndef THIMBLE_IDENTITY_H
#define THIMBLE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/credential.h>
#include <thimble/factory.h>
#include <thimble/flash_map.h>
#include <thimble/log.h>

enum th_identity_place { TH_IN_FORCE, TH_NEXT }; /* for trust sets TH_NEXT is the candidate */

/* Fields private. */
struct th_identity_store {
    struct th_log log;
    uint8_t duty;      /* a reset that was begun: enum th_reset_kind */
    uint8_t ldevid[2]; /* by th_identity_place: 0 none, 1 A, 2 B */
    uint8_t trust[2];
};

/* Mounts, and erases what a cut has left. `nonce`: as for th_log_mount(). CONFIG: map and geometry
 * do not fit. STORE: the flash fails. An unreadable area is begun anew: not enrolled. */
enum th_error th_identity_open(struct th_identity_store *store, const struct th_board *board,
                               const struct th_flash_map *map, uint32_t nonce);

/* What may be told about it to anybody: nothing secret. */
struct th_identity_report {
    bool enrolled;              /* there is an LDevID in force */
    bool requested;             /* there is a next key */
    bool certified;             /* and a certificate over it */
    bool trusts, candidate;     /* trust sets */
    bool session;               /* a TLS session is stored */
    bool resetting;             /* a reset was begun and is not finished */
    char name[TH_NAME_MAX + 1]; /* in force, else the requested one; "" */
};

void th_identity_report(const struct th_identity_store *store, struct th_identity_report *out);

/* ---- the LDevID ---- */

/* Loads a credential for use. `into` (TH_CHAIN_MAX bytes hold any chain) lives as long as `out`;
 * NULL: the key alone, without its certificates. BAD_STATE: there is none. TOO_LARGE, STORE. */
enum th_error th_identity_load(const struct th_identity_store *store, enum th_identity_place place,
                               uint8_t *into, size_t room, struct th_credential *out);

/* Makes the next key, with a fresh nonce; one that was there is erased. INVALID: the name breaks
 * F7. TLS_ENTROPY, STORE; BAD_STATE while a reset is not finished. */
enum th_error th_identity_next_make(struct th_identity_store *store, const struct th_crypto *crypto,
                                    const struct th_board *board, struct th_span name);

/* The request for the next key, under its name. BAD_STATE: there is none. */
enum th_error th_identity_next_csr(const struct th_identity_store *store,
                                   const struct th_crypto *crypto, uint8_t *into, size_t room,
                                   size_t *len);

/* Stores certificates over the next key; the caller has made sure that they are. BAD_STATE: there
 * is no next key. INVALID: no chain. TOO_LARGE, STORE. */
enum th_error th_identity_next_certify(struct th_identity_store *store, struct th_span chain);

/* The next LDevID is in force from now on; the old one and any stored session are erased.
 * BAD_STATE: there is none with a certificate. STORE: the old or the new one is in force, the next
 * open tells. */
enum th_error th_identity_promote(struct th_identity_store *store);

/* The next LDevID is erased. TH_OK when there is none. */
enum th_error th_identity_next_drop(struct th_identity_store *store);

/* ---- trust sets: a manifest (256 bytes) and the set behind it ---- */

/* Stores a candidate, verified by the caller. TOO_LARGE: the area has no room for it. STORE. */
enum th_error th_identity_trust_put(struct th_identity_store *store,
                                    struct th_span manifest_and_set);

/* 0 when there is none. */
size_t th_identity_trust_len(const struct th_identity_store *store, enum th_identity_place place);

/* Copies from `from` on; returns how many. */
size_t th_identity_trust_read(const struct th_identity_store *store, enum th_identity_place place,
                              uint32_t from, uint8_t *into, size_t room);

/* The candidate is in force from now on; the old set and any stored session are erased. BAD_STATE:
 * there is none. */
enum th_error th_identity_trust_promote(struct th_identity_store *store);
enum th_error th_identity_trust_drop(struct th_identity_store *store);

/* ---- both at once ---- */

/* The first LDevID and the first trust set take effect together. Only for a device that has no
 * LDevID in force, and has a next key: else BAD_STATE. INVALID: no chain. TOO_LARGE, STORE. */
enum th_error th_identity_enrol(struct th_identity_store *store, struct th_span chain,
                                struct th_span manifest_and_set);

/* ---- a TLS session, sealed as tls.h says: a secret ---- */

/* An empty one takes it away, and erases it. */
enum th_error th_identity_session_put(struct th_identity_store *store, struct th_span session);
size_t th_identity_session(const struct th_identity_store *store, uint8_t *into, size_t room);

/* ---- resets (I9, T11) ---- */

enum th_reset_kind {
    TH_RESET_NOTHING,
    TH_RESET_FACTORY,      /* LDevID, trust sets, settings, sessions */
    TH_RESET_DECOMMISSION, /* and IDevID and set-up code */
};

/* Where secrets are besides. */
struct th_reset {
    struct th_identity_store *identity;
    struct th_factory *factory;
    struct th_log *log; /* settings and the rest; NULL: not on this device */
    uint32_t keep;      /* kinds of `log` that hold nothing of the owner's: bit n kind n */
    const struct th_board *board; /* its RTC memory, which may hold a session, is overwritten */
};

/* Begins a reset with one atomic write that already erases everything of this store. Once it has
 * returned TH_OK, or power was cut after it, the reset will be finished. STORE: call it again. */
enum th_error th_reset_begin(struct th_identity_store *store, enum th_reset_kind kind);

/* What was begun and is not finished. Ask at each start, before anything else is opened. */
enum th_reset_kind th_reset_pending(const struct th_identity_store *store);

/* Carries it out; nothing when none was begun. STORE: call it again. */
enum th_error th_reset_finish(const struct th_reset *reset);

#endif

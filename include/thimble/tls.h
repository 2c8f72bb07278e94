/* SPDX-License-Identifier: MIT */
/*
 * One TLS client connection over a wire, the same over every backend: TLS 1.2 and later, ECDHE with
 * AEAD, no renegotiation, no 0-RTT, extended master secret and renegotiation_info as the library
 * allows. A backend is a `const struct th_tls_ops`; naming one links it.
 *
 * REQUIREMENTS T1–T15; the gaps of each library are in docs/tls.md.
 */
#ifndef THIMBLE_TLS_H
#define THIMBLE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/stream.h>
#include <thimble/trust.h>

/* ---- who we are ---- */

enum th_key_kind { TH_KEY_EC_P256, TH_KEY_RSA };

/* Signs `digest` (already hashed, `digest_len` bytes: 32, 48 or 64) for TLS client authentication.
 * Returns the signature's length (ECDSA: DER; RSA: PKCS#1 v1.5), 0 when it cannot. */
typedef size_t th_sign_fn(void *user, const uint8_t *digest, size_t digest_len, uint8_t *signature,
                          size_t room);

/* A client certificate and what can sign for it. Everything lives as long as the TLS context uses
 * it. Exactly one of `key`, `sign`, `native_key` is set. */
struct th_identity {
    const struct th_span *chain; /* DER, our own certificate first */
    uint8_t chain_count;
    enum th_key_kind kind;
    struct th_span key; /* DER: PKCS#8, or SEC1 / PKCS#1 */
    th_sign_fn *sign;   /* for a secure element; `user` is its argument */
    void *user;
    void *native_key; /* what the backend's own header says (OpenSSL: EVP_PKEY *, PKCS#11 too) */
};

/* ---- how to connect ---- */

enum th_fragment_length {                        /* RFC 6066 §4 */
                          TH_FRAGMENT_16384 = 0, /* do not ask */
                          TH_FRAGMENT_512 = 512,
                          TH_FRAGMENT_1024 = 1024,
                          TH_FRAGMENT_2048 = 2048,
                          TH_FRAGMENT_4096 = 4096,
};

struct th_tls_config {
    const struct th_trust *trust;
    const struct th_identity *identity; /* NULL: none. Set, it is demanded: T6 */
    const struct th_board *board;       /* entropy */
    enum th_fragment_length fragment_length;
    const char *alpn; /* one protocol name, NULL for none; the server must agree when set */
};

/* One attempt. `server_name` goes into SNI (when it is a DNS name) and is what the certificate is
 * matched against; it and the config live as long as the connection, the session's bytes for the
 * call: the link writes the new session over the old one. */
struct th_tls_start {
    const struct th_tls_config *config;
    const char *server_name;
    struct th_wire wire;
    struct th_span session; /* from `session()` of an earlier connection of the same backend,
                               after th_session_open(); len 0 for a full handshake */
    struct th_span scratch; /* memory lent for the handshake alone: not touched any more once the
                               stream is OPEN, ENDED or FAILED. At least `scratch_size` */
};

struct th_tls_info {
    uint16_t version;       /* 0x0303 TLS 1.2, 0x0304 TLS 1.3 */
    uint16_t suite;         /* IANA number */
    const char *suite_name; /* IANA name, "unknown" */
    bool resumed;
    bool client_certificate;        /* ours was asked for and sent (always false when resumed) */
    uint32_t bytes_in, bytes_out;   /* on the wire, handshake only */
    struct th_trust_summary server; /* when resumed, only what the stored session kept */
};

struct th_tls_ops {
    const char *name; /* "BearSSL" */
    size_t scratch_size;
    const struct th_hashes *hashes;
    /* Starts the handshake over a wire that is OPENING or OPEN. The stream comes back at once, in
     * state OPENING; a fault in the configuration as state FAILED. One connection per context. */
    struct th_stream (*start)(void *ctx, const struct th_tls_start *start, uint32_t now_ms);
    /* Copies the session for later resumption; 0 when there is none (yet: TLS 1.3 tickets come
     * after the handshake) or it does not fit `room`. It is a secret. */
    size_t (*session)(void *ctx, uint8_t *into, size_t room);
    /* Valid from state OPEN on. */
    void (*info)(void *ctx, struct th_tls_info *out);
};

struct th_tls {
    const struct th_tls_ops *ops;
    void *ctx;
};

/* The IANA name of a cipher suite Thimble can negotiate; "unknown" otherwise. */
const char *th_tls_suite_name(uint16_t suite);

/* ---- stored sessions (T10, T11, I11) ---- */

/*
 * A broker takes the identity from the session, not from the certificate presented now, so a stored
 * session is bound to everything it was made under and is unusable when any of it differs. Layout,
 * little-endian (version 1):
 *   0 u8 version · 1 u8 broker index · 2 u16 length of the library's part
 *   4 i64 the chain's notAfter · 12 32 B digest of policy · 44 32 B digest of our certificate
 *   76 the library's part · then u32 CRC-32 of all before
 */
#define TH_SESSION_OVERHEAD 80
#define TH_SESSION_BEARSSL  (TH_SESSION_OVERHEAD + 88)
#define TH_SESSION_OPENSSL  (TH_SESSION_OVERHEAD + 4096)

struct th_session_bond {
    uint8_t broker;      /* index in the link's list */
    int64_t not_after_s; /* of the server's chain */
    uint8_t policy[TH_SHA256_BYTES];
    uint8_t certificate[TH_SHA256_BYTES]; /* SHA-256 of our own; zeros when none */
};

/* Wraps `len` bytes that stand at into + TH_SESSION_OVERHEAD - 4; returns the whole length, 0 when
 * it does not fit. */
size_t th_session_seal(uint8_t *into, size_t room, size_t len, const struct th_session_bond *bond);

/* The library's part, or an empty span when anything differs, is damaged, or the chain has expired
 * by `clock`. bond->not_after_s is not compared but filled. */
struct th_span th_session_open(struct th_span stored, struct th_session_bond *bond,
                               const struct th_clock_view *clock);

/* Digests for a bond. */
void th_session_digests(struct th_session_bond *bond, const struct th_trust *trust,
                        const struct th_identity *identity, const struct th_hashes *hashes);

#endif

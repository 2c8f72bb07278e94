/* SPDX-License-Identifier: MIT */
/*
 * TLS over BearSSL: TLS 1.2, no heap, no clock, no file, every byte of memory the caller's. The
 * small one: made for a device with tens of kilobytes, and for thousands of connections in one
 * process. What it does and does not do is in docs/tls.md.
 *
 *   static struct th_bearssl tls;
 *   static uint8_t in[TH_BEARSSL_IN(512)], out[TH_BEARSSL_OUT(512)];
 *   th_bearssl_init(&tls, &th_bearssl_small, in, sizeof in, out, sizeof out);
 *   struct th_stream stream = th_tls_bearssl.start(&tls, &start, now_ms);
 */
#ifndef THIMBLE_TLS_BEARSSL_H
#define THIMBLE_TLS_BEARSSL_H

#include <bearssl.h>

#include <thimble/tls.h>

/* Sizes of the record buffers for a fragment length (RFC 6066 §4) of 512, 1024, 2048, 4096 or
 * 16384. The two may differ. The smaller one decides which length the server is asked for; an
 * output of TH_BEARSSL_OUT(512) with an input of TH_BEARSSL_IN(16384) asks for 512 and bears a
 * server that does not listen. */
#define TH_BEARSSL_IN(fragment)  ((fragment) + 325)
#define TH_BEARSSL_OUT(fragment) ((fragment) + 85)

/*
 * Which of BearSSL's implementations to use. Naming one links it; what no profile names is not in
 * the image. NULL leaves a feature out: without `gcm_in` no AES-GCM is offered, without `chacha20`
 * no ChaCha20-Poly1305 (one of them is needed), without `rsa_verify` no RSA server is accepted,
 * without a signing function that kind of key is refused as TH_ERR_KEY_KIND. The getters find out
 * at run time whether this CPU has what they need; when they give nothing the field beside them
 * counts. ChaCha20 is offered first, unless `aes_ctr_get` found AES in hardware.
 */
struct th_bearssl_profile {
    const br_ec_impl *ec; /* P-256 needed; X25519 and P-384 used when there */
    br_ecdsa_vrfy ecdsa_verify;
    br_ecdsa_vrfy ecdsa_verify_raw; /* for th_crypto: NULL refuses every signed manifest */
    br_ecdsa_sign ecdsa_sign;       /* asn1 */
    br_ecdsa_sign ecdsa_sign_raw;   /* for th_crypto: NULL signs no request for a certificate */
    br_rsa_pkcs1_vrfy rsa_verify;
    br_rsa_pkcs1_sign rsa_sign;
    br_rsa_pkcs1_vrfy (*rsa_verify_get)(void);
    br_rsa_pkcs1_sign (*rsa_sign_get)(void);

    const br_sslrec_in_chapol_class *chapol_in;
    const br_sslrec_out_chapol_class *chapol_out;
    br_chacha20_run chacha20;
    br_poly1305_run poly1305;
    br_chacha20_run (*chacha20_get)(void);
    br_poly1305_run (*poly1305_get)(void);

    const br_sslrec_in_gcm_class *gcm_in;
    const br_sslrec_out_gcm_class *gcm_out;
    const br_block_ctr_class *aes_ctr;
    br_ghash ghash;
    const br_block_ctr_class *(*aes_ctr_get)(void);
    br_ghash (*ghash_get)(void);

    const br_hash_class *sha384, *sha512; /* beside SHA-256, which is always there */
    br_tls_prf_impl prf_sha384;           /* with sha384 and GCM: the AES-256 suites */
};

/* For small 32-bit CPUs without a wide multiplier: 15-bit integers, X25519, P-256, P-384. */
extern const struct th_bearssl_profile th_bearssl_small;
/* For hosts: AES-NI, SSE2 and 62-bit RSA where the CPU has them. */
extern const struct th_bearssl_profile th_bearssl_host;

/* One connection at a time; may be used again after close(). Fields are private. */
struct th_bearssl {
    br_ssl_client_context client;
    br_ec_impl ec; /* the profile's, with only the curves we negotiate */
    const struct th_bearssl_profile *profile;
    uint8_t *in, *out;
    size_t in_room, out_room;
    size_t ahead_at, ahead; /* bytes in `in` that the engine has not taken yet */
    const struct th_tls_config *config;
    struct th_wire wire;
    struct th_bearssl_handshake *handshake; /* in the lent memory; NULL once that is over */
    enum th_stream_state state;
    bool resumed, asked, presented, all_sent;
    uint8_t head_len;
    uint8_t head[5]; /* the first bytes the server sent */
    uint32_t bytes_in, bytes_out;
    const char *alpn[1];
    struct th_trust_summary server;
    struct th_failure failure;
};

/* `in` and `out` as the macros above say, at least for 512, not overlapping. Profile and buffers
 * live as long as the context. Nothing is to be freed; close() wipes all secrets. */
void th_bearssl_init(struct th_bearssl *tls, const struct th_bearssl_profile *profile, uint8_t *in,
                     size_t in_room, uint8_t *out, size_t out_room);

/*
 * `scratch_size` of its ops is what a handshake borrows: X.509 state, the trust check, and room for
 * TH_BEARSSL_ANCHORS anchors; each further anchor takes TH_BEARSSL_ANCHOR_SIZE more. Too little is
 * TH_ERR_MEMORY_HANDSHAKE. It need not be aligned.
 */
#define TH_BEARSSL_ANCHORS     4
#define TH_BEARSSL_ANCHOR_SIZE sizeof(br_x509_trust_anchor)
extern const struct th_tls_ops th_tls_bearssl;

#endif

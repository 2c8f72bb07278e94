/* SPDX-License-Identifier: MIT */
/* Who has the arena in which mode: see memory.h. */
#include "../board/fed_ec.h"
#include "memory.h"

static const struct th_bearssl_profile profile = {
    .ec = &demo_fed_ec,
    .ecdsa_verify = br_ecdsa_i15_vrfy_asn1,
    .ecdsa_verify_raw = br_ecdsa_i15_vrfy_raw,
    .ecdsa_sign = br_ecdsa_i15_sign_asn1,
    .ecdsa_sign_raw = br_ecdsa_i15_sign_raw,
    .rsa_verify = br_rsa_i15_pkcs1_vrfy,
    .chapol_in = &br_sslrec_in_chapol_vtable,
    .chapol_out = &br_sslrec_out_chapol_vtable,
    .chacha20 = br_chacha20_ct_run,
    .poly1305 = br_poly1305_ctmul32_run,
    .gcm_in = &br_sslrec_in_gcm_vtable,
    .gcm_out = &br_sslrec_out_gcm_vtable,
    .aes_ctr = &br_aes_ct_ctr_vtable,
    .ghash = br_ghash_ctmul32,
};

/* The link is down whenever a mode is entered that the one before was not. */
static void entered(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct memory *me = ctx;
    uint8_t mode = (uint8_t)th_device_mode(device);

    (void)now_ms;
    if (me->begun && mode == me->mode)
        return;
    me->begun = true;
    me->mode = mode;
    memset(&me->arena, 0, sizeof me->arena); /* there were keys in it */
    if (mode == TH_MODE_MQTT)
        th_bearssl_init(&me->arena.mode.mqtt.tls, &profile, me->arena.mode.mqtt.tls_in,
                        sizeof me->arena.mode.mqtt.tls_in, me->arena.mode.mqtt.tls_out,
                        sizeof me->arena.mode.mqtt.tls_out);
}

struct th_service arena_service(struct memory *me)
{
    static const struct th_service_ops ops = {.entered = entered};

    me->crypto.ops = &th_crypto_bearssl;
    memcpy(&me->crypto.ctx, &(const void *){&profile}, sizeof me->crypto.ctx); /* it is const */
    return (struct th_service){&ops, me};
}

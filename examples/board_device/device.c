/* SPDX-License-Identifier: MIT */
/*
 * The device on an emulated board: everything out of flash. Parameters of the emulator: `crash=MS`
 * plants a crash so long after the start, `set=NAME=VALUE` puts a setting on trial at the start,
 * `backoff=MS` is the link's first wait.
 */
#include <cpu.h>
#include <string.h>
#include <thimble/device.h>
#include <thimble/time.h>
#include <thimble/tls_bearssl.h>

#include "../../ports/common/host.h"
#include "../../ports/common/machine.h"
#include "../../ports/common/print.h"
#include "../../ports/lwip/th_lwip.h"
#include "../../ports/lwip/udp.h"
#include "../board/fed_ec.h"

#define WATCHDOG_MS 3200
#define FRAGMENT    512
#define TRUST_ROOM  1536 /* manifest and trust set; a larger bundle is refused */
#define CHAIN_ROOM  768
#define LOAN_BYTES  (sizeof(void *) == 4 ? 4144 : 4640)

/* Everything the device needs while it runs; nothing else is ever reserved. */
static struct {
    struct th_board board;
    struct th_lwip lwip;
    struct th_lwip_udp udp;
    struct th_bearssl tls;
    struct th_crypto crypto;
    struct th_outbox_ram outbox;
    struct th_device_config config;
    struct th_device device;
    uint8_t session[TH_SESSION_BEARSSL];
    uint8_t trust[TRUST_ROOM], chain[CHAIN_ROOM], rx[512];
    uint8_t tls_in[TH_BEARSSL_IN(FRAGMENT)], tls_out[TH_BEARSSL_OUT(FRAGMENT)];
    uint64_t outbox_bytes[768 / 8];
    uint16_t inbound[4];
    bool told;
} me;

/* X.509 state in a handshake, a set of settings under change while there is none. */
static union {
    uint64_t align;
    uint8_t handshake[LOAN_BYTES];
    uint8_t work[TH_SETTINGS_MAX];
} lent;

static const struct th_bearssl_profile profile = {
    .ec = &demo_fed_ec,
    .ecdsa_verify = br_ecdsa_i15_vrfy_asn1,
    .ecdsa_sign = br_ecdsa_i15_sign_asn1,
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

static void say(void *user, const char *line)
{
    (void)user;
    th_print(th_machine_put, NULL, "%s\n", line);
}

static void configure(void)
{
    th_bearssl_init(&me.tls, &profile, me.tls_in, sizeof(me.tls_in), me.tls_out,
                    sizeof(me.tls_out));
    me.crypto.ops = &th_crypto_bearssl;
    memcpy(&me.crypto.ctx, &(const void *){&profile}, sizeof(me.crypto.ctx)); /* it is const */
    me.config = (struct th_device_config){
        .board = &me.board,
        .map = &th_flash_map_lx106,
        .crypto = &me.crypto,
        .tls = {&th_tls_bearssl, &me.tls},
        .scratch = {lent.handshake, sizeof(lent.handshake)},
        .session = me.session,
        .session_room = sizeof(me.session),
        .trust = me.trust,
        .trust_room = sizeof(me.trust),
        .chain = me.chain,
        .chain_room = sizeof(me.chain),
        .work = lent.work,
        .work_room = sizeof(lent.work),
        .rx = me.rx,
        .rx_room = sizeof(me.rx),
        .v311 = &th_mqtt_v311,
        .v5 = &th_mqtt_v5,
        .product = "thimble",
        .version = "0.1.0",
        .hardware = 1,
        .built_s = 1767225600, /* 2026-01-01 */
        .backoff_ms = th_host_param_number("backoff", 0),
        .say = say,
    };
}

/* The parameter `set`, as someone on the console would. */
static void try_setting(const char *text)
{
    const char *value = text != NULL ? strchr(text, '=') : NULL, *why;
    struct th_settings in_force = {&me.device.log, TH_RECORD_SETTINGS};
    struct th_settings_change change;

    if (value == NULL)
        return;
    const struct th_setting *setting = th_setting_find(th_span_of(text, (size_t)(value - text)));
    if (setting == NULL ||
        th_settings_begin(&change, &in_force, lent.work, sizeof(lent.work)) != TH_OK)
        return;
    enum th_error error = th_settings_put(&change, setting, th_span_str(value + 1), &why);
    if (error == TH_OK)
        error = th_device_try_settings(&me.device, &change, "", th_timer_now_ms());
    else
        th_settings_drop(&change);
    say(NULL, error == TH_OK ? "on trial" : th_error_text(error));
}

static bool start(void)
{
    me.board = th_machine_board(th_lwip_net(&me.lwip));
    me.board.udp.ops = &th_lwip_udp_ops;
    me.board.udp.ctx = &me.udp;
    configure();
    me.config.outbox =
        th_outbox_ram_init(&me.outbox, (uint8_t *)me.outbox_bytes, sizeof(me.outbox_bytes),
                           me.inbound, sizeof(me.inbound) / sizeof(me.inbound[0]));
    enum th_error error = th_device_start(&me.device, &me.config, th_timer_now_ms());
    if (error != TH_OK)
        say(NULL, th_error_text(error));
    return error == TH_OK;
}

/* Once: by then the deepest call, a full handshake, is over. */
static void tell_stack(void)
{
    if (me.told || !th_device_connected(&me.device))
        return;
    me.told = true;
    th_print(th_machine_put, NULL, "stack peak %u\n", (unsigned)th_machine_stack_peak());
}

static void run_once(uint32_t crash_ms)
{
    th_lwip_poll(&me.lwip);
    uint32_t now = th_timer_now_ms();
    th_device_step(&me.device, now);
    tell_stack();
    th_lwip_poll(&me.lwip);
    if (crash_ms != 0 && now >= crash_ms)
        th_machine_crash_now();
    now = th_timer_now_ms();
    uint32_t wait = th_time_sooner(th_lwip_deadline(&me.lwip), th_device_deadline(&me.device, now));
    th_machine_idle(now + th_time_sooner(wait, WATCHDOG_MS / 2));
}

int th_main(void)
{
    th_machine_start();
    uint32_t crash_ms = th_host_param_number("crash", 0);
    th_timer_watchdog_start(WATCHDOG_MS);
    th_lwip_start(&me.lwip, th_machine_card_start, th_machine_card_poll);
    if (!start())
        return 1;
    try_setting(th_host_param("set"));
    for (;;)
        run_once(crash_ms);
}

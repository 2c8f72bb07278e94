/* SPDX-License-Identifier: MIT */
/*
 * R2: a device that starts out of records nobody wrote. The CRCs of the log would keep chance out,
 * so the input is a list of records, behind good CRCs, over an enrolled device's flash:
 *   u8 what, u16 length, bytes: 0..6 a record of the log, 7 a trust candidate, 8 the trust set in
 *   force, 9 bytes at 4 * u16 of the flash as they are; the first byte of all is the reset reason.
 */
#include <stdlib.h>
#include <string.h>

#include <thimble/device.h>
#include <thimble/tls_openssl.h>

#include "ports/sim/flash.h"
#include "ports/sim/sim_radio.h"

#define KIB   1024u
#define FLASH (32 * KIB)
#define ERASE 512u

/* As small as it goes: every start reads all of it. */
static const struct th_flash_map map = {
    "fuzz",
    FLASH,
    ERASE,
    {
        [TH_FLASH_BOOT_0] = {0, ERASE, 0},
        [TH_FLASH_BOOT_1] = {ERASE, ERASE, 0},
        [TH_FLASH_FACTORY] = {1 * KIB, 2 * KIB, KIB},
        [TH_FLASH_LOG] = {4 * KIB, 8 * KIB, 4 * KIB},
        [TH_FLASH_IDENTITY] = {12 * KIB, 8 * KIB, 4 * KIB},
        [TH_FLASH_SLOT_A] = {20 * KIB, KIB, 0},
        [TH_FLASH_SLOT_B] = {21 * KIB, KIB, 0},
        [TH_FLASH_COPROC_NEW] = {22 * KIB, KIB, 0},
        [TH_FLASH_COPROC_GOOD] = {23 * KIB, KIB, 0},
    },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t cells[FLASH], weak[FLASH], enrolled[FLASH], rtc[TH_RTC_BYTES];
static struct sim_flash flash;
static struct sim_radio radio = {.ssid = "garden", .pass = "secret words"};
static struct th_board board;
static struct th_crypto crypto = {&th_crypto_openssl, NULL};
static struct th_device device;
static uint32_t now, chance;
static enum th_reset_reason reason;

/* ---- a board without a broker ---- */

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return now;
}

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        chance = chance * 1664525 + 1013904223;
        into[i] = (uint8_t)(chance >> 24);
    }
    return true;
}

static bool up(void *ctx)
{
    (void)ctx;
    return sim_radio_up(&radio);
}

static void resolve(void *ctx, const char *name, uint16_t port)
{
    (void)ctx;
    (void)name;
    (void)port;
}

static int resolved(void *ctx, struct th_address *out, size_t max, struct th_failure *failure)
{
    (void)ctx;
    (void)out;
    (void)max;
    *failure = th_failure_of(TH_ERR_NAME_NOT_FOUND);
    return -1;
}

static void cancel(void *ctx)
{
    (void)ctx;
}

static enum th_stream_state wire_state(void *ctx)
{
    (void)ctx;
    return TH_STREAM_FAILED;
}

static void wire_close(void *ctx, bool orderly)
{
    (void)ctx;
    (void)orderly;
}

static void wire_failure(void *ctx, struct th_failure *out)
{
    (void)ctx;
    *out = th_failure_of(TH_ERR_TCP_REFUSED);
}

static struct th_wire connect_to(void *ctx, const struct th_address *to)
{
    static const struct th_wire_ops ops = {
        .state = wire_state, .close = wire_close, .failure = wire_failure};

    (void)to;
    return (struct th_wire){&ops, ctx};
}

static enum th_reset_reason reset_reason(void *ctx)
{
    (void)ctx;
    return reason;
}

static bool rtc_read(void *ctx, uint8_t into[TH_RTC_BYTES])
{
    (void)ctx;
    memcpy(into, rtc, sizeof rtc);
    return true;
}

static bool rtc_write(void *ctx, const uint8_t from[TH_RTC_BYTES])
{
    (void)ctx;
    memcpy(rtc, from, sizeof rtc);
    return true;
}

static const struct th_clock_ops clock_ops = {now_ms};
static const struct th_entropy_ops entropy_ops = {fill};
static const struct th_net_ops net_ops = {up, resolve, resolved, cancel, connect_to};
static const struct th_system_ops system_ops = {reset_reason, cancel, cancel, NULL};
static const struct th_rtc_ops rtc_ops = {rtc_read, rtc_write};

static void set_board(void)
{
    board = (struct th_board){.clock = {&clock_ops, NULL},
                              .entropy = {&entropy_ops, NULL},
                              .flash = {&sim_flash_ops, &flash},
                              .rtc = {&rtc_ops, NULL},
                              .system = {&system_ops, NULL},
                              .net = {&net_ops, NULL},
                              .wifi = {&sim_radio_ops, &radio}};
}

/* ---- the flash ---- */

static void must(bool good)
{
    if (!good)
        abort();
}

static size_t smallest_set(uint8_t *bundle)
{
    uint8_t anchor[64] = {0x30}, *set = bundle + TH_MANIFEST_BYTES;
    struct th_trust_item key = {.kind = TH_ITEM_UPDATE_KEY,
                                .key = {.point = {4}, .components = 1 << TH_COMPONENT_TRUST}};
    size_t len = 0;

    memset(bundle, 0, TH_MANIFEST_BYTES);
    must(th_trust_set_add(set, TH_TRUST_SET_MAX, &len,
                          &(struct th_trust_item){.kind = TH_ITEM_ANCHOR,
                                                  .bytes = th_span_of(anchor, sizeof anchor)}) ==
         TH_OK);
    must(th_trust_set_add(set, TH_TRUST_SET_MAX, &len,
                          &(struct th_trust_item){.kind = TH_ITEM_BROKER,
                                                  .port = 8883,
                                                  .bytes = TH_SPAN("192.0.2.1")}) == TH_OK);
    must(th_trust_set_add(set, TH_TRUST_SET_MAX, &len, &key) == TH_OK);
    return TH_MANIFEST_BYTES + len;
}

static void enrol(void)
{
    static const uint8_t chain[] = {0x30, 3, 'a', 'b', 'c'};
    static uint8_t bundle[TH_TRUST_BUNDLE_MAX];
    struct th_identity_store identity;

    sim_flash_init(&flash, (struct th_flash_geometry){FLASH, ERASE, 4}, cells, weak, 1);
    must(th_identity_open(&identity, &board, &map, 1) == TH_OK);
    must(th_identity_next_make(&identity, &crypto, &board, TH_SPAN("lamp")) == TH_OK);
    must(th_identity_enrol(&identity, th_span_of(chain, sizeof chain),
                           th_span_of(bundle, smallest_set(bundle))) == TH_OK);
    memcpy(enrolled, cells, FLASH);
}

/* What the input says, behind good CRCs. */
static void put(uint8_t what, struct th_span bytes)
{
    struct th_identity_store identity;
    struct th_log log;
    struct th_log_region region = th_flash_map_region(&map, TH_FLASH_LOG);

    if (what <= TH_RECORD_PROVER) {
        if (th_log_mount(&log, &sim_flash_ops, &flash, region, 5) == TH_OK)
            th_log_write(&log, what, bytes);
    } else if (what <= 8) {
        if (th_identity_open(&identity, &board, &map, 1) == TH_OK &&
            th_identity_trust_put(&identity, bytes) == TH_OK && what == 8)
            th_identity_trust_promote(&identity);
    } else if (what == 9 && bytes.len > 2) {
        uint32_t at = 4u * (uint32_t)(bytes.at[0] | bytes.at[1] << 8);

        for (size_t i = 2; i < bytes.len && at < FLASH; i++)
            cells[at++] = bytes.at[i];
    }
}

/* ---- the device ---- */

static void start(void)
{
    static struct th_openssl openssl;
    static struct th_outbox_ram outbox;
    static uint64_t outbox_bytes[128];
    static uint16_t inbound[4];
    static uint8_t trust[TH_TRUST_BUNDLE_MAX], chain[TH_CHAIN_MAX], work[TH_SETTINGS_MAX], rx[256];
    static uint8_t session[TH_SESSION_BEARSSL];
    static struct th_device_config config;

    config = (struct th_device_config){
        .board = &board,
        .map = &map,
        .crypto = &crypto,
        .tls = {&th_tls_openssl, &openssl},
        .session = session,
        .session_room = sizeof session,
        .trust = trust,
        .trust_room = sizeof trust,
        .chain = chain,
        .chain_room = sizeof chain,
        .work = work,
        .work_room = sizeof work,
        .rx = rx,
        .rx_room = sizeof rx,
        .outbox =
            th_outbox_ram_init(&outbox, (uint8_t *)outbox_bytes, sizeof outbox_bytes, inbound, 4),
        .v311 = &th_mqtt_v311,
        .v5 = &th_mqtt_v5,
        .product = "thimble",
        .version = "1",
    };
    must(th_device_start(&device, &config, now) == TH_OK);
}

/* Some minutes, however long the device would sleep. */
static void run(void)
{
    for (int i = 0; i < 60; i++) {
        uint32_t wait = th_device_deadline(&device, now);

        now += wait < 10000 ? wait : 10000;
        th_device_step(&device, now);
        char line[TH_HISTORY_TEXT];
        for (size_t n = 0; th_history_item(&device.history, n); n++)
            th_history_text(th_history_item(&device.history, n), line, sizeof line);
    }
    enum th_device_mode mode = th_device_mode(&device);
    must(mode == TH_MODE_CONFIG || mode == TH_MODE_MQTT || mode == TH_MODE_SAFE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (board.clock.ops == NULL) {
        set_board();
        enrol();
    }
    if (size == 0)
        return 0;
    sim_flash_init(&flash, (struct th_flash_geometry){FLASH, ERASE, 4}, cells, weak, 1);
    memcpy(cells, enrolled, FLASH);
    now = chance = (uint32_t)data[0] << 24;
    reason = (enum th_reset_reason)(data[0] % 5);
    for (size_t at = 1; at + 3 <= size;) {
        size_t len = (size_t)(data[at + 1] | data[at + 2] << 8);

        if (len > size - at - 3)
            len = size - at - 3;
        put(data[at] % 10, th_span_of(data + at + 3, len));
        at += 3 + len;
    }
    start();
    run();
    reason = TH_RESET_POWER_ON;
    start();
    run();
    return 0;
}

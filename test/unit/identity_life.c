/* SPDX-License-Identifier: MIT */
#include "identity_life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/crc.h>

#define LOG_KEPT 2u /* bit of kind 1 */

const struct th_flash_map life_map = {
    "test",
    LIFE_FLASH,
    512,
    {
        [TH_FLASH_BOOT_0] = {0x0000, 512, 0},
        [TH_FLASH_BOOT_1] = {0x0200, 512, 0},
        [TH_FLASH_LOG] = {0x0400, 1024, 512},
        [TH_FLASH_FACTORY] = {0x0800, 2048, 1024},
        [TH_FLASH_IDENTITY] = {0x1000, 4096, 2048},
        [TH_FLASH_SLOT_A] = {0x2000, 0x1000, 0},
        [TH_FLASH_SLOT_B] = {0x3000, 0x1000, 0},
        [TH_FLASH_COPROC_NEW] = {0x4000, 0x1000, 0},
        [TH_FLASH_COPROC_GOOD] = {0x5000, 0x1000, 0},
    },
};
static const struct th_crypto crypto = {&th_crypto_openssl, NULL};

struct life_world life_world;

/* ---- the board ---- */

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        uint32_t x = (++life_world.drawn + 99) * 2654435761u;
        into[i] = (uint8_t)((x ^ x >> 15) * 0x2C1B3C6Du >> 24);
    }
    return true;
}

static bool rtc_read(void *ctx, uint8_t into[TH_RTC_BYTES])
{
    (void)ctx;
    memcpy(into, life_world.rtc, TH_RTC_BYTES);
    return true;
}

static bool rtc_write(void *ctx, const uint8_t from[TH_RTC_BYTES])
{
    (void)ctx;
    if (!life_world.flash.dead)
        memcpy(life_world.rtc, from, TH_RTC_BYTES);
    return !life_world.flash.dead;
}

static const struct th_entropy_ops entropy_ops = {fill};
static const struct th_rtc_ops rtc_ops = {rtc_read, rtc_write};
const struct th_board life_board = {
    .entropy = {&entropy_ops, NULL},
    .flash = {&sim_flash_ops, &life_world.flash},
    .rtc = {&rtc_ops, NULL},
};

const struct th_reset life_reset = {&life_world.identity, &life_world.factory, &life_world.log,
                                    LOG_KEPT, &life_board};

/* What a device does first. */
enum th_error life_start(uint32_t seed)
{
    sim_flash_power_on(&life_world.flash, seed);
    enum th_error error = th_identity_open(&life_world.identity, &life_board, &life_map, seed);
    if (error == TH_OK)
        error = th_factory_open(&life_world.factory, &life_board, &life_map, seed * 3);
    if (error == TH_OK)
        error = th_log_mount(&life_world.log, &sim_flash_ops, &life_world.flash,
                             th_flash_map_region(&life_map, TH_FLASH_LOG), seed * 5);
    return error ? error : th_reset_finish(&life_reset);
}

/* ---- a device's life ---- */

const char life_code_one[] = "0123456789ABCDEF", life_code_two[] = "ZYXWVTSRQPNMKJHG";
const char life_password[] = "the password of the wireless network";
const char life_session_one[] = "a session's master secret, the first one";
const char life_session_two[] = "another session's master secret, later";

/* Certificates are bytes like any other to this module, but for their form. */
static struct th_span chain(uint8_t version)
{
    static uint8_t bytes[150];

    memset(bytes, version, sizeof bytes);
    memcpy(bytes, (const uint8_t[]){0x30, 0x81, 147}, 3);
    return th_span_of(bytes, sizeof bytes);
}

static struct th_span trust(uint8_t version)
{
    static uint8_t bytes[300];

    memset(bytes, version, sizeof bytes);
    return th_span_of(bytes, sizeof bytes);
}

static enum th_error code_one_set(void)
{
    return th_factory_code_set(&life_world.factory, life_code_one);
}

static enum th_error code_two_set(void)
{
    return th_factory_code_set(&life_world.factory, life_code_two);
}

static enum th_error birth_key(void)
{
    return th_factory_key_make(&life_world.factory, &crypto, &life_board);
}

static enum th_error birth_chain(void)
{
    return th_factory_certify(&life_world.factory, chain(1));
}

static enum th_error calibration(void)
{
    return th_factory_calibration_put(&life_world.factory, TH_SPAN("3 mV per step"));
}

static enum th_error settings(void)
{
    return th_log_write(&life_world.log, 0, th_span_str(life_password));
}

static enum th_error counters(void)
{
    return th_log_write(&life_world.log, 1, TH_SPAN("17 starts"));
}

enum th_error life_request(void)
{
    return th_identity_next_make(&life_world.identity, &crypto, &life_board, TH_SPAN("lamp"));
}

static enum th_error request_gone(void)
{
    return th_identity_next_drop(&life_world.identity);
}

static enum th_error enrol(void)
{
    return th_identity_enrol(&life_world.identity, chain(2), trust(1));
}

static enum th_error half_enrol(void)
{
    return th_identity_next_certify(&life_world.identity, chain(2));
}

enum th_error life_session_first(void)
{
    memset(life_world.rtc, 0x5A, sizeof life_world.rtc);
    return th_identity_session_put(&life_world.identity, th_span_str(life_session_one));
}

enum th_error life_session_second(void)
{
    return th_identity_session_put(&life_world.identity, th_span_str(life_session_two));
}

static enum th_error session_none(void)
{
    return th_identity_session_put(&life_world.identity, th_span_of(NULL, 0));
}

static enum th_error renewed(void)
{
    return th_identity_next_certify(&life_world.identity, chain(3));
}

enum th_error life_promote(void)
{
    return th_identity_promote(&life_world.identity);
}

enum th_error life_candidate(void)
{
    return th_identity_trust_put(&life_world.identity, trust(2));
}

static enum th_error candidate_again(void)
{
    return th_identity_trust_put(&life_world.identity, trust(3));
}

static enum th_error candidate_gone(void)
{
    return th_identity_trust_drop(&life_world.identity);
}

enum th_error life_trust_promote(void)
{
    return th_identity_trust_promote(&life_world.identity);
}

static enum th_error factory_reset(void)
{
    enum th_error error = th_reset_begin(&life_world.identity, TH_RESET_FACTORY);

    return error ? error : th_reset_finish(&life_reset);
}

static enum th_error decommission(void)
{
    enum th_error error = th_reset_begin(&life_world.identity, TH_RESET_DECOMMISSION);

    return error ? error : th_reset_finish(&life_reset);
}

const struct life_step life_steps[LIFE_STEPS] = {
    {"set-up code", code_one_set, NULL},
    {"birth key", birth_key, NULL},
    {"birth certificate", birth_chain, NULL},
    {"calibration", calibration, NULL},
    {"settings", settings, NULL},
    {"counters", counters, NULL},
    {"request", life_request, NULL},
    {"another request", life_request, request_gone},
    {"enrolment", enrol, half_enrol},
    {"session", life_session_first, NULL},
    {"renewal begins", life_request, NULL},
    {"renewal is given up", request_gone, NULL},
    {"renewal begins again", life_request, NULL},
    {"renewal is signed", renewed, NULL},
    {"another session", life_session_second, NULL},
    {"renewal holds", life_promote, NULL},
    {"session of the new one", life_session_first, NULL},
    {"session forgotten", session_none, NULL},
    {"trust candidate", life_candidate, NULL},
    {"another candidate", candidate_again, candidate_gone},
    {"trust holds", life_trust_promote, NULL},
    {"session under it", life_session_second, NULL},
    {"another set-up code", code_two_set, NULL},
    {"factory reset", factory_reset, NULL},
    {"request of the next owner", life_request, NULL},
    {"settings of the next owner", settings, NULL},
    {"decommissioning", decommission, NULL},
};

/* ---- what can be seen of it ---- */

static void see_credential(struct life_view *view, int at, enum th_error error,
                           const struct th_credential *credential)
{
    if (error == TH_ERR_BAD_STATE)
        return;
    assert_int_equal(error, TH_OK);
    memcpy(view->keys[at], credential->key, sizeof credential->key);
    for (uint8_t i = 0; i < credential->chain_count; i++)
        view->chains[at] =
            th_crc32(view->chains[at], credential->chain[i].at, credential->chain[i].len);
}

static uint32_t see_log(uint8_t kind)
{
    uint8_t bytes[512];
    size_t len = th_log_read(&life_world.log, kind, 0, bytes, sizeof bytes);

    return th_crc32((uint32_t)len, bytes, len);
}

void life_see(struct life_view *view)
{
    uint8_t bytes[TH_CHAIN_MAX];
    struct th_credential credential;

    memset(view, 0, sizeof *view);
    th_identity_report(&life_world.identity, &view->report);
    for (int i = 0; i < 2; i++) {
        enum th_identity_place place = i ? TH_NEXT : TH_IN_FORCE;
        enum th_error error =
            th_identity_load(&life_world.identity, place, bytes, sizeof bytes, &credential);

        see_credential(view, i, error, &credential);
        size_t len = th_identity_trust_read(&life_world.identity, place, 0, bytes, sizeof bytes);
        view->trusts[i] = th_crc32((uint32_t)len, bytes, len);
    }
    see_credential(view, 2,
                   th_factory_idevid(&life_world.factory, bytes, sizeof bytes, &credential),
                   &credential);
    size_t len = th_identity_session(&life_world.identity, bytes, sizeof bytes);
    view->session = th_crc32((uint32_t)len, bytes, len);
    len = th_factory_calibration(&life_world.factory, bytes, sizeof bytes);
    view->calibration = th_crc32((uint32_t)len, bytes, len);
    th_factory_code(&life_world.factory, view->code);
    view->settings = see_log(0);
    view->counters = see_log(1);
    /* RTC memory belongs to a start, not to the flash: a step that only writes it has no middle. */
    view->rtc = life_world.rtc[0] == 0x5A;
}

bool life_same(const struct life_view *a, const struct life_view *b)
{
    struct life_view left = *a, right = *b;

    left.rtc = right.rtc = 0;
    return memcmp(&left, &right, sizeof left) == 0;
}

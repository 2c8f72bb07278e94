/* SPDX-License-Identifier: MIT */
/*
 * R5: the flash fails with power on: each read, and each program or erase, fails once, and from
 * that place on for ever. Whatever was promised is there after the next start of a flash that works
 * again; what was refused is there or not. Buffers of each size are kept to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/settings.h>
#include <thimble/trial.h>

#include "ports/sim/flash.h"

#define UNIT  512u
#define KINDS 3
#define STEPS 20

static uint8_t cells[2 * UNIT], weak[2 * UNIT];
static struct sim_flash flash;
static struct th_log log_;

/* What a record may be: the version promised last, or any that was refused since, up to this one.
 */
struct promise {
    uint8_t version, refused;
};

static struct promise promises[KINDS];

struct fault {
    bool reads; /* else programs and erases */
    bool for_ever;
    uint32_t at;
};

static void arm(struct fault fault)
{
    uint32_t to = fault.for_ever ? UINT32_MAX : fault.at + 1;

    if (fault.reads) {
        flash.fail_reads_from = fault.at;
        flash.fail_reads_to = to;
    } else {
        flash.fail_from = fault.at;
        flash.fail_to = to;
    }
}

static bool was_hit(struct fault fault)
{
    return (fault.reads ? flash.reads : flash.operation) > fault.at;
}

static enum th_error mount(void)
{
    const struct th_log_region region = {0, 2, 1};

    return th_log_mount(&log_, &sim_flash_ops, &flash, region, 7);
}

static struct th_span record_of(unsigned kind, uint8_t version, uint8_t *into)
{
    memset(into, (int)(version << 2 | kind), 64);
    return th_span_of(into, version ? 5u + version * 7u % 40u : 0);
}

static bool holds(unsigned kind, uint8_t version)
{
    uint8_t expected[64], found[64] = {0};
    struct th_span wanted = record_of(kind, version, expected);

    return th_log_len(&log_, (uint8_t)kind) == wanted.len &&
           th_log_read(&log_, (uint8_t)kind, 0, found, sizeof found) == wanted.len &&
           (wanted.len == 0 || memcmp(found, expected, wanted.len) == 0);
}

static void check_promises(const char *id)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        bool found = false;

        for (uint8_t v = promises[kind].version; v <= promises[kind].refused; v++)
            found = found || holds(kind, v);
        if (!found)
            fail_msg("%s: kind %u is neither what was promised nor what was refused", id, kind);
    }
}

static void write_all(bool must, const char *id)
{
    for (unsigned step = 0; step < STEPS; step++) {
        struct promise *promise = &promises[step % KINDS];
        uint8_t bytes[64], version = (uint8_t)(step / KINDS + 1);
        enum th_error error =
            th_log_write(&log_, (uint8_t)(step % KINDS), record_of(step % KINDS, version, bytes));

        if (error == TH_OK)
            *promise = (struct promise){version, version};
        else if (error == TH_ERR_STORE && !must)
            promise->refused = version;
        else
            fail_msg("%s: error %d in step %u", id, error, step);
    }
}

/* False when the fault was never met. */
static bool log_with(struct fault fault)
{
    char id[64];

    snprintf(id, sizeof id, "%s %u fails%s", fault.reads ? "read" : "write", fault.at,
             fault.for_ever ? " and all after it" : "");
    memset(promises, 0, sizeof promises);
    sim_flash_init(&flash, (struct th_flash_geometry){2 * UNIT, UNIT, 4}, cells, weak, 1);
    arm(fault);
    enum th_error error = mount();
    if (error == TH_OK)
        write_all(false, id);
    else
        assert_int_equal(error, TH_ERR_STORE);
    bool hit = was_hit(fault);
    for (uint32_t i = 0; i < 2; i++) {
        sim_flash_power_on(&flash, i);
        if (mount() != TH_OK)
            fail_msg("%s: it does not start afterwards", id);
        check_promises(id);
    }
    write_all(true, id);
    return hit;
}

static void the_log_keeps_what_it_promised_over_each_failure(void **state)
{
    (void)state;
    unsigned cases = 0;

    for (int variant = 0; variant < 4; variant++) {
        struct fault fault = {.reads = variant & 1, .for_ever = variant >> 1};

        for (; log_with(fault); fault.at++)
            cases++;
    }
    print_message("%u failures\n", cases);
    assert_true(cases > 400);
}

/* ---- a trial ---- */

#define TRIAL 2

/* From begin to an end; every call may fail, and is made again after a start that works. */
static bool trial_with(struct fault fault, bool keep)
{
    static const struct th_trial_plan plan = {.component = TH_TRIAL_TRUST, .attempts = 1};
    const struct th_failure lost = th_failure_of(TH_ERR_TRUST_PIN);
    struct th_trial trial;
    enum th_trial_order order;
    bool hit = false;

    sim_flash_init(&flash, (struct th_flash_geometry){2 * UNIT, UNIT, 4}, cells, weak, 1);
    assert_int_equal(mount(), TH_OK);
    th_trial_load(&trial, &log_, TRIAL, false);
    sim_flash_power_on(&flash, 1);
    arm(fault);
    enum th_error error = th_trial_begin(&trial, &plan);
    if (error == TH_OK && !keep)
        th_trial_failed(&trial, &lost);
    order = error == TH_OK ? th_trial_proved(&trial) : TH_TRIAL_GO_ON;
    if (order == TH_TRIAL_KEEP || order == TH_TRIAL_REVERT)
        th_trial_done(&trial);
    hit = was_hit(fault);
    sim_flash_power_on(&flash, 2);
    assert_int_equal(mount(), TH_OK);
    order = th_trial_load(&trial, &log_, TRIAL, false);
    /* In which set it had come to its proof is known to nobody else: so it is proved once more. */
    if (order == TH_TRIAL_USE_NEW || order == TH_TRIAL_USE_OLD)
        order = th_trial_proved(&trial);
    if (order != TH_TRIAL_GO_ON)
        assert_int_equal(th_trial_done(&trial), TH_OK);
    assert_int_equal(th_trial_load(&trial, &log_, TRIAL, false), TH_TRIAL_GO_ON);
    return hit;
}

static void a_trial_comes_to_its_end_over_each_failure(void **state)
{
    (void)state;
    for (int variant = 0; variant < 8; variant++) {
        struct fault fault = {.reads = variant & 1, .for_ever = variant >> 1 & 1};

        while (trial_with(fault, variant >> 2))
            fault.at++;
        assert_true(fault.at > 8);
    }
}

/* ---- settings ---- */

static const struct th_settings settings = {&log_, 1};

static enum th_error put(const char *name, const char *value, uint8_t *buffer, size_t room)
{
    const struct th_setting *setting = th_setting_find(th_span_str(name));
    struct th_settings_change change;
    const char *why;
    enum th_error error = th_settings_begin(&change, &settings, buffer, room);

    if (error == TH_OK)
        error = th_settings_put(&change, setting, th_span_str(value), &why);
    if (error != TH_OK) {
        th_settings_drop(&change);
        return error;
    }
    return th_settings_commit(&change, &settings);
}

static bool settings_with(struct fault fault)
{
    uint8_t buffer[64];
    char value[TH_SETTING_VALUE_MAX + 1];
    const struct th_setting *level = th_setting_find(TH_SPAN("log.level"));

    sim_flash_init(&flash, (struct th_flash_geometry){2 * UNIT, UNIT, 4}, cells, weak, 1);
    assert_int_equal(mount(), TH_OK);
    assert_int_equal(put("log.level", "debug", buffer, sizeof buffer), TH_OK);
    sim_flash_power_on(&flash, 1);
    arm(fault);
    enum th_error error = put("log.level", "warn", buffer, sizeof buffer);
    bool hit = was_hit(fault);
    assert_true(error == TH_OK || error == TH_ERR_STORE);
    sim_flash_power_on(&flash, 2);
    assert_int_equal(mount(), TH_OK);
    th_settings_get(&settings, level, value);
    assert_true(strcmp(value, "warn") == 0 || (error && strcmp(value, "debug") == 0));
    return hit;
}

/* R1 */
static void a_commit_over_each_failure_is_the_old_set_or_the_new_one(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        struct fault fault = {.reads = variant & 1, .for_ever = variant >> 1};

        while (settings_with(fault))
            fault.at++;
        assert_true(fault.at > 2);
    }
}

static void a_buffer_of_each_size_is_kept_to(void **state)
{
    (void)state;
    uint8_t whole[64];

    sim_flash_init(&flash, (struct th_flash_geometry){2 * UNIT, UNIT, 4}, cells, weak, 1);
    assert_int_equal(mount(), TH_OK);
    assert_int_equal(put("wifi.sta.ssid", "garden", whole, sizeof whole), TH_OK);
    bool fitted = false;
    for (size_t room = 0; room <= 40; room++) {
        uint8_t *exact = malloc(room ? room : 1); /* a sanitiser sees what goes beyond */
        enum th_error error = put("log.level", fitted ? "warn" : "debug", exact, room);

        assert_true(error == TH_OK || (error == TH_ERR_TOO_LARGE && !fitted));
        fitted = error == TH_OK;
        free(exact);
    }
    assert_true(fitted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_keeps_what_it_promised_over_each_failure),
        cmocka_unit_test(a_trial_comes_to_its_end_over_each_failure),
        cmocka_unit_test(a_commit_over_each_failure_is_the_old_set_or_the_new_one),
        cmocka_unit_test(a_buffer_of_each_size_is_kept_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

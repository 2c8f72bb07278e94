/* SPDX-License-Identifier: MIT */
/*
 * I1 I5 I9 T11 R1: factory area and identity under power cuts. A device's life from its making to
 * its decommissioning is run; in each of its steps power is cut at each flash operation, under each
 * tear. After the next start the device is where it was before the step or where the step leads,
 * stays there over further starts, and can go on; and no secret that is not in force any more is
 * anywhere on the flash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/crc.h>

#include "identity_life.h"

/* ---- secrets ---- */

struct secret {
    uint8_t bytes[TH_P256_SECRET];
    size_t len;
    const char *name;
};

static struct secret secrets[16];
static size_t secret_count;

static void remember(const void *bytes, size_t len, const char *name)
{
    for (size_t i = 0; i < secret_count; i++) {
        if (secrets[i].len == len && memcmp(secrets[i].bytes, bytes, len) == 0)
            return;
    }
    assert_true(secret_count < 16 && len <= TH_P256_SECRET);
    memcpy(secrets[secret_count].bytes, bytes, len);
    secrets[secret_count].len = len;
    secrets[secret_count++].name = name;
}

#define KEY_AT 7 /* of the secret in a SEC1 key */

static void remember_keys(const struct life_view *view)
{
    static const char *const names[] = {"an LDevID", "a next LDevID", "the IDevID"};

    for (int i = 0; i < 3; i++) {
        if (view->keys[i][0] != 0)
            remember(view->keys[i] + KEY_AT, TH_P256_SECRET, names[i]);
    }
}

static bool visible(const struct life_view *view, const struct secret *secret)
{
    for (int i = 0; i < 3; i++) {
        if (memcmp(view->keys[i] + KEY_AT, secret->bytes, TH_P256_SECRET) == 0)
            return true;
    }
    if (secret->len == TH_SETUP_CODE)
        return memcmp(view->code, secret->bytes, TH_SETUP_CODE) == 0;
    return false;
}

static bool on_flash(const struct secret *secret)
{
    return memmem(life_world.cells, LIFE_FLASH, secret->bytes, secret->len) != NULL;
}

static bool contains(const char *text)
{
    struct secret secret = {.len = 24};

    memcpy(secret.bytes, text, secret.len);
    return on_flash(&secret);
}

static struct life_view before, middle, after;
static bool has_middle;

/* Keys and set-up codes are there only while they can be used, or where a step that was cut has
 * begun to write them; a session may be superseded in
 * place by one of the same identity, but not outlive it. */
static void no_dead_secret(const struct life_view *view, const char *id)
{
    for (size_t i = 0; i < secret_count; i++) {
        if (!visible(view, &secrets[i]) && !visible(&after, &secrets[i]) && on_flash(&secrets[i]))
            fail_msg("%s: %s that is no longer in use is still on the flash", id, secrets[i].name);
    }
    if (!view->report.session && !after.report.session &&
        (contains(life_session_one) || contains(life_session_two)))
        fail_msg("%s: a session that was forgotten is still on the flash", id);
}

/* ---- cuts ---- */

static void save(struct life_world *into)
{
    *into = life_world;
}

static void restore(const struct life_world *from)
{
    life_world = *from;
}

/* Runs the step without a cut, twice: for what it leads to, and for its middle. */
static void look_ahead(const struct life_step *step, const struct life_world *begin,
                       struct life_world *end)
{
    restore(begin);
    life_see(&before);
    if (step->run() != TH_OK)
        fail_msg("%s cannot be done", step->name);
    assert_int_equal(life_start(7), TH_OK);
    life_see(&after);
    if (life_same(&before, &after) && step->run != life_session_first)
        fail_msg("%s changes nothing", step->name);
    remember_keys(&after);
    no_dead_secret(&after, step->name);
    save(end);
    has_middle = step->middle != NULL;
    if (has_middle) {
        restore(begin);
        assert_int_equal(step->middle(), TH_OK);
        assert_int_equal(life_start(7), TH_OK);
        life_see(&middle);
    }
}

static void stays_where_it_is(struct life_view *found, uint32_t seed, const char *id)
{
    struct life_view again;

    for (uint32_t i = 1; i < 3; i++) {
        if (life_start(seed + i * 7919))
            fail_msg("%s: it does not start again", id);
        life_see(&again);
        if (!life_same(found, &again))
            fail_msg("%s: a later start finds another state", id);
    }
}

/* After a cut somewhere in the step, and perhaps another in the start that followed. */
static void recover(const struct life_step *step, uint32_t drawn, uint32_t seed, const char *id)
{
    struct life_view found;

    if (life_start(seed))
        fail_msg("%s: it does not start", id);
    life_see(&found);
    bool done = life_same(&found, &after);
    if (!done && !life_same(&found, &before) && !(has_middle && life_same(&found, &middle)))
        fail_msg("%s: neither the old state nor the new one", id);
    no_dead_secret(&found, id);
    stays_where_it_is(&found, seed, id);
    if (!done) {
        life_world.drawn = drawn;
        if (step->run() != TH_OK)
            fail_msg("%s: it cannot be done afterwards", id);
        assert_int_equal(life_start(seed + 1), TH_OK);
        life_see(&found);
        if (!life_same(&found, &after))
            fail_msg("%s: done again, it leads elsewhere", id);
    }
    no_dead_secret(&found, id);
}

/* False when the step needs fewer operations. */
static bool cut_step(const struct life_step *step, const struct life_world *begin, uint32_t at,
                     enum sim_tear tear)
{
    restore(begin);
    sim_flash_power_on(&life_world.flash, begin->flash.seed);
    sim_flash_cut(&life_world.flash, at, tear);
    step->run();
    return life_world.flash.dead;
}

/* Otherwise one pair of cuts in four. */
static bool full_test(void)
{
    const char *mode = getenv("THIMBLE_TEST_MODE");

    return mode != NULL && strcmp(mode, "full") == 0;
}

static unsigned cut_everywhere(const struct life_step *step, const struct life_world *begin,
                               int tear, bool twice)
{
    unsigned cases = 0;
    uint32_t stride = twice && !full_test() ? 4 : 1;

    for (uint32_t at = 0; cut_step(step, begin, at, (enum sim_tear)tear); at += stride) {
        char id[128];
        uint32_t second = at * 5 % 9;
        int tear_two = (int)(at + (uint32_t)tear * 3) % SIM_TEAR_KINDS;

        snprintf(id, sizeof id, "%s, tear %d at %u%s", step->name, tear, at,
                 twice ? ", and again" : "");
        if (twice) {
            sim_flash_power_on(&life_world.flash, at + 31);
            sim_flash_cut(&life_world.flash, second, (enum sim_tear)tear_two);
            if (th_identity_open(&life_world.identity, &life_board, &life_map, at) == TH_OK &&
                th_factory_open(&life_world.factory, &life_board, &life_map, at) == TH_OK &&
                th_log_mount(&life_world.log, &sim_flash_ops, &life_world.flash,
                             th_flash_map_region(&life_map, TH_FLASH_LOG), at) == TH_OK &&
                th_reset_finish(&life_reset) == TH_OK && !life_world.flash.dead) {
                life_world.drawn = begin->drawn;
                step->run();
            }
        }
        recover(step, begin->drawn, at + 1000, id);
        cases++;
    }
    return cases;
}

static void begin_life(void)
{
    memset(&life_world, 0, sizeof life_world);
    sim_flash_init(&life_world.flash, (struct th_flash_geometry){LIFE_FLASH, 512, 4},
                   life_world.cells, life_world.weak, 1);
    assert_int_equal(life_start(1), TH_OK);
    secret_count = 0;
    memset(&after, 0, sizeof after);
    remember(life_code_one, TH_SETUP_CODE, "a set-up code");
    remember(life_code_two, TH_SETUP_CODE, "another set-up code");
}

static void live_with_cuts(bool twice)
{
    static struct life_world begin, end;
    unsigned cases = 0;

    begin_life();
    save(&end);
    for (size_t i = 0; i < LIFE_STEPS; i++) {
        begin = end;
        look_ahead(&life_steps[i], &begin, &end);
        for (int tear = 0; tear < SIM_TEAR_KINDS; tear++)
            cases += cut_everywhere(&life_steps[i], &begin, tear, twice);
    }
    print_message("%u cuts\n", cases);
}

static void a_cut_anywhere_leaves_the_old_state_or_the_new(void **state)
{
    (void)state;
    live_with_cuts(false);
}

static void so_does_a_second_cut_in_the_start_after_it(void **state)
{
    (void)state;
    live_with_cuts(true);
}

/* I9 */
static void live_until(const char *name)
{
    begin_life();
    for (size_t i = 0; i < LIFE_STEPS; i++) {
        struct life_view view;

        assert_int_equal(life_steps[i].run(), TH_OK);
        life_see(&view);
        remember_keys(&view);
        if (strcmp(life_steps[i].name, name) == 0)
            return;
    }
    fail_msg("no step of that name");
}

static void a_factory_reset_leaves_the_birth_key_and_the_set_up_code(void **state)
{
    (void)state;
    struct life_view view;

    live_until("factory reset");
    life_see(&view);
    assert_false(view.report.enrolled || view.report.requested || view.report.trusts ||
                 view.report.session);
    assert_int_equal(view.rtc, 0);
    assert_string_equal(view.code, life_code_two);
    assert_true(view.keys[2][0] != 0);
    assert_false(contains(life_password));
    no_dead_secret(&view, "after the reset");
    assert_int_equal(view.counters, th_crc32(9, "17 starts", 9));
}

/* T10 T11 */
static void a_new_identity_or_trust_set_takes_the_stored_session_away(void **state)
{
    (void)state;
    static const struct {
        const char *until;
        enum th_error (*change)(void);
    } cases[] = {{"renewal is signed", life_promote}, {"another candidate", life_trust_promote}};

    for (size_t i = 0; i < 2; i++) {
        struct life_view view;

        live_until(cases[i].until);
        assert_int_equal(life_session_second(), TH_OK);
        assert_true(contains(life_session_two));
        assert_int_equal(cases[i].change(), TH_OK);
        life_see(&view);
        assert_false(view.report.session);
        assert_false(contains(life_session_one) || contains(life_session_two));
    }
}

static void decommissioning_leaves_no_secret(void **state)
{
    (void)state;
    struct life_view view;

    live_until("decommissioning");
    life_see(&view);
    assert_string_equal(view.code, "");
    assert_int_equal(view.keys[2][0], 0);
    assert_false(contains(life_password));
    for (size_t i = 0; i < secret_count; i++) {
        if (on_flash(&secrets[i]))
            fail_msg("%s is still on the flash", secrets[i].name);
    }
    assert_true(secret_count >= 6);
    assert_int_equal(view.calibration, th_crc32(13, "3 mV per step", 13));
}

/* A reset that was begun is due whatever else is asked for meanwhile. */
static void a_reset_that_was_begun_is_finished_before_anything_else(void **state)
{
    (void)state;
    struct life_view view;
    uint8_t bytes[64];

    live_until("another set-up code");
    assert_int_equal(th_reset_begin(&life_world.identity, TH_RESET_DECOMMISSION), TH_OK);
    assert_int_equal(th_reset_pending(&life_world.identity), TH_RESET_DECOMMISSION);
    assert_int_equal(life_request(), TH_ERR_BAD_STATE);
    assert_int_equal(life_candidate(), TH_ERR_BAD_STATE);
    assert_int_equal(life_session_first(), TH_ERR_BAD_STATE);
    assert_int_equal(th_identity_session(&life_world.identity, bytes, sizeof bytes), 0);
    assert_int_equal(th_reset_begin(&life_world.identity, TH_RESET_FACTORY), TH_OK);
    assert_int_equal(th_reset_pending(&life_world.identity), TH_RESET_DECOMMISSION);
    assert_int_equal(life_start(5), TH_OK);
    assert_int_equal(th_reset_pending(&life_world.identity), TH_RESET_NOTHING);
    life_see(&view);
    assert_string_equal(view.code, "");
}

/* R5: the flash refuses the nth operation, or all from there on, with power on. */
static void failing_flash_is_reported_and_loses_nothing(void **state)
{
    (void)state;
    static struct life_world begin, end;

    begin_life();
    save(&end);
    for (size_t i = 0; i < LIFE_STEPS; i++) {
        begin = end;
        look_ahead(&life_steps[i], &begin, &end);
        for (int ever = 0; ever < 2; ever++) {
            for (uint32_t at = 0;; at += 3) {
                char id[64];

                restore(&begin);
                sim_flash_power_on(&life_world.flash, at);
                life_world.flash.fail_from = at;
                life_world.flash.fail_to = ever ? UINT32_MAX : at + 1;
                enum th_error error = life_steps[i].run();
                if (life_world.flash.operation <= at)
                    break;
                snprintf(id, sizeof id, "%s, failure at %u %d", life_steps[i].name, at, ever);
                if (error != TH_OK && error != TH_ERR_STORE)
                    fail_msg("%s: error %d", id, error);
                recover(&life_steps[i], begin.drawn, at, id);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_anywhere_leaves_the_old_state_or_the_new),
        cmocka_unit_test(so_does_a_second_cut_in_the_start_after_it),
        cmocka_unit_test(a_factory_reset_leaves_the_birth_key_and_the_set_up_code),
        cmocka_unit_test(a_new_identity_or_trust_set_takes_the_stored_session_away),
        cmocka_unit_test(decommissioning_leaves_no_secret),
        cmocka_unit_test(a_reset_that_was_begun_is_finished_before_anything_else),
        cmocka_unit_test(failing_flash_is_reported_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

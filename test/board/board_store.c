/* SPDX-License-Identifier: MIT */
#include "board_store.h"

#include <thimble/settings.h>
#include <thimble/trial.h>

#include "store_check.h"

struct store {
    struct th_log log;
    struct th_trial trial;
    uint8_t work[TH_SETTINGS_MAX];
};

static struct store store;

static uint32_t value_in(uint8_t kind)
{
    const struct th_settings settings = {&store.log, kind};

    return (uint32_t)th_settings_number(&settings, th_setting_find(TH_SPAN(STORE_COUNTER)));
}

static enum th_error put_value(uint8_t to, uint32_t value)
{
    const struct th_settings in_force = {&store.log, STORE_IN_FORCE}, target = {&store.log, to};
    struct th_settings_change change;
    char digits[10];
    size_t at = sizeof digits;
    const char *why;
    enum th_error error = th_settings_begin(&change, &in_force, store.work, sizeof store.work);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    if (error == TH_OK)
        error = th_settings_put(&change, th_setting_find(TH_SPAN(STORE_COUNTER)),
                                th_span_of(digits + at, sizeof digits - at), &why);
    return error ? error : th_settings_commit(&change, &target);
}

/* Keeping and throwing away, so that each step may be done twice. */
static enum th_error carry_out(enum th_trial_order order)
{
    enum th_error error = TH_OK;

    if (order == TH_TRIAL_KEEP)
        error = put_value(STORE_IN_FORCE, value_in(STORE_NEXT));
    if (error == TH_OK)
        error = th_trial_done(&store.trial);
    return error ? error : th_log_write(&store.log, STORE_NEXT, th_span_of(NULL, 0));
}

/* One trial to its end, from wherever the last power cut has left it. */
static enum th_error finish(enum th_trial_order order)
{
    if (order == TH_TRIAL_USE_NEW || order == TH_TRIAL_USE_OLD)
        order = th_trial_proved(&store.trial);
    return order == TH_TRIAL_KEEP || order == TH_TRIAL_REVERT ? carry_out(order) : TH_OK;
}

/* Of two trials the first is kept, the second taken back. */
static enum th_error change_on_trial(uint32_t value)
{
    static const struct th_trial_plan plan = {.component = TH_TRIAL_SETTINGS, .attempts = 1};
    const struct th_failure lost = th_failure_of(TH_ERR_TCP_TIMEOUT);
    enum th_error error = put_value(STORE_NEXT, value);
    enum th_trial_order order = TH_TRIAL_USE_NEW;

    if (error == TH_OK)
        error = th_trial_begin(&store.trial, &plan);
    if (error != TH_OK)
        return error;
    if (value % 2)
        order = th_trial_failed(&store.trial, &lost);
    return finish(order);
}

static int fault(void (*say)(const char *word, unsigned number), enum th_error error)
{
    say("fault", error);
    return 1;
}

int board_store_run(const struct th_board *board, uint32_t nonce,
                    void (*say)(const char *word, unsigned number))
{
    enum th_error error =
        th_log_mount(&store.log, board->flash.ops, board->flash.ctx, STORE_CHECK_REGION, nonce);

    if (error != TH_OK)
        return fault(say, error);
    say("found", value_in(STORE_IN_FORCE));
    error = finish(th_trial_load(&store.trial, &store.log, STORE_TRIAL, false));
    while (error == TH_OK) {
        uint32_t value = value_in(STORE_IN_FORCE);

        say("stored", value);
        if (value % 3 == 0)
            error = change_on_trial(value + 1);
        if (error == TH_OK && value_in(STORE_IN_FORCE) == value)
            error = put_value(STORE_IN_FORCE, value + 1);
    }
    return fault(say, error);
}

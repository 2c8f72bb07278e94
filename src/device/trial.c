/* SPDX-License-Identifier: MIT */
/* What the trial engine orders: which set is used, which is kept, which is thrown away. */
#include "device/parts.h"

#define RETRY_STORE_MS 10000

bool th_device_trying(const struct th_device *device)
{
    return th_trial_component(&device->trial) != TH_TRIAL_NOTHING &&
           device->order == TH_TRIAL_GO_ON;
}

void th_device_order(struct th_device *device, enum th_trial_order order, uint32_t in_ms,
                     uint32_t now_ms)
{
    if (order == TH_TRIAL_GO_ON)
        return;
    device->order = (uint8_t)order;
    device->order_at_ms = now_ms + in_ms;
}

/* ---- keeping and throwing away: each step may be done twice, a cut can come between ---- */

static enum th_error keep_settings(struct th_device *device)
{
    struct th_settings next = {&device->log, TH_RECORD_SETTINGS_NEXT};
    struct th_settings in_force = {&device->log, TH_RECORD_SETTINGS};
    struct th_settings_change change;

    if (th_log_len(&device->log, TH_RECORD_SETTINGS_NEXT) == 0)
        return TH_OK;
    enum th_error error =
        th_settings_begin(&change, &next, device->config->work, device->config->work_room);
    if (error != TH_OK)
        return error;
    return th_settings_commit(&change, &in_force);
}

static enum th_error done_before(enum th_error error)
{
    return error == TH_ERR_BAD_STATE ? TH_OK : error;
}

static enum th_error keep(struct th_device *device)
{
    switch (th_trial_component(&device->trial)) {
    case TH_TRIAL_SETTINGS: return keep_settings(device);
    case TH_TRIAL_TRUST: return done_before(th_identity_trust_promote(&device->identity));
    case TH_TRIAL_IDENTITY: return done_before(th_identity_promote(&device->identity));
    case TH_TRIAL_NOTHING:
    case TH_TRIAL_FIRMWARE:
    case TH_TRIAL_COPROC: break;
    }
    return TH_OK;
}

static enum th_error drop(struct th_device *device)
{
    switch (th_trial_component(&device->trial)) {
    case TH_TRIAL_SETTINGS:
        return th_log_len(&device->log, TH_RECORD_SETTINGS_NEXT) == 0
                   ? TH_OK
                   : th_log_write(&device->log, TH_RECORD_SETTINGS_NEXT, th_span_of(NULL, 0));
    case TH_TRIAL_TRUST: return th_identity_trust_drop(&device->identity);
    case TH_TRIAL_IDENTITY: return th_identity_next_drop(&device->identity);
    case TH_TRIAL_NOTHING:
    case TH_TRIAL_FIRMWARE:
    case TH_TRIAL_COPROC: break;
    }
    return TH_OK;
}

static void tell(struct th_device *device, uint32_t now_ms)
{
    char line[TH_HISTORY_TEXT];

    th_history_trial(&device->history, th_trial_last(&device->trial),
                     th_clock_ms(&device->clock, now_ms) / 1000);
    th_history_text(th_history_item(&device->history, 0), line, sizeof line);
    th_device_show(device, line); /* the history tells it to others */
    device->todo |= TODO_HISTORY;
}

void th_device_settle(struct th_device *device, enum th_trial_order order, uint32_t now_ms)
{
    bool settings = th_trial_component(&device->trial) == TH_TRIAL_SETTINGS;
    enum th_error error = order == TH_TRIAL_KEEP ? keep(device) : drop(device);

    if (error == TH_OK)
        error = th_trial_done(&device->trial);
    if (error != TH_OK) {
        th_device_order(device, order, RETRY_STORE_MS, now_ms);
        return;
    }
    device->order = TH_TRIAL_GO_ON;
    /* The candidate of kept settings goes only now: before, a cut would have left it to be kept
     * again. It may hold secrets. */
    if (settings && order == TH_TRIAL_KEEP)
        th_log_write(&device->log, TH_RECORD_SETTINGS_NEXT, th_span_of(NULL, 0));
    if (device->linked) {
        device->link_config.session_room = device->config->session_room;
        device->link_config.times.backoff_first_ms = device->config->backoff_ms;
        device->link_config.times.backoff_max_ms = 0;
    }
    tell(device, now_ms);
}

/* KEEP follows a proof of the new set, REVERT one of the old: what is in use stays in use. */
void th_device_order_step(struct th_device *device, uint32_t now_ms)
{
    enum th_trial_order order = (enum th_trial_order)device->order;

    if (order == TH_TRIAL_GO_ON || !th_time_reached(now_ms, device->order_at_ms))
        return;
    device->order = TH_TRIAL_GO_ON;
    switch (order) {
    case TH_TRIAL_GO_ON: break;
    case TH_TRIAL_USE_NEW:
        th_device_say(device, "trying the new set");
        th_device_enter(device, now_ms);
        break;
    case TH_TRIAL_USE_OLD:
        th_device_log(device, TH_LEVEL_WARN, "the new set fails: back to the old one");
        device->old_since_ms = now_ms;
        th_device_enter(device, now_ms);
        break;
    case TH_TRIAL_KEEP:
    case TH_TRIAL_REVERT: th_device_settle(device, order, now_ms); break;
    }
}

/* ---- evidence ---- */

/* Both sets have failed before: the surroundings are at fault, and the candidate's next turn waits
 * ever longer, up to TH_DEVICE_HOLD_MAX. It bounds the writes, too. */
static uint32_t hold_ms(const struct th_device *device)
{
    uint16_t swaps = th_trial_swaps(&device->trial);

    if (swaps == 0)
        return 0;
    return swaps > 9 ? TH_DEVICE_HOLD_MAX
                     : (TH_DEVICE_HOLD_MS << (swaps - 1) < TH_DEVICE_HOLD_MAX
                            ? TH_DEVICE_HOLD_MS << (swaps - 1)
                            : TH_DEVICE_HOLD_MAX);
}

void th_device_attempt_failed(struct th_device *device, const struct th_failure *failure,
                              uint32_t now_ms)
{
    if (!th_device_trying(device))
        return;
    if (!th_trial_running(&device->trial) &&
        !th_time_reached(now_ms, device->old_since_ms + hold_ms(device)))
        return;
    th_device_order(device, th_trial_failed(&device->trial, failure), 0, now_ms);
}

/* What cannot even be begun with has failed as often as it takes. The old set that cannot be begun
 * with is given its time all the same: two broken sets must not take turns without a pause. */
void th_device_hopeless(struct th_device *device, const struct th_failure *failure, uint32_t now_ms)
{
    enum th_trial_order order = TH_TRIAL_GO_ON;
    bool new = th_trial_running(&device->trial);
    uint32_t wait_ms = new ? 0 : hold_ms(device) + TH_DEVICE_HOLD_MS;

    for (int i = 0; i < UINT8_MAX && order == TH_TRIAL_GO_ON; i++)
        order = th_trial_failed(&device->trial, failure);
    th_device_order(device, order, wait_ms, now_ms);
}

void th_device_proved(struct th_device *device, uint32_t now_ms)
{
    if (th_device_trying(device))
        th_device_order(device, th_trial_proved(&device->trial), 0, now_ms);
}

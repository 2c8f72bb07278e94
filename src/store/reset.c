/* SPDX-License-Identifier: MIT */
/* The identity's index says from the first moment on that a reset is due, and is the last thing to
 * forget it: whatever is cut in between is done again at the next start. */
#include "store/identity.h"
#include "store/kinds.h"

enum th_error th_reset_begin(struct th_identity_store *store, enum th_reset_kind kind)
{
    struct th_identity_store next = {.log = store->log, .duty = (uint8_t)kind};

    if (kind != TH_RESET_FACTORY && kind != TH_RESET_DECOMMISSION)
        return TH_ERR_INVALID;
    if (store->duty > next.duty)
        next.duty = store->duty;
    return identity_commit(store, &next, 0);
}

enum th_reset_kind th_reset_pending(const struct th_identity_store *store)
{
    return (enum th_reset_kind)store->duty;
}

static enum th_error wipe_rtc(const struct th_board *board)
{
    static const uint8_t nothing[TH_RTC_BYTES];

    if (!board || !board->rtc.ops)
        return TH_OK;
    return board->rtc.ops->write(board->rtc.ctx, nothing) ? TH_OK : TH_ERR_STORE;
}

enum th_error th_reset_finish(const struct th_reset *reset)
{
    struct th_identity_store done = {0};
    enum th_error error = TH_OK;

    if (reset->identity->duty == TH_RESET_NOTHING)
        return TH_OK;
    if (reset->log)
        error = th_log_wipe(reset->log, reset->keep);
    if (error == TH_OK)
        error = wipe_rtc(reset->board);
    if (error == TH_OK && reset->identity->duty == TH_RESET_DECOMMISSION)
        error = th_log_wipe(&reset->factory->log, FACTORY_NO_SECRET);
    return error ? error : identity_commit(reset->identity, &done, 0);
}

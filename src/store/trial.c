/* SPDX-License-Identifier: MIT */
#include <thimble/trial.h>

#define RECORD_VERSION 1
#define RECORD_BYTES   16

/* The stored states: the public ones, and the two orders that wait for th_trial_done(). */
enum stored {
    STORED_NONE = TH_TRIAL_NONE,
    STORED_NEW = TH_TRIAL_NEW,
    STORED_OLD = TH_TRIAL_OLD,
    STORED_KEEPING,
    STORED_REVERTING,
};

static bool store(struct th_trial *trial)
{
    uint8_t raw[RECORD_BYTES] = {
        RECORD_VERSION,
        trial->state,
        trial->component,
        trial->attempts,
        trial->crashes,
        trial->crashed,
        (uint8_t)trial->layers,
        (uint8_t)(trial->layers >> 8),
        (uint8_t)trial->swaps,
        (uint8_t)(trial->swaps >> 8),
        (uint8_t)trial->reason,
        trial->report.component,
        (uint8_t)(trial->report.kept | trial->report.crashed << 1),
        (uint8_t)trial->report.reason,
        (uint8_t)trial->report.swaps,
        (uint8_t)(trial->report.swaps >> 8),
    };

    return th_log_write(trial->log, trial->kind, th_span_of(raw, sizeof raw)) == TH_OK;
}

static void unpack(struct th_trial *trial, const uint8_t *raw)
{
    trial->state = raw[1];
    trial->component = raw[2];
    trial->attempts = raw[3];
    trial->crashes = raw[4];
    trial->crashed = raw[5];
    trial->layers = (uint16_t)(raw[6] | raw[7] << 8);
    trial->swaps = (uint16_t)(raw[8] | raw[9] << 8);
    trial->reason = (enum th_error)raw[10];
    trial->report.component = (enum th_trial_component)raw[11];
    trial->report.kept = raw[12] & 1;
    trial->report.crashed = raw[12] >> 1 & 1;
    trial->report.reason = (enum th_error)raw[13];
    trial->report.swaps = (uint16_t)(raw[14] | raw[15] << 8);
}

static enum th_trial_order order_of(const struct th_trial *trial)
{
    switch ((enum stored)trial->state) {
    case STORED_NONE: break;
    case STORED_NEW: return TH_TRIAL_USE_NEW;
    case STORED_OLD: return TH_TRIAL_USE_OLD;
    case STORED_KEEPING: return TH_TRIAL_KEEP;
    case STORED_REVERTING: return TH_TRIAL_REVERT;
    }
    return TH_TRIAL_GO_ON;
}

/* Goes to another state. Where that cannot be stored, the old state goes on: it is decided again.
 */
static enum th_trial_order go(struct th_trial *trial, enum stored state)
{
    uint8_t before = trial->state;

    trial->state = (uint8_t)state;
    if (!store(trial)) {
        trial->state = before;
        return TH_TRIAL_GO_ON;
    }
    trial->failed = 0;
    return order_of(trial);
}

enum th_trial_order th_trial_load(struct th_trial *trial, struct th_log *log, uint8_t kind,
                                  bool crash)
{
    uint8_t raw[RECORD_BYTES];

    memset(trial, 0, sizeof *trial);
    trial->log = log;
    trial->kind = kind;
    size_t len = th_log_read(log, kind, 0, raw, sizeof raw);
    if (len != sizeof raw || raw[0] != RECORD_VERSION || raw[1] > STORED_REVERTING) {
        /* What a newer version was trying is thrown away now; it must not go on when it is back. */
        if (len > 0)
            store(trial);
        return TH_TRIAL_GO_ON;
    }
    unpack(trial, raw);
    if (!crash || trial->state != STORED_NEW)
        return order_of(trial);
    trial->crashed++;
    enum stored next = trial->crashed >= trial->crashes ? STORED_REVERTING : STORED_NEW;
    go(trial, next);
    return order_of(trial);
}

enum th_error th_trial_begin(struct th_trial *trial, const struct th_trial_plan *plan)
{
    if (trial->state != STORED_NONE)
        return TH_ERR_BAD_STATE;
    trial->component = (uint8_t)plan->component;
    trial->layers = plan->layers;
    trial->attempts = plan->attempts ? plan->attempts : TH_TRIAL_ATTEMPTS;
    trial->crashes = plan->crashes ? plan->crashes : TH_TRIAL_CRASHES;
    trial->crashed = 0;
    trial->swaps = 0;
    trial->reason = TH_OK;
    return go(trial, STORED_NEW) == TH_TRIAL_USE_NEW ? TH_OK : TH_ERR_STORE;
}

static bool counts(const struct th_trial *trial, const struct th_failure *failure)
{
    return trial->layers == 0 || (trial->layers >> th_error_layer(failure->error) & 1);
}

/* Against the old set every failure counts: it is only asked whether it still works. */
enum th_trial_order th_trial_failed(struct th_trial *trial, const struct th_failure *failure)
{
    if (trial->state == STORED_NEW && counts(trial, failure)) {
        trial->reason = failure->error;
        if (++trial->failed >= trial->attempts)
            return go(trial, STORED_OLD);
    } else if (trial->state == STORED_OLD && ++trial->failed >= trial->attempts) {
        trial->swaps += trial->swaps < UINT16_MAX;
        return go(trial, STORED_NEW);
    }
    return TH_TRIAL_GO_ON;
}

enum th_trial_order th_trial_proved(struct th_trial *trial)
{
    if (trial->state == STORED_NEW)
        return go(trial, STORED_KEEPING);
    if (trial->state == STORED_OLD)
        return go(trial, STORED_REVERTING);
    return order_of(trial);
}

enum th_error th_trial_done(struct th_trial *trial)
{
    struct th_trial_report before = trial->report;

    if (trial->state != STORED_KEEPING && trial->state != STORED_REVERTING)
        return TH_ERR_BAD_STATE;
    trial->report = (struct th_trial_report){
        .component = (enum th_trial_component)trial->component,
        .kept = trial->state == STORED_KEEPING,
        .crashed = trial->state == STORED_REVERTING && trial->crashed >= trial->crashes,
        .reason = trial->state == STORED_REVERTING ? trial->reason : TH_OK,
        .swaps = trial->swaps,
    };
    uint8_t state = trial->state;
    trial->state = STORED_NONE;
    if (store(trial))
        return TH_OK;
    trial->state = state;
    trial->report = before;
    return TH_ERR_STORE;
}

bool th_trial_running(const struct th_trial *trial)
{
    return trial->state == STORED_NEW;
}

enum th_trial_component th_trial_component(const struct th_trial *trial)
{
    return trial->state == STORED_NONE ? TH_TRIAL_NOTHING
                                       : (enum th_trial_component)trial->component;
}

enum th_trial_state th_trial_state(const struct th_trial *trial)
{
    switch ((enum stored)trial->state) {
    case STORED_NONE: break;
    case STORED_NEW:
    case STORED_KEEPING: return TH_TRIAL_NEW;
    case STORED_OLD:
    case STORED_REVERTING: return TH_TRIAL_OLD;
    }
    return TH_TRIAL_NONE;
}

uint16_t th_trial_swaps(const struct th_trial *trial)
{
    return trial->swaps;
}

const struct th_trial_report *th_trial_last(const struct th_trial *trial)
{
    return &trial->report;
}

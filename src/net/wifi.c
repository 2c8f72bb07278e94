/* SPDX-License-Identifier: MIT */
#include <thimble/time.h>
#include <thimble/wifi.h>

#define POLL_MS    250  /* how soon a change of the radio is seen while joining … */
#define POLL_UP_MS 5000 /* … and while up */

static const struct th_wifi_ops *ops_of(const struct th_wifi *wifi)
{
    return wifi->config->board->wifi.ops;
}

static void *ctx_of(const struct th_wifi *wifi)
{
    return wifi->config->board->wifi.ctx;
}

static bool has_station(const struct th_wifi *wifi)
{
    return wifi->config->network.ssid[0] != '\0';
}

/* Uniform in 0..most, so that a street of devices does not come back at once after a power cut. */
static uint32_t jitter(const struct th_wifi *wifi, uint32_t most)
{
    const struct th_board *board = wifi->config->board;
    uint8_t bytes[2];

    if (!board->entropy.ops->fill(board->entropy.ctx, bytes, sizeof bytes))
        return most;
    uint32_t chance = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
    return (uint32_t)(((uint64_t)chance * (most + 1)) >> 16);
}

/* The time without network begins now. */
static void begin_fall(struct th_wifi *wifi, uint32_t now_ms)
{
    wifi->ap_due = wifi->config->fallback_s > 0;
    wifi->fall_at_ms = now_ms + wifi->config->fallback_s * 1000;
}

void th_wifi_start(struct th_wifi *wifi, const struct th_wifi_config *config, uint32_t now_ms)
{
    *wifi = (struct th_wifi){.config = config, .backoff_ms = TH_WIFI_FIRST_MS, .until_ms = now_ms};
    wifi->state = has_station(wifi) ? TH_WIFI_STATE_WAITING : TH_WIFI_STATE_OFF;
    ops_of(wifi)->leave(ctx_of(wifi));
    ops_of(wifi)->ap_stop(ctx_of(wifi));
    begin_fall(wifi, now_ms);
    if (config->ap_always || !has_station(wifi)) {
        wifi->ap_due = config->ap_always || config->fallback_s > 0;
        wifi->fall_at_ms = now_ms;
    }
}

void th_wifi_stop(struct th_wifi *wifi)
{
    wifi->state = TH_WIFI_STATE_OFF;
    wifi->ap_due = wifi->ap_open = false;
    ops_of(wifi)->leave(ctx_of(wifi));
    ops_of(wifi)->ap_stop(ctx_of(wifi));
}

/* ---- the station ---- */

static bool fail(struct th_wifi *wifi, enum th_error error, uint32_t now_ms,
                 struct th_wifi_event *event)
{
    struct th_failure failure = th_failure_of(error);

    th_failure_name(&failure, th_span_str(wifi->config->network.ssid));
    if (wifi->state == TH_WIFI_STATE_UP)
        begin_fall(wifi, now_ms);
    ops_of(wifi)->leave(ctx_of(wifi));
    uint32_t wait_ms = jitter(wifi, wifi->backoff_ms);
    wifi->backoff_ms =
        wifi->backoff_ms > TH_WIFI_LONGEST_MS / 2 ? TH_WIFI_LONGEST_MS : wifi->backoff_ms * 2;
    wifi->state = TH_WIFI_STATE_WAITING;
    wifi->until_ms = now_ms + wait_ms;
    *event = (struct th_wifi_event){
        .kind = TH_WIFI_EVENT_FAILED, .failure = failure, .retry_ms = wait_ms};
    return true;
}

static bool up(struct th_wifi *wifi, uint32_t now_ms, struct th_wifi_event *event)
{
    wifi->state = TH_WIFI_STATE_UP;
    wifi->until_ms = now_ms + TH_WIFI_LONGEST_MS;
    wifi->ap_due = wifi->config->ap_always && !wifi->ap_open;
    *event = (struct th_wifi_event){.kind = TH_WIFI_EVENT_UP};
    ops_of(wifi)->address(ctx_of(wifi), event->address);
    return true;
}

static bool step_waiting(struct th_wifi *wifi, uint32_t now_ms)
{
    if (!th_time_reached(now_ms, wifi->until_ms))
        return false;
    wifi->state = TH_WIFI_STATE_JOINING;
    wifi->addressing = false;
    wifi->until_ms = now_ms + TH_WIFI_JOIN_MS;
    ops_of(wifi)->join(ctx_of(wifi), &wifi->config->network);
    return false;
}

static bool step_joining(struct th_wifi *wifi, uint32_t now_ms, struct th_wifi_event *event)
{
    switch (ops_of(wifi)->status(ctx_of(wifi))) {
    case TH_WIFI_JOINED: return up(wifi, now_ms, event);
    case TH_WIFI_NOT_FOUND: return fail(wifi, TH_ERR_WIFI_NOT_FOUND, now_ms, event);
    case TH_WIFI_REFUSED: return fail(wifi, TH_ERR_WIFI_REFUSED, now_ms, event);
    case TH_WIFI_LOST: return fail(wifi, TH_ERR_WIFI_LOST, now_ms, event);
    case TH_WIFI_ADDRESSING:
        if (!wifi->addressing) {
            wifi->addressing = true;
            wifi->until_ms = now_ms + TH_WIFI_JOIN_MS;
        }
        break;
    case TH_WIFI_IDLE:
    case TH_WIFI_JOINING: break;
    }
    if (!th_time_reached(now_ms, wifi->until_ms))
        return false;
    return fail(wifi, wifi->addressing ? TH_ERR_WIFI_NO_ADDRESS : TH_ERR_WIFI_TIMEOUT, now_ms,
                event);
}

/* A connection that lasts resets the back-off; one that flaps sees ever longer waits. */
static bool step_up(struct th_wifi *wifi, uint32_t now_ms, struct th_wifi_event *event)
{
    if (ops_of(wifi)->status(ctx_of(wifi)) != TH_WIFI_JOINED)
        return fail(wifi, TH_ERR_WIFI_LOST, now_ms, event);
    if (wifi->backoff_ms != TH_WIFI_FIRST_MS && th_time_reached(now_ms, wifi->until_ms))
        wifi->backoff_ms = TH_WIFI_FIRST_MS;
    return false;
}

/* ---- the access point ---- */

static bool step_ap(struct th_wifi *wifi, uint32_t now_ms, struct th_wifi_event *event)
{
    const struct th_wifi_config *config = wifi->config;

    if (wifi->ap_open && wifi->state == TH_WIFI_STATE_UP && !config->ap_always) {
        ops_of(wifi)->ap_stop(ctx_of(wifi));
        wifi->ap_open = false;
        *event = (struct th_wifi_event){.kind = TH_WIFI_EVENT_AP_CLOSED};
        return true;
    }
    if (wifi->ap_open || !wifi->ap_due || !th_time_reached(now_ms, wifi->fall_at_ms))
        return false;
    if (!ops_of(wifi)->ap_start(ctx_of(wifi), config->ap_ssid, config->ap_pass)) {
        wifi->fall_at_ms = now_ms + TH_WIFI_JOIN_MS;
        return false;
    }
    wifi->ap_open = true;
    wifi->ap_due = false;
    *event = (struct th_wifi_event){.kind = TH_WIFI_EVENT_AP_OPEN};
    return true;
}

/* ---- the rest of the interface ---- */

bool th_wifi_next(struct th_wifi *wifi, uint32_t now_ms, struct th_wifi_event *event)
{
    bool any = false;

    switch ((enum th_wifi_state)wifi->state) {
    case TH_WIFI_STATE_OFF: break;
    case TH_WIFI_STATE_WAITING: any = step_waiting(wifi, now_ms); break;
    case TH_WIFI_STATE_JOINING: any = step_joining(wifi, now_ms, event); break;
    case TH_WIFI_STATE_UP: any = step_up(wifi, now_ms, event); break;
    }
    return any || step_ap(wifi, now_ms, event);
}

uint32_t th_wifi_deadline(const struct th_wifi *wifi, uint32_t now_ms)
{
    uint32_t wait_ms = TH_FOREVER;

    switch ((enum th_wifi_state)wifi->state) {
    case TH_WIFI_STATE_OFF: break;
    case TH_WIFI_STATE_WAITING: wait_ms = th_time_until(now_ms, wifi->until_ms); break;
    case TH_WIFI_STATE_JOINING: wait_ms = POLL_MS; break;
    case TH_WIFI_STATE_UP: wait_ms = POLL_UP_MS; break;
    }
    if (wifi->ap_due && !wifi->ap_open)
        wait_ms = th_time_sooner(wait_ms, th_time_until(now_ms, wifi->fall_at_ms));
    return wait_ms;
}

bool th_wifi_up(const struct th_wifi *wifi)
{
    return wifi->state == TH_WIFI_STATE_UP;
}

bool th_wifi_ap_open(const struct th_wifi *wifi)
{
    return wifi->ap_open;
}

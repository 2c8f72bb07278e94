/* SPDX-License-Identifier: MIT */
/* Requests as a service of the device: what comes in, what goes out, and when it restarts. */
#include <thimble/time.h>

#include "base/text.h"
#include "device/requests.h"

/* ---- what is said of each request ---- */

/* What acts, and who was refused, can be read afterwards; questions only where debug is wanted. */
static enum th_level level_of(const struct th_rpc_call *call)
{
    return call->code == TH_RPC_FORBIDDEN || call->code == TH_RPC_UNPROVED ? TH_LEVEL_WARN
           : call->method && call->method->acts                            ? TH_LEVEL_INFO
                                                                           : TH_LEVEL_DEBUG;
}

static void heard(void *ctx, const struct th_rpc_call *call)
{
    const struct th_requests *requests = ctx;
    char line[160];
    struct th_text text = th_text_init(line, sizeof line);

    for (size_t i = 0; i < call->caller.len && i <= TH_CALLER_MAX; i++) {
        char c = (char)call->caller.at[i];
        th_text_char(&text, c > 0x20 && c < 0x7F ? c : '?');
    }
    th_text_str(&text, " asks for ");
    th_text_str(&text, call->method ? call->method->name : "something");
    if (call->code != TH_RPC_OK) {
        th_text_str(&text, ", refused: ");
        th_text_str(&text, call->message);
    }
    th_device_log(requests->device, level_of(call), line);
}

void th_requests_init(struct th_requests *requests, uint8_t *queue, size_t queue_room,
                      uint8_t *bundle, size_t bundle_room)
{
    memset(requests, 0, sizeof *requests);
    requests->bundle = bundle;
    requests->bundle_room = bundle ? bundle_room : 0;
    th_rpc_init(&requests->rpc, th_span_of(NULL, 0));
    requests->rpc.heard = heard;
    requests->rpc.heard_ctx = requests;
    th_rpc_mqtt_init(&requests->front, &requests->rpc, queue, queue_room);
    requests->own[0] = (struct th_rpc_set){th_requests_methods, th_requests_method_count, requests};
    requests->own[1] = (struct th_rpc_set){th_rpc_methods, TH_RPC_METHODS, &requests->rpc};
    th_rpc_add(&requests->rpc, &requests->own[0]);
    th_rpc_add(&requests->rpc, &requests->own[1]);
}

void th_requests_lend(struct th_requests *requests)
{
    requests->lent = true;
}

bool th_requests_add(struct th_requests *requests, const struct th_rpc_set *set)
{
    return th_rpc_add(&requests->rpc, set);
}

struct th_rpc_moment th_requests_moment(const struct th_requests *requests)
{
    struct th_clock_view clock = th_clock_read(&requests->device->clock, requests->now_ms);

    return (struct th_rpc_moment){requests->now_ms,
                                  clock.kind == TH_CLOCK_TRUSTED ? clock.now_s : 0};
}

struct th_rpc_moment th_requests_now(struct th_requests *requests, uint32_t now_ms)
{
    requests->now_ms = now_ms;
    return th_requests_moment(requests);
}

void th_requests_restart(struct th_requests *requests, uint32_t now_ms)
{
    requests->restart = true;
    requests->restart_at_ms = now_ms + REQUESTS_ANSWER_MS;
}

void th_requests_reset(struct th_requests *requests, enum th_reset_kind kind, uint32_t now_ms)
{
    requests->reset = (uint8_t)kind;
    th_requests_restart(requests, now_ms);
}

void th_requests_fail(struct th_rpc_call *call, enum th_error error)
{
    enum th_rpc_code code = error == TH_ERR_BAD_STATE   ? TH_RPC_CONFLICT
                            : error == TH_ERR_TOO_LARGE ? TH_RPC_TOO_LARGE
                            : error == TH_ERR_STORE     ? TH_RPC_INTERNAL
                                                        : TH_RPC_BAD_VALUE;

    th_rpc_fail(call, code,
                error == TH_ERR_BAD_STATE ? "another change is on trial; see Sys.GetInfo"
                                          : th_error_text(error));
}

/* ---- the service ---- */

static void forget(struct th_requests *requests)
{
    requests->bundle_len = requests->bundle_total = 0;
    th_rpc_mqtt_drop(&requests->front);
}

static void start(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_requests *requests = ctx;

    requests->now_ms = now_ms;
    requests->device = device;
    requests->rpc.device = th_span_str(th_device_id(device));
    /* Where a restart does not clear the memory, what was before it is over all the same. */
    requests->restart = false;
    requests->reset = TH_RESET_NOTHING;
    forget(requests);
}

static void connected(void *ctx, struct th_device *device)
{
    struct th_requests *requests = ctx;

    /* A trial may have changed the name; what waits is for those who asked the old one. */
    if (!th_span_equal(requests->rpc.device, th_span_str(th_device_id(device))))
        th_rpc_mqtt_drop(&requests->front);
    requests->rpc.device = th_span_str(th_device_id(device));
}

static bool message(void *ctx, struct th_device *device, const struct th_mqtt_event *event,
                    uint32_t now_ms)
{
    struct th_requests *requests = ctx;

    requests->now_ms = now_ms;
    if (!th_rpc_mqtt_take(&requests->front, event, th_device_trust_set(device),
                          th_requests_moment(requests)))
        return false;
    /* Requests may follow each other faster than steps do. */
    th_rpc_mqtt_send(&requests->front, &device->mqtt);
    return true;
}

static uint32_t step(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_requests *requests = ctx;

    requests->now_ms = now_ms;
    size_t waiting = requests->front.used;
    if (device->linked && th_link_state(&device->link) == TH_LINK_UP)
        th_rpc_mqtt_send(&requests->front, &device->mqtt);
    else if (requests->lent)
        forget(requests);
    /* What was published leaves with the link's next step. */
    uint32_t wait_ms = requests->front.used < waiting ? 0 : TH_FOREVER;
    if (!requests->restart)
        return wait_ms;
    wait_ms = th_time_sooner(wait_ms, th_time_until(now_ms, requests->restart_at_ms));
    if (!th_time_reached(now_ms, requests->restart_at_ms))
        return wait_ms;
    requests->restart = false;
    /* A reset that cannot even begin leaves everything as it was. */
    if (requests->reset == TH_RESET_NOTHING ||
        th_device_factory_reset(device, (enum th_reset_kind)requests->reset, now_ms) != TH_OK)
        th_device_restart(device, now_ms);
    return wait_ms;
}

struct th_service th_requests_service(struct th_requests *requests)
{
    static const struct th_service_ops ops = {
        .start = start, .connected = connected, .message = message, .step = step};

    return (struct th_service){&ops, requests};
}

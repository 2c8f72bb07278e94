/* SPDX-License-Identifier: MIT */
/* The device's lines: the newest are kept, and sent as the setting log.level wants them. */
#include <thimble/json.h>
#include <thimble/log_service.h>

#include "device/parts.h"

#define A_STEP   4 /* lines sent at once: what the device does comes first */
#define AGAIN_MS 250
#define FRAME    (TH_LOG_LINE * 2 + 96)

struct head {
    uint32_t number, at_s;
    uint8_t level, len;
};

/* ---- the store: heads, each with its text, the oldest first ---- */

static struct head head_at(const struct th_log_service *service, size_t at)
{
    struct head head;

    memcpy(&head, service->lines + at, sizeof head);
    return head;
}

static size_t behind(size_t at, struct head head)
{
    return at + sizeof head + head.len;
}

static void make_room(struct th_log_service *service, size_t wanted)
{
    size_t gone = 0;

    while (service->room - (service->used - gone) < wanted)
        gone = behind(gone, head_at(service, gone));
    service->used -= gone;
    memmove(service->lines, service->lines + gone, service->used);
}

/* A character is not cut in two. */
static size_t cut(const char *line)
{
    size_t len = strlen(line);

    if (len > TH_LOG_LINE) {
        len = TH_LOG_LINE;
        while (len > 0 && ((uint8_t)line[len] & 0xC0) == 0x80)
            len--;
    }
    return len;
}

static void said(void *ctx, enum th_level level, const char *line)
{
    struct th_log_service *service = ctx;
    struct head head = {.number = service->next, .level = (uint8_t)level};

    if (level > (enum th_level)service->level)
        return;
    head.len = (uint8_t)cut(line);
    make_room(service, sizeof head + head.len);
    memcpy(service->lines + service->used, &head, sizeof head);
    memcpy(service->lines + service->used + sizeof head, line, head.len);
    service->used += sizeof head + head.len;
    service->next++;
}

/* Lines are said without a time; the step that follows each of them dates it. */
static void date(struct th_log_service *service, uint32_t now_ms)
{
    uint32_t seconds = (now_ms - service->at_ms) / 1000;

    service->now_ms = now_ms; /* the clock takes a time before its last for a wrap */
    service->up_s += seconds;
    service->at_ms += seconds * 1000;
    for (size_t at = 0; at < service->used && service->dated + 1 != service->next;) {
        struct head head = head_at(service, at);
        if (head.number > service->dated) {
            head.at_s = service->up_s;
            memcpy(service->lines + at, &head, sizeof head);
        }
        at = behind(at, head);
    }
    service->dated = service->next - 1;
}

/* ---- a line for programs ---- */

static const char *const levels[] = {"error", "warn", "info", "debug"};

static void put_number(struct th_json_writer *json, const char *name, int64_t number)
{
    th_json_name(json, name);
    th_json_put_integer(json, number);
}

static void put_line(const struct th_log_service *service, size_t at, struct th_json_writer *json)
{
    struct head head = head_at(service, at);
    struct th_clock_view clock = th_clock_read(&service->device->clock, service->now_ms);
    uint32_t age_s = service->up_s - head.at_s;

    th_json_open(json, '{');
    th_json_name(json, "event");
    th_json_put_string(json, TH_SPAN("line"));
    put_number(json, "number", head.number);
    th_json_name(json, "level");
    th_json_put_string(json, th_span_str(levels[head.level]));
    if (clock.kind == TH_CLOCK_TRUSTED)
        put_number(json, "time", clock.now_s - age_s);
    else
        put_number(json, "age_s", age_s);
    th_json_name(json, "text");
    th_json_put_string(json, th_span_of(service->lines + at + sizeof head, head.len));
    th_json_close(json, '}');
}

/* ---- sending ---- */

/* False: the session takes nothing now. What it never takes does not stop the rest. */
static bool send(struct th_log_service *service, size_t at)
{
    uint8_t frame[FRAME];
    struct th_json_writer json = th_json_writer_of(frame, sizeof frame);

    put_line(service, at, &json);
    struct th_span text = th_json_written(&json);
    enum th_error error =
        text.len == 0 ? TH_OK
                      : th_device_publish(service->device, "log", text, TH_MQTT_QOS0, false, NULL);
    return error != TH_ERR_AGAIN && error != TH_ERR_OUTBOX_FULL && error != TH_ERR_NOT_CONNECTED;
}

static OFF_THE_STACK uint32_t send_some(struct th_log_service *service)
{
    unsigned left = A_STEP;

    for (size_t at = 0; at < service->used;) {
        struct head head = head_at(service, at);
        if (head.number > service->sent && head.level > TH_LEVEL_ERROR) {
            if (left-- == 0)
                return 0;
            if (!send(service, at))
                return AGAIN_MS;
        }
        if (head.number > service->sent)
            service->sent = head.number;
        at = behind(at, head);
    }
    return left < A_STEP ? 0 : TH_FOREVER;
}

/* ---- the service ---- */

static void read_level(struct th_log_service *service)
{
    char text[TH_SETTING_VALUE_MAX + 1];

    th_device_text(service->device, "log.level", text);
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(text, levels[i]) == 0)
            service->level = (uint8_t)i;
    }
}

static void start(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_log_service *service = ctx;

    /* Where a restart does not clear the memory, lines and their ages go on. */
    if (!service->device)
        service->at_ms = now_ms;
    service->now_ms = now_ms;
    service->device = device;
    read_level(service);
}

static void entered(void *ctx, struct th_device *device, uint32_t now_ms)
{
    (void)device;
    (void)now_ms;
    read_level(ctx);
}

static uint32_t step(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_log_service *service = ctx;

    date(service, now_ms);
    return th_device_connected(device) ? send_some(service) : TH_FOREVER;
}

/* ---- the method ---- */

/* The newest first, as many as there is room for. */
static void log_lines(void *ctx, struct th_rpc_call *call)
{
    struct th_log_service *service = ctx;

    date(service, call->now.ms);
    uint32_t before = (uint32_t)th_rpc_integer(call, 1, INT32_MAX);
    int32_t count = th_rpc_integer(call, 0, INT32_MAX);

    th_json_open(call->result, '[');
    for (; count > 0; count--) {
        struct th_json_writer as_it_was = *call->result;
        size_t found = service->used;

        for (size_t at = 0; at < service->used; at = behind(at, head_at(service, at))) {
            if (head_at(service, at).number < before)
                found = at;
        }
        if (found == service->used)
            break;
        put_line(service, found, call->result);
        if (call->result->failed || call->result->at == call->result->end) {
            *call->result = as_it_was;
            break;
        }
        before = head_at(service, found).number;
    }
    th_json_close(call->result, ']');
}

static const struct th_rpc_param lines_params[] = {
    {"count", TH_RPC_INTEGER, false, 1, INT32_MAX, "how many, at most"},
    {"before", TH_RPC_INTEGER, false, 1, INT32_MAX, "only lines with a number below this"},
};

static const struct th_rpc_method methods[] = {
    {"Log.Lines", TH_ROLE_OPERATOR, false, 2, lines_params,
     "What the device has said lately, the newest first, as much as an answer holds.", log_lines},
};

void th_log_service_init(struct th_log_service *service, uint8_t *lines, size_t room)
{
    memset(service, 0, sizeof *service);
    service->lines = lines;
    service->room = room;
    service->next = 1;
    service->level = TH_LEVEL_INFO;
    service->set = (struct th_rpc_set){methods, 1, service};
}

struct th_service th_log_service(struct th_log_service *service)
{
    static const struct th_service_ops ops = {
        .start = start, .entered = entered, .step = step, .said = said};

    return (struct th_service){&ops, service};
}

const struct th_rpc_set *th_log_methods(struct th_log_service *service)
{
    return &service->set;
}

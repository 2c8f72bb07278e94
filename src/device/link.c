/* SPDX-License-Identifier: MIT */
/* What the link tells, and what the device has to say on each connection. */
#include <string.h>

#include <thimble/json.h>

#include "device/recovery.h"

#define EVENTS_A_STEP 32 /* then the rest of the device has its turn */
#define LATE_MAX      3  /* refusals by a trusted clock after which that clock is not trusted */
#define FRAME         512

/* ---- the TLS session in RTC memory: its length, then its bytes ---- */

#define RTC_HEAD 2

static bool has_rtc(const struct th_device *device)
{
    return device->config->session && device->config->board->rtc.ops;
}

void th_device_recall_session(struct th_device *device)
{
    const struct th_board *board = device->config->board;
    uint8_t kept[TH_RTC_BYTES];

    if (!has_rtc(device) || !board->rtc.ops->read(board->rtc.ctx, kept))
        return;
    size_t len = (size_t)(kept[0] | kept[1] << 8);
    if (len > device->config->session_room || len > sizeof kept - RTC_HEAD)
        return;
    memcpy(device->config->session, kept + RTC_HEAD, len);
    device->session_len = len;
}

void th_device_keep_session(struct th_device *device)
{
    const struct th_board *board = device->config->board;
    uint8_t kept[TH_RTC_BYTES] = {0};
    size_t len = device->session_len;

    if (!has_rtc(device))
        return;
    if (len <= sizeof kept - RTC_HEAD) {
        kept[0] = (uint8_t)len;
        kept[1] = (uint8_t)(len >> 8);
        memcpy(kept + RTC_HEAD, device->config->session, len);
    }
    board->rtc.ops->write(board->rtc.ctx, kept);
}

/* ---- failures ---- */

static bool in_recovery(const struct th_device *device)
{
    return th_link_listener(&device->link) == TH_LINK_RECOVERY;
}

void th_device_failed(struct th_device *device, const struct th_failure *failure, bool complete,
                      uint32_t now_ms)
{
    th_history_failure(&device->history, failure, th_clock_ms(&device->clock, now_ms) / 1000,
                       now_ms);
    if (complete)
        th_device_attempt_failed(device, failure, now_ms);
}

/* C4: a trusted clock that refuses every broker is more likely wrong than they all are. It is
 * asked for again on the next connection. */
static void judge_clock(struct th_device *device, const struct th_failure *failure, uint32_t now_ms)
{
    bool late =
        th_error_layer(failure->error) == TH_LAYER_DATE && device->clock.kind == TH_CLOCK_TRUSTED;

    device->late = late ? device->late + 1 : 0;
    if (device->late < LATE_MAX)
        return;
    th_device_log(device, TH_LEVEL_WARN,
                  "the clock refuses every broker: it is not trusted any more");
    th_clock_init(&device->clock, device->clock.floor_s, now_ms);
    device->late = 0;
}

/* An attempt is complete once it has tried all brokers and addresses. */
static OFF_THE_STACK void on_failed(struct th_device *device, const struct th_link_event *event,
                                    uint32_t now_ms)
{
    const struct th_failure *failure = &event->u.failed.failure;
    bool began = event->u.failed.retry_ms != 0 && failure->error != TH_ERR_NO_NETWORK;

    device->todo = 0;
    device->proof.asked = device->time.asked = device->subscribed = false;
    if (failure->error == TH_ERR_NO_NETWORK && device->config->board->wifi.ops)
        return; /* Wi-Fi says why */
    th_device_tell_failure(device, failure, event->u.failed.retry_ms);
    if (began && ++device->missed >= device->broker_count)
        device->missed = 0;
    th_device_failed(device, failure, began && device->missed == 0 && !in_recovery(device), now_ms);
    judge_clock(device, failure, now_ms);
}

/* ---- connected ---- */

/* C1: only a full handshake has verified the chain that the floor comes from. */
static OFF_THE_STACK void on_tls(struct th_device *device, const struct th_tls_info *info,
                                 uint32_t now_ms)
{
    char line[160];
    struct th_text text = th_text_init(line, sizeof line);

    device->full = !info->resumed;
    device->server = info->server;
    device->suspect = false;
    device->late = 0;
    if (!info->resumed && info->server.floor_s > 0)
        th_device_raise_floor(device, info->server.floor_s, now_ms);
    th_text_str(&text, info->resumed ? "TLS resumed, " : "TLS ");
    th_text_str(&text, info->suite_name);
    if (info->server.subject[0] != '\0') {
        th_text_str(&text, ", server ");
        th_text_str(&text, info->server.subject);
    }
    if (!info->resumed && info->server.dates == TH_DATE_DOUBTFUL)
        th_text_str(&text, "; by the time servers its certificate is not valid now");
    th_device_say(device, line);
}

static void on_connected(struct th_device *device)
{
    device->missed = 0;
    device->subscribed = false;
    device->todo = TODO_SUBSCRIBE | TODO_STATUS | TODO_HELLO | TODO_HISTORY;
    if (th_device_trying(device))
        device->todo |= TODO_PROOF;
    if (th_device_agent(device).len > 0)
        device->todo |= TODO_TIME;
    th_device_say(device, "connected");
}

static OFF_THE_STACK void on_subscribed(struct th_device *device, const struct th_mqtt_ack *ack,
                                        uint32_t now_ms)
{
    const struct th_device_config *config = device->config;
    struct th_failure failure = th_failure_of(TH_ERR_TRIAL_DENIED);

    if (ack->id != device->subscribe_id)
        return;
    device->subscribed = ack->codes.len > 0 && ack->codes.at[0] < 0x80;
    if (!device->subscribed) {
        failure.reason_code = ack->codes.len > 0 ? ack->codes.at[0] : TH_NO_REASON_CODE;
        th_device_tell_failure(device, &failure, 0);
        th_device_failed(device, &failure, true, now_ms);
        return;
    }
    for (uint8_t i = 0; i < config->service_count; i++) {
        if (config->services[i].ops->connected)
            config->services[i].ops->connected(config->services[i].ctx, device);
    }
}

/* Where nobody can be asked, that the broker took the status is the proof. */
static OFF_THE_STACK void on_published(struct th_device *device, const struct th_mqtt_ack *ack,
                                       uint32_t now_ms)
{
    struct th_failure failure = th_failure_of(TH_ERR_TRIAL_DENIED);

    if (ack->id == device->told_id && device->told_number != 0) {
        th_history_told(&device->history, device->told_number, false);
        device->told_number = 0;
        if (th_history_untold(&device->history))
            device->todo |= TODO_HISTORY;
        else
            th_history_told(&device->history, 0, true);
    }
    if (ack->id != device->status_id || !th_device_trying(device) || device->prover[0] != '\0' ||
        th_device_agent(device).len > 0)
        return;
    if (ack->reason_code < 0x80 && device->subscribed && device->full) {
        th_device_proved(device, now_ms);
        return;
    }
    failure.reason_code = ack->reason_code;
    th_device_failed(device, &failure, true, now_ms);
}

static void on_message(struct th_device *device, const struct th_mqtt_event *event, uint32_t now_ms)
{
    const struct th_device_config *config = device->config;

    if (event->kind == TH_MQTT_EVENT_MESSAGE &&
        th_device_answered(device, &event->u.message, now_ms))
        return;
    for (uint8_t i = 0; i < config->service_count; i++) {
        const struct th_service *service = &config->services[i];

        if (service->ops->message && service->ops->message(service->ctx, device, event, now_ms))
            return;
    }
}

static void on_mqtt(struct th_device *device, const struct th_mqtt_event *event, uint32_t now_ms)
{
    switch (event->kind) {
    case TH_MQTT_EVENT_CONNECTED: on_connected(device); break;
    case TH_MQTT_EVENT_SUBSCRIBED: on_subscribed(device, &event->u.ack, now_ms); break;
    case TH_MQTT_EVENT_PUBLISHED: on_published(device, &event->u.ack, now_ms); break;
    case TH_MQTT_EVENT_MESSAGE:
    case TH_MQTT_EVENT_BEGIN:
    case TH_MQTT_EVENT_CHUNK:
    case TH_MQTT_EVENT_END: on_message(device, event, now_ms); break;
    default: break;
    }
}

static OFF_THE_STACK void on_link(struct th_device *device, const struct th_link_event *event,
                                  uint32_t now_ms)
{
    if (event->kind == TH_LINK_EVENT_MQTT && in_recovery(device)) {
        device->config->recovery->ops->event(device, &event->u.mqtt, now_ms);
        return;
    }
    switch (event->kind) {
    case TH_LINK_EVENT_TLS:
        on_tls(device, &event->u.tls.info, now_ms);
        th_device_keep_session(device);
        break;
    case TH_LINK_EVENT_MQTT:
        on_mqtt(device, &event->u.mqtt, now_ms);
        if (event->u.mqtt.kind == TH_MQTT_EVENT_CONNECTED)
            th_device_keep_session(device);
        break;
    case TH_LINK_EVENT_FAILED:
        on_failed(device, event, now_ms);
        th_device_keep_session(device);
        if (event->u.failed.turn)
            device->config->recovery->ops->turn(device, now_ms);
        break;
    case TH_LINK_EVENT_ATTEMPT:
    case TH_LINK_EVENT_TCP:
    case TH_LINK_EVENT_STOPPED: break;
    }
}

/* ---- what is to be said ---- */

enum th_error th_device_publish(struct th_device *device, const char *topic, struct th_span payload,
                                enum th_mqtt_qos qos, bool retain, uint16_t *id)
{
    char full[TH_DEVICE_TOPIC];
    struct th_text text = th_text_init(full, sizeof full);

    th_text_str(&text, device->id);
    th_text_char(&text, '/');
    th_text_str(&text, topic);
    if (!device->linked)
        return TH_ERR_NOT_CONNECTED;
    if (in_recovery(device)) /* which is not the place for it, and has no outbox */
        return qos == TH_MQTT_QOS0 ? TH_ERR_NOT_CONNECTED : TH_ERR_OUTBOX_FULL;
    struct th_mqtt_publish publish = {
        .topic = th_span_of(full, text.len), .payload = payload, .qos = qos, .retain = retain};
    return th_mqtt_publish(&device->mqtt, &publish, id);
}

static bool subscribe(struct th_device *device)
{
    char filter[TH_DEVICE_TOPIC];
    struct th_text text = th_text_init(filter, sizeof filter);

    th_text_str(&text, device->id);
    th_text_str(&text, "/from/#");
    /* A retained command is refused; 5.0 tells of it at its first delivery, too. */
    struct th_mqtt_filter wanted = {.filter = th_span_of(filter, text.len),
                                    .qos = TH_MQTT_QOS1,
                                    .retain_as_published =
                                        device->mqtt_config.version == device->config->v5};
    return th_mqtt_subscribe(&device->mqtt, &wanted, 1, NULL, 0, &device->subscribe_id) == TH_OK;
}

static bool send_hello(struct th_device *device)
{
    static const char *const resets[] = {"power on", "restart", "watchdog", "crash", "unknown"};
    uint8_t frame[FRAME];
    struct th_json_writer json = th_json_writer_of(frame, sizeof frame);

    th_json_open(&json, '{');
    th_json_name(&json, "event");
    th_json_put_string(&json, TH_SPAN("connected"));
    th_json_name(&json, "product");
    th_json_put_string(&json, th_span_str(device->config->product));
    th_json_name(&json, "version");
    th_json_put_string(&json, th_span_str(device->config->version));
    th_json_name(&json, "started");
    th_json_put_string(&json, th_span_str(resets[device->reset]));
    th_json_name(&json, "crashes");
    th_json_put_integer(&json, device->crashes);
    th_json_name(&json, "attempts");
    th_json_put_integer(&json, device->link.attempts);
    th_json_close(&json, '}');
    return th_device_publish(device, "log", th_json_written(&json), TH_MQTT_QOS1, false, NULL) ==
           TH_OK;
}

/* One at a time; the next one follows its acknowledgement. */
static bool send_history(struct th_device *device)
{
    const struct th_history_item *item = th_history_untold(&device->history);
    uint8_t frame[FRAME];

    if (!item || device->told_number != 0)
        return true;
    struct th_span json = th_history_json(item, frame, sizeof frame);
    if (th_device_publish(device, "log", json, TH_MQTT_QOS1, false, &device->told_id) != TH_OK)
        return false;
    device->told_number = item->number;
    return true;
}

static bool send_one(struct th_device *device, enum todo what, uint32_t now_ms)
{
    switch (what) {
    case TODO_SUBSCRIBE: return subscribe(device);
    case TODO_STATUS:
        return th_device_publish(device, "status", TH_SPAN("online"), TH_MQTT_QOS1, true,
                                 &device->status_id) == TH_OK;
    case TODO_HELLO: return send_hello(device);
    case TODO_PROOF: return th_device_ask_proof(device, now_ms);
    case TODO_TIME: return th_device_ask_time(device, now_ms);
    case TODO_HISTORY: return send_history(device);
    }
    return true;
}

static OFF_THE_STACK void send_due(struct th_device *device, uint32_t now_ms)
{
    if (th_link_state(&device->link) != TH_LINK_UP || in_recovery(device))
        return;
    for (unsigned bit = TODO_SUBSCRIBE; bit <= TODO_HISTORY; bit <<= 1) {
        if ((device->todo & bit) == 0)
            continue;
        /* Answers can come only once the subscription stands. */
        if ((bit == TODO_PROOF || bit == TODO_TIME) && !device->subscribed)
            continue;
        if (!send_one(device, (enum todo)bit, now_ms))
            return;
        device->todo &= (uint8_t)~bit;
    }
}

void th_device_link_step(struct th_device *device, uint32_t now_ms)
{
    device->policy.clock = th_clock_read(&device->clock, now_ms);
    for (int i = 0; i < EVENTS_A_STEP; i++) {
        /* An order that is due ends this connection; until then answers go on leaving. */
        if (device->order != TH_TRIAL_GO_ON && th_time_reached(now_ms, device->order_at_ms))
            break;
        if (!th_link_next(&device->link, now_ms, &device->event))
            break;
        on_link(device, &device->event, now_ms);
    }
    send_due(device, now_ms);
}

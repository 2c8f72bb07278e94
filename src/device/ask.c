/* SPDX-License-Identifier: MIT */
/* What the device asks itself: the agent's time, and the round trip that proves a change. Both
 * carry a nonce; who answers stands in the topic, which the broker proves. docs/device.md. */
#include <string.h>

#include <thimble/json.h>

#include "device/parts.h"

#define NONCE_HEX     33
#define FRAME         192
#define TIME_MS       10000               /* an answer takes at most so long */
#define TIME_RETRY_MS (10u * 60u * 1000u) /* after none */
#define TIME_NEXT_MS  (6u * 3600u * 1000u)
#define TIME_APART_S  60 /* two answers that agree differ at most so much */

struct th_span th_device_agent(const struct th_device *device)
{
    struct th_span set = th_device_trust_set(device);
    struct th_trust_item item;
    size_t at = 0;

    while (set.len > 0 && th_trust_set_next(set, &at, &item)) {
        if (item.kind == TH_ITEM_ROLE && item.role == TH_ROLE_AGENT)
            return item.bytes;
    }
    return th_span_of(NULL, 0);
}

/* ---- asking ---- */

static void hex_of(const uint8_t nonce[16], char into[NONCE_HEX])
{
    for (int i = 0; i < 16; i++) {
        into[2 * i] = "0123456789abcdef"[nonce[i] >> 4];
        into[2 * i + 1] = "0123456789abcdef"[nonce[i] & 15];
    }
    into[NONCE_HEX - 1] = '\0';
}

static bool send(struct th_device *device, struct th_span to, const char *method,
                 const struct th_device_proof *proof)
{
    char topic[TH_DEVICE_TOPIC], nonce[NONCE_HEX];
    uint8_t frame[FRAME];
    struct th_text text = th_text_init(topic, sizeof topic);
    struct th_json_writer json = th_json_writer_of(frame, sizeof frame);

    hex_of(proof->nonce, nonce);
    th_text_str(&text, "to/");
    for (size_t i = 0; i < to.len; i++)
        th_text_char(&text, (char)to.at[i]);
    th_text_str(&text, "/rpc");
    th_json_open(&json, '{');
    th_json_name(&json, "id");
    th_json_put_integer(&json, proof->id);
    th_json_name(&json, "src");
    th_json_put_string(&json, th_span_str(device->id));
    th_json_name(&json, "method");
    th_json_put_string(&json, th_span_str(method));
    th_json_name(&json, "params");
    th_json_open(&json, '{');
    th_json_name(&json, "nonce");
    th_json_put_string(&json, th_span_str(nonce));
    th_json_close(&json, '}');
    th_json_close(&json, '}');
    return th_device_publish(device, topic, th_json_written(&json), TH_MQTT_QOS1, false, NULL) ==
           TH_OK;
}

/* T13: without entropy nothing is asked, and the time-out says so in the end. */
static void begin(struct th_device *device, struct th_device_proof *proof, uint32_t for_ms,
                  uint32_t now_ms)
{
    const struct th_board *board = &device->board;

    proof->asked = true;
    proof->id = ++device->requests;
    proof->until_ms = now_ms + for_ms;
    if (!board->entropy.ops->fill(board->entropy.ctx, proof->nonce, sizeof proof->nonce))
        proof->id = 0;
}

bool th_device_ask_proof(struct th_device *device, uint32_t now_ms)
{
    struct th_span agent = th_device_agent(device), user = th_span_str(device->prover);

    if (!th_device_trying(device) || (agent.len == 0 && user.len == 0))
        return true;
    if (!device->proof.asked)
        begin(device, &device->proof, TH_DEVICE_PROOF_MS, now_ms);
    bool sent = user.len == 0 || send(device, user, "Trial.Prove", &device->proof);
    return sent && (agent.len == 0 || send(device, agent, "Trial.Prove", &device->proof));
}

bool th_device_ask_time(struct th_device *device, uint32_t now_ms)
{
    struct th_span agent = th_device_agent(device);

    if (agent.len == 0)
        return true;
    if (!device->time.asked)
        begin(device, &device->time, TIME_MS, now_ms);
    device->time_at_ms = now_ms + TIME_RETRY_MS;
    return send(device, agent, "Time.Get", &device->time);
}

/* ---- answers ---- */

struct th_span th_device_caller(const struct th_device *device, struct th_span topic)
{
    static const char before[] = "/from/", behind[] = "/rpc";
    size_t id = strlen(device->id), head = id + sizeof before - 1, tail = sizeof behind - 1;

    if (topic.len <= head + tail || memcmp(topic.at, device->id, id) != 0 ||
        memcmp(topic.at + id, before, sizeof before - 1) != 0 ||
        memcmp(topic.at + topic.len - tail, behind, tail) != 0)
        return th_span_of(NULL, 0);
    return th_span_of(topic.at + head, topic.len - head - tail);
}

static bool matches(const struct th_device_proof *proof, struct th_json frame)
{
    char nonce[NONCE_HEX], given[NONCE_HEX];
    int64_t id;

    hex_of(proof->nonce, nonce);
    return proof->asked && proof->id != 0 && th_json_integer(th_json_member(frame, "id"), &id) &&
           id == proof->id &&
           th_json_string(th_json_member(th_json_member(frame, "result"), "nonce"), given,
                          sizeof given) &&
           strcmp(nonce, given) == 0;
}

/* C5: judged again by a time somebody vouches for; what it condemns is condemned only when a
 * second answer agrees. */
static void judge_again(struct th_device *device, uint32_t now_ms)
{
    struct th_clock_view view = th_clock_read(&device->clock, now_ms);
    enum th_date_verdict verdict = th_trust_dates_again(&device->server, &view);
    struct th_failure failure =
        th_failure_of(verdict == TH_DATE_EXPIRED ? TH_ERR_DATE_EXPIRED : TH_ERR_DATE_NOT_YET);

    if (verdict != TH_DATE_EXPIRED && verdict != TH_DATE_NOT_YET) {
        device->suspect = false;
        return;
    }
    if (!device->suspect) {
        device->suspect = true;
        device->todo |= TODO_TIME;
        return;
    }
    device->suspect = false;
    failure.not_before_s = device->server.not_before_s;
    failure.not_after_s = device->server.not_after_s;
    failure.now_s = view.now_s;
    th_failure_name(&failure, th_span_str(device->server.subject));
    th_device_tell_failure(device, &failure, 0);
    th_device_failed(device, &failure, true, now_ms);
    th_link_restart(&device->link, now_ms, true);
    th_device_keep_session(device);
}

static void take_time(struct th_device *device, struct th_json frame, uint32_t now_ms)
{
    int64_t time_ms, before_s = th_clock_ms(&device->clock, now_ms) / 1000;
    bool vouched = device->clock.kind == TH_CLOCK_TRUSTED;

    device->time.asked = false;
    if (!th_json_integer(th_json_member(th_json_member(frame, "result"), "time_ms"), &time_ms) ||
        time_ms < 0 || time_ms > INT64_MAX / 2 ||
        !th_clock_set(&device->clock, TH_CLOCK_TRUSTED, time_ms, now_ms))
        return;
    device->time_at_ms = now_ms + TIME_NEXT_MS;
    int64_t apart_s = time_ms / 1000 - before_s;
    if (device->suspect && vouched && (apart_s > TIME_APART_S || apart_s < -TIME_APART_S))
        device->suspect = false; /* they disagree: the first is as if it had not been */
    judge_again(device, now_ms);
}

bool th_device_answered(struct th_device *device, const struct th_mqtt_message *message,
                        uint32_t now_ms)
{
    struct th_span caller = th_device_caller(device, message->topic);
    bool agent = caller.len > 0 && th_span_equal(caller, th_device_agent(device));
    bool user = caller.len > 0 && th_span_equal(caller, th_span_str(device->prover));
    struct th_json frame;
    size_t at;

    if (message->retain || (!agent && !user) ||
        th_json_parse(message->payload, &frame, &at) != TH_OK ||
        th_json_member(frame, "method").kind != TH_JSON_NONE)
        return false;
    if (matches(&device->proof, frame)) {
        device->proof.asked = false;
        if (device->full)
            th_device_proved(device, now_ms);
        return true;
    }
    if (!agent || !matches(&device->time, frame))
        return false;
    take_time(device, frame, now_ms);
    return true;
}

/* ---- time-outs ---- */

void th_device_ask_step(struct th_device *device, uint32_t now_ms)
{
    struct th_failure failure = th_failure_of(TH_ERR_TRIAL_UNANSWERED);

    if (device->proof.asked && th_time_reached(now_ms, device->proof.until_ms)) {
        device->proof.asked = false;
        device->todo |= TODO_PROOF;
        th_device_failed(device, &failure, true, now_ms);
    }
    if (device->time.asked && th_time_reached(now_ms, device->time.until_ms))
        device->time.asked = device->suspect = false;
    if (!device->time.asked && device->subscribed && th_time_reached(now_ms, device->time_at_ms)) {
        device->time_at_ms = now_ms + TIME_RETRY_MS;
        device->todo |= TODO_TIME;
    }
}

uint32_t th_device_ask_deadline(const struct th_device *device, uint32_t now_ms)
{
    uint32_t wait_ms = TH_FOREVER;

    if (device->proof.asked)
        wait_ms = th_time_until(now_ms, device->proof.until_ms);
    if (device->time.asked)
        wait_ms = th_time_sooner(wait_ms, th_time_until(now_ms, device->time.until_ms));
    else if (device->subscribed)
        wait_ms = th_time_sooner(wait_ms, th_time_until(now_ms, device->time_at_ms));
    return wait_ms;
}

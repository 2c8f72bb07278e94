/* SPDX-License-Identifier: MIT */
/* `<id>/from/<caller>/rpc` takes one word and at most two numbers; the answer goes to
 * `<id>/to/<caller>/rpc`. */
#include <cpu.h>
#include <string.h>

#include "link_demo.h"

void demo_publish(struct demo *demo, const char *topic, struct th_span payload,
                  enum th_mqtt_qos qos, bool retain)
{
    struct demo_text name = {.len = 0};

    TEXT(&name, "%s/%s", demo->id, topic);
    struct th_mqtt_publish publish = {
        .topic = th_span_of(name.at, name.len), .payload = payload, .qos = qos, .retain = retain};
    enum th_error error = th_mqtt_publish(&demo->mqtt, &publish, NULL);
    if (error != TH_OK)
        SAY("publish %s: %s\n", topic, th_error_text(error));
}

/* The level between "/from/" and "/rpc" of the topic; empty when the topic is another. */
static struct th_span caller_of(const struct demo *demo, struct th_span topic)
{
    static const char before[] = "/from/", behind[] = "/rpc";
    size_t id = strlen(demo->id);
    size_t head = id + sizeof(before) - 1, tail = sizeof(behind) - 1;

    if (topic.len <= head + tail || memcmp(topic.at, demo->id, id) != 0 ||
        memcmp(topic.at + id, before, sizeof(before) - 1) != 0 ||
        memcmp(topic.at + topic.len - tail, behind, tail) != 0)
        return th_span_of(NULL, 0);
    return th_span_of(topic.at + head, topic.len - head - tail);
}

static bool begins(struct th_span *text, const char *word)
{
    size_t len = strlen(word);

    if (text->len < len || memcmp(text->at, word, len) != 0)
        return false;
    *text = th_span_of(text->at + len, text->len - len);
    return true;
}

static uint32_t number(struct th_span *text)
{
    uint32_t value = 0;
    size_t at = 0;

    while (at < text->len && text->at[at] == ' ')
        at++;
    for (; at < text->len && text->at[at] >= '0' && text->at[at] <= '9'; at++)
        value = value * 10 + (uint32_t)(text->at[at] - '0');
    *text = th_span_of(text->at + at, text->len - at);
    return value;
}

/* Planted faults: the watchdog's, and the crash report's. */
static __attribute__((noinline)) void hang(struct demo *demo)
{
    (void)demo;
    for (;;)
        __asm__ volatile("nop");
}

static void crash(struct demo *demo)
{
    (void)demo;
    th_machine_crash_now();
}

static void restart(struct demo *demo)
{
    demo->board.system.ops->restart(NULL);
}

#define LATER_MS 300

/* Not at once: the command must be acknowledged first, or it comes again after the restart, at QoS
 * 1 for ever. */
static void later(struct demo *demo, void (*action)(struct demo *demo), struct demo_text *text)
{
    demo->action = action;
    demo->action_at_ms = th_timer_now_ms() + LATER_MS;
    TEXT(text, "in %u ms", LATER_MS);
}

/* `hold PIN MS`: on, armed to go off after MS, and the loop is held for two seconds (R9). */
static void hold(struct demo *demo, struct th_span rest)
{
    const struct th_pin_ops *pins = demo->board.pins.ops;
    uint8_t pin = (uint8_t)number(&rest);
    uint32_t now = th_timer_now_ms();

    pins->arm_off(NULL, pin, TH_PIN_LOW, now + number(&rest));
    pins->set(NULL, pin, TH_PIN_HIGH);
    while (th_timer_now_ms() - now < 2000)
        continue;
}

static void answer(struct demo *demo, struct th_span caller, struct demo_text *text)
{
    struct demo_text topic = {.len = 0};

    TEXT(&topic, "to/%.*s/rpc%c", (int)caller.len, (const char *)caller.at, '\0');
    demo_publish(demo, topic.at, th_span_of(text->at, text->len), TH_MQTT_QOS1, false);
}

void demo_command(struct demo *demo, const struct th_mqtt_message *message)
{
    struct th_span caller = caller_of(demo, message->topic);
    struct th_span word = message->payload;
    struct demo_text text = {.len = 0};

    if (caller.len == 0 || caller.len > ID_ROOM || message->retain)
        return;
    if (begins(&word, "ping")) {
        TEXT(&text, "pong%.*s", (int)word.len, (const char *)word.at);
    } else if (begins(&word, "memory")) {
        TEXT(&text, "{\"stack_peak\":%u,\"device\":%u,\"history\":%u,\"frames_dropped\":%u}",
             (unsigned)th_machine_stack_peak(), (unsigned)sizeof(*demo), demo_loan_count(),
             th_machine_net_dropped());
    } else if (begins(&word, "hold")) {
        hold(demo, word);
        TEXT(&text, "held");
    } else if (begins(&word, "restart")) {
        later(demo, restart, &text);
    } else if (begins(&word, "crash")) {
        later(demo, crash, &text);
    } else if (begins(&word, "hang")) {
        later(demo, hang, &text);
    } else {
        TEXT(&text, "unknown command; there are ping, memory, hold, restart, crash, hang");
    }
    answer(demo, caller, &text);
}

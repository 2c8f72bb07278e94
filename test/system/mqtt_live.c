/* SPDX-License-Identifier: MIT */
/*
 * mqtt_live PORT 4|5 COUNT: a session over th_plain and the Linux port against a broker on
 * 127.0.0.1. Subscribes to its own topic, publishes COUNT messages at each QoS, and demands all of
 * them back: at QoS 1 and 2 in order, at QoS 2 exactly once. Ends with 0 when they came.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/linux.h>
#include <thimble/mqtt.h>

static struct {
    struct th_linux loop;
    struct th_linux_net net;
    struct th_plain plain;
    struct th_mqtt mqtt;
    struct th_outbox_ram outbox;
    uint8_t plain_rx[2048], plain_tx[2048], rx[512];
    _Alignas(8) uint8_t outbox_at[8192];
    uint16_t inbound[64];
    unsigned count, published[3], acknowledged, received[3];
    bool subscribed, closed;
} live;

static int die(const char *what, const struct th_failure *failure)
{
    char text[256] = "";
    if (failure != NULL)
        th_failure_text(failure, text, sizeof text);
    fprintf(stderr, "%s: %s\n", what, text);
    exit(1);
}

static struct th_span topic_of(unsigned qos)
{
    static const char *const names[] = {"live/0", "live/1", "live/2"};
    return th_span_str(names[qos]);
}

static void on_message(const struct th_mqtt_message *message)
{
    char text[32] = "";
    unsigned qos = (unsigned)message->qos;
    memcpy(text, message->payload.at, message->payload.len < 31 ? message->payload.len : 31);
    if (!th_span_equal(message->topic, topic_of(qos)))
        die("a message on another topic", NULL);
    if (strtoul(text, NULL, 10) != live.received[qos]) {
        fprintf(stderr, "QoS %u: %s came where %u was due\n", qos, text, live.received[qos]);
        die("a message out of order", NULL);
    }
    live.received[qos]++;
}

static void on_event(const struct th_mqtt_event *event)
{
    static const struct th_mqtt_filter all = {.filter = {(const uint8_t *)"live/#", 6},
                                              .qos = TH_MQTT_QOS2};
    switch (event->kind) {
    case TH_MQTT_EVENT_CONNECTED:
        if (th_mqtt_subscribe(&live.mqtt, &all, 1, NULL, 0, NULL) != TH_OK)
            die("subscribe", NULL);
        break;
    case TH_MQTT_EVENT_SUBSCRIBED: live.subscribed = event->u.ack.codes.at[0] == 2; break;
    case TH_MQTT_EVENT_MESSAGE: on_message(&event->u.message); break;
    case TH_MQTT_EVENT_PUBLISHED: live.acknowledged++; break;
    case TH_MQTT_EVENT_CLOSED: live.closed = true; break;
    case TH_MQTT_EVENT_FAILED: die("failed", &event->u.failure); break;
    default: die("an event that was not expected", NULL);
    }
}

static void publish(unsigned qos)
{
    char text[32];
    while (live.published[qos] < live.count) {
        int len = snprintf(text, sizeof text, "%u", live.published[qos]);
        const struct th_mqtt_publish publish = {.topic = topic_of(qos),
                                                .payload = th_span_of(text, (size_t)len),
                                                .qos = (enum th_mqtt_qos)qos};
        enum th_error error = th_mqtt_publish(&live.mqtt, &publish, NULL);
        if (error == TH_ERR_AGAIN || error == TH_ERR_OUTBOX_FULL)
            return;
        if (error != TH_OK)
            die(th_error_text(error), NULL);
        live.published[qos]++;
    }
}

static bool complete(void)
{
    return live.received[0] == live.count && live.received[1] == live.count &&
           live.received[2] == live.count && live.acknowledged == 2 * live.count;
}

static void run(void)
{
    struct th_mqtt_event event;
    bool leaving = false;
    uint32_t begun = th_linux_now(&live.loop);
    while (!live.closed) {
        uint32_t now = th_linux_now(&live.loop);
        while (th_mqtt_next(&live.mqtt, now, &event))
            on_event(&event);
        for (unsigned qos = 0; live.subscribed && qos < 3; qos++)
            publish(qos);
        if (complete() && !leaving)
            leaving = th_mqtt_disconnect(&live.mqtt, 0, NULL, 0) == TH_OK;
        if (now - begun > 30000)
            die("not all messages came within 30 s", NULL);
        uint32_t wait = th_mqtt_deadline(&live.mqtt, now);
        th_linux_wait(&live.loop, wait < 100 ? wait : 100);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    struct th_failure failure;
    struct th_board board;
    struct th_address address = {.family = 4, .bytes = {127, 0, 0, 1}};
    struct th_mqtt_config config = {.version = argv[2][0] == '5' ? &th_mqtt_v5 : &th_mqtt_v311,
                                    .client_id = TH_SPAN("live"),
                                    .clean_start = true,
                                    .rx = live.rx,
                                    .rx_room = sizeof live.rx,
                                    .large = &th_mqtt_large};
    address.port = (uint16_t)strtoul(argv[1], NULL, 10);
    live.count = (unsigned)strtoul(argv[3], NULL, 10);
    config.outbox =
        th_outbox_ram_init(&live.outbox, live.outbox_at, sizeof live.outbox_at, live.inbound, 64);
    if (!th_linux_init(&live.loop, &failure))
        return die("loop", &failure);
    th_linux_net_init(&live.net, &live.loop);
    th_linux_board(&live.net, &board);
    struct th_wire wire = board.net.ops->connect(board.net.ctx, &address);
    while (wire.ops->state(wire.ctx) == TH_STREAM_OPENING)
        th_linux_wait(&live.loop, 100);
    struct th_stream stream = th_plain_init(&live.plain, wire, live.plain_rx, sizeof live.plain_rx,
                                            live.plain_tx, sizeof live.plain_tx);
    if (th_mqtt_init(&live.mqtt, &config) != TH_OK ||
        th_mqtt_connect(&live.mqtt, stream, th_linux_now(&live.loop)) != TH_OK)
        return die("connect", NULL);
    run();
    th_linux_net_close(&live.net);
    th_linux_close(&live.loop);
    return 0;
}

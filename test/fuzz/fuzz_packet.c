/* SPDX-License-Identifier: MIT */
/*
 * A broker that says anything. The first byte gives the version and the buffer, the rest is what
 * comes behind CONNACK. It is shown whole, and again in small pieces: events must be the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mqtt_harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct harness_stream stream;
    struct harness_log log;
    struct th_mqtt mqtt;
    struct th_outbox_ram outbox;
    _Alignas(8) uint8_t outbox_at[1024];
    uint16_t inbound[2];
    uint8_t alias_rx[32], tx[128];
    uint8_t *rx;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void publish_both(struct th_mqtt *mqtt)
{
    static const struct th_mqtt_filter filter = {.filter = {(const uint8_t *)"a", 1}};
    struct th_mqtt_publish publish = {.topic = TH_SPAN("t")};
    for (publish.qos = TH_MQTT_QOS1; publish.qos <= TH_MQTT_QOS2; publish.qos++)
        check(th_mqtt_publish(mqtt, &publish, NULL) == TH_OK);
    check(th_mqtt_subscribe(mqtt, &filter, 1, NULL, 0, NULL) == TH_OK);
}

static void play(struct run *run, uint8_t kind, struct th_span said, size_t grain)
{
    struct th_mqtt_event event;
    size_t room = 64 + (kind >> 2) * 4u;
    *run = (struct run){.stream = {.in = said, .grain = grain, .end = true}};
    run->rx = malloc(room);
    run->stream.tx = run->tx;
    run->stream.tx_room = sizeof run->tx;
    struct th_mqtt_config config = {.version = (kind & 1) != 0 ? &th_mqtt_v5 : &th_mqtt_v311,
                                    .client_id = TH_SPAN("f"),
                                    .receive_maximum = (kind & 2) != 0 ? 2 : 0,
                                    .rx = run->rx,
                                    .rx_room = room,
                                    .large = &th_mqtt_large,
                                    .aliasing = &th_mqtt_aliasing,
                                    .auth = &th_mqtt_auth_steps,
                                    .alias_rx = run->alias_rx,
                                    .alias_rx_room = sizeof run->alias_rx,
                                    .alias_rx_maximum = 3};
    config.outbox =
        th_outbox_ram_init(&run->outbox, run->outbox_at, sizeof run->outbox_at, run->inbound, 2);
    check(run->rx != NULL && th_mqtt_init(&run->mqtt, &config) == TH_OK);
    check(th_mqtt_connect(&run->mqtt, harness_stream(&run->stream), 0) == TH_OK);
    for (unsigned turn = 0; th_mqtt_state(&run->mqtt) != TH_MQTT_IDLE; turn++) {
        check(turn <= 3 * said.len + 10);
        while (th_mqtt_next(&run->mqtt, 0, &event)) {
            if (event.kind == TH_MQTT_EVENT_CONNECTED)
                publish_both(&run->mqtt);
            harness_log_event(&run->log, &event);
        }
    }
    free(run->rx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole, pieces;
    static uint8_t said[4096];
    static const uint8_t connack[] = {0x20, 2, 0, 0, 0};
    if (size < 1 || size > sizeof said - 8)
        return 0;
    bool v5 = (data[0] & 1) != 0;
    size_t head = v5 ? 5 : 4;
    memcpy(said, connack, head);
    said[1] = v5 ? 3 : 2;
    memcpy(said + head, data + 1, size - 1);
    struct th_span all = th_span_of(said, head + size - 1);
    play(&whole, data[0], all, 0);
    play(&pieces, data[0], all, 1 + data[0] % 5);
    /* How many acknowledgements have left in between decides about Receive Maximum. */
    bool counted = strstr(whole.log.text, "RECEIVE_MAXIMUM") != NULL ||
                   strstr(pieces.log.text, "RECEIVE_MAXIMUM") != NULL;
    if (!counted && strcmp(whole.log.text, pieces.log.text) != 0) {
        fprintf(stderr, "%s\n%s\n", whole.log.text, pieces.log.text);
        abort();
    }
    return 0;
}

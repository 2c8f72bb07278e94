/* SPDX-License-Identifier: MIT */
/* What scripts/footprint measures as "the MQTT client": connect, publish at QoS 0 to 2, pipelined,
 * subscribe, receive, keep alive. Only the library's code counts; this file, and the stream that
 * goes nowhere, do not. With TH_BOTH_VERSIONS the version is chosen at run time. */
#include <string.h>
#include <thimble/mqtt.h>

#include "../../ports/common/host.h"
#include "../../ports/common/machine.h"

static uint8_t sink[256];

static enum th_stream_state stream_poll(void *ctx, uint32_t now_ms)
{
    (void)ctx, (void)now_ms;
    return TH_STREAM_OPEN;
}

static struct th_span stream_rx(void *ctx)
{
    (void)ctx;
    return th_span_of(sink, 0);
}

static void stream_rx_taken(void *ctx, size_t len)
{
    (void)ctx, (void)len;
}

static uint8_t *stream_tx(void *ctx, size_t *room)
{
    (void)ctx;
    *room = sizeof(sink);
    return sink;
}

static void stream_tx_put(void *ctx, size_t len)
{
    (void)ctx, (void)len;
}

static void stream_close(void *ctx, bool orderly)
{
    (void)ctx, (void)orderly;
}

static void stream_failure(void *ctx, struct th_failure *out)
{
    (void)ctx;
    memset(out, 0, sizeof(*out));
}

static const struct th_stream_ops stream_ops = {
    .poll = stream_poll,
    .rx = stream_rx,
    .rx_taken = stream_rx_taken,
    .tx = stream_tx,
    .tx_put = stream_tx_put,
    .close = stream_close,
    .failure = stream_failure,
};

static struct th_mqtt mqtt;
static struct th_outbox_ram outbox;
static uint64_t outbox_bytes[64];
static uint16_t inbound[8];
static uint8_t rx[256];

static const struct th_mqtt_version *version(void)
{
#ifdef TH_BOTH_VERSIONS
    return th_host_param_number("version", 4) == 5 ? &th_mqtt_v5 : &th_mqtt_v311;
#else
    return &th_mqtt_v311;
#endif
}

static void publish_all(void)
{
    for (unsigned qos = 0; qos <= 2; qos++) {
        struct th_mqtt_publish publish = {
            .topic = TH_SPAN("a"), .payload = TH_SPAN("b"), .qos = (enum th_mqtt_qos)qos};
        th_mqtt_publish(&mqtt, &publish, NULL);
    }
}

int th_main(void)
{
    th_machine_start();
    struct th_mqtt_config config = {
        .version = version(),
        .client_id = TH_SPAN("id"),
        .rx = rx,
        .rx_room = sizeof(rx),
        .outbox = th_outbox_ram_init(&outbox, (uint8_t *)outbox_bytes, sizeof(outbox_bytes),
                                     inbound, sizeof(inbound) / sizeof(inbound[0])),
    };
    struct th_mqtt_filter filter = {.filter = TH_SPAN("c/#"), .qos = TH_MQTT_QOS2};
    struct th_mqtt_event event;
    uint32_t seen = 0;

    th_mqtt_init(&mqtt, &config);
    th_mqtt_connect(&mqtt, (struct th_stream){&stream_ops, NULL}, th_timer_now_ms());
    th_mqtt_subscribe(&mqtt, &filter, 1, NULL, 0, NULL);
    publish_all();
    while (th_mqtt_next(&mqtt, th_timer_now_ms(), &event))
        seen += event.kind;
    return (int)(seen + th_mqtt_deadline(&mqtt, th_timer_now_ms()));
}

/* SPDX-License-Identifier: MIT */
/* R10: any bytes as response topic and frame of a request: no harm, and the answer is JSON in a
 * topic of the caller's. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <thimble/rpc_mqtt.h>
#include <thimble/topic.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(void *ctx, struct th_rpc_call *call)
{
    char text[11];

    (void)ctx;
    th_rpc_text(call, 1, text, sizeof text);
    th_json_put_integer(call->result, th_rpc_integer(call, 0, 1));
}

static const struct th_rpc_param params[] = {
    {"n", TH_RPC_INTEGER, false, -5, 5, "number"},
    {"t", TH_RPC_TEXT, false, 0, 10, "text"},
};
static const struct th_rpc_method methods[] = {
    {"Do", TH_ROLE_VIEWER, true, 2, params, "Does.", run},
};

static void check(struct th_span topic, struct th_span frame)
{
    static const char own[] = "d/to/op";
    struct th_json answer;
    size_t at;

    if (!th_topic_name_valid(topic) || topic.len < sizeof own ||
        memcmp(topic.at, own, sizeof own - 1) != 0 || topic.at[sizeof own - 1] != '/')
        abort();
    if (th_json_parse(frame, &answer, &at) != TH_OK)
        abort();
}

/* As src/rpc/mqtt.c lays it out: three lengths, then the parts. */
static void check_queue(const struct th_rpc_mqtt *front)
{
    for (size_t at = 0; at < front->used;) {
        uint16_t lens[3];
        memcpy(lens, front->queue + at, sizeof lens);
        at += sizeof lens;
        check(th_span_of(front->queue + at, lens[0]),
              th_span_of(front->queue + at + lens[0] + lens[1], lens[2]));
        at += (size_t)lens[0] + lens[1] + lens[2];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t trust[] = {'T', 'H', 'T', 'S', 1, 7, 0, 3, 0, 2, 'o', 'p'};
    struct th_rpc rpc;
    uint8_t queue[TH_RPC_QUEUE_MIN];
    struct th_rpc_mqtt front;
    const struct th_rpc_set set = {methods, 1, NULL}, own = {th_rpc_methods, 2, &rpc};

    if (size < 2 || (size_t)data[0] + 1 > size)
        return 0;
    struct th_span response = th_span_of(data + 1, data[0]);
    uint8_t properties[3 + UINT8_MAX] = {TH_MQTT_RESPONSE_TOPIC, 0, (uint8_t)response.len};
    memcpy(properties + 3, response.at, response.len);
    /* The session lets no other text through. */
    size_t properties_len = th_topic_filter_valid(response) ? 3 + response.len : 0;
    th_rpc_init(&rpc, TH_SPAN("d"));
    th_rpc_add(&rpc, &set);
    th_rpc_add(&rpc, &own);
    th_rpc_mqtt_init(&front, &rpc, queue, sizeof queue);
    const struct th_mqtt_event event = {
        .kind = TH_MQTT_EVENT_MESSAGE,
        .u.message = {.topic = TH_SPAN("d/from/op/rpc"),
                      .properties = th_span_of(properties, properties_len),
                      .payload = th_span_of(data + 1 + data[0], size - 1 - data[0])}};
    for (int i = 0; i < 3; i++)
        th_rpc_mqtt_take(&front, &event, th_span_of(trust, sizeof trust),
                         (struct th_rpc_moment){1, 1});
    check_queue(&front);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* Requests over MQTT and the console: include/thimble/rpc_mqtt.h, rpc_serial.h. F6, F11, R10. */
#include <stdio.h>
#include <stdlib.h>

#include <thimble/rpc_mqtt.h>
#include <thimble/rpc_serial.h>

#include "bench.h"
#include "mqtt_harness.h"

struct front {
    struct bench *bench;
    unsigned times;
    struct th_rpc rpc;
    struct th_rpc_set set;
    struct th_rpc_mqtt mqtt;
    uint8_t queue[TH_RPC_QUEUE_MIN], trust[256];
    size_t trust_len;
};

static void on(void *ctx, struct th_rpc_call *call)
{
    ((struct front *)ctx)->times++;
    th_json_put_bool(call->result, true);
}

static void long_result(void *ctx, struct th_rpc_call *call)
{
    static char x[900];

    (void)ctx;
    memset(x, 'x', sizeof x);
    th_json_put_string(call->result, th_span_of(x, sizeof x));
}

static const struct th_rpc_method methods[] = {
    {.name = "On", .role = TH_ROLE_OPERATOR, .acts = true, .help = "On.", .run = on},
    {.name = "Long", .role = TH_ROLE_VIEWER, .help = "Long.", .run = long_result},
};

static void grant(struct front *front, const char *name, enum th_role role)
{
    const struct th_trust_item item = {
        .kind = TH_ITEM_ROLE, .bytes = th_span_str(name), .role = role};

    assert_int_equal(th_trust_set_add(front->trust, sizeof front->trust, &front->trust_len, &item),
                     TH_OK);
}

static struct front *front_of(struct bench *bench)
{
    struct front *front = calloc(1, sizeof *front);

    front->bench = bench;
    front->set = (struct th_rpc_set){methods, 2, front};
    th_rpc_init(&front->rpc, TH_SPAN("garden"));
    assert_true(th_rpc_add(&front->rpc, &front->set));
    th_rpc_mqtt_init(&front->mqtt, &front->rpc, front->queue, sizeof front->queue);
    grant(front, "op", TH_ROLE_OPERATOR);
    grant(front, "eve", TH_ROLE_VIEWER);
    bench_connect(bench, false, "");
    return front;
}

static bool take(struct front *front, const char *topic, const char *text, const char *properties,
                 bool retain)
{
    uint8_t bytes[256];
    size_t len = harness_hex(properties, bytes, sizeof bytes);
    const struct th_mqtt_event event = {.kind = TH_MQTT_EVENT_MESSAGE,
                                        .u.message = {.topic = th_span_str(topic),
                                                      .payload = th_span_str(text),
                                                      .properties = th_span_of(bytes, len),
                                                      .retain = retain}};

    return th_rpc_mqtt_take(&front->mqtt, &event, th_span_of(front->trust, front->trust_len),
                            (struct th_rpc_moment){0, 0});
}

/* What was published, as "topic payload". */
static const char *answer(struct front *front)
{
    static char text[2048];

    th_rpc_mqtt_send(&front->mqtt, &front->bench->mqtt);
    bench_run(front->bench);
    struct bench_publish sent = next_publish(front->bench);
    broker_acks(front->bench, 0x40, sent.id);
    expect_event(front->bench, TH_MQTT_EVENT_PUBLISHED);
    snprintf(text, sizeof text, "%.*s %.*s", (int)sent.topic.len, (const char *)sent.topic.at,
             (int)sent.payload.len, (const char *)sent.payload.at);
    return text;
}

#define ASK "{\"id\":1,\"method\":\"On\"}"

static void the_caller_is_the_topics_and_the_answer_is_his(void **state) /* F6 */
{
    struct front *front = front_of(*state);

    assert_true(take(front, "garden/from/op/rpc", ASK, "", false));
    assert_string_equal(answer(front),
                        "garden/to/op/rpc "
                        "{\"id\":1,\"src\":\"garden\",\"dst\":\"op\",\"result\":true}");
    assert_true(take(front, "garden/from/op/rpc",
                     "{\"id\":1,\"src\":\"garden/to/op/x\",\"method\":\"On\"}", "", false));
    assert_non_null(strstr(answer(front), "garden/to/op/x/rpc {"));
    assert_true(take(front, "garden/from/op/rpc",
                     "{\"id\":1,\"src\":\"garden/to/op\",\"method\":\"On\"}", "", false));
    assert_non_null(strstr(answer(front), "garden/to/op/rpc {"));
    assert_int_equal(front->times, 3);
    free(front);
}

static void a_forged_caller_gains_nothing(void **state) /* F6 */
{
    static const char *const src[] = {
        "garden/to/op",   "op", "garden/to/evel", "garden/to/eve/#", "garden/to/eve/+",
        "garden/from/op", "#",  "garden/to"};
    struct front *front = front_of(*state);
    char text[128];

    assert_true(take(front, "garden/from/eve/rpc", ASK, "", false));
    assert_non_null(strstr(answer(front), "garden/to/eve/rpc {\"id\":1,\"src\":\"garden\",\"dst\":"
                                          "\"eve\",\"error\":{\"code\":403"));
    for (size_t i = 0; i < sizeof src / sizeof src[0]; i++) {
        snprintf(text, sizeof text, "{\"id\":1,\"src\":\"%s\",\"method\":\"On\"}", src[i]);
        assert_true(take(front, "garden/from/eve/rpc", text, "", false));
        const char *got = answer(front);
        assert_memory_equal(got, "garden/to/eve/rpc {", 19);
        assert_non_null(strstr(got, "\"code\":400"));
    }
    assert_true(take(front, "garden/from/mallory/rpc", ASK, "", false));
    assert_non_null(strstr(answer(front), "garden/to/mallory/rpc "));
    assert_int_equal(front->times, 0);
    free(front);
}

static void topics_of_others_are_left_alone(void **state)
{
    static const char *const topics[] = {
        "garden/from/op",      "garden/from/op/rpc/x",
        "garden/from/rpc",     "garden/from//rpc",
        "garden2/from/op/rpc", "gard/from/op/rpc",
        "garden/to/op/rpc",    "x",
        "garden/from/a/b/rpc", "garden/from/123456789012345678901234567890123/rpc",
    };
    struct front *front = front_of(*state);

    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
        assert_false(take(front, topics[i], ASK, "", false));
    assert_int_equal(front->times, 0);
    assert_true(th_rpc_mqtt_send(&front->mqtt, &front->bench->mqtt));
    expect_nothing_sent(front->bench);
    free(front);
}

static void a_retained_request_is_refused(void **state) /* F11 */
{
    struct front *front = front_of(*state);

    assert_true(take(front, "garden/from/op/rpc", ASK, "", true));
    assert_non_null(strstr(answer(front), "retained"));
    assert_int_equal(front->times, 0);
    free(front);
}

static void a_response_topic_of_the_callers_own_is_used(void **state)
{
    struct front *front = front_of(*state);

    assert_true(
        take(front, "garden/from/op/rpc", ASK, "08 00 ('garden/to/op/mine') 09 00 02 BEEF", false));
    th_rpc_mqtt_send(&front->mqtt, &front->bench->mqtt);
    bench_run(front->bench);
    struct bench_publish sent = next_publish(front->bench);
    struct th_mqtt_property property;
    assert_true(span_is(sent.topic, "garden/to/op/mine"));
    assert_true(th_mqtt_property_find(sent.properties, TH_MQTT_CORRELATION_DATA, &property));
    assert_int_equal(property.text.len, 2);
    assert_memory_equal(property.text.at, "\xBE\xEF", 2);
    assert_int_equal(front->times, 1);
    free(front);
}

static void any_other_response_topic_is_refused(void **state) /* F6 */
{
    static const char *const properties[] = {
        "08 00 ('garden/to/eve/x')", "08 00 ('garden/to/op')",   "08 00 ('garden/to/op2/x')",
        "08 00 ('garden/status')",   "08 00 ('garden/to/op/#')",
    };
    struct front *front = front_of(*state);

    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        assert_true(take(front, "garden/from/op/rpc", ASK, properties[i], false));
        const char *got = answer(front);
        assert_memory_equal(got, "garden/to/op/rpc {", 18);
        assert_non_null(strstr(got, "response topic"));
    }
    assert_int_equal(front->times, 0);
    free(front);
}

static void a_flood_is_told_busy_and_nothing_is_half_done(void **state)
{
    struct front *front = front_of(*state);
    unsigned done = 0, busy = 0;

    for (unsigned i = 0; i < 100; i++)
        assert_true(take(front, "garden/from/op/rpc", ASK, "", false));
    assert_true(front->times > 0 && front->times < 100);
    while (front->mqtt.used > 0) {
        th_rpc_mqtt_send(&front->mqtt, &front->bench->mqtt);
        bench_run(front->bench);
        while (front->bench->out_seen < front->bench->out_to) {
            struct bench_publish sent = next_publish(front->bench);
            char text[512];
            snprintf(text, sizeof text, "%.*s", (int)sent.payload.len,
                     (const char *)sent.payload.at);
            done += strstr(text, "\"result\":true") != NULL;
            busy += strstr(text, "\"code\":503") != NULL;
        }
    }
    assert_int_equal(done, front->times);
    assert_true(busy > 0);
    assert_int_equal(done + busy + front->mqtt.refused, 100);
    assert_true(take(front, "garden/from/op/rpc", ASK, "", false));
    assert_int_equal(front->times, done + 1);
    free(front);
}

static void answers_wait_until_the_session_takes_them(void **state)
{
    struct front *front = front_of(*state);

    assert_true(take(front, "garden/from/op/rpc", "{\"id\":1,\"method\":\"Long\"}", "", false));
    assert_true(front->mqtt.used > 0);
    while (publish(front->bench, TH_MQTT_QOS1, "fill", "xxxxxxxxxxxxxxxxxxxxxxxx", NULL) == TH_OK)
        ;
    assert_false(th_rpc_mqtt_send(&front->mqtt, &front->bench->mqtt));
    assert_true(front->mqtt.used > 0);
    th_rpc_mqtt_drop(&front->mqtt);
    assert_true(th_rpc_mqtt_send(&front->mqtt, &front->bench->mqtt));
    free(front);
}

static void a_request_in_pieces_is_too_large(void **state)
{
    struct front *front = front_of(*state);
    const struct th_mqtt_event event = {
        .kind = TH_MQTT_EVENT_BEGIN,
        .u.message = {.topic = TH_SPAN("garden/from/op/rpc"), .payload_len = 100000}};

    assert_true(th_rpc_mqtt_take(&front->mqtt, &event, th_span_of(front->trust, front->trust_len),
                                 (struct th_rpc_moment){0, 0}));
    assert_non_null(strstr(answer(front), "\"code\":413"));
    free(front);
}

static void the_filter_names_all_callers(void **state)
{
    struct front *front = front_of(*state);
    char filter[40];

    assert_int_equal(th_rpc_mqtt_filter(&front->mqtt, filter, sizeof filter), 17);
    assert_string_equal(filter, "garden/from/+/rpc");
    free(front);
}

/* ---- the console ---- */

static const char *type(struct th_rpc_serial *serial, const char *text)
{
    static uint8_t into[512];
    static char all[2048];
    size_t len = 0;

    for (; *text; text++) {
        struct th_span got = th_rpc_serial_take(serial, (uint8_t)*text,
                                                (struct th_rpc_moment){0, 0}, into, sizeof into);
        memcpy(all + len, got.at, got.len);
        len += got.len;
    }
    all[len] = '\0';
    return all;
}

static void the_console_takes_a_frame_a_line(void **state)
{
    struct front *front = front_of(*state);
    struct th_rpc_serial *serial = calloc(1, sizeof *serial);
    static char large[TH_RPC_FRAME_MAX + 20];

    th_rpc_serial_init(serial, &front->rpc, TH_ROLE_ADMIN);
    assert_string_equal(type(serial, "AT\r\n\r\n" ASK "\r\n"),
                        "{\"id\":1,\"src\":\"garden\",\"dst\":\"console\",\"result\":true}");
    assert_string_equal(type(serial, "{\"method\":\"On\"}\n"), "");
    assert_non_null(strstr(type(serial, "{\"id\":1,\n"), "\"code\":400"));
    memset(large, ' ', sizeof large - 2);
    memcpy(large, ASK, sizeof ASK - 1);
    large[sizeof large - 2] = '\n';
    assert_non_null(strstr(type(serial, large), "\"code\":413"));
    assert_non_null(strstr(type(serial, ASK "\n"), "true"));
    assert_int_equal(front->times, 3);
    free(serial);
    free(front);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(the_caller_is_the_topics_and_the_answer_is_his),
        ONLY_5(a_forged_caller_gains_nothing),
        ONLY_311(topics_of_others_are_left_alone),
        ONLY_311(a_retained_request_is_refused),
        ONLY_5(a_response_topic_of_the_callers_own_is_used),
        ONLY_5(any_other_response_topic_is_refused),
        BOTH(a_flood_is_told_busy_and_nothing_is_half_done),
        ONLY_311(answers_wait_until_the_session_takes_them),
        ONLY_311(a_request_in_pieces_is_too_large),
        ONLY_311(the_filter_names_all_callers),
        ONLY_311(the_console_takes_a_frame_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

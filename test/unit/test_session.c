/* SPDX-License-Identifier: MIT */
/* What the session promises beyond the letter of the specification: include/thimble/mqtt.h. */
#include <stdio.h>

#include "bench.h"

static uint32_t announced_receive_maximum(struct bench *bench)
{
    struct bench_connect sent = next_connect(bench);
    return th_mqtt_property_number(sent.properties, TH_MQTT_RECEIVE_MAXIMUM, UINT16_MAX);
}

static void receive_maximum_is_what_the_outbox_can_remember(void **state)
{
    struct bench *bench = *state;
    bench_start(bench);
    assert_int_equal(announced_receive_maximum(bench), 8);
    bench_again(bench);
    bench->config.receive_maximum = 3;
    bench_start(bench);
    assert_int_equal(announced_receive_maximum(bench), 3);
}

static unsigned publishes_sent(struct bench *bench)
{
    unsigned count = 0;
    while (bench->out_seen < bench->out_to) {
        assert_int_equal(next_sent(bench).first >> 4, 3);
        count++;
    }
    return count;
}

static void without_a_receive_maximum_twenty_messages_are_in_flight(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    for (unsigned i = 0; i < 25; i++)
        assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "x", NULL), TH_OK);
    bench_run(bench);
    assert_int_equal(publishes_sent(bench), TH_MQTT_INFLIGHT_311);
    broker_acks(bench, 0x40, 1);
    assert_int_equal(publishes_sent(bench), 1);
}

static void messages_held_back_leave_in_order(void **state)
{
    struct bench *bench = *state;
    uint16_t ids[6];
    bench->config.inflight_maximum = 2;
    bench_connect(bench, false, "");
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "x", &ids[i]), TH_OK);
    bench_run(bench);
    for (unsigned i = 0; i < 6; i++) {
        expect_publish_sent(bench, 0x32, ids[i], "a");
        if (i > 0)
            broker_acks(bench, 0x40, ids[i - 1]);
    }
    broker_acks(bench, 0x40, ids[5]);
    assert_int_equal(th_mqtt_pending(&bench->mqtt), 0);
}

static void what_a_later_broker_does_not_take_comes_back_with_the_reason(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_publish retained = {
        .topic = TH_SPAN("kept"), .qos = TH_MQTT_QOS1, .retain = true};
    static char large[70];
    memset(large, 'l', sizeof large - 1);
    uint16_t above, kept, long_one, good;
    bench_connect(bench, false, "");
    bench_cut(bench);
    assert_int_equal(publish(bench, TH_MQTT_QOS2, "a", "x", &above), TH_OK);
    assert_int_equal(th_mqtt_publish(&bench->mqtt, &retained, &kept), TH_OK);
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", large, &long_one), TH_OK);
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "fits", &good), TH_OK);
    bench_start(bench);
    next_connect(bench);
    broker_accepts(bench, false, "24 01 25 00 27 00000040");
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    static const uint8_t reasons[] = {0x9B, 0x9A, 0x95};
    const uint16_t ids[] = {above, kept, long_one};
    for (size_t i = 0; i < 3; i++) {
        const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_PUBLISHED);
        assert_int_equal(event->id, ids[i]);
        assert_int_equal(event->reason_code, reasons[i]);
    }
    expect_publish_sent(bench, 0x32, good, "a");
    assert_int_equal(th_mqtt_pending(&bench->mqtt), 1);
}

static void released_messages_are_done_with_when_the_broker_forgot_the_session(void **state)
{
    struct bench *bench = *state;
    uint16_t id;
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, TH_MQTT_QOS2, "a", "x", &id), TH_OK);
    bench_run(bench);
    expect_publish_sent(bench, 0x34, id, "a");
    broker_acks(bench, 0x50, id);
    expect_ack_sent(bench, 0x62, id);
    bench_cut(bench);
    bench_start(bench);
    next_connect(bench);
    broker_accepts(bench, false, "");
    assert_true(expect_event(bench, TH_MQTT_EVENT_CONNECTED)->connack.resent_as_new);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_PUBLISHED)->id, id);
    expect_nothing_sent(bench);
}

static void what_was_published_leaves_before_disconnect(void **state)
{
    struct bench *bench = *state;
    uint16_t first, second;
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "x", &first), TH_OK);
    assert_int_equal(publish(bench, TH_MQTT_QOS2, "b", "y", &second), TH_OK);
    enum th_error error = th_mqtt_disconnect(&bench->mqtt, 0, NULL, 0);
    if (error == TH_ERR_AGAIN) { /* not where messages leave at once */
        bench_run(bench);
        error = th_mqtt_disconnect(&bench->mqtt, 0, NULL, 0);
    }
    assert_int_equal(error, TH_OK);
    bench_run(bench);
    expect_publish_sent(bench, 0x32, first, "a");
    expect_publish_sent(bench, 0x34, second, "b");
    assert_int_equal(next_sent(bench).first, 0xE0);
}

/* It would wait for ever. */
static void what_the_broker_does_not_take_now_does_not_hold_disconnect_up(void **state)
{
    struct bench *bench = *state;
    uint16_t first;
    bench->config.inflight_maximum = 1;
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "x", &first), TH_OK);
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "y", NULL), TH_OK);
    bench_run(bench);
    assert_int_equal(th_mqtt_disconnect(&bench->mqtt, 0, NULL, 0), TH_OK);
    bench_run(bench);
    expect_publish_sent(bench, 0x32, first, "a");
    assert_int_equal(next_sent(bench).first, 0xE0);
    assert_int_equal(th_mqtt_pending(&bench->mqtt), 2);
}

static void what_was_shown_is_acknowledged_before_disconnect(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_event event;
    bench_connect(bench, false, "");
    static const uint8_t publish_311[] = {0x32, 6, 0, 1, 'a', 0, 7, 'x'};
    static const uint8_t publish_5[] = {0x32, 7, 0, 1, 'a', 0, 7, 0, 'x'};
    size_t len = bench->v5 ? sizeof publish_5 : sizeof publish_311;
    memcpy(bench->to_client + bench->in_to, bench->v5 ? publish_5 : publish_311, len);
    bench->in_to += len;
    while (!th_mqtt_next(&bench->mqtt, bench->now_ms, &event))
        continue;
    assert_int_equal(event.kind, TH_MQTT_EVENT_MESSAGE);
    expect_nothing_sent(bench);
    assert_int_equal(th_mqtt_disconnect(&bench->mqtt, 0, NULL, 0), TH_OK);
    assert_true(th_mqtt_next(&bench->mqtt, bench->now_ms, &event));
    assert_int_equal(event.kind, TH_MQTT_EVENT_CLOSED);
    expect_ack_sent(bench, 0x40, 7);
    expect_sent(bench, "E0 00");
    assert_true(bench->closed);
}

/* R8 */
static void keep_alive_outlives_the_wrap_of_the_counter(void **state)
{
    struct bench *bench = *state;
    bench->now_ms = UINT32_MAX - 30500;
    bench->config.keep_alive_s = 60;
    bench_connect(bench, false, "");
    bench_wait(bench, 59);
    expect_nothing_sent(bench);
    assert_in_range(th_mqtt_deadline(&bench->mqtt, bench->now_ms), 1, 1000);
    bench_wait(bench, 2);
    expect_sent(bench, "C0 00");
    expect_no_event(bench);
    bench_wait(bench, 30);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_FAILED)->failure.error,
                     TH_ERR_KEEP_ALIVE_TIMEOUT);
}

static void a_configuration_that_cannot_work_is_refused(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt mqtt;
    struct th_mqtt_config config = bench->config;
    config.rx_room = 63;
    assert_int_equal(th_mqtt_init(&mqtt, &config), TH_ERR_CONFIG);
    config = bench->config;
    config.version = NULL;
    assert_int_equal(th_mqtt_init(&mqtt, &config), TH_ERR_CONFIG);
    config = bench->config;
    config.alias_rx_maximum = 100;
    config.alias_rx_room = 199;
    assert_int_equal(th_mqtt_init(&mqtt, &config), TH_ERR_CONFIG);
    config.alias_rx_room = 200;
    assert_int_equal(th_mqtt_init(&mqtt, &config), TH_OK);
    config.aliasing = NULL;
    assert_int_equal(th_mqtt_init(&mqtt, &config), TH_ERR_CONFIG);
    config = bench->config;
    config.alias_count = 33;
    assert_int_equal(th_mqtt_init(&mqtt, &config), TH_ERR_CONFIG);
}

/* Enhanced authentication is linked by who names it. */
static void a_method_without_what_takes_its_steps_is_refused(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt mqtt;
    const struct th_mqtt_property method = {.id = TH_MQTT_AUTH_METHOD, .text = TH_SPAN("m")};
    struct th_mqtt_config config = bench->config;
    config.version = &th_mqtt_v5;
    config.properties = &method;
    config.property_count = 1;
    assert_int_equal(th_mqtt_init(&mqtt, &config), TH_OK);
    config.auth = NULL;
    assert_int_equal(th_mqtt_init(&mqtt, &config), TH_ERR_INVALID);
}

static void without_enhanced_authentication_auth_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench->config.auth = NULL;
    bench_connect(bench, false, "");
    broker_sends(bench, "F0 00");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
    bench_again(bench);
    bench_start(bench);
    next_connect(bench);
    broker_sends(bench, "20 07 00 00 04 15 0001 'm'");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void calls_that_do_not_fit_the_state_say_so(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_event event;
    bench_connect(bench, false, "");
    assert_int_equal(th_mqtt_connect(&bench->mqtt, (struct th_stream){NULL, NULL}, 0),
                     TH_ERR_BAD_STATE);
    bench_cut(bench);
    assert_int_equal(th_mqtt_state(&bench->mqtt), TH_MQTT_IDLE);
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "a", "x", NULL), TH_ERR_NOT_CONNECTED);
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "a", NULL), TH_ERR_NOT_CONNECTED);
    assert_int_equal(unsubscribe(bench, "a", NULL), TH_ERR_NOT_CONNECTED);
    assert_int_equal(th_mqtt_disconnect(&bench->mqtt, 0, NULL, 0), TH_ERR_BAD_STATE);
    assert_false(th_mqtt_next(&bench->mqtt, 0, &event));
    assert_int_equal(th_mqtt_deadline(&bench->mqtt, 0), TH_FOREVER);
}

static void without_an_outbox_there_is_qos_0_only(void **state)
{
    struct bench *bench = *state;
    bench_again(bench);
    bench->config.outbox = (struct th_outbox){NULL, NULL};
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "x", NULL), TH_ERR_NO_OUTBOX);
    assert_int_equal(subscribe(bench, TH_MQTT_QOS2, "a", NULL), TH_ERR_NO_OUTBOX);
    assert_int_equal(subscribe(bench, TH_MQTT_QOS1, "a", NULL), TH_OK);
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "a", "x", NULL), TH_OK);
    broker_publishes(bench, 2, 5, "a", "x");
    expect_message(bench, "a", "x");
    broker_publishes(bench, 4, 6, "a", "x");
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_FAILED)->failure.error,
                     TH_ERR_MEMORY_INBOUND_QOS2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ONLY_5(receive_maximum_is_what_the_outbox_can_remember),
        ONLY_311(without_a_receive_maximum_twenty_messages_are_in_flight),
        BOTH(messages_held_back_leave_in_order),
        ONLY_5(what_a_later_broker_does_not_take_comes_back_with_the_reason),
        BOTH(released_messages_are_done_with_when_the_broker_forgot_the_session),
        BOTH(what_was_published_leaves_before_disconnect),
        BOTH(what_the_broker_does_not_take_now_does_not_hold_disconnect_up),
        BOTH(what_was_shown_is_acknowledged_before_disconnect),
        BOTH(keep_alive_outlives_the_wrap_of_the_counter),
        BOTH(a_configuration_that_cannot_work_is_refused),
        ONLY_5(a_method_without_what_takes_its_steps_is_refused),
        ONLY_5(without_enhanced_authentication_auth_ends_the_connection),
        BOTH(calls_that_do_not_fit_the_state_say_so),
        BOTH(without_an_outbox_there_is_qos_0_only),
    };
    return cmocka_run_group_tests_name("the session's own promises", tests, NULL, NULL);
}

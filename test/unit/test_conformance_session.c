/* SPDX-License-Identifier: MIT */
/* Sessions over connections: sections 3.1.2.4, 3.2.2 and 4.1 of both specifications. */
#include "bench.h"

/* One message of each kind is left in the middle: an inbound QoS 2 message before PUBREL, a QoS 1
 * message without PUBACK, and a QoS 2 message without PUBCOMP. */
static void leave_a_session(struct bench *bench, uint16_t *published, uint16_t *released)
{
    bench_connect(bench, false, "");
    broker_publishes(bench, 0x4, 5, "in", "x");
    expect_message(bench, "in", "x");
    expect_ack_sent(bench, 0x50, 5);
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "out", "x", published), TH_OK);
    assert_int_equal(publish(bench, TH_MQTT_QOS2, "out", "x", released), TH_OK);
    next_publish(bench);
    next_publish(bench);
    broker_acks(bench, 0x50, *released);
    expect_ack_sent(bench, 0x62, *released);
}

/* Of the session left behind only what the application published goes on, and as a new message. A
 * QoS 2 message after PUBREC was the broker's: it is done with, and no PUBREL follows. Inbound
 * identifier 5 is not known any more: the same packet is a new message. */
static void expect_new_session(struct bench *bench, uint16_t released)
{
    assert_int_equal(next_publish(bench).first, 0x32);
    expect_nothing_sent(bench);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_PUBLISHED)->id, released);
    broker_publishes(bench, 0xC, 5, "in", "x");
    expect_message(bench, "in", "x");
    expect_ack_sent(bench, 0x50, 5);
}

static void a_session_goes_on_after_a_disconnection(void **state)
{
    struct bench *bench = *state;
    uint16_t published, released;
    leave_a_session(bench, &published, &released);
    bench_cut(bench);
    bench_start(bench);
    assert_int_equal(next_connect(bench).flags & 0x02, 0);
    broker_accepts(bench, true, "");
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    expect_publish_sent(bench, 0x3A, published, "out");
    expect_ack_sent(bench, 0x62, released);
    broker_publishes(bench, 0xC, 5, "in", "x");
    expect_ack_sent(bench, 0x50, 5);
    expect_still_connected(bench);
}

static void a_session_outlives_an_orderly_end(void **state)
{
    struct bench *bench = *state;
    uint16_t published, released;
    leave_a_session(bench, &published, &released);
    assert_int_equal(th_mqtt_disconnect(&bench->mqtt, 0, NULL, 0), TH_OK);
    bench_run(bench);
    expect_event(bench, TH_MQTT_EVENT_CLOSED);
    bench->event_seen = bench->event_count = 0;
    bench_connect(bench, true, "");
    expect_publish_sent(bench, 0x3A, published, "out");
    expect_ack_sent(bench, 0x62, released);
    broker_publishes(bench, 0xC, 5, "in", "x");
    expect_ack_sent(bench, 0x50, 5);
    expect_still_connected(bench);
}

static void a_session_is_kept_while_its_connection_stands(void **state)
{
    struct bench *bench = *state;
    uint16_t published, released;
    bench->config.clean_start = true;
    bench->config.session_expiry_s = 0;
    leave_a_session(bench, &published, &released);
    bench_wait(bench, 60);
    expect_sent(bench, "C0 00");
    broker_sends(bench, "D0 00");
    broker_publishes(bench, 0xC, 5, "in", "x");
    expect_ack_sent(bench, 0x50, 5);
    broker_acks(bench, 0x70, released);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_PUBLISHED)->id, released);
    broker_acks(bench, 0x40, published);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_PUBLISHED)->id, published);
    expect_still_connected(bench);
}

static void a_clean_start_discards_the_session(void **state)
{
    struct bench *bench = *state;
    uint16_t published, released;
    bench->config.clean_start = true;
    leave_a_session(bench, &published, &released);
    bench_cut(bench);
    bench_start(bench);
    assert_int_equal(next_connect(bench).flags & 0x02, 0x02);
    broker_accepts(bench, false, "");
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    assert_true(event->connack.resent_as_new);
    expect_new_session(bench, released);
}

static void without_a_session_at_the_server_ours_is_discarded(void **state)
{
    struct bench *bench = *state;
    uint16_t published, released;
    leave_a_session(bench, &published, &released);
    bench_cut(bench);
    bench_connect(bench, false, "");
    expect_new_session(bench, released);
}

static void session_present_without_a_session_of_ours_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench->config.session_expiry_s = 0;
    bench_connect(bench, false, "");
    bench_cut(bench);
    bench_start(bench);
    next_connect(bench);
    broker_accepts(bench, true, "");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void without_an_expiry_interval_the_session_ends_with_its_connection(void **state)
{
    struct bench *bench = *state;
    uint16_t published, released;
    bench->config.session_expiry_s = 0;
    leave_a_session(bench, &published, &released);
    bench_cut(bench);
    bench_start(bench);
    struct th_span properties = next_connect(bench).properties;
    assert_int_equal(th_mqtt_property_number(properties, TH_MQTT_SESSION_EXPIRY, 0), 0);
    broker_accepts(bench, false, "");
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    expect_new_session(bench, released);
}

static void the_expiry_interval_of_the_server_replaces_ours(void **state)
{
    struct bench *bench = *state;
    bench->config.session_expiry_s = 3600;
    bench_start(bench);
    struct th_span properties = next_connect(bench).properties;
    assert_int_equal(th_mqtt_property_number(properties, TH_MQTT_SESSION_EXPIRY, 0), 3600);
    broker_accepts(bench, false, "11 00000000");
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    bench_cut(bench);
    bench_start(bench);
    next_connect(bench);
    broker_accepts(bench, true, "");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BOTH(a_session_goes_on_after_a_disconnection),
        BOTH(a_session_outlives_an_orderly_end),
        BOTH(a_session_is_kept_while_its_connection_stands),
        BOTH(a_clean_start_discards_the_session),
        BOTH(without_a_session_at_the_server_ours_is_discarded),
        ONLY_5(session_present_without_a_session_of_ours_ends_the_connection),
        ONLY_5(without_an_expiry_interval_the_session_ends_with_its_connection),
        ONLY_5(the_expiry_interval_of_the_server_replaces_ours),
    };
    return cmocka_run_group_tests_name("conformance: sessions", tests, NULL, NULL);
}

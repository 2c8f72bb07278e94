/* SPDX-License-Identifier: MIT */
/* Flow control and sizes, MQTT 5.0 sections 3.1.2.11, 3.3.4 and 4.9. */
#include "bench.h"

#include <stdio.h>

static uint16_t publish_next(struct bench *bench, enum th_mqtt_qos qos)
{
    uint16_t id;
    assert_int_equal(publish(bench, qos, "a", "x", &id), TH_OK);
    assert_int_equal(next_publish(bench).id, id);
    return id;
}

/* Another PUBLISH is refused for now, or kept back; it does not go out. */
static void expect_quota_used_up(struct bench *bench)
{
    enum th_error error = publish(bench, TH_MQTT_QOS1, "late", "x", NULL);
    assert_true(error == TH_OK || error == TH_ERR_QUOTA);
    expect_nothing_sent(bench);
}

static void no_more_than_receive_maximum_is_unacknowledged(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "21 0003");
    publish_next(bench, TH_MQTT_QOS1);
    publish_next(bench, TH_MQTT_QOS2);
    publish_next(bench, TH_MQTT_QOS1);
    expect_quota_used_up(bench);
    expect_still_connected(bench);
}

static void the_send_quota_starts_at_receive_maximum(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "21 0001");
    publish_next(bench, TH_MQTT_QOS1);
    expect_quota_used_up(bench);
}

static void a_used_up_quota_holds_back_nothing_but_publish(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "21 0001");
    publish_next(bench, TH_MQTT_QOS1);
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "a", "x", NULL), TH_OK);
    assert_int_equal(next_publish(bench).first, 0x30);
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "a", NULL), TH_OK);
    assert_int_equal(next_sent(bench).first, 0x82);
    assert_int_equal(unsubscribe(bench, "a", NULL), TH_OK);
    assert_int_equal(next_sent(bench).first, 0xA2);
    broker_publishes(bench, 0x2, 1, "a", "x");
    expect_ack_sent(bench, 0x40, 1);
    broker_publishes(bench, 0x4, 2, "a", "x");
    expect_ack_sent(bench, 0x50, 2);
    broker_acks(bench, 0x62, 2);
    expect_ack_sent(bench, 0x70, 2);
    bench_wait(bench, 60);
    expect_sent(bench, "C0 00");
}

static void an_acknowledgement_gives_the_quota_back(void **state)
{
    struct bench *bench = *state;
    char hex[40];
    bench_connect(bench, false, "21 0001");
    broker_acks(bench, 0x40, publish_next(bench, TH_MQTT_QOS1));
    uint16_t id = publish_next(bench, TH_MQTT_QOS2);
    broker_acks(bench, 0x50, id);
    expect_ack_sent(bench, 0x62, id);
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "a", "x", NULL), TH_OK);
    assert_int_equal(next_publish(bench).first, 0x30);
    broker_acks(bench, 0x70, id);
    id = publish_next(bench, TH_MQTT_QOS2);
    snprintf(hex, sizeof hex, "50 03 %04X 80", id);
    broker_sends(bench, hex);
    publish_next(bench, TH_MQTT_QOS1);
    expect_quota_used_up(bench);
}

static void a_pubrec_does_not_give_the_quota_back(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "21 0001");
    uint16_t id = publish_next(bench, TH_MQTT_QOS2);
    broker_acks(bench, 0x50, id);
    expect_ack_sent(bench, 0x62, id);
    expect_quota_used_up(bench);
}

static void the_quota_does_not_exceed_its_start(void **state)
{
    struct bench *bench = *state;
    uint16_t ids[3];
    bench_connect(bench, false, "");
    for (int i = 0; i < 3; i++)
        ids[i] = publish_next(bench, TH_MQTT_QOS1);
    bench_cut(bench);
    /* Only the first goes out again; the broker acknowledges all three. */
    bench_connect(bench, true, "21 0001");
    expect_publish_sent(bench, 0x3A, ids[0], "a");
    broker_acks(bench, 0x40, ids[1]);
    broker_acks(bench, 0x40, ids[0]);
    broker_acks(bench, 0x40, ids[2]);
    bench->out_seen = bench->out_to;
    publish_next(bench, TH_MQTT_QOS1);
    expect_quota_used_up(bench);
}

static void the_quota_starts_anew_with_each_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "21 0002");
    uint16_t first = publish_next(bench, TH_MQTT_QOS1), second = publish_next(bench, TH_MQTT_QOS1);
    bench_cut(bench);
    bench_connect(bench, true, "21 0002");
    expect_publish_sent(bench, 0x3A, first, "a");
    expect_publish_sent(bench, 0x3A, second, "a");
    expect_quota_used_up(bench);
    bench_again(bench);
    bench_connect(bench, false, "21 0002");
    publish_next(bench, TH_MQTT_QOS1);
    bench_cut(bench);
    bench_connect(bench, true, "21 0001");
    assert_int_equal(next_publish(bench).first, 0x3A);
    expect_quota_used_up(bench);
}

static void more_than_our_receive_maximum_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench->config.receive_maximum = 2;
    bench_start(bench);
    struct th_span announced = next_connect(bench).properties;
    assert_int_equal(th_mqtt_property_number(announced, TH_MQTT_RECEIVE_MAXIMUM, 0), 2);
    broker_accepts(bench, false, "");
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    for (uint16_t id = 1; id <= 2; id++) {
        broker_publishes(bench, 0x4, id, "a", "x");
        expect_message(bench, "a", "x");
        expect_ack_sent(bench, 0x50, id);
    }
    broker_publishes(bench, 0x4, 3, "a", "x");
    expect_violation(bench, TH_ERR_MQTT_RECEIVE_MAXIMUM, 0x93);
}

static void a_packet_above_our_maximum_size_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench->config.maximum_packet_size = 32;
    bench_start(bench);
    struct th_span announced = next_connect(bench).properties;
    assert_int_equal(th_mqtt_property_number(announced, TH_MQTT_MAXIMUM_PACKET_SIZE, 0), 32);
    broker_accepts(bench, false, "");
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    broker_publishes(bench, 0, 0, "a", "12345678901234567890123456"); /* 2 + 4 + 26 */
    expect_message(bench, "a", "12345678901234567890123456");
    broker_publishes(bench, 0, 0, "a", "123456789012345678901234567");
    expect_violation(bench, TH_ERR_MQTT_PACKET_TOO_LARGE, 0x95);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ONLY_5(no_more_than_receive_maximum_is_unacknowledged),
        ONLY_5(the_send_quota_starts_at_receive_maximum),
        ONLY_5(a_used_up_quota_holds_back_nothing_but_publish),
        ONLY_5(an_acknowledgement_gives_the_quota_back),
        ONLY_5(a_pubrec_does_not_give_the_quota_back),
        ONLY_5(the_quota_does_not_exceed_its_start),
        ONLY_5(the_quota_starts_anew_with_each_connection),
        ONLY_5(more_than_our_receive_maximum_ends_the_connection),
        ONLY_5(a_packet_above_our_maximum_size_ends_the_connection),
    };
    return cmocka_run_group_tests_name("conformance: flow control", tests, NULL, NULL);
}

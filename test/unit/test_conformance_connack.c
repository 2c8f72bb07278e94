/* SPDX-License-Identifier: MIT */
/* CONNACK, sections 3.2 of both specifications, and what its properties forbid us. */
#include "bench.h"

#include <stdio.h>

/* The answer to CONNECT is these bytes, and the connection does not come up. */
static void expect_answer_refused(struct bench *bench, const char *hex, enum th_error error,
                                  uint8_t reason)
{
    bench_start(bench);
    next_connect(bench);
    broker_sends(bench, hex);
    expect_violation(bench, error, reason);
    bench_again(bench);
}

static void anything_before_connack_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    expect_answer_refused(bench, "D0 00", TH_ERR_MQTT_PROTOCOL, 0x82);
    expect_answer_refused(bench, bench->v5 ? "30 05 0001 'a' 00 'x'" : "30 04 0001 'a' 'x'",
                          TH_ERR_MQTT_PROTOCOL, 0x82);
    expect_answer_refused(bench, "40 02 0001", TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void a_second_connack_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_accepts(bench, false, "");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void reserved_connack_flags_end_the_connection(void **state)
{
    struct bench *bench = *state;
    for (unsigned bit = 1; bit < 8; bit++) {
        char hex[20];
        snprintf(hex, sizeof hex, bench->v5 ? "20 03 %02X 00 00" : "20 02 %02X 00", 1u << bit);
        expect_answer_refused(bench, hex, TH_ERR_MQTT_MALFORMED, 0x81);
    }
}

static void session_present_after_a_clean_start_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench->config.clean_start = true;
    expect_answer_refused(bench, bench->v5 ? "20 03 01 00 00" : "20 02 01 00", TH_ERR_MQTT_PROTOCOL,
                          0x82);
}

static void a_refusal_with_session_present_is_a_violation(void **state)
{
    struct bench *bench = *state;
    expect_answer_refused(bench, bench->v5 ? "20 03 01 87 00" : "20 02 01 05", TH_ERR_MQTT_PROTOCOL,
                          0x82);
}

static void a_refusal_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_start(bench);
    next_connect(bench);
    broker_sends(bench, bench->v5 ? "20 03 00 87 00" : "20 02 00 05");
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_FAILED);
    assert_int_equal(event->failure.error, TH_ERR_CONNACK_REFUSED);
    assert_int_equal(event->failure.reason_code, bench->v5 ? 0x87 : 5);
    assert_true(bench->closed);
    assert_int_equal(th_mqtt_state(&bench->mqtt), TH_MQTT_IDLE);
    expect_nothing_sent(bench);
}

static void a_connack_code_outside_the_table_is_a_violation(void **state)
{
    struct bench *bench = *state;
    if (bench->v5) {
        expect_answer_refused(bench, "20 03 00 01 00", TH_ERR_MQTT_PROTOCOL, 0x82);
        expect_answer_refused(bench, "20 03 00 92 00", TH_ERR_MQTT_PROTOCOL, 0x82);
        expect_answer_refused(bench, "20 03 00 FF 00", TH_ERR_MQTT_PROTOCOL, 0x82);
    } else {
        expect_answer_refused(bench, "20 02 00 06", TH_ERR_MQTT_PROTOCOL, 0);
        expect_answer_refused(bench, "20 02 00 FF", TH_ERR_MQTT_PROTOCOL, 0);
    }
}

static void no_connack_within_the_time_allowed_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench->config.answer_timeout_ms = 7000;
    bench_start(bench);
    next_connect(bench);
    bench_wait(bench, 6);
    expect_no_event(bench);
    bench_wait(bench, 1);
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_FAILED);
    assert_int_equal(event->failure.error, TH_ERR_CONNACK_TIMEOUT);
    assert_true(bench->closed);
}

/* ---- properties (5.0) ---- */

/* A CONNACK of success with this one property is a protocol error. */
static void expect_property_refused(struct bench *bench, const char *property)
{
    bench_start(bench);
    next_connect(bench);
    broker_accepts(bench, false, property);
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
    bench_again(bench);
}

static void a_receive_maximum_of_zero_is_a_protocol_error(void **state)
{
    expect_property_refused(*state, "21 0000");
}

static void a_maximum_packet_size_of_zero_is_a_protocol_error(void **state)
{
    expect_property_refused(*state, "27 00000000");
}

static void a_maximum_qos_of_two_or_more_is_a_protocol_error(void **state)
{
    expect_property_refused(*state, "24 02");
    expect_property_refused(*state, "24 03");
}

static void a_retain_available_of_two_is_a_protocol_error(void **state)
{
    expect_property_refused(*state, "25 02");
}

static void a_wildcard_available_of_two_is_a_protocol_error(void **state)
{
    expect_property_refused(*state, "28 02");
}

static void a_subscription_id_available_of_two_is_a_protocol_error(void **state)
{
    expect_property_refused(*state, "29 02");
}

static void a_shared_available_of_two_is_a_protocol_error(void **state)
{
    expect_property_refused(*state, "2A 02");
}

static void without_a_receive_maximum_it_is_65535(void **state)
{
    struct bench *bench = *state;
    bench_start(bench);
    next_connect(bench);
    broker_accepts(bench, false, "");
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    assert_int_equal(event->connack.limits->receive_maximum, 65535);
    for (int i = 0; i < 40; i++)
        assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "x", NULL), TH_OK);
    for (int i = 0; i < 40; i++)
        next_publish(bench);
}

static void nothing_is_published_above_the_maximum_qos(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "24 00");
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "x", NULL), TH_ERR_NOT_ALLOWED);
    assert_int_equal(publish(bench, TH_MQTT_QOS2, "a", "x", NULL), TH_ERR_NOT_ALLOWED);
    expect_nothing_sent(bench);
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "a", "x", NULL), TH_OK);
    expect_publish_sent(bench, 0x30, 0, "a");
    bench_again(bench);
    bench_connect(bench, false, "24 01");
    assert_int_equal(publish(bench, TH_MQTT_QOS2, "a", "x", NULL), TH_ERR_NOT_ALLOWED);
    expect_nothing_sent(bench);
}

static void nothing_is_published_with_retain_where_it_is_not_available(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_publish request = {.topic = TH_SPAN("a"), .retain = true};
    bench_connect(bench, false, "25 00");
    assert_int_equal(th_mqtt_publish(&bench->mqtt, &request, NULL), TH_ERR_NOT_ALLOWED);
    bench_run(bench);
    expect_nothing_sent(bench);
}

static void no_packet_exceeds_the_maximum_packet_size_of_the_server(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "27 00000014");
    /* 2 + 2 + 1 + 1 + payload of 14 makes 20 */
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "a", "12345678901234", NULL), TH_OK);
    assert_int_equal(next_sent(bench).all.len, 20);
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "a", "123456789012345", NULL), TH_ERR_TOO_LARGE);
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "1234567890123", NULL), TH_ERR_TOO_LARGE);
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "a/filter/too/long", NULL), TH_ERR_TOO_LARGE);
    assert_int_equal(unsubscribe(bench, "a/filter/too/long", NULL), TH_ERR_TOO_LARGE);
    expect_nothing_sent(bench);
}

static void no_wildcard_is_subscribed_where_there_are_none(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "28 00");
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "a/#", NULL), TH_ERR_NOT_ALLOWED);
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "+/a", NULL), TH_ERR_NOT_ALLOWED);
    expect_nothing_sent(bench);
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "a", NULL), TH_OK);
    assert_int_equal(next_sent(bench).first, 0x82);
}

static void no_subscription_identifier_is_sent_where_there_are_none(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_filter filter = {.filter = TH_SPAN("a")};
    struct th_mqtt_property property = {.id = TH_MQTT_SUBSCRIPTION_ID, .number = 1};
    bench_connect(bench, false, "29 00");
    assert_int_equal(th_mqtt_subscribe(&bench->mqtt, &filter, 1, &property, 1, NULL),
                     TH_ERR_NOT_ALLOWED);
    bench_run(bench);
    expect_nothing_sent(bench);
}

static void nothing_shared_is_subscribed_where_that_is_not_available(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "2A 00");
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "$share/g/a", NULL), TH_ERR_NOT_ALLOWED);
    expect_nothing_sent(bench);
}

static void the_assigned_client_identifier_reaches_the_application(void **state)
{
    struct bench *bench = *state;
    bench->config.client_id = TH_SPAN("");
    bench->config.clean_start = true;
    bench_start(bench);
    next_connect(bench);
    broker_accepts(bench, false, "12 0004 'auto'");
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    assert_int_equal(event->topic_len, 4);
    assert_string_equal(event->topic, "auto");
}

static void an_empty_client_identifier_must_be_replaced(void **state)
{
    struct bench *bench = *state;
    bench->config.client_id = TH_SPAN("");
    bench->config.clean_start = true;
    expect_property_refused(bench, "");
}

static void response_information_nobody_asked_for_is_a_protocol_error(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_property ask = {.id = TH_MQTT_REQUEST_RESPONSE, .number = 1};
    expect_property_refused(bench, "1A 0001 'r'");
    bench->config.properties = &ask;
    bench->config.property_count = 1;
    bench_connect(bench, false, "1A 0001 'r'");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BOTH(anything_before_connack_ends_the_connection),
        BOTH(a_second_connack_ends_the_connection),
        BOTH(reserved_connack_flags_end_the_connection),
        BOTH(session_present_after_a_clean_start_ends_the_connection),
        BOTH(a_refusal_with_session_present_is_a_violation),
        BOTH(a_refusal_ends_the_connection),
        BOTH(a_connack_code_outside_the_table_is_a_violation),
        BOTH(no_connack_within_the_time_allowed_ends_the_connection),
        ONLY_5(a_receive_maximum_of_zero_is_a_protocol_error),
        ONLY_5(a_maximum_packet_size_of_zero_is_a_protocol_error),
        ONLY_5(a_maximum_qos_of_two_or_more_is_a_protocol_error),
        ONLY_5(a_retain_available_of_two_is_a_protocol_error),
        ONLY_5(a_wildcard_available_of_two_is_a_protocol_error),
        ONLY_5(a_subscription_id_available_of_two_is_a_protocol_error),
        ONLY_5(a_shared_available_of_two_is_a_protocol_error),
        ONLY_5(without_a_receive_maximum_it_is_65535),
        ONLY_5(nothing_is_published_above_the_maximum_qos),
        ONLY_5(nothing_is_published_with_retain_where_it_is_not_available),
        ONLY_5(no_packet_exceeds_the_maximum_packet_size_of_the_server),
        ONLY_5(no_wildcard_is_subscribed_where_there_are_none),
        ONLY_5(no_subscription_identifier_is_sent_where_there_are_none),
        ONLY_5(nothing_shared_is_subscribed_where_that_is_not_available),
        ONLY_5(the_assigned_client_identifier_reaches_the_application),
        ONLY_5(an_empty_client_identifier_must_be_replaced),
        ONLY_5(response_information_nobody_asked_for_is_a_protocol_error),
    };
    return cmocka_run_group_tests_name("conformance: CONNACK", tests, NULL, NULL);
}

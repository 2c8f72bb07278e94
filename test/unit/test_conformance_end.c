/* SPDX-License-Identifier: MIT */
/* How connections end: DISCONNECT, silence, violations (3.1.1: 3.14, 4.8; 5.0: 3.14, 4.13). */
#include "bench.h"

#include <string.h>

static const struct bench_event *expect_failed(struct bench *bench, enum th_error error)
{
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_FAILED);
    assert_string_equal(th_error_name(event->failure.error), th_error_name(error));
    assert_true(bench->closed);
    assert_int_equal(th_mqtt_state(&bench->mqtt), TH_MQTT_IDLE);
    return event;
}

static void disconnect_is_sent_without_flags(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_equal(th_mqtt_disconnect(&bench->mqtt, 0, NULL, 0), TH_OK);
    bench_run(bench);
    struct bench_packet sent = next_sent(bench);
    assert_int_equal(sent.first, 0xE0);
    if (!bench->v5)
        assert_int_equal(sent.body.len, 0);
}

static void a_disconnect_with_flags_is_malformed(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_sends(bench, "E1 00");
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
}

static void after_disconnect_the_connection_is_closed(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_equal(th_mqtt_disconnect(&bench->mqtt, 0, NULL, 0), TH_OK);
    bench_run(bench);
    assert_int_equal(next_sent(bench).first, 0xE0);
    expect_event(bench, TH_MQTT_EVENT_CLOSED);
    assert_true(bench->closed);
    assert_int_equal(th_mqtt_state(&bench->mqtt), TH_MQTT_IDLE);
}

static void nothing_is_sent_after_disconnect(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_publish request = {.topic = TH_SPAN("a")};
    struct th_mqtt_filter filter = {.filter = TH_SPAN("a")};
    struct th_mqtt_event event;
    bench_connect(bench, false, "");
    /* The second message has been received, and is not looked at before DISCONNECT. */
    broker_queues(bench, bench->v5 ? "32 06 0001 'a' 0001 00 32 06 0001 'b' 0002 00"
                                   : "32 05 0001 'a' 0001 32 05 0001 'b' 0002");
    assert_true(th_mqtt_next(&bench->mqtt, bench->now_ms, &event));
    assert_int_equal(event.kind, TH_MQTT_EVENT_MESSAGE);
    assert_int_equal(th_mqtt_disconnect(&bench->mqtt, 0, NULL, 0), TH_OK);
    assert_int_not_equal(th_mqtt_publish(&bench->mqtt, &request, NULL), TH_OK);
    assert_int_not_equal(th_mqtt_subscribe(&bench->mqtt, &filter, 1, NULL, 0, NULL), TH_OK);
    bench_wait(bench, 120);
    expect_ack_sent(bench, 0x40, 1);
    assert_int_equal(next_sent(bench).first, 0xE0);
    expect_nothing_sent(bench);
}

static void a_violation_closes_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_publishes(bench, 0x6, 1, "a", "x");
    expect_failed(bench, TH_ERR_MQTT_MALFORMED);
    bench_again(bench);
    bench_connect(bench, false, "");
    broker_accepts(bench, false, "");
    expect_failed(bench, TH_ERR_MQTT_PROTOCOL);
}

static void a_violation_is_answered_with_its_reason(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_publishes(bench, 0x6, 1, "a", "x");
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
    bench_again(bench);
    bench_connect(bench, false, "");
    broker_accepts(bench, false, "");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void a_message_that_cannot_be_kept_closes_the_connection(void **state)
{
    struct bench *bench = *state;
    bench->config.outbox = th_outbox_ram_init(&bench->outbox, bench->outbox_at,
                                              sizeof bench->outbox_at, bench->inbound, 2);
    bench->config.receive_maximum = 8;
    bench_connect(bench, false, "");
    for (uint16_t id = 1; id <= 3; id++)
        broker_publishes(bench, 0x4, id, "a", "x");
    expect_message(bench, "a", "x");
    expect_message(bench, "a", "x");
    expect_failed(bench, TH_ERR_MEMORY_INBOUND_QOS2);
    expect_ack_sent(bench, 0x50, 1);
    expect_ack_sent(bench, 0x50, 2);
}

static void no_pingresp_closes_the_connection(void **state)
{
    struct bench *bench = *state;
    bench->config.keep_alive_s = 10;
    bench->config.answer_timeout_ms = 5000;
    bench_connect(bench, false, "");
    bench_wait(bench, 10);
    expect_sent(bench, "C0 00");
    bench_wait(bench, 6);
    expect_failed(bench, TH_ERR_KEEP_ALIVE_TIMEOUT);
}

/* ---- DISCONNECT from the server (5.0) ---- */

static void a_server_disconnect_closes_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_sends(bench, "E0 02 8E 00");
    assert_int_equal(expect_failed(bench, TH_ERR_MQTT_SERVER_DISCONNECT)->failure.reason_code,
                     0x8E);
    expect_nothing_sent(bench);
}

static void a_server_disconnect_may_be_empty(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_sends(bench, "E0 00");
    assert_int_equal(expect_failed(bench, TH_ERR_MQTT_SERVER_DISCONNECT)->failure.reason_code, 0);
    bench_again(bench);
    bench_connect(bench, false, "");
    broker_sends(bench, "E0 01 8B");
    assert_int_equal(expect_failed(bench, TH_ERR_MQTT_SERVER_DISCONNECT)->failure.reason_code,
                     0x8B);
}

static void a_server_disconnect_has_a_code_of_its_table(void **state)
{
    struct bench *bench = *state;
    static const char *const wrong[] = {"E0 01 01", "E0 01 04", "E0 01 7F", "E0 01 84", "E0 01 FF"};
    for (size_t i = 0; i < 5; i++) {
        bench_connect(bench, false, "");
        broker_sends(bench, wrong[i]);
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
        bench_again(bench);
    }
}

static void our_disconnect_has_a_code_of_its_table(void **state)
{
    struct bench *bench = *state;
    static const uint8_t wrong[] = {0x01, 0x03, 0x05, 0x7F, 0x85, 0x8B, 0xFF};
    bench_connect(bench, false, "");
    for (size_t i = 0; i < sizeof wrong; i++)
        assert_int_equal(th_mqtt_disconnect(&bench->mqtt, wrong[i], NULL, 0), TH_ERR_INVALID);
    bench_run(bench);
    expect_still_connected(bench);
    assert_int_equal(th_mqtt_disconnect(&bench->mqtt, 0x04, NULL, 0), TH_OK);
    bench_run(bench);
    assert_int_equal(next_sent(bench).body.at[0], 0x04);
}

static void a_server_disconnect_has_no_session_expiry(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_sends(bench, "E0 07 00 05 11 00000005");
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_FAILED);
    assert_int_not_equal(event->failure.error, TH_ERR_MQTT_SERVER_DISCONNECT);
    assert_true(bench->closed);
}

static void a_server_disconnect_before_connack_is_a_violation(void **state)
{
    struct bench *bench = *state;
    bench_start(bench);
    next_connect(bench);
    broker_sends(bench, "E0 02 89 00");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void a_session_expiry_of_zero_is_not_raised_by_disconnect(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_property expiry = {.id = TH_MQTT_SESSION_EXPIRY, .number = 5};
    bench->config.session_expiry_s = 0;
    bench_connect(bench, false, "");
    assert_int_equal(th_mqtt_disconnect(&bench->mqtt, 0, &expiry, 1), TH_ERR_INVALID);
    bench_run(bench);
    expect_still_connected(bench);
}

static const char long_text[] = "a reason that takes far more than the thirty-two bytes that "
                                "this server takes in one packet";

/* Either the call is refused, or what goes out is within the limit. */
static void expect_disconnect_within(struct bench *bench, struct th_mqtt_property property)
{
    bench_connect(bench, false, "27 00000020");
    enum th_error error = th_mqtt_disconnect(&bench->mqtt, 0, &property, 1);
    assert_true(error == TH_OK || error == TH_ERR_TOO_LARGE);
    bench_run(bench);
    if (error == TH_OK)
        assert_true(next_sent(bench).all.len <= 32);
    expect_nothing_sent(bench);
}

static void a_reason_string_does_not_exceed_the_packet_size(void **state)
{
    expect_disconnect_within(
        *state, (struct th_mqtt_property){.id = TH_MQTT_REASON_STRING, .text = TH_SPAN(long_text)});
}

static void a_user_property_does_not_exceed_the_packet_size(void **state)
{
    expect_disconnect_within(*state, (struct th_mqtt_property){.id = TH_MQTT_USER_PROPERTY,
                                                               .text = TH_SPAN("n"),
                                                               .value = TH_SPAN(long_text)});
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BOTH(disconnect_is_sent_without_flags),
        ONLY_5(a_disconnect_with_flags_is_malformed),
        BOTH(after_disconnect_the_connection_is_closed),
        BOTH(nothing_is_sent_after_disconnect),
        BOTH(a_violation_closes_the_connection),
        ONLY_5(a_violation_is_answered_with_its_reason),
        BOTH(a_message_that_cannot_be_kept_closes_the_connection),
        BOTH(no_pingresp_closes_the_connection),
        ONLY_5(a_server_disconnect_closes_the_connection),
        ONLY_5(a_server_disconnect_may_be_empty),
        ONLY_5(a_server_disconnect_has_a_code_of_its_table),
        ONLY_5(our_disconnect_has_a_code_of_its_table),
        ONLY_5(a_server_disconnect_has_no_session_expiry),
        ONLY_5(a_server_disconnect_before_connack_is_a_violation),
        ONLY_5(a_session_expiry_of_zero_is_not_raised_by_disconnect),
        ONLY_5(a_reason_string_does_not_exceed_the_packet_size),
        ONLY_5(a_user_property_does_not_exceed_the_packet_size),
    };
    return cmocka_run_group_tests_name("conformance: ends", tests, NULL, NULL);
}

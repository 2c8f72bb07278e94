/* SPDX-License-Identifier: MIT */
/* Enhanced authentication, MQTT 5.0 sections 3.15 and 4.12. */
#include "bench.h"

static const struct th_mqtt_property method = {.id = TH_MQTT_AUTH_METHOD,
                                               .text = {(const uint8_t *)"m", 1}};
#define METHOD_M "15 0001 'm'"

static void start_with_method(struct bench *bench)
{
    bench->config.properties = &method;
    bench->config.property_count = 1;
    bench_start(bench);
    next_connect(bench);
}

static void connect_with_method(struct bench *bench)
{
    start_with_method(bench);
    broker_accepts(bench, false, METHOD_M);
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
}

/* The next packet is AUTH with that reason and the method of CONNECT. */
static void expect_auth_sent(struct bench *bench, uint8_t reason)
{
    struct th_mqtt_property found;
    struct bench_packet sent = next_sent(bench);
    assert_int_equal(sent.first, 0xF0);
    assert_true(sent.body.len > 2);
    assert_int_equal(sent.body.at[0], reason);
    assert_int_equal(sent.body.at[1], sent.body.len - 2);
    struct th_span properties = th_span_of(sent.body.at + 2, sent.body.len - 2);
    assert_true(th_mqtt_property_find(properties, TH_MQTT_AUTH_METHOD, &found));
    assert_true(span_is(found.text, "m"));
}

static void start_reauthentication(struct bench *bench)
{
    connect_with_method(bench);
    assert_int_equal(th_mqtt_auth(&bench->mqtt, 0x19, NULL, 0), TH_OK);
    bench_run(bench);
    expect_auth_sent(bench, 0x19);
}

static void an_auth_with_flags_is_malformed(void **state)
{
    struct bench *bench = *state;
    start_with_method(bench);
    broker_sends(bench, "F1 06 18 04 " METHOD_M);
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
}

static void auth_uses_only_codes_of_its_table(void **state)
{
    struct bench *bench = *state;
    static const char *const wrong[] = {"F0 06 00 04 " METHOD_M, "F0 06 19 04 " METHOD_M,
                                        "F0 06 01 04 " METHOD_M, "F0 06 87 04 " METHOD_M};
    for (size_t i = 0; i < 4; i++) {
        start_with_method(bench);
        broker_sends(bench, wrong[i]);
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
        bench_again(bench);
    }
}

static void our_answer_to_auth_says_continue(void **state)
{
    struct bench *bench = *state;
    start_with_method(bench);
    broker_sends(bench, "F0 06 18 04 " METHOD_M);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_AUTH)->reason_code, 0x18);
    assert_int_not_equal(th_mqtt_auth(&bench->mqtt, 0x00, NULL, 0), TH_OK);
    assert_int_not_equal(th_mqtt_auth(&bench->mqtt, 0x19, NULL, 0), TH_OK);
    bench_run(bench);
    expect_nothing_sent(bench);
    assert_int_equal(th_mqtt_auth(&bench->mqtt, 0x18, NULL, 0), TH_OK);
    bench_run(bench);
    expect_auth_sent(bench, 0x18);
    broker_accepts(bench, false, METHOD_M);
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
}

static void the_method_stays_that_of_connect(void **state)
{
    struct bench *bench = *state;
    start_with_method(bench);
    broker_sends(bench, "F0 06 18 04 15 0001 'n'");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
    static const char *const wrong[] = {"15 0001 'n'", ""};
    for (size_t i = 0; i < 2; i++) {
        bench_again(bench);
        start_with_method(bench);
        broker_accepts(bench, false, wrong[i]);
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
    }
}

static void an_auth_without_a_method_is_a_protocol_error(void **state)
{
    struct bench *bench = *state;
    start_with_method(bench);
    broker_sends(bench, "F0 02 18 00");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
    bench_again(bench);
    start_with_method(bench);
    broker_sends(bench, "F0 00");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void authentication_nobody_asked_for_is_a_protocol_error(void **state)
{
    struct bench *bench = *state;
    bench_start(bench);
    next_connect(bench);
    broker_sends(bench, "F0 06 18 04 " METHOD_M);
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
    bench_again(bench);
    bench_start(bench);
    next_connect(bench);
    broker_accepts(bench, false, METHOD_M);
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void without_a_method_no_auth_is_sent(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_not_equal(th_mqtt_auth(&bench->mqtt, 0x19, NULL, 0), TH_OK);
    assert_int_not_equal(th_mqtt_auth(&bench->mqtt, 0x18, NULL, 0), TH_OK);
    assert_int_not_equal(th_mqtt_auth(&bench->mqtt, 0x19, &method, 1), TH_OK);
    bench_run(bench);
    expect_still_connected(bench);
}

static void reauthentication_has_the_method_of_connect(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_property other = {.id = TH_MQTT_AUTH_METHOD, .text = TH_SPAN("n")};
    connect_with_method(bench);
    assert_int_not_equal(th_mqtt_auth(&bench->mqtt, 0x19, &other, 1), TH_OK);
    bench_run(bench);
    expect_nothing_sent(bench);
    bench_again(bench);
    start_reauthentication(bench);
    broker_sends(bench, "F0 06 18 04 " METHOD_M);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_AUTH)->reason_code, 0x18);
    assert_int_equal(th_mqtt_auth(&bench->mqtt, 0x18, NULL, 0), TH_OK);
    bench_run(bench);
    expect_auth_sent(bench, 0x18);
    broker_sends(bench, "F0 06 00 04 " METHOD_M);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_AUTH)->reason_code, 0x00);
    expect_still_connected(bench);
}

static void a_failed_reauthentication_closes_the_connection(void **state)
{
    struct bench *bench = *state;
    start_reauthentication(bench);
    broker_sends(bench, "E0 02 87 00");
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_FAILED);
    assert_int_equal(event->failure.reason_code, 0x87);
    assert_true(bench->closed);
    bench_again(bench);
    start_reauthentication(bench);
    broker_sends(bench, "F0 06 18 04 15 0001 'n'");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void a_server_does_not_begin_a_reauthentication(void **state)
{
    struct bench *bench = *state;
    static const char *const wrong[] = {"F0 06 19 04 " METHOD_M, "F0 06 18 04 " METHOD_M,
                                        "F0 06 00 04 " METHOD_M};
    for (size_t i = 0; i < 3; i++) {
        connect_with_method(bench);
        broker_sends(bench, wrong[i]);
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
        bench_again(bench);
    }
}

static const char long_text[] = "a text that takes far more than the thirty-two bytes that "
                                "this server takes in one packet";

/* Either the call is refused, or what goes out is within the limit. */
static void expect_auth_within(struct bench *bench, struct th_mqtt_property property)
{
    start_with_method(bench);
    broker_accepts(bench, false, METHOD_M " 27 00000020");
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    enum th_error error = th_mqtt_auth(&bench->mqtt, 0x19, &property, 1);
    assert_true(error == TH_OK || error == TH_ERR_TOO_LARGE);
    bench_run(bench);
    if (error == TH_OK)
        assert_true(next_sent(bench).all.len <= 32);
    expect_nothing_sent(bench);
}

static void a_reason_string_in_auth_does_not_exceed_the_packet_size(void **state)
{
    expect_auth_within(
        *state, (struct th_mqtt_property){.id = TH_MQTT_REASON_STRING, .text = TH_SPAN(long_text)});
}

static void a_user_property_in_auth_does_not_exceed_the_packet_size(void **state)
{
    expect_auth_within(*state, (struct th_mqtt_property){.id = TH_MQTT_USER_PROPERTY,
                                                         .text = TH_SPAN("n"),
                                                         .value = TH_SPAN(long_text)});
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ONLY_5(an_auth_with_flags_is_malformed),
        ONLY_5(auth_uses_only_codes_of_its_table),
        ONLY_5(our_answer_to_auth_says_continue),
        ONLY_5(the_method_stays_that_of_connect),
        ONLY_5(an_auth_without_a_method_is_a_protocol_error),
        ONLY_5(authentication_nobody_asked_for_is_a_protocol_error),
        ONLY_5(without_a_method_no_auth_is_sent),
        ONLY_5(reauthentication_has_the_method_of_connect),
        ONLY_5(a_failed_reauthentication_closes_the_connection),
        ONLY_5(a_server_does_not_begin_a_reauthentication),
        ONLY_5(a_reason_string_in_auth_does_not_exceed_the_packet_size),
        ONLY_5(a_user_property_in_auth_does_not_exceed_the_packet_size),
    };
    return cmocka_run_group_tests_name("conformance: AUTH", tests, NULL, NULL);
}

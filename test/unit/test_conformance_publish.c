/* SPDX-License-Identifier: MIT */
/* PUBLISH, sections 3.3 of both specifications. */
#include "bench.h"

#include <string.h>

static void dup_at_qos_0_is_never_sent_and_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "a", "x", NULL), TH_OK);
    expect_publish_sent(bench, 0x30, 0, "a");
    broker_publishes(bench, 0x8, 0, "a", "x");
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
}

static void dup_says_only_that_this_packet_is_a_repetition(void **state)
{
    struct bench *bench = *state;
    uint16_t first, second;
    bench_connect(bench, false, "");
    broker_publishes(bench, 0xA, 9, "a", "x");
    expect_message(bench, "a", "x");
    expect_ack_sent(bench, 0x40, 9);
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "x", &first), TH_OK);
    expect_publish_sent(bench, 0x32, first, "a");
    assert_int_equal(publish(bench, TH_MQTT_QOS2, "b", "x", &second), TH_OK);
    expect_publish_sent(bench, 0x34, second, "b");
}

static void qos_3_is_never_sent(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, (enum th_mqtt_qos)3, "a", "x", NULL), TH_ERR_INVALID);
    expect_nothing_sent(bench);
}

static void qos_3_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_publishes(bench, 0x6, 1, "a", "x");
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
}

static void a_publish_begins_with_its_topic_name(void **state)
{
    struct bench *bench = *state;
    uint16_t id;
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "sensor/1", "x", &id), TH_OK);
    expect_publish_sent(bench, 0x32, id, "sensor/1");
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "a\xED\xA0\x80", "x", NULL), TH_ERR_INVALID);
    expect_nothing_sent(bench);
}

static void a_topic_name_with_a_wildcard_is_not_sent(void **state)
{
    struct bench *bench = *state;
    static const char *const names[] = {"a/+", "#", "a+b", "a#"};
    bench_connect(bench, false, "");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(publish(bench, TH_MQTT_QOS0, names[i], "x", NULL), TH_ERR_INVALID);
    expect_nothing_sent(bench);
}

static void a_received_topic_name_with_a_wildcard_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    static const char *const names[] = {"a/+", "#", "a+b", "a#"};
    for (size_t i = 0; i < 4; i++) {
        bench_connect(bench, false, "");
        broker_publishes(bench, 0, 0, names[i], "x");
        expect_violation(bench, TH_ERR_MQTT_TOPIC_NAME, 0x90);
        bench_again(bench);
    }
}

static void a_publish_is_answered_as_its_qos_says(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_publishes(bench, 0x0, 0, "a", "x");
    expect_message(bench, "a", "x");
    expect_nothing_sent(bench);
    broker_publishes(bench, 0x2, 1, "a", "x");
    expect_message(bench, "a", "x");
    expect_ack_sent(bench, 0x40, 1);
    broker_publishes(bench, 0x4, 2, "a", "x");
    expect_message(bench, "a", "x");
    expect_ack_sent(bench, 0x50, 2);
    expect_still_connected(bench);
}

/* ---- properties of PUBLISH (5.0) ---- */

static void a_publish_without_properties_says_so(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "a", "x", NULL), TH_OK);
    expect_sent(bench, "30 05 0001 'a' 00 'x'");
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "a", NULL), TH_OK);
    struct bench_packet sent = next_sent(bench);
    assert_int_equal(sent.body.len, 2 + 1 + 2 + 1 + 1);
    assert_int_equal(sent.body.at[2], 0);
}

static void a_property_that_breaks_a_rule_is_not_sent(struct bench *bench,
                                                      struct th_mqtt_property property)
{
    bench_connect(bench, false, "22 000A");
    assert_int_equal(publish_with(bench, TH_MQTT_QOS0, "a", &property, NULL), TH_ERR_INVALID);
    expect_nothing_sent(bench);
    bench_again(bench);
}

static void a_publish_with_these_ends_the_connection(struct bench *bench, const char *properties,
                                                     enum th_error error, uint8_t reason)
{
    bench_connect(bench, false, "");
    broker_publishes_with(bench, 0, 0, "a", properties);
    expect_violation(bench, error, reason);
    bench_again(bench);
}

static void a_response_topic_is_utf8(void **state)
{
    a_property_that_breaks_a_rule_is_not_sent(
        *state,
        (struct th_mqtt_property){.id = TH_MQTT_RESPONSE_TOPIC, .text = TH_SPAN("a\xED\xA0\x80")});
    a_publish_with_these_ends_the_connection(*state, "08 0003 EDA080", TH_ERR_MQTT_MALFORMED, 0x81);
}

static void a_response_topic_has_no_wildcard(void **state)
{
    a_property_that_breaks_a_rule_is_not_sent(
        *state, (struct th_mqtt_property){.id = TH_MQTT_RESPONSE_TOPIC, .text = TH_SPAN("a/+")});
    a_publish_with_these_ends_the_connection(*state, "08 0003 'a/#'", TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void a_content_type_is_utf8(void **state)
{
    a_property_that_breaks_a_rule_is_not_sent(
        *state, (struct th_mqtt_property){.id = TH_MQTT_CONTENT_TYPE, .text = TH_SPAN("\xC0\x80")});
    a_publish_with_these_ends_the_connection(*state, "03 0002 C080", TH_ERR_MQTT_MALFORMED, 0x81);
}

static void both_strings_of_a_user_property_are_utf8(void **state)
{
    a_property_that_breaks_a_rule_is_not_sent(
        *state, (struct th_mqtt_property){
                    .id = TH_MQTT_USER_PROPERTY, .text = TH_SPAN("\xFF"), .value = TH_SPAN("v")});
    a_property_that_breaks_a_rule_is_not_sent(
        *state, (struct th_mqtt_property){
                    .id = TH_MQTT_USER_PROPERTY, .text = TH_SPAN("n"), .value = TH_SPAN("\xFF")});
    a_publish_with_these_ends_the_connection(*state, "26 0001 FF 0001 'v'", TH_ERR_MQTT_MALFORMED,
                                             0x81);
    a_publish_with_these_ends_the_connection(*state, "26 0001 'n' 0001 FF", TH_ERR_MQTT_MALFORMED,
                                             0x81);
}

static void a_client_publish_has_no_subscription_identifier(void **state)
{
    a_property_that_breaks_a_rule_is_not_sent(
        *state, (struct th_mqtt_property){.id = TH_MQTT_SUBSCRIPTION_ID, .number = 1});
}

static void a_payload_format_of_two_is_a_protocol_error(void **state)
{
    a_property_that_breaks_a_rule_is_not_sent(
        *state, (struct th_mqtt_property){.id = TH_MQTT_PAYLOAD_FORMAT, .number = 2});
    a_publish_with_these_ends_the_connection(*state, "01 02", TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void a_received_subscription_identifier_of_zero_is_a_protocol_error(void **state)
{
    a_publish_with_these_ends_the_connection(*state, "0B 00", TH_ERR_MQTT_PROTOCOL, 0x82);
}

/* ---- topic aliases (5.0) ---- */

static const struct th_mqtt_alias long_names[] = {
    {{(const uint8_t *)"a/long/name", 11}},
    {{(const uint8_t *)"another/name", 12}},
    {{(const uint8_t *)"third", 5}},
};

static void use_aliases(struct bench *bench)
{
    bench->config.aliases = long_names;
    bench->config.alias_count = 3;
    bench->config.aliasing = &th_mqtt_aliasing;
    bench->config.alias_rx = bench->alias_rx;
    bench->config.alias_rx_room = sizeof bench->alias_rx;
    bench->config.alias_rx_maximum = 3;
}

static struct bench_publish publish_by_alias(struct bench *bench, uint8_t alias)
{
    struct th_mqtt_publish request = {.alias = alias, .payload = TH_SPAN("x")};
    assert_int_equal(th_mqtt_publish(&bench->mqtt, &request, NULL), TH_OK);
    bench_run(bench);
    return next_publish(bench);
}

static uint32_t alias_of(struct bench_publish sent)
{
    return th_mqtt_property_number(sent.properties, TH_MQTT_TOPIC_ALIAS, 0);
}

static void no_alias_is_sent_above_the_maximum_of_the_server(void **state)
{
    struct bench *bench = *state;
    use_aliases(bench);
    bench_connect(bench, false, "22 0002");
    assert_int_equal(alias_of(publish_by_alias(bench, 2)), 2);
    assert_int_equal(publish_by_alias(bench, 2).topic.len, 0);
    for (int i = 0; i < 2; i++) {
        struct bench_publish sent = publish_by_alias(bench, 3);
        assert_int_equal(alias_of(sent), 0);
        assert_true(span_is(sent.topic, "third"));
    }
}

static void no_alias_is_sent_to_a_server_that_takes_none(void **state)
{
    struct bench *bench = *state;
    use_aliases(bench);
    bench_connect(bench, false, "");
    for (int i = 0; i < 2; i++) {
        struct bench_publish sent = publish_by_alias(bench, 1);
        assert_int_equal(alias_of(sent), 0);
        assert_true(span_is(sent.topic, "a/long/name"));
    }
}

static void an_alias_of_zero_is_neither_sent_nor_accepted(void **state)
{
    struct bench *bench = *state;
    use_aliases(bench);
    a_property_that_breaks_a_rule_is_not_sent(
        bench, (struct th_mqtt_property){.id = TH_MQTT_TOPIC_ALIAS, .number = 0});
    a_publish_with_these_ends_the_connection(bench, "23 0000", TH_ERR_MQTT_TOPIC_ALIAS, 0x94);
}

static void an_alias_ends_with_its_connection(void **state)
{
    struct bench *bench = *state;
    use_aliases(bench);
    bench_connect(bench, false, "22 0003");
    publish_by_alias(bench, 1);
    assert_int_equal(publish_by_alias(bench, 1).topic.len, 0);
    broker_publishes_with(bench, 0, 0, "in", "23 0001");
    expect_message(bench, "in", "x");
    broker_publishes_with(bench, 0, 0, "", "23 0001");
    expect_message(bench, "in", "x");
    bench_cut(bench);
    bench_connect(bench, true, "22 0003");
    assert_true(span_is(publish_by_alias(bench, 1).topic, "a/long/name"));
    broker_publishes_with(bench, 0, 0, "", "23 0001");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void every_announced_alias_is_accepted(void **state)
{
    struct bench *bench = *state;
    use_aliases(bench);
    bench_start(bench);
    struct th_span announced = next_connect(bench).properties;
    assert_int_equal(th_mqtt_property_number(announced, TH_MQTT_TOPIC_ALIAS_MAXIMUM, 0), 3);
    broker_accepts(bench, false, "");
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    broker_publishes_with(bench, 0, 0, "one", "23 0001");
    broker_publishes_with(bench, 0, 0, "two", "23 0002");
    broker_publishes_with(bench, 0, 0, "three", "23 0003");
    broker_publishes_with(bench, 0, 0, "", "23 0003");
    broker_publishes_with(bench, 0, 0, "", "23 0001");
    broker_publishes_with(bench, 0, 0, "uno", "23 0001");
    broker_publishes_with(bench, 0, 0, "", "23 0001");
    static const char *const expected[] = {"one", "two", "three", "three", "one", "uno", "uno"};
    for (size_t i = 0; i < 7; i++)
        expect_message(bench, expected[i], "x");
    expect_still_connected(bench);
}

static void an_alias_above_our_maximum_ends_the_connection(void **state)
{
    use_aliases(*state);
    a_publish_with_these_ends_the_connection(*state, "23 0004", TH_ERR_MQTT_TOPIC_ALIAS, 0x94);
}

static void an_alias_ends_the_connection_when_none_were_announced(void **state)
{
    struct bench *bench = *state;
    use_aliases(bench);
    bench->config.alias_rx_maximum = 0;
    a_publish_with_these_ends_the_connection(bench, "23 0001", TH_ERR_MQTT_TOPIC_ALIAS, 0x94);
}

static void an_alias_without_a_topic_name_before_it_is_a_protocol_error(void **state)
{
    struct bench *bench = *state;
    use_aliases(bench);
    bench_connect(bench, false, "");
    broker_publishes_with(bench, 0, 0, "", "23 0002");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void a_publish_with_neither_topic_nor_alias_is_a_protocol_error(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "", "x", NULL), TH_ERR_INVALID);
    expect_nothing_sent(bench);
    broker_publishes(bench, 0, 0, "", "x");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BOTH(dup_at_qos_0_is_never_sent_and_ends_the_connection),
        BOTH(dup_says_only_that_this_packet_is_a_repetition),
        BOTH(qos_3_is_never_sent),
        BOTH(qos_3_ends_the_connection),
        BOTH(a_publish_begins_with_its_topic_name),
        BOTH(a_topic_name_with_a_wildcard_is_not_sent),
        BOTH(a_received_topic_name_with_a_wildcard_ends_the_connection),
        BOTH(a_publish_is_answered_as_its_qos_says),
        ONLY_5(a_publish_without_properties_says_so),
        ONLY_5(a_response_topic_is_utf8),
        ONLY_5(a_response_topic_has_no_wildcard),
        ONLY_5(a_content_type_is_utf8),
        ONLY_5(both_strings_of_a_user_property_are_utf8),
        ONLY_5(a_client_publish_has_no_subscription_identifier),
        ONLY_5(a_payload_format_of_two_is_a_protocol_error),
        ONLY_5(a_received_subscription_identifier_of_zero_is_a_protocol_error),
        ONLY_5(no_alias_is_sent_above_the_maximum_of_the_server),
        ONLY_5(no_alias_is_sent_to_a_server_that_takes_none),
        ONLY_5(an_alias_of_zero_is_neither_sent_nor_accepted),
        ONLY_5(an_alias_ends_with_its_connection),
        ONLY_5(every_announced_alias_is_accepted),
        ONLY_5(an_alias_above_our_maximum_ends_the_connection),
        ONLY_5(an_alias_ends_the_connection_when_none_were_announced),
        ONLY_5(an_alias_without_a_topic_name_before_it_is_a_protocol_error),
        ONLY_5(a_publish_with_neither_topic_nor_alias_is_a_protocol_error),
    };
    return cmocka_run_group_tests_name("conformance: PUBLISH", tests, NULL, NULL);
}

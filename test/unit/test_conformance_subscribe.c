/* SPDX-License-Identifier: MIT */
/* SUBSCRIBE to UNSUBACK, sections 3.8 to 3.11, and topics, section 4.7 and 5.0's 4.8.2. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct th_mqtt_filter three[] = {
    {.filter = {(const uint8_t *)"a", 1}, .qos = TH_MQTT_QOS0},
    {.filter = {(const uint8_t *)"b", 1}, .qos = TH_MQTT_QOS1},
    {.filter = {(const uint8_t *)"c", 1}, .qos = TH_MQTT_QOS2},
};

static uint16_t subscribed(struct bench *bench, const char *filter)
{
    uint16_t id;
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, filter, &id), TH_OK);
    assert_int_equal(next_sent(bench).first, 0x82);
    return id;
}

static uint16_t unsubscribed(struct bench *bench, const char *filter)
{
    uint16_t id;
    assert_int_equal(unsubscribe(bench, filter, &id), TH_OK);
    assert_int_equal(next_sent(bench).first, 0xA2);
    return id;
}

/* SUBACK 0x90 or UNSUBACK 0xB0 with these codes. */
static void broker_answers(struct bench *bench, uint8_t first, uint16_t id, const char *codes)
{
    char hex[80];
    unsigned count = 0;
    for (const char *at = codes; *at != '\0'; at++)
        count += *at != ' ';
    snprintf(hex, sizeof hex, bench->v5 ? "%02X %02X %04X 00 %s" : "%02X %02X %04X %s", first,
             2 + bench->v5 + count / 2, id, codes);
    broker_sends(bench, hex);
}

static void subscribe_has_its_flags(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    subscribed(bench, "a");
}

static void unsubscribe_has_its_flags(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    unsubscribed(bench, "a");
}

static void a_filter_that_is_not_utf8_is_not_subscribed(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "a\xED\xA0\x80", NULL), TH_ERR_INVALID);
    expect_nothing_sent(bench);
}

static void a_filter_that_is_not_utf8_is_not_unsubscribed(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_equal(unsubscribe(bench, "a\xED\xA0\x80", NULL), TH_ERR_INVALID);
    expect_nothing_sent(bench);
}

static void a_subscribe_without_filters_is_not_sent(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_equal(th_mqtt_subscribe(&bench->mqtt, three, 0, NULL, 0, NULL), TH_ERR_INVALID);
    bench_run(bench);
    expect_nothing_sent(bench);
}

static void an_unsubscribe_without_filters_is_not_sent(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_filter filter = {.filter = TH_SPAN("a")};
    bench_connect(bench, false, "");
    assert_int_equal(th_mqtt_unsubscribe(&bench->mqtt, &filter, 0, NULL, 0, NULL), TH_ERR_INVALID);
    bench_run(bench);
    expect_nothing_sent(bench);
}

static uint8_t options_sent(struct bench *bench, struct th_mqtt_filter filter)
{
    assert_int_equal(th_mqtt_subscribe(&bench->mqtt, &filter, 1, NULL, 0, NULL), TH_OK);
    bench_run(bench);
    struct th_span body = next_sent(bench).body;
    return body.at[body.len - 1];
}

static void the_reserved_bits_of_the_options_are_zero(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    for (uint8_t qos = 0; qos <= 2; qos++) {
        struct th_mqtt_filter filter = {.filter = TH_SPAN("a"), .qos = (enum th_mqtt_qos)qos};
        assert_int_equal(options_sent(bench, filter), qos);
    }
    struct th_mqtt_filter all = {.filter = TH_SPAN("a"),
                                 .qos = TH_MQTT_QOS1,
                                 .no_local = true,
                                 .retain_as_published = true,
                                 .retain_handling = TH_MQTT_RETAINED_DO_NOT_SEND};
    if (bench->v5)
        assert_int_equal(options_sent(bench, all), 0x2D);
}

static void qos_3_and_retain_handling_3_are_not_subscribed(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_filter filter = {.filter = TH_SPAN("a"),
                                    .retain_handling = (enum th_mqtt_retain_handling)3};
    bench_connect(bench, false, "");
    assert_int_equal(subscribe(bench, (enum th_mqtt_qos)3, "a", NULL), TH_ERR_INVALID);
    if (bench->v5)
        assert_int_equal(th_mqtt_subscribe(&bench->mqtt, &filter, 1, NULL, 0, NULL),
                         TH_ERR_INVALID);
    bench_run(bench);
    expect_nothing_sent(bench);
}

static void no_local_is_not_set_on_a_shared_subscription(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_filter filter = {.filter = TH_SPAN("$share/g/a"), .no_local = true};
    bench_connect(bench, false, "");
    assert_int_equal(th_mqtt_subscribe(&bench->mqtt, &filter, 1, NULL, 0, NULL), TH_ERR_INVALID);
    bench_run(bench);
    expect_nothing_sent(bench);
    filter.filter = TH_SPAN("$shared/g/a");
    assert_int_equal(th_mqtt_subscribe(&bench->mqtt, &filter, 1, NULL, 0, NULL), TH_OK);
}

static void a_subscription_identifier_is_not_zero(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_property zero = {.id = TH_MQTT_SUBSCRIPTION_ID, .number = 0};
    struct th_mqtt_property beyond = {.id = TH_MQTT_SUBSCRIPTION_ID, .number = 268435456};
    bench_connect(bench, false, "");
    assert_int_equal(th_mqtt_subscribe(&bench->mqtt, three, 1, &zero, 1, NULL), TH_ERR_INVALID);
    assert_int_equal(th_mqtt_subscribe(&bench->mqtt, three, 1, &beyond, 1, NULL), TH_ERR_INVALID);
    bench_run(bench);
    expect_nothing_sent(bench);
}

/* ---- answers ---- */

static void an_answer_to_nothing_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    uint16_t id = subscribed(bench, "a");
    broker_answers(bench, 0x90, (uint16_t)(id + 1), "00");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
    bench_again(bench);
    bench_connect(bench, false, "");
    id = unsubscribed(bench, "a");
    broker_answers(bench, 0xB0, (uint16_t)(id + 1), bench->v5 ? "00" : "");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void an_unsuback_to_a_subscribe_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    uint16_t id = subscribed(bench, "a");
    broker_answers(bench, 0xB0, id, bench->v5 ? "00" : "");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void suback_answers_its_subscribe(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    uint16_t first = subscribed(bench, "a"), second = subscribed(bench, "b");
    broker_answers(bench, 0x90, second, "00");
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_SUBSCRIBED)->id, second);
    broker_answers(bench, 0x90, first, "00");
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_SUBSCRIBED)->id, first);
    broker_answers(bench, 0x90, first, "00");
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void unsuback_answers_its_unsubscribe(void **state)
{
    struct bench *bench = *state;
    const char *codes = bench->v5 ? "00" : "";
    bench_connect(bench, false, "");
    uint16_t first = unsubscribed(bench, "a"), second = unsubscribed(bench, "b");
    broker_answers(bench, 0xB0, second, codes);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_UNSUBSCRIBED)->id, second);
    broker_answers(bench, 0xB0, first, codes);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_UNSUBSCRIBED)->id, first);
    broker_answers(bench, 0xB0, first, codes);
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static uint16_t three_subscribed(struct bench *bench)
{
    uint16_t id;
    assert_int_equal(th_mqtt_subscribe(&bench->mqtt, three, 3, NULL, 0, &id), TH_OK);
    bench_run(bench);
    next_sent(bench);
    return id;
}

static void suback_has_a_code_for_each_filter(void **state)
{
    struct bench *bench = *state;
    static const char *const wrong[] = {"", "00 01", "00 01 02 00"};
    for (size_t i = 0; i < 3; i++) {
        bench_connect(bench, false, "");
        broker_answers(bench, 0x90, three_subscribed(bench), wrong[i]);
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
        bench_again(bench);
    }
}

static void suback_codes_are_told_in_their_order(void **state)
{
    struct bench *bench = *state;
    static const uint8_t codes[] = {0x00, 0x80, 0x02};
    bench_connect(bench, false, "");
    broker_answers(bench, 0x90, three_subscribed(bench), "00 80 02");
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_SUBSCRIBED);
    assert_int_equal(event->code_count, 3);
    assert_memory_equal(event->codes, codes, 3);
}

static void suback_uses_only_codes_of_its_table(void **state)
{
    struct bench *bench = *state;
    static const char *const both_versions[] = {"03", "7F", "81", "FF"};
    for (size_t i = 0; i < 4; i++) {
        bench_connect(bench, false, "");
        broker_answers(bench, 0x90, subscribed(bench, "a"), both_versions[i]);
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
        bench_again(bench);
    }
    bench_connect(bench, false, "");
    broker_answers(bench, 0x90, subscribed(bench, "a"), "87");
    if (bench->v5)
        assert_int_equal(expect_event(bench, TH_MQTT_EVENT_SUBSCRIBED)->codes[0], 0x87);
    else
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0);
}

static void unsuback_has_a_code_for_each_filter(void **state)
{
    struct bench *bench = *state;
    static const char *const wrong[] = {"", "00", "00 11 00"};
    static const uint8_t codes[] = {0x11, 0x00};
    struct th_mqtt_filter filters[] = {{.filter = TH_SPAN("a")}, {.filter = TH_SPAN("b")}};
    uint16_t id;
    for (size_t i = 0; i < 4; i++) {
        bench_connect(bench, false, "");
        assert_int_equal(th_mqtt_unsubscribe(&bench->mqtt, filters, 2, NULL, 0, &id), TH_OK);
        bench_run(bench);
        next_sent(bench);
        if (i == 3)
            break;
        broker_answers(bench, 0xB0, id, wrong[i]);
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
        bench_again(bench);
    }
    broker_answers(bench, 0xB0, id, "11 00");
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_UNSUBSCRIBED);
    assert_int_equal(event->code_count, 2);
    assert_memory_equal(event->codes, codes, 2);
}

static void unsuback_uses_only_codes_of_its_table(void **state)
{
    struct bench *bench = *state;
    static const char *const wrong[] = {"01", "10", "7F", "9E", "FF"};
    for (size_t i = 0; i < 5; i++) {
        bench_connect(bench, false, "");
        broker_answers(bench, 0xB0, unsubscribed(bench, "a"), wrong[i]);
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
        bench_again(bench);
    }
}

/* ---- topics ---- */

static void expect_filter(struct bench *bench, const char *filter, bool valid)
{
    enum th_error expected = valid ? TH_OK : TH_ERR_INVALID;
    bench_connect(bench, false, "");
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, filter, NULL), expected);
    assert_int_equal(unsubscribe(bench, filter, NULL), expected);
    if (!valid)
        expect_nothing_sent(bench);
    bench_again(bench);
}

static void a_hash_stands_alone_or_last_after_a_slash(void **state)
{
    static const char *const good[] = {"#", "a/#", "/#", "+/#"};
    static const char *const bad[] = {"a#", "#a", "#/a", "a/#/b", "a/b#", "##", "+#"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        expect_filter(*state, good[i], true);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_filter(*state, bad[i], false);
}

static void a_plus_fills_a_whole_level(void **state)
{
    static const char *const good[] = {"+", "+/a", "a/+", "a/+/b", "/+", "+/+", "+/"};
    static const char *const bad[] = {"a+", "+a", "a/b+", "+b/c", "a/++"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        expect_filter(*state, good[i], true);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_filter(*state, bad[i], false);
}

static void an_empty_topic_is_not_sent(void **state)
{
    struct bench *bench = *state;
    expect_filter(bench, "", false);
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "", "x", NULL), TH_ERR_INVALID);
    expect_nothing_sent(bench);
    assert_false(th_topic_name_valid(TH_SPAN("")));
    assert_false(th_topic_filter_valid(TH_SPAN("")));
}

static void an_empty_received_topic_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_publishes(bench, 0, 0, "", "x");
    expect_violation(bench, bench->v5 ? TH_ERR_MQTT_PROTOCOL : TH_ERR_MQTT_TOPIC_NAME, 0x82);
}

static void a_topic_with_nul_is_not_sent(void **state)
{
    struct bench *bench = *state;
    struct th_span nul = th_span_of("a\0b", 3);
    struct th_mqtt_publish request = {.topic = nul};
    struct th_mqtt_filter filter = {.filter = nul};
    bench_connect(bench, false, "");
    assert_int_equal(th_mqtt_publish(&bench->mqtt, &request, NULL), TH_ERR_INVALID);
    assert_int_equal(th_mqtt_subscribe(&bench->mqtt, &filter, 1, NULL, 0, NULL), TH_ERR_INVALID);
    assert_int_equal(th_mqtt_unsubscribe(&bench->mqtt, &filter, 1, NULL, 0, NULL), TH_ERR_INVALID);
    bench_run(bench);
    expect_nothing_sent(bench);
}

static void a_topic_beyond_65535_bytes_is_not_sent(void **state)
{
    struct bench *bench = *state;
    static char longest[65536];
    memset(longest, 'a', sizeof longest);
    struct th_span too_long = th_span_of(longest, 65536);
    struct th_mqtt_publish request = {.topic = too_long};
    bench_connect(bench, false, "");
    assert_int_equal(th_mqtt_publish(&bench->mqtt, &request, NULL), TH_ERR_INVALID);
    bench_run(bench);
    expect_nothing_sent(bench);
    assert_true(th_topic_name_valid(th_span_of(longest, 65535)));
    assert_false(th_topic_name_valid(too_long));
    assert_true(th_topic_filter_valid(th_span_of(longest, 65535)));
    assert_false(th_topic_filter_valid(too_long));
}

static void a_leading_wildcard_does_not_match_a_dollar_name(void **state)
{
    (void)state;
    assert_false(th_topic_match(TH_SPAN("#"), TH_SPAN("$SYS/uptime")));
    assert_false(th_topic_match(TH_SPAN("+/uptime"), TH_SPAN("$SYS/uptime")));
    assert_true(th_topic_match(TH_SPAN("$SYS/#"), TH_SPAN("$SYS/uptime")));
    assert_true(th_topic_match(TH_SPAN("$SYS/+"), TH_SPAN("$SYS/uptime")));
    assert_true(th_topic_match(TH_SPAN("#"), TH_SPAN("a/$b")));
}

static void matching_compares_characters_as_they_are(void **state)
{
    (void)state;
    assert_true(th_topic_match(TH_SPAN("Caf\xC3\xA9"), TH_SPAN("Caf\xC3\xA9")));
    assert_false(th_topic_match(TH_SPAN("Caf\xC3\xA9"), TH_SPAN("Cafe\xCC\x81")));
    assert_false(th_topic_match(TH_SPAN("a"), TH_SPAN("A")));
    assert_false(th_topic_match(TH_SPAN("a/b"), TH_SPAN("a/b/")));
    assert_false(th_topic_match(TH_SPAN("a/b"), TH_SPAN("/a/b")));
    assert_false(th_topic_match(TH_SPAN("a/b"), TH_SPAN("a//b")));
}

static void a_share_name_has_a_character(void **state)
{
    expect_filter(*state, "$share/g/a", true);
    expect_filter(*state, "$share//a", false);
}

static void a_share_name_has_no_wildcard_and_a_filter_follows(void **state)
{
    static const char *const bad[] = {"$share/g+/a", "$share/+/a", "$share/g#/a",
                                      "$share/#",    "$share/g",   "$share/g/"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_filter(*state, bad[i], false);
    expect_filter(*state, "$share/g//", true);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BOTH(subscribe_has_its_flags),
        BOTH(unsubscribe_has_its_flags),
        BOTH(a_filter_that_is_not_utf8_is_not_subscribed),
        BOTH(a_filter_that_is_not_utf8_is_not_unsubscribed),
        BOTH(a_subscribe_without_filters_is_not_sent),
        BOTH(an_unsubscribe_without_filters_is_not_sent),
        BOTH(the_reserved_bits_of_the_options_are_zero),
        BOTH(qos_3_and_retain_handling_3_are_not_subscribed),
        ONLY_5(no_local_is_not_set_on_a_shared_subscription),
        ONLY_5(a_subscription_identifier_is_not_zero),
        BOTH(an_answer_to_nothing_ends_the_connection),
        BOTH(an_unsuback_to_a_subscribe_ends_the_connection),
        BOTH(suback_answers_its_subscribe),
        BOTH(unsuback_answers_its_unsubscribe),
        BOTH(suback_has_a_code_for_each_filter),
        BOTH(suback_codes_are_told_in_their_order),
        BOTH(suback_uses_only_codes_of_its_table),
        ONLY_5(unsuback_has_a_code_for_each_filter),
        ONLY_5(unsuback_uses_only_codes_of_its_table),
        BOTH(a_hash_stands_alone_or_last_after_a_slash),
        BOTH(a_plus_fills_a_whole_level),
        BOTH(an_empty_topic_is_not_sent),
        BOTH(an_empty_received_topic_ends_the_connection),
        BOTH(a_topic_with_nul_is_not_sent),
        BOTH(a_topic_beyond_65535_bytes_is_not_sent),
        BOTH(a_leading_wildcard_does_not_match_a_dollar_name),
        BOTH(matching_compares_characters_as_they_are),
        ONLY_5(a_share_name_has_a_character),
        ONLY_5(a_share_name_has_no_wildcard_and_a_filter_follows),
    };
    return cmocka_run_group_tests_name("conformance: subscriptions", tests, NULL, NULL);
}

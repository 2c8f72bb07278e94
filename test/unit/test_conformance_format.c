/* SPDX-License-Identifier: MIT */
/* Chapters 1 and 2 of both specifications: strings, integers, fixed headers, identifiers. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

static const char *const ill_formed[] = {
    "a\xED\xA0\x80",     /* U+D800, a surrogate */
    "a\xED\xBF\xBF",     /* U+DFFF */
    "a\xC1\x81",         /* 'A' in two bytes */
    "a\xE0\x80\xAF",     /* '/' in three */
    "a\xF0\x80\x80\xAF", /* and in four */
    "a\xF4\x90\x80\x80", /* beyond U+10FFFF */
    "a\x80",             /* a continuation without its start */
    "a\xE2\x82",         /* a start without its continuation */
    "a\xFF",
};

#define ILL_FORMED_COUNT (sizeof ill_formed / sizeof ill_formed[0])

static void a_string_that_is_not_utf8_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < ILL_FORMED_COUNT; i++) {
        bench_connect(bench, false, "");
        broker_publishes(bench, 0, 0, ill_formed[i], "x");
        expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
        bench_again(bench);
    }
}

static void a_string_with_nul_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_sends(bench, bench->v5 ? "30 07 0003 'a' 00 'b' 00 'x'" : "30 06 0003 'a' 00 'b' 'x'");
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
}

static void a_byte_order_mark_stays_in_its_string(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_publishes(bench, 0, 0,
                     "\xEF\xBB\xBF"
                     "a",
                     "x");
    expect_message(bench,
                   "\xEF\xBB\xBF"
                   "a",
                   "x");
    expect_still_connected(bench);
}

static void a_received_identifier_is_read_with_its_high_byte_first(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_sends(bench, bench->v5 ? "32 07 0001 'a' 0102 00 'x'" : "32 06 0001 'a' 0102 'x'");
    expect_message(bench, "a", "x");
    expect_ack_sent(bench, 0x40, 0x0102);
    broker_sends(bench, bench->v5 ? "34 07 0001 'a' 0304 00 'x'" : "34 06 0001 'a' 0304 'x'");
    expect_ack_sent(bench, 0x50, 0x0304);
    broker_sends(bench, "62 02 0304");
    expect_ack_sent(bench, 0x70, 0x0304);
}

static void every_fixed_header_is_sent_with_its_reserved_flags(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_publishes(bench, 0x2, 1, "a", "x");
    assert_int_equal(next_sent(bench).first, 0x40);
    broker_publishes(bench, 0x4, 2, "a", "x");
    assert_int_equal(next_sent(bench).first, 0x50);
    broker_acks(bench, 0x62, 2);
    assert_int_equal(next_sent(bench).first, 0x70);
    bench_wait(bench, 60);
    expect_sent(bench, "C0 00");
    assert_int_equal(th_mqtt_disconnect(&bench->mqtt, 0, NULL, 0), TH_OK);
    bench_run(bench);
    assert_int_equal(next_sent(bench).first, 0xE0);
}

static void wrong_flags_in_a_fixed_header_end_the_connection(void **state)
{
    struct bench *bench = *state;
    static const char *const packets[] = {
        "41 02 0001", "51 02 0001", "60 02 0001", "63 02 0001", "71 02 0001", "D1 00", "D8 00",
    };
    for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        bench_connect(bench, false, "");
        broker_sends(bench, packets[i]);
        expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
        bench_again(bench);
    }
}

static void wrong_flags_in_suback_and_unsuback_end_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "a", NULL), TH_OK);
    struct th_span asked = next_sent(bench).body;
    uint8_t id = asked.at[1];
    char answer[32];
    snprintf(answer, sizeof answer, bench->v5 ? "92 04 00%02X 00 00" : "92 03 00%02X 00", id);
    broker_sends(bench, answer);
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
    bench_again(bench);
    bench_connect(bench, false, "");
    assert_int_equal(unsubscribe(bench, "a", NULL), TH_OK);
    id = next_sent(bench).body.at[1];
    snprintf(answer, sizeof answer, bench->v5 ? "B2 04 00%02X 00 00" : "B2 02 00%02X", id);
    broker_sends(bench, answer);
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
}

static void a_reserved_packet_type_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_sends(bench, "00 00");
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
    if (bench->v5)
        return; /* 15 is AUTH there */
    bench_again(bench);
    bench_connect(bench, false, "");
    broker_sends(bench, "F0 00");
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
}

static void a_packet_only_clients_send_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    static const char *const packets[] = {
        "C0 00",
        "10 0C 0004 'MQTT' 04 02 0000 0000",
        "82 06 0001 0001 'a' 00",
        "A2 05 0001 0001 'a'",
    };
    for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        bench_connect(bench, false, "");
        broker_sends(bench, packets[i]);
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
        bench_again(bench);
    }
}

static void a_remaining_length_of_five_bytes_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_sends(bench, "30 80 80 80 80 01");
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
}

static void a_length_in_more_bytes_than_it_needs_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_sends(bench, "D0 80 00");
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
    bench_again(bench);
    bench_connect(bench, false, "");
    broker_sends(bench, "30 06 0001 'a' 80 00 'x'");
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
}

static size_t endless(void *user, uint32_t offset, uint8_t *into, size_t room)
{
    (void)user;
    (void)offset;
    memset(into, 'x', room);
    return room;
}

static void nothing_beyond_the_largest_remaining_length_is_sent(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_source source = {endless, NULL, 268435455};
    struct th_mqtt_publish request = {.topic = TH_SPAN("a"), .source = &source};
    bench_connect(bench, false, "");
    assert_int_equal(th_mqtt_publish(&bench->mqtt, &request, NULL), TH_ERR_TOO_LARGE);
    bench_run(bench);
    expect_nothing_sent(bench);
}

static void a_packet_that_is_longer_or_shorter_than_its_fields_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    static const char *const packets_311[] = {
        "40 03 0001 00", "40 01 00",          "D0 01 00", "30 02 0001",
        "30 01 00",      "32 04 0001 'a' 00", "70 00",
    };
    static const char *const packets_5[] = {
        "40 05 0001 00 00 00",  "40 01 00",          "D0 01 00", "30 02 0001", "30 03 0001 'a'",
        "30 05 0001 'a' 05 01", "32 04 0001 'a' 00",
    };
    for (size_t i = 0; i < 7; i++) {
        bench_connect(bench, false, "");
        broker_sends(bench, bench->v5 ? packets_5[i] : packets_311[i]);
        expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
        bench_again(bench);
    }
}

/* More rounds than there are identifiers, while a request keeps one of them. */
static void messages_take_every_identifier_but_zero_and_those_in_use(void **state)
{
    struct bench *bench = *state;
    uint16_t held, id;
    bench_connect(bench, false, "");
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "held", &held), TH_OK);
    for (uint32_t i = 0; i < 66000; i++) {
        assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "x", &id), TH_OK);
        assert_int_not_equal(id, 0);
        assert_int_not_equal(id, held);
        bench->out_seen = bench->out_to = 0;
        broker_acks(bench, 0x40, id);
        assert_int_equal(expect_event(bench, TH_MQTT_EVENT_PUBLISHED)->id, id);
        bench->event_seen = bench->event_count = 0;
    }
}

/* The same with requests, while messages keep two of them. */
static void requests_take_every_identifier_but_zero_and_those_in_use(void **state)
{
    struct bench *bench = *state;
    uint16_t held[2], id;
    char answer[40];
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "held", "x", &held[0]), TH_OK);
    assert_int_equal(publish(bench, TH_MQTT_QOS2, "held", "x", &held[1]), TH_OK);
    for (uint32_t i = 0; i < 66000; i++) {
        assert_int_equal(unsubscribe(bench, "a", &id), TH_OK);
        assert_int_not_equal(id, 0);
        assert_int_not_equal(id, held[0]);
        assert_int_not_equal(id, held[1]);
        bench->out_seen = bench->out_to = 0;
        snprintf(answer, sizeof answer, bench->v5 ? "B0 04 %04X 00 00" : "B0 02 %04X", id);
        broker_sends(bench, answer);
        assert_int_equal(expect_event(bench, TH_MQTT_EVENT_UNSUBSCRIBED)->id, id);
        bench->event_seen = bench->event_count = 0;
    }
}

static void a_server_publish_with_identifier_zero_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    for (uint8_t flags = 0x2; flags <= 0x4; flags += 2) {
        bench_connect(bench, false, "");
        broker_publishes(bench, flags, 0, "a", "x");
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
        bench_again(bench);
    }
}

static void a_publish_at_qos_0_has_no_identifier(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "a", "xy", NULL), TH_OK);
    expect_sent(bench, bench->v5 ? "30 06 0001 'a' 00 'xy'" : "30 05 0001 'a' 'xy'");
}

static void an_acknowledgement_has_the_identifier_of_its_publish(void **state)
{
    struct bench *bench = *state;
    uint16_t id;
    bench_connect(bench, false, "");
    broker_publishes(bench, 0x2, 7, "a", "x");
    expect_ack_sent(bench, 0x40, 7);
    broker_publishes(bench, 0x4, 8, "a", "x");
    expect_ack_sent(bench, 0x50, 8);
    broker_acks(bench, 0x62, 8);
    expect_ack_sent(bench, 0x70, 8);
    assert_int_equal(publish(bench, TH_MQTT_QOS2, "a", "x", &id), TH_OK);
    assert_int_equal(next_publish(bench).id, id);
    broker_acks(bench, 0x50, id);
    expect_ack_sent(bench, 0x62, id);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BOTH(a_string_that_is_not_utf8_ends_the_connection),
        BOTH(a_string_with_nul_ends_the_connection),
        BOTH(a_byte_order_mark_stays_in_its_string),
        BOTH(a_received_identifier_is_read_with_its_high_byte_first),
        BOTH(every_fixed_header_is_sent_with_its_reserved_flags),
        BOTH(wrong_flags_in_a_fixed_header_end_the_connection),
        BOTH(wrong_flags_in_suback_and_unsuback_end_the_connection),
        BOTH(a_reserved_packet_type_ends_the_connection),
        BOTH(a_packet_only_clients_send_ends_the_connection),
        BOTH(a_remaining_length_of_five_bytes_ends_the_connection),
        ONLY_5(a_length_in_more_bytes_than_it_needs_ends_the_connection),
        BOTH(nothing_beyond_the_largest_remaining_length_is_sent),
        BOTH(a_packet_that_is_longer_or_shorter_than_its_fields_ends_the_connection),
        BOTH(messages_take_every_identifier_but_zero_and_those_in_use),
        BOTH(requests_take_every_identifier_but_zero_and_those_in_use),
        BOTH(a_server_publish_with_identifier_zero_ends_the_connection),
        BOTH(a_publish_at_qos_0_has_no_identifier),
        BOTH(an_acknowledgement_has_the_identifier_of_its_publish),
    };
    return cmocka_run_group_tests_name("conformance: format", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Delivery, repetition and order: sections 4.3 to 4.6, and 3.4 to 3.7 of both specifications. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

static uint16_t published(struct bench *bench, enum th_mqtt_qos qos, const char *topic)
{
    uint16_t id;
    assert_int_equal(publish(bench, qos, topic, "x", &id), TH_OK);
    expect_publish_sent(bench, (uint8_t)(0x30 | qos << 1), id, topic);
    return id;
}

static void reconnect(struct bench *bench)
{
    bench_cut(bench);
    bench_connect(bench, true, "");
}

static void qos_0_is_sent_once_and_without_dup(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    assert_int_equal(publish(bench, TH_MQTT_QOS0, "a", "x", NULL), TH_OK);
    expect_publish_sent(bench, 0x30, 0, "a");
    reconnect(bench);
    expect_still_connected(bench);
}

static void qos_1_is_repeated_until_puback(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    uint16_t id = published(bench, TH_MQTT_QOS1, "a");
    for (int i = 0; i < 2; i++) {
        reconnect(bench);
        expect_publish_sent(bench, 0x3A, id, "a");
        expect_still_connected(bench);
    }
    broker_acks(bench, 0x40, id);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_PUBLISHED)->id, id);
    assert_int_equal(th_mqtt_pending(&bench->mqtt), 0);
    reconnect(bench);
    expect_still_connected(bench);
}

static void after_puback_an_identifier_means_a_new_message(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    for (uint8_t flags = 0x2; flags <= 0xA; flags += 8) {
        broker_publishes(bench, flags, 3, "a", "x");
        expect_message(bench, "a", "x");
        expect_ack_sent(bench, 0x40, 3);
    }
    expect_still_connected(bench);
}

static void qos_2_is_repeated_until_pubrec(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    uint16_t id = published(bench, TH_MQTT_QOS2, "a");
    for (int i = 0; i < 2; i++) {
        reconnect(bench);
        expect_publish_sent(bench, 0x3C, id, "a");
        expect_still_connected(bench);
    }
}

static void pubrec_is_answered_by_pubrel(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    uint16_t id = published(bench, TH_MQTT_QOS2, "a");
    broker_acks(bench, 0x50, id);
    expect_ack_sent(bench, 0x62, id);
    expect_still_connected(bench);
}

static void pubrel_is_repeated_until_pubcomp(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    uint16_t id = published(bench, TH_MQTT_QOS2, "a");
    broker_acks(bench, 0x50, id);
    expect_ack_sent(bench, 0x62, id);
    for (int i = 0; i < 2; i++) {
        reconnect(bench);
        expect_ack_sent(bench, 0x62, id);
        expect_still_connected(bench);
    }
    broker_acks(bench, 0x70, id);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_PUBLISHED)->id, id);
    reconnect(bench);
    expect_still_connected(bench);
}

static void after_pubrel_the_publish_is_not_sent_again(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    uint16_t id = published(bench, TH_MQTT_QOS2, "a");
    broker_acks(bench, 0x50, id);
    expect_ack_sent(bench, 0x62, id);
    reconnect(bench);
    assert_int_equal(next_sent(bench).first, 0x62);
    expect_nothing_sent(bench);
    broker_acks(bench, 0x50, id);
    assert_int_equal(next_sent(bench).first, 0x62);
    expect_still_connected(bench);
}

static void qos_2_is_delivered_once_and_each_repetition_gets_pubrec(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_publishes(bench, 0x4, 5, "a", "x");
    expect_message(bench, "a", "x");
    expect_ack_sent(bench, 0x50, 5);
    broker_publishes(bench, 0xC, 5, "a", "x");
    expect_ack_sent(bench, 0x50, 5);
    expect_still_connected(bench);
    reconnect(bench);
    broker_publishes(bench, 0xC, 5, "a", "x");
    expect_ack_sent(bench, 0x50, 5);
    expect_still_connected(bench);
}

static void pubrel_is_answered_by_pubcomp(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_publishes(bench, 0x4, 5, "a", "x");
    expect_message(bench, "a", "x");
    expect_ack_sent(bench, 0x50, 5);
    broker_acks(bench, 0x62, 5);
    expect_ack_sent(bench, 0x70, 5);
    expect_still_connected(bench);
}

static void after_pubcomp_an_identifier_means_a_new_message(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    for (int i = 0; i < 3; i++) {
        broker_publishes(bench, 0x4, 5, "a", "x");
        expect_message(bench, "a", "x");
        expect_ack_sent(bench, 0x50, 5);
        broker_acks(bench, 0x62, 5);
        expect_ack_sent(bench, 0x70, 5);
    }
    expect_still_connected(bench);
}

static void an_identifier_not_in_use_does_no_harm(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_acks(bench, 0x62, 77);
    struct bench_packet sent = next_sent(bench);
    assert_int_equal(sent.first, 0x70);
    assert_int_equal(sent.body.at[1], 77);
    if (bench->v5)
        assert_int_equal(sent.body.at[2], 0x92);
    broker_acks(bench, 0x50, 78);
    sent = next_sent(bench);
    assert_int_equal(sent.first, 0x62);
    assert_int_equal(sent.body.at[1], 78);
    if (bench->v5)
        assert_int_equal(sent.body.at[2], 0x92);
    broker_acks(bench, 0x70, 79);
    expect_still_connected(bench);
}

static void an_answer_of_another_qos_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    static const struct {
        enum th_mqtt_qos qos;
        uint8_t answer;
    } wrong[] = {{TH_MQTT_QOS1, 0x50}, {TH_MQTT_QOS1, 0x70}, {TH_MQTT_QOS2, 0x40}};
    for (size_t i = 0; i < 3; i++) {
        bench_connect(bench, false, "");
        broker_acks(bench, wrong[i].answer, published(bench, wrong[i].qos, "a"));
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
        bench_again(bench);
    }
}

static void a_pubcomp_before_pubrec_ends_the_connection(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_acks(bench, 0x70, published(bench, TH_MQTT_QOS2, "a"));
    expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
}

static void a_repetition_keeps_dup_and_identifier(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    uint16_t first = published(bench, TH_MQTT_QOS1, "a");
    uint16_t second = published(bench, TH_MQTT_QOS2, "b");
    reconnect(bench);
    struct bench_publish sent = next_publish(bench);
    assert_int_equal(sent.first & 0x08, 0x08);
    assert_int_equal(sent.id, first);
    sent = next_publish(bench);
    assert_int_equal(sent.first & 0x08, 0x08);
    assert_int_equal(sent.id, second);
    expect_still_connected(bench);
}

static void repetitions_keep_the_order_of_the_first_sending(void **state)
{
    struct bench *bench = *state;
    char topic[] = "0";
    uint16_t ids[8];
    bench_connect(bench, false, "");
    for (unsigned i = 0; i < 8; i++) {
        topic[0] = (char)('0' + i);
        ids[i] = published(bench, i % 3 == 0 ? TH_MQTT_QOS2 : TH_MQTT_QOS1, topic);
    }
    broker_acks(bench, 0x40, ids[1]);
    broker_acks(bench, 0x50, ids[3]);
    expect_ack_sent(bench, 0x62, ids[3]);
    bench_cut(bench);
    bench_connect(bench, true, "");
    for (unsigned i = 0; i < 8; i++) {
        if (i == 1)
            continue;
        if (i == 3) {
            expect_ack_sent(bench, 0x62, ids[3]);
            continue;
        }
        struct bench_publish sent = next_publish(bench);
        assert_int_equal(sent.id, ids[i]);
        assert_int_equal(sent.topic.at[0], '0' + i);
    }
    expect_still_connected(bench);
}

static void nothing_is_repeated_while_the_connection_stands(void **state)
{
    struct bench *bench = *state;
    bench->config.keep_alive_s = TH_MQTT_KEEP_ALIVE_OFF;
    bench_connect(bench, false, "");
    published(bench, TH_MQTT_QOS1, "a");
    uint16_t id = published(bench, TH_MQTT_QOS2, "b");
    broker_acks(bench, 0x50, id);
    expect_ack_sent(bench, 0x62, id);
    bench_wait(bench, 4000);
    expect_still_connected(bench);
}

static void acknowledgements_are_in_the_order_of(struct bench *bench, uint8_t flags, uint8_t first)
{
    bench_connect(bench, false, "");
    char hex[200] = "";
    for (unsigned id = 5; id >= 2; id--)
        snprintf(hex + strlen(hex), sizeof hex - strlen(hex),
                 bench->v5 ? "%02X 06 0001 'a' 00%02X 00 " : "%02X 05 0001 'a' 00%02X ",
                 0x30u | flags, id);
    broker_sends(bench, hex);
    for (uint16_t id = 5; id >= 2; id--)
        expect_ack_sent(bench, first, id);
    expect_nothing_sent(bench);
}

static void pubacks_keep_the_order_of_the_messages(void **state)
{
    acknowledgements_are_in_the_order_of(*state, 0x2, 0x40);
}

static void pubrecs_keep_the_order_of_the_messages(void **state)
{
    acknowledgements_are_in_the_order_of(*state, 0x4, 0x50);
}

static void pubrels_keep_the_order_of_the_pubrecs(void **state)
{
    struct bench *bench = *state;
    uint16_t ids[6];
    char hex[80] = "";
    bench_connect(bench, false, "");
    for (unsigned i = 0; i < 6; i++)
        ids[i] = published(bench, TH_MQTT_QOS2, "a");
    for (unsigned i = 0; i < 6; i++)
        snprintf(hex + strlen(hex), sizeof hex - strlen(hex), "50 02 %04X ", ids[5 - i]);
    broker_sends(bench, hex);
    for (unsigned i = 0; i < 6; i++)
        expect_ack_sent(bench, 0x62, ids[5 - i]);
    expect_still_connected(bench);
}

static void a_message_nobody_wants_is_acknowledged(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_publishes(bench, 0x2, 1, "never/subscribed", "");
    expect_ack_sent(bench, 0x40, 1);
    broker_publishes(bench, 0x4, 2, "never/subscribed", "");
    expect_ack_sent(bench, 0x50, 2);
}

/* ---- reason codes (5.0) ---- */

static void a_puback_of_0x80_acknowledges(void **state)
{
    struct bench *bench = *state;
    char hex[40];
    bench_connect(bench, false, "");
    uint16_t first = published(bench, TH_MQTT_QOS1, "a");
    uint16_t second = published(bench, TH_MQTT_QOS2, "b");
    snprintf(hex, sizeof hex, "40 03 %04X 87", first);
    broker_sends(bench, hex);
    assert_int_equal(expect_event(bench, TH_MQTT_EVENT_PUBLISHED)->reason_code, 0x87);
    snprintf(hex, sizeof hex, "50 04 %04X 97 00", second);
    broker_sends(bench, hex);
    const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_PUBLISHED);
    assert_int_equal(event->id, second);
    assert_int_equal(event->reason_code, 0x97);
    expect_still_connected(bench);
    reconnect(bench);
    expect_still_connected(bench);
}

static void an_acknowledgement_may_be_short(void **state)
{
    struct bench *bench = *state;
    static const char *const forms[] = {"40 02 %04X", "40 03 %04X 00", "40 04 %04X 00 00",
                                        "40 03 %04X 10"};
    char hex[40];
    bench_connect(bench, false, "");
    for (size_t i = 0; i < 4; i++) {
        uint16_t id = published(bench, TH_MQTT_QOS1, "a");
        snprintf(hex, sizeof hex, forms[i], id);
        broker_sends(bench, hex);
        const struct bench_event *event = expect_event(bench, TH_MQTT_EVENT_PUBLISHED);
        assert_int_equal(event->id, id);
        assert_int_equal(event->reason_code, i == 3 ? 0x10 : 0);
    }
    expect_still_connected(bench);
}

static void a_code_outside_the_table_ends_the_connection(struct bench *bench, uint8_t first,
                                                         enum th_mqtt_qos qos)
{
    static const uint8_t codes[] = {0x01, 0x18, 0x7F, 0x81, 0x9E, 0xFF};
    char hex[40];
    for (size_t i = 0; i < sizeof codes; i++) {
        bench_connect(bench, false, "");
        uint16_t id = 5;
        if (first == 0x62) {
            broker_publishes(bench, 0x4, 5, "a", "x");
            expect_message(bench, "a", "x");
            expect_ack_sent(bench, 0x50, 5);
        } else {
            id = published(bench, qos, "a");
        }
        if (first == 0x70) {
            broker_acks(bench, 0x50, id);
            expect_ack_sent(bench, 0x62, id);
        }
        snprintf(hex, sizeof hex, "%02X 03 %04X %02X", first, id, codes[i]);
        broker_sends(bench, hex);
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
        bench_again(bench);
    }
}

static void puback_uses_only_codes_of_its_table(void **state)
{
    a_code_outside_the_table_ends_the_connection(*state, 0x40, TH_MQTT_QOS1);
}

static void pubrec_uses_only_codes_of_its_table(void **state)
{
    a_code_outside_the_table_ends_the_connection(*state, 0x50, TH_MQTT_QOS2);
}

static void pubrel_uses_only_codes_of_its_table(void **state)
{
    a_code_outside_the_table_ends_the_connection(*state, 0x62, TH_MQTT_QOS2);
}

static void pubcomp_uses_only_codes_of_its_table(void **state)
{
    a_code_outside_the_table_ends_the_connection(*state, 0x70, TH_MQTT_QOS2);
}

static void our_acknowledgements_fit_the_smallest_packet(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    uint16_t id = published(bench, TH_MQTT_QOS2, "a");
    broker_publishes(bench, 0x2, 1, "a", "x");
    assert_true(next_sent(bench).all.len <= 6);
    broker_publishes(bench, 0x4, 2, "a", "x");
    assert_true(next_sent(bench).all.len <= 6);
    broker_acks(bench, 0x62, 2);
    assert_true(next_sent(bench).all.len <= 6);
    broker_acks(bench, 0x50, id);
    assert_true(next_sent(bench).all.len <= 6);
}

/* Room for identifiers is announced as Receive Maximum, so that none has to be turned away. */
static void our_pubrec_accepts(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    for (uint16_t id = 1; id <= 8; id++) {
        broker_publishes(bench, 0x4, id, "a", "x");
        expect_ack_sent(bench, 0x50, id);
    }
}

/* ---- message expiry (5.0): it never interrupts an exchange ---- */

static void a_message_once_sent_does_not_expire(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_property expiry = {.id = TH_MQTT_MESSAGE_EXPIRY, .number = 5};
    uint16_t id;
    bench_connect(bench, false, "");
    assert_int_equal(publish_with(bench, TH_MQTT_QOS2, "a", &expiry, &id), TH_OK);
    expect_publish_sent(bench, 0x34, id, "a");
    bench_wait(bench, 30);
    reconnect(bench);
    expect_publish_sent(bench, 0x3C, id, "a");
    broker_acks(bench, 0x50, id);
    expect_ack_sent(bench, 0x62, id);
}

static void an_expired_message_is_acknowledged_to_the_end(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_publishes_with(bench, 0x4, 5, "a", "02 00000000");
    expect_ack_sent(bench, 0x50, 5);
    bench_wait(bench, 10);
    broker_acks(bench, 0x62, 5);
    expect_ack_sent(bench, 0x70, 5);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BOTH(qos_0_is_sent_once_and_without_dup),
        BOTH(qos_1_is_repeated_until_puback),
        BOTH(after_puback_an_identifier_means_a_new_message),
        BOTH(qos_2_is_repeated_until_pubrec),
        BOTH(pubrec_is_answered_by_pubrel),
        BOTH(pubrel_is_repeated_until_pubcomp),
        BOTH(after_pubrel_the_publish_is_not_sent_again),
        BOTH(qos_2_is_delivered_once_and_each_repetition_gets_pubrec),
        BOTH(pubrel_is_answered_by_pubcomp),
        BOTH(after_pubcomp_an_identifier_means_a_new_message),
        BOTH(an_identifier_not_in_use_does_no_harm),
        BOTH(an_answer_of_another_qos_ends_the_connection),
        BOTH(a_pubcomp_before_pubrec_ends_the_connection),
        BOTH(a_repetition_keeps_dup_and_identifier),
        BOTH(repetitions_keep_the_order_of_the_first_sending),
        BOTH(nothing_is_repeated_while_the_connection_stands),
        BOTH(pubacks_keep_the_order_of_the_messages),
        BOTH(pubrecs_keep_the_order_of_the_messages),
        BOTH(pubrels_keep_the_order_of_the_pubrecs),
        BOTH(a_message_nobody_wants_is_acknowledged),
        ONLY_5(a_puback_of_0x80_acknowledges),
        ONLY_5(an_acknowledgement_may_be_short),
        ONLY_5(puback_uses_only_codes_of_its_table),
        ONLY_5(pubrec_uses_only_codes_of_its_table),
        ONLY_5(pubrel_uses_only_codes_of_its_table),
        ONLY_5(pubcomp_uses_only_codes_of_its_table),
        ONLY_5(our_acknowledgements_fit_the_smallest_packet),
        ONLY_5(our_pubrec_accepts),
        ONLY_5(a_message_once_sent_does_not_expire),
        ONLY_5(an_expired_message_is_acknowledged_to_the_end),
    };
    return cmocka_run_group_tests_name("conformance: delivery", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Every property of 5.0 §2.2.2.2 in every packet, inbound and outbound, against a table copied from
 * the specification's own: where it is allowed, which values it takes, whether it may repeat.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mqtt/property.h"
#include "mqtt_harness.h"

/* Columns of Table 2-4, by packet; W is the will's. */
#define CONNECT     0x0001u
#define CONNACK     0x0002u
#define PUBLISH     0x0004u
#define W           0x0008u
#define PUBACKS     0x0010u /* PUBACK, PUBREC, PUBREL, PUBCOMP */
#define SUBSCRIBE   0x0020u
#define SUBACKS     0x0040u /* SUBACK, UNSUBACK */
#define UNSUBSCRIBE 0x0080u
#define DISCONNECT  0x0100u
#define AUTH        0x0200u
#define ALL         0x03FFu

static const struct row {
    uint8_t id;
    const char *type;
    unsigned packets;
    const char *good, *bad[2]; /* value in hex; values of the right type that are not allowed */
} rows[] = {
    {0x01, "byte", PUBLISH | W, "01", {"02", "FF"}},
    {0x02, "four", PUBLISH | W, "00000000", {NULL}},
    {0x03, "text", PUBLISH | W, "0002 'ab'", {"0001 FF", "0001 00"}},
    {0x08, "text", PUBLISH | W, "0002 'ab'", {"0001 '#'", "0002 C328"}},
    {0x09, "binary", PUBLISH | W, "0002 FF00", {NULL}},
    {0x0B, "varint", PUBLISH | SUBSCRIBE, "FFFFFF7F", {"00", NULL}},
    {0x11, "four", CONNECT | CONNACK | DISCONNECT, "FFFFFFFF", {NULL}},
    {0x12, "text", CONNACK, "0001 'c'", {"0001 80", NULL}},
    {0x13, "two", CONNACK, "0000", {NULL}},
    {0x15, "text", CONNECT | CONNACK | AUTH, "0001 'm'", {"0001 C0", NULL}},
    {0x16, "binary", CONNECT | CONNACK | AUTH, "0001 00", {NULL}},
    {0x17, "byte", CONNECT, "00", {"02", NULL}},
    {0x18, "four", W, "00000001", {NULL}},
    {0x19, "byte", CONNECT, "01", {"02", NULL}},
    {0x1A, "text", CONNACK, "0001 'r'", {"0001 FE", NULL}},
    {0x1C, "text", CONNACK | DISCONNECT, "0001 's'", {"0001 FE", NULL}},
    {0x1F, "text", CONNACK | PUBACKS | SUBACKS | DISCONNECT | AUTH, "0001 'r'", {"0001 FE", NULL}},
    {0x21, "two", CONNECT | CONNACK, "0001", {"0000", NULL}},
    {0x22, "two", CONNECT | CONNACK, "0000", {NULL}},
    {0x23, "two", PUBLISH, "0001", {"0000", NULL}},
    {0x24, "byte", CONNACK, "00", {"02", NULL}},
    {0x25, "byte", CONNACK, "00", {"02", NULL}},
    {0x26, "pair", ALL, "0001 'k' 0001 'v'", {"0001 FF 0001 'v'", "0001 'k' 0001 FF"}},
    {0x27, "four", CONNECT | CONNACK, "00000001", {"00000000", NULL}},
    {0x28, "byte", CONNACK, "01", {"02", NULL}},
    {0x29, "byte", CONNACK, "01", {"02", NULL}},
    {0x2A, "byte", CONNACK, "01", {"02", NULL}},
};

#define ROWS (sizeof rows / sizeof rows[0])

/* What a broker sends. */
static const struct {
    enum th_place place;
    unsigned packet;
} inbound[] = {{TH_PLACE_CONNACK, CONNACK},          {TH_PLACE_PUBLISH_IN, PUBLISH},
               {(enum th_place)4, PUBACKS},          {(enum th_place)5, PUBACKS},
               {(enum th_place)6, PUBACKS},          {(enum th_place)7, PUBACKS},
               {(enum th_place)9, SUBACKS},          {(enum th_place)11, SUBACKS},
               {TH_PLACE_DISCONNECT_IN, DISCONNECT}, {TH_PLACE_AUTH, AUTH}};

/* What a broker may not send, although its packet has the property: §3.14.2.2.2. */
static bool from_client_only(uint8_t id, unsigned packet)
{
    return id == TH_MQTT_SESSION_EXPIRY && packet == DISCONNECT;
}

/* What goes out is given by the application, but for what the session writes by itself; what only
 * a broker sends is refused. */
static const struct {
    enum th_place place;
    unsigned packet;
} outbound[] = {{TH_PLACE_CONNECT, CONNECT},
                {TH_PLACE_WILL, W},
                {TH_PLACE_PUBLISH, PUBLISH},
                {TH_PLACE_SUBSCRIBE, SUBSCRIBE},
                {TH_PLACE_UNSUBSCRIBE, UNSUBSCRIBE},
                {TH_PLACE_DISCONNECT, DISCONNECT},
                {TH_PLACE_AUTH, AUTH}};

static bool given_by_application(uint8_t id, unsigned packet)
{
    switch (id) {
    case TH_MQTT_SESSION_EXPIRY: return packet == DISCONNECT;
    case TH_MQTT_SUBSCRIPTION_ID: return packet == SUBSCRIBE;
    case TH_MQTT_AUTH_METHOD: return packet == CONNECT;
    case TH_MQTT_RECEIVE_MAXIMUM:
    case TH_MQTT_TOPIC_ALIAS_MAXIMUM:
    case TH_MQTT_MAXIMUM_PACKET_SIZE:
    case TH_MQTT_TOPIC_ALIAS:
    case TH_MQTT_SERVER_REFERENCE: return false;
    default: return true;
    }
}

/* Identifier and value behind a property length; authentication data comes with its method. */
static size_t build(uint8_t *into, const struct row *row, const char *value, unsigned times)
{
    size_t len = 1;
    for (unsigned i = 0; i < times; i++) {
        into[len++] = row->id;
        len += harness_hex(value, into + len, 60);
    }
    if (row->id == TH_MQTT_AUTH_DATA)
        len += harness_hex("15 0001 'm'", into + len, 10);
    into[0] = (uint8_t)(len - 1);
    return len;
}

static unsigned read_one(const struct row *row, const char *value, unsigned times,
                         enum th_place place)
{
    uint8_t bytes[200];
    size_t len = build(bytes, row, value, times);
    struct th_reader reader = th_reader_of(th_span_of(bytes, len));
    struct th_span out;
    unsigned step = th_property_read(&reader, place, &out);
    if (step == TH_STEP_ON) {
        assert_int_equal(out.len, len - 1);
        assert_int_equal(th_read_left(&reader), 0);
    }
    return step;
}

static void inbound_properties_stand_where_the_table_has_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < sizeof inbound / sizeof inbound[0]; j++) {
            bool allowed = (rows[i].packets & inbound[j].packet) != 0 &&
                           !from_client_only(rows[i].id, inbound[j].packet);
            unsigned step = read_one(&rows[i], rows[i].good, 1, inbound[j].place);
            if (step != (allowed ? TH_STEP_ON : TH_MALFORMED))
                fail_msg("%02x in place %d: %u", rows[i].id, (int)inbound[j].place, step);
        }
    }
}

static enum th_place home_of(const struct row *row)
{
    for (size_t j = 0; j < sizeof inbound / sizeof inbound[0]; j++) {
        if ((row->packets & inbound[j].packet) != 0 &&
            !from_client_only(row->id, inbound[j].packet))
            return inbound[j].place;
    }
    return TH_PLACE_WILL;
}

static void inbound_values_out_of_range_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < 2 && rows[i].bad[j] != NULL; j++) {
            unsigned step = read_one(&rows[i], rows[i].bad[j], 1, home_of(&rows[i]));
            if (step < TH_STEP_BROKEN)
                fail_msg("%02x took %s", rows[i].id, rows[i].bad[j]);
        }
    }
}

static void only_user_properties_and_subscription_identifiers_repeat(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        enum th_place home = home_of(&rows[i]);
        bool repeats = rows[i].id == TH_MQTT_USER_PROPERTY || rows[i].id == TH_MQTT_SUBSCRIPTION_ID;
        if (home == TH_PLACE_WILL)
            continue;
        unsigned step = read_one(&rows[i], rows[i].good, 2, home);
        if (step != (repeats ? TH_STEP_ON : TH_PROTOCOL_ERROR))
            fail_msg("%02x twice: %u", rows[i].id, step);
    }
}

static void a_value_that_ends_early_is_malformed_at_each_byte(void **state)
{
    (void)state;
    uint8_t bytes[200];
    for (size_t i = 0; i < ROWS; i++) {
        size_t len = build(bytes, &rows[i], rows[i].good, 1);
        for (size_t cut = 2; cut < len; cut++) {
            bytes[0] = (uint8_t)(cut - 1);
            struct th_reader reader = th_reader_of(th_span_of(bytes, cut));
            struct th_span out;
            unsigned step = th_property_read(&reader, home_of(&rows[i]), &out);
            /* Authentication data may lose the method behind it. */
            if (rows[i].id == TH_MQTT_AUTH_DATA && step == TH_PROTOCOL_ERROR)
                continue;
            if (step != TH_MALFORMED)
                fail_msg("%02x cut at %zu: %u", rows[i].id, cut, step);
        }
    }
}

static void identifiers_that_do_not_exist_are_malformed(void **state)
{
    (void)state;
    for (unsigned id = 0; id < 256; id++) {
        bool known = false;
        for (size_t i = 0; i < ROWS; i++)
            known |= rows[i].id == id;
        uint8_t bytes[] = {
            7, (uint8_t)(id < 128 ? id : id | 0x80), (uint8_t)(id < 128 ? 0 : 1), 0, 0, 0, 0, 0};
        struct th_reader reader = th_reader_of(th_span_of(bytes, sizeof bytes));
        struct th_span out;
        if (!known)
            assert_int_equal(th_property_read(&reader, TH_PLACE_CONNACK, &out), TH_MALFORMED);
    }
}

/* The value of a row as the application gives it. */
static struct th_mqtt_property as_given(const struct row *row, const char *value, uint8_t *bytes)
{
    struct th_mqtt_property property = {.id = (enum th_mqtt_property_id)row->id};
    size_t at = 0;
    size_t len = build(bytes, row, value, 1);
    if (!th_mqtt_property_next(th_span_of(bytes + 1, len - 1), &at, &property))
        fail_msg("%02x: %s cannot be read", row->id, value);
    return property;
}

static void outbound_properties_stand_where_the_table_has_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        uint8_t bytes[200];
        struct th_mqtt_property given[2] = {
            as_given(&rows[i], rows[i].good, bytes),
            {.id = TH_MQTT_AUTH_METHOD, .text = {(const uint8_t *)"m", 1}}};
        for (size_t j = 0; j < sizeof outbound / sizeof outbound[0]; j++) {
            unsigned packet = outbound[j].packet;
            bool allowed =
                (rows[i].packets & packet) != 0 && given_by_application(rows[i].id, packet);
            uint8_t count = rows[i].id == TH_MQTT_AUTH_DATA && packet == CONNECT ? 2 : 1;
            if (th_property_allowed(outbound[j].place, given, count) != allowed)
                fail_msg("%02x in place %d", rows[i].id, (int)outbound[j].place);
        }
    }
}

static void outbound_values_out_of_range_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < sizeof outbound / sizeof outbound[0]; j++) {
            uint8_t bytes[200];
            bool number = strcmp(rows[i].type, "text") != 0 && strcmp(rows[i].type, "pair") != 0 &&
                          strcmp(rows[i].type, "binary") != 0;
            if ((rows[i].packets & outbound[j].packet) == 0 ||
                !given_by_application(rows[i].id, outbound[j].packet))
                continue;
            for (size_t k = 0; k < 2 && rows[i].bad[k] != NULL; k++) {
                struct th_mqtt_property bad = as_given(&rows[i], rows[i].bad[k], bytes);
                assert_false(th_property_allowed(outbound[j].place, &bad, 1));
            }
            struct th_mqtt_property large = as_given(&rows[i], rows[i].good, bytes);
            large.number = UINT32_MAX;
            if (number && strcmp(rows[i].type, "four") != 0)
                assert_false(th_property_allowed(outbound[j].place, &large, 1));
        }
    }
}

static void what_is_written_is_what_the_broker_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        uint8_t bytes[200], again[200];
        size_t len = build(bytes, &rows[i], rows[i].good, 1);
        struct th_mqtt_property given[2] = {
            as_given(&rows[i], rows[i].good, bytes),
            {.id = TH_MQTT_AUTH_METHOD, .text = {(const uint8_t *)"m", 1}}};
        struct th_writer writer = {.at = again, .end = again + sizeof again};
        const struct th_mqtt_config config = {.version = &th_mqtt_v5};
        const struct th_mqtt mqtt = {.config = &config};
        const struct th_body body = {.properties = given,
                                     .property_count = rows[i].id == TH_MQTT_AUTH_DATA ? 2 : 1};
        th_mqtt_write_properties(&writer, &mqtt, &body);
        assert_int_equal(writer.total, len);
        assert_memory_equal(again, bytes, len);
    }
}

static void a_walk_finds_what_there_is_and_ends(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct th_mqtt_property property;
    size_t len = harness_hex("0B 05 26 0001 'a' 0001 'b' 0B 06 23 0007", bytes, sizeof bytes);
    struct th_span all = th_span_of(bytes, len);
    assert_int_equal(th_mqtt_property_number(all, TH_MQTT_SUBSCRIPTION_ID, 0), 5);
    assert_int_equal(th_mqtt_property_number(all, TH_MQTT_TOPIC_ALIAS, 0), 7);
    assert_int_equal(th_mqtt_property_number(all, TH_MQTT_MAXIMUM_QOS, 2), 2);
    assert_true(th_mqtt_property_find(all, TH_MQTT_USER_PROPERTY, &property));
    assert_true(th_span_equal(property.value, TH_SPAN("b")));
    assert_false(th_mqtt_property_find(th_span_of(NULL, 0), TH_MQTT_USER_PROPERTY, &property));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(inbound_properties_stand_where_the_table_has_them),
        cmocka_unit_test(inbound_values_out_of_range_are_refused),
        cmocka_unit_test(only_user_properties_and_subscription_identifiers_repeat),
        cmocka_unit_test(a_value_that_ends_early_is_malformed_at_each_byte),
        cmocka_unit_test(identifiers_that_do_not_exist_are_malformed),
        cmocka_unit_test(outbound_properties_stand_where_the_table_has_them),
        cmocka_unit_test(outbound_values_out_of_range_are_refused),
        cmocka_unit_test(what_is_written_is_what_the_broker_reads),
        cmocka_unit_test(a_walk_finds_what_there_is_and_ends),
    };
    return cmocka_run_group_tests_name("properties", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Properties as such, MQTT 5.0 section 2.2.2. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

struct property_case {
    const char *packet;    /* its first byte */
    const char *before;    /* what stands before the properties */
    const char *after;     /* and after them */
    const char *forbidden; /* a property that packet does not have */
    const char *twice;     /* one that it has, given twice */
};

/* Each packet a server sends that has properties; SUBACK and UNSUBACK answer identifier 1. */
static const struct property_case cases[] = {
    {"20", "00 00", "", "02 00000001", "21 0005 21 0005"},
    {"30", "0001 'a'", "'x'", "13 0001", "02 00000001 02 00000001"},
    {"40", "0001 00", "", "22 0001", "1F 0001 'r' 1F 0001 'r'"},
    {"50", "0001 00", "", "11 00000001", "1F 0001 'r' 1F 0001 'r'"},
    {"62", "0001 00", "", "03 0001 'c'", "1F 0001 'r' 1F 0001 'r'"},
    {"70", "0001 00", "", "27 00000100", "1F 0001 'r' 1F 0001 'r'"},
    {"90", "0001", "00", "0B 01", "1F 0001 'r' 1F 0001 'r'"},
    {"B0", "0001", "00", "12 0001 'c'", "1F 0001 'r' 1F 0001 'r'"},
    {"E0", "8B", "", "13 0001", "1C 0001 's' 1C 0001 's'"},
    {"F0", "18", "", "1C 0001 's'", "15 0001 'm' 15 0001 'm'"},
};

static unsigned bytes_in(const char *hex)
{
    unsigned digits = 0, letters = 0;
    for (const char *at = hex; *at != '\0'; at++) {
        if (*at == '\'') {
            for (at++; *at != '\''; at++)
                letters++;
        } else if (*at != ' ') {
            digits++;
        }
    }
    return digits / 2 + letters;
}

/* The packet of that case with these properties and this property length. */
static void broker_sends_case(struct bench *bench, const struct property_case *one,
                              const char *properties, unsigned property_len)
{
    char hex[200];
    unsigned len = bytes_in(one->before) + 1 + bytes_in(properties) + bytes_in(one->after);
    snprintf(hex, sizeof hex, "%s %02X %s %02X %s %s", one->packet, len, one->before, property_len,
             properties, one->after);
    broker_sends(bench, hex);
}

/* What makes that packet due on a connection. */
static void ask_for(struct bench *bench, const struct property_case *one)
{
    if (strcmp(one->packet, "90") == 0) {
        assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "a", NULL), TH_OK);
        next_sent(bench);
    } else if (strcmp(one->packet, "B0") == 0) {
        assert_int_equal(unsubscribe(bench, "a", NULL), TH_OK);
        next_sent(bench);
    } else if (strcmp(one->packet, "40") == 0) {
        assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "x", NULL), TH_OK);
        next_sent(bench);
    } else if (strcmp(one->packet, "50") == 0) {
        assert_int_equal(publish(bench, TH_MQTT_QOS2, "a", "x", NULL), TH_OK);
        next_sent(bench);
    }
}

/* A session in which that packet is due. */
static void bring_about(struct bench *bench, const struct property_case *one)
{
    static const struct th_mqtt_property method = {.id = TH_MQTT_AUTH_METHOD,
                                                   .text = {(const uint8_t *)"m", 1}};
    bool auth = strcmp(one->packet, "F0") == 0;
    bench->config.properties = auth ? &method : NULL;
    bench->config.property_count = auth;
    bench_start(bench);
    next_connect(bench);
    if (auth || strcmp(one->packet, "20") == 0)
        return;
    broker_accepts(bench, false, "");
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    ask_for(bench, one);
}

#define CASES (sizeof cases / sizeof cases[0])

static void a_property_its_packet_does_not_have_is_malformed(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < CASES; i++) {
        bring_about(bench, &cases[i]);
        broker_sends_case(bench, &cases[i], cases[i].forbidden, bytes_in(cases[i].forbidden));
        expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
        bench_again(bench);
        bring_about(bench, &cases[i]);
        broker_sends_case(bench, &cases[i], "7E 00", 2);
        expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
        bench_again(bench);
    }
}

static void a_property_that_comes_twice_is_a_protocol_error(void **state)
{
    struct bench *bench = *state;
    for (size_t i = 0; i < CASES; i++) {
        bring_about(bench, &cases[i]);
        broker_sends_case(bench, &cases[i], cases[i].twice, bytes_in(cases[i].twice));
        expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
        bench_again(bench);
    }
    bench->config.properties = NULL;
    bench->config.property_count = 0;
    bench_connect(bench, false, "");
    broker_publishes_with(bench, 0, 0, "a", "0B 01 0B 02 26 0001 'n' 0000 26 0001 'n' 0000");
    expect_message(bench, "a", "x");
    expect_still_connected(bench);
}

static void properties_end_within_their_packet(void **state)
{
    struct bench *bench = *state;
    static const char *const wrong[] = {"02 000001", "1F 0005 'r'", "26 0001 'n' 0004 'v'",
                                        "0B 80"};
    for (size_t i = 0; i < 4; i++) {
        bench_connect(bench, false, "");
        broker_publishes_with(bench, 0, 0, "a", wrong[i]);
        expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
        bench_again(bench);
    }
    bench_connect(bench, false, "");
    broker_sends_case(bench, &cases[1], "02 00000001", 60);
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
}

static void a_property_integer_of_five_bytes_is_malformed(void **state)
{
    struct bench *bench = *state;
    bench_connect(bench, false, "");
    broker_publishes_with(bench, 0, 0, "a", "0B 80 80 80 80 01");
    expect_violation(bench, TH_ERR_MQTT_MALFORMED, 0x81);
}

/* With request problem information 0 only PUBLISH, CONNACK and DISCONNECT may explain themselves.
 */
static void explanations_nobody_asked_for_are_a_protocol_error(void **state)
{
    struct bench *bench = *state;
    static const struct th_mqtt_property quiet = {.id = TH_MQTT_REQUEST_PROBLEM, .number = 0};
    static const char *const explanations[] = {"1F 0001 'r'", "26 0001 'n' 0001 'v'"};
    bench->config.properties = &quiet;
    bench->config.property_count = 1;
    for (size_t i = 2; i < 8; i++) {
        for (size_t j = 0; j < 2; j++) {
            bench_connect(bench, false, "1F 0001 'r'");
            ask_for(bench, &cases[i]);
            broker_sends_case(bench, &cases[i], explanations[j], bytes_in(explanations[j]));
            expect_violation(bench, TH_ERR_MQTT_PROTOCOL, 0x82);
            bench_again(bench);
        }
    }
}

/* ---- what we send ---- */

static void expect_connect_refused(struct bench *bench, const struct th_mqtt_property *properties,
                                   uint8_t count)
{
    bench->config.properties = properties;
    bench->config.property_count = count;
    enum th_error error = th_mqtt_init(&bench->mqtt, &bench->config);
    assert_true(error == TH_ERR_INVALID || error == TH_ERR_CONFIG);
    bench->config.properties = NULL;
    bench->config.property_count = 0;
}

static void no_property_is_sent_where_it_does_not_belong(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_property wrong = {.id = TH_MQTT_SERVER_KEEP_ALIVE, .number = 1};
    struct th_mqtt_filter filter = {.filter = TH_SPAN("a")};
    expect_connect_refused(bench, &wrong, 1);
    bench_connect(bench, false, "");
    assert_int_equal(publish_with(bench, TH_MQTT_QOS0, "a", &wrong, NULL), TH_ERR_INVALID);
    assert_int_equal(th_mqtt_subscribe(&bench->mqtt, &filter, 1, &wrong, 1, NULL), TH_ERR_INVALID);
    assert_int_equal(th_mqtt_unsubscribe(&bench->mqtt, &filter, 1, &wrong, 1, NULL),
                     TH_ERR_INVALID);
    assert_int_equal(th_mqtt_disconnect(&bench->mqtt, 0, &wrong, 1), TH_ERR_INVALID);
    bench_run(bench);
    expect_still_connected(bench);
}

static void no_property_is_sent_twice(void **state)
{
    struct bench *bench = *state;
    static const struct th_mqtt_property names[] = {
        {.id = TH_MQTT_USER_PROPERTY, .text = {(const uint8_t *)"n", 1}},
        {.id = TH_MQTT_USER_PROPERTY, .text = {(const uint8_t *)"n", 1}},
    };
    static const struct th_mqtt_property twice[] = {
        {.id = TH_MQTT_CONTENT_TYPE, .text = {(const uint8_t *)"c", 1}},
        {.id = TH_MQTT_CONTENT_TYPE, .text = {(const uint8_t *)"c", 1}},
    };
    static const struct th_mqtt_property requests[] = {
        {.id = TH_MQTT_REQUEST_RESPONSE, .number = 1},
        {.id = TH_MQTT_REQUEST_RESPONSE, .number = 1},
    };
    struct th_mqtt_publish request = {
        .topic = TH_SPAN("a"), .properties = twice, .property_count = 2};
    expect_connect_refused(bench, requests, 2);
    bench_connect(bench, false, "");
    assert_int_equal(th_mqtt_publish(&bench->mqtt, &request, NULL), TH_ERR_INVALID);
    bench_run(bench);
    expect_nothing_sent(bench);
    request.properties = names;
    assert_int_equal(th_mqtt_publish(&bench->mqtt, &request, NULL), TH_OK);
}

static void requests_for_information_are_0_or_1(void **state)
{
    struct th_mqtt_property response = {.id = TH_MQTT_REQUEST_RESPONSE, .number = 2};
    struct th_mqtt_property problem = {.id = TH_MQTT_REQUEST_PROBLEM, .number = 2};
    expect_connect_refused(*state, &response, 1);
    expect_connect_refused(*state, &problem, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ONLY_5(a_property_its_packet_does_not_have_is_malformed),
        ONLY_5(a_property_that_comes_twice_is_a_protocol_error),
        ONLY_5(properties_end_within_their_packet),
        ONLY_5(a_property_integer_of_five_bytes_is_malformed),
        ONLY_5(explanations_nobody_asked_for_are_a_protocol_error),
        ONLY_5(no_property_is_sent_where_it_does_not_belong),
        ONLY_5(no_property_is_sent_twice),
        ONLY_5(requests_for_information_are_0_or_1),
    };
    return cmocka_run_group_tests_name("conformance: properties", tests, NULL, NULL);
}

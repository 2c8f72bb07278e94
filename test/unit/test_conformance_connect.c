/* SPDX-License-Identifier: MIT */
/* CONNECT, sections 3.1 of both specifications. */
#include "bench.h"

#include <string.h>

static const struct th_mqtt_will will = {
    .topic = {(const uint8_t *)"gone", 4},
    .payload = {(const uint8_t *)"bye", 3},
    .qos = TH_MQTT_QOS1,
    .retain = true,
};

static struct bench_connect connect_sent(struct bench *bench)
{
    bench_start(bench);
    return next_connect(bench);
}

/* No connection starts with this configuration. */
static void expect_refused(struct bench *bench)
{
    enum th_error error = th_mqtt_init(&bench->mqtt, &bench->config);
    assert_true(error == TH_ERR_INVALID || error == TH_ERR_CONFIG);
}

static void the_first_packet_is_connect(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_filter filter = {.filter = TH_SPAN("a")};
    struct th_mqtt_publish request = {.topic = TH_SPAN("a")};
    assert_int_equal(th_mqtt_init(&bench->mqtt, &bench->config), TH_OK);
    bench->initialised = true;
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "x", NULL), TH_OK);
    bench_open(bench);
    assert_int_equal(th_mqtt_subscribe(&bench->mqtt, &filter, 1, NULL, 0, NULL),
                     TH_ERR_NOT_CONNECTED);
    assert_int_equal(th_mqtt_publish(&bench->mqtt, &request, NULL), TH_ERR_NOT_CONNECTED);
    bench_run(bench);
    assert_int_equal(next_sent(bench).first, 0x10);
    expect_nothing_sent(bench);
}

static void a_connection_has_one_connect(void **state)
{
    struct bench *bench = *state;
    struct th_stream stream;
    bench_start(bench);
    next_connect(bench);
    stream = bench->mqtt.stream;
    assert_int_equal(th_mqtt_connect(&bench->mqtt, stream, bench->now_ms), TH_ERR_BAD_STATE);
    bench_run(bench);
    broker_accepts(bench, false, "");
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    assert_int_equal(th_mqtt_connect(&bench->mqtt, stream, bench->now_ms), TH_ERR_BAD_STATE);
    bench_run(bench);
    expect_still_connected(bench);
}

static void the_protocol_name_is_mqtt(void **state)
{
    struct bench *bench = *state;
    assert_true(span_is(connect_sent(bench).name, "MQTT"));
}

static void the_protocol_level_is_that_of_the_version(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(connect_sent(bench).level, bench->v5 ? 5 : 4);
}

static void the_reserved_connect_flag_is_clear(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(connect_sent(bench).flags & 0x01, 0);
}

static void a_will_is_sent_whole(void **state)
{
    struct bench *bench = *state;
    bench->config.will = &will;
    struct bench_connect sent = connect_sent(bench);
    assert_int_equal(sent.flags & 0x3C, 0x2C);
    assert_true(span_is(sent.will_topic, "gone"));
    assert_true(span_is(sent.will_payload, "bye"));
}

static void without_a_will_no_will_field_is_sent(void **state)
{
    struct bench *bench = *state;
    struct bench_connect sent = connect_sent(bench);
    assert_int_equal(sent.flags & 0x04, 0);
    assert_true(span_is(sent.client_id, "me"));
}

static void without_a_will_its_qos_is_0(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(connect_sent(bench).flags & 0x18, 0);
}

static void without_a_will_its_retain_is_0(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(connect_sent(bench).flags & 0x20, 0);
}

static void a_will_at_qos_3_is_refused(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_will wrong = will;
    wrong.qos = (enum th_mqtt_qos)3;
    bench->config.will = &wrong;
    expect_refused(bench);
}

static void a_will_topic_that_is_not_utf8_is_refused(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_will wrong = will;
    wrong.topic = TH_SPAN("a\xED\xA0\x80");
    bench->config.will = &wrong;
    expect_refused(bench);
}

static void without_a_user_none_is_sent(void **state)
{
    struct bench *bench = *state;
    bench->config.user = TH_SPAN("not set");
    assert_int_equal(connect_sent(bench).flags & 0x80, 0);
}

static void a_user_is_sent_even_if_empty(void **state)
{
    struct bench *bench = *state;
    bench->config.user_set = true;
    assert_int_equal(connect_sent(bench).flags & 0x80, 0x80);
    bench_again(bench);
    bench->config.user = TH_SPAN("joe");
    struct bench_connect sent = connect_sent(bench);
    assert_int_equal(sent.flags & 0x80, 0x80);
    assert_true(span_is(sent.user, "joe"));
}

static void without_a_password_none_is_sent(void **state)
{
    struct bench *bench = *state;
    bench->config.user_set = true;
    bench->config.password = TH_SPAN("not set");
    assert_int_equal(connect_sent(bench).flags & 0x40, 0);
}

static void a_password_is_sent_even_if_empty(void **state)
{
    struct bench *bench = *state;
    bench->config.user_set = bench->config.password_set = true;
    bench->config.user = TH_SPAN("joe");
    assert_int_equal(connect_sent(bench).flags & 0xC0, 0xC0);
    bench_again(bench);
    bench->config.password = TH_SPAN("secret");
    struct bench_connect sent = connect_sent(bench);
    assert_int_equal(sent.flags & 0xC0, 0xC0);
    assert_true(span_is(sent.user, "joe"));
    assert_true(span_is(sent.password, "secret"));
}

static void a_password_without_a_user_is_refused(void **state)
{
    struct bench *bench = *state;
    bench->config.password_set = true;
    expect_refused(bench);
}

static void the_payload_of_connect_is_in_order(void **state)
{
    struct bench *bench = *state;
    bench->config.will = &will;
    bench->config.user_set = bench->config.password_set = true;
    bench->config.user = TH_SPAN("joe");
    bench->config.password = TH_SPAN("secret");
    struct bench_connect sent = connect_sent(bench);
    assert_true(span_is(sent.client_id, "me"));
    assert_true(span_is(sent.will_topic, "gone"));
    assert_true(span_is(sent.will_payload, "bye"));
    assert_true(span_is(sent.user, "joe"));
    assert_true(span_is(sent.password, "secret"));
}

static void the_client_identifier_comes_first_even_if_empty(void **state)
{
    struct bench *bench = *state;
    bench->config.user_set = true;
    bench->config.user = TH_SPAN("joe");
    bench->config.client_id = TH_SPAN("");
    bench->config.clean_start = true;
    struct bench_connect sent = connect_sent(bench);
    assert_int_equal(sent.client_id.len, 0);
    assert_true(span_is(sent.user, "joe"));
}

static void a_client_identifier_that_is_not_utf8_is_refused(void **state)
{
    struct bench *bench = *state;
    bench->config.client_id = TH_SPAN("a\xED\xA0\x80");
    expect_refused(bench);
}

static void a_user_that_is_not_utf8_is_refused(void **state)
{
    struct bench *bench = *state;
    bench->config.user_set = true;
    bench->config.user = TH_SPAN("a\xED\xA0\x80");
    expect_refused(bench);
}

static void an_empty_client_identifier_needs_a_clean_session(void **state)
{
    struct bench *bench = *state;
    bench->config.client_id = TH_SPAN("");
    expect_refused(bench);
}

static void each_connection_of_a_session_has_its_client_identifier(void **state)
{
    struct bench *bench = *state;
    assert_true(span_is(connect_sent(bench).client_id, "me"));
    broker_accepts(bench, false, "");
    bench_cut(bench);
    assert_true(span_is(connect_sent(bench).client_id, "me"));
}

static void silence_is_broken_by_pingreq_within_keep_alive(void **state)
{
    struct bench *bench = *state;
    bench->config.keep_alive_s = 10;
    bench_start(bench);
    assert_int_equal(next_connect(bench).keep_alive_s, 10);
    broker_accepts(bench, false, "");
    for (int i = 0; i < 3; i++) {
        bench_wait(bench, 10);
        expect_sent(bench, "C0 00");
        expect_nothing_sent(bench);
        broker_sends(bench, "D0 00");
    }
}

static void keep_alive_zero_sends_no_pingreq(void **state)
{
    struct bench *bench = *state;
    bench->config.keep_alive_s = TH_MQTT_KEEP_ALIVE_OFF;
    bench_start(bench);
    assert_int_equal(next_connect(bench).keep_alive_s, 0);
    broker_accepts(bench, false, "");
    expect_event(bench, TH_MQTT_EVENT_CONNECTED);
    bench_wait(bench, 70000);
    expect_still_connected(bench);
}

static void the_keep_alive_of_the_server_counts(void **state)
{
    struct bench *bench = *state;
    bench->config.keep_alive_s = 60;
    bench_connect(bench, false, "13 0005");
    bench_wait(bench, 5);
    expect_sent(bench, "C0 00");
    broker_sends(bench, "D0 00");
    bench_wait(bench, 4);
    expect_nothing_sent(bench);
}

/* ---- properties of CONNECT and of its will (5.0) ---- */

static bool has(struct th_span properties, enum th_mqtt_property_id id)
{
    struct th_mqtt_property found;
    return th_mqtt_property_find(properties, id, &found);
}

static void connect_and_will_without_properties_say_so(void **state)
{
    struct bench *bench = *state;
    bench->config.will = &will;
    bench->config.session_expiry_s = 0;
    struct bench_connect sent = connect_sent(bench);
    assert_int_equal(sent.will_properties.len, 0);
    assert_true(span_is(sent.will_topic, "gone"));
}

static void a_will_delay_stands_in_the_wills_properties(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_property delay = {.id = TH_MQTT_WILL_DELAY, .number = 300};
    struct th_mqtt_will delayed = will;
    delayed.properties = &delay;
    delayed.property_count = 1;
    bench->config.will = &delayed;
    struct bench_connect sent = connect_sent(bench);
    assert_int_equal(th_mqtt_property_number(sent.will_properties, TH_MQTT_WILL_DELAY, 0), 300);
    assert_false(has(sent.properties, TH_MQTT_WILL_DELAY));
}

static void expect_property_refused(struct bench *bench, struct th_mqtt_property property)
{
    bench->config.properties = &property;
    bench->config.property_count = 1;
    expect_refused(bench);
}

static void authentication_data_without_a_method_is_refused(void **state)
{
    expect_property_refused(
        *state, (struct th_mqtt_property){.id = TH_MQTT_AUTH_DATA, .text = TH_SPAN("proof")});
}

static void a_receive_maximum_of_zero_is_not_announced(void **state)
{
    struct bench *bench = *state;
    bench->config.receive_maximum = 0;
    bench->config.outbox = (struct th_outbox){NULL, NULL}; /* which else gives the number */
    struct bench_connect sent = connect_sent(bench);
    assert_int_not_equal(th_mqtt_property_number(sent.properties, TH_MQTT_RECEIVE_MAXIMUM, 65535),
                         0);
    expect_property_refused(bench, (struct th_mqtt_property){.id = TH_MQTT_RECEIVE_MAXIMUM});
}

static void a_maximum_packet_size_of_zero_is_not_announced(void **state)
{
    struct bench *bench = *state;
    bench->config.maximum_packet_size = 0;
    assert_false(has(connect_sent(bench).properties, TH_MQTT_MAXIMUM_PACKET_SIZE));
    expect_property_refused(bench, (struct th_mqtt_property){.id = TH_MQTT_MAXIMUM_PACKET_SIZE});
}

static void with_an_authentication_method_nothing_but_auth_precedes_connack(void **state)
{
    struct bench *bench = *state;
    struct th_mqtt_property method = {.id = TH_MQTT_AUTH_METHOD, .text = TH_SPAN("m")};
    bench->config.properties = &method;
    bench->config.property_count = 1;
    assert_int_equal(th_mqtt_init(&bench->mqtt, &bench->config), TH_OK);
    bench->initialised = true;
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "a", "x", NULL), TH_OK);
    connect_sent(bench);
    broker_sends(bench, "F0 06 18 04 15 0001 'm'");
    expect_event(bench, TH_MQTT_EVENT_AUTH);
    assert_int_equal(subscribe(bench, TH_MQTT_QOS0, "a", NULL), TH_ERR_NOT_CONNECTED);
    assert_int_equal(publish(bench, TH_MQTT_QOS1, "b", "x", NULL), TH_OK);
    expect_nothing_sent(bench);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BOTH(the_first_packet_is_connect),
        BOTH(a_connection_has_one_connect),
        BOTH(the_protocol_name_is_mqtt),
        BOTH(the_protocol_level_is_that_of_the_version),
        BOTH(the_reserved_connect_flag_is_clear),
        BOTH(a_will_is_sent_whole),
        BOTH(without_a_will_no_will_field_is_sent),
        BOTH(without_a_will_its_qos_is_0),
        BOTH(without_a_will_its_retain_is_0),
        BOTH(a_will_at_qos_3_is_refused),
        BOTH(a_will_topic_that_is_not_utf8_is_refused),
        BOTH(without_a_user_none_is_sent),
        BOTH(a_user_is_sent_even_if_empty),
        BOTH(without_a_password_none_is_sent),
        BOTH(a_password_is_sent_even_if_empty),
        ONLY_311(a_password_without_a_user_is_refused),
        BOTH(the_payload_of_connect_is_in_order),
        BOTH(the_client_identifier_comes_first_even_if_empty),
        BOTH(a_client_identifier_that_is_not_utf8_is_refused),
        BOTH(a_user_that_is_not_utf8_is_refused),
        ONLY_311(an_empty_client_identifier_needs_a_clean_session),
        BOTH(each_connection_of_a_session_has_its_client_identifier),
        BOTH(silence_is_broken_by_pingreq_within_keep_alive),
        BOTH(keep_alive_zero_sends_no_pingreq),
        ONLY_5(the_keep_alive_of_the_server_counts),
        ONLY_5(connect_and_will_without_properties_say_so),
        ONLY_5(a_will_delay_stands_in_the_wills_properties),
        ONLY_5(authentication_data_without_a_method_is_refused),
        ONLY_5(a_receive_maximum_of_zero_is_not_announced),
        ONLY_5(a_maximum_packet_size_of_zero_is_not_announced),
        ONLY_5(with_an_authentication_method_nothing_but_auth_precedes_connack),
    };
    return cmocka_run_group_tests_name("conformance: CONNECT", tests, NULL, NULL);
}

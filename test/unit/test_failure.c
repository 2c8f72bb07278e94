/* SPDX-License-Identifier: MIT */
#include <thimble/failure.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/text.h"

static const enum th_error errors[] = {
#define NUMBER(number, name, layer, text, remedy) TH_ERR_##name,
    TH_ERROR_LIST(NUMBER)
#undef NUMBER
};
#define ERROR_COUNT (sizeof errors / sizeof errors[0])

static void assert_text(const struct th_failure *failure, const char *expected)
{
    char text[256];
    assert_int_equal(th_failure_text(failure, text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
}

static void every_error_has_a_name_a_layer_a_text_and_a_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < ERROR_COUNT; i++) {
        if (errors[i] == TH_ERR_OK)
            continue;
        assert_true(strlen(th_error_name(errors[i])) > 0);
        assert_true(strlen(th_error_text(errors[i])) > 10);
        assert_true(strlen(th_error_remedy(errors[i])) > 10);
        assert_int_not_equal(th_error_layer(errors[i]), TH_LAYER_NONE);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(errors[i], errors[j]);
            assert_string_not_equal(th_error_text(errors[i]), th_error_text(errors[j]));
        }
    }
}

static void errors_of_a_connection_stand_above_the_fence_and_of_a_call_below(void **state)
{
    (void)state;
    for (size_t i = 0; i < ERROR_COUNT; i++) {
        enum th_layer layer = th_error_layer(errors[i]);
        bool below = layer == TH_LAYER_NONE || layer == TH_LAYER_CALL || layer == TH_LAYER_FILE ||
                     layer == TH_LAYER_UPDATE || layer == TH_LAYER_ENROL || layer == TH_LAYER_BOARD;
        assert_int_equal(errors[i] < TH_ERR_FENCE, below);
    }
}

static void a_failure_of_nothing_but_its_error_says_layer_and_text(void **state)
{
    (void)state;
    struct th_failure failure = th_failure_of(TH_ERR_TCP_REFUSED);
    assert_text(&failure, "tcp: nothing listens on that address and port");
    failure = th_failure_of(TH_ERR_OK);
    assert_text(&failure, "no error");
    failure = th_failure_of((enum th_error)250);
    assert_text(&failure, "");
}

static void an_expired_certificate_is_shown_with_its_name_and_utc_dates(void **state)
{
    (void)state;
    struct th_failure failure = th_failure_of(TH_ERR_DATE_EXPIRED);
    th_failure_name(&failure, TH_SPAN("broker.example"));
    failure.not_before_s = 1700000000;
    failure.not_after_s = 1731622400;
    failure.now_s = 1795131492;
    assert_text(&failure, "date: a certificate in the chain has expired (certificate "
                          "\"broker.example\", valid 2023-11-14 to 2024-11-14, "
                          "judged on 2026-11-19)");
    failure.depth = 2;
    failure.now_s = 0;
    assert_text(&failure, "date: a certificate in the chain has expired (issuer 2 "
                          "\"broker.example\", valid 2023-11-14 to 2024-11-14)");
}

static void alerts_reason_codes_numbers_and_sizes_are_named(void **state)
{
    (void)state;
    struct th_failure failure = th_failure_of(TH_ERR_TRUST_WE_ARE_REVOKED);
    failure.alert = 44;
    assert_text(&failure,
                "trust: the server says that our certificate is revoked (alert 44 certificate "
                "revoked)");
    failure = th_failure_of(TH_ERR_CONNACK_REFUSED);
    failure.reason_code = 5;
    assert_text(&failure,
                "connack: the broker refused the connection (reason code 5 not authorized)");
    failure.reason_code = 0x87;
    th_failure_name(&failure, TH_SPAN("go away"));
    assert_text(&failure, "connack: the broker refused the connection (\"go away\", "
                          "reason code 135 not authorized)");
    failure = th_failure_of(TH_ERR_MQTT_SERVER_DISCONNECT);
    failure.reason_code = 0;
    assert_text(&failure, "protocol: the broker ended the connection with DISCONNECT "
                          "(reason code 0 success)");
    failure = th_failure_of(TH_ERR_TCP_OTHER);
    failure.detail = 113;
    assert_text(&failure, "tcp: the operating system reports a network error (error number 113)");
    failure = th_failure_of(TH_ERR_MEMORY_RECORD);
    failure.detail = 16384;
    assert_text(&failure,
                "memory: the server sent a TLS record that does not fit the buffer (16384 bytes)");
    failure = th_failure_of(TH_ERR_TRUST_WEAK_KEY);
    failure.detail = 1024;
    assert_text(&failure, "trust: a certificate's key is too weak (1024 bits)");
}

/* F9, R10: a peer's text goes to a terminal. */
static void a_peers_text_reaches_the_line_without_control_characters(void **state)
{
    (void)state;
    struct th_failure failure = th_failure_of(TH_ERR_MQTT_SERVER_DISCONNECT);
    th_failure_name(&failure, TH_SPAN("a\x1b[2J\r\n\x7f\xc2\x9b\0b"));
    assert_string_equal(failure.name, "a?[2J?????"
                                      "?b");
    memset(failure.name, 0x9B, sizeof failure.name); /* filled by hand, and without an end */
    char text[256];
    th_failure_text(&failure, text, sizeof text);
    for (const char *c = text; *c != '\0'; c++)
        assert_in_range(*c, 0x20, 0x7E);
}

static void every_byte_is_shown_as_itself_or_as_a_question_mark(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        struct th_failure failure = th_failure_of(TH_ERR_MQTT_CLOSED);
        th_failure_name(&failure, th_span_of(&byte, 1));
        assert_int_equal(failure.name[0], c >= ' ' && c <= '~' ? c : '?');
    }
}

static void dates_are_evidence_about_a_certificate_only_and_each_alone_is_shown(void **state)
{
    (void)state;
    struct th_failure failure = th_failure_of(TH_ERR_DATE_NOT_YET);
    failure.not_before_s = 86400;
    assert_text(&failure, "date: a certificate in the chain is not valid yet (valid 1970-01-02 to "
                          "1970-01-01)");
    failure.error = TH_ERR_TCP_RESET;
    assert_text(&failure, "tcp: the peer reset the connection");
}

static void a_name_that_is_too_long_ends_in_dots(void **state)
{
    (void)state;
    char longer[80];
    memset(longer, 'x', sizeof longer);
    for (size_t len = 0; len <= sizeof longer; len++) {
        struct th_failure failure;
        memset(failure.name, 'y', sizeof failure.name);
        th_failure_name(&failure, th_span_of(longer, len));
        size_t most = TH_FAILURE_NAME_MAX - 1;
        assert_int_equal(strlen(failure.name), len < most ? len : most);
        assert_int_equal(strstr(failure.name, "...") != NULL, len > most);
    }
}

/* Everything a layer can have for evidence, at its longest. */
static struct th_failure fullest(enum th_error error)
{
    struct th_failure failure = th_failure_of(error);
    char name[100];
    memset(name, 'n', sizeof name);
    th_failure_name(&failure, th_span_of(name, sizeof name));
    switch (th_error_layer(error)) {
    case TH_LAYER_TRUST:
    case TH_LAYER_SERVER_NAME:
    case TH_LAYER_DATE:
        failure.depth = 5;
        failure.not_before_s = failure.not_after_s = failure.now_s = INT64_MAX;
        break;
    case TH_LAYER_TLS:
        failure.alert = 113;
        failure.detail = INT32_MIN;
        break;
    case TH_LAYER_CONNACK:
    case TH_LAYER_PROTOCOL:
    case TH_LAYER_KEEP_ALIVE: failure.reason_code = 0xA1; break;
    default: failure.detail = INT32_MIN;
    }
    return failure;
}

static void two_hundred_and_fifty_six_bytes_hold_every_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ERROR_COUNT; i++) {
        struct th_failure failure = fullest(errors[i]);
        char text[256];
        size_t len = th_failure_text(&failure, text, sizeof text);
        assert_int_equal(len, strlen(text));
        if (len >= 255)
            fail_msg("%s: cut: %s", th_error_name(errors[i]), text);
        if (errors[i] != TH_ERR_OK)
            assert_int_equal(text[len - 1], ')');
    }
}

static void a_text_is_cut_at_every_room_and_never_written_beyond(void **state)
{
    (void)state;
    for (size_t i = 0; i < ERROR_COUNT; i++) {
        struct th_failure failure = fullest(errors[i]);
        char whole[512];
        size_t whole_len = th_failure_text(&failure, whole, sizeof whole);
        for (size_t room = 0; room <= whole_len + 2; room++) {
            char *exact = malloc(room + 1);
            memset(exact, 'z', room + 1);
            size_t len = th_failure_text(&failure, exact, room);
            size_t most = room == 0 ? 0 : room - 1;
            assert_int_equal(len, whole_len < most ? whole_len : most);
            assert_memory_equal(exact, whole, len);
            if (room > 0)
                assert_int_equal(exact[len], '\0');
            assert_int_equal(exact[room], 'z');
            free(exact);
        }
    }
}

static void dates_agree_with_the_system_from_year_0_to_9999(void **state)
{
    (void)state;
    for (int64_t day = -719528; day <= 2932896; day += 1) {
        time_t now = (time_t)(day * 86400 + (day & 1 ? 86399 : 0));
        struct tm tm;
        char ours[16], system[16];
        gmtime_r(&now, &tm);
        snprintf(system, sizeof system, "%04u-%02u-%02u", (unsigned)(tm.tm_year + 1900) % 10000,
                 (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100);
        struct th_text text = th_text_init(ours, sizeof ours);
        th_text_date(&text, now);
        if (strcmp(ours, system) != 0)
            fail_msg("day %lld: %s, not %s", (long long)day, ours, system);
    }
}

static void a_time_outside_the_calendar_is_shown_as_its_edge(void **state)
{
    (void)state;
    char into[16];
    struct th_text text = th_text_init(into, sizeof into);
    th_text_date(&text, INT64_MIN);
    assert_string_equal(into, "0000-01-01");
    text = th_text_init(into, sizeof into);
    th_text_date(&text, INT64_MAX);
    assert_string_equal(into, "9999-12-31");
}

static void alerts_and_reason_codes_without_a_name_are_unknown(void **state)
{
    (void)state;
    unsigned alerts = 0, reasons = 0, returns = 0;
    for (unsigned i = 0; i < 256; i++) {
        alerts += strcmp(th_alert_text((uint8_t)i), "unknown") != 0;
        reasons += strcmp(th_reason_text(5, (uint8_t)i), "unknown") != 0;
        returns += strcmp(th_reason_text(4, (uint8_t)i), "unknown") != 0;
    }
    assert_int_equal(alerts, 34);
    assert_int_equal(reasons, 43); /* the rows of MQTT 5.0 §2.4, one a value */
    assert_int_equal(returns, 7);
    assert_string_equal(th_alert_text(48), "unknown CA");
    assert_string_equal(th_reason_text(5, 0x8E), "session taken over");
    assert_string_equal(th_reason_text(4, 2), "identifier rejected");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_name_a_layer_a_text_and_a_remedy),
        cmocka_unit_test(errors_of_a_connection_stand_above_the_fence_and_of_a_call_below),
        cmocka_unit_test(a_failure_of_nothing_but_its_error_says_layer_and_text),
        cmocka_unit_test(an_expired_certificate_is_shown_with_its_name_and_utc_dates),
        cmocka_unit_test(alerts_reason_codes_numbers_and_sizes_are_named),
        cmocka_unit_test(a_peers_text_reaches_the_line_without_control_characters),
        cmocka_unit_test(every_byte_is_shown_as_itself_or_as_a_question_mark),
        cmocka_unit_test(dates_are_evidence_about_a_certificate_only_and_each_alone_is_shown),
        cmocka_unit_test(a_name_that_is_too_long_ends_in_dots),
        cmocka_unit_test(two_hundred_and_fifty_six_bytes_hold_every_text),
        cmocka_unit_test(a_text_is_cut_at_every_room_and_never_written_beyond),
        cmocka_unit_test(dates_agree_with_the_system_from_year_0_to_9999),
        cmocka_unit_test(a_time_outside_the_calendar_is_shown_as_its_edge),
        cmocka_unit_test(alerts_and_reason_codes_without_a_name_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

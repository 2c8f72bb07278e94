/* SPDX-License-Identifier: MIT */
/* Server names against patterns, dates against clocks, pins as people write them (T4, C2, T5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <thimble/trust.h>

static void t4_names_match_by_whole_labels_and_wildcards_only_in_the_first(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool matches;
    } cases[] = {
        {"broker.test", "broker.test", true},
        {"BROKER.Test", "broker.tEST", true},
        {"AZ.test", "az.TEST", true},
        {"az.test", "AZ.test", true},
        {"[.test", "{.test", false},
        {"@.test", "`.test", false},
        {"broker.test", "broker.test.", true},
        {"broker.test.", "broker.test", false},
        {"broker.test", "xbroker.test", false},
        {"broker.test", "broker.testx", false},
        {"broker.test", "a.broker.test", false},
        {"a.broker.test", "broker.test", false},
        {"", "broker.test", false},
        {"broker.test", "", false},
        {"", "", false},
        {"localhost", "localhost", true},
        {"*.broker.test", "a.broker.test", true},
        {"*.BROKER.test", "A.broker.TEST", true},
        {"*.broker.test", "a.broker.test.", true},
        {"*.broker.test", "broker.test", false},
        {"*.broker.test", "a.b.broker.test", false},
        {"*.broker.test", ".broker.test", false},
        {"*.broker.test", "a.broker.testx", false},
        {"*.test", "broker.test", false},
        {"*", "broker", false},
        {"*", "a.b.test", false},
        {"*.", "a.b.test", false},
        {"*.*.test", "a.b.test", false},
        {"a.*.test", "a.b.test", false},
        {"a*.b.test", "ab.b.test", false},
        {"*a.b.test", "ba.b.test", false},
        {"a*b.c.test", "axb.c.test", false},
        {"**.b.test", "a.b.test", false},
        {"*.b.test", "*.b.test", true},
        {"a.b.*", "a.b.test", false},
        {"a.*.test", "a.*.test", false},
        {"192.0.2.1", "192.0.2.1", false},
        {"*.0.2.1", "192.0.2.1", false},
        {"2001:db8::1", "2001:db8::1", false},
        {"xn--nxasmq6b.b.test", "xn--nxasmq6b.b.test", true},
        {"*.b.test", "xn--nxasmq6b.b.test", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool got = th_trust_name_matches(th_span_str(cases[i].pattern), cases[i].name);
        if (got != cases[i].matches)
            print_error("\"%s\" against \"%s\"\n", cases[i].pattern, cases[i].name);
        assert_int_equal(got, cases[i].matches);
    }
    /* A NUL in a certificate's name ends nothing. */
    assert_false(th_trust_name_matches(TH_SPAN("broker.test\0.evil.test"), "broker.test"));
    assert_false(th_trust_name_matches(TH_SPAN("broker.test\0"), "broker.test"));
}

static void c2_the_floor_refuses_the_trusted_clock_judges_and_the_hint_warns(void **state)
{
    (void)state;
    /* Valid from 100 to 200. */
    static const struct {
        struct th_clock_view clock;
        enum th_date_verdict verdict;
    } cases[] = {
        {{TH_CLOCK_FLOOR_ONLY, 0, 0}, TH_DATE_PROVISIONAL},
        {{TH_CLOCK_FLOOR_ONLY, 99, 0}, TH_DATE_PROVISIONAL},
        {{TH_CLOCK_FLOOR_ONLY, 100, 0}, TH_DATE_VALID},
        {{TH_CLOCK_FLOOR_ONLY, 200, 0}, TH_DATE_VALID},
        {{TH_CLOCK_FLOOR_ONLY, 201, 0}, TH_DATE_EXPIRED},
        {{TH_CLOCK_FLOOR_ONLY, 150, 999}, TH_DATE_VALID}, /* now_s means nothing here */
        {{TH_CLOCK_HINT, 0, 99}, TH_DATE_DOUBTFUL},
        {{TH_CLOCK_HINT, 0, 100}, TH_DATE_VALID},
        {{TH_CLOCK_HINT, 0, 200}, TH_DATE_VALID},
        {{TH_CLOCK_HINT, 0, 201}, TH_DATE_DOUBTFUL},
        {{TH_CLOCK_HINT, 201, 150}, TH_DATE_EXPIRED},
        {{TH_CLOCK_HINT, 150, 50}, TH_DATE_VALID}, /* the floor knows better */
        {{TH_CLOCK_TRUSTED, 0, 99}, TH_DATE_NOT_YET},
        {{TH_CLOCK_TRUSTED, 0, 100}, TH_DATE_VALID},
        {{TH_CLOCK_TRUSTED, 0, 200}, TH_DATE_VALID},
        {{TH_CLOCK_TRUSTED, 0, 201}, TH_DATE_EXPIRED},
        {{TH_CLOCK_TRUSTED, 201, 150}, TH_DATE_EXPIRED},
        {{TH_CLOCK_TRUSTED, 150, 50}, TH_DATE_VALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct th_trust_summary summary = {.not_before_s = 100, .not_after_s = 200};
        assert_int_equal(th_trust_date(&cases[i].clock, 100, 200), cases[i].verdict);
        assert_int_equal(th_trust_dates_again(&summary, &cases[i].clock), cases[i].verdict);
    }
}

#define COLONS \
    "07:0F:17:1F:27:2F:37:3F:47:4F:57:5F:67:6F:77:7F:87:8F:97:9F:A7:AF:B7:BF:C7:CF:D7:DF:E7:EF:F7"

static void t5_pins_are_read_in_every_way_people_write_them(void **state)
{
    (void)state;
    uint8_t expected[32], got[32];
    for (uint8_t i = 0; i < 32; i++)
        expected[i] = (uint8_t)(i * 8 + 7);
    static const char *const good[] = {
        "070F171F272F373F474F575F676F777F878F979FA7AFB7BFC7CFD7DFE7EFF7FF",
        "070f171f272f373f474f575f676f777f878f979fa7afb7bfc7cfd7dfe7eff7ff",
        COLONS ":FF",
        "Bw8XHycvNz9HT1dfZ293f4ePl5+nr7e/x8/X3+fv9/8=",
        "sha256//Bw8XHycvNz9HT1dfZ293f4ePl5+nr7e/x8/X3+fv9/8=",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        memset(got, 0, sizeof got);
        assert_true(th_trust_pin_parse(good[i], got, sizeof got));
        assert_memory_equal(got, expected, sizeof got);
    }
    static const char *const bad[] = {
        "",
        "070F",
        "070F171F272F373F474F575F676F777F878F979FA7AFB7BFC7CFD7DFE7EFF7F",
        "070F171F272F373F474F575F676F777F878F979FA7AFB7BFC7CFD7DFE7EFF7FF00",
        "G70F171F272F373F474F575F676F777F878F979FA7AFB7BFC7CFD7DFE7EFF7FF",
        COLONS "-FF",
        "Bw8XHycvNz9HT1dfZ293f4ePl5+nr7e/x8/X3+fv9/8",
        "Bw8XHycvNz9HT1dfZ293f4ePl5+nr7e/x8/X3+fv9w==",
        "sha1//Bw8XHycvNz9HT1dfZ293f4ePl5+nr7e/x8/X3+fv9/8=",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(th_trust_pin_parse(bad[i], got, sizeof got));
    assert_true(th_trust_pin_parse("07:0F:17:1F:27:2F:37:3F:47:4F:57:5F:67:6F:77:7F:87:8F:97:9F",
                                   got, TH_SHA1_BYTES));
    assert_memory_equal(got, expected, TH_SHA1_BYTES);
    assert_false(th_trust_pin_parse("Bw8XHycvNz9HT1dfZ293f4ePl58=", got, TH_SHA1_BYTES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t4_names_match_by_whole_labels_and_wildcards_only_in_the_first),
        cmocka_unit_test(c2_the_floor_refuses_the_trusted_clock_judges_and_the_hint_warns),
        cmocka_unit_test(t5_pins_are_read_in_every_way_people_write_them),
    };
    return cmocka_run_group_tests_name("trust_name", tests, NULL, NULL);
}

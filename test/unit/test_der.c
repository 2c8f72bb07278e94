/* SPDX-License-Identifier: MIT */
/* The incremental DER reader: the same events for any fragmentation, and nothing but DER. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <thimble/der.h>

/* The events as a text: "(30" enters a container, ")" leaves it, "[02:0102]" was taken. Elements
 * with a constructed tag are entered, OCTET STRINGs skipped, the rest taken. */
struct events {
    char text[4096];
    size_t len;
    enum th_der_event last;
    bool finished, in_taken;
};

static void put(struct events *events, const char *format, unsigned value)
{
    char word[16];
    int len = snprintf(word, sizeof word, format, value);
    if (events->len + (size_t)len < sizeof events->text) {
        memcpy(events->text + events->len, word, (size_t)len + 1);
        events->len += (size_t)len;
    }
}

static void begin(struct events *events, struct th_der *der)
{
    if (der->tag & 0x20) {
        put(events, "(%02X", der->tag);
        th_der_enter(der, 0);
    } else if (der->tag != TH_DER_OCTET_STRING) {
        put(events, "[%02X:", der->tag);
        events->in_taken = true;
        th_der_take(der);
    } else {
        put(events, "skip%u", der->len);
    }
}

static void read_piece(struct events *events, struct th_der *der, struct th_span piece)
{
    struct th_span bytes;
    while ((events->last = th_der_next(der, &piece, &bytes)) > TH_DER_MORE) {
        if (events->last == TH_DER_BAD)
            return;
        if (events->last == TH_DER_BEGIN)
            begin(events, der);
        for (size_t i = 0; events->last == TH_DER_BYTES && i < bytes.len; i++)
            put(events, "%02X", bytes.at[i]);
        if (events->last == TH_DER_END) {
            put(events, events->in_taken ? "]" : ")", 0);
            events->in_taken = false;
        }
    }
}

/* `split` = 0: whole; SIZE_MAX: byte by byte. */
static void read_split(struct events *events, const uint8_t *bytes, size_t len, size_t split)
{
    struct th_der der;
    *events = (struct events){.len = 0};
    th_der_init(&der, len);
    size_t step = split == SIZE_MAX ? 1 : split == 0 ? len : split;
    uint8_t *exact = malloc(len + 1);
    memcpy(exact, bytes, len);
    read_piece(events, &der, th_span_of(exact, 0));
    for (size_t at = 0; at < len && events->last != TH_DER_BAD;) {
        size_t piece = len - at < step ? len - at : step;
        read_piece(events, &der, th_span_of(exact + at, piece));
        at += piece;
        step = split == SIZE_MAX ? 1 : len;
    }
    events->finished = th_der_finished(&der);
    free(exact);
}

static void expect(const char *bytes, size_t len, const char *text, bool finished)
{
    struct events whole, other;
    read_split(&whole, (const uint8_t *)bytes, len, 0);
    assert_string_equal(whole.text, text);
    assert_int_equal(whole.finished, finished);
    for (size_t split = 0; split <= len; split++) {
        read_split(&other, (const uint8_t *)bytes, len, split == len ? SIZE_MAX : split);
        assert_string_equal(other.text, whole.text);
        assert_int_equal(other.last, whole.last);
        assert_int_equal(other.finished, whole.finished);
    }
}

#define EXPECT(bytes, text, finished) expect(bytes, sizeof(bytes) - 1, text, finished)

static void elements_come_in_order_whatever_the_fragmentation(void **state)
{
    (void)state;
    EXPECT("\x02\x01\x05", "[02:05]", true);
    EXPECT("\x05\x00", "[05:]", true);
    EXPECT("\x30\x00", "(30)", true);
    EXPECT("\x30\x06\x02\x01\x05\x02\x01\x06", "(30[02:05][02:06])", true);
    EXPECT("\x30\x08\x30\x03\x02\x01\x01\x31\x01\x05", "(30(30[02:01])(31", false);
    EXPECT("\x30\x09\x30\x03\x02\x01\x01\x31\x02\x05\x00", "(30(30[02:01])(31[05:]))", true);
    EXPECT("\x30\x07\x04\x02XY\x02\x01\x09", "(30skip2[02:09])", true);
    EXPECT("\x02\x01\x05\x02\x01\x06", "[02:05][02:06]", true);
}

static void anything_cut_short_is_not_finished(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x30, 0x09, 0x30, 0x03, 0x02, 0x01,
                                    0x01, 0x31, 0x02, 0x05, 0x00};
    for (size_t len = 1; len < sizeof bytes; len++) {
        struct th_der der;
        struct events events = {.len = 0};
        th_der_init(&der, sizeof bytes);
        read_piece(&events, &der, th_span_of(bytes, len));
        assert_false(th_der_finished(&der));
    }
}

static void what_is_not_der_is_bad(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"\x30\x80\x00\x00", 4},             /* indefinite */
        {"\x02\x81\x01\x05", 4},             /* long form for a short length */
        {"\x02\x82\x00\x80", 4},             /* leading zero */
        {"\x02\x85\x01\x00\x00\x00\x00", 7}, /* longer than 32 bits */
        {"\x1F\x01\x00", 3},                 /* high tag */
        {"\x02\x02\x05", 3},                 /* longer than all there is */
        {"\x30\x02\x02\x01\x05", 5},         /* longer than its container */
        {"\x30\x03\x02\x01\x05\x00", 6},     /* half an element behind */
        {"\x30\x01\x02\x01\x05", 5},         /* a container that ends in a header */
        {"\x02\x84\xFF\xFF\xFF\xFF", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct events events, bytes;
        read_split(&events, (const uint8_t *)cases[i].bytes, cases[i].len, 0);
        read_split(&bytes, (const uint8_t *)cases[i].bytes, cases[i].len, SIZE_MAX);
        if (events.last != TH_DER_BAD && events.finished)
            print_error("case %zu\n", i);
        assert_false(events.finished);
        assert_false(bytes.finished);
        assert_int_equal(events.last, bytes.last);
    }
}

static void long_lengths_are_read(void **state)
{
    (void)state;
    static uint8_t bytes[70000];
    static const size_t lengths[] = {127, 128, 255, 256, 65535, 65536};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t len = lengths[i], at = 0;
        bytes[at++] = 0x04;
        unsigned count = len < 128 ? 0 : len < 256 ? 1 : len < 65536 ? 2 : 3;
        if (count > 0)
            bytes[at++] = (uint8_t)(0x80 | count);
        for (unsigned shift = count > 0 ? count : 1; shift-- > 0;)
            bytes[at++] = (uint8_t)(len >> (8 * shift));
        struct events events;
        char text[16];
        snprintf(text, sizeof text, "skip%zu", len);
        read_split(&events, bytes, at + len, 0);
        assert_string_equal(events.text, text);
        assert_true(events.finished);
        read_split(&events, bytes, at + len, SIZE_MAX);
        assert_true(events.finished);
    }
}

static void containers_nest_only_so_deep(void **state)
{
    (void)state;
    uint8_t bytes[2 * TH_DER_DEPTH + 2];
    for (size_t levels = 1; levels <= TH_DER_DEPTH; levels++) {
        for (size_t i = 0; i < levels; i++) {
            bytes[2 * i] = 0x30;
            bytes[2 * i + 1] = (uint8_t)(2 * (levels - 1 - i));
        }
        struct events events;
        read_split(&events, bytes, 2 * levels, 0);
        assert_int_equal(events.finished, levels < TH_DER_DEPTH);
    }
}

static void a_bit_string_can_be_entered_past_its_first_byte(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x03, 0x04, 0x00, 0x02, 0x01, 0x07};
    struct th_der der;
    struct th_span rest = {bytes, sizeof bytes}, piece;
    th_der_init(&der, sizeof bytes);
    assert_int_equal(th_der_next(&der, &rest, &piece), TH_DER_BEGIN);
    th_der_enter(&der, 1);
    assert_int_equal(th_der_next(&der, &rest, &piece), TH_DER_BEGIN);
    assert_int_equal(der.tag, TH_DER_INTEGER);
    assert_int_equal(th_der_next(&der, &rest, &piece), TH_DER_END);
    assert_int_equal(th_der_next(&der, &rest, &piece), TH_DER_MORE);
    assert_true(th_der_finished(&der));
    static const uint8_t empty[] = {0x03, 0x00};
    rest = th_span_of(empty, sizeof empty);
    th_der_init(&der, sizeof empty);
    assert_int_equal(th_der_next(&der, &rest, &piece), TH_DER_BEGIN);
    th_der_enter(&der, 1);
    assert_int_equal(th_der_next(&der, &rest, &piece), TH_DER_BAD);
}

/* ---- times ---- */

static void expect_time(uint8_t tag, const char *text, bool good, int64_t time_s)
{
    int64_t got_s = -1;
    bool got = th_der_time(tag, th_span_str(text), &got_s);
    if (got != good || (good && got_s != time_s))
        print_error("%s: %d, %lld\n", text, got, (long long)got_s);
    assert_int_equal(got, good);
    if (good)
        assert_true(got_s == time_s);
}

static void times_are_read_as_the_rfc_allows_them(void **state)
{
    (void)state;
    expect_time(TH_DER_UTC_TIME, "700101000000Z", true, 0);
    expect_time(TH_DER_UTC_TIME, "491231235959Z", true, 2524607999);
    expect_time(TH_DER_UTC_TIME, "500101000000Z", true, -631152000);
    expect_time(TH_DER_GENERALIZED_TIME, "20000229120000Z", true, 951825600);
    expect_time(TH_DER_GENERALIZED_TIME, "99991231235959Z", true, 253402300799);
    expect_time(TH_DER_GENERALIZED_TIME, "00010101000000Z", true, -62135596800);
    expect_time(TH_DER_UTC_TIME, "991232000000Z", false, 0);
    expect_time(TH_DER_UTC_TIME, "991332000000Z", false, 0);
    expect_time(TH_DER_UTC_TIME, "010229000000Z", false, 0);
    expect_time(TH_DER_GENERALIZED_TIME, "19000229000000Z", false, 0);
    expect_time(TH_DER_UTC_TIME, "000000000000Z", false, 0);
    expect_time(TH_DER_UTC_TIME, "700101240000Z", false, 0);
    expect_time(TH_DER_UTC_TIME, "700101006000Z", false, 0);
    expect_time(TH_DER_UTC_TIME, "700101000060Z", false, 0);
    expect_time(TH_DER_UTC_TIME, "7001010000Z", false, 0);
    expect_time(TH_DER_UTC_TIME, "700101000000+", false, 0);
    expect_time(TH_DER_UTC_TIME, "700101000000+0000", false, 0);
    expect_time(TH_DER_UTC_TIME, "70010100000-Z", false, 0);
    expect_time(TH_DER_GENERALIZED_TIME, "00000101000000Z", false, 0);
    expect_time(TH_DER_GENERALIZED_TIME, "20000101000000.5Z", false, 0);
    expect_time(TH_DER_OCTET_STRING, "700101000000Z", false, 0);
    expect_time(TH_DER_UTC_TIME, "", false, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_in_order_whatever_the_fragmentation),
        cmocka_unit_test(anything_cut_short_is_not_finished),
        cmocka_unit_test(what_is_not_der_is_bad),
        cmocka_unit_test(long_lengths_are_read),
        cmocka_unit_test(containers_nest_only_so_deep),
        cmocka_unit_test(a_bit_string_can_be_entered_past_its_first_byte),
        cmocka_unit_test(times_are_read_as_the_rfc_allows_them),
    };
    return cmocka_run_group_tests_name("der", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"

/* RFC 4648 §10, and every value of the alphabet. */
static const struct {
    const char *bytes, *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xFB\xEF\xBE", "++++"},
    {"\xFF\xFF\xFF", "////"},
};

static void the_vectors_of_the_rfc_go_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t bytes[16];
        char text[16];
        size_t len = 99;
        struct th_span plain = th_span_str(vectors[i].bytes);
        assert_true(th_base64_decode(th_span_str(vectors[i].text), bytes, sizeof bytes, &len));
        assert_int_equal(len, plain.len);
        assert_memory_equal(bytes, plain.at, len);
        assert_int_equal(th_base64_encode(plain, text, sizeof text), strlen(vectors[i].text));
        assert_string_equal(text, vectors[i].text);
    }
}

static void anything_but_the_one_right_text_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"Z",    "Zg",   "Zg=",   "Zg===",    "Zh==", "Zm9=",
                                        "=",    "====", "Z===",  "Zg==Zg==", "Zm 9", "Zm9v\n",
                                        "Zm-_", "Zg=g", "Zm9v=", "\x80m9v"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t bytes[16];
        size_t len;
        assert_false(th_base64_decode(th_span_str(wrong[i]), bytes, sizeof bytes, &len));
    }
}

static void what_does_not_fit_is_refused_and_nothing_is_written_beyond(void **state)
{
    (void)state;
    for (size_t room = 0; room < 6; room++) {
        uint8_t *bytes = malloc(room + 1);
        char *text = malloc(room + 1);
        size_t len;
        assert_false(th_base64_decode(TH_SPAN("Zm9vYmFy"), bytes, room, &len));
        assert_int_equal(th_base64_encode(TH_SPAN("foobar"), text, room + 1), 0);
        free(bytes);
        free(text);
    }
}

static void random_bytes_come_back(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (size_t len = 0; len < 200; len++) {
        uint8_t bytes[200];
        char text[300];
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
        struct th_span plain = {bytes, len};
        size_t text_len = th_base64_encode(plain, text, sizeof text), back = 0;
        /* Into its own memory. */
        assert_true(th_base64_decode(th_span_of(text, text_len), (uint8_t *)text, text_len, &back));
        assert_int_equal(back, len);
        assert_memory_equal(text, bytes, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc_go_both_ways),
        cmocka_unit_test(anything_but_the_one_right_text_is_refused),
        cmocka_unit_test(what_does_not_fit_is_refused_and_nothing_is_written_beyond),
        cmocka_unit_test(random_bytes_come_back),
    };
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}

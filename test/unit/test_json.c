/* SPDX-License-Identifier: MIT */
/* R10: RFC 8259 and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/json.h>

static enum th_error parse(const char *text, struct th_json *out)
{
    /* In memory of its own size, so that a read behind the end is seen. */
    size_t len = strlen(text), at;
    char *exact = malloc(len + 1);

    memcpy(exact, text, len);
    enum th_error error = th_json_parse(th_span_of(exact, len), out, &at);
    assert_true(at <= len);
    free(exact);
    return error;
}

static void what_the_rfc_allows_is_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{}",
        "[]",
        " \t\r\n{ } ",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1",
        "1.5",
        "1e9",
        "1E+9",
        "-1.25e-7",
        "\"\"",
        "\"a\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"gr\xC3\xBCn\"",
        "[1,2,[3,{\"a\":[]}]]",
        "{\"a\":1,\"b\":{\"a\":2}}",
        "[[[[[[[[]]]]]]]]",
        "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}",
        "12345678901234567890123456789",
    };
    struct th_json value;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (parse(good[i], &value) != TH_OK)
            fail_msg("refused: %s", good[i]);
    }
}

static void everything_else_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "{1:1}",
        "nul",
        "nulll",
        "True",
        "01",
        "-01",
        "1.",
        ".5",
        "-",
        "+1",
        "1e",
        "1e+",
        "0x10",
        "NaN",
        "Infinity",
        "\"",
        "\"a",
        "\"\n\"",
        "\"\t\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ud83d\\n\"",
        "\"\\ud83dx\"",
        "\"\xFF\"",
        "\"\xC0\x80\"",
        "\"\xED\xA0\x80\"",
        "\"\\",
        "// x\n1",
        "1 // x",
        "/**/1",
        "{} {}",
        "1 2",
        "\xEF\xBB\xBF{}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"\xC3\xA9\":1,\"b\":[],\"\\u00e9\":2}",
        "[[[[[[[[[]]]]]]]]]",
        "{\"a\":1]",
        "[1}",
    };
    struct th_json value;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parse(bad[i], &value) == TH_OK)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(value.kind, TH_JSON_NONE);
    }
}

static struct th_json whole(const char *text)
{
    struct th_json value;
    size_t at;

    assert_int_equal(th_json_parse(th_span_str(text), &value, &at), TH_OK);
    return value;
}

static void the_place_of_the_fault_is_told(void **state)
{
    (void)state;
    struct th_json value;
    size_t at;

    assert_int_equal(th_json_parse(TH_SPAN("{\"a\": tru}"), &value, &at), TH_ERR_INVALID);
    assert_int_equal(at, 6);
}

static void members_are_found_by_what_their_name_means(void **state)
{
    (void)state;
    struct th_json frame =
        whole(" {\"id\": 7, \"m\\u0065thod\" :\"Zone.On\",\"params\":{\"zone\":2}} ");
    int64_t number;
    char text[16];

    assert_true(th_json_integer(th_json_member(frame, "id"), &number));
    assert_int_equal(number, 7);
    assert_true(th_json_string(th_json_member(frame, "method"), text, sizeof text));
    assert_string_equal(text, "Zone.On");
    struct th_json params = th_json_member(frame, "params");
    assert_true(th_json_integer(th_json_member(params, "zone"), &number));
    assert_int_equal(number, 2);
    assert_int_equal(th_json_member(frame, "zone").kind, TH_JSON_NONE);
    assert_int_equal(th_json_member(th_json_member(frame, "none"), "x").kind, TH_JSON_NONE);
    assert_int_equal(th_json_member(th_json_member(frame, "id"), "x").kind, TH_JSON_NONE);
}

static void integers_are_exact_or_refused(void **state)
{
    (void)state;
    int64_t number;

    assert_true(th_json_integer(whole("9223372036854775807"), &number));
    assert_true(number == INT64_MAX);
    assert_true(th_json_integer(whole("-9223372036854775808"), &number));
    assert_true(number == INT64_MIN);
    assert_true(th_json_integer(whole("-0"), &number));
    assert_int_equal(number, 0);
    assert_false(th_json_integer(whole("9223372036854775808"), &number));
    assert_false(th_json_integer(whole("-9223372036854775809"), &number));
    assert_false(th_json_integer(whole("1.0"), &number));
    assert_false(th_json_integer(whole("1e3"), &number));
    assert_false(th_json_integer(whole("\"1\""), &number));
    assert_false(th_json_integer(whole("true"), &number));
}

static void strings_are_whole_or_refused(void **state)
{
    (void)state;
    char text[8];

    assert_true(th_json_string(whole("\"\\u20ac\\ud83d\\ude00\""), text, sizeof text));
    assert_string_equal(text, "\xE2\x82\xAC\xF0\x9F\x98\x80");
    assert_false(th_json_string(whole("\"12345678\""), text, sizeof text));
    assert_false(th_json_string(whole("\"a\\u0000b\""), text, sizeof text));
    assert_false(th_json_string(whole("12"), text, sizeof text));
    assert_true(th_json_string(whole("\"\""), text, 1));
}

static void containers_are_walked_in_order(void **state)
{
    (void)state;
    struct th_json list = whole("[1, [2,3] ,{\"a\":4},\"x\" ]"), value, name;
    static const enum th_json_kind kinds[] = {TH_JSON_NUMBER, TH_JSON_ARRAY, TH_JSON_OBJECT,
                                              TH_JSON_STRING};
    size_t at = 0;

    for (size_t i = 0; i < 4; i++) {
        assert_true(th_json_next(list, &at, NULL, &value));
        assert_int_equal(value.kind, kinds[i]);
    }
    assert_false(th_json_next(list, &at, NULL, &value));
    at = 0;
    assert_false(th_json_next(whole("{ }"), &at, &name, &value));
    at = 0;
    assert_false(th_json_next(whole("7"), &at, &name, &value));
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    uint8_t bytes[200];
    struct th_json_writer writer = th_json_writer_of(bytes, sizeof bytes);
    char text[16];
    int64_t number;

    th_json_open(&writer, '{');
    th_json_name(&writer, "text");
    th_json_put_string(&writer, TH_SPAN("a\"\\\n\x01\xC3\xA9"));
    th_json_name(&writer, "least");
    th_json_put_integer(&writer, INT64_MIN);
    th_json_name(&writer, "list");
    th_json_open(&writer, '[');
    th_json_put_bool(&writer, true);
    th_json_put_null(&writer);
    th_json_close(&writer, ']');
    th_json_close(&writer, '}');
    struct th_span out = th_json_written(&writer);
    static const char wanted[] = "{\"text\":\"a\\\"\\\\\\n\\u0001\xC3\xA9\","
                                 "\"least\":-9223372036854775808,\"list\":[true,null]}";
    assert_int_equal(out.len, sizeof wanted - 1);
    assert_memory_equal(out.at, wanted, out.len);
    struct th_json value;
    size_t at;
    assert_int_equal(th_json_parse(out, &value, &at), TH_OK);
    assert_true(th_json_string(th_json_member(value, "text"), text, sizeof text));
    assert_string_equal(text, "a\"\\\n\x01\xC3\xA9");
    assert_true(th_json_integer(th_json_member(value, "least"), &number));
    assert_true(number == INT64_MIN);
    for (size_t room = 0; room < out.len; room++) {
        writer = th_json_writer_of(bytes, room);
        th_json_put_raw(&writer, th_span_of(wanted, sizeof wanted - 1));
        assert_true(writer.failed);
        assert_int_equal(th_json_written(&writer).len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_rfc_allows_is_taken),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(the_place_of_the_fault_is_told),
        cmocka_unit_test(members_are_found_by_what_their_name_means),
        cmocka_unit_test(integers_are_exact_or_refused),
        cmocka_unit_test(strings_are_whole_or_refused),
        cmocka_unit_test(containers_are_walked_in_order),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

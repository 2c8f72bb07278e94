/* SPDX-License-Identifier: MIT */
/* Requests, over no transport: include/thimble/rpc.h. R10, F6, F11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/rpc.h>

struct lamp {
    int32_t seconds;
    unsigned times;
};

static void on(void *ctx, struct th_rpc_call *call)
{
    struct lamp *lamp = ctx;

    lamp->times++;
    lamp->seconds = th_rpc_integer(call, 0, 60);
    if (lamp->seconds == 13) {
        th_rpc_fail(call, TH_RPC_CONFLICT, "not thirteen");
        return;
    }
    th_json_put_integer(call->result, lamp->seconds);
}

static void long_result(void *ctx, struct th_rpc_call *call)
{
    static const char x[101] =
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    unsigned count = (unsigned)th_rpc_integer(call, 0, 1);

    ((struct lamp *)ctx)->times++;
    th_json_open(call->result, '[');
    for (unsigned i = 0; i < count; i++)
        th_json_put_string(call->result, th_span_str(x));
    th_json_close(call->result, ']');
}

static void echo(void *ctx, struct th_rpc_call *call)
{
    char text[11];

    (void)ctx;
    th_rpc_text(call, 0, text, sizeof text);
    th_json_open(call->result, '{');
    th_json_name(call->result, "text");
    th_json_put_string(call->result, th_span_str(text));
    th_json_name(call->result, "loud");
    th_json_put_bool(call->result, th_rpc_bool(call, 1, true));
    th_json_close(call->result, '}');
}

static const struct th_rpc_param on_params[] = {
    {"seconds", TH_RPC_INTEGER, false, 1, 3600, "how long"},
};
static const struct th_rpc_param count_params[] = {
    {"count", TH_RPC_INTEGER, true, 0, 100, "how many"},
};
static const struct th_rpc_param echo_params[] = {
    {"text", TH_RPC_TEXT, true, 2, 10, "what"},
    {"loud", TH_RPC_BOOL, false, 0, 0, "how"},
    {"more", TH_RPC_OBJECT, false, 0, 0, "what else"},
};
static const struct th_rpc_method methods[] = {
    {"Lamp.On", TH_ROLE_OPERATOR, true, 1, on_params, "Switches it on.", on},
    {"Lamp.Long", TH_ROLE_VIEWER, false, 1, count_params, "Says much.", long_result},
    {"Lamp.LongAct", TH_ROLE_VIEWER, true, 1, count_params, "Says much.", long_result},
    {"Lamp.Echo", TH_ROLE_VIEWER, false, 3, echo_params, "Says it again.", echo},
};

struct desk {
    struct lamp lamp;
    struct th_rpc rpc;
    struct th_rpc_set set, own;
    struct th_rpc_caller caller;
    struct th_rpc_moment now;
    char answer[TH_RPC_ANSWER_MAX + 1];
    size_t room;
};

static int set_up(void **state)
{
    struct desk *desk = calloc(1, sizeof *desk);

    desk->set = (struct th_rpc_set){methods, 4, &desk->lamp};
    desk->own = (struct th_rpc_set){th_rpc_methods, TH_RPC_METHODS, &desk->rpc};
    th_rpc_init(&desk->rpc, TH_SPAN("garden"));
    th_rpc_add(&desk->rpc, &desk->set);
    th_rpc_add(&desk->rpc, &desk->own);
    desk->caller = (struct th_rpc_caller){TH_SPAN("op"), TH_ROLE_OPERATOR, false};
    desk->now = (struct th_rpc_moment){1000, 1795000000};
    desk->room = TH_RPC_ANSWER_MAX;
    *state = desk;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static const char *ask(struct desk *desk, const char *text)
{
    struct th_rpc_frame frame;
    size_t len = strlen(text);
    char *exact = malloc(len + 1);
    uint8_t *into = malloc(desk->room);

    memcpy(exact, text, len);
    th_rpc_read(th_span_of(exact, len), &frame);
    struct th_span answer =
        th_rpc_handle(&desk->rpc, &frame, &desk->caller, desk->now, into, desk->room);
    memcpy(desk->answer, answer.at, answer.len);
    desk->answer[answer.len] = '\0';
    free(into);
    free(exact);
    return desk->answer;
}

static void expect_code(struct desk *desk, const char *text, int code)
{
    struct th_json answer, error;
    int64_t got = 0;
    size_t at;

    ask(desk, text);
    assert_int_equal(th_json_parse(th_span_str(desk->answer), &answer, &at), TH_OK);
    error = th_json_member(answer, "error");
    if (error.kind == TH_JSON_OBJECT)
        assert_true(th_json_integer(th_json_member(error, "code"), &got));
    if (got != code)
        fail_msg("%s\n gives %s instead of %d", text, desk->answer, code);
}

static void a_request_is_answered_to_whom_it_names(void **state)
{
    assert_string_equal(ask(*state, "{\"id\":7,\"src\":\"garden/to/op\",\"method\":\"Lamp.On\","
                                    "\"params\":{\"seconds\":5},\"more\":[1]}"),
                        "{\"id\":7,\"src\":\"garden\",\"dst\":\"garden/to/op\",\"result\":5}");
    assert_string_equal(ask(*state, "{\"id\":\"x\",\"method\":\"Lamp.On\"}"),
                        "{\"id\":\"x\",\"src\":\"garden\",\"dst\":\"op\",\"result\":60}");
    assert_string_equal(
        ask(*state, "{\"method\":\"Lamp.On\",\"args\":{\"seconds\":9},\"tag\":\"t\",\"id\":4}"),
        "{\"id\":4,\"src\":\"garden\",\"dst\":\"op\",\"tag\":\"t\",\"result\":9}");
}

static void an_error_has_a_code_and_says_why(void **state)
{
    assert_string_equal(
        ask(*state, "{\"id\":1,\"method\":\"Lamp.On\",\"params\":{\"seconds\":13}}"),
        "{\"id\":1,\"src\":\"garden\",\"dst\":\"op\",\"error\":{\"code\":409,"
        "\"message\":\"not thirteen\"}}");
}

static void what_is_not_a_frame_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "1",
        "{",
        "{}",
        "{\"id\":1}",
        "{\"id\":1,\"method\":2}",
        "{\"id\":1.5,\"method\":\"Lamp.On\"}",
        "{\"id\":{},\"method\":\"Lamp.On\"}",
        "{\"id\":1,\"method\":\"Lamp.On\",\"params\":[5]}",
        "{\"id\":1,\"method\":\"Lamp.On\",\"params\":5}",
        "{\"id\":1,\"method\":\"Lamp.On\",\"params\":{},\"args\":{}}",
        "{\"id\":1,\"method\":\"Lamp.On\",\"nonce\":5}",
        "{\"id\":1,\"method\":\"Lamp.On\",\"nonce\":\"\"}",
        "{\"id\":1,\"method\":\"Lamp.On\",\"nonce\":\"123456789012345678901234567890123\"}",
        "{\"id\":1,\"method\":\"Lamp.On\",\"src\":5}",
        "{\"id\":1,\"method\":\"Lamp.On\",\"expires\":\"soon\"}",
        "{\"id\":1,\"method\":\"Lamp.On\",\"expires\":0}",
        "{\"id\":1,\"method\":\"Lamp.On\",\"id\":2}",
        "{\"id\":1,\"method\":\"Lamp.On\",\"params\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
        "\"a\":"
        "{}}}}}}}}}",
        "{\"id\":\"12345678901234567890123456789012345678901\",\"method\":\"Lamp.On\"}",
    };
    struct desk *desk = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_code(desk, bad[i], 400);
    assert_int_equal(desk->lamp.times, 0);
}

static void parameters_are_held_to_their_table(void **state)
{
    static const char *const bad[] = {
        "Lamp.On\",\"params\":{\"seconds\":0}",
        "Lamp.On\",\"params\":{\"seconds\":3601}",
        "Lamp.On\",\"params\":{\"seconds\":-1}",
        "Lamp.On\",\"params\":{\"seconds\":1.0}",
        "Lamp.On\",\"params\":{\"seconds\":1e3}",
        "Lamp.On\",\"params\":{\"seconds\":\"5\"}",
        "Lamp.On\",\"params\":{\"seconds\":null}",
        "Lamp.On\",\"params\":{\"secnods\":5}",
        "Lamp.On\",\"params\":{\"seconds\":4294967301}",
        "Lamp.Echo\",\"params\":{}",
        "Lamp.Echo\"",
        "Lamp.On\",\"params\":{\"seconds\":99999999999999999999999999}",
        "Lamp.Echo\",\"params\":{\"text\":\"x\"}",
        "Lamp.Echo\",\"params\":{\"text\":\"12345678901\"}",
        "Lamp.Echo\",\"params\":{\"text\":\"a\\u0000\"}",
        "Lamp.Echo\",\"params\":{\"text\":\"a\\n\"}",
        "Lamp.Echo\",\"params\":{\"text\":\"ab\",\"loud\":1}",
        "Lamp.Echo\",\"params\":{\"text\":\"ab\",\"more\":[]}",
    };
    struct desk *desk = *state;
    char text[160];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "{\"id\":1,\"method\":\"%s}", bad[i]);
        expect_code(desk, text, 422);
    }
    assert_int_equal(desk->lamp.times, 0);
    assert_string_equal(
        ask(desk, "{\"id\":1,\"method\":\"Lamp.Echo\",\"params\":{\"text\":\"\\u00e9\\\"\"}}"),
        "{\"id\":1,\"src\":\"garden\",\"dst\":\"op\",\"result\":{\"text\":\"\xC3\xA9\\\"\","
        "\"loud\":true}}");
}

static void a_role_opens_its_methods_and_no_more(void **state)
{
    struct desk *desk = *state;

    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.Off\"}", 404);
    desk->caller.role = TH_ROLE_VIEWER;
    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.On\"}", 403);
    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.Long\",\"params\":{\"count\":1}}", 0);
    desk->caller.role = TH_ROLE_NONE;
    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.Long\",\"params\":{\"count\":1}}", 403);
    expect_code(desk, "{\"id\":1,\"method\":\"No.Such\"}", 403);
    desk->caller.role = TH_ROLE_AGENT; /* which renews and recovers, and commands nobody */
    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.On\"}", 403);
    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.Long\",\"params\":{\"count\":1}}", 0);
    desk->caller.role = TH_ROLE_ADMIN;
    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.On\"}", 0);
    assert_int_equal(desk->lamp.times, 3);
}

static void a_repeated_nonce_gets_the_first_answer_and_acts_once(void **state) /* F11 */
{
    struct desk *desk = *state;
    char text[160];

    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text,
                 "{\"id\":%d,\"method\":\"Lamp.On\",\"nonce\":\"n%d\",\"params\":{\"seconds\":%d}}",
                 i, i, i + 100);
        expect_code(desk, text, 0);
    }
    assert_int_equal(desk->lamp.times, 40);
    assert_string_equal(ask(desk, "{\"id\":99,\"method\":\"Lamp.On\",\"nonce\":\"n8\"}"),
                        "{\"id\":99,\"src\":\"garden\",\"dst\":\"op\",\"result\":108}");
    assert_int_equal(desk->lamp.times, 40);
    /* The one before it is the 33rd from the end. */
    expect_code(desk, "{\"id\":99,\"method\":\"Lamp.On\",\"nonce\":\"n7\"}", 0);
    assert_int_equal(desk->lamp.times, 41);
    /* Another caller's nonce is another. */
    desk->caller.name = TH_SPAN("op2");
    expect_code(desk, "{\"id\":99,\"method\":\"Lamp.On\",\"nonce\":\"n20\"}", 0);
    assert_int_equal(desk->lamp.times, 42);
}

static void a_repeated_failure_stays_one(void **state) /* F11 */
{
    static const char request[] =
        "{\"id\":1,\"method\":\"Lamp.On\",\"nonce\":\"n\",\"params\":{\"seconds\":13}}";
    struct desk *desk = *state;

    expect_code(desk, request, 409);
    expect_code(desk, request, 409);
    assert_int_equal(desk->lamp.times, 1);
}

static void a_refused_request_leaves_its_nonce_free(void **state)
{
    struct desk *desk = *state;

    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.On\",\"nonce\":\"n\",\"params\":{\"s\":1}}",
                422);
    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.On\",\"nonce\":\"n\"}", 0);
    assert_int_equal(desk->lamp.times, 1);
}

static void a_late_request_is_not_acted_on(void **state) /* F11 */
{
    struct desk *desk = *state;

    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.On\",\"expires\":1795000001}", 0);
    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.On\",\"expires\":1795000000}", 408);
    desk->now.utc_s = 0;
    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.On\",\"expires\":1795000001}", 409);
    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.Long\",\"params\":{\"count\":1},\"expires\":5}",
                0);
    assert_int_equal(desk->lamp.times, 2);
}

static void an_answer_that_has_no_room_is_an_error_not_half_an_answer(void **state)
{
    struct desk *desk = *state;

    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.Long\",\"params\":{\"count\":20}}", 0);
    expect_code(desk, "{\"id\":1,\"method\":\"Lamp.Long\",\"params\":{\"count\":100}}", 413);
    for (desk->room = TH_RPC_ERROR_MAX; desk->room < TH_RPC_ANSWER_MAX; desk->room++) {
        ask(desk, "{\"id\":1,\"method\":\"Lamp.Long\",\"params\":{\"count\":10}}");
        assert_true(strlen(desk->answer) > 0);
        assert_true(desk->answer[strlen(desk->answer) - 1] == '}');
    }
}

static void the_longest_error_fits_its_room(void **state)
{
    struct desk *desk = *state;
    char text[400];

    desk->caller.name = TH_SPAN("12345678901234567890123456789012");
    desk->rpc.device = desk->caller.name;
    desk->room = TH_RPC_ERROR_MAX;
    snprintf(text, sizeof text,
             "{\"id\":\"%038d\",\"tag\":\"%038d\",\"src\":\"%0126d\",\"method\":7}", 1, 2, 3);
    expect_code(desk, text, 400);
    assert_true(strlen(desk->answer) < TH_RPC_ERROR_MAX - 80);
}

static void a_method_that_acts_answers_briefly_or_fails(void **state)
{
    struct desk *desk = *state;
    static const char request[] =
        "{\"id\":1,\"method\":\"Lamp.LongAct\",\"nonce\":\"n\",\"params\":{\"count\":1}}";

    expect_code(desk, request, 500);
    expect_code(desk, request, 500);
    assert_int_equal(desk->lamp.times, 1);
}

static void the_device_tells_what_it_can_be_asked(void **state)
{
    struct desk *desk = *state;

    assert_string_equal(
        ask(desk, "{\"id\":1,\"method\":\"Rpc.List\"}"),
        "{\"id\":1,\"src\":\"garden\",\"dst\":\"op\",\"result\":[\"Lamp.On\","
        "\"Lamp.Long\",\"Lamp.LongAct\",\"Lamp.Echo\",\"Rpc.List\",\"Rpc.Describe\"]}");
    desk->caller.role = TH_ROLE_VIEWER;
    assert_null(strstr(ask(desk, "{\"id\":1,\"method\":\"Rpc.List\"}"), "Lamp.On\""));
    assert_string_equal(
        ask(desk, "{\"id\":1,\"method\":\"Rpc.Describe\",\"params\":{\"name\":\"Lamp.On\"}}"),
        "{\"id\":1,\"src\":\"garden\",\"dst\":\"op\",\"result\":{\"name\":\"Lamp.On\",\"role\":"
        "\"operator\",\"help\":\"Switches it on.\",\"params\":{\"seconds\":{\"type\":\"integer\","
        "\"required\":false,\"minimum\":1,\"maximum\":3600,\"help\":\"how long\"}}}}");
    expect_code(desk, "{\"id\":1,\"method\":\"Rpc.Describe\",\"params\":{\"name\":\"x\"}}", 404);
}

static void a_request_that_is_too_large_is_told_so(void **state)
{
    struct desk *desk = *state;
    char text[TH_RPC_FRAME_MAX + 2];

    memset(text, ' ', sizeof text);
    memcpy(text, "{\"id\":1,\"method\":\"Lamp.On\"}", 27);
    text[TH_RPC_FRAME_MAX] = '\0';
    expect_code(desk, text, 0);
    text[TH_RPC_FRAME_MAX] = ' ';
    text[TH_RPC_FRAME_MAX + 1] = '\0';
    expect_code(desk, text, 413);
    assert_int_equal(desk->lamp.times, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_to_whom_it_names),
        TEST(an_error_has_a_code_and_says_why),
        TEST(what_is_not_a_frame_is_refused),
        TEST(parameters_are_held_to_their_table),
        TEST(a_role_opens_its_methods_and_no_more),
        TEST(a_repeated_nonce_gets_the_first_answer_and_acts_once),
        TEST(a_repeated_failure_stays_one),
        TEST(a_refused_request_leaves_its_nonce_free),
        TEST(a_late_request_is_not_acted_on),
        TEST(an_answer_that_has_no_room_is_an_error_not_half_an_answer),
        TEST(the_longest_error_fits_its_room),
        TEST(a_method_that_acts_answers_briefly_or_fails),
        TEST(the_device_tells_what_it_can_be_asked),
        TEST(a_request_that_is_too_large_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

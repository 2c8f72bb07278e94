/* SPDX-License-Identifier: MIT */
/* Sessions of whoever is on the spot: docs/config-mode.md. F1, F2, F4, F12. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/local.h>

#include "ports/sim/flash.h"

#define CODE "0123456789ABCDEF"

static const struct th_crypto crypto = {&th_crypto_openssl, NULL};

/* ---- a device of factory area, log and one method that acts ---- */

static struct sim_flash flash;
static uint8_t cells[128 * 1024], weak[128 * 1024];
static struct th_board board;
static struct th_factory factory;
static struct th_log log_;
static struct th_rpc rpc;
static struct th_rpc_set sets[2];
static struct th_local_session_config config;
static struct th_local_session session;
static unsigned acted;
static uint32_t now_ms;

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    static uint32_t drawn;

    (void)ctx;
    for (size_t i = 0; i < len; i++)
        into[i] = (uint8_t)((++drawn + 7) * 2654435761u >> 19);
    return true;
}

static const struct th_entropy_ops entropy_ops = {fill};

static void act(void *ctx, struct th_rpc_call *call)
{
    (void)ctx;
    acted++;
    th_json_put_bool(call->result, true);
}

static const struct th_rpc_method act_method = {
    .name = "Act", .role = TH_ROLE_LOCAL, .acts = true, .help = "Acts.", .run = act};

static void power_on(void)
{
    const struct th_flash_map *map = &th_flash_map_sim;

    sim_flash_power_on(&flash, 1);
    assert_int_equal(th_factory_open(&factory, &board, map, 5), TH_OK);
    assert_int_equal(
        th_log_mount(&log_, &sim_flash_ops, &flash, th_flash_map_region(map, TH_FLASH_LOG), 7),
        TH_OK);
    th_local_session_start(&session, &config, now_ms);
}

static int begin(void **state)
{
    (void)state;
    sim_flash_init(&flash, (struct th_flash_geometry){sizeof cells, 1024, 4}, cells, weak, 1);
    board = (struct th_board){.entropy = {&entropy_ops, NULL}, .flash = {&sim_flash_ops, &flash}};
    th_rpc_init(&rpc, TH_SPAN("lamp"));
    sets[0] = (struct th_rpc_set){&act_method, 1, NULL};
    sets[1] = (struct th_rpc_set){th_local_methods, 1, &session};
    th_rpc_add(&rpc, &sets[0]);
    th_rpc_add(&rpc, &sets[1]);
    config = (struct th_local_session_config){&rpc, &crypto, &board, &factory, &log_, 8};
    now_ms = UINT32_MAX - 5000; /* R8 */
    acted = 0;
    power_on();
    assert_int_equal(th_factory_code_set(&factory, CODE), TH_OK);
    return 0;
}

/* ---- talking ---- */

static char answer[TH_LOCAL_ANSWER_MAX + 1];

static const char *send_bytes(const uint8_t *bytes, size_t len)
{
    uint8_t frame[TH_LOCAL_FRAME_MAX + 8], into[TH_LOCAL_ANSWER_MAX];

    memcpy(frame, bytes, len);
    struct th_span got = th_local_session_take(
        &session, frame, len, (struct th_rpc_moment){.ms = now_ms}, into, sizeof into);
    assert_true(got.len > 0 && got.len < sizeof answer);
    memcpy(answer, got.at, got.len);
    answer[got.len] = '\0';
    return answer;
}

static const char *say(const char *frame)
{
    return send_bytes((const uint8_t *)frame, strlen(frame));
}

static const char *send_span(struct th_span frame)
{
    assert_true(frame.len > 0);
    return send_bytes(frame.at, frame.len);
}

static void expect(const char *frame, const char *in_answer)
{
    if (!strstr(say(frame), in_answer))
        fail_msg("%s\n answers %s", frame, answer);
}

/* NULL, or what went wrong: the step that failed. */
static const char *open_with(struct th_local_client *client, enum th_local_kind kind,
                             const char *code, bool take)
{
    uint8_t frame[TH_LOCAL_FRAME_MAX];

    assert_true(th_local_client_start(client, &crypto, &board, kind, code));
    send_span(th_local_client_hello(client, take, frame, sizeof frame));
    if (!th_local_client_met(client, th_span_str(answer)))
        return "met";
    send_span(th_local_client_prove(client, frame, sizeof frame));
    return th_local_client_proved(client, th_span_str(answer)) ? NULL : "proved";
}

static const char *call(struct th_local_client *client, const char *frame)
{
    static uint8_t plain[TH_LOCAL_ANSWER_MAX];
    uint8_t bytes[TH_LOCAL_FRAME_MAX];

    send_span(th_local_client_call(client, th_span_str(frame), bytes, sizeof bytes));
    struct th_span got =
        th_local_client_answer(client, th_span_str(answer), plain, sizeof plain - 1);
    plain[got.len] = '\0';
    return (const char *)plain;
}

#define ACT "{\"id\":1,\"method\":\"Act\"}"

/* ---- proving ---- */

static void nothing_acts_before_the_code_is_proved(void **state) /* F1 F4 */
{
    (void)state;
    static const char *const frames[] = {
        ACT,
        "{\"id\":1,\"method\":\"Rpc.List\"}",
        "{\"id\":1,\"method\":\"Session.End\"}",
        "{\"id\":1,\"method\":\"Session.Call\",\"params\":{\"session\":1,\"n\":1,\"box\":\"AAAA\"}"
        "}",
        "{\"id\":1,\"method\":\"Session.Prove\",\"params\":{\"session\":1,\"proof\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}}",
        "{\"id\":1}",
    };

    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++)
        expect(frames[i], "\"code\":401");
    expect("[]", "\"id\":null,\"error\":{\"code\":400");
    expect("{\"id\":\"x\",\"method\":\"Session.Open\"}", "{\"id\":\"x\",\"error\":{\"code\":400");
    assert_int_equal(acted, 0);
}

static void whoever_knows_the_code_is_let_in(void **state)
{
    (void)state;
    struct th_local_client client;

    for (int i = 0; i < 2; i++) {
        now_ms += TH_LOCAL_ENROL_MS;
        assert_null(open_with(&client, i ? TH_LOCAL_ENROL : TH_LOCAL_PAGE, CODE, true));
        assert_string_equal(call(&client, ACT),
                            "{\"id\":1,\"src\":\"lamp\",\"dst\":\"local\",\"result\":true}");
        assert_non_null(strstr(call(&client, "{\"id\":2,\"method\":\"No\"}"), "\"code\":404"));
    }
    assert_int_equal(acted, 2);
    assert_non_null(strstr(call(&client, "{\"id\":1,\"method\":\"Session.End\"}"), "true"));
    assert_string_equal(call(&client, ACT), "");
    assert_non_null(strstr(answer, "\"code\":401"));
    assert_int_equal(acted, 2);
}

static void a_key_of_the_one_kind_opens_nothing_of_the_other(void **state)
{
    (void)state;
    struct th_local_client client;
    uint8_t frame[TH_LOCAL_FRAME_MAX];

    assert_true(th_local_client_start(&client, &crypto, &board, TH_LOCAL_PAGE, CODE));
    assert_true(th_local_key(&crypto, TH_LOCAL_ENROL, CODE, client.key));
    send_span(th_local_client_hello(&client, false, frame, sizeof frame));
    assert_true(th_local_client_met(&client, th_span_str(answer)));
    send_span(th_local_client_prove(&client, frame, sizeof frame));
    assert_non_null(strstr(answer, "\"code\":401"));
}

static void a_wrong_code_is_refused_and_an_opening_counts_once(void **state)
{
    (void)state;
    struct th_local_client client;
    uint8_t frame[TH_LOCAL_FRAME_MAX];

    assert_string_equal(open_with(&client, TH_LOCAL_PAGE, "0123456789ABCDEG", false), "proved");
    assert_non_null(strstr(answer, "\"code\":401"));
    send_span(th_local_client_prove(&client, frame, sizeof frame));
    assert_non_null(strstr(answer, "nobody has opened"));
    assert_null(open_with(&client, TH_LOCAL_PAGE, CODE, false));
    send_span(th_local_client_prove(&client, frame, sizeof frame));
    assert_non_null(strstr(answer, "nobody has opened"));
    assert_non_null(strstr(call(&client, ACT), "true"));
}

/* ---- F2 ---- */

static void wrong_codes_wait_ever_longer_also_over_reboots(void **state) /* F2 */
{
    (void)state;
    static const uint32_t waits[] = {0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300};
    struct th_local_client client;

    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        assert_string_equal(open_with(&client, TH_LOCAL_PAGE, "0123456789ABCDEG", false), "proved");
        assert_non_null(strstr(answer, "\"code\":401"));
        if (waits[i] == 0)
            continue;
        for (int reboot = 0; reboot < 2; reboot++) {
            if (reboot)
                power_on();
            now_ms += waits[i] * 1000 - 1;
            /* The right one waits as well: else it would tell that it is right. */
            assert_string_equal(open_with(&client, TH_LOCAL_PAGE, CODE, false), "met");
            assert_non_null(strstr(answer, "\"code\":429"));
            assert_non_null(strstr(answer, "\"wait\":1}"));
            if (reboot)
                now_ms += 1;
        }
    }
    uint32_t mark = log_.sequence;
    assert_string_equal(open_with(&client, TH_LOCAL_PAGE, "0123456789ABCDEG", false), "proved");
    assert_int_equal(log_.sequence, mark); /* at the end of the row nothing is written */
    now_ms += 300000;
    assert_null(open_with(&client, TH_LOCAL_PAGE, CODE, false));
    power_on();
    assert_null(open_with(&client, TH_LOCAL_PAGE, CODE, false));
}

static void an_attempt_counts_before_its_answer(void **state) /* F2 */
{
    (void)state;
    struct th_local_client client;
    uint8_t frame[TH_LOCAL_FRAME_MAX];

    for (int i = 0; i < TH_LOCAL_FREE; i++) {
        assert_true(
            th_local_client_start(&client, &crypto, &board, TH_LOCAL_PAGE, "0123456789ABCDEG"));
        send_span(th_local_client_hello(&client, false, frame, sizeof frame));
        assert_true(th_local_client_met(&client, th_span_str(answer)));
        struct th_span proof = th_local_client_prove(&client, frame, sizeof frame);
        send_span(proof);
        power_on(); /* whoever sends it does not wait for the answer */
    }
    open_with(&client, TH_LOCAL_PAGE, CODE, false);
    assert_non_null(strstr(answer, "\"code\":429"));
}

static enum th_local_code type(const char *code)
{
    return th_local_session_code(&session, th_span_str(code), now_ms);
}

static unsigned told_wrong;

static void hear(void *ctx, const struct th_rpc_call *call)
{
    (void)ctx;
    told_wrong += call->code == TH_RPC_UNPROVED && !call->method;
}

/* Clients of old send it as it is: the same attempts, the same waiting. */
static void a_code_in_clear_text_counts_with_the_others(void **state) /* F2, F9 */
{
    (void)state;
    struct th_local_client client;

    told_wrong = 0;
    rpc.heard = hear;
    uint32_t mark = log_.sequence;
    assert_int_equal(type(CODE), TH_LOCAL_CODE_RIGHT);
    assert_int_equal(type(" 0123-4567-89ab-cdef"), TH_LOCAL_CODE_RIGHT);
    assert_int_equal(type("OI23-4567-89AB-CDEF"), TH_LOCAL_CODE_RIGHT);
    assert_int_equal(type(""), TH_LOCAL_CODE_WRONG);
    assert_int_equal(log_.sequence, mark); /* a program may send it with each request */
    assert_false(th_local_session_alive(&session, now_ms));
    assert_int_equal(type("0123456789ABCDEG"), TH_LOCAL_CODE_WRONG);
    assert_int_equal(type("short"), TH_LOCAL_CODE_WRONG);
    open_with(&client, TH_LOCAL_PAGE, "0123456789ABCDEG", false);
    power_on();
    assert_int_equal(type("0123456789ABCDE"), TH_LOCAL_CODE_WRONG);
    assert_int_equal(told_wrong, 4);
    assert_int_equal(type("0123456789ABCDEFF"), TH_LOCAL_CODE_WRONG);
    assert_int_equal(type(CODE), TH_LOCAL_CODE_WAIT);
    open_with(&client, TH_LOCAL_PAGE, CODE, false);
    assert_non_null(strstr(answer, "\"code\":429"));
    power_on();
    assert_int_equal(type(CODE), TH_LOCAL_CODE_WAIT);
    now_ms += TH_LOCAL_FIRST_MS;
    assert_int_equal(type(CODE), TH_LOCAL_CODE_RIGHT);
    power_on();
    assert_int_equal(type("0123456789ABCDEG"), TH_LOCAL_CODE_WRONG);
    assert_int_equal(type(CODE), TH_LOCAL_CODE_RIGHT);
}

/* ---- one person at a time ---- */

static void a_second_one_is_told_and_takes_over_by_the_code_alone(void **state)
{
    (void)state;
    struct th_local_client first, second;

    assert_null(open_with(&first, TH_LOCAL_PAGE, CODE, false));
    assert_string_equal(open_with(&second, TH_LOCAL_PAGE, CODE, false), "met");
    assert_non_null(strstr(answer, "\"code\":409"));
    assert_string_equal(open_with(&second, TH_LOCAL_PAGE, "0123456789ABCDEG", true), "proved");
    assert_non_null(strstr(call(&first, ACT), "true"));
    assert_null(open_with(&second, TH_LOCAL_PAGE, CODE, true));
    assert_string_equal(call(&first, ACT), "");
    assert_non_null(strstr(answer, "\"code\":401"));
    assert_non_null(strstr(call(&second, ACT), "true"));
    assert_int_equal(acted, 2);
}

static void a_session_ends_when_idle_and_after_an_hour(void **state)
{
    (void)state;
    struct th_local_client client;

    assert_null(open_with(&client, TH_LOCAL_PAGE, CODE, false));
    now_ms += TH_LOCAL_IDLE_MS - 1;
    assert_non_null(strstr(call(&client, ACT), "true"));
    assert_int_equal(th_local_session_tick(&session, now_ms), TH_LOCAL_IDLE_MS);
    now_ms += TH_LOCAL_IDLE_MS;
    assert_string_equal(call(&client, ACT), "");
    assert_null(open_with(&client, TH_LOCAL_PAGE, CODE, false)); /* nobody is there any more */
    for (int i = 0; i < 11; i++) {
        now_ms += 300000;
        assert_non_null(strstr(call(&client, ACT), "true"));
    }
    now_ms += 300000; /* a page that was left open all day, and asks all the time */
    assert_string_equal(call(&client, ACT), "");
    th_local_session_tick(&session, now_ms);
    assert_int_equal(session.number, 0);
    for (size_t i = 0; i < sizeof session.keys; i++)
        assert_int_equal(((const uint8_t *)&session.keys)[i], 0);
}

static void no_request_acts_twice(void **state) /* F11 */
{
    (void)state;
    struct th_local_client client;
    uint8_t frame[TH_LOCAL_FRAME_MAX];

    assert_null(open_with(&client, TH_LOCAL_PAGE, CODE, false));
    struct th_span sent = th_local_client_call(&client, TH_SPAN(ACT), frame, sizeof frame);
    send_span(sent);
    send_span(sent);
    assert_non_null(strstr(answer, "\"code\":400"));
    assert_int_equal(acted, 1);
    client.counter += 5; /* lost on their way */
    assert_non_null(strstr(call(&client, ACT), "true"));
    client.counter = INT32_MAX;
    assert_int_equal(th_local_client_call(&client, TH_SPAN(ACT), frame, sizeof frame).len, 0);
}

/* ---- a man in the middle ---- */

/* Within nonce, point, proof or box: the only strings of that length. */
static bool in_secret(const uint8_t *bytes, size_t len, size_t at)
{
    size_t from = at, to = at;

    while (from > 0 && bytes[from - 1] != '"')
        from--;
    while (to < len && bytes[to] != '"')
        to++;
    return to - from >= 24;
}

static bool counts_for_all;

static bool alters(uint8_t *bytes, size_t len, size_t at, uint8_t with)
{
    if (at >= len)
        return false;
    counts_for_all = in_secret(bytes, len, at);
    bytes[at] ^= with;
    return true;
}

/* Whoever alters a byte of any of the six messages: the code is never taken as proved by both
 * sides with the byte altered in what counts, and nothing acts that was not asked for. */
static unsigned attack(enum th_local_kind kind, int step, size_t at, uint8_t with)
{
    static uint8_t frame[TH_LOCAL_FRAME_MAX], plain[TH_LOCAL_ANSWER_MAX];
    struct th_local_client client;
    struct th_span sent;
    bool altered = false, same = true;

    now_ms += 400000;
    session.wrong = 0;
    acted = 0;
    assert_true(th_local_client_start(&client, &crypto, &board, kind, CODE));
    for (int i = 0; i < 3; i++) {
        sent = i == 0   ? th_local_client_hello(&client, true, frame, sizeof frame)
               : i == 1 ? th_local_client_prove(&client, frame, sizeof frame)
                        : th_local_client_call(&client, TH_SPAN(ACT), frame, sizeof frame);
        if (step == 2 * i)
            altered = alters(frame, sent.len, at, with);
        send_span(sent);
        if (step == 2 * i + 1)
            altered = alters((uint8_t *)answer, strlen(answer), at, with);
        same =
            i == 0 ? th_local_client_met(&client, th_span_str(answer))
            : i == 1
                ? th_local_client_proved(&client, th_span_str(answer))
                : th_local_client_answer(&client, th_span_str(answer), plain, sizeof plain).len > 0;
        if (!same)
            break;
    }
    if (!altered)
        return 2; /* beyond the message's end */
    assert_true(acted <= 1);
    if (same) { /* the byte meant nothing: an id, or how long a session lasts */
        assert_false(counts_for_all);
        assert_int_equal(acted, 1);
    }
    return same;
}

static void whoever_alters_a_byte_of_an_opening_gets_nowhere(void **state) /* F12 */
{
    (void)state;
    static const enum th_local_kind kinds[] = {TH_LOCAL_PAGE, TH_LOCAL_ENROL};
    static const uint8_t with[] = {1, 2, 0x20};
    unsigned counts[3] = {0};

    for (size_t k = 0; k < 2; k++) {
        for (int step = 0; step < 6; step++) {
            for (size_t at = 0;; at++) {
                unsigned what = attack(kinds[k], step, at, with[(at + (size_t)step) % 3]);
                counts[what]++;
                if (what == 2)
                    break;
            }
        }
    }
    /* What passes: the id (1 to 3 and the like), and names of members that mean nothing. */
    printf("altered: %u refused, %u without effect\n", counts[0], counts[1]);
    assert_int_equal(counts[2], 12);
    assert_true(counts[0] > 1400);
    assert_true(counts[1] < 70);
}

static void what_was_said_under_the_enrolment_key_tells_nothing_of_it(void **state) /* F12 I1 */
{
    (void)state;
    struct th_local_client client;
    char heard[8 * TH_LOCAL_ANSWER_MAX] = "";
    uint8_t frame[TH_LOCAL_FRAME_MAX];

    assert_true(th_local_client_start(&client, &crypto, &board, TH_LOCAL_ENROL, CODE));
    struct th_span sent = th_local_client_hello(&client, false, frame, sizeof frame);
    strncat(heard, (const char *)sent.at, sent.len);
    strncat(heard, send_span(sent), sizeof answer);
    assert_true(th_local_client_met(&client, th_span_str(answer)));
    sent = th_local_client_prove(&client, frame, sizeof frame);
    strncat(heard, (const char *)sent.at, sent.len);
    strncat(heard, send_span(sent), sizeof answer);
    assert_true(th_local_client_proved(&client, th_span_str(answer)));
    static const char secret[] = "{\"id\":1,\"method\":\"Act\",\"tag\":\"geheimnis\"}";
    sent = th_local_client_call(&client, TH_SPAN(secret), frame, sizeof frame);
    strncat(heard, (const char *)sent.at, sent.len);
    strncat(heard, send_span(sent), sizeof answer);
    assert_null(strstr(heard, CODE));
    assert_null(strstr(heard, "geheimnis"));
    assert_null(strstr(heard, "Act"));
    assert_int_equal(acted, 1);
}

/* ---- hostile frames ---- */

static void frames_of_any_content_are_answered_and_do_nothing(void **state) /* R10 */
{
    (void)state;
    struct th_local_client client;
    uint8_t frame[TH_LOCAL_FRAME_MAX + 8];
    uint32_t random = 1;

    assert_null(open_with(&client, TH_LOCAL_PAGE, CODE, false));
    for (int i = 0; i < 10000; i++) {
        size_t len = th_local_client_call(&client, TH_SPAN(ACT), frame, TH_LOCAL_FRAME_MAX).len;
        for (int n = 0; n < 4; n++) {
            random = random * 1664525u + 1013904223u;
            frame[(random >> 8) % len] = (uint8_t)(random >> 24);
        }
        /* Only what is in front of "params" may differ without harm. */
        unsigned before = acted;
        send_bytes(frame, len);
        assert_true(acted == before || strstr(answer, "\"box\":\""));
    }
    memset(frame, ' ', sizeof frame);
    send_bytes(frame, sizeof frame);
    assert_non_null(strstr(answer, "\"code\":413"));
    assert_non_null(strstr(call(&client, ACT), "true")); /* the session has lived through it */
}

static void the_longest_frames_there_and_back_fit(void **state)
{
    (void)state;
    struct th_local_client client;
    char frame[TH_RPC_FRAME_MAX + 1], id[40];

    assert_null(open_with(&client, TH_LOCAL_PAGE, CODE, false));
    memset(id, 'x', sizeof id);
    int len = snprintf(frame, sizeof frame, "{\"id\":1,\"method\":\"Act\",\"x\":\"");
    memset(frame + len, 'y', sizeof frame - (size_t)len);
    memcpy(frame + TH_RPC_FRAME_MAX - 2, "\"}", 3);
    assert_non_null(strstr(call(&client, frame), "true"));
}

static void a_device_without_a_code_lets_nobody_in(void **state) /* F1 */
{
    (void)state;
    struct th_local_client client;

    assert_int_equal(th_log_replace(&factory.log, 0, 3, TH_SPAN("calibration")), TH_OK);
    assert_string_equal(open_with(&client, TH_LOCAL_PAGE, CODE, false), "met");
    assert_non_null(strstr(answer, "\"code\":503"));
}

static void strangers_get_one_key_a_second(void **state)
{
    (void)state;
    struct th_local_client client;

    assert_null(open_with(&client, TH_LOCAL_ENROL, CODE, false));
    assert_string_equal(open_with(&client, TH_LOCAL_ENROL, CODE, true), "met");
    assert_non_null(strstr(answer, "\"code\":429"));
    now_ms += TH_LOCAL_ENROL_MS;
    assert_null(open_with(&client, TH_LOCAL_ENROL, CODE, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_acts_before_the_code_is_proved, begin),
        cmocka_unit_test_setup(whoever_knows_the_code_is_let_in, begin),
        cmocka_unit_test_setup(a_key_of_the_one_kind_opens_nothing_of_the_other, begin),
        cmocka_unit_test_setup(a_wrong_code_is_refused_and_an_opening_counts_once, begin),
        cmocka_unit_test_setup(wrong_codes_wait_ever_longer_also_over_reboots, begin),
        cmocka_unit_test_setup(a_code_in_clear_text_counts_with_the_others, begin),
        cmocka_unit_test_setup(an_attempt_counts_before_its_answer, begin),
        cmocka_unit_test_setup(a_second_one_is_told_and_takes_over_by_the_code_alone, begin),
        cmocka_unit_test_setup(a_session_ends_when_idle_and_after_an_hour, begin),
        cmocka_unit_test_setup(no_request_acts_twice, begin),
        cmocka_unit_test_setup(whoever_alters_a_byte_of_an_opening_gets_nowhere, begin),
        cmocka_unit_test_setup(what_was_said_under_the_enrolment_key_tells_nothing_of_it, begin),
        cmocka_unit_test_setup(frames_of_any_content_are_answered_and_do_nothing, begin),
        cmocka_unit_test_setup(the_longest_frames_there_and_back_fit, begin),
        cmocka_unit_test_setup(a_device_without_a_code_lets_nobody_in, begin),
        cmocka_unit_test_setup(strangers_get_one_key_a_second, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

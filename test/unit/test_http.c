/* SPDX-License-Identifier: MIT */
/* The server of configuration mode: include/thimble/http.h, docs/http.md. R10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/http.h>

#define ROOM (TH_HTTP_HEAD_MAX + 2000)

/* A connection whose client says `text` in pieces and whose application answers each request with
 * what it was. What the client receives is collected. */
struct wire {
    struct th_http http;
    uint8_t *buffer;
    uint32_t now_ms;
    char got[20000];
    size_t got_len;
    unsigned requests;
    bool closed;
    size_t take; /* bytes the client takes at once */
    const struct th_http_source *source;
    uint16_t status;
};

static int set_up(void **state)
{
    struct wire *wire = calloc(1, sizeof *wire);

    wire->buffer = malloc(ROOM);
    wire->take = SIZE_MAX;
    th_http_init(&wire->http, wire->buffer, ROOM, 0);
    *state = wire;
    return 0;
}

static int tear_down(void **state)
{
    struct wire *wire = *state;

    free(wire->buffer);
    free(wire);
    return 0;
}

static void again(struct wire *wire)
{
    wire->got_len = 0;
    wire->got[0] = '\0';
    wire->requests = 0;
    wire->closed = false;
    th_http_init(&wire->http, wire->buffer, ROOM, wire->now_ms);
}

static void receive(struct wire *wire)
{
    struct th_span out = th_http_tx_pending(&wire->http);
    size_t len = out.len < wire->take ? out.len : wire->take;

    assert_true(wire->got_len + len < sizeof wire->got);
    if (len > 0)
        memcpy(wire->got + wire->got_len, out.at, len);
    wire->got_len += len;
    wire->got[wire->got_len] = '\0';
    th_http_tx_done(&wire->http, len, wire->now_ms);
}

static void answer(struct wire *wire, const struct th_http_request *request)
{
    char text[700];
    static const char *const methods[] = {"GET", "HEAD", "POST", "OPTIONS"};
    int len = snprintf(
        text, sizeof text, "%s %.*s ?%.*s host=%.*s type=%.*s body=%zu", methods[request->method],
        (int)request->path.len, (const char *)request->path.at, (int)request->query.len,
        (const char *)request->query.at, (int)request->host.len, (const char *)request->host.at,
        (int)request->content_type.len, (const char *)request->content_type.at, request->body.len);
    const struct th_http_answer how = {.status = wire->status ? wire->status : 200,
                                       .content_type = "text/plain",
                                       .body = th_span_of(text, (size_t)len),
                                       .source = wire->source};

    wire->requests++;
    th_http_answer(&wire->http, &how, wire->now_ms);
    while (th_http_tx_pending(&wire->http).len > 0)
        receive(wire);
}

static void run(struct wire *wire)
{
    struct th_http_request request;

    for (int i = 0; i < 200 && !wire->closed; i++) {
        enum th_http_event event = th_http_next(&wire->http, wire->now_ms, &request);
        if (event == TH_HTTP_REQUEST)
            answer(wire, &request);
        wire->closed = event == TH_HTTP_CLOSE;
        if (!wire->closed && event == TH_HTTP_NONE && th_http_tx_pending(&wire->http).len == 0)
            return;
        if (th_http_tx_pending(&wire->http).len > 0)
            receive(wire);
    }
}

static void say(struct wire *wire, const char *text, size_t len, size_t grain)
{
    while (len > 0 && !wire->closed) {
        uint8_t *at;
        size_t room = th_http_rx_space(&wire->http, &at);
        size_t part = grain < len ? grain : len;
        if (part > room)
            part = room;
        if (part == 0) {
            run(wire);
            if (th_http_rx_space(&wire->http, &at) == 0)
                return;
            continue;
        }
        memcpy(at, text, part);
        th_http_rx_commit(&wire->http, part, wire->now_ms);
        text += part;
        len -= part;
        run(wire);
    }
}

static const char *ask(struct wire *wire, const char *text)
{
    size_t len = strlen(text);

    again(wire);
    say(wire, text, len, len + 1);
    char *whole = strdup(wire->got);
    for (size_t grain = 1; grain < 4; grain++) {
        again(wire);
        say(wire, text, len, grain);
        assert_string_equal(wire->got, whole);
    }
    free(whole);
    return wire->got;
}

static void expect_status(struct wire *wire, const char *text, int status)
{
    char begin[16];

    snprintf(begin, sizeof begin, "HTTP/1.1 %d ", status);
    const char *got = ask(wire, text);
    if (strncmp(got, begin, strlen(begin)) != 0)
        fail_msg("%s\n gives %.60s instead of %d", text, got, status);
    assert_true(status == 200 || wire->closed);
    assert_true(status == 200 || wire->requests == 0);
}

#define HOST "Host: 192.168.4.1\r\n"

static void what_browsers_and_tools_send_is_understood(void **state)
{
    struct wire *wire = *state;

    assert_non_null(strstr(ask(wire, "GET /config?a=1&b=%20 HTTP/1.1\r\n" HOST "\r\n"),
                           "\r\n\r\nGET /config ?a=1&b=%20 host=192.168.4.1 type= body=0"));
    assert_non_null(
        strstr(ask(wire, "POST /rpc HTTP/1.1\r\nhost:[fe80::1]:80\r\n"
                         "CONTENT-TYPE:  application/json \r\nContent-Length: 2\r\n\r\n{}"),
               "POST /rpc ? host=[fe80::1]:80 type=application/json body=2"));
    assert_false(wire->closed);
    assert_non_null(strstr(ask(wire, "GET / HTTP/1.0\r\n" HOST "\r\n"), "Connection: close\r\n"));
    assert_true(wire->closed);
    assert_non_null(strstr(ask(wire, "GET / HTTP/1.1\r\n" HOST "Connection: a, Close\r\n\r\n"),
                           "Connection: close\r\n"));
    expect_status(wire, "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 200);
    expect_status(wire, "GET / HTTP/1.1\r\n" HOST "X:\r\nY: a b\tc \r\nZ: gr\xC3\xBCn\r\n\r\n",
                  200);
}

static void head_has_no_body_and_says_how_long_it_were(void **state)
{
    struct wire *wire = *state;
    const char *got = ask(wire, "HEAD / HTTP/1.1\r\n" HOST "\r\n");

    assert_non_null(strstr(got, "Content-Length: 38\r\n"));
    assert_string_equal(got + strlen(got) - 4, "\r\n\r\n");
}

static void what_two_readers_could_read_differently_is_refused(void **state)
{
    static const struct {
        const char *text;
        int status;
    } rows[] = {
        {"GET / HTTP/1.1\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
        {"GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: \001\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: \177\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a/\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.0\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /  HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /a b HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /\xC3\xBC HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /<script> HTTP/1.1\r\n" HOST "\r\n", 400},
        {" GET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / http/1.1\r\n" HOST "\r\n", 400},
        {"GET / http/1.0\r\n" HOST "\r\n", 400}, /* was taken, for letters of any case */
        {"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /\r\n" HOST "\r\n", 400},
        {"GET http://a/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400},
        {"G\"T / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"DELETE / HTTP/1.1\r\n" HOST "\r\n", 501},
        {"get / HTTP/1.1\r\n" HOST "\r\n", 501},
        {"GET / HTTP/1.2\r\n" HOST "\r\n", 505},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"\x16\x03\x01\x02", 400},
        {"GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 400},
        {"POST / HTTP/1.1\r\n" HOST "\r\n", 411},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\nx", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\nx", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\nx", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\nx", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\nx", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\nx", 413},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 4000\r\n\r\nx", 413},
        {"POST / HTTP/1.1\r\n" HOST "Expect: magic\r\nContent-Length: 1\r\n\r\nx", 417},
        {"GET / HTTP/1.1\r\n" HOST "Cookie: a\r\nCookie: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Origin: a\r\nOrigin: a\r\n\r\n", 400},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_status(*state, rows[i].text, rows[i].status);
}

static void a_zero_byte_is_refused(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n";
    struct wire *wire = *state;

    say(wire, text, sizeof text - 1, 7);
    assert_memory_equal(wire->got, "HTTP/1.1 400", 12);
    assert_true(wire->closed);
}

static void what_is_too_long_is_told_so(void **state)
{
    static char text[6000];
    size_t len;

    memset(text, 'a', sizeof text);
    memcpy(text, "GET /", 5);
    text[TH_HTTP_TARGET_MAX + 4] = '\0';
    len = strlen(text);
    snprintf(text + len, sizeof text - len, " HTTP/1.1\r\n" HOST "\r\n");
    expect_status(*state, text, 200);
    memset(text, 'a', sizeof text);
    memcpy(text, "GET /", 5);
    text[TH_HTTP_TARGET_MAX + 5] = '\0';
    len = strlen(text);
    snprintf(text + len, sizeof text - len, " HTTP/1.1\r\n" HOST "\r\n");
    expect_status(*state, text, 414);
    memset(text, 'a', sizeof text - 1);
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    text[sizeof text - 1] = '\0';
    expect_status(*state, text, 431);
    len = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < TH_HTTP_FIELDS_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "X%d: 1\r\n", i);
    snprintf(text + len, sizeof text - len, "\r\n");
    expect_status(*state, text, 431);
}

static void requests_one_behind_the_other_are_answered_in_turn(void **state)
{
    struct wire *wire = *state;
    const char *got = ask(wire, "GET /a HTTP/1.1\r\n" HOST "\r\n"
                                "POST /b HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                                "GET /c HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"
                                "GET /d HTTP/1.1\r\n" HOST "\r\n");

    const char *a = strstr(got, "GET /a"), *b = strstr(got, "POST /b"), *c = strstr(got, "GET /c");
    assert_true(a && b && c && a < b && b < c);
    assert_null(strstr(got, "GET /d"));
    assert_true(wire->closed);
    assert_int_equal(wire->requests, 3);
}

static void a_connection_serves_a_hundred_requests(void **state)
{
    struct wire *wire = *state;
    static const char one[] = "GET / HTTP/1.1\r\n" HOST "\r\n";

    for (int i = 0; i < 150 && !wire->closed; i++) {
        wire->got_len = 0;
        say(wire, one, sizeof one - 1, sizeof one);
    }
    assert_int_equal(wire->requests, TH_HTTP_REQUESTS);
    assert_non_null(strstr(wire->got, "Connection: close\r\n"));
}

static void who_waits_for_a_hundred_is_told_to_continue(void **state)
{
    static const char head[] = "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
                               "Content-Length: 3\r\n\r\n";
    struct wire *wire = *state;

    say(wire, head, sizeof head - 1, sizeof head);
    assert_string_equal(wire->got, "HTTP/1.1 100 Continue\r\n\r\n");
    say(wire, "abc", 3, 1);
    assert_int_equal(wire->requests, 1);
    assert_non_null(strstr(wire->got, "body=3"));
    assert_ptr_equal(strstr(wire->got + 5, "100 Continue"), wire->got + 9);
    assert_null(strstr(wire->got + 30, "100 Continue"));
}

static void a_slow_client_is_shown_out(void **state)
{
    static const char text[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n";
    struct wire *wire = *state;
    size_t i = 0;

    wire->now_ms = UINT32_MAX - 3000;
    again(wire);
    for (; !wire->closed && i < 100; i++) { /* one byte a second */
        say(wire, i < sizeof text - 1 ? &text[i] : "x", 1, 1);
        wire->now_ms += 1000;
        assert_true(wire->closed || th_http_deadline(&wire->http, wire->now_ms) <= 20000);
        run(wire);
    }
    assert_memory_equal(wire->got, "HTTP/1.1 408", 12);
    assert_int_equal(i, TH_HTTP_REQUEST_MS / 1000);
    assert_int_equal(wire->requests, 0);
}

/* Was never shown out: each line began the wait anew. */
static void who_says_empty_lines_alone_is_shown_out(void **state)
{
    struct wire *wire = *state;

    again(wire);
    for (int i = 0; i < 4 && !wire->closed; i++) {
        say(wire, "\r\n", 2, 2);
        wire->now_ms += TH_HTTP_REQUEST_MS - 1000;
    }
    assert_true(wire->closed);
    assert_int_equal(wire->requests, 0);
}

static void a_silent_client_is_shown_out(void **state)
{
    struct wire *wire = *state;

    wire->now_ms = TH_HTTP_IDLE_MS - 1;
    run(wire);
    assert_false(wire->closed);
    assert_int_equal(th_http_deadline(&wire->http, wire->now_ms), 1);
    wire->now_ms++;
    run(wire);
    assert_true(wire->closed);
    assert_int_equal(wire->got_len, 0);
}

static void who_does_not_take_the_answer_is_shown_out(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\n" HOST "\r\n";
    struct wire *wire = *state;
    struct th_http_request request;
    uint8_t *at;

    assert_true(th_http_rx_space(&wire->http, &at) >= sizeof text);
    memcpy(at, text, sizeof text - 1);
    th_http_rx_commit(&wire->http, sizeof text - 1, 0);
    assert_int_equal(th_http_next(&wire->http, 0, &request), TH_HTTP_REQUEST);
    assert_int_equal(th_http_rx_space(&wire->http, &at), 0);
    assert_int_equal(th_http_deadline(&wire->http, 0), UINT32_MAX);
    const struct th_http_answer how = {.status = 200, .body = TH_SPAN("x")};
    th_http_answer(&wire->http, &how, 0);
    assert_int_equal(th_http_next(&wire->http, TH_HTTP_ANSWER_MS - 1, &request), TH_HTTP_NONE);
    assert_int_equal(th_http_next(&wire->http, TH_HTTP_ANSWER_MS, &request), TH_HTTP_CLOSE);
}

static size_t counting(void *user, uint32_t offset, uint8_t *into, size_t room)
{
    uint32_t broken_at = *(const uint32_t *)user;

    if (offset >= broken_at)
        return 0;
    for (size_t i = 0; i < room; i++)
        into[i] = (uint8_t)('a' + (offset + i) % 26);
    return room;
}

static void a_body_of_any_size_streams(void **state)
{
    struct wire *wire = *state;
    uint32_t whole = UINT32_MAX;
    const struct th_http_source source = {counting, &whole, 10000};

    wire->source = &source;
    wire->take = 37;
    const char *got = ask(wire, "GET / HTTP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(got, "Content-Length: 10000\r\n"));
    const char *body = strstr(got, "\r\n\r\n") + 4;
    assert_int_equal(strlen(body), 10000);
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(body[i], 'a' + i % 26);
    assert_false(wire->closed);
}

static void a_body_that_breaks_off_closes_the_connection(void **state)
{
    struct wire *wire = *state;
    uint32_t broken_at = 5000;
    const struct th_http_source source = {counting, &broken_at, 10000};

    wire->source = &source;
    ask(wire, "GET / HTTP/1.1\r\n" HOST "\r\n");
    assert_true(wire->closed);
}

static void not_modified_and_no_content_have_no_content(void **state)
{
    struct wire *wire = *state;
    static const uint16_t status[] = {204, 304};

    for (size_t i = 0; i < 2; i++) {
        wire->status = status[i];
        const char *got = ask(wire, "GET / HTTP/1.1\r\n" HOST "\r\n");
        assert_null(strstr(got, "Content-Length"));
        assert_string_equal(got + strlen(got) - 4, "\r\n\r\n");
    }
}

static void what_was_sent_whole_is_answered_although_the_sender_left(void **state)
{
    static const char text[] =
        "GET /a HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\n" HOST "\r\nGET /c HT";
    struct wire *wire = *state;
    uint8_t *at;

    assert_true(th_http_rx_space(&wire->http, &at) >= sizeof text);
    memcpy(at, text, sizeof text - 1);
    th_http_rx_commit(&wire->http, sizeof text - 1, 0);
    th_http_rx_end(&wire->http);
    run(wire);
    assert_int_equal(wire->requests, 2);
    assert_true(wire->closed);
}

static void forms_are_decoded_strictly(void **state)
{
    (void)state;
    char into[8];
    const struct th_span form = TH_SPAN("a=1&b=x+y%2f&c=&d&e=%zz&f=%00&g=%4&h=12345678&a2=1&"
                                        "i=1&i=2&j=%ff&k=a=b");

    assert_true(th_http_form_value(form, "a", into, sizeof into));
    assert_string_equal(into, "1");
    assert_true(th_http_form_value(form, "b", into, sizeof into));
    assert_string_equal(into, "x y/");
    assert_true(th_http_form_value(form, "c", into, sizeof into));
    assert_string_equal(into, "");
    assert_true(th_http_form_value(form, "d", into, sizeof into));
    assert_true(th_http_form_value(form, "k", into, sizeof into));
    assert_string_equal(into, "a=b");
    static const char *const bad[] = {"e", "f", "g", "h", "i", "j", "z", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(th_http_form_value(form, bad[i], into, sizeof into));
        assert_string_equal(into, "");
    }
    assert_false(th_http_form_value(th_span_of(NULL, 0), "a", into, sizeof into));
}

static void cookies_are_found_by_their_whole_name(void **state)
{
    (void)state;
    const struct th_span cookie = TH_SPAN("xsid=1; sid=abc;  s=2; sid");

    assert_true(th_span_equal(th_http_cookie(cookie, "sid"), TH_SPAN("abc")));
    assert_true(th_span_equal(th_http_cookie(cookie, "s"), TH_SPAN("2")));
    assert_int_equal(th_http_cookie(cookie, "id").len, 0);
    assert_int_equal(th_http_cookie(th_span_of(NULL, 0), "id").len, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_browsers_and_tools_send_is_understood),
        TEST(head_has_no_body_and_says_how_long_it_were),
        TEST(what_two_readers_could_read_differently_is_refused),
        TEST(a_zero_byte_is_refused),
        TEST(what_is_too_long_is_told_so),
        TEST(requests_one_behind_the_other_are_answered_in_turn),
        TEST(a_connection_serves_a_hundred_requests),
        TEST(who_waits_for_a_hundred_is_told_to_continue),
        TEST(a_slow_client_is_shown_out),
        TEST(who_says_empty_lines_alone_is_shown_out),
        TEST(a_silent_client_is_shown_out),
        TEST(who_does_not_take_the_answer_is_shown_out),
        TEST(a_body_of_any_size_streams),
        TEST(a_body_that_breaks_off_closes_the_connection),
        TEST(not_modified_and_no_content_have_no_content),
        TEST(what_was_sent_whole_is_answered_although_the_sender_left),
        cmocka_unit_test(forms_are_decoded_strictly),
        cmocka_unit_test(cookies_are_found_by_their_whole_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

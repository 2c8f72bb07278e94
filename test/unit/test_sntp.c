/* SPDX-License-Identifier: MIT */
/* SNTP as RFC 5905 §14 has it, towards servers that lie, hurry, or know nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/sntp.h>

#define NOW_S   INT64_C(1795000000) /* in 2026 */
#define UNIX_S  INT64_C(2208988800)
#define SENT_MS 5000u

static const uint8_t nonce[8] = {0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x07, 0x18};

struct exchange {
    struct th_sntp sntp;
    uint8_t request[TH_SNTP_PACKET], answer[TH_SNTP_PACKET];
    struct th_sntp_sample sample;
};

static void put_timestamp(uint8_t *at, int64_t time_s, uint32_t fraction)
{
    uint32_t seconds = (uint32_t)(time_s + UNIX_S);

    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(seconds >> (24 - 8 * i));
        at[4 + i] = (uint8_t)(fraction >> (24 - 8 * i));
    }
}

/* An honest server that received at `time_s` and answered half a second later. */
static struct exchange honest(int64_t time_s)
{
    struct exchange x = {0};

    th_sntp_request(&x.sntp, nonce, SENT_MS, x.request);
    x.answer[0] = 4 << 3 | 4;
    x.answer[1] = 2;
    memcpy(x.answer + 24, x.request + 40, 8);
    put_timestamp(x.answer + 32, time_s, 0);
    put_timestamp(x.answer + 40, time_s, 0x80000000u);
    return x;
}

static enum th_sntp_verdict judge(struct exchange *x, int64_t floor_s, uint32_t now_ms)
{
    return th_sntp_answer(&x->sntp, th_span_of(x->answer, sizeof x->answer), floor_s, now_ms,
                          &x->sample);
}

static void the_request_tells_nothing_but_its_nonce(void **state)
{
    (void)state;
    struct exchange x = honest(NOW_S);

    assert_int_equal(x.request[0], 0x23); /* no leap, version 4, client */
    for (int i = 1; i < 40; i++)
        assert_int_equal(x.request[i], 0);
    assert_memory_equal(x.request + 40, nonce, 8);
}

static void an_honest_answer_gives_the_time_and_its_error(void **state)
{
    (void)state;
    struct exchange x = honest(NOW_S);

    /* 700 ms under way, 500 of them with the server: 100 ms each way. */
    assert_int_equal(judge(&x, 0, SENT_MS + 700), TH_SNTP_TIME);
    assert_int_equal(x.sample.time_ms, NOW_S * 1000 + 500 + 100);
    assert_int_equal(x.sample.error_ms, 101);
    assert_int_equal(x.sample.read_ms, SENT_MS + 700);
}

/* R8 */
static void the_counter_may_wrap_under_way(void **state)
{
    (void)state;
    struct exchange x = honest(NOW_S);

    x.sntp.sent_ms = UINT32_MAX - 100;
    assert_int_equal(judge(&x, 0, 599), TH_SNTP_TIME);
    assert_int_equal(x.sample.time_ms, NOW_S * 1000 + 600);
}

static void an_answer_is_taken_once(void **state)
{
    (void)state;
    struct exchange x = honest(NOW_S);

    assert_int_equal(judge(&x, 0, SENT_MS + 700), TH_SNTP_TIME);
    assert_int_equal(judge(&x, 0, SENT_MS + 701), TH_SNTP_NOT_OURS);
}

static void what_has_not_seen_the_request_is_passed_over(void **state)
{
    (void)state;
    for (int bit = 0; bit < 64; bit++) {
        struct exchange x = honest(NOW_S);

        x.answer[24 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(judge(&x, 0, SENT_MS + 700), TH_SNTP_NOT_OURS);
        assert_true(x.sntp.waiting);
    }
    for (size_t len = 0; len < TH_SNTP_PACKET; len++) {
        struct exchange x = honest(NOW_S);

        assert_int_equal(
            th_sntp_answer(&x.sntp, th_span_of(x.answer, len), 0, SENT_MS + 700, &x.sample),
            TH_SNTP_NOT_OURS);
    }
}

static void modes_other_than_server_are_passed_over(void **state)
{
    (void)state;
    for (uint8_t mode = 0; mode < 8; mode++) {
        struct exchange x = honest(NOW_S);

        x.answer[0] = (uint8_t)(4 << 3 | mode);
        assert_int_equal(judge(&x, 0, SENT_MS + 700), mode == 4 ? TH_SNTP_TIME : TH_SNTP_NOT_OURS);
    }
}

static void servers_without_the_time_are_told_apart(void **state)
{
    (void)state;
    struct exchange kiss = honest(NOW_S), alarm = honest(NOW_S), far = honest(NOW_S);

    kiss.answer[1] = 0;
    alarm.answer[0] |= 0xC0;
    far.answer[1] = 16;
    assert_int_equal(judge(&kiss, 0, SENT_MS + 700), TH_SNTP_KISS);
    assert_int_equal(judge(&alarm, 0, SENT_MS + 700), TH_SNTP_UNSYNCHRONISED);
    assert_int_equal(judge(&far, 0, SENT_MS + 700), TH_SNTP_UNSYNCHRONISED);
}

static void timestamps_that_contradict_each_other_are_insane(void **state)
{
    (void)state;
    struct exchange faster = honest(NOW_S), backwards = honest(NOW_S), zero = honest(NOW_S),
                    distant = honest(NOW_S);

    assert_int_equal(judge(&faster, 0, SENT_MS + 499), TH_SNTP_INSANE); /* held for 500 ms */
    put_timestamp(backwards.answer + 32, NOW_S + 1, 0);
    assert_int_equal(judge(&backwards, 0, SENT_MS + 700), TH_SNTP_INSANE);
    memset(zero.answer + 32, 0, 16);
    assert_int_equal(judge(&zero, 0, SENT_MS + 700), TH_SNTP_INSANE);
    distant.answer[9] = 2; /* root dispersion 2 s */
    assert_int_equal(judge(&distant, 0, SENT_MS + 700), TH_SNTP_INSANE);
}

/* NTP's seconds wrap on 2036-02-07. */
static void the_floor_decides_the_era(void **state)
{
    (void)state;
    const int64_t wrap_s = (INT64_C(1) << 32) - UNIX_S;
    struct exchange before = honest(wrap_s - 10), after = honest(wrap_s + 10), at = honest(wrap_s);

    assert_int_equal(judge(&before, NOW_S, SENT_MS + 700), TH_SNTP_TIME);
    assert_int_equal(before.sample.time_ms / 1000, wrap_s - 10);
    assert_int_equal(judge(&after, NOW_S, SENT_MS + 700), TH_SNTP_TIME);
    assert_int_equal(after.sample.time_ms / 1000, wrap_s + 10);
    /* The server's second 0, received just before the wrap and answered just after it. */
    put_timestamp(at.answer + 32, wrap_s - 1, 0xC0000000u);
    put_timestamp(at.answer + 40, wrap_s, 0x40000000u);
    assert_int_equal(judge(&at, NOW_S, SENT_MS + 700), TH_SNTP_TIME);
    assert_int_equal(at.sample.time_ms, wrap_s * 1000 + 250 + 100);
}

/* C3 is the clock's part: a liar is outvoted here, and is only a hint there. */
static void a_liar_among_three_is_outvoted(void **state)
{
    (void)state;
    const struct th_sntp_sample samples[] = {
        {NOW_S * 1000 + 999000, 1000, 5},
        {NOW_S * 1000 + 40, 1000, 60},
        {NOW_S * 1000 + 130, 1100, 20},
    };
    int agree;

    assert_int_equal(th_sntp_choose(samples, 3, 100, &agree), 2);
    assert_int_equal(agree, 2);
}

static void one_server_agrees_with_itself(void **state)
{
    (void)state;
    const struct th_sntp_sample sample = {NOW_S * 1000, 1000, 5};
    int agree;

    assert_int_equal(th_sntp_choose(&sample, 1, 0, &agree), 0);
    assert_int_equal(agree, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_tells_nothing_but_its_nonce),
        cmocka_unit_test(an_honest_answer_gives_the_time_and_its_error),
        cmocka_unit_test(the_counter_may_wrap_under_way),
        cmocka_unit_test(an_answer_is_taken_once),
        cmocka_unit_test(what_has_not_seen_the_request_is_passed_over),
        cmocka_unit_test(modes_other_than_server_are_passed_over),
        cmocka_unit_test(servers_without_the_time_are_told_apart),
        cmocka_unit_test(timestamps_that_contradict_each_other_are_insane),
        cmocka_unit_test(the_floor_decides_the_era),
        cmocka_unit_test(a_liar_among_three_is_outvoted),
        cmocka_unit_test(one_server_agrees_with_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

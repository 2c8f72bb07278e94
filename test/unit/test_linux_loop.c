/* SPDX-License-Identifier: MIT */
/* Clock, entropy and watched descriptors of the Linux port. */
#include <thimble/linux.h>
#include <thimble/time.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    struct th_linux loop;
    struct th_linux_net net;
    struct th_board board;
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct th_failure failure;
    assert_true(th_linux_init(&b->loop, &failure));
    th_linux_net_init(&b->net, &b->loop);
    th_linux_board(&b->net, &b->board);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    th_linux_net_close(&b->net);
    th_linux_close(&b->loop);
    free(b);
    return 0;
}

static void the_clock_counts_the_milliseconds_a_wait_takes(void **state)
{
    struct bench *b = *state;
    uint32_t before = b->board.clock.ops->now_ms(b->board.clock.ctx);
    assert_false(th_linux_wait(&b->loop, 40));
    uint32_t took = b->board.clock.ops->now_ms(b->board.clock.ctx) - before;
    assert_in_range(took, 39, 2000);
}

static bool fill(struct bench *b, uint8_t *into, size_t len)
{
    return b->board.entropy.ops->fill(b->board.entropy.ctx, into, len);
}

static void entropy_differs_from_one_call_to_the_next(void **state)
{
    uint8_t first[32], second[32];
    assert_true(fill(*state, first, sizeof first));
    assert_true(fill(*state, second, sizeof second));
    assert_memory_not_equal(first, second, sizeof first);
}

static long stuck(void *into, size_t len)
{
    memset(into, 0x5A, len);
    return (long)len;
}

static long repeating(void *into, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)into)[i] = (uint8_t)(17 * i);
    return (long)len;
}

static long failing(void *into, size_t len)
{
    (void)into, (void)len;
    errno = EIO;
    return -1;
}

/* Short counts and EINTR, as getrandom(2) may give for large requests. */
static long in_pieces(void *into, size_t len)
{
    static unsigned call;
    if (call++ % 2) {
        errno = EINTR;
        return -1;
    }
    size_t part = len > 7 ? 7 : len;
    return getentropy(into, part) == 0 ? (long)part : -1;
}

/* T13 */
static void a_stuck_source_fails_its_health_test(void **state)
{
    struct bench *b = *state;
    uint8_t bytes[32];
    b->loop.entropy.source = stuck;
    assert_false(fill(b, bytes, sizeof bytes));
}

/* T13 */
static void a_repeating_source_fails_its_health_test(void **state)
{
    struct bench *b = *state;
    uint8_t bytes[32];
    b->loop.entropy.source = repeating;
    fill(b, bytes, sizeof bytes);
    assert_false(fill(b, bytes, sizeof bytes));
}

/* T13 */
static void a_source_that_failed_once_is_not_trusted_again(void **state)
{
    struct bench *b = *state;
    uint8_t bytes[32], zeros[32] = {0};
    th_linux_random_fn *good = b->loop.entropy.source;
    b->loop.entropy.source = failing;
    assert_false(fill(b, bytes, sizeof bytes));
    assert_memory_equal(bytes, zeros, sizeof bytes);
    b->loop.entropy.source = good;
    assert_false(fill(b, bytes, sizeof bytes));
}

static void a_source_that_gives_a_little_at_a_time_is_asked_again(void **state)
{
    struct bench *b = *state;
    uint8_t bytes[64] = {0}, zeros[8] = {0};
    b->loop.entropy.source = in_pieces;
    assert_true(fill(b, bytes, sizeof bytes));
    assert_memory_not_equal(bytes + 56, zeros, sizeof zeros);
}

static void a_watched_pipe_wakes_the_loop(void **state)
{
    struct bench *b = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct th_linux_watch watch;
    assert_true(th_linux_watch(&b->loop, &watch, ends[0]));
    assert_false(th_linux_wait(&b->loop, 10));
    assert_false(watch.ready);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_true(th_linux_wait(&b->loop, 2000));
    assert_true(watch.ready);
    th_linux_unwatch(&watch);
    assert_false(th_linux_wait(&b->loop, 10));
    close(ends[0]);
    close(ends[1]);
}

/* epoll(7) does not take them: standard input may be one. */
static void a_watched_regular_file_is_always_readable(void **state)
{
    struct bench *b = *state;
    char path[] = "/tmp/thimble-watch-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    struct th_linux_watch watch;
    assert_true(th_linux_watch(&b->loop, &watch, fd));
    assert_true(watch.ready);
    th_linux_unwatch(&watch);
    close(fd);
    assert_false(th_linux_watch(&b->loop, &watch, fd));
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
    (void)signal;
    alarms++;
}

static void a_signal_ends_the_wait(void **state)
{
    struct bench *b = *state;
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval soon = {.it_value.tv_usec = 20000};
    setitimer(ITIMER_REAL, &soon, NULL);
    uint32_t before = th_linux_now(&b->loop);
    assert_false(th_linux_wait(&b->loop, TH_FOREVER));
    assert_true(th_linux_now(&b->loop) - before < 2000);
    assert_int_equal(alarms, 1);
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(the_clock_counts_the_milliseconds_a_wait_takes),
        LOOP_TEST(entropy_differs_from_one_call_to_the_next),
        LOOP_TEST(a_stuck_source_fails_its_health_test),
        LOOP_TEST(a_repeating_source_fails_its_health_test),
        LOOP_TEST(a_source_that_failed_once_is_not_trusted_again),
        LOOP_TEST(a_source_that_gives_a_little_at_a_time_is_asked_again),
        LOOP_TEST(a_watched_pipe_wakes_the_loop),
        LOOP_TEST(a_watched_regular_file_is_always_readable),
        LOOP_TEST(a_signal_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

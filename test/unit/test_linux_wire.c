/* SPDX-License-Identifier: MIT */
/* The TCP wire of the Linux port over real sockets on loopback. */
#include <thimble/linux.h>
#include <thimble/time.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    struct th_linux loop;
    struct th_linux_net net;
    struct th_board board;
    struct th_wire wire;
    int listener, peer;
    struct th_address address;
};

static int listen_on(uint8_t family, struct th_address *address)
{
    struct sockaddr_storage at = {.ss_family = family == 6 ? AF_INET6 : AF_INET};
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&at;
    struct sockaddr_in *in = (struct sockaddr_in *)&at;
    if (family == 6)
        in6->sin6_addr = in6addr_loopback;
    else
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(at.ss_family, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 4096), 0);
    socklen_t len = sizeof at;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *address = (struct th_address){.family = family, .port = ntohs(in->sin_port)};
    if (family == 6)
        memcpy(address->bytes, &in6->sin6_addr, 16);
    else
        memcpy(address->bytes, &in->sin_addr, 4);
    return fd;
}

static enum th_stream_state state_of(struct bench *b)
{
    return b->wire.ops->state(b->wire.ctx);
}

/* Turns of the loop until the wire leaves `from`, at most two seconds. */
static enum th_stream_state after(struct bench *b, enum th_stream_state from)
{
    uint32_t until = th_linux_now(&b->loop) + 2000;
    uint8_t bytes[64];
    while (state_of(b) == from && !th_time_reached(th_linux_now(&b->loop), until)) {
        th_linux_wait(&b->loop, 100);
        if (from == TH_STREAM_OPEN)
            b->wire.ops->read(b->wire.ctx, bytes, sizeof bytes);
    }
    return state_of(b);
}

static void connect_to(struct bench *b, uint8_t family)
{
    b->listener = listen_on(family, &b->address);
    b->wire = b->board.net.ops->connect(b->board.net.ctx, &b->address);
    assert_int_equal(after(b, TH_STREAM_OPENING), TH_STREAM_OPEN);
    b->peer = accept(b->listener, NULL, NULL);
    assert_true(b->peer >= 0);
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct th_failure failure;
    assert_true(th_linux_init(&b->loop, &failure));
    th_linux_net_init(&b->net, &b->loop);
    th_linux_board(&b->net, &b->board);
    b->listener = b->peer = -1;
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    th_linux_net_close(&b->net);
    th_linux_close(&b->loop);
    if (b->listener >= 0)
        close(b->listener);
    if (b->peer >= 0)
        close(b->peer);
    free(b);
    return 0;
}

static size_t put(struct bench *b, const char *text, bool more)
{
    return b->wire.ops->write(b->wire.ctx, (const uint8_t *)text, strlen(text), more);
}

static size_t get(struct bench *b, char *into, size_t room)
{
    size_t got = b->wire.ops->read(b->wire.ctx, (uint8_t *)into, room - 1);
    into[got] = '\0';
    return got;
}

static struct th_failure failure_of(struct bench *b)
{
    struct th_failure failure;
    assert_int_equal(state_of(b), TH_STREAM_FAILED);
    b->wire.ops->failure(b->wire.ctx, &failure);
    return failure;
}

static void reset_by_peer(struct bench *b)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(b->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(b->peer);
    b->peer = -1;
}

static void both_ways(struct bench *b)
{
    char bytes[16];
    assert_int_equal(put(b, "ping", false), 4);
    assert_int_equal(recv(b->peer, bytes, sizeof bytes, 0), 4);
    assert_int_equal(send(b->peer, "pong!", 5, 0), 5);
    assert_true(th_linux_wait(&b->loop, 2000));
    assert_ptr_equal(th_linux_ready(&b->loop), &b->net);
    assert_null(th_linux_ready(&b->loop));
    assert_int_equal(get(b, bytes, sizeof bytes), 5);
    assert_string_equal(bytes, "pong!");
    assert_int_equal(get(b, bytes, sizeof bytes), 0);
}

static void bytes_go_both_ways_over_ipv4(void **state)
{
    connect_to(*state, 4);
    both_ways(*state);
}

static void bytes_go_both_ways_over_ipv6(void **state)
{
    connect_to(*state, 6);
    both_ways(*state);
}

static void a_port_where_nothing_listens_is_refused(void **state)
{
    struct bench *b = *state;
    int closed = listen_on(4, &b->address);
    close(closed);
    b->wire = b->board.net.ops->connect(b->board.net.ctx, &b->address);
    assert_int_equal(after(b, TH_STREAM_OPENING), TH_STREAM_FAILED);
    struct th_failure failure = failure_of(b);
    assert_int_equal(failure.error, TH_ERR_TCP_REFUSED);
    assert_int_equal(failure.detail, ECONNREFUSED);
}

/* In a child with a network of its own, whose loopback is down. */
static void an_address_without_a_way_is_unreachable(void **state)
{
    struct bench *b = *state;
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
            _exit(77);
        b->address = (struct th_address){.family = 4, .bytes = {127, 0, 0, 1}, .port = 1};
        b->wire = b->board.net.ops->connect(b->board.net.ctx, &b->address);
        if (after(b, TH_STREAM_OPENING) != TH_STREAM_FAILED)
            _exit(1);
        struct th_failure failure;
        b->wire.ops->failure(b->wire.ctx, &failure);
        _exit(failure.error == TH_ERR_TCP_UNREACHABLE && failure.detail == ENETUNREACH ? 0 : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* a sandbox without network namespaces */
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void an_orderly_end_shows_after_the_last_byte(void **state)
{
    struct bench *b = *state;
    connect_to(b, 4);
    char bytes[16];
    assert_int_equal(send(b->peer, "last", 4, 0), 4);
    close(b->peer);
    b->peer = -1;
    assert_true(th_linux_wait(&b->loop, 2000));
    assert_int_equal(state_of(b), TH_STREAM_OPEN);
    assert_int_equal(get(b, bytes, sizeof bytes), 4);
    assert_int_equal(after(b, TH_STREAM_OPEN), TH_STREAM_ENDED);
}

static void a_reset_is_told_apart_from_an_orderly_end(void **state)
{
    struct bench *b = *state;
    connect_to(b, 4);
    reset_by_peer(b);
    assert_int_equal(after(b, TH_STREAM_OPEN), TH_STREAM_FAILED);
    assert_int_equal(failure_of(b).error, TH_ERR_TCP_RESET);
}

/* T15: in TLS 1.3 the alert that explains a refusal comes while we are already writing. Without
 * MSG_NOSIGNAL this test is ended by SIGPIPE. */
static void pending_input_is_read_before_a_broken_pipe_is_reported(void **state)
{
    struct bench *b = *state;
    connect_to(b, 4);
    char bytes[16];
    assert_int_equal(put(b, "unread by the peer", false), 18);
    poll(&(struct pollfd){.fd = b->peer, .events = POLLIN}, 1, 2000);
    assert_int_equal(send(b->peer, "alert", 5, 0), 5);
    close(b->peer); /* with unread input: a reset */
    b->peer = -1;
    th_linux_wait(&b->loop, 2000);
    for (int i = 0; i < 20; i++) {
        put(b, "x", false);
        assert_int_equal(state_of(b), TH_STREAM_OPEN);
        usleep(1000);
    }
    th_linux_wait(&b->loop, 100);
    assert_int_equal(get(b, bytes, sizeof bytes), 5);
    assert_string_equal(bytes, "alert");
    assert_int_equal(after(b, TH_STREAM_OPEN), TH_STREAM_FAILED);
    enum th_error error = failure_of(b).error;
    assert_true(error == TH_ERR_TCP_RESET || error == TH_ERR_TCP_CLOSED);
}

static void more_to_come_holds_a_segment_back(void **state)
{
    struct bench *b = *state;
    connect_to(b, 4);
    char bytes[16];
    assert_int_equal(put(b, "head", true), 4);
    struct pollfd seen = {.fd = b->peer, .events = POLLIN};
    assert_int_equal(poll(&seen, 1, 50), 0);
    assert_int_equal(put(b, "body", false), 4);
    assert_int_equal(poll(&seen, 1, 100), 1);
    assert_int_equal(recv(b->peer, bytes, sizeof bytes, 0), 8);
}

static void a_peer_that_does_not_read_takes_no_more_until_it_does(void **state)
{
    struct bench *b = *state;
    connect_to(b, 4);
    static uint8_t bytes[65536];
    size_t sent = 0, took;
    while ((took = b->wire.ops->write(b->wire.ctx, bytes, sizeof bytes, false)) > 0)
        sent += took;
    assert_true(sent > 0);
    assert_int_equal(state_of(b), TH_STREAM_OPEN);
    assert_false(th_linux_wait(&b->loop, 50));
    for (size_t got = 0; got < sent;)
        got += (size_t)recv(b->peer, bytes, sizeof bytes, 0);
    assert_true(th_linux_wait(&b->loop, 2000));
    assert_ptr_equal(th_linux_ready(&b->loop), &b->net);
    assert_true(b->wire.ops->write(b->wire.ctx, bytes, sizeof bytes, false) > 0);
}

static void an_orderly_close_delivers_what_was_written_though_input_is_unread(void **state)
{
    struct bench *b = *state;
    connect_to(b, 4);
    char bytes[16];
    assert_int_equal(send(b->peer, "unread", 6, 0), 6);
    assert_true(th_linux_wait(&b->loop, 2000));
    assert_int_equal(put(b, "DISCONNECT", false), 10);
    b->wire.ops->close(b->wire.ctx, true);
    assert_int_equal(recv(b->peer, bytes, sizeof bytes, 0), 10);
    assert_int_equal(recv(b->peer, bytes, sizeof bytes, 0), 0);
    b->wire.ops->close(b->wire.ctx, true);
    assert_int_equal(state_of(b), TH_STREAM_FAILED);
}

static void any_other_close_is_a_reset(void **state)
{
    struct bench *b = *state;
    connect_to(b, 4);
    char bytes[16];
    b->wire.ops->close(b->wire.ctx, false);
    assert_int_equal(recv(b->peer, bytes, sizeof bytes, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

/* Turns of the loop for `ms` as a link makes them that waits for room: it looks, and does not read.
 * Returns how often it was woken. */
static unsigned woken_while_blocked(struct bench *b, uint32_t ms)
{
    unsigned woken = 0;
    uint32_t until = th_linux_now(&b->loop) + ms;
    while (!th_time_reached(th_linux_now(&b->loop), until)) {
        woken += th_linux_wait(&b->loop, 50);
        state_of(b);
        put(b, "more", false);
    }
    return woken;
}

static void fill(struct bench *b)
{
    static const uint8_t bytes[65536];
    while (b->wire.ops->write(b->wire.ctx, bytes, sizeof bytes, false) > 0)
        ;
}

static void drain(struct bench *b)
{
    uint8_t bytes[65536];
    struct pollfd more = {.fd = b->peer, .events = POLLIN};
    while (poll(&more, 1, 200) > 0 && recv(b->peer, bytes, sizeof bytes, 0) > 0)
        ;
}

static void input_that_is_left_unread_does_not_keep_the_loop_awake(void **state)
{
    struct bench *b = *state;
    char bytes[16];
    connect_to(b, 4);
    fill(b);
    assert_int_equal(send(b->peer, "first", 5, 0), 5);
    unsigned woken = woken_while_blocked(b, 500);
    print_message("woken %u times\n", woken);
    assert_in_range(woken, 1, 4);
    drain(b); /* room again: that wakes, and the input is still there */
    assert_true(th_linux_wait(&b->loop, 2000));
    assert_ptr_equal(th_linux_ready(&b->loop), &b->net);
    assert_int_equal(get(b, bytes, sizeof bytes), 5);
    assert_int_equal(send(b->peer, "second", 6, 0), 6);
    while (th_linux_wait(&b->loop, 2000) && get(b, bytes, sizeof bytes) == 0)
        ;
    assert_string_equal(bytes, "second");
}

/* Who does not come by is told again: it may have had no time. */
static void input_that_nobody_looked_at_is_reported_again(void **state)
{
    struct bench *b = *state;
    connect_to(b, 4);
    assert_int_equal(send(b->peer, "first", 5, 0), 5);
    for (int i = 0; i < 5; i++)
        assert_true(th_linux_wait(&b->loop, 2000));
}

static void nothing_wakes_the_loop_while_nothing_happens(void **state)
{
    struct bench *b = *state;
    connect_to(b, 4);
    assert_false(th_linux_wait(&b->loop, 30));
    reset_by_peer(b);
    assert_int_equal(after(b, TH_STREAM_OPEN), TH_STREAM_FAILED);
    uint32_t before = th_linux_now(&b->loop);
    assert_false(th_linux_wait(&b->loop, 50));
    assert_true(th_linux_now(&b->loop) - before >= 49);
}

static void a_net_takes_another_connection_after_the_first(void **state)
{
    struct bench *b = *state;
    connect_to(b, 4);
    b->wire.ops->close(b->wire.ctx, false);
    close(b->peer);
    close(b->listener);
    connect_to(b, 4);
    both_ways(b);
}

static void an_exhausted_process_fails_at_once(void **state)
{
    struct bench *b = *state;
    b->listener = listen_on(4, &b->address);
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    b->wire = b->board.net.ops->connect(b->board.net.ctx, &b->address);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    struct th_failure failure = failure_of(b);
    assert_int_equal(failure.error, TH_ERR_TCP_OTHER);
    assert_int_equal(failure.detail, EMFILE);
    assert_true(th_linux_wait(&b->loop, 2000)); /* told without waiting for a deadline */
}

enum { MANY = 1000 };

static void a_thousand_connections_share_one_loop(void **state)
{
    struct bench *b = *state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur > 2 * MANY + 16);
    assert_true(sizeof(struct th_linux_net) <= 64);
    b->listener = listen_on(4, &b->address);
    static struct th_linux_net nets[MANY];
    static struct th_wire wires[MANY];
    static int peers[MANY];
    for (int i = 0; i < MANY; i++) {
        struct th_board board;
        th_linux_net_init(&nets[i], &b->loop);
        nets[i].user = &wires[i];
        th_linux_board(&nets[i], &board);
        wires[i] = board.net.ops->connect(board.net.ctx, &b->address);
        peers[i] = accept(b->listener, NULL, NULL);
        assert_int_equal(send(peers[i], "x", 1, 0), 1);
    }
    int seen = 0;
    uint8_t byte;
    for (int turn = 0; turn < 10 * MANY && seen < MANY; turn++) {
        th_linux_wait(&b->loop, 2000);
        for (struct th_linux_net *net; (net = th_linux_ready(&b->loop)) != NULL;) {
            struct th_wire *wire = net->user;
            assert_int_equal(wire->ops->state(wire->ctx), TH_STREAM_OPEN);
            seen += (int)wire->ops->read(wire->ctx, &byte, 1);
        }
    }
    assert_int_equal(seen, MANY);
    for (int i = 0; i < MANY; i++) {
        th_linux_net_close(&nets[i]);
        close(peers[i]);
    }
}

#define WIRE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WIRE_TEST(bytes_go_both_ways_over_ipv4),
        WIRE_TEST(bytes_go_both_ways_over_ipv6),
        WIRE_TEST(a_port_where_nothing_listens_is_refused),
        WIRE_TEST(an_address_without_a_way_is_unreachable),
        WIRE_TEST(an_orderly_end_shows_after_the_last_byte),
        WIRE_TEST(a_reset_is_told_apart_from_an_orderly_end),
        WIRE_TEST(pending_input_is_read_before_a_broken_pipe_is_reported),
        WIRE_TEST(more_to_come_holds_a_segment_back),
        WIRE_TEST(a_peer_that_does_not_read_takes_no_more_until_it_does),
        WIRE_TEST(an_orderly_close_delivers_what_was_written_though_input_is_unread),
        WIRE_TEST(any_other_close_is_a_reset),
        WIRE_TEST(nothing_wakes_the_loop_while_nothing_happens),
        WIRE_TEST(input_that_is_left_unread_does_not_keep_the_loop_awake),
        WIRE_TEST(input_that_nobody_looked_at_is_reported_again),
        WIRE_TEST(a_net_takes_another_connection_after_the_first),
        WIRE_TEST(an_exhausted_process_fails_at_once),
        WIRE_TEST(a_thousand_connections_share_one_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Name look-up of the Linux port, against a small DNS server of our own on loopback. */
#include <thimble/linux.h>
#include <thimble/time.h>

#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { TYPE_A = 1, TYPE_AAAA = 28, RCODE_NXDOMAIN = 3 };

struct bench {
    struct th_linux loop;
    struct th_linux_net nets[3];
    struct th_board boards[3];
    int server;
    struct th_linux_watch watch;
    char servers[32];
    bool silent;
    unsigned asked;
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct th_failure failure;
    assert_true(th_linux_init(&b->loop, &failure));
    for (int i = 0; i < 3; i++) {
        th_linux_net_init(&b->nets[i], &b->loop);
        th_linux_board(&b->nets[i], &b->boards[i]);
    }
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    b->server = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(b->server, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(b->server, (struct sockaddr *)&at, &len), 0);
    snprintf(b->servers, sizeof b->servers, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
    b->loop.dns_servers = b->servers;
    assert_true(th_linux_watch(&b->loop, &b->watch, b->server));
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 3; i++)
        th_linux_net_close(&b->nets[i]);
    th_linux_unwatch(&b->watch);
    th_linux_close(&b->loop);
    close(b->server);
    free(b);
    return 0;
}

/* The question's name starts with "both", "four" or "six"; anything else does not exist. */
static size_t answer(const uint8_t *question, size_t len, uint8_t *into)
{
    bool four = memcmp(question + 13, "four", 4) == 0 || memcmp(question + 13, "both", 4) == 0;
    bool six = memcmp(question + 13, "six.", 3) == 0 || memcmp(question + 13, "both", 4) == 0;
    size_t end = 12;
    while (question[end] != 0)
        end += (size_t)question[end] + 1;
    end += 5;
    assert_true(end <= len);
    uint8_t type = question[end - 3];
    memcpy(into, question, end);
    memset(into + 6, 0, 6);
    into[2] = 0x81;
    into[3] = (uint8_t)(0x80 | (four || six ? 0 : RCODE_NXDOMAIN));
    static const uint8_t v4[] = {0xC0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1};
    static const uint8_t v6[] = {0xC0, 12, 0, TYPE_AAAA, 0, 1, 0, 0, 0, 0, 0, 16, 0, 0,
                                 0,    0,  0, 0,         0, 0, 0, 0, 0, 0, 0, 0,  0, 1};
    const uint8_t *record = type == TYPE_A && four ? v4 : type == TYPE_AAAA && six ? v6 : NULL;
    if (!record)
        return end;
    size_t size = record == v4 ? sizeof v4 : sizeof v6;
    into[7] = 1;
    memcpy(into + end, record, size);
    return end + size;
}

static void serve(struct bench *b)
{
    uint8_t question[512], bytes[600];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    ssize_t len = recvfrom(b->server, question, sizeof question, MSG_DONTWAIT,
                           (struct sockaddr *)&from, &from_len);
    if (len < 18)
        return;
    b->asked++;
    size_t out = answer(question, (size_t)len, bytes);
    if (!b->silent)
        sendto(b->server, bytes, out, 0, (struct sockaddr *)&from, from_len);
}

static void ask(struct bench *b, int i, const char *name)
{
    b->boards[i].net.ops->resolve(b->boards[i].net.ctx, name, 8883);
}

static int answer_of(struct bench *b, int i, struct th_address *out, struct th_failure *failure)
{
    int count = 0;
    uint32_t until = th_linux_now(&b->loop) + 20000;
    while ((count = b->boards[i].net.ops->resolved(b->boards[i].net.ctx, out, 4, failure)) == 0 &&
           !th_time_reached(th_linux_now(&b->loop), until)) {
        th_linux_wait(&b->loop, 1000);
        if (b->watch.ready) {
            b->watch.ready = false;
            serve(b);
        }
    }
    return count;
}

static void a_name_with_both_families_gives_ipv6_first(void **state)
{
    struct bench *b = *state;
    struct th_address found[4];
    struct th_failure failure;
    ask(b, 0, "both.thimble.example");
    assert_int_equal(answer_of(b, 0, found, &failure), 2);
    assert_int_equal(found[0].family, 6); /* RFC 6724 §2.1: ::1 has the highest precedence */
    assert_int_equal(found[0].bytes[15], 1);
    assert_int_equal(found[1].family, 4);
    assert_int_equal(found[1].bytes[0], 127);
    assert_int_equal(found[1].port, 8883);
    assert_int_equal(found[0].port, 8883);
}

static void a_name_with_one_family_gives_that_one(void **state)
{
    struct bench *b = *state;
    struct th_address found[4];
    struct th_failure failure;
    ask(b, 0, "four.thimble.example");
    assert_int_equal(answer_of(b, 0, found, &failure), 1);
    assert_int_equal(found[0].family, 4);
    ask(b, 0, "six.thimble.example");
    assert_int_equal(answer_of(b, 0, found, &failure), 1);
    assert_int_equal(found[0].family, 6);
}

static void a_name_that_does_not_exist_is_not_found(void **state)
{
    struct bench *b = *state;
    struct th_address found[4];
    struct th_failure failure;
    ask(b, 0, "none.thimble.example");
    assert_int_equal(answer_of(b, 0, found, &failure), -1);
    assert_int_equal(failure.error, TH_ERR_NAME_NOT_FOUND);
    ask(b, 0, "not a name at all..");
    assert_int_equal(answer_of(b, 0, found, &failure), -1);
    assert_int_equal(failure.error, TH_ERR_NAME_NOT_FOUND);
}

static void a_silent_server_is_a_time_out_within_the_links_ten_seconds(void **state)
{
    struct bench *b = *state;
    struct th_address found[4];
    struct th_failure failure;
    b->silent = true;
    uint32_t before = th_linux_now(&b->loop);
    ask(b, 0, "both.thimble.example");
    assert_int_equal(answer_of(b, 0, found, &failure), -1);
    assert_int_equal(failure.error, TH_ERR_NAME_TIMEOUT);
    assert_true(th_linux_now(&b->loop) - before < 10000);
    assert_true(b->asked >= 6);
}

/* Out of /etc/hosts, at once: the loop must not sleep on it. */
static void a_name_from_the_hosts_file_needs_no_server(void **state)
{
    struct bench *b = *state;
    struct th_address found[4];
    struct th_failure failure;
    ask(b, 0, "localhost");
    assert_true(th_linux_wait(&b->loop, 5000));
    assert_ptr_equal(th_linux_ready(&b->loop), &b->nets[0]);
    assert_true(answer_of(b, 0, found, &failure) >= 1);
    assert_int_equal(b->asked, 0);
}

/* Under a name that no file and no server has; where the machine forbids that, under its own. */
static void the_own_host_name_is_this_machine(void **state)
{
    struct bench *b = *state;
    struct th_address found[4];
    struct th_failure failure;
    char name[256] = "Bench-7f3a";
    if (unshare(CLONE_NEWUSER | CLONE_NEWUTS) != 0 || sethostname(name, strlen(name)) != 0)
        assert_int_equal(gethostname(name, sizeof name - 1), 0);
    ask(b, 0, name);
    int count = answer_of(b, 0, found, &failure);
    assert_true(count >= 1);
    if (strcmp(name, "Bench-7f3a") == 0) {
        assert_int_equal(count, 2);
        assert_memory_equal(found[0].bytes, "\x7f\0\0\1", 4);
        assert_int_equal(found[1].bytes[15], 1);
        assert_true(b->asked >= 1);
    }
}

static void cancelling_one_look_up_leaves_the_others(void **state)
{
    struct bench *b = *state;
    struct th_address found[4];
    struct th_failure failure;
    ask(b, 0, "four.thimble.example");
    ask(b, 1, "six.thimble.example");
    ask(b, 2, "both.thimble.example");
    b->boards[1].net.ops->resolve_cancel(b->boards[1].net.ctx);
    assert_int_equal(answer_of(b, 0, found, &failure), 1);
    assert_int_equal(answer_of(b, 2, found, &failure), 2);
    ask(b, 1, "six.thimble.example");
    assert_int_equal(answer_of(b, 1, found, &failure), 1);
}

static void the_loop_closes_while_a_look_up_is_going(void **state)
{
    struct bench *b = *state;
    b->silent = true;
    ask(b, 0, "four.thimble.example");
    th_linux_wait(&b->loop, 20);
}

#define NAME_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NAME_TEST(a_name_with_both_families_gives_ipv6_first),
        NAME_TEST(a_name_with_one_family_gives_that_one),
        NAME_TEST(a_name_that_does_not_exist_is_not_found),
        NAME_TEST(a_silent_server_is_a_time_out_within_the_links_ten_seconds),
        NAME_TEST(a_name_from_the_hosts_file_needs_no_server),
        NAME_TEST(the_own_host_name_is_this_machine),
        NAME_TEST(cancelling_one_look_up_leaves_the_others),
        NAME_TEST(the_loop_closes_while_a_look_up_is_going),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "ports/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/time.h>

/* A node that sends `to_send` bytes and a server that sends them back, each noting what it got. */
struct world {
    struct th_sim *sim;
    struct th_sim_node node;
    struct th_wire wire;
    struct th_sim_pipe *pipe; /* the server's end */
    uint8_t got[4096], echoed[4096];
    size_t to_send, sent, got_len, echoed_len, echo_done;
    unsigned wakes;
    enum th_stream_state server_saw;
    uint64_t ended_at;
};

static const struct th_address here = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 1883};

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

static void on_wake(void *ctx)
{
    struct world *world = ctx;
    world->wakes++;
    if (world->node.pipe == NULL)
        return;
    while (world->sent < world->to_send) {
        uint8_t byte = byte_at(world->sent);
        if (world->wire.ops->write(world->wire.ctx, &byte, 1, true) == 0)
            break;
        world->sent++;
    }
    world->echoed_len += world->wire.ops->read(world->wire.ctx, world->echoed + world->echoed_len,
                                               sizeof world->echoed - world->echoed_len);
    if (world->wire.ops->state(world->wire.ctx) == TH_STREAM_FAILED && world->ended_at == 0)
        world->ended_at = th_sim_elapsed_ms(world->sim);
}

static void on_accepted(void *ctx, struct th_sim_pipe *pipe)
{
    struct world *world = ctx;
    world->pipe = pipe;
}

static void on_ready(void *ctx, struct th_sim_pipe *pipe)
{
    struct world *world = ctx;
    world->got_len +=
        th_sim_pipe_read(pipe, world->got + world->got_len, sizeof world->got - world->got_len);
    world->echo_done +=
        th_sim_pipe_write(pipe, world->got + world->echo_done, world->got_len - world->echo_done);
    world->server_saw = th_sim_pipe_state(pipe);
}

static const struct th_sim_server_ops echo = {on_accepted, on_ready};

static void begin(struct world *world, uint64_t seed, const struct th_sim_path *path,
                  struct th_sim_fault fault)
{
    memset(world, 0, sizeof *world);
    world->sim = th_sim_new(seed, 0);
    th_sim_path(world->sim, path);
    th_sim_address(world->sim, &here, TH_SIM_ACCEPTS, &echo, world);
    th_sim_node_init(&world->node, world->sim, on_wake, world);
    world->node.fault = fault;
    world->to_send = 1000;
    const struct th_net *net = &world->node.board.net;
    world->wire = net->ops->connect(net->ctx, &here);
}

static void what_is_sent_arrives_whole_and_in_order_over_every_path(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct world world;
        struct th_sim_path path = {.latency_max_ms = (uint32_t)(seed % 50),
                                   .fragment_max = (uint32_t)(seed % 9),
                                   .window = (uint32_t)(seed % 7 == 0 ? 3 : 100)};
        begin(&world, seed, &path, (struct th_sim_fault){0, 0, 0, 0});
        th_sim_run(world.sim, 1000000);
        assert_int_equal(world.got_len, 1000);
        assert_int_equal(world.echoed_len, 1000);
        for (size_t i = 0; i < 1000; i++) {
            assert_int_equal(world.got[i], byte_at(i));
            assert_int_equal(world.echoed[i], byte_at(i));
        }
        th_sim_free(world.sim);
    }
}

static void a_cut_lets_exactly_so_many_bytes_through_and_both_ends_see_a_reset(void **state)
{
    (void)state;
    const struct th_sim_path path = {
        .latency_min_ms = 1, .latency_max_ms = 9, .fragment_max = 40, .window = 300};
    for (uint32_t cut = 1; cut <= 1000; cut++) {
        struct world world;
        begin(&world, cut, &path, (struct th_sim_fault){.cut_up = cut});
        th_sim_run(world.sim, 100000);
        assert_int_equal(world.got_len, cut);
        assert_int_equal(world.server_saw, TH_STREAM_FAILED);
        assert_int_equal(world.wire.ops->state(world.wire.ctx), TH_STREAM_FAILED);
        struct th_failure failure;
        world.wire.ops->failure(world.wire.ctx, &failure);
        assert_int_equal(failure.error, TH_ERR_TCP_RESET);
        th_sim_free(world.sim);

        begin(&world, cut, &path, (struct th_sim_fault){.cut_down = cut});
        th_sim_run(world.sim, 100000);
        assert_int_equal(world.echoed_len, cut);
        assert_int_equal(world.wire.ops->state(world.wire.ctx), TH_STREAM_FAILED);
        th_sim_free(world.sim);
    }
}

static void a_half_open_connection_swallows_bytes_and_tells_nobody(void **state)
{
    (void)state;
    struct world world;
    const struct th_sim_path path = {.latency_max_ms = 5, .fragment_max = 10, .window = 64};
    begin(&world, 1, &path, (struct th_sim_fault){.silent_up = 100});
    th_sim_run(world.sim, 10000000);
    assert_int_equal(world.got_len, 100);
    assert_int_equal(world.wire.ops->state(world.wire.ctx), TH_STREAM_OPEN);
    assert_in_range(world.sent, 100, 164); /* the window is full, and stays so */
    th_sim_free(world.sim);
}

static void an_orderly_close_comes_behind_the_last_byte(void **state)
{
    (void)state;
    struct world world;
    const struct th_sim_path path = {.latency_min_ms = 1, .latency_max_ms = 30, .fragment_max = 7};
    begin(&world, 3, &path, (struct th_sim_fault){0, 0, 0, 0});
    while (world.sent < world.to_send)
        th_sim_step(world.sim);
    world.wire.ops->close(world.wire.ctx, true);
    world.wire.ops->close(world.wire.ctx, true); /* twice does no harm */
    while (world.got_len < 1000) {
        assert_int_not_equal(world.server_saw, TH_STREAM_ENDED);
        assert_true(th_sim_step(world.sim));
    }
    th_sim_run(world.sim, 1000);
    assert_int_equal(world.server_saw, TH_STREAM_ENDED);
    th_sim_free(world.sim);
}

static void addresses_answer_as_they_were_told(void **state)
{
    (void)state;
    static const struct {
        enum th_sim_answer answer;
        enum th_stream_state state;
        enum th_error error;
    } cases[] = {
        {TH_SIM_REFUSES, TH_STREAM_FAILED, TH_ERR_TCP_REFUSED},
        {TH_SIM_UNREACHABLE, TH_STREAM_FAILED, TH_ERR_TCP_UNREACHABLE},
        {TH_SIM_SILENT, TH_STREAM_OPENING, TH_ERR_OK},
        {TH_SIM_ACCEPTS, TH_STREAM_OPEN, TH_ERR_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world;
        begin(&world, 1, &(struct th_sim_path){.latency_min_ms = 10, .latency_max_ms = 10},
              (struct th_sim_fault){0, 0, 0, 0});
        th_sim_address(world.sim, &here, cases[i].answer, &echo, &world);
        th_sim_run(world.sim, 19);
        assert_int_equal(world.wire.ops->state(world.wire.ctx), TH_STREAM_OPENING);
        th_sim_run(world.sim, 1);
        assert_int_equal(world.wire.ops->state(world.wire.ctx), cases[i].state);
        struct th_failure failure;
        world.wire.ops->failure(world.wire.ctx, &failure);
        assert_int_equal(failure.error, cases[i].error);
        th_sim_free(world.sim);
    }
}

static void a_crash_loses_what_is_under_way_or_does_not(void **state)
{
    (void)state;
    for (int lose = 0; lose < 2; lose++) {
        struct world world;
        begin(&world, 1, &(struct th_sim_path){.latency_min_ms = 10, .latency_max_ms = 10},
              (struct th_sim_fault){0, 0, 0, 0});
        th_sim_run(world.sim, 20); /* connected, all sent, nothing there yet */
        assert_int_equal(world.sent, 1000);
        assert_int_equal(world.got_len, 0);
        th_sim_node_crash(&world.node, lose);
        th_sim_run(world.sim, 100);
        assert_int_equal(world.got_len, lose ? 0 : 1000);
        assert_int_equal(world.server_saw, TH_STREAM_FAILED);
        th_sim_free(world.sim);
    }
}

static int look_up(struct world *world, const char *name, struct th_failure *failure)
{
    struct th_address found[2];
    const struct th_net *net = &world->node.board.net;
    net->ops->resolve(net->ctx, name, 1883);
    for (int i = 0; i < 100; i++) {
        int count = net->ops->resolved(net->ctx, found, 2, failure);
        if (count != 0)
            return count;
        th_sim_run(world->sim, 1);
    }
    net->ops->resolve_cancel(net->ctx);
    return 0;
}

static void names_resolve_late_wrongly_or_never_as_they_were_told(void **state)
{
    (void)state;
    static const struct th_address three[3] = {{.family = 4}, {.family = 6}, {.family = 4}};
    struct world world;
    struct th_failure failure;
    begin(&world, 1, &(struct th_sim_path){0, 0, 0, 0}, (struct th_sim_fault){0, 0, 0, 0});
    th_sim_name(world.sim, "late", three, 1, 50, TH_OK);
    th_sim_name(world.sim, "many", three, 3, 0, TH_OK);
    th_sim_name(world.sim, "never", three, 1, TH_FOREVER, TH_OK);
    th_sim_name(world.sim, "broken", NULL, 0, 5, TH_ERR_NAME_OTHER);
    uint64_t before = th_sim_elapsed_ms(world.sim);
    assert_int_equal(look_up(&world, "late", &failure), 1);
    assert_int_equal(th_sim_elapsed_ms(world.sim) - before, 50);
    assert_int_equal(look_up(&world, "many", &failure), 2);
    assert_int_equal(look_up(&world, "never", &failure), 0);
    assert_int_equal(look_up(&world, "broken", &failure), -1);
    assert_int_equal(failure.error, TH_ERR_NAME_OTHER);
    assert_int_equal(look_up(&world, "unknown", &failure), -1);
    assert_int_equal(failure.error, TH_ERR_NAME_NOT_FOUND);
    th_sim_free(world.sim);
}

static uint64_t trace_of(uint64_t seed)
{
    struct world world;
    const struct th_sim_path path = {
        .latency_min_ms = 1, .latency_max_ms = 99, .fragment_max = 13, .window = 70};
    begin(&world, seed, &path, (struct th_sim_fault){.cut_down = 900});
    uint64_t trace = 0;
    while (th_sim_step(world.sim))
        trace = trace * 31 + th_sim_elapsed_ms(world.sim) * 7 + world.got_len + world.echoed_len;
    th_sim_free(world.sim);
    return trace;
}

static void the_same_seed_gives_the_same_run_and_another_seed_another(void **state)
{
    (void)state;
    assert_int_equal(trace_of(42), trace_of(42));
    assert_int_not_equal(trace_of(42), trace_of(43));
}

static void note(void *ctx, uint32_t number)
{
    uint32_t *last = ctx;
    assert_int_equal(number, *last + 1);
    *last = number;
}

static void events_come_by_time_and_within_a_millisecond_as_asked(void **state)
{
    (void)state;
    struct th_sim *sim = th_sim_new(1, UINT32_MAX - 1);
    uint32_t last = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        th_sim_after(sim, 5, note, &last, 1001 + i);
        th_sim_after(sim, 3, note, &last, 1 + i);
    }
    th_sim_run(sim, 2);
    assert_int_equal(last, 0);
    assert_int_equal(th_sim_now_ms(sim), 0); /* R8: the devices' counter has wrapped */
    th_sim_run(sim, 3);
    assert_int_equal(last, 2000);
    th_sim_free(sim);
}

static void entropy_is_seeded_stuck_or_failing_as_it_was_told(void **state)
{
    (void)state;
    struct world world;
    uint8_t a[64], b[64];
    begin(&world, 1, &(struct th_sim_path){0, 0, 0, 0}, (struct th_sim_fault){0, 0, 0, 0});
    const struct th_board *board = &world.node.board;
    assert_true(board->entropy.ops->fill(board->entropy.ctx, a, sizeof a));
    assert_true(board->entropy.ops->fill(board->entropy.ctx, b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    world.node.entropy = TH_SIM_ENTROPY_STUCK;
    assert_true(board->entropy.ops->fill(board->entropy.ctx, a, sizeof a));
    assert_true(board->entropy.ops->fill(board->entropy.ctx, b, sizeof b));
    assert_memory_equal(a, b, sizeof a);
    world.node.entropy = TH_SIM_ENTROPY_FAILING;
    assert_false(board->entropy.ops->fill(board->entropy.ctx, a, sizeof a));
    th_sim_free(world.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_arrives_whole_and_in_order_over_every_path),
        cmocka_unit_test(a_cut_lets_exactly_so_many_bytes_through_and_both_ends_see_a_reset),
        cmocka_unit_test(a_half_open_connection_swallows_bytes_and_tells_nobody),
        cmocka_unit_test(an_orderly_close_comes_behind_the_last_byte),
        cmocka_unit_test(addresses_answer_as_they_were_told),
        cmocka_unit_test(a_crash_loses_what_is_under_way_or_does_not),
        cmocka_unit_test(names_resolve_late_wrongly_or_never_as_they_were_told),
        cmocka_unit_test(the_same_seed_gives_the_same_run_and_another_seed_another),
        cmocka_unit_test(events_come_by_time_and_within_a_millisecond_as_asked),
        cmocka_unit_test(entropy_is_seeded_stuck_or_failing_as_it_was_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

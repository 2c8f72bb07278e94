/* SPDX-License-Identifier: MIT */
/* The link over plaintext in the simulated world: every state, every way it ends. */
#include <thimble/link.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_device.h"

/* ---- coming up ---- */

static void a_device_comes_up_by_name_and_tells_each_step(void **state)
{
    (void)state;
    struct sim_world world;
    sim_world_begin(&world, 1, 0, &sim_by_name, 1);
    sim_device_start(&world.device);
    th_sim_run(world.sim, 1000);
    assert_int_equal(sim_world_state(&world), TH_LINK_UP);
    assert_int_equal(world.device.note_count, 3);
    const struct note *notes = world.device.notes;
    assert_int_equal(notes[0].event.kind, TH_LINK_EVENT_ATTEMPT);
    assert_int_equal(notes[0].event.u.attempt.number, 1);
    assert_int_equal(notes[1].event.kind, TH_LINK_EVENT_TCP);
    assert_memory_equal(notes[1].event.u.tcp.address.bytes, sim_here.bytes, 4);
    assert_int_equal(notes[1].event.u.tcp.address.port, 1883);
    assert_int_equal(notes[1].event.u.tcp.took_ms, notes[1].at_ms - 30);
    assert_int_equal(notes[2].event.kind, TH_LINK_EVENT_MQTT);
    assert_int_equal(notes[2].event.u.mqtt.kind, TH_MQTT_EVENT_CONNECTED);
    sim_world_end(&world);
}

static void address_literals_never_go_to_the_look_up(void **state)
{
    (void)state;
    static const struct th_broker literals[] = {
        {.host = "192.0.2.1"}, {.host = "2001:db8::1"}, {.host = "[2001:DB8::1]", .port = 1883}};
    for (size_t i = 0; i < 3; i++) {
        struct sim_world world;
        sim_world_begin(&world, 1, 0, &literals[i], 1);
        struct th_sim_broker *six = th_sim_broker_new(world.sim, &sim_here6);
        sim_device_start(&world.device);
        th_sim_run(world.sim, 1000);
        assert_int_equal(sim_world_state(&world),
                         TH_LINK_UP); /* a look-up would give NAME_NOT_FOUND */
        th_sim_broker_free(six);
        sim_world_end(&world);
    }
}

/* ---- every way an attempt ends ---- */

/* A peer that is no broker. */
struct peer {
    const char *says;
    bool closes, orderly;
};

static void peer_accepted(void *ctx, struct th_sim_pipe *pipe)
{
    const struct peer *peer = ctx;
    if (peer->says != NULL)
        th_sim_pipe_write(pipe, (const uint8_t *)peer->says, strlen(peer->says));
}

static void peer_ready(void *ctx, struct th_sim_pipe *pipe)
{
    const struct peer *peer = ctx;
    uint8_t bytes[64];
    bool heard = false;
    while (th_sim_pipe_read(pipe, bytes, sizeof bytes) > 0)
        heard = true;
    if ((heard && peer->closes) || th_sim_pipe_state(pipe) != TH_STREAM_OPEN)
        th_sim_pipe_close(pipe, peer->orderly);
}

static const struct th_sim_server_ops peer_ops = {peer_accepted, peer_ready};

static void to_peer(struct sim_world *world, const char *says, bool closes, bool orderly)
{
    static struct peer peer;
    peer = (struct peer){says, closes, orderly};
    th_sim_address(world->sim, &sim_here, TH_SIM_ACCEPTS, &peer_ops, &peer);
}

static void no_such_name(struct sim_world *world)
{
    th_sim_name(world->sim, "broker.example", NULL, 0, 30, TH_ERR_NAME_NOT_FOUND);
}

static void name_never_answers(struct sim_world *world)
{
    th_sim_name(world->sim, "broker.example", &sim_here, 1, TH_FOREVER, TH_OK);
}

static void name_breaks(struct sim_world *world)
{
    th_sim_name(world->sim, "broker.example", NULL, 0, 30, TH_ERR_NAME_OTHER);
}

static void unreachable(struct sim_world *world)
{
    th_sim_address(world->sim, &sim_here, TH_SIM_UNREACHABLE, NULL, NULL);
}

static void silent(struct sim_world *world)
{
    th_sim_address(world->sim, &sim_here, TH_SIM_SILENT, NULL, NULL);
}

static void mute(struct sim_world *world)
{
    th_sim_broker_options(world->broker)->mute = true;
}

static void not_authorised(struct sim_world *world)
{
    th_sim_broker_options(world->broker)->connack_code = 5;
}

static void closes_instead_of_connack(struct sim_world *world)
{
    to_peer(world, NULL, true, true);
}

static void resets_instead_of_connack(struct sim_world *world)
{
    to_peer(world, NULL, true, false);
}

static void speaks_http(struct sim_world *world)
{
    to_peer(world, "HTTP/1.1 400 Bad Request\r\n\r\n", false, true);
}

static void drops_later(void *ctx, uint32_t number)
{
    struct sim_world *world = ctx;
    (void)number;
    if (world->device.node.pipe != NULL)
        th_sim_pipe_drop(world->device.node.pipe);
}

static void dropped_when_up(struct sim_world *world)
{
    th_sim_after(world->sim, 3000, drops_later, world, 0);
}

static void half_open_when_up(struct sim_world *world)
{
    world->device.mqtt_config.keep_alive_s = 10;
    world->device.node.fault.silent_down = 4; /* CONNACK comes, nothing after it */
}

static void closed_when_up(struct sim_world *world)
{
    th_sim_broker_options(world->broker)->kicks = true;
    th_sim_broker_options(world->broker)->kick_after_ms = 2000;
}

static const struct {
    void (*prepare)(struct sim_world *world);
    enum th_error error;
    enum th_link_state in;
    uint32_t least_ms, most_ms; /* from the attempt to the failure */
} endings[] = {
    {no_such_name, TH_ERR_NAME_NOT_FOUND, TH_LINK_RESOLVING, 30, 30},
    {name_never_answers, TH_ERR_NAME_TIMEOUT, TH_LINK_RESOLVING, 10000, 10000},
    {name_breaks, TH_ERR_NAME_OTHER, TH_LINK_RESOLVING, 30, 30},
    {sim_world_refuse, TH_ERR_TCP_REFUSED, TH_LINK_TCP, 40, 80},
    {unreachable, TH_ERR_TCP_UNREACHABLE, TH_LINK_TCP, 40, 80},
    {silent, TH_ERR_TCP_TIMEOUT, TH_LINK_TCP, 15030, 15030},
    {mute, TH_ERR_CONNACK_TIMEOUT, TH_LINK_MQTT, 20040, 20080},
    {not_authorised, TH_ERR_CONNACK_REFUSED, TH_LINK_MQTT, 50, 300},
    {closes_instead_of_connack, TH_ERR_CONNACK_CLOSED, TH_LINK_MQTT, 50, 300},
    {resets_instead_of_connack, TH_ERR_TCP_RESET, TH_LINK_MQTT, 50, 300},
    {speaks_http, TH_ERR_MQTT_MALFORMED, TH_LINK_MQTT, 50, 300},
    {dropped_when_up, TH_ERR_TCP_RESET, TH_LINK_UP, 3000, 3000},
    {half_open_when_up, TH_ERR_KEEP_ALIVE_TIMEOUT, TH_LINK_UP, 20000, 31000},
    {closed_when_up, TH_ERR_MQTT_CLOSED, TH_LINK_UP, 2000, 2400},
};
#define ENDING_COUNT (sizeof endings / sizeof endings[0])

/* EN 5.9-1: nothing an attempt meets keeps the link from saying so and trying again. */
static void every_way_an_attempt_ends_is_one_failure_with_its_cause(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENDING_COUNT; i++) {
        struct sim_world world;
        sim_world_begin(&world, i, 0, &sim_by_name, 1);
        endings[i].prepare(&world);
        sim_device_start(&world.device);
        const struct note *failed = NULL;
        while (failed == NULL && th_sim_elapsed_ms(world.sim) < 40000) {
            th_sim_run(world.sim, 1);
            failed = sim_device_note(&world.device, TH_LINK_EVENT_FAILED, 0);
        }
        assert_non_null(failed);
        if (failed->event.u.failed.failure.error != endings[i].error)
            fail_msg("ending %zu: %s, not %s", i,
                     th_error_name(failed->event.u.failed.failure.error),
                     th_error_name(endings[i].error));
        assert_int_equal(failed->event.u.failed.in, endings[i].in);
        assert_in_range(failed->at_ms, endings[i].least_ms, endings[i].most_ms);
        assert_in_range(failed->event.u.failed.retry_ms, 0, 1000);
        assert_int_equal(sim_world_state(&world), failed->event.u.failed.retry_ms > 0
                                                      ? TH_LINK_WAITING
                                                      : sim_world_state(&world));
        /* Every attempt but the present one has ended in exactly one failure. */
        th_sim_run(world.sim, 30000);
        unsigned attempts = sim_device_count(&world.device, TH_LINK_EVENT_ATTEMPT);
        unsigned failures = sim_device_count(&world.device, TH_LINK_EVENT_FAILED);
        assert_true(attempts >= 2);
        assert_true(failures == attempts || failures + 1 == attempts);
        sim_world_end(&world);
    }
}

/* Everything the device told, in one number. */
static uint64_t trace_of(const struct sim_device *device)
{
    uint64_t trace = device->note_count;
    for (unsigned i = 0; i < device->note_count && i < NOTES_MAX; i++) {
        const struct th_link_event *event = &device->notes[i].event;
        trace = trace * 1000003 + (uint64_t)event->kind * 64 + device->notes[i].at_ms;
        if (event->kind == TH_LINK_EVENT_FAILED)
            trace = trace * 31 + event->u.failed.failure.error + event->u.failed.retry_ms;
    }
    return trace;
}

static uint64_t run_ending(size_t i, uint32_t start_ms)
{
    struct sim_world world;
    sim_world_begin(&world, i, start_ms, &sim_by_name, 1);
    endings[i].prepare(&world);
    sim_device_start(&world.device);
    th_sim_run(world.sim, 60000);
    uint64_t trace = trace_of(&world.device);
    assert_true(world.device.note_count > 4);
    sim_world_end(&world);
    return trace;
}

/* R8: wherever the counter wraps, or passes the middle of its range, within any ending. */
static void a_counter_that_wraps_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENDING_COUNT; i++) {
        uint64_t trace = run_ending(i, 0);
        for (uint32_t before = 0; before < 32000; before += 500) {
            assert_int_equal(run_ending(i, UINT32_MAX - before), trace);
            assert_int_equal(run_ending(i, INT32_MAX - before), trace);
        }
        assert_int_equal(run_ending(i, 0u - 1000), trace);
    }
}

/* R8: the counter wraps after 49.7 days, in the middle of its keep-alive. */
static void a_connection_of_sixty_days_stays_up(void **state)
{
    (void)state;
    struct sim_world world;
    sim_world_begin(&world, 1, 0x80000000, &sim_by_name, 1);
    sim_device_start(&world.device);
    for (int day = 0; day < 60; day++)
        th_sim_run(world.sim, 86400000);
    assert_int_equal(sim_world_state(&world), TH_LINK_UP);
    assert_int_equal(world.device.note_count, 3);
    sim_world_refuse(&world);
    th_sim_pipe_drop(world.device.node.pipe);
    th_sim_run(world.sim, 10);
    assert_in_range(
        sim_device_note(&world.device, TH_LINK_EVENT_FAILED, 0)->event.u.failed.retry_ms, 0,
        1000); /* it was stable */
    sim_world_end(&world);
}

/* ---- stop and restart ---- */

static void a_stop_says_goodbye_and_then_stopped(void **state)
{
    (void)state;
    struct sim_world world;
    sim_world_begin(&world, 1, 0, &sim_by_name, 1);
    sim_device_start(&world.device);
    th_sim_run(world.sim, 1000);
    assert_int_equal(th_sim_broker_connected(world.broker), 1);
    th_link_stop(&world.device.link, th_sim_now_ms(world.sim));
    sim_device_wake(&world.device);
    th_sim_run(world.sim, 1000);
    assert_int_equal(sim_world_state(&world), TH_LINK_DOWN);
    assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_STOPPED), 1);
    assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_FAILED), 0);
    assert_int_equal(th_sim_broker_connected(world.broker), 0);
    assert_int_equal(th_sim_broker_stats(world.broker)->violations, 0);
    th_link_start(&world.device.link, th_sim_now_ms(world.sim));
    sim_device_wake(&world.device);
    th_sim_run(world.sim, 1000);
    assert_int_equal(sim_world_state(&world), TH_LINK_UP);
    sim_world_end(&world);
}

static void a_stop_is_done_within_two_seconds_at_any_moment_of_any_ending(void **state)
{
    (void)state;
    for (size_t i = 0; i < ENDING_COUNT; i++) {
        for (uint32_t at = 0; at < 32000; at += at < 400 ? 7 : 997) {
            struct sim_world world;
            sim_world_begin(&world, i, 0u - 1000, &sim_by_name, 1);
            endings[i].prepare(&world);
            sim_device_start(&world.device);
            th_sim_run(world.sim, at);
            unsigned attempts = sim_device_count(&world.device, TH_LINK_EVENT_ATTEMPT);
            th_link_stop(&world.device.link, th_sim_now_ms(world.sim));
            th_link_stop(&world.device.link, th_sim_now_ms(world.sim));
            sim_device_wake(&world.device);
            th_sim_run(world.sim, 2000);
            assert_int_equal(sim_world_state(&world), TH_LINK_DOWN);
            assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_STOPPED), 1);
            th_sim_run(world.sim, 200000);
            assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_ATTEMPT), attempts);
            assert_null(world.device.node.pipe);
            sim_world_end(&world);
        }
    }
}

/* Not even the goodbye can leave; nothing but the clock can tell. */
static void a_stop_of_a_stuck_connection_takes_two_seconds_and_no_more(void **state)
{
    (void)state;
    struct sim_world world;
    sim_world_begin(&world, 1, 0u - 2000, &sim_by_name, 1);
    th_sim_path(world.sim, &(struct th_sim_path){.window = 100});
    sim_device_start(&world.device);
    th_sim_run(world.sim, 1000);
    th_sim_pipe_silence(world.device.node.pipe);
    const struct th_mqtt_publish publish = {.topic = TH_SPAN("t"), .payload = TH_SPAN("payload")};
    while (th_mqtt_publish(&world.device.mqtt, &publish, NULL) == TH_OK) {
        sim_device_wake(&world.device);
        th_sim_run(world.sim, 10);
    }
    uint64_t from = th_sim_elapsed_ms(world.sim);
    th_link_stop(&world.device.link, th_sim_now_ms(world.sim));
    sim_device_wake(&world.device);
    th_sim_run(world.sim, 5000);
    const struct note *stopped = sim_device_note(&world.device, TH_LINK_EVENT_STOPPED, 0);
    assert_non_null(stopped);
    assert_int_equal(stopped->at_ms - from, 2000);
    sim_world_end(&world);
}

static void a_restart_drops_what_there_is_and_comes_up_again_at_any_moment(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < 500; at += 7) {
        struct sim_world world;
        sim_world_begin(&world, at, 0u - 100, &sim_by_name, 1);
        sim_device_start(&world.device);
        th_sim_run(world.sim, at);
        th_link_restart(&world.device.link, th_sim_now_ms(world.sim), true);
        sim_device_wake(&world.device);
        assert_int_equal(sim_world_state(&world), TH_LINK_WAITING);
        th_sim_run(world.sim, 1000);
        assert_int_equal(sim_world_state(&world), TH_LINK_UP);
        assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_FAILED), 0);
        assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_ATTEMPT), 2);
        sim_world_end(&world);
    }
}

static void an_application_that_ends_the_session_itself_ends_the_link(void **state)
{
    (void)state;
    struct sim_world world;
    sim_world_begin(&world, 1, 0, &sim_by_name, 1);
    sim_device_start(&world.device);
    th_sim_run(world.sim, 1000);
    assert_int_equal(th_mqtt_disconnect(&world.device.mqtt, 0, NULL, 0), TH_OK);
    sim_device_wake(&world.device);
    th_sim_run(world.sim, 200000);
    assert_int_equal(sim_world_state(&world), TH_LINK_DOWN);
    assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_ATTEMPT), 1);
    assert_int_equal(sim_device_count(&world.device, TH_LINK_EVENT_STOPPED), 1);
    sim_world_end(&world);
}

/* ---- configuration ---- */

static enum th_error try_config(void (*spoil)(struct th_link_config *config))
{
    struct sim_world world;
    sim_world_begin(&world, 1, 0, &sim_by_name, 1);
    assert_int_equal(th_mqtt_init(&world.device.mqtt, &world.device.mqtt_config), TH_OK);
    spoil(&world.device.link_config);
    enum th_error error =
        th_link_init(&world.device.link, &world.device.link_config, &world.device.mqtt);
    sim_world_end(&world);
    return error;
}

static void nothing(struct th_link_config *config)
{
    (void)config;
}

static void no_board(struct th_link_config *config)
{
    config->board = NULL;
}

static void no_brokers(struct th_link_config *config)
{
    config->broker_count = 0;
}

static void no_host(struct th_link_config *config)
{
    static const struct th_broker nobody = {.host = ""};
    config->brokers = &nobody;
}

static void no_tls(struct th_link_config *config)
{
    config->plaintext = false;
}

static void no_buffer(struct th_link_config *config)
{
    config->plain_rx = NULL;
}

static void small_buffer(struct th_link_config *config)
{
    config->plain_tx_room = 15;
}

static void endless_time(struct th_link_config *config)
{
    config->times.stable_ms = 0x80000000;
}

static void a_configuration_that_contradicts_itself_is_refused(void **state)
{
    (void)state;
    assert_int_equal(try_config(nothing), TH_OK);
    assert_int_equal(try_config(no_board), TH_ERR_CONFIG);
    assert_int_equal(try_config(no_brokers), TH_ERR_CONFIG);
    assert_int_equal(try_config(no_host), TH_ERR_CONFIG);
    assert_int_equal(try_config(no_tls), TH_ERR_CONFIG);
    assert_int_equal(try_config(no_buffer), TH_ERR_CONFIG);
    assert_int_equal(try_config(small_buffer), TH_ERR_CONFIG);
    assert_int_equal(try_config(endless_time), TH_ERR_CONFIG);
}

static void every_state_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(th_link_state_name(TH_LINK_DOWN), "down");
    assert_string_equal(th_link_state_name(TH_LINK_UP), "up");
    for (int i = TH_LINK_DOWN; i <= TH_LINK_UP; i++)
        assert_true(strlen(th_link_state_name((enum th_link_state)i)) > 1);
    assert_string_equal(th_link_state_name((enum th_link_state)(TH_LINK_UP + 1)), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_comes_up_by_name_and_tells_each_step),
        cmocka_unit_test(address_literals_never_go_to_the_look_up),
        cmocka_unit_test(every_way_an_attempt_ends_is_one_failure_with_its_cause),
        cmocka_unit_test(a_counter_that_wraps_changes_nothing),
        cmocka_unit_test(a_connection_of_sixty_days_stays_up),
        cmocka_unit_test(a_stop_says_goodbye_and_then_stopped),
        cmocka_unit_test(a_stop_is_done_within_two_seconds_at_any_moment_of_any_ending),
        cmocka_unit_test(a_stop_of_a_stuck_connection_takes_two_seconds_and_no_more),
        cmocka_unit_test(a_restart_drops_what_there_is_and_comes_up_again_at_any_moment),
        cmocka_unit_test(an_application_that_ends_the_session_itself_ends_the_link),
        cmocka_unit_test(a_configuration_that_contradicts_itself_is_refused),
        cmocka_unit_test(every_state_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

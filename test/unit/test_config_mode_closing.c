/* SPDX-License-Identifier: MIT */
/* Configuration mode closes by itself, and leads back to MQTT mode: a device in simulated time. F4.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/config_mode.h>

#include "device_world.h"

#define MINUTE 60000u

static struct device_world world;
static struct th_requests requests;
static struct th_config_mode mode;
static struct th_config_mode_arena arena;
static struct th_service services[2];
static uint8_t queue[2048], bundle_room[512];
static bool listening;

static bool open_socket(void *ctx)
{
    (void)ctx;
    return listening = true;
}

static void close_socket(void *ctx)
{
    (void)ctx;
    listening = false;
}

static bool nobody_comes(void *ctx, struct th_wire *wire, struct th_address *local)
{
    (void)ctx;
    (void)wire;
    (void)local;
    return false;
}

static bool nobody_waits(void *ctx)
{
    (void)ctx;
    return false;
}

static const struct th_listen_ops listen_ops = {open_socket, close_socket, nobody_comes,
                                                nobody_waits};

static int begin(void **state)
{
    const struct th_config_mode_options options = {.requests = &requests, .arena = &arena};

    (void)state;
    listening = false;
    world_begin(&world, 1, UINT32_MAX - 20 * MINUTE); /* the counter wraps meanwhile */
    world.board.listen.ops = &listen_ops;
    th_requests_init(&requests, queue, sizeof queue, bundle_room, sizeof bundle_room);
    th_config_mode_init(&mode, &options);
    services[0] = th_requests_service(&requests);
    services[1] = th_config_mode_service(&mode);
    world.config.services = services;
    world.config.service_count = 2;
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

/* At work, then called here as Mode.Set does. */
static void enrolled_and_called(void)
{
    world_enrol(&world, false);
    listening = false; /* its first start, blank, had opened a socket: a restart ends it */
    assert_true(world_comes_up(&world, MINUTE));
    assert_false(listening); /* F3 */
    assert_int_equal(world_try(&world, "", "mode", "config", NULL), TH_OK);
    world_run(&world, 1000);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_CONFIG);
    assert_true(listening);
}

/* Somebody proves the code. */
static void prove(void)
{
    static struct th_local_client client;
    char code[TH_SETUP_CODE + 1];
    uint8_t frame[TH_LOCAL_FRAME_MAX], into[TH_LOCAL_ANSWER_MAX];
    struct th_local_session *session = th_config_mode_session(&mode);
    struct th_rpc_moment now = {.ms = th_sim_now_ms(world.sim)};

    assert_true(th_factory_code(&world.device.factory, code));
    assert_true(th_local_client_start(&client, &world.crypto, &world.board, TH_LOCAL_PAGE, code));
    struct th_span hello = th_local_client_hello(&client, false, frame, sizeof frame);
    assert_true(th_local_client_met(
        &client, th_local_session_take(session, frame, hello.len, now, into, sizeof into)));
    struct th_span proof = th_local_client_prove(&client, frame, sizeof frame);
    assert_true(th_local_client_proved(
        &client, th_local_session_take(session, frame, proof.len, now, into, sizeof into)));
    th_sim_node_wake_in(&world.node, 0);
}

static void an_enrolled_device_closes_after_15_minutes_and_is_at_work_again(void **state) /* F4 */
{
    (void)state;
    enrolled_and_called();
    world_run(&world, 15 * MINUTE - 2000);
    assert_true(listening);
    world_run(&world, 2000);
    assert_false(listening);
    assert_int_equal(world_said(&world, "nobody has come: the page is closed"), 1);
    assert_true(world_comes_up(&world, MINUTE));
    assert_string_equal(world_setting(&world, "mode"), "mqtt");
    world_run(&world, 120 * MINUTE);
    assert_false(listening);
    assert_true(world_is_up(&world));
}

static void a_session_keeps_it_open_and_15_minutes_begin_with_its_end(void **state) /* F4 */
{
    (void)state;
    enrolled_and_called();
    world_run(&world, 14 * MINUTE);
    prove();
    world_run(&world, 10 * MINUTE + 14 * MINUTE); /* it ends after ten minutes in silence */
    assert_true(listening);
    world_run(&world, 2 * MINUTE);
    assert_false(listening);
    assert_true(world_comes_up(&world, MINUTE));
}

/* Nobody could reach it otherwise. */
static void where_no_broker_answers_the_page_opens_again(void **state)
{
    (void)state;
    enrolled_and_called();
    for (int i = 0; i < 2; i++)
        th_sim_broker_stop(world.servers[i].broker);
    world_run(&world, 15 * MINUTE + 1000);
    assert_false(listening);
    for (int i = 0; i < 30 && !listening; i++)
        world_run(&world, MINUTE);
    assert_true(listening);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_CONFIG);
}

static void a_blank_device_closes_after_60_minutes_and_a_restart_opens_it(void **state) /* F4 */
{
    (void)state;
    world_start(&world, TH_RESET_POWER_ON);
    world_run(&world, 60 * MINUTE - 2000);
    assert_true(listening);
    world_run(&world, 3000);
    assert_false(listening);
    world_run(&world, 24 * 60 * MINUTE);
    assert_false(listening);
    assert_int_equal(th_device_mode(&world.device), TH_MODE_CONFIG);
    world_start(&world, TH_RESET_POWER_ON);
    world_run(&world, 1000);
    assert_true(listening);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_enrolled_device_closes_after_15_minutes_and_is_at_work_again),
        CASE(a_session_keeps_it_open_and_15_minutes_begin_with_its_end),
        CASE(where_no_broker_answers_the_page_opens_again),
        CASE(a_blank_device_closes_after_60_minutes_and_a_restart_opens_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Frames with the set-up code in clear text on a device in configuration mode: docs/config-mode.md,
 * "A code in clear text". F1, F2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/config_mode.h>
#include <thimble/legacy.h>

#include "base/base64.h"
#include "device_world.h"

#define INFO  "{\"id\":5,\"method\":\"Sys.GetInfo\"}"
#define RESET "{\"id\":5,\"method\":\"Sys.FactoryReset\"}"
#define WRONG "{\"id\":5,\"error\":{\"code\":401,\"message\":\"the set-up code is wrong\"}}"

static struct device_world world;
static struct th_requests requests;
static struct th_config_mode mode;
static struct th_config_mode_arena arena;
static struct th_legacy legacy;
static struct th_legacy_http http;
static struct th_service services[3];
static uint8_t queue[2048], bundle_room[512];
static char code[TH_SETUP_CODE + 1], answer[TH_LOCAL_ANSWER_MAX + 1];

static int begin(void **state)
{
    const struct th_config_mode_options options = {.requests = &requests, .arena = &arena};
    const struct th_legacy_config config = {.zones = NULL};

    (void)state;
    world_begin(&world, 1, 0);
    th_requests_init(&requests, queue, sizeof queue, bundle_room, sizeof bundle_room);
    th_config_mode_init(&mode, &options);
    th_legacy_init(&legacy, &config);
    http = (struct th_legacy_http){&legacy, th_config_mode_session(&mode)};
    services[0] = th_requests_service(&requests);
    services[1] = th_config_mode_service(&mode);
    services[2] = th_legacy_service(&legacy);
    world.config.services = services;
    world.config.service_count = 3;
    world_start(&world, TH_RESET_POWER_ON);
    assert_true(th_factory_code(&world.device.factory, code));
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

static void turn_on(void)
{
    assert_int_equal(world_try(&world, "", "legacy.enable", "true", NULL), TH_OK);
    world_run(&world, 2000);
    assert_true(th_legacy_enabled(&legacy));
}

static const char *post(const char *authorization, const char *frame)
{
    const struct th_http_request request = {.authorization = th_span_str(authorization),
                                            .body = th_span_str(frame)};
    struct th_rpc_moment now = {.ms = th_sim_now_ms(world.sim)};

    struct th_span got = th_legacy_rpc(&http, &request, now, (uint8_t *)answer, sizeof answer - 1);
    answer[got.len] = '\0';
    return answer;
}

static const char *with(const char *scheme, const char *user, const char *password)
{
    static char field[120];
    char plain[80], base64[100];

    snprintf(plain, sizeof plain, "%s:%s", user, password);
    th_base64_encode(th_span_str(plain), base64, sizeof base64);
    snprintf(field, sizeof field, "%s %s", scheme, base64);
    return field;
}

static void expect(const char *field, const char *frame, const char *in_answer)
{
    if (!strstr(post(field, frame), in_answer))
        fail_msg("%s is answered with %s", frame, answer);
}

static void the_code_is_an_admins(void **state) /* F1 */
{
    char shown[TH_SETUP_CODE_SHOWN + 1];

    (void)state;
    turn_on();
    th_setup_code_show(code, shown);
    expect(with("Basic", "x", code), INFO, "\"result\":{\"id\":\"\"");
    expect(with("bASIC", "", shown), INFO, "\"mode\":\"config\"");
    expect(with("Basic", "x", code), RESET, "\"code\":403");
    expect(with("Basic", "x", code), "{\"id\":5,\"method\":\"Enrol.Status\"}", "\"code\":403");
    expect(with("Basic", "x", code),
           "{\"id\":5,\"method\":\"Config.Set\",\"params\":{\"config\":{\"mqtt\":{\"server\":\"x\"}"
           "}}}",
           "\"code\":403");
    expect(with("Basic", "x", code), "{\"id\":5", "\"code\":400");
    assert_false(th_local_session_alive(http.session, th_sim_now_ms(world.sim)));
}

static void wrong_ones_count_and_wait(void **state) /* F2 */
{
    (void)state;
    turn_on();
    assert_string_equal(post(with("Basic", "x", ""), INFO), WRONG); /* none is no attempt */
    assert_string_equal(post(with("Basic", "x", "0000-0000-0000-0000"), INFO), WRONG);
    assert_string_equal(post("Basic ", INFO), WRONG);
    assert_string_equal(post("Basic x", INFO), WRONG);
    assert_string_equal(post("Basic eHh4", INFO), WRONG); /* no colon */
    expect(with("Basic", "x", "short"), "{", "{\"id\":null,\"error\":{\"code\":401,");
    expect(with("Basic", "x", code), INFO, "{\"id\":5,\"error\":{\"code\":429,");
    world_run(&world, TH_LOCAL_FIRST_MS);
    expect(with("Basic", "x", code), INFO, "\"result\":");
}

static void other_fields_and_a_front_that_is_off_are_left_to_sessions(void **state) /* F1 */
{
    (void)state;
    assert_string_equal(post(with("Basic", "x", code), INFO), "");
    turn_on();
    assert_string_equal(post("", INFO), "");
    assert_string_equal(post("Basic", INFO), "");
    assert_string_equal(post(with("Bearer", "x", code), INFO), "");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_code_is_an_admins),
        CASE(wrong_ones_count_and_wait),
        CASE(other_fields_and_a_front_that_is_off_are_left_to_sessions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

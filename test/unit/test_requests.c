/* SPDX-License-Identifier: MIT */
/* Requests to a whole device: include/thimble/requests.h, docs/rpc.md. F6, I1, I6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/requests.h>

#include "base/base64.h"
#include "service_rig.h"

#define MINUTE 60000u

static struct device_world *const world = &rig.world;
static uint8_t bundle_room[TH_TRUST_BUNDLE_MAX];

static int begin(void **state)
{
    (void)state;
    rig_begin(bundle_room, sizeof bundle_room);
    rig_start((struct th_service){NULL, NULL});
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end(world);
    return 0;
}

static void expect(const char *method, const char *params, const char *in_answer)
{
    rig_expect(method, params, in_answer);
}

static void a_device_tells_what_it_is(void **state)
{
    (void)state;
    expect("Sys.GetInfo", "{}", "\"id\":\"lamp\",\"product\":\"thimble\",\"version\":\"1.0\"");
    expect("Sys.GetInfo", "{}", "\"mode\":\"mqtt\"");
    expect("Rpc.List", "{}", "\"Config.Set\"");
    expect("Log.Tail", "{}", "\"result\":[");
}

static void settings_are_given_as_nested_objects_without_secrets(void **state) /* I1 */
{
    (void)state;
    struct th_json frame, result;
    size_t at;

    expect("Config.Get", "{\"key\":\"wifi.sta\"}",
           "{\"wifi\":{\"sta\":{\"ssid\":\"garden\",\"ip\":");
    assert_null(strstr(rig.answer, "secret words"));
    assert_null(strstr(rig.answer, "pass"));
    rig_ask("Config.Get", "{}");
    assert_null(strstr(rig.answer, "secret words"));
    assert_int_equal(th_json_parse(th_span_str(rig.answer), &frame, &at), TH_OK);
    result = th_json_member(frame, "result");
    assert_int_equal(result.kind, TH_JSON_OBJECT);
    assert_int_equal(th_json_member(th_json_member(result, "mqtt"), "keep_alive").kind,
                     TH_JSON_NUMBER);
    expect("Config.Get", "{\"key\":\"wifi.sta.pass\"}", "\"code\":404");
    expect("Config.Get", "{\"key\":\"wif\"}", "\"code\":404");
}

static void a_change_is_on_trial_and_its_author_proves_it(void **state)
{
    (void)state;
    unsigned proofs = world->proofs;

    expect("Config.Set",
           "{\"config\":{\"mqtt\":{\"keep_alive\":30},\"telemetry\":{\"interval_s\":5}}}",
           "{\"trial\":true}");
    world_run(world, MINUTE);
    assert_int_equal(world->proofs, proofs + 1);
    assert_string_equal(world_setting(world, "mqtt.keep_alive"), "30");
    assert_string_equal(world_setting(world, "telemetry.interval_s"), "5");
    expect("Sys.GetInfo", "{}", "\"last_trial\":{\"component\":\"settings\",\"kept\":true}");
    expect("Config.Set", "{\"config\":{\"mqtt\":{\"keep_alive\":30}}}", "{\"trial\":false}");
}

static void a_change_that_cuts_the_device_off_is_taken_back(void **state)
{
    (void)state;
    expect("Config.Set", "{\"config\":{\"wifi\":{\"sta\":{\"ssid\":\"nowhere\"}}}}",
           "{\"trial\":true}");
    world_run(world, 30 * MINUTE);
    assert_string_equal(world_setting(world, "wifi.sta.ssid"), "garden");
    expect("Sys.GetInfo", "{}", "\"kept\":false,\"reason\":\"");
    expect("Log.Tail", "{\"count\":1}", "\"trial\"");
}

static void all_of_a_change_is_taken_or_none(void **state)
{
    (void)state;
    expect("Config.Set", "{\"config\":{\"mqtt\":{\"keep_alive\":30,\"keep_alife\":1}}}",
           "\"code\":404");
    expect("Config.Set", "{\"config\":{\"mqtt\":{\"keep_alive\":3}}}", "\"code\":422");
    expect("Config.Set", "{\"config\":{\"mqtt\":{\"keep_alive\":[30]}}}", "\"code\":422");
    expect("Config.Set", "{\"config\":{\"mqtt\":{\"keep_alive\":null}}}", "\"code\":422");
    expect("Config.Set", "{\"config\":{\"mqtt\":{\"keep_alive\":{\"x\":1}}}}", "\"code\":404");
    expect("Config.Set", "{\"config\":{\"a.very.long.name.of.a.setting.that\":1}}", "\"code\":404");
    world_run(world, MINUTE);
    assert_string_equal(world_setting(world, "mqtt.keep_alive"), "60");
}

static void whom_the_device_trusts_does_not_change_over_mqtt(void **state) /* I6 */
{
    (void)state;
    expect("Config.Set", "{\"config\":{\"mqtt\":{\"server\":\"evil.example:8883\"}}}",
           "\"code\":403");
    expect("Config.Set", "{\"config\":{\"mqtt\":{\"ssl_fingerprint\":\"00\"}}}", "\"code\":403");
}

static void only_one_change_is_on_trial(void **state)
{
    (void)state;
    world->user_silent = true;
    expect("Config.Set", "{\"config\":{\"mqtt\":{\"keep_alive\":30}}}", "{\"trial\":true}");
    expect("Config.Set", "{\"config\":{\"mqtt\":{\"keep_alive\":31}}}", "\"code\":409");
    world->user_silent = false;
}

static void a_caller_without_a_role_gets_nothing(void **state) /* F6 */
{
    (void)state;
    rig_send("mallory", "{\"id\":1,\"src\":\"lamp/to/alice\",\"method\":\"Sys.Reboot\"}", 900);
    assert_string_equal(rig.answer, "");
    world_run(world, MINUTE);
    assert_false(world->restarts);
    assert_int_equal(world_said(world, "started by a restart"), 0);
}

static void nothing_is_said_to_an_answer(void **state)
{
    (void)state;
    assert_string_equal(rig_send("alice", "{\"id\":5,\"result\":{\"nonce\":\"x\"}}", 900), "");
    assert_string_equal(rig_send("alice", "{\"id\":5,\"error\":{\"code\":400}}", 900), "");
}

static void a_restart_leaves_time_for_its_answer(void **state)
{
    (void)state;
    expect("Sys.Reboot", "{}", "\"result\":true");
    world_run(world, MINUTE);
    assert_int_equal(world_said(world, "started by a restart"), 1);
    expect("Sys.GetInfo", "{}", "\"started\":\"restart\"");
}

static void the_mode_changes_by_request(void **state)
{
    (void)state;
    expect("Mode.Set", "{\"mode\":\"config\"}", "{\"trial\":true}");
    world_run(world, MINUTE);
    assert_int_equal(th_device_mode(&world->device), TH_MODE_CONFIG);
}

/* ---- trust bundles in pieces ---- */

static const char *put_piece(const uint8_t *bytes, size_t total, size_t offset, size_t len)
{
    char data[256], params[400];

    assert_true(th_base64_encode(th_span_of(bytes + offset, len), data, sizeof data) > 0);
    snprintf(params, sizeof params, "{\"total\":%zu,\"offset\":%zu,\"data\":\"%s\"}", total, offset,
             data);
    return rig_ask("Trust.Put", params);
}

static void put_bundle(const uint8_t *bytes, size_t total)
{
    for (size_t at = 0; at < total; at += 180)
        put_piece(bytes, total, at, total - at < 180 ? total - at : 180);
}

static void a_trust_bundle_comes_in_pieces(void **state) /* I6 */
{
    (void)state;
    static uint8_t bytes[TH_TRUST_BUNDLE_MAX];
    size_t total =
        world_bundle(world, &(struct world_bundle){.sequence = 7, .time_s = WORLD_NOW_S}, bytes);

    put_bundle(bytes, total);
    assert_non_null(strstr(rig.answer, "\"trial\":true"));
    world_run(world, MINUTE);
    expect("Sys.GetInfo", "{}", "\"last_trial\":{\"component\":\"trust\",\"kept\":true}");
    put_bundle(bytes, total);
    assert_non_null(strstr(rig.answer, "\"code\":422"));
}

static void a_bundle_of_a_stranger_is_refused(void **state) /* I6 */
{
    (void)state;
    static uint8_t bytes[TH_TRUST_BUNDLE_MAX];
    size_t total = world_bundle(
        world, &(struct world_bundle){.sequence = 7, .time_s = WORLD_NOW_S, .stranger = true},
        bytes);

    put_bundle(bytes, total);
    assert_non_null(strstr(rig.answer, "\"code\":422"));
    expect("Sys.GetInfo", "{}", "\"mode\":\"mqtt\"");
}

static void pieces_that_do_not_follow_are_refused(void **state)
{
    (void)state;
    static const uint8_t bytes[600];

    assert_non_null(strstr(put_piece(bytes, 600, 180, 180), "\"code\":409"));
    assert_non_null(strstr(put_piece(bytes, 600, 0, 180), "\"have\":180"));
    assert_non_null(strstr(put_piece(bytes, 600, 0, 180), "\"have\":180"));
    assert_non_null(strstr(put_piece(bytes, 600, 360, 180), "\"code\":409"));
    assert_non_null(strstr(put_piece(bytes, 500, 180, 180), "\"code\":409"));
    assert_non_null(strstr(put_piece(bytes, 200, 0, 180), "\"have\":180"));
    assert_non_null(strstr(put_piece(bytes, 200, 180, 180), "\"code\":422"));
    expect("Trust.Put", "{\"total\":10,\"offset\":0,\"data\":\"????\"}", "\"code\":422");
    expect("Trust.Put", "{\"total\":8449,\"offset\":0,\"data\":\"AAAA\"}", "\"code\":422");
}

static void reconnect(void)
{
    for (int i = 0; i < 2; i++)
        th_sim_broker_stop(world->servers[i].broker);
    world_run(world, 5000);
    assert_false(world_is_up(world));
    for (int i = 0; i < 2; i++)
        th_sim_broker_start(world->servers[i].broker, false);
    assert_true(world_comes_up(world, 10 * MINUTE));
    world_run(world, 3000);
}

static void what_lies_in_lent_memory_is_forgotten_with_the_connection(void **state)
{
    (void)state;
    static const uint8_t bytes[600];

    assert_non_null(strstr(put_piece(bytes, 600, 0, 180), "\"have\":180"));
    reconnect();
    assert_non_null(strstr(put_piece(bytes, 600, 180, 180), "\"have\":360"));
    th_requests_lend(&rig.requests);
    reconnect();
    assert_non_null(strstr(put_piece(bytes, 600, 360, 180), "\"code\":409"));
    expect("Sys.GetInfo", "{}", "\"mode\":\"mqtt\"");
}

static void settings_of_one_branch_stand_together(void **state)
{
    (void)state;
    /* Config.Get opens an object for each branch once: the schema must not come back to one. */
    for (uint16_t i = 0; i < th_settings_count; i++) {
        const char *name = th_settings_schema[i].name;
        for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
            size_t len = (size_t)(dot - name) + 1;
            bool left = false;
            for (uint16_t j = i; j < th_settings_count; j++) {
                bool in = strncmp(th_settings_schema[j].name, name, len) == 0;
                if (in && left)
                    fail_msg("%s stands apart from %s", th_settings_schema[j].name, name);
                left |= !in;
            }
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_device_tells_what_it_is),
        TEST(settings_are_given_as_nested_objects_without_secrets),
        TEST(a_change_is_on_trial_and_its_author_proves_it),
        TEST(a_change_that_cuts_the_device_off_is_taken_back),
        TEST(all_of_a_change_is_taken_or_none),
        TEST(whom_the_device_trusts_does_not_change_over_mqtt),
        TEST(only_one_change_is_on_trial),
        TEST(a_caller_without_a_role_gets_nothing),
        TEST(nothing_is_said_to_an_answer),
        TEST(a_restart_leaves_time_for_its_answer),
        TEST(the_mode_changes_by_request),
        TEST(a_trust_bundle_comes_in_pieces),
        TEST(a_bundle_of_a_stranger_is_refused),
        TEST(pieces_that_do_not_follow_are_refused),
        TEST(what_lies_in_lent_memory_is_forgotten_with_the_connection),
        cmocka_unit_test(settings_of_one_branch_stand_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * F1 F2 R1 I9: a person sets a blank device up, saves settings and resets it, and the power goes at
 * a flash operation, under each tear. They do what a person does: switch it on again and start
 * over. In the end the device is what they wanted, or as it was; nobody is locked out, and nothing
 * that was reset is left. Every sixth operation, all of them with THIMBLE_TEST_MODE=full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include <thimble/config_mode.h>
#include <thimble/enrol.h>

#include "certs.h"
#include "device_world.h"

#define NEVER  UINT32_MAX
#define MINUTE 60000u
#define PIECE  180

static struct device_world world;
static struct th_requests requests;
static struct th_config_mode mode;
static struct th_config_mode_arena arena;
static struct th_service services[2];
static uint8_t queue[2048], bundle_room[TH_ENROL_BUNDLE_MAX];
static struct cert device_ca, idevid_ca;

static int authorities(void **state)
{
    (void)state;
    device_ca = cert_root("Device CA");
    idevid_ca = cert_root("IDevID CA");
    return 0;
}

static int no_authorities(void **state)
{
    (void)state;
    cert_free(&device_ca);
    cert_free(&idevid_ca);
    return 0;
}

static void begin(uint64_t seed)
{
    const struct th_config_mode_options options = {.requests = &requests, .arena = &arena};

    world_begin(&world, seed, 0);
    th_requests_init(&requests, queue, sizeof queue, bundle_room, sizeof bundle_room);
    memset(&mode, 0, sizeof mode);
    th_config_mode_init(&mode, &options);
    services[0] = th_requests_service(&requests);
    services[1] = th_config_mode_service(&mode);
    world.config.services = services;
    world.config.service_count = 2;
}

/* ---- a person: false as soon as the power is gone, or something is refused ---- */

static struct th_local_client client;
static char answer[TH_LOCAL_ANSWER_MAX + 1];

static bool ask(struct th_span frame)
{
    uint8_t bytes[TH_LOCAL_FRAME_MAX], into[TH_LOCAL_ANSWER_MAX];
    struct th_rpc_moment now = {.ms = th_sim_now_ms(world.sim)};

    if (world.flash.dead || frame.len == 0)
        return false;
    memcpy(bytes, frame.at, frame.len);
    struct th_span got = th_local_session_take(th_config_mode_session(&mode), bytes, frame.len, now,
                                               into, sizeof into);
    memcpy(answer, got.at, got.len);
    answer[got.len] = '\0';
    th_sim_node_wake_in(&world.node, 0);
    return !world.flash.dead;
}

static bool prove(void)
{
    char code[TH_SETUP_CODE + 1];
    uint8_t frame[TH_LOCAL_FRAME_MAX];

    if (!th_factory_code(&world.device.factory, code)) /* it stands on the console */
        return false;
    assert_true(th_local_client_start(&client, &world.crypto, &world.board, TH_LOCAL_PAGE, code));
    return ask(th_local_client_hello(&client, true, frame, sizeof frame)) &&
           th_local_client_met(&client, th_span_str(answer)) &&
           ask(th_local_client_prove(&client, frame, sizeof frame)) &&
           th_local_client_proved(&client, th_span_str(answer));
}

static bool call(const char *method, const char *params)
{
    char inner[TH_RPC_FRAME_MAX];
    uint8_t frame[TH_LOCAL_FRAME_MAX];
    static uint8_t plain[TH_LOCAL_ANSWER_MAX];

    snprintf(inner, sizeof inner, "{\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);
    if (!ask(th_local_client_call(&client, th_span_str(inner), frame, sizeof frame)))
        return false;
    struct th_span got = th_local_client_answer(&client, th_span_str(answer), plain, sizeof plain);
    memcpy(answer, plain, got.len);
    answer[got.len] = '\0';
    return strstr(answer, "\"result\":") != NULL;
}

/* ---- the authority ---- */

static struct cert certify(struct th_span csr, const char *name, const struct cert *issuer)
{
    const uint8_t *at = csr.at;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)csr.len);

    assert_non_null(request);
    EVP_PKEY *key = X509_REQ_get_pubkey(request);
    struct cert cert = cert_make(
        &(struct cert_spec){.cn = name, .issuer = issuer, .use_key = key, .purpose = "clientAuth"});
    EVP_PKEY_free(key);
    X509_REQ_free(request);
    return cert;
}

static size_t make_bundle(struct th_span request, uint8_t *into, size_t room)
{
    struct th_enrol_request asked;
    uint8_t trust[TH_TRUST_BUNDLE_MAX];
    size_t len;

    assert_int_equal(th_enrol_request_decode(request, &asked), TH_OK);
    struct cert own = certify(asked.csr, "lamp", &device_ca);
    struct cert birth = certify(asked.birth_csr, "lamp.birth", &idevid_ca);
    size_t trust_len = world_bundle(&world, &(struct world_bundle){.sequence = 1}, trust);
    struct th_enrol_bundle bundle = {.time_s = WORLD_NOW_S,
                                     .ldevid = own.der,
                                     .idevid = birth.der,
                                     .trust = th_span_of(trust, trust_len)};
    memcpy(bundle.nonce, asked.nonce, sizeof bundle.nonce);
    assert_int_equal(
        th_enrol_bundle_encode(world.crypto.ops->hashes->sha256, &bundle, into, room, &len), TH_OK);
    cert_free(&own);
    cert_free(&birth);
    return len;
}

static bool enrol(void)
{
    uint8_t request[TH_ENROL_REQUEST_MAX + 3], bundle[4096];
    char params[400], text[PIECE / 3 * 4 + 1];

    if (!call("Enrol.Request", "{\"name\":\"lamp\"}"))
        return false;
    const char *from = strstr(answer, "\"request\":\"") + 11;
    size_t count = strcspn(from, "\"");
    int got = EVP_DecodeBlock(request, (const uint8_t *)from, (int)count);
    assert_true(got > 0);
    size_t padding = (size_t)((from[count - 1] == '=') + (from[count - 2] == '='));
    size_t len = make_bundle(th_span_of(request, (size_t)got - padding), bundle, sizeof bundle);
    for (size_t at = 0; at < len; at += PIECE) {
        size_t part = len - at < PIECE ? len - at : PIECE;
        EVP_EncodeBlock((uint8_t *)text, bundle + at, (int)part);
        snprintf(params, sizeof params, "{\"total\":%zu,\"offset\":%zu,\"data\":\"%s\"}", len, at,
                 text);
        if (!call("Enrol.Put", params))
            return false;
    }
    return true;
}

/* ---- what they do ---- */

static bool set_up(void)
{
    if (world_is_up(&world))
        return true;
    if (!prove() || !call("Enrol.Status", "{}"))
        return false;
    if (!strstr(answer, "\"enrolled\":true") && !enrol())
        return false;
    return call("Config.Set", "{\"config\":{\"wifi.sta.ssid\":\"garden\",\"wifi.sta.pass\":"
                              "\"secret words\",\"mode\":\"mqtt\"}}");
}

static bool is_set_up(void)
{
    return world_is_up(&world) && strcmp(world_setting(&world, "mode"), "mqtt") == 0 &&
           strcmp(world_setting(&world, "wifi.sta.pass"), "secret words") == 0 &&
           strcmp(th_device_id(&world.device), "lamp") == 0;
}

static bool save(void)
{
    return prove() && call("Config.Set", "{\"config\":{\"telemetry.interval_s\":\"7\","
                                         "\"wifi.sta.ssid\":\"garden\"}}");
}

static bool is_saved(void)
{
    return th_device_mode(&world.device) == TH_MODE_CONFIG &&
           strcmp(world_setting(&world, "telemetry.interval_s"), "7") == 0 &&
           strcmp(world_setting(&world, "wifi.sta.ssid"), "garden") == 0;
}

static bool reset(void)
{
    return th_device_id(&world.device)[0] == '\0' || (prove() && call("Sys.FactoryReset", "{}"));
}

static bool is_reset(void)
{
    char code[TH_SETUP_CODE + 1];

    return th_device_mode(&world.device) == TH_MODE_CONFIG &&
           th_device_id(&world.device)[0] == '\0' && !world_holds(&world, "secret words", 12) &&
           !world_holds(&world, "Device CA", 9) && th_factory_code(&world.device.factory, code);
}

static void blank(void)
{
    world_start(&world, TH_RESET_POWER_ON);
}

static uint8_t set_up_flash[128 * 1024];

static void enrolled(void)
{
    memcpy(world.flash.cells, set_up_flash, sizeof set_up_flash);
    world_start(&world, TH_RESET_POWER_ON);
    assert_true(world_comes_up(&world, MINUTE));
}

static const struct scenario {
    const char *name;
    void (*before)(void);
    bool (*act)(void);
    bool (*holds)(void);
} scenarios[] = {
    {"set-up of a blank device", blank, set_up, is_set_up},
    {"settings saved on its page", blank, save, is_saved},
    {"a reset from its page", enrolled, reset, is_reset},
};

/* ---- cutting ---- */

static bool was_cut;

/* Until it is as they want it, at most four times: each time they wait for a minute, and look. */
static void as_a_person(const struct scenario *scenario)
{
    for (int tries = 0; tries < 4 && (tries == 0 || !scenario->holds()); tries++) {
        if (world.flash.dead) {
            was_cut = true;
            sim_flash_cut(&world.flash, NEVER, SIM_TEAR_NOTHING);
            world_start(&world, TH_RESET_POWER_ON);
        }
        scenario->act();
        for (int second = 0; second < 60 && !world.flash.dead; second++) {
            if (world.restarts)
                world_start(&world, TH_RESET_REQUESTED);
            th_sim_run(world.sim, 1000);
        }
    }
}

/* False once the cut would come after the last operation. */
static bool run_one(const struct scenario *scenario, uint32_t operation, enum sim_tear tear)
{
    begin(operation * 4 + (uint32_t)tear);
    scenario->before();
    if (operation != NEVER)
        sim_flash_cut(&world.flash, world.flash.operation + operation, tear);
    was_cut = false;
    as_a_person(scenario);
    bool cut = was_cut;
    if (!scenario->holds())
        fail_msg("%s: cut at %u, tear %d", scenario->name, operation, tear);
    if (operation == NEVER && scenario->act == set_up)
        memcpy(set_up_flash, world.flash.cells, sizeof set_up_flash);
    world_end(&world);
    return cut;
}

static void a_person_gets_there_whenever_the_power_goes(void **state)
{
    (void)state;
    const char *how = getenv("THIMBLE_TEST_MODE");
    uint32_t step = how && strcmp(how, "full") == 0 ? 1 : 6;

    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        unsigned runs = 0;
        uint32_t last = 0;
        run_one(&scenarios[i], NEVER, SIM_TEAR_NOTHING);
        for (int tear = 0; tear < SIM_TEAR_KINDS; tear++) {
            uint32_t at = (uint32_t)tear % step;
            for (; run_one(&scenarios[i], at, (enum sim_tear)tear); at += step)
                runs++;
            last = at;
        }
        printf("%-28s %3u operations, %4u runs\n", scenarios[i].name, last, runs);
        assert_true(runs > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_person_gets_there_whenever_the_power_goes)};

    return cmocka_run_group_tests(tests, authorities, no_authorities);
}

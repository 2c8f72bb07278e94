/* SPDX-License-Identifier: MIT */
/*
 * The whole way in the simulated world: link, a real TLS backend, a real TLS server, the broker.
 * Each case runs over BearSSL (TLS 1.2) and OpenSSL (1.2 and 1.3).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/tls_bearssl.h>
#include <thimble/tls_openssl.h>

#include "sim_device.h"
#include "tls_front.h"

static const struct th_address at_front = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 8883};
static const struct th_address at_broker = {.family = 4, .bytes = {192, 0, 2, 9}, .port = 1883};
static const struct th_broker brokers[1] = {{.host = "broker.test"}};

static const struct way {
    const char *name;
    bool bearssl;
    int version;
} ways[] = {
    {"BearSSL, TLS 1.2", true, TLS1_2_VERSION},
    {"OpenSSL, TLS 1.2", false, TLS1_2_VERSION},
    {"OpenSSL, TLS 1.3", false, TLS1_3_VERSION},
};
#define WAY_COUNT (sizeof ways / sizeof ways[0])

#define SCRATCH_MAX 8192
#define POISON      0xA5

static struct pki pki;

struct world {
    struct th_sim *sim;
    struct th_sim_broker *broker;
    struct tls_front *front;
    struct sim_device device;
    struct th_openssl_shared shared;
    struct th_openssl openssl;
    struct th_bearssl bearssl;
    uint8_t in[TH_BEARSSL_IN(512)], out[TH_BEARSSL_OUT(512)];
    struct th_span anchors[1];
    struct th_trust trust;
    struct th_identity identity;
    struct th_tls_config tls_config;
    uint8_t session[TH_SESSION_OPENSSL];
    size_t session_len;
    _Alignas(8) uint8_t scratch[SCRATCH_MAX];
    bool lent;
};

/* ---- memory that is lent, and watched while it is not ---- */

static struct th_span take(void *ctx, size_t len)
{
    struct world *world = ctx;
    assert_false(world->lent);
    assert_true(len <= sizeof world->scratch);
    for (size_t i = 0; i < sizeof world->scratch; i++)
        assert_int_equal(world->scratch[i], POISON); /* nobody wrote to it in the meantime */
    world->lent = true;
    return th_span_of(world->scratch, len);
}

static void give_back(void *ctx)
{
    struct world *world = ctx;
    assert_true(world->lent);
    memset(world->scratch, POISON, sizeof world->scratch);
    world->lent = false;
}

static const struct th_loan_ops loan_ops = {take, give_back};

/* ---- the world ---- */

static void set_up_device(struct world *world, const struct way *way)
{
    world->anchors[0] = pki.server_ca->chain[0];
    world->trust = (struct th_trust){.anchors = world->anchors, .anchor_count = 1};
    world->identity = pki_identity(pki.device, TH_KEY_EC_P256);
    world->tls_config = (struct th_tls_config){.trust = &world->trust,
                                               .identity = &world->identity,
                                               .board = &world->device.node.board,
                                               .fragment_length = TH_FRAGMENT_512};
    struct th_link_config *config = &world->device.link_config;
    config->plaintext = false;
    config->tls = way->bearssl ? (struct th_tls){&th_tls_bearssl, &world->bearssl}
                               : (struct th_tls){&th_tls_openssl, &world->openssl};
    config->tls_config = &world->tls_config;
    config->loan.ops = &loan_ops;
    config->loan.ctx = world;
    config->session = world->session;
    config->session_room = sizeof world->session;
    config->session_len = &world->session_len;
    if (way->bearssl)
        th_bearssl_init(&world->bearssl, &th_bearssl_host, world->in, sizeof world->in, world->out,
                        sizeof world->out);
    else
        th_openssl_init(&world->openssl, &world->shared, world->in, sizeof world->in, world->out,
                        sizeof world->out);
}

static struct world *begin(const struct way *way)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    assert_true(th_openssl_shared_init(&world->shared));
    world->sim = th_sim_new(7, 0u - 1000);
    th_sim_path(world->sim, &(struct th_sim_path){.latency_min_ms = 10, .latency_max_ms = 30});
    th_sim_name(world->sim, "broker.test", &at_front, 1, 5, TH_OK);
    world->broker = th_sim_broker_new(world->sim, &at_broker);
    world->front =
        tls_front_new(world->sim, &at_front, &at_broker, pki.server, pki.device_ca, way->version);
    sim_device_init(&world->device, world->sim, 1, brokers, 1);
    memset(world->scratch, POISON, sizeof world->scratch);
    set_up_device(world, way);
    return world;
}

static void end(struct world *world)
{
    th_link_restart(&world->device.link, th_sim_now_ms(world->sim), true);
    assert_false(world->lent);
    tls_front_free(world->front);
    th_sim_broker_free(world->broker);
    th_sim_free(world->sim);
    th_openssl_shared_free(&world->shared);
    free(world);
}

static bool is_up(const struct world *world)
{
    return th_link_state(&world->device.link) == TH_LINK_UP;
}

static const struct th_tls_info *last_handshake(const struct world *world)
{
    unsigned count = sim_device_count(&world->device, TH_LINK_EVENT_TLS);
    assert_true(count > 0);
    return &sim_device_note(&world->device, TH_LINK_EVENT_TLS, count - 1)->event.u.tls.info;
}

static void come_up(struct world *world)
{
    sim_device_start(&world->device);
    th_sim_run(world->sim, 3000);
    assert_true(is_up(world));
}

static void connect_again(struct world *world, bool forget)
{
    world->device.note_count = 0;
    th_link_restart(&world->device.link, th_sim_now_ms(world->sim), forget);
    sim_device_wake(&world->device);
    th_sim_run(world->sim, 3000);
    assert_true(is_up(world));
}

static struct th_failure first_failure(const struct world *world)
{
    const struct note *failed = sim_device_note(&world->device, TH_LINK_EVENT_FAILED, 0);
    assert_non_null(failed);
    return failed->event.u.failed.failure;
}

/* ---- cases ---- */

static void a_device_comes_up_and_resumes_its_session_afterwards(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAY_COUNT; i++) {
        struct world *world = begin(&ways[i]);
        come_up(world);
        assert_int_equal(last_handshake(world)->version,
                         ways[i].version == TLS1_3_VERSION ? 0x0304 : 0x0303);
        assert_true(last_handshake(world)->client_certificate);
        assert_false(last_handshake(world)->resumed);
        for (unsigned again = 1; again <= 3; again++) {
            connect_again(world, false);
            assert_true(last_handshake(world)->resumed);
            assert_int_equal(tls_front_resumed(world->front), again);
            assert_true(sim_device_note(&world->device, TH_LINK_EVENT_MQTT, 0)
                            ->event.u.mqtt.u.connack.session_present);
        }
        connect_again(world, true); /* I11 */
        assert_false(last_handshake(world)->resumed);
        assert_int_equal(tls_front_full(world->front), 2);
        end(world);
    }
}

static void a_server_that_has_forgotten_the_session_gets_a_full_handshake(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAY_COUNT; i++) {
        struct world *world = begin(&ways[i]);
        come_up(world);
        tls_front_forget(world->front);
        connect_again(world, false);
        assert_false(last_handshake(world)->resumed);
        assert_int_equal(sim_device_count(&world->device, TH_LINK_EVENT_FAILED), 0);
        connect_again(world, false);
        assert_true(last_handshake(world)->resumed);
        end(world);
    }
}

/* Cut after so many bytes of the second connection, full or resumed; false: it was not cut. */
static bool cut_once(const struct way *way, bool up, bool resumed, uint32_t at)
{
    struct world *world = begin(way);
    come_up(world);
    world->device.note_count = 0;
    *(up ? &world->device.node.fault.cut_up : &world->device.node.fault.cut_down) = at;
    th_link_restart(&world->device.link, th_sim_now_ms(world->sim), !resumed);
    sim_device_wake(&world->device);
    th_sim_run(world->sim, 8000);
    unsigned failures = sim_device_count(&world->device, TH_LINK_EVENT_FAILED);
    assert_in_range(failures, 0, 1);
    assert_true(is_up(world));
    assert_int_equal(th_sim_broker_stats(world->broker)->violations, 0);
    if (failures == 1) {
        enum th_layer layer = th_error_layer(first_failure(world).error);
        if (layer != TH_LAYER_TCP && layer != TH_LAYER_TLS && layer != TH_LAYER_CONNACK)
            fail_msg("%s, %s, byte %u: layer %s", way->name, up ? "up" : "down", at,
                     th_layer_name(layer));
    }
    end(world);
    return failures == 1;
}

/* T14. Every byte is tried over the backends alone; here every 17th, through TLS into MQTT. */
static void a_connection_cut_anywhere_is_followed_by_one_that_stands(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAY_COUNT; i++) {
        for (int variant = 0; variant < 4; variant++) {
            uint32_t at = 1 + (uint32_t)i;
            while (cut_once(&ways[i], variant & 1, variant & 2, at))
                at += 17;
            assert_in_range(at, variant & 2 ? 150 : 600, 6000);
        }
    }
}

/* TLS 1.2 refuses within the handshake, 1.3 after it: the cause is the same. */
static void a_device_that_the_server_does_not_know_is_told_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAY_COUNT; i++) {
        struct world *world = begin(&ways[i]);
        world->identity = pki_identity(pki.server, TH_KEY_EC_P256); /* of another CA */
        sim_device_start(&world->device);
        th_sim_run(world->sim, 900);
        struct th_failure failure = first_failure(world);
        assert_string_equal(th_error_name(failure.error), "TRUST_WE_ARE_UNKNOWN");
        assert_int_equal(failure.alert, 48);
        assert_false(is_up(world));
        end(world);
    }
}

static void a_server_of_another_ca_is_refused_and_left_in_peace(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAY_COUNT; i++) {
        struct world *world = begin(&ways[i]);
        world->anchors[0] = pki.device_ca->chain[0];
        sim_device_start(&world->device);
        th_sim_run(world->sim, 600000);
        assert_string_equal(th_error_name(first_failure(world).error), "TRUST_UNKNOWN_CA");
        assert_int_equal(first_failure(world).reason_code, TH_NO_REASON_CODE);
        assert_in_range(sim_device_count(&world->device, TH_LINK_EVENT_ATTEMPT), 8, 30);
        assert_int_equal(th_sim_broker_stats(world->broker)->connects, 0);
        end(world);
    }
}

/* T13 */
static void without_entropy_no_handshake_begins(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAY_COUNT; i++) {
        struct world *world = begin(&ways[i]);
        world->device.node.entropy = TH_SIM_ENTROPY_FAILING;
        sim_device_start(&world->device);
        th_sim_run(world->sim, 900);
        assert_string_equal(th_error_name(first_failure(world).error), "TLS_ENTROPY");
        world->device.node.entropy = TH_SIM_ENTROPY_SEEDED;
        th_sim_run(world->sim, 5000);
        assert_true(is_up(world));
        end(world);
    }
}

static void a_server_that_falls_silent_anywhere_is_given_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAY_COUNT; i++) {
        for (uint32_t at = 1; at < 700; at += 87) {
            struct world *world = begin(&ways[i]);
            world->device.node.fault.silent_down = at;
            sim_device_start(&world->device);
            th_sim_run(world->sim, 120000);
            assert_true(is_up(world));
            enum th_error error = first_failure(world).error;
            assert_true(error == TH_ERR_TLS_TIMEOUT || error == TH_ERR_CONNACK_TIMEOUT ||
                        error == TH_ERR_KEEP_ALIVE_TIMEOUT);
            end(world);
        }
    }
}

static int make_certificates(void **state)
{
    (void)state;
    return pki_setup(&pki);
}

static int free_certificates(void **state)
{
    (void)state;
    pki_teardown(&pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_comes_up_and_resumes_its_session_afterwards),
        cmocka_unit_test(a_server_that_has_forgotten_the_session_gets_a_full_handshake),
        cmocka_unit_test(a_connection_cut_anywhere_is_followed_by_one_that_stands),
        cmocka_unit_test(a_device_that_the_server_does_not_know_is_told_so),
        cmocka_unit_test(a_server_of_another_ca_is_refused_and_left_in_peace),
        cmocka_unit_test(without_entropy_no_handshake_begins),
        cmocka_unit_test(a_server_that_falls_silent_anywhere_is_given_up),
    };
    return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}

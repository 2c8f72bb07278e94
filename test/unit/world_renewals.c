/* SPDX-License-Identifier: MIT */
#include "world_renewals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/base64.h"

static struct cert root;
static EVP_PKEY *another;

void world_renewals_root(void)
{
    root = cert_root("device CA");
    another = cert_key("P-256");
}

void world_renewals_end(void)
{
    cert_free(&root);
    EVP_PKEY_free(another);
}

static X509_REQ *request_of(struct th_json params)
{
    char text[600];
    uint8_t der[450];
    size_t len;
    const uint8_t *at = der;

    assert_true(th_json_string(th_json_member(params, "csr"), text, sizeof text));
    assert_true(th_base64_decode(th_span_str(text), der, sizeof der, &len));
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)len);
    assert_non_null(request);
    assert_int_equal(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)), 1); /* I2 */
    return request;
}

static void pin_of(X509_REQ *request, uint8_t pin[TH_SHA256_BYTES])
{
    unsigned char *spki = NULL;
    unsigned len = TH_SHA256_BYTES;
    int spki_len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request), &spki);

    assert_int_equal(EVP_Digest(spki, (size_t)spki_len, pin, &len, EVP_sha256(), NULL), 1);
    OPENSSL_free(spki);
}

/* The place of the certificate that this key gets. */
static size_t give(struct world_renewals *renewals, X509_REQ *request)
{
    struct device_world *world = renewals->world;
    int64_t now_s = (sim_time_now(&world->times) + world->agent_off_ms) / 1000;
    uint8_t pin[TH_SHA256_BYTES];
    size_t at = 0;

    pin_of(request, pin);
    if (renewals->mood == AGENT_REPLAYS)
        return 0;
    for (; at < WORLD_GIVEN; at++) {
        if (renewals->given[at].len > 0 && memcmp(renewals->given[at].pin, pin, sizeof pin) == 0)
            return at;
    }
    struct cert made = cert_make(&(struct cert_spec){
        .cn = renewals->mood == AGENT_GIVES_ANOTHER_NAME ? "pump" : "lamp",
        .issuer = &root,
        .use_key =
            renewals->mood == AGENT_GIVES_ANOTHER_KEY ? another : X509_REQ_get0_pubkey(request),
        .not_before_s = now_s - 600,
        .not_after_s = now_s + renewals->valid_s,
        .purpose = "clientAuth"});
    at = renewals->issued == 0 ? 0 : 1 + (renewals->issued - 1) % (WORLD_GIVEN - 1);
    renewals->issued++;
    memcpy(renewals->given[at].pin, pin, sizeof pin);
    assert_true(made.der.len <= sizeof renewals->given[at].der);
    memcpy(renewals->given[at].der, made.der.at, made.der.len);
    renewals->given[at].len = made.der.len;
    cert_free(&made);
    return at;
}

static void say(struct world_renewals *renewals, const char *text)
{
    for (int i = 0; i < 2; i++)
        th_sim_broker_publish(renewals->world->servers[i].broker, TH_SPAN("lamp/from/agent/rpc"),
                              th_span_str(text), 1);
}

static void send_pieces(struct world_renewals *renewals, size_t at, int64_t id, const char *nonce,
                        size_t room)
{
    char text[1400], data[1200];

    for (size_t sent = 0; sent < renewals->given[at].len; sent += room) {
        size_t left = renewals->given[at].len - sent, len = left < room ? left : room;
        const uint8_t *from = renewals->given[at].der + sent;

        if (renewals->mood == AGENT_STOPS_HALF_WAY && sent > 0)
            return;
        assert_true(th_base64_encode(th_span_of(from, len), data, sizeof data) > 0);
        if (renewals->mood == AGENT_BABBLES)
            snprintf(data, sizeof data, "bm8gY2VydGlmaWNhdGU=");
        snprintf(
            text, sizeof text,
            "{\"id\":%lld,\"result\":{\"nonce\":\"%s\",\"size\":%zu,\"at\":%zu,\"data\":\"%s\"}}",
            (long long)id, nonce,
            renewals->mood == AGENT_BABBLES ? (size_t)14 : renewals->given[at].len, sent, data);
        say(renewals, text);
        say(renewals, text); /* QoS 1 may bring it twice */
        if (renewals->first_answer[0] == '\0')
            memcpy(renewals->first_answer, text, sizeof text);
        if (renewals->mood == AGENT_BABBLES)
            return;
    }
}

static void refuse(struct world_renewals *renewals, int64_t id, const char *nonce)
{
    char text[300];

    snprintf(text, sizeof text,
             "{\"id\":%lld,\"error\":{\"nonce\":\"%s\",\"code\":%d,\"message\":\"%s\"}}",
             (long long)id, nonce, renewals->mood == AGENT_REFUSES ? 403 : 409,
             renewals->mood == AGENT_REFUSES ? "the device is revoked" : "the key is not new");
    say(renewals, text);
}

static void on_renewal(void *ctx, int64_t id, const char *nonce, struct th_json params)
{
    struct world_renewals *renewals = ctx;
    int64_t room = 0;

    renewals->asked++;
    assert_true(th_json_integer(th_json_member(params, "room"), &room));
    X509_REQ *request = request_of(params);
    switch (renewals->mood) {
    case AGENT_IS_AWAY: break;
    case AGENT_REPLAYS_AN_ANSWER: say(renewals, renewals->first_answer); break;
    case AGENT_REFUSES:
    case AGENT_SAYS_THE_KEY_IS_USED: refuse(renewals, id, nonce); break;
    default: send_pieces(renewals, give(renewals, request), id, nonce, (size_t)room); break;
    }
    X509_REQ_free(request);
}

void world_renewals_begin(struct world_renewals *renewals, struct device_world *world)
{
    memset(renewals, 0, sizeof *renewals);
    renewals->world = world;
    renewals->valid_s = 180 * 86400;
    th_renew_init(&renewals->renew, renewals->buffer, sizeof renewals->buffer);
    renewals->services[0] = th_renew_service(&renewals->renew);
    world->config.services = renewals->services;
    world->config.service_count = 1;
    world->on_renewal = on_renewal;
    world->renewal_ctx = renewals;
    world->checks_us = true;
}

void world_renews_now(struct world_renewals *renewals)
{
    struct device_world *world = renewals->world;

    assert_int_equal(th_renew_now(&renewals->renew, th_sim_now_ms(world->sim)), TH_OK);
    th_sim_node_wake_in(&world->node, 0);
    world_run(world, 30000);
    assert_true(world_is_up(world));
    assert_int_equal(th_trial_component(&world->device.trial), TH_TRIAL_NOTHING);
    assert_true(renewals->renew.not_after_s > 0);
}

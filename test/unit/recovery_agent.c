/* SPDX-License-Identifier: MIT */
#include "recovery_agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <thimble/json.h>

#define ROOM 4096

static struct recovery_agent *present;

/* ---- certificates ---- */

static size_t certify(EVP_PKEY *key, const char *name, uint8_t *into)
{
    EVP_PKEY *signer = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    uint8_t *at = into;

    assert_true(X509_set_version(certificate, 2));
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    assert_true(X509_set_pubkey(certificate, key));
    assert_true(X509_sign(certificate, signer, EVP_sha256()) > 0);
    int len = i2d_X509(certificate, &at);
    X509_free(certificate);
    EVP_PKEY_free(signer);
    assert_true(len > 0 && len < ROOM / 2);
    return (size_t)len;
}

/* What the device asks for is a request over its key, in its name. */
static size_t certificate_for(const struct recovery_agent *agent, struct th_json params,
                              uint8_t *into)
{
    char text[ROOM];
    uint8_t der[ROOM];
    const uint8_t *at = der;

    assert_true(th_json_string(th_json_member(params, "csr"), text, sizeof text));
    int len = EVP_DecodeBlock(der, (const uint8_t *)text, (int)strlen(text));
    X509_REQ *request = d2i_X509_REQ(NULL, &at, len);
    assert_non_null(request);
    assert_int_equal(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)), 1);
    X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(request), NID_commonName, text,
                              sizeof text);
    assert_string_equal(text, "lamp");
    EVP_PKEY *other = EVP_EC_gen("P-256");
    size_t got = certify(agent->mood == RECOVERY_OTHER_KEY ? other : X509_REQ_get0_pubkey(request),
                         agent->mood == RECOVERY_OTHER_NAME ? "pump" : "lamp", into);
    EVP_PKEY_free(other);
    X509_REQ_free(request);
    if (agent->mood == RECOVERY_GARBAGE)
        memset(into + 4, 'x', got - 4);
    return got;
}

/* ---- answers ---- */

static void say(struct device_world *world, const char *text)
{
    th_sim_broker_publish(world->servers[2].broker, TH_SPAN("recover/lamp/answer"),
                          th_span_str(text), 1);
}

static void send_pieces(const struct recovery_agent *agent, struct device_world *world, int64_t id,
                        const char *nonce, struct th_json params)
{
    uint8_t der[ROOM];
    size_t len = certificate_for(agent, params, der);
    int64_t room = 0;

    assert_true(th_json_integer(th_json_member(params, "room"), &room));
    assert_true(room >= 64);
    for (size_t at = 0; at < len; at += (size_t)room) {
        size_t part = len - at < (size_t)room ? len - at : (size_t)room;
        char text[ROOM], data[ROOM];

        if (agent->mood == RECOVERY_GAPS && at == 0)
            continue;
        EVP_EncodeBlock((uint8_t *)data, der + at, (int)part);
        snprintf(
            text, sizeof text,
            "{\"id\":%lld,\"result\":{\"nonce\":\"%s\",\"size\":%zu,\"at\":%zu,\"data\":\"%.*s\"}}",
            (long long)id, nonce, agent->mood == RECOVERY_HUGE ? (size_t)60000 : len, at, 2800,
            data);
        say(world, text);
    }
}

static void answer_check(struct recovery_agent *agent, struct device_world *world, int64_t id,
                         const char *nonce, struct th_json params)
{
    char hex[2 * TH_SHA256_BYTES + 1], text[ROOM];

    assert_true(th_json_string(th_json_member(params, "sha256"), hex, sizeof hex));
    for (size_t i = 0; i < TH_SHA256_BYTES; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        agent->digest[i] = (uint8_t)byte;
    }
    agent->checks++;
    if (agent->mood == RECOVERY_REFUSES)
        snprintf(text, sizeof text,
                 "{\"id\":%lld,\"error\":{\"code\":403,\"message\":\"revoked\",\"nonce\":\"%s\"}}",
                 (long long)id, nonce);
    else
        snprintf(text, sizeof text, "{\"id\":%lld,\"result\":{\"nonce\":\"%s\",\"valid\":%s}}",
                 (long long)id, agent->mood == RECOVERY_OTHER_NONCE ? "00" : nonce,
                 agent->valid ? "true" : "false");
    if (agent->kept[0] == '\0')
        snprintf(agent->kept, sizeof agent->kept, "%.2000s", text);
    say(world, agent->mood == RECOVERY_REPLAYS ? agent->kept : text);
}

static void on_asked(struct device_world *world, struct th_span request)
{
    struct recovery_agent *agent = present;
    char method[32], nonce[40];
    struct th_json frame;
    int64_t id;
    size_t at;

    if (agent->mood == RECOVERY_SILENT)
        return;
    assert_int_equal(th_json_parse(request, &frame, &at), TH_OK);
    struct th_json params = th_json_member(frame, "params");
    assert_true(th_json_string(th_json_member(frame, "method"), method, sizeof method));
    assert_true(th_json_integer(th_json_member(frame, "id"), &id));
    assert_true(th_json_string(th_json_member(params, "nonce"), nonce, sizeof nonce));
    if (strcmp(method, "Cert.Check") == 0) {
        answer_check(agent, world, id, nonce, params);
        return;
    }
    assert_string_equal(method, "Cert.Renew");
    agent->renewals++;
    send_pieces(agent, world, id, nonce, params);
}

void recovery_agent_begin(struct recovery_agent *agent, struct device_world *world)
{
    memset(agent, 0, sizeof *agent);
    present = agent;
    world->asked = on_asked;
}

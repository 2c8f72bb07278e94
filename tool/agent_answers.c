/* SPDX-License-Identifier: MIT */
/* What a device asks by its operational certificate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "agent.h"
#include "term.h"

#define ROOM_LEAST 64
#define ROOM_USUAL 512
#define ROOM_MOST  2048
#define CSR_MAX    1024 /* bytes in DER: P-256 needs 320, RSA-2048 800 */

/* ---- time and proof ---- */

static void get_time(struct agent *agent, const struct agent_request *request)
{
    struct timespec now;
    struct agent_answer answer;
    const char *fault = agent_clock_fault(agent);
    if (fault) {
        agent_refuse(agent, request, TH_RPC_BUSY, "the agent's clock is not plausible");
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    agent_answer_begin(&answer, request);
    th_json_name(&answer.json, "time_ms");
    th_json_put_integer(&answer.json, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    agent_answer_send(agent, request, &answer);
    agent->answered++;
    agent_log(agent, "time", request->device, "told");
}

static void prove(struct agent *agent, const struct agent_request *request)
{
    struct agent_answer answer;
    agent_answer_begin(&answer, request);
    agent_answer_send(agent, request, &answer);
    agent->answered++;
    agent_log(agent, "prove", request->device, "answered: it is connected under its change");
}

/* ---- renewal ---- */

X509_REQ *agent_request_csr(struct agent *agent, const struct agent_request *request)
{
    char text[(CSR_MAX + 2) / 3 * 4 + 1];
    uint8_t der[CSR_MAX + 3];
    struct th_json csr = th_json_member(request->params, "csr");
    const uint8_t *at = der;
    int len = -1;
    if (th_json_string(csr, text, sizeof text) && strlen(text) % 4 == 0)
        len = EVP_DecodeBlock(der, (const uint8_t *)text, (int)strlen(text));
    if (len > 0)
        len -= text[strlen(text) - 1] != '=' ? 0 : text[strlen(text) - 2] != '=' ? 1 : 2;
    X509_REQ *out = len > 0 ? d2i_X509_REQ(NULL, &at, len) : NULL;
    if (out && at == der + len)
        return out;
    ERR_clear_error();
    X509_REQ_free(out);
    agent_refuse(agent, request, TH_RPC_BAD_VALUE, "csr is no certificate request in base64");
    return NULL;
}

void agent_answer_certificate(struct agent *agent, const struct agent_request *request,
                              X509 *certificate)
{
    struct bytes der = x509_der(certificate);
    int64_t room = ROOM_USUAL;
    th_json_integer(th_json_member(request->params, "room"), &room);
    room = room < ROOM_LEAST ? ROOM_LEAST : room > ROOM_MOST ? ROOM_MOST : room;
    for (size_t sent = 0; sent < der.len;) {
        struct agent_answer answer;
        uint8_t text[(ROOM_MOST + 2) / 3 * 4 + 1];
        size_t len = der.len - sent < (size_t)room ? der.len - sent : (size_t)room;
        int written = EVP_EncodeBlock(text, der.at + sent, (int)len);
        agent_answer_begin(&answer, request);
        th_json_name(&answer.json, "size");
        th_json_put_integer(&answer.json, (int64_t)der.len);
        th_json_name(&answer.json, "at");
        th_json_put_integer(&answer.json, (int64_t)sent);
        th_json_name(&answer.json, "data");
        th_json_put_string(&answer.json, th_span_of(text, (size_t)written));
        agent_answer_send(agent, request, &answer);
        sent += len;
    }
    bytes_free(&der);
}

static void renew(struct agent *agent, const struct agent_request *request)
{
    struct agent_issue issue;
    char serial[X509_SERIAL_TEXT], date[24];
    X509_REQ *csr = agent_request_csr(agent, request);
    if (!csr)
        return;
    agent_issue(agent, request->device, csr, &issue);
    X509_REQ_free(csr);
    if (!issue.certificate) {
        agent_refuse(agent, request, issue.code, issue.message);
        return;
    }
    x509_serial(issue.certificate, serial);
    agent->answered++;
    agent->issued += !issue.again;
    agent_log(agent, "renew", request->device, "%s %s, valid until %s",
              issue.again ? "told again" : "issued", serial,
              term_date(x509_not_after(issue.certificate), date));
    agent_answer_certificate(agent, request, issue.certificate);
    X509_free(issue.certificate);
}

const struct agent_method agent_methods[] = {
    {"Time.Get", AGENT_ASKS, get_time},
    {"Trial.Prove", AGENT_ASKS, prove},
    {"Cert.Renew", AGENT_ISSUES, renew},
};
const size_t agent_method_count = sizeof agent_methods / sizeof agent_methods[0];

/* SPDX-License-Identifier: MIT */
/* What a device asks by its birth certificate, on the recovery listener (I7). docs/recovery.md. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent.h"
#include "term.h"

/* 64 hexadecimal digits. */
static bool read_digest(struct th_json value, uint8_t digest[32])
{
    char text[65];
    if (!th_json_string(value, text, sizeof text) || strlen(text) != 64)
        return false;
    for (int i = 0; i < 64; i++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, text[i]);
        if (!at)
            return false;
        uint8_t digit = (uint8_t)(at - digits);
        digest[i / 2] = i % 2 ? (uint8_t)(digest[i / 2] | digit) : (uint8_t)(digit << 4);
    }
    return true;
}

static bool is_active(struct agent *agent, const struct agent_request *request)
{
    struct registry_principal row;
    if (!registry_principal(&agent->home.registry, request->device, &row) ||
        strcmp(row.kind, "device") != 0)
        agent_refuse(agent, request, TH_RPC_FORBIDDEN, "there is no device of that name");
    else if (strcmp(row.state, "active") != 0)
        agent_refuse(agent, request, TH_RPC_FORBIDDEN, "the device is revoked");
    else
        return true;
    return false;
}

/* The broker has refused it, for whatever reason. What is in force needs no successor: the broker's
 * list has expired, or its anchors are old, and a whole fleet may be asking. */
static void check(struct agent *agent, const struct agent_request *request)
{
    uint8_t digest[32];
    struct agent_answer answer;
    if (!read_digest(th_json_member(request->params, "sha256"), digest)) {
        agent_refuse(agent, request, TH_RPC_BAD_VALUE, "sha256 has 64 hexadecimal digits");
        return;
    }
    if (agent_clock_fault(agent)) {
        agent_refuse(agent, request, TH_RPC_BUSY, "the agent's clock is not plausible");
        return;
    }
    if (!is_active(agent, request))
        return;
    bool valid = registry_in_force(&agent->home.registry, request->device, digest, time(NULL));
    agent_answer_begin(&answer, request);
    th_json_name(&answer.json, "valid");
    th_json_put_bool(&answer.json, valid);
    agent_answer_send(agent, request, &answer);
    agent->answered++;
    agent_log(agent, "recover", request->device,
              valid ? "its certificate is in force: the broker refuses what it is to take"
                    : "its certificate is not in force");
}

/* As by an operational certificate. */
static void renew(struct agent *agent, const struct agent_request *request)
{
    for (size_t i = 0; i < agent_method_count; i++) {
        if (strcmp(agent_methods[i].name, "Cert.Renew") == 0)
            agent_methods[i].run(agent, request);
    }
}

void agent_take_recovery(struct agent *agent, const char *device, struct th_span payload)
{
    static const struct agent_method methods[] = {
        {"Cert.Check", AGENT_ASKS, check},
        {"Cert.Renew", AGENT_ISSUES, renew},
    };
    struct path answer = path_of("recover/%s/answer", device);
    agent_take_frame(agent, device, answer.text, methods, 2, payload);
}

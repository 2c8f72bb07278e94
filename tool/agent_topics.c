/* SPDX-License-Identifier: MIT */
/* From a topic to its handler, from a frame to its method, and back. A further topic is one more
 * row in agent_topics[]; a further method is one in its table of methods. */
#include <stdio.h>
#include <string.h>

#include "agent.h"

static void take_own(struct agent *agent, const char *device, struct th_span payload)
{
    struct path answer = path_of("%s/from/agent/rpc", device);
    agent_take_frame(agent, device, answer.text, agent_methods, agent_method_count, payload);
}

const struct agent_topic agent_topics[] = {
    {"+/to/agent/rpc", take_own},
    {"recover/+/request", agent_take_recovery},
};
const size_t agent_topic_count = sizeof agent_topics / sizeof agent_topics[0];

/* What stands for the '+', where the rest of the filter is the topic's too. */
static bool matches(const char *filter, struct th_span topic, char device[TH_CALLER_MAX + 1])
{
    const char *plus = strchr(filter, '+');
    size_t head = (size_t)(plus - filter), tail = strlen(plus + 1);
    if (topic.len <= head + tail || memcmp(topic.at, filter, head) != 0 ||
        memcmp(topic.at + topic.len - tail, plus + 1, tail) != 0)
        return false;
    size_t len = topic.len - head - tail;
    if (len > TH_CALLER_MAX || memchr(topic.at + head, '/', len))
        return false;
    memcpy(device, topic.at + head, len);
    device[len] = '\0';
    return true;
}

const struct agent_topic *agent_topic_find(struct th_span topic, char device[TH_CALLER_MAX + 1])
{
    for (size_t i = 0; i < agent_topic_count; i++) {
        if (matches(agent_topics[i].filter, topic, device))
            return &agent_topics[i];
    }
    return NULL;
}

/* ---- answers ---- */

static void publish(struct agent *agent, const struct agent_request *request, struct th_span frame)
{
    const struct th_mqtt_publish publish = {
        .topic = th_span_str(request->answer_to), .payload = frame, .qos = TH_MQTT_QOS1};
    enum th_error error = th_mqtt_publish(&agent->peer.mqtt, &publish, NULL);
    if (error != TH_OK)
        agent_log(agent, "answer", request->device, "not sent: %s; it asks again",
                  th_error_text(error));
}

static void begin(struct th_json_writer *json, const struct agent_request *request,
                  const char *member)
{
    th_json_open(json, '{');
    if (request->id.len > 0) {
        th_json_name(json, "id");
        th_json_put_raw(json, request->id);
    }
    th_json_name(json, member);
    th_json_open(json, '{');
    th_json_name(json, "nonce");
    th_json_put_string(json, th_span_str(request->nonce));
}

void agent_answer_begin(struct agent_answer *answer, const struct agent_request *request)
{
    answer->json = th_json_writer_of(answer->bytes, sizeof answer->bytes);
    begin(&answer->json, request, "result");
}

void agent_answer_send(struct agent *agent, const struct agent_request *request,
                       struct agent_answer *answer)
{
    th_json_close(&answer->json, '}');
    th_json_close(&answer->json, '}');
    publish(agent, request, th_json_written(&answer->json));
}

void agent_refuse(struct agent *agent, const struct agent_request *request, int code,
                  const char *message)
{
    struct agent_answer answer = {.json = th_json_writer_of(answer.bytes, sizeof answer.bytes)};
    begin(&answer.json, request, "error");
    th_json_name(&answer.json, "code");
    th_json_put_integer(&answer.json, code);
    th_json_name(&answer.json, "message");
    th_json_put_string(&answer.json, th_span_str(message));
    agent->refused++;
    agent_log(agent, request->method[0] ? request->method : "request", request->device,
              "refused (%d): %s", code, message);
    agent_answer_send(agent, request, &answer);
}

/* ---- requests ---- */

static bool plain(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return false;
    }
    return true;
}

/* Why a frame is none that can be answered with a result; NULL when it is one. */
static const char *read_frame(struct th_span payload, struct agent_request *request, char *method,
                              size_t room)
{
    struct th_json frame;
    size_t at;
    if (payload.len > AGENT_FRAME_MAX)
        return "it is too large";
    if (th_json_parse(payload, &frame, &at) != TH_OK || frame.kind != TH_JSON_OBJECT)
        return "it is no JSON object";
    struct th_json id = th_json_member(frame, "id");
    if ((id.kind == TH_JSON_NUMBER || id.kind == TH_JSON_STRING) && id.text.len <= TH_RPC_ID_MAX)
        request->id = id.text;
    request->params = th_json_member(frame, "params");
    struct th_json nonce = th_json_member(request->params, "nonce");
    if (!th_json_string(nonce, request->nonce, sizeof request->nonce) || !plain(request->nonce))
        request->nonce[0] = '\0';
    if (!th_json_string(th_json_member(frame, "method"), method, room) || !plain(method)) {
        method[0] = '\0';
        return "it names no method";
    }
    return request->nonce[0] ? NULL : "its parameters have no nonce of 1 to 64 characters";
}

/* True when the request may go on. Too many questions are passed over; who asks for too many
 * certificates is told, so that it waits. */
static bool within_limits(struct agent *agent, const struct agent_request *request,
                          enum agent_class what)
{
    bool said;
    enum agent_pace pace =
        agent_limits_take(&agent->limits, request->device, what, agent_monotonic_ms(), &said);
    if (pace == AGENT_PACE_OK)
        return true;
    if (said && what == AGENT_ASKS)
        agent_log(agent, "limit", request->device, "asks too often; passed over for a while");
    if (what == AGENT_ISSUES)
        agent_refuse(agent, request, 429,
                     pace == AGENT_PACE_DEVICE ? "too many requests of this device; ask later"
                                               : "too many requests at once; ask later");
    return false;
}

void agent_take_frame(struct agent *agent, const char *device, const char *answer_to,
                      const struct agent_method *methods, size_t count, struct th_span payload)
{
    char method[32] = "";
    struct agent_request request = {.device = device, .answer_to = answer_to, .method = method};
    const char *fault = read_frame(payload, &request, method, sizeof method);
    const struct agent_method *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(methods[i].name, method) == 0)
            found = &methods[i];
    }
    /* What is no request at all counts against the device like a question. */
    if (!within_limits(agent, &request, found && !fault ? found->limit : AGENT_ASKS))
        return;
    if (fault)
        agent_refuse(agent, &request, TH_RPC_BAD_REQUEST, fault);
    else if (!found)
        agent_refuse(agent, &request, TH_RPC_NOT_FOUND, "the agent has no such method");
    else
        found->run(agent, &request);
}

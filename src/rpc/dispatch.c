/* SPDX-License-Identifier: MIT */
/* A frame to its method, with the caller's rights, and the answer back. */
#include "base/off_stack.h"
#include "rpc/parts.h"

void th_rpc_init(struct th_rpc *rpc, struct th_span device)
{
    memset(rpc, 0, sizeof *rpc);
    rpc->device = device;
}

bool th_rpc_add(struct th_rpc *rpc, const struct th_rpc_set *set)
{
    if (rpc->set_count == TH_RPC_SETS_MAX)
        return false;
    rpc->sets[rpc->set_count++] = set;
    return true;
}

void th_rpc_fail(struct th_rpc_call *call, enum th_rpc_code code, const char *message)
{
    call->code = code;
    call->message = message;
}

static OFF_THE_STACK const struct th_rpc_method *find(const struct th_rpc *rpc, struct th_json name,
                                                      void **ctx)
{
    char text[32];

    if (!th_json_string(name, text, sizeof text))
        return NULL;
    for (unsigned s = 0; s < rpc->set_count; s++) {
        for (unsigned m = 0; m < rpc->sets[s]->count; m++) {
            if (strcmp(rpc->sets[s]->methods[m].name, text) == 0) {
                *ctx = rpc->sets[s]->ctx;
                return &rpc->sets[s]->methods[m];
            }
        }
    }
    return NULL;
}

/* ---- the answer ---- */

static OFF_THE_STACK struct th_json_writer begin_answer(const struct th_rpc *rpc,
                                                        const struct th_rpc_frame *frame,
                                                        const struct th_rpc_caller *caller,
                                                        uint8_t *into, size_t room)
{
    struct th_json_writer writer = th_json_writer_of(into, room);

    th_json_open(&writer, '{');
    th_json_name(&writer, "id");
    th_json_put_raw(&writer, th_rpc_wants_answer(frame) ? frame->id.text : TH_SPAN("null"));
    th_json_name(&writer, "src");
    th_json_put_string(&writer, rpc->device);
    th_json_name(&writer, "dst");
    if (frame->src.kind == TH_JSON_STRING)
        th_json_put_raw(&writer, frame->src.text);
    else
        th_json_put_string(&writer, caller->name);
    if (frame->tag.kind != TH_JSON_NONE) {
        th_json_name(&writer, "tag");
        th_json_put_raw(&writer, frame->tag.text);
    }
    return writer;
}

static OFF_THE_STACK void put_error(struct th_json_writer *writer, enum th_rpc_code code,
                                    const char *message)
{
    th_json_name(writer, "error");
    th_json_open(writer, '{');
    th_json_name(writer, "code");
    th_json_put_integer(writer, code);
    th_json_name(writer, "message");
    th_json_put_string(writer, th_span_str(message));
    th_json_close(writer, '}');
}

/* ---- one call ---- */

bool rpc_role_allows(const struct th_rpc_method *method, enum th_role role)
{
    if (role == TH_ROLE_AGENT)
        return method->role <= TH_ROLE_VIEWER || method->role == TH_ROLE_AGENT;
    if (method->role == TH_ROLE_AGENT)
        return false;
    return role >= (enum th_role)method->role;
}

/* A repeat of an answered nonce; false when there is none. */
static OFF_THE_STACK bool repeated(const struct th_rpc *rpc, const struct th_rpc_frame *frame,
                                   const struct th_rpc_caller *caller, struct th_rpc_call *call)
{
    if (!call->method->acts || !frame->nonce[0])
        return false;
    const struct th_rpc_kept *kept = rpc_kept_find(rpc, caller->name, frame->nonce);
    if (!kept)
        return false;
    if (kept->code != TH_RPC_OK)
        th_rpc_fail(call, (enum th_rpc_code)kept->code, kept->message);
    else
        th_json_put_raw(call->result, th_span_of(kept->result, kept->len));
    return true;
}

static void run(struct th_rpc *rpc, const struct th_rpc_frame *frame,
                const struct th_rpc_caller *caller, struct th_rpc_call *call, void *ctx)
{
    uint8_t *from = call->result->at;

    if (!rpc_params_take(call, frame->params))
        return;
    call->method->run(ctx, call);
    if (call->code == TH_RPC_OK && call->result->failed)
        th_rpc_fail(call, TH_RPC_TOO_LARGE, "the answer has no room; ask for less, or again later");
    if (!call->method->acts || !frame->nonce[0])
        return;
    struct th_span result = th_span_of(from, (size_t)(call->result->at - from));
    if (call->code == TH_RPC_OK && result.len > TH_RPC_KEPT_MAX)
        th_rpc_fail(call, TH_RPC_INTERNAL, "the method's answer is too long to be kept");
    rpc_kept_add(rpc, caller->name, frame->nonce, call, result);
}

/* Whoever sets an end wants nothing done after it: without a clock that can be trusted, refused. */
static bool in_time(const struct th_rpc_frame *frame, struct th_rpc_call *call)
{
    if (frame->expires_s == 0 || !call->method->acts)
        return true;
    if (call->now.utc_s == 0)
        th_rpc_fail(call, TH_RPC_CONFLICT,
                    "expires cannot be judged: the clock is not trusted yet");
    else if (call->now.utc_s >= frame->expires_s)
        th_rpc_fail(call, TH_RPC_LATE, "the request came after its expires");
    return call->code == TH_RPC_OK;
}

static void act(struct th_rpc *rpc, const struct th_rpc_frame *frame,
                const struct th_rpc_caller *caller, struct th_rpc_call *call)
{
    void *ctx = NULL;

    if (frame->code != TH_RPC_OK) {
        th_rpc_fail(call, frame->code, frame->message);
        return;
    }
    if (caller->role == TH_ROLE_NONE) {
        th_rpc_fail(call, TH_RPC_FORBIDDEN, "the device's trust set does not know this caller");
        return;
    }
    call->method = find(rpc, frame->method, &ctx);
    if (!call->method)
        th_rpc_fail(call, TH_RPC_NOT_FOUND, "no such method; see Rpc.List");
    else if (!rpc_role_allows(call->method, caller->role))
        th_rpc_fail(call, TH_RPC_FORBIDDEN, "the caller's role does not allow this method");
    else if (!repeated(rpc, frame, caller, call) && in_time(frame, call))
        run(rpc, frame, caller, call, ctx);
}

struct th_span th_rpc_handle(struct th_rpc *rpc, const struct th_rpc_frame *frame,
                             const struct th_rpc_caller *caller, struct th_rpc_moment now,
                             uint8_t *into, size_t room)
{
    struct th_json_writer writer = begin_answer(rpc, frame, caller, into, room);
    struct th_json_writer before = writer;
    struct th_rpc_call call = {.caller = caller->name,
                               .role = caller->role,
                               .here = caller->here,
                               .now = now,
                               .result = &writer};

    th_json_name(&writer, "result");
    /* The closing brace must fit behind any result. */
    writer.end -= room > 0;
    act(rpc, frame, caller, &call);
    if (rpc->heard)
        rpc->heard(rpc->heard_ctx, &call);
    if (call.code != TH_RPC_OK) {
        writer = before;
        put_error(&writer, call.code, call.message);
    }
    writer.end = into + room;
    th_json_close(&writer, '}');
    return th_json_written(&writer);
}

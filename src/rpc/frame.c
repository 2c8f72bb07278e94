/* SPDX-License-Identifier: MIT */
/* Bytes into a frame. What is wrong with it is an answer, not a failure. */
#include <thimble/rpc.h>

static void refuse(struct th_rpc_frame *frame, enum th_rpc_code code, const char *message)
{
    if (frame->code == TH_RPC_OK) {
        frame->code = code;
        frame->message = message;
    }
}

/* What can be echoed as it stands: clients match answers by it. */
static bool echoes(struct th_json value)
{
    int64_t number;

    return value.text.len <= TH_RPC_ID_MAX &&
           (value.kind == TH_JSON_STRING || th_json_integer(value, &number));
}

static void read_id(struct th_rpc_frame *frame, struct th_json object)
{
    frame->id = th_json_member(object, "id");
    if (frame->id.kind != TH_JSON_NONE && !echoes(frame->id)) {
        frame->id = (struct th_json){.kind = TH_JSON_NULL, .text = TH_SPAN("null")};
        refuse(frame, TH_RPC_BAD_REQUEST, "id is neither an integer nor a short string");
    }
    frame->tag = th_json_member(object, "tag");
    if (frame->tag.kind != TH_JSON_NONE && !echoes(frame->tag)) {
        frame->tag = (struct th_json){.kind = TH_JSON_NONE};
        refuse(frame, TH_RPC_BAD_REQUEST, "tag is neither an integer nor a short string");
    }
}

static void read_params(struct th_rpc_frame *frame, struct th_json object)
{
    struct th_json args = th_json_member(object, "args");

    frame->params = th_json_member(object, "params");
    if (frame->params.kind == TH_JSON_NONE)
        frame->params = args;
    else if (args.kind != TH_JSON_NONE)
        refuse(frame, TH_RPC_BAD_REQUEST, "both params and args");
    if (frame->params.kind == TH_JSON_NULL)
        frame->params.kind = TH_JSON_NONE;
    if (frame->params.kind != TH_JSON_NONE && frame->params.kind != TH_JSON_OBJECT)
        refuse(frame, TH_RPC_BAD_REQUEST, "params is not an object");
}

static void read_nonce(struct th_rpc_frame *frame, struct th_json object)
{
    struct th_json nonce = th_json_member(object, "nonce");

    if (nonce.kind != TH_JSON_NONE &&
        (!th_json_string(nonce, frame->nonce, sizeof frame->nonce) || !frame->nonce[0])) {
        frame->nonce[0] = '\0';
        refuse(frame, TH_RPC_BAD_REQUEST, "nonce is not a string of 1 to 32 characters");
    }
}

static void read_src(struct th_rpc_frame *frame, struct th_json object)
{
    frame->src = th_json_member(object, "src");
    if (frame->src.kind == TH_JSON_NONE)
        return;
    if (frame->src.kind != TH_JSON_STRING || frame->src.text.len > TH_RPC_SRC_MAX) {
        frame->src = (struct th_json){.kind = TH_JSON_NONE};
        refuse(frame, TH_RPC_BAD_REQUEST, "src is not a short string");
    }
}

static void read_expires(struct th_rpc_frame *frame, struct th_json object)
{
    struct th_json expires = th_json_member(object, "expires");

    if (expires.kind != TH_JSON_NONE &&
        (!th_json_integer(expires, &frame->expires_s) || frame->expires_s <= 0)) {
        frame->expires_s = 0;
        refuse(frame, TH_RPC_BAD_REQUEST, "expires is not a number of seconds since 1970");
    }
}

void th_rpc_read(struct th_span bytes, struct th_rpc_frame *frame)
{
    struct th_json object;
    size_t at;

    *frame = (struct th_rpc_frame){.code = TH_RPC_OK};
    /* An answer to what cannot be read has no id to be matched by; it still tells a person why. */
    frame->id = (struct th_json){.kind = TH_JSON_NULL, .text = TH_SPAN("null")};
    if (bytes.len > TH_RPC_FRAME_MAX) {
        th_rpc_too_large(frame);
        return;
    }
    if (th_json_parse(bytes, &object, &at) != TH_OK || object.kind != TH_JSON_OBJECT) {
        refuse(frame, TH_RPC_BAD_REQUEST, "the request is not a JSON object (RFC 8259)");
        return;
    }
    read_id(frame, object);
    read_src(frame, object);
    frame->method = th_json_member(object, "method");
    frame->is_answer = frame->method.kind == TH_JSON_NONE &&
                       (th_json_member(object, "result").kind != TH_JSON_NONE ||
                        th_json_member(object, "error").kind != TH_JSON_NONE);
    if (frame->method.kind != TH_JSON_STRING)
        refuse(frame, TH_RPC_BAD_REQUEST, "method is missing or not a string");
    read_params(frame, object);
    read_nonce(frame, object);
    read_expires(frame, object);
}

void th_rpc_too_large(struct th_rpc_frame *frame)
{
    *frame = (struct th_rpc_frame){.id = {.kind = TH_JSON_NULL, .text = TH_SPAN("null")},
                                   .code = TH_RPC_TOO_LARGE,
                                   .message = "the request is larger than 1024 bytes"};
}

bool th_rpc_wants_answer(const struct th_rpc_frame *frame)
{
    return frame->id.kind != TH_JSON_NONE && !frame->is_answer;
}

/* SPDX-License-Identifier: MIT */
/* Frames from clients of old that have no session: the set-up code comes along in clear text. */
#include <thimble/local.h>

#include "base/base64.h"
#include "base/wipe.h"

#define BASIC_MAX 96 /* bytes of name, ':' and code */

/* "Basic " and base64 of name:code (RFC 7617), into `into`; the name says nothing. */
static bool read_basic(struct th_span field, uint8_t into[BASIC_MAX], struct th_span *code)
{
    static const char scheme[] = "basic ";
    size_t len = 0;

    if (field.len < sizeof scheme - 1)
        return false;
    for (size_t i = 0; i < sizeof scheme - 1; i++) {
        if ((field.at[i] | 0x20) != (uint8_t)scheme[i])
            return false;
    }
    field = th_span_of(field.at + sizeof scheme - 1, field.len - (sizeof scheme - 1));
    *code = th_span_of(NULL, 0);
    /* What is no such field, or too long, is a code that is wrong. */
    bool ok = th_base64_decode(field, into, BASIC_MAX, &len);
    const uint8_t *colon = ok && len > 0 ? memchr(into, ':', len) : NULL;
    *code = colon ? th_span_of(colon + 1, len - (size_t)(colon + 1 - into)) : TH_SPAN("?");
    return true;
}

static struct th_span refused(const struct th_rpc_frame *frame, enum th_local_code found,
                              uint8_t *into, size_t room)
{
    struct th_json_writer json = th_json_writer_of(into, room);
    bool wait = found == TH_LOCAL_CODE_WAIT;

    th_json_open(&json, '{');
    th_json_name(&json, "id");
    th_json_put_raw(&json, frame->id.text.len > 0 ? frame->id.text : TH_SPAN("null"));
    th_json_name(&json, "error");
    th_json_open(&json, '{');
    th_json_name(&json, "code");
    th_json_put_integer(&json, wait ? TH_RPC_WAIT : TH_RPC_UNPROVED);
    th_json_name(&json, "message");
    th_json_put_string(&json, wait ? TH_SPAN("too many wrong codes; wait, then try again")
                                   : TH_SPAN("the set-up code is wrong"));
    th_json_close(&json, '}');
    th_json_close(&json, '}');
    return th_json_written(&json);
}

struct th_span th_local_session_clear(struct th_local_session *session, struct th_span field,
                                      struct th_span bytes, struct th_rpc_moment now, uint8_t *into,
                                      size_t room)
{
    static const struct th_rpc_caller caller = {{(const uint8_t *)"local", 5}, TH_ROLE_ADMIN, true};
    uint8_t basic[BASIC_MAX];
    struct th_span code, answer;

    if (!read_basic(field, basic, &code))
        return th_span_of(NULL, 0);
    enum th_local_code found = th_local_session_code(session, code, now.ms);
    th_wipe(basic, sizeof basic);
    if (bytes.len > TH_RPC_FRAME_MAX)
        th_rpc_too_large(&session->frame);
    else
        th_rpc_read(bytes, &session->frame);
    if (found == TH_LOCAL_CODE_RIGHT)
        answer = th_rpc_handle(session->config->rpc, &session->frame, &caller, now, into, room);
    else
        answer = refused(&session->frame, found, into, room);
    th_wipe(&session->frame, sizeof session->frame);
    return answer;
}

/* SPDX-License-Identifier: MIT */
#include <thimble/rpc_serial.h>

void th_rpc_serial_init(struct th_rpc_serial *front, struct th_rpc *rpc, enum th_role role)
{
    front->rpc = rpc;
    front->role = role;
    front->local = NULL;
    front->len = 0;
    front->too_long = false;
}

void th_rpc_serial_local(struct th_rpc_serial *front, struct th_local_session *local)
{
    front->local = local;
}

static bool is_for_session(struct th_span line)
{
    static const char begin[] = "\"Session.";
    struct th_json object;
    size_t at;

    if (th_json_parse(line, &object, &at) != TH_OK)
        return false;
    struct th_span method = th_json_member(object, "method").text;
    return method.len >= sizeof begin - 1 && memcmp(method.at, begin, sizeof begin - 1) == 0;
}

struct th_span th_rpc_serial_take(struct th_rpc_serial *front, uint8_t byte,
                                  struct th_rpc_moment now, uint8_t *into, size_t room)
{
    const struct th_rpc_caller caller = {TH_SPAN("console"), front->role, true};
    struct th_rpc_frame frame;

    if (byte != '\n' && byte != '\r') {
        if (front->len < sizeof front->line)
            front->line[front->len++] = byte;
        else
            front->too_long = true;
        return th_span_of(into, 0);
    }
    struct th_span line = th_span_of(front->line, front->len);
    bool too_long = front->too_long;

    front->len = 0;
    front->too_long = false;
    if (line.len == 0 || line.at[0] != '{')
        return th_span_of(into, 0);
    if (!too_long && front->local && is_for_session(line))
        return th_local_session_take(front->local, front->line, line.len, now, into, room);
    if (too_long)
        th_rpc_too_large(&frame);
    else
        th_rpc_read(line, &frame);
    struct th_span answer = th_rpc_handle(front->rpc, &frame, &caller, now, into, room);
    return th_rpc_wants_answer(&frame) ? answer : th_span_of(into, 0);
}

/* SPDX-License-Identifier: MIT */
/* Parameters against the method's table, before the method sees them. */
#include "rpc/parts.h"

static bool text_fits(struct th_json value, const struct th_rpc_param *param)
{
    char text[TH_RPC_TEXT_MAX + 1];

    if (!th_json_string(value, text, sizeof text))
        return false;
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7F)
            return false;
    }
    return (int32_t)len >= param->min && (int32_t)len <= param->max;
}

static bool fits(struct th_json value, const struct th_rpc_param *param)
{
    int64_t number;

    switch (param->type) {
    case TH_RPC_INTEGER:
        return th_json_integer(value, &number) && number >= param->min && number <= param->max;
    case TH_RPC_BOOL: return value.kind == TH_JSON_TRUE || value.kind == TH_JSON_FALSE;
    case TH_RPC_TEXT: return text_fits(value, param);
    default: return value.kind == TH_JSON_OBJECT;
    }
}

/* The place of the name in the table; param_count when it is not there. */
static unsigned place_of(const struct th_rpc_method *method, struct th_json name)
{
    char text[24];

    if (!th_json_string(name, text, sizeof text))
        return method->param_count;
    for (unsigned i = 0; i < method->param_count; i++) {
        if (strcmp(text, method->params[i].name) == 0)
            return i;
    }
    return method->param_count;
}

/* A name nobody knows is refused: `{"secnods":5}` must not open a valve for the default time. */
static bool take(struct th_rpc_call *call, struct th_json params)
{
    const struct th_rpc_method *method = call->method;
    struct th_json name, value;

    for (size_t at = 0; th_json_next(params, &at, &name, &value);) {
        unsigned place = place_of(method, name);
        if (place == method->param_count) {
            th_rpc_fail(call, TH_RPC_BAD_VALUE, "a parameter has a name the method does not know");
            return false;
        }
        if (!fits(value, &method->params[place])) {
            th_rpc_fail(call, TH_RPC_BAD_VALUE,
                        "a parameter is of the wrong type or out of range; see Rpc.Describe");
            return false;
        }
        call->params[place] = value;
    }
    return true;
}

bool rpc_params_take(struct th_rpc_call *call, struct th_json params)
{
    if (params.kind != TH_JSON_NONE && !take(call, params))
        return false;
    for (unsigned i = 0; i < call->method->param_count; i++) {
        if (call->method->params[i].required && call->params[i].kind == TH_JSON_NONE) {
            th_rpc_fail(call, TH_RPC_BAD_VALUE, "a parameter is missing; see Rpc.Describe");
            return false;
        }
    }
    return true;
}

int32_t th_rpc_integer(const struct th_rpc_call *call, unsigned n, int32_t otherwise)
{
    int64_t number;

    return th_json_integer(call->params[n], &number) ? (int32_t)number : otherwise;
}

bool th_rpc_bool(const struct th_rpc_call *call, unsigned n, bool otherwise)
{
    return call->params[n].kind == TH_JSON_NONE ? otherwise : call->params[n].kind == TH_JSON_TRUE;
}

void th_rpc_text(const struct th_rpc_call *call, unsigned n, char *into, size_t room)
{
    if (!th_json_string(call->params[n], into, room) && room > 0)
        into[0] = '\0';
}

/* SPDX-License-Identifier: MIT */
/* Rpc.List and Rpc.Describe: what the device can be asked, read from the tables themselves. */
#include "rpc/parts.h"

static const char *const type_names[] = {
    [TH_RPC_INTEGER] = "integer",
    [TH_RPC_BOOL] = "boolean",
    [TH_RPC_TEXT] = "string",
    [TH_RPC_OBJECT] = "object",
};

static const char *const role_names[] = {
    [TH_ROLE_NONE] = "none",   [TH_ROLE_VIEWER] = "viewer", [TH_ROLE_OPERATOR] = "operator",
    [TH_ROLE_ADMIN] = "admin", [TH_ROLE_AGENT] = "agent",   [TH_ROLE_LOCAL] = "local",
};

static void list(void *ctx, struct th_rpc_call *call)
{
    const struct th_rpc *rpc = ctx;

    th_json_open(call->result, '[');
    for (unsigned s = 0; s < rpc->set_count; s++) {
        for (unsigned m = 0; m < rpc->sets[s]->count; m++) {
            if (rpc_role_allows(&rpc->sets[s]->methods[m], call->role))
                th_json_put_string(call->result, th_span_str(rpc->sets[s]->methods[m].name));
        }
    }
    th_json_close(call->result, ']');
}

static void put_param(struct th_json_writer *into, const struct th_rpc_param *param)
{
    th_json_name(into, param->name);
    th_json_open(into, '{');
    th_json_name(into, "type");
    th_json_put_string(into, th_span_str(type_names[param->type]));
    th_json_name(into, "required");
    th_json_put_bool(into, param->required);
    if (param->type == TH_RPC_INTEGER || param->type == TH_RPC_TEXT) {
        th_json_name(into, param->type == TH_RPC_TEXT ? "minLength" : "minimum");
        th_json_put_integer(into, param->min);
        th_json_name(into, param->type == TH_RPC_TEXT ? "maxLength" : "maximum");
        th_json_put_integer(into, param->max);
    }
    th_json_name(into, "help");
    th_json_put_string(into, th_span_str(param->help));
    th_json_close(into, '}');
}

static void put_method(struct th_json_writer *into, const struct th_rpc_method *method)
{
    th_json_open(into, '{');
    th_json_name(into, "name");
    th_json_put_string(into, th_span_str(method->name));
    th_json_name(into, "role");
    th_json_put_string(into, th_span_str(role_names[method->role]));
    th_json_name(into, "help");
    th_json_put_string(into, th_span_str(method->help));
    th_json_name(into, "params");
    th_json_open(into, '{');
    for (unsigned i = 0; i < method->param_count; i++)
        put_param(into, &method->params[i]);
    th_json_close(into, '}');
    th_json_close(into, '}');
}

static void describe(void *ctx, struct th_rpc_call *call)
{
    const struct th_rpc *rpc = ctx;
    char name[32];

    th_rpc_text(call, 0, name, sizeof name);
    for (unsigned s = 0; s < rpc->set_count; s++) {
        for (unsigned m = 0; m < rpc->sets[s]->count; m++) {
            if (strcmp(rpc->sets[s]->methods[m].name, name) == 0) {
                put_method(call->result, &rpc->sets[s]->methods[m]);
                return;
            }
        }
    }
    th_rpc_fail(call, TH_RPC_NOT_FOUND, "no such method; see Rpc.List");
}

static const struct th_rpc_param name_param[] = {
    {"name", TH_RPC_TEXT, true, 1, 31, "name of a method"},
};

const struct th_rpc_method th_rpc_methods[TH_RPC_METHODS] = {
    {.name = "Rpc.List",
     .role = TH_ROLE_VIEWER,
     .help = "The methods the caller may call.",
     .run = list},
    {.name = "Rpc.Describe",
     .role = TH_ROLE_VIEWER,
     .params = name_param,
     .param_count = 1,
     .help = "A method's parameters, role and purpose.",
     .run = describe},
};

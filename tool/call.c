/* SPDX-License-Identifier: MIT */
/* thimble call: one request to a device, and its answer. The frame and its codes: docs/rpc.md. */
#include <stdio.h>
#include <string.h>

#include <thimble/rpc.h>

#include "ask.h"
#include "commands.h"
#include "exits.h"
#include "json_show.h"
#include "term.h"

static int show(const struct ask *ask, const struct th_json *frame)
{
    (void)ask;
    if (term.json)
        json_show(stdout, *frame, false);
    else
        json_show(stdout, th_json_member(*frame, "result"), term.colour_out);
    return EXIT_OK;
}

static const struct usage usage = {
    "call", "DEVICE METHOD [PARAMS]", "Asks a device for something and prints its answer.",
    "PARAMS is a JSON object. A request carries a nonce, so that a repetition after a lost\n"
    "connection does not act twice. Examples:\n"
    "  thimble call garden Rpc.List\n"
    "  thimble call garden Rpc.Describe '{\"name\":\"Zone.On\"}'\n"
    "  thimble call --as alice garden Zone.On '{\"zone\":2,\"seconds\":120}'"};

static int check(struct ask *call, const struct words *rest)
{
    struct th_json params;
    size_t at;

    if (rest->count < 2 || rest->count > 3)
        return fail(EXIT_USAGE, "call needs a device and a method\nthimble call garden Rpc.List");
    call->device = rest->at[0];
    call->method = rest->at[1];
    call->params = rest->count == 3 ? rest->at[2] : "{}";
    if (th_json_parse(th_span_str(call->params), &params, &at) != TH_OK)
        return fail(EXIT_USAGE,
                    "the parameters are not JSON, from character %zu on\n"
                    "thimble call %s %s '{\"name\":1}'",
                    at + 1, call->device, call->method);
    if (params.kind != TH_JSON_OBJECT)
        return fail(EXIT_USAGE,
                    "the parameters are not a JSON object\nthimble call %s %s "
                    "'{\"name\":1}'",
                    call->device, call->method);
    if (strlen(call->params) > TH_RPC_FRAME_MAX - 256)
        return fail(EXIT_USAGE, "the parameters have more than %d bytes\nask in several requests",
                    TH_RPC_FRAME_MAX - 256);
    return requester_user(&call->flags);
}

static int take(struct ask *call, int argc, char **argv)
{
    struct words rest = {0};
    const struct option own[] = {
        {'W', NULL, "SECONDS", "wait so long for the answer [10]", OPTION_NUMBER, &call->wait_s, 1,
         86400},
        OPTION_ROW_JSON,
    };
    struct option options[PEER_OPTIONS_MAX];

    peer_flags_init(&call->flags);
    call->wait_s = 10;
    call->show = show;
    size_t count = options_append(options, 0, own, sizeof own / sizeof own[0]);
    count = peer_options_mqtt(options, count, &call->flags);
    count = peer_options_tls(options, count, &call->flags);
    int code = options_take(&usage, options, count, argc, argv, &rest);
    return code == OPTION_GO_ON ? check(call, &rest) : code;
}

int call_main(int argc, char **argv)
{
    struct ask call = {0};
    int code = take(&call, argc, argv);

    return code == OPTION_GO_ON ? ask_run(&call) : code;
}

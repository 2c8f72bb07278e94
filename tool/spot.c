/* SPDX-License-Identifier: MIT */
#include "spot.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "exits.h"
#include "term.h"

void spot_options(struct spot_flags *flags, struct option rows[SPOT_ROWS])
{
    const struct option all[SPOT_ROWS] = {
        {0, "serial", "TERMINAL", "over the device's serial console, such as /dev/ttyUSB0",
         OPTION_TEXT, &flags->serial, 0, 0},
        {0, "code", "CODE", "its code; others on this machine can see it here", OPTION_TEXT,
         &flags->code, 0, 0},
        {0, "code-file", "FILE", "the same, in the first line of a file [asked for]", OPTION_TEXT,
         &flags->code_file, 0, 0},
        {0, "take", NULL, "end the session of somebody who is on its page now", OPTION_FLAG,
         &flags->take, 0, 0},
    };
    memcpy(rows, all, sizeof all);
}

/* ---- the code ---- */

static int take_code(const struct spot_flags *flags, char code[TH_SETUP_CODE + 1])
{
    char typed[PASS_MAX + 1] = "";
    int result = EXIT_OK;
    if (flags->code)
        snprintf(typed, sizeof typed, "%s", flags->code);
    else
        result = pass_take(flags->code_file, "Set-up code of the device: ", false,
                           "put it into a file: --code-file FILE", typed);
    if (result == EXIT_OK && !th_setup_code_parse(th_span_str(typed), code))
        result = fail(EXIT_INPUT, "a set-up code is 16 letters and digits, such as "
                                  "0123-4567-89AB-CDEF\nlook at the label, or the device's "
                                  "console at its first start");
    OPENSSL_cleanse(typed, sizeof typed);
    return result;
}

/* ---- asking ---- */

static int ask(struct spot *spot, struct th_span frame, struct th_span *answer)
{
    if (frame.len == 0)
        return fail(EXIT_FAILED, "no random numbers or memory\nend other programs");
    return spot->way.fd < 0 ? spot_http_ask(&spot->way, frame, answer)
                            : spot_serial_ask(&spot->way, frame, answer);
}

static int64_t number_of(struct th_json object, const char *name)
{
    int64_t number = 0;
    th_json_integer(th_json_member(object, name), &number);
    return number;
}

/* What stands outside of a box: anybody may have said it. */
static int check_error(const struct spot *spot, struct th_span answer)
{
    struct th_json frame;
    size_t at;
    char said[160] = "it does not say why";
    if (th_json_parse(answer, &frame, &at) != TH_OK)
        return fail(EXIT_PROTOCOL, "%s answers no JSON\nis it a Thimble device?", spot->way.where);
    struct th_json error = th_json_member(frame, "error");
    int code = (int)number_of(error, "code"), wait_s = (int)number_of(error, "wait");
    if (error.kind != TH_JSON_OBJECT)
        return EXIT_OK;
    th_json_string(th_json_member(error, "message"), said, sizeof said);
    switch (code) {
    case TH_RPC_UNPROVED:
        return fail(EXIT_TRUST,
                    "%s refuses the set-up code\ntype the one on its label; after five wrong ones "
                    "it waits ever longer",
                    spot->way.where);
    case TH_RPC_CONFLICT:
        return fail(EXIT_REFUSED,
                    "somebody else is on the page of %s\nclose it there, or end it: --take",
                    spot->way.where);
    case TH_RPC_WAIT:
        return fail(EXIT_REFUSED, "%s has seen too many wrong codes\nwait %d seconds",
                    spot->way.where, wait_s);
    default:
        return fail(EXIT_REFUSED, "%s refuses: %s (%d)\ntry again", spot->way.where, said, code);
    }
}

static int not_it(const struct spot *spot)
{
    return fail(EXIT_TRUST,
                "%s does not prove that it knows the set-up code: it is another device, or "
                "somebody is in between\ncheck label and address; nothing was told or changed",
                spot->way.where);
}

/* ---- the session ---- */

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    (void)ctx;
    return RAND_bytes(into, (int)len) == 1;
}

/* A device gives strangers a key a second; whoever comes too early waits for theirs. */
static bool comes_early(struct th_span answer)
{
    struct th_json frame;
    size_t at;
    if (th_json_parse(answer, &frame, &at) != TH_OK)
        return false;
    struct th_json error = th_json_member(frame, "error");
    return number_of(error, "code") == TH_RPC_WAIT && number_of(error, "wait") == 1;
}

static int say_hello(struct spot *spot, bool take, struct th_span *answer)
{
    uint8_t frame[TH_LOCAL_FRAME_MAX];
    struct th_span hello = th_local_client_hello(&spot->client, take, frame, sizeof frame);
    int code = ask(spot, hello, answer);
    if (code != EXIT_OK || !comes_early(*answer))
        return code;
    sleep(1);
    return ask(spot, hello, answer);
}

static int prove(struct spot *spot, bool take)
{
    uint8_t frame[TH_LOCAL_FRAME_MAX];
    struct th_local_client *client = &spot->client;
    struct th_span answer = {NULL, 0};
    int code = say_hello(spot, take, &answer);
    if (code == EXIT_OK)
        code = check_error(spot, answer);
    if (code == EXIT_OK && !th_local_client_met(client, answer))
        code = fail(EXIT_PROTOCOL, "%s answers something else\nis it a Thimble device?",
                    spot->way.where);
    if (code == EXIT_OK)
        code = ask(spot, th_local_client_prove(client, frame, sizeof frame), &answer);
    if (code == EXIT_OK)
        code = check_error(spot, answer);
    if (code == EXIT_OK && !th_local_client_proved(client, answer))
        code = not_it(spot);
    return code;
}

int spot_open(struct spot *spot, const struct spot_flags *flags)
{
    static const struct th_entropy_ops entropy = {fill};
    char setup[TH_SETUP_CODE + 1];
    memset(spot, 0, sizeof *spot);
    spot->way.fd = -1;
    spot->crypto.ops = &th_crypto_openssl;
    spot->board.entropy.ops = &entropy;
    int code = flags->serial ? spot_serial_open(&spot->way, flags->serial)
                             : spot_http_open(&spot->way, flags->url);
    if (code == EXIT_OK)
        code = take_code(flags, setup);
    if (code != EXIT_OK)
        return code;
    bool started =
        th_local_client_start(&spot->client, &spot->crypto, &spot->board, TH_LOCAL_ENROL, setup);
    OPENSSL_cleanse(setup, sizeof setup);
    return started ? prove(spot, flags->take)
                   : fail(EXIT_FAILED, "the system gives no random numbers\ntry again");
}

void spot_close(struct spot *spot)
{
    th_local_client_end(&spot->client);
    spot_way_close(&spot->way);
    OPENSSL_cleanse(spot->answer, sizeof spot->answer);
}

static int refused(const struct spot *spot, const char *method, struct th_json error)
{
    char said[256] = "it does not say why";
    th_json_string(th_json_member(error, "message"), said, sizeof said);
    return fail(EXIT_REFUSED, "%s refuses %s: %s (%d)\ndocs/rpc.md tells what it takes",
                spot->way.where, method, said, (int)number_of(error, "code"));
}

int spot_call(struct spot *spot, const char *method, const char *params, struct th_json *result)
{
    char inner[TH_RPC_FRAME_MAX + 1];
    uint8_t frame[TH_LOCAL_FRAME_MAX];
    struct th_span answer = {NULL, 0};
    struct th_json object;
    size_t at;
    int len =
        snprintf(inner, sizeof inner, "{\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);
    if (len < 0 || (size_t)len >= sizeof inner)
        return fail(EXIT_USAGE, "that is more than a request holds\ngive fewer settings at once");
    struct th_span sent =
        th_local_client_call(&spot->client, th_span_of(inner, (size_t)len), frame, sizeof frame);
    OPENSSL_cleanse(inner, sizeof inner);
    int code = ask(spot, sent, &answer);
    if (code == EXIT_OK)
        code = check_error(spot, answer);
    if (code != EXIT_OK)
        return code;
    struct th_span plain =
        th_local_client_answer(&spot->client, answer, (uint8_t *)spot->answer, sizeof spot->answer);
    if (plain.len == 0 || th_json_parse(plain, &object, &at) != TH_OK)
        return not_it(spot);
    struct th_json error = th_json_member(object, "error");
    if (error.kind == TH_JSON_OBJECT)
        return refused(spot, method, error);
    *result = th_json_member(object, "result");
    return EXIT_OK;
}

/* SPDX-License-Identifier: MIT */
/* The device's end of a session: who has proved the set-up code, and what they ask. */
#include <thimble/local.h>
#include <thimble/time.h>

#include "base/base64.h"
#include "base/wipe.h"

#define NUMBER_MAX INT32_MAX

/* One frame on its way through. */
struct turn {
    struct th_local_session *session;
    struct th_rpc_moment now;
    struct th_json params;
    struct th_json_writer *json;
    enum th_rpc_code code;
    const char *message;
    uint32_t wait_s;
};

static void fail(struct turn *turn, enum th_rpc_code code, const char *message)
{
    turn->code = code;
    turn->message = message;
}

/* ---- wrong codes ---- */

static uint32_t wait_after(uint8_t wrong)
{
    if (wrong < TH_LOCAL_FREE)
        return 0;
    return wrong >= TH_LOCAL_ROW ? TH_LOCAL_LONGEST_MS
                                 : (uint32_t)TH_LOCAL_FIRST_MS << (wrong - TH_LOCAL_FREE);
}

static void begin_wait(struct th_local_session *session, uint32_t now_ms)
{
    session->wait_from_ms = now_ms;
    session->wait_ms = wait_after(session->wrong);
}

/* Before the proof is looked at: whoever cuts the power then has had an attempt all the same. At
 * the end of the row there is nothing to add, and nothing is written. */
static void count_attempt(struct th_local_session *session)
{
    const struct th_local_session_config *config = session->config;

    if (session->wrong == TH_LOCAL_ROW)
        return;
    session->wrong++;
    if (config->log && config->log->flash)
        th_log_write(config->log, config->kind, th_span_of(&session->wrong, 1));
}

static void forget_attempts(struct th_local_session *session)
{
    const struct th_local_session_config *config = session->config;

    session->wrong = 0;
    if (config->log && config->log->flash)
        th_log_write(config->log, config->kind, th_span_of(NULL, 0));
}

/* A wrong code is something to be read about afterwards (F9). */
static void tell_wrong(const struct th_local_session *session, uint32_t now_ms)
{
    const struct th_rpc *rpc = session->config->rpc;
    const struct th_rpc_call call = {.caller = TH_SPAN("local"),
                                     .here = true,
                                     .now = {now_ms, 0},
                                     .code = TH_RPC_UNPROVED,
                                     .message = "the set-up code is wrong"};

    if (rpc && rpc->heard)
        rpc->heard(rpc->heard_ctx, &call);
}

/* Seconds until the next attempt; 0: now. */
static uint32_t wait_left_s(struct th_local_session *session, uint32_t now_ms)
{
    uint32_t gone_ms = now_ms - session->wait_from_ms;

    if (gone_ms < session->wait_ms)
        return (session->wait_ms - gone_ms + 999) / 1000;
    session->wait_ms = 0;
    return 0;
}

static bool must_wait(struct turn *turn)
{
    turn->wait_s = wait_left_s(turn->session, turn->now.ms);
    if (turn->wait_s == 0)
        return false;
    fail(turn, TH_RPC_WAIT, "too many wrong codes; wait, then try again");
    return true;
}

/* ---- life ---- */

void th_local_session_end(struct th_local_session *session)
{
    th_wipe(&session->hello, sizeof session->hello);
    th_wipe(session->secret, sizeof session->secret);
    th_wipe(&session->keys, sizeof session->keys);
    session->number = session->counter = 0;
    session->ending = false;
}

void th_local_session_start(struct th_local_session *session,
                            const struct th_local_session_config *config, uint32_t now_ms)
{
    uint8_t wrong = 0;

    memset(session, 0, sizeof *session);
    session->config = config;
    if (config->log && config->log->flash)
        th_log_read(config->log, config->kind, 0, &wrong, 1);
    session->wrong = wrong < TH_LOCAL_ROW ? wrong : TH_LOCAL_ROW;
    begin_wait(session, now_ms);
}

bool th_local_session_alive(const struct th_local_session *session, uint32_t now_ms)
{
    return session->number != 0 && now_ms - session->used_ms < TH_LOCAL_IDLE_MS &&
           now_ms - session->proved_ms < TH_LOCAL_LIFE_MS;
}

uint32_t th_local_session_tick(struct th_local_session *session, uint32_t now_ms)
{
    if (now_ms - session->wait_from_ms >= session->wait_ms)
        session->wait_ms = 0;
    if (session->number == 0)
        return session->wait_ms == 0
                   ? TH_FOREVER
                   : th_time_until(now_ms, session->wait_from_ms + session->wait_ms);
    if (!th_local_session_alive(session, now_ms)) {
        th_local_session_end(session);
        return TH_FOREVER;
    }
    return th_time_sooner(th_time_until(now_ms, session->used_ms + TH_LOCAL_IDLE_MS),
                          th_time_until(now_ms, session->proved_ms + TH_LOCAL_LIFE_MS));
}

/* ---- members ---- */

/* Base64 without escapes, of exactly that many bytes. */
static bool take_bytes(struct turn *turn, const char *name, uint8_t *into, size_t len)
{
    struct th_json value = th_json_member(turn->params, name);
    size_t got = 0;

    if (value.kind == TH_JSON_STRING &&
        th_base64_decode(th_span_of(value.text.at + 1, value.text.len - 2), into, len, &got) &&
        got == len)
        return true;
    fail(turn, TH_RPC_BAD_REQUEST, "a member is missing, or not base64 of the right length");
    return false;
}

static uint32_t take_number(struct turn *turn, const char *name)
{
    int64_t number;

    if (!th_json_integer(th_json_member(turn->params, name), &number) || number < 1 ||
        number > NUMBER_MAX)
        return 0;
    return (uint32_t)number;
}

static void put_bytes(struct turn *turn, const char *name, const uint8_t *bytes, size_t len)
{
    char text[(TH_P256_POINT + 2) / 3 * 4 + 1];

    th_json_name(turn->json, name);
    th_json_put_string(
        turn->json, th_span_of(text, th_base64_encode(th_span_of(bytes, len), text, sizeof text)));
}

/* ---- Session.Open ---- */

static bool take_kind(struct turn *turn, struct th_local_hello *hello)
{
    char kind[8] = "";

    th_json_string(th_json_member(turn->params, "kind"), kind, sizeof kind);
    if (strcmp(kind, "page") == 0)
        hello->kind = TH_LOCAL_PAGE;
    else if (strcmp(kind, "enrol") == 0)
        hello->kind = TH_LOCAL_ENROL;
    else
        fail(turn, TH_RPC_BAD_REQUEST, "kind is neither page nor enrol");
    return turn->code == TH_RPC_OK;
}

static bool may_open(struct turn *turn)
{
    char code[TH_SETUP_CODE + 1];
    bool has = th_factory_code(turn->session->config->factory, code);

    th_wipe(code, sizeof code);
    if (!has) {
        fail(turn, TH_RPC_BUSY, "the device has no set-up code; see its console");
        return false;
    }
    if (must_wait(turn))
        return false;
    if (!th_local_session_alive(turn->session, turn->now.ms) ||
        th_json_member(turn->params, "take").kind == TH_JSON_TRUE)
        return true;
    fail(turn, TH_RPC_CONFLICT, "somebody else has a session; \"take\":true ends it");
    return false;
}

/* A number nobody has had, a nonce, and for an enrolment a key of its own. */
static bool draw(struct turn *turn, struct th_local_hello *hello)
{
    struct th_local_session *session = turn->session;
    const struct th_local_session_config *config = session->config;
    const struct th_board *board = config->board;
    uint8_t raw[4];

    bool ok = board->entropy.ops->fill(board->entropy.ctx, raw, sizeof raw) &&
              board->entropy.ops->fill(board->entropy.ctx, hello->device, sizeof hello->device);
    hello->number =
        (uint32_t)(raw[0] & 0x7F) << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3];
    if (hello->number == 0 || hello->number == session->number)
        hello->number = hello->number % NUMBER_MAX + 1;
    if (ok && hello->kind == TH_LOCAL_ENROL)
        ok = th_p256_generate(config->crypto, board, session->secret, hello->device_point);
    if (!ok)
        fail(turn, TH_RPC_BUSY, "the device has no random numbers yet; try again");
    return ok;
}

/* A key costs a slow device a third of a second: strangers get one a second. */
static bool too_often(struct turn *turn, const struct th_local_hello *hello)
{
    struct th_local_session *session = turn->session;

    if (hello->kind != TH_LOCAL_ENROL)
        return false;
    if (session->opened_ms != 0 && turn->now.ms - session->opened_ms < TH_LOCAL_ENROL_MS) {
        turn->wait_s = 1;
        fail(turn, TH_RPC_WAIT, "too many openings; try again in a second");
        return true;
    }
    session->opened_ms = turn->now.ms != 0 ? turn->now.ms : 1;
    return false;
}

static void open_session(struct turn *turn)
{
    struct th_local_session *session = turn->session;
    struct th_local_hello hello = {.number = 0};
    struct th_span name = session->config->rpc->device;

    if (!may_open(turn) || !take_kind(turn, &hello) ||
        !take_bytes(turn, "nonce", hello.client, sizeof hello.client))
        return;
    if (hello.kind == TH_LOCAL_ENROL &&
        !take_bytes(turn, "point", hello.client_point, sizeof hello.client_point))
        return;
    memcpy(hello.name, name.at, name.len < sizeof hello.name ? name.len : 0);
    if (too_often(turn, &hello) || !draw(turn, &hello))
        return;
    session->hello = hello;
    th_json_open(turn->json, '{');
    th_json_name(turn->json, "session");
    th_json_put_integer(turn->json, hello.number);
    th_json_name(turn->json, "device");
    th_json_put_string(turn->json, th_span_str(hello.name));
    put_bytes(turn, "nonce", hello.device, sizeof hello.device);
    if (hello.kind == TH_LOCAL_ENROL)
        put_bytes(turn, "point", hello.device_point, sizeof hello.device_point);
    th_json_close(turn->json, '}');
}

/* ---- Session.Prove ---- */

static bool derive(struct th_local_session *session, struct th_local_keys *keys)
{
    const struct th_local_session_config *config = session->config;
    const struct th_local_hello *hello = &session->hello;
    const struct th_crypto *crypto = config->crypto;
    char code[TH_SETUP_CODE + 1];
    uint8_t key[32], shared[32] = {0};

    bool ok =
        th_factory_code(config->factory, code) && th_local_key(crypto, hello->kind, code, key) &&
        (hello->kind == TH_LOCAL_PAGE ||
         crypto->ops->p256_shared(crypto->ctx, session->secret, hello->client_point, shared)) &&
        th_local_derive(crypto, hello, key, shared, keys);
    th_wipe(code, sizeof code);
    th_wipe(key, sizeof key);
    th_wipe(shared, sizeof shared);
    return ok;
}

static bool proof_is_right(const uint8_t *expected, const uint8_t *proof)
{
    uint8_t differs = 0;

    for (size_t i = 0; i < 32; i++)
        differs |= expected[i] ^ proof[i];
    return differs == 0;
}

enum th_local_code th_local_session_code(struct th_local_session *session, struct th_span typed,
                                         uint32_t now_ms)
{
    char code[TH_SETUP_CODE + 1], ours[TH_SETUP_CODE + 1];
    uint8_t differs = 0;

    if (!session->config || wait_left_s(session, now_ms) > 0)
        return TH_LOCAL_CODE_WAIT;
    if (typed.len == 0 || !th_factory_code(session->config->factory, ours))
        return TH_LOCAL_CODE_WRONG; /* no attempt was made */
    bool right = th_setup_code_parse(typed, code);
    for (size_t i = 0; right && i < TH_SETUP_CODE; i++)
        differs |= (uint8_t)(code[i] ^ ours[i]);
    right = right && differs == 0;
    /* Programs send it with every request: a right one after a right one writes nothing. Cutting
     * the power before a wrong one is counted costs whoever tries a start each time. */
    if (right && session->wrong > 0) {
        forget_attempts(session);
    } else if (!right) {
        count_attempt(session);
        begin_wait(session, now_ms);
        tell_wrong(session, now_ms);
    }
    th_wipe(code, sizeof code);
    th_wipe(ours, sizeof ours);
    return right ? TH_LOCAL_CODE_RIGHT : TH_LOCAL_CODE_WRONG;
}

static void proved(struct turn *turn, const struct th_local_keys *keys)
{
    struct th_local_session *session = turn->session;

    forget_attempts(session);
    session->keys = *keys;
    session->counter = 0;
    session->used_ms = session->proved_ms = turn->now.ms;
    session->ending = false;
    th_json_open(turn->json, '{');
    put_bytes(turn, "proof", keys->device_proof, sizeof keys->device_proof);
    th_json_name(turn->json, "idle");
    th_json_put_integer(turn->json, TH_LOCAL_IDLE_MS / 1000);
    th_json_name(turn->json, "ends");
    th_json_put_integer(turn->json, TH_LOCAL_LIFE_MS / 1000);
    th_json_close(turn->json, '}');
}

/* An opening is used up by the first proof, right or wrong. */
static void prove(struct turn *turn)
{
    struct th_local_session *session = turn->session;
    struct th_local_keys keys;
    uint8_t proof[32];
    uint32_t number = session->hello.number;

    if (must_wait(turn) || !take_bytes(turn, "proof", proof, sizeof proof))
        return;
    if (number == 0 || take_number(turn, "session") != number) {
        fail(turn, TH_RPC_UNPROVED, "nobody has opened that session; Session.Open");
        return;
    }
    count_attempt(session);
    bool right = derive(session, &keys) && proof_is_right(keys.client_proof, proof);
    th_wipe(session->secret, sizeof session->secret);
    session->hello.number = 0;
    if (right) {
        session->number = number;
        proved(turn, &keys);
    } else {
        begin_wait(session, turn->now.ms);
        tell_wrong(session, turn->now.ms);
        fail(turn, TH_RPC_UNPROVED, "the set-up code is wrong");
    }
    th_wipe(&keys, sizeof keys);
}

/* ---- Session.Call ---- */

/* The frame out of its box, decrypted where it lies; empty after fail(). */
static struct th_span unbox(struct turn *turn, uint32_t number)
{
    struct th_local_session *session = turn->session;
    struct th_json box = th_json_member(turn->params, "box");
    size_t len = 0;

    if (box.kind == TH_JSON_STRING) {
        uint8_t *at = (uint8_t *)(uintptr_t)box.text.at + 1; /* the caller's own buffer */
        size_t room = box.text.len - 2;
        if (th_base64_decode(th_span_of(at, room), at, room, &len) &&
            th_local_open(session->config->crypto, &session->keys.request, number, at, len))
            return th_span_of(at, len - TH_LOCAL_TAG);
    }
    fail(turn, TH_RPC_BAD_REQUEST, "the box was altered, or is none");
    return th_span_of(NULL, 0);
}

/* The answer is made and encrypted at the end of the room, and moves forward as it becomes base64:
 * that never overtakes what it reads, as long as a third of it lies between. */
static void box_answer(struct turn *turn, const struct th_rpc_frame *frame, uint32_t number)
{
    struct th_local_session *session = turn->session;
    const struct th_rpc_caller caller = {TH_SPAN("local"), TH_ROLE_LOCAL, true};
    struct th_json_writer *json = turn->json;
    uint8_t *at = json->end - TH_RPC_ANSWER_MAX - TH_LOCAL_TAG;

    struct th_span answer =
        th_rpc_handle(session->config->rpc, frame, &caller, turn->now, at, TH_RPC_ANSWER_MAX);
    if (!th_local_seal(session->config->crypto, &session->keys.answer, number, at, answer.len)) {
        fail(turn, TH_RPC_BUSY, "the device has no memory; try again");
        return;
    }
    th_json_open(json, '{');
    th_json_name(json, "n");
    th_json_put_integer(json, number);
    th_json_name(json, "box");
    *json->at++ = '"';
    json->at += th_base64_encode(th_span_of(at, answer.len + TH_LOCAL_TAG), (char *)json->at,
                                 (size_t)(json->end - json->at));
    *json->at++ = '"';
    th_json_close(json, '}');
}

static void call(struct turn *turn)
{
    struct th_local_session *session = turn->session;
    uint32_t number = take_number(turn, "n");

    if (!th_local_session_alive(session, turn->now.ms) ||
        take_number(turn, "session") != session->number) {
        fail(turn, TH_RPC_UNPROVED, "the session is over, or was never there; Session.Open");
        return;
    }
    if (number <= session->counter) {
        fail(turn, TH_RPC_BAD_REQUEST, "n must be larger than that of the last request");
        return;
    }
    struct th_span plain = unbox(turn, number);
    if (turn->code != TH_RPC_OK)
        return;
    session->counter = number;
    session->used_ms = turn->now.ms;
    th_rpc_read(plain, &session->frame);
    box_answer(turn, &session->frame, number);
    th_wipe(&session->frame, sizeof session->frame);
    if (session->ending)
        th_local_session_end(session);
}

static void end_session(void *ctx, struct th_rpc_call *rpc_call)
{
    struct th_local_session *session = ctx;

    session->ending = true; /* once the answer is in its box */
    th_json_put_bool(rpc_call->result, true);
}

const struct th_rpc_method th_local_methods[1] = {{
    .name = "Session.End",
    .role = TH_ROLE_LOCAL,
    .acts = true,
    .help = "Ends the session.",
    .run = end_session,
}};

/* ---- frames ---- */

static void run(struct turn *turn, struct th_span method)
{
    static const struct {
        const char *name;
        void (*run)(struct turn *turn);
    } methods[] = {
        {"Session.Open", open_session}, {"Session.Prove", prove}, {"Session.Call", call}};

    if (turn->params.kind != TH_JSON_OBJECT)
        turn->params = (struct th_json){.kind = TH_JSON_NONE};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (th_span_equal(method, th_span_str(methods[i].name))) {
            methods[i].run(turn);
            return;
        }
    }
    fail(turn, TH_RPC_UNPROVED, "prove the set-up code first: Session.Open");
}

static void put_error(const struct turn *turn)
{
    th_json_open(turn->json, '{');
    th_json_name(turn->json, "code");
    th_json_put_integer(turn->json, turn->code);
    th_json_name(turn->json, "message");
    th_json_put_string(turn->json, th_span_str(turn->message));
    if (turn->wait_s > 0) {
        th_json_name(turn->json, "wait");
        th_json_put_integer(turn->json, turn->wait_s);
    }
    th_json_close(turn->json, '}');
}

static struct th_span id_of(struct th_json object)
{
    struct th_json id = th_json_member(object, "id");
    int64_t number;

    return id.text.len <= TH_RPC_ID_MAX &&
                   (id.kind == TH_JSON_STRING || th_json_integer(id, &number))
               ? id.text
               : TH_SPAN("null");
}

/* The method's name as it stands, without quotes: those here have no escapes. */
static struct th_span method_of(struct th_json object)
{
    struct th_json method = th_json_member(object, "method");

    return method.kind == TH_JSON_STRING ? th_span_of(method.text.at + 1, method.text.len - 2)
                                         : th_span_of(NULL, 0);
}

struct th_span th_local_session_take(struct th_local_session *session, uint8_t *frame, size_t len,
                                     struct th_rpc_moment now, uint8_t *into, size_t room)
{
    struct th_json object = {.kind = TH_JSON_NONE};
    struct th_json_writer json = th_json_writer_of(into, room);
    struct turn turn = {.session = session, .now = now, .json = &json};
    size_t at;

    if (len > TH_LOCAL_FRAME_MAX)
        fail(&turn, TH_RPC_TOO_LARGE, "the request is larger than 1536 bytes");
    else if (th_json_parse(th_span_of(frame, len), &object, &at) != TH_OK ||
             object.kind != TH_JSON_OBJECT)
        fail(&turn, TH_RPC_BAD_REQUEST, "the request is not a JSON object (RFC 8259)");
    th_json_open(&json, '{');
    th_json_name(&json, "id");
    th_json_put_raw(&json, id_of(object));
    struct th_json_writer before = json;
    if (turn.code == TH_RPC_OK) {
        turn.params = th_json_member(object, "params");
        th_json_name(&json, "result");
        run(&turn, method_of(object));
    }
    if (turn.code != TH_RPC_OK) {
        json = before;
        th_json_name(&json, "error");
        put_error(&turn);
    }
    th_json_close(&json, '}');
    return th_json_written(&json);
}

enum th_rpc_code th_local_session_method(struct th_local_session *session, struct th_span method,
                                         uint8_t *params, size_t len, struct th_rpc_moment now,
                                         uint8_t *into, size_t room, struct th_span *answer)
{
    struct th_json_writer json = th_json_writer_of(into, room), before = json;
    struct turn turn = {.session = session, .now = now, .json = &json};
    size_t at;

    if (len > TH_LOCAL_FRAME_MAX)
        fail(&turn, TH_RPC_TOO_LARGE, "the request is larger than 1536 bytes");
    else if (len > 0 && th_json_parse(th_span_of(params, len), &turn.params, &at) != TH_OK)
        fail(&turn, TH_RPC_BAD_REQUEST, "the parameters are not a JSON object (RFC 8259)");
    else
        run(&turn, method);
    if (turn.code != TH_RPC_OK) {
        json = before;
        put_error(&turn);
    }
    *answer = th_json_written(&json);
    return turn.code;
}

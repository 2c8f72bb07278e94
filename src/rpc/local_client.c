/* SPDX-License-Identifier: MIT */
/* The other end of a session: proves the code, and believes nobody who does not prove it back. */
#include <thimble/local.h>

#include "base/base64.h"
#include "base/wipe.h"

bool th_local_client_start(struct th_local_client *client, const struct th_crypto *crypto,
                           const struct th_board *board, enum th_local_kind kind,
                           const char code[TH_SETUP_CODE + 1])
{
    struct th_local_hello *hello = &client->hello;

    memset(client, 0, sizeof *client);
    client->crypto = crypto;
    hello->kind = kind;
    bool ok = th_local_key(crypto, kind, code, client->key) &&
              board->entropy.ops->fill(board->entropy.ctx, hello->client, sizeof hello->client) &&
              (kind == TH_LOCAL_PAGE ||
               th_p256_generate(crypto, board, client->secret, hello->client_point));
    if (!ok)
        th_local_client_end(client);
    return ok;
}

void th_local_client_end(struct th_local_client *client)
{
    th_wipe(client, sizeof *client);
}

/* ---- frames ---- */

static struct th_json_writer begin(const char *method, uint8_t *into, size_t room)
{
    struct th_json_writer json = th_json_writer_of(into, room);

    th_json_open(&json, '{');
    th_json_name(&json, "id");
    th_json_put_integer(&json, 1);
    th_json_name(&json, "method");
    th_json_put_string(&json, th_span_str(method));
    th_json_name(&json, "params");
    th_json_open(&json, '{');
    return json;
}

static struct th_span end(struct th_json_writer *json)
{
    th_json_close(json, '}');
    th_json_close(json, '}');
    return th_json_written(json);
}

static void put_number(struct th_json_writer *json, const char *name, uint32_t number)
{
    th_json_name(json, name);
    th_json_put_integer(json, number);
}

static void put_bytes(struct th_json_writer *json, const char *name, const uint8_t *bytes,
                      size_t len)
{
    char text[(TH_P256_POINT + 2) / 3 * 4 + 1];

    th_json_name(json, name);
    th_json_put_string(
        json, th_span_of(text, th_base64_encode(th_span_of(bytes, len), text, sizeof text)));
}

static struct th_json result_of(struct th_span answer)
{
    struct th_json object;
    size_t at;

    if (th_json_parse(answer, &object, &at) != TH_OK)
        return (struct th_json){.kind = TH_JSON_NONE};
    return th_json_member(object, "result");
}

static bool take_bytes(struct th_json object, const char *name, uint8_t *into, size_t len)
{
    struct th_json value = th_json_member(object, name);
    size_t got = 0;

    return value.kind == TH_JSON_STRING &&
           th_base64_decode(th_span_of(value.text.at + 1, value.text.len - 2), into, len, &got) &&
           got == len;
}

static bool take_number(struct th_json object, const char *name, uint32_t *out)
{
    int64_t number;

    if (!th_json_integer(th_json_member(object, name), &number) || number < 1 || number > INT32_MAX)
        return false;
    *out = (uint32_t)number;
    return true;
}

/* ---- opening ---- */

struct th_span th_local_client_hello(struct th_local_client *client, bool take, uint8_t *into,
                                     size_t room)
{
    const struct th_local_hello *hello = &client->hello;
    struct th_json_writer json = begin("Session.Open", into, room);

    th_json_name(&json, "kind");
    th_json_put_string(&json, hello->kind == TH_LOCAL_PAGE ? TH_SPAN("page") : TH_SPAN("enrol"));
    put_bytes(&json, "nonce", hello->client, sizeof hello->client);
    if (hello->kind == TH_LOCAL_ENROL)
        put_bytes(&json, "point", hello->client_point, sizeof hello->client_point);
    if (take) {
        th_json_name(&json, "take");
        th_json_put_bool(&json, true);
    }
    return end(&json);
}

bool th_local_client_met(struct th_local_client *client, struct th_span answer)
{
    struct th_local_hello *hello = &client->hello;
    const struct th_crypto *crypto = client->crypto;
    struct th_json result = result_of(answer);
    uint8_t shared[32] = {0};
    bool enrol = hello->kind == TH_LOCAL_ENROL;

    bool ok =
        take_number(result, "session", &hello->number) &&
        th_json_string(th_json_member(result, "device"), hello->name, sizeof hello->name) &&
        take_bytes(result, "nonce", hello->device, sizeof hello->device) &&
        (!enrol || take_bytes(result, "point", hello->device_point, sizeof hello->device_point)) &&
        (!enrol ||
         crypto->ops->p256_shared(crypto->ctx, client->secret, hello->device_point, shared)) &&
        th_local_derive(crypto, hello, client->key, shared, &client->keys);
    th_wipe(shared, sizeof shared);
    th_wipe(client->secret, sizeof client->secret);
    return ok;
}

struct th_span th_local_client_prove(struct th_local_client *client, uint8_t *into, size_t room)
{
    struct th_json_writer json = begin("Session.Prove", into, room);

    put_number(&json, "session", client->hello.number);
    put_bytes(&json, "proof", client->keys.client_proof, sizeof client->keys.client_proof);
    return end(&json);
}

bool th_local_client_proved(struct th_local_client *client, struct th_span answer)
{
    uint8_t proof[32], differs = 0;

    if (!take_bytes(result_of(answer), "proof", proof, sizeof proof))
        return false;
    for (size_t i = 0; i < sizeof proof; i++)
        differs |= proof[i] ^ client->keys.device_proof[i];
    return differs == 0;
}

/* ---- calling ---- */

struct th_span th_local_client_call(struct th_local_client *client, struct th_span frame,
                                    uint8_t *into, size_t room)
{
    uint8_t box[TH_RPC_FRAME_MAX + TH_LOCAL_TAG];
    char text[(sizeof box + 2) / 3 * 4 + 1];
    struct th_json_writer json = begin("Session.Call", into, room);

    if (frame.len > TH_RPC_FRAME_MAX || client->counter == INT32_MAX)
        return th_span_of(NULL, 0);
    memcpy(box, frame.at, frame.len);
    client->counter++;
    if (!th_local_seal(client->crypto, &client->keys.request, client->counter, box, frame.len))
        return th_span_of(NULL, 0);
    put_number(&json, "session", client->hello.number);
    put_number(&json, "n", client->counter);
    th_json_name(&json, "box");
    size_t len = th_base64_encode(th_span_of(box, frame.len + TH_LOCAL_TAG), text, sizeof text);
    th_json_put_string(&json, th_span_of(text, len));
    return end(&json);
}

struct th_span th_local_client_answer(struct th_local_client *client, struct th_span answer,
                                      uint8_t *into, size_t room)
{
    struct th_json result = result_of(answer), box = th_json_member(result, "box");
    uint32_t number;
    size_t len = 0;

    if (!take_number(result, "n", &number) || number != client->counter ||
        box.kind != TH_JSON_STRING ||
        !th_base64_decode(th_span_of(box.text.at + 1, box.text.len - 2), into, room, &len) ||
        !th_local_open(client->crypto, &client->keys.answer, number, into, len))
        return th_span_of(NULL, 0);
    return th_span_of(into, len - TH_LOCAL_TAG);
}

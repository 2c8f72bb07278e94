/* SPDX-License-Identifier: MIT */
/* Cert.Get, Cert.Renew, Trust.Get: what the device is known by, and whom it trusts. */
#include <string.h>

#include <thimble/renew.h>

#include "device/parts.h"
#include "device/requests.h"

static void put_text(struct th_json_writer *json, const char *name, const char *text)
{
    th_json_name(json, name);
    th_json_put_string(json, th_span_str(text));
}

static void put_number(struct th_json_writer *json, const char *name, int64_t number)
{
    th_json_name(json, name);
    th_json_put_integer(json, number);
}

static void put_hex(struct th_json_writer *json, const char *name, const uint8_t *bytes, size_t len)
{
    char text[2 * TH_SHA256_BYTES + 1];

    for (size_t i = 0; i < len; i++) {
        text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    if (name)
        th_json_name(json, name);
    th_json_put_string(json, th_span_of((uint8_t *)text, 2 * len));
}

static const char *state_of(const struct th_renew *renew)
{
    return renew->trying ? "trying" : renew->asked || renew->wanted ? "asking" : "idle";
}

static void get(void *ctx, struct th_rpc_call *call)
{
    const struct th_renew *renew = ctx;
    struct th_json_writer *json = call->result;

    if (renew->not_after_s == 0) {
        th_rpc_fail(call, TH_RPC_NOT_FOUND, "the device has no certificate that can be read");
        return;
    }
    th_json_open(json, '{');
    put_hex(json, "serial", renew->serial, renew->serial_len);
    put_number(json, "not_before", renew->not_before_s);
    put_number(json, "not_after", renew->not_after_s);
    put_number(json, "renew_at", renew->due_s);
    put_text(json, "state", state_of(renew));
    if (renew->last != TH_OK)
        put_text(json, "failed", th_error_text(renew->last));
    th_json_close(json, '}');
}

static void renew_now(void *ctx, struct th_rpc_call *call)
{
    struct th_renew *renew = ctx;
    enum th_error error = th_renew_now(renew, call->now.ms);

    if (error == TH_ERR_CONFIG)
        th_rpc_fail(call, TH_RPC_CONFLICT, "the device's trust set names no agent to ask");
    else if (error != TH_OK)
        th_requests_fail(call, error);
    else
        th_json_put_bool(call->result, true);
}

static void get_trust(void *ctx, struct th_rpc_call *call)
{
    const struct th_device *device = ((const struct th_renew *)ctx)->device;
    const struct th_hash_ops *sha256 = device->config->crypto->ops->hashes->sha256;
    struct th_span set = th_device_trust_set(device);
    struct th_json_writer *json = call->result;
    struct th_trust_item item;

    th_json_open(json, '{');
    put_number(json, "sequence", th_device_trust_sequence(device));
    th_json_name(json, "anchors");
    th_json_open(json, '[');
    for (size_t n = 0; set.len > 0 && th_trust_set_item(set, TH_ITEM_ANCHOR, n, &item); n++) {
        uint8_t digest[TH_SHA256_BYTES];
        union th_hash_state state;

        sha256->init(&state);
        sha256->update(&state, item.bytes.at, item.bytes.len);
        sha256->out(&state, digest);
        put_hex(json, NULL, digest, sizeof digest);
    }
    th_json_close(json, ']');
    th_json_close(json, '}');
}

static const struct th_rpc_method methods[] = {
    {"Cert.Get", TH_ROLE_VIEWER, false, 0, NULL,
     "The certificate in use: serial, dates, when it is renewed.", get},
    {"Cert.Renew", TH_ROLE_OPERATOR, true, 0, NULL,
     "Renews the certificate now; Cert.Get tells how it goes.", renew_now},
    {"Trust.Get", TH_ROLE_OPERATOR, false, 0, NULL,
     "The trust set in use: its sequence number, the SHA-256 of each anchor.", get_trust},
};

const struct th_rpc_set *th_renew_methods(struct th_renew *renew)
{
    renew->methods = (struct th_rpc_set){methods, sizeof methods / sizeof methods[0], renew};
    return &renew->methods;
}

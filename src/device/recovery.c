/* SPDX-License-Identifier: MIT */
/* Recovery (I7): turns to the other listener, and what is said there. docs/recovery.md. */
#include "device/recovery.h"

#include <string.h>

#include <thimble/certificate.h>
#include <thimble/csr.h>
#include <thimble/json.h>

#include "base/base64.h"

/* `work` holds the request on its way: the frame, what the frame quotes, and the CSR; then the
 * certificate as it comes. */
#define CSR_AT    (TH_SETTINGS_MAX - TH_CSR_MAX)
#define QUOTED_AT (CSR_AT - (TH_CSR_MAX + 2) / 3 * 4 - 1)

enum step { STEP_CHECK = 1, STEP_KEY, STEP_RENEW };

static struct th_recovery *of(struct th_device *device)
{
    return device->config->recovery;
}

/* ---- whose turn it is ---- */

/* While a change is on trial its engine decides; but when both sets have failed, the certificate
 * may be what is at fault. */
static bool possible(const struct th_device *device)
{
    bool trial = th_trial_component(&device->trial) != TH_TRIAL_NOTHING;
    bool both_failed = th_trial_state(&device->trial) != TH_TRIAL_NEW &&
                       th_trial_swaps(&device->trial) >= TH_RECOVERY_SWAPS;
    struct th_trust_item item;

    return (!trial || both_failed) && th_factory_has_key(&device->factory) &&
           th_trust_set_item(th_device_trust_set(device), TH_ITEM_RECOVERY, 0, &item);
}

/* The certificate that the main listener has refused. */
static void note_ldevid(struct th_device *device)
{
    const struct th_hash_ops *sha256 = device->config->crypto->ops->hashes->sha256;
    struct th_span certificate = device->credential.chain[0];
    union th_hash_state state;

    sha256->init(&state);
    sha256->update(&state, certificate.at, certificate.len);
    sha256->out(&state, of(device)->ldevid);
}

static enum th_error wire_birth(struct th_device *device)
{
    const struct th_device_config *config = device->config;
    enum th_error error =
        th_factory_idevid(&device->factory, config->chain, config->chain_room, &device->credential);

    if (error == TH_OK && device->credential.chain_count == 0)
        error = TH_ERR_BAD_STATE;
    if (error == TH_OK)
        error = th_device_wire_listed(device, TH_ITEM_RECOVERY);
    if (error != TH_OK)
        return error;
    th_credential_identity(&device->credential, &device->us);
    struct th_text name = th_text_init(device->client_id, sizeof device->client_id);
    th_text_str(&name, device->id);
    th_text_str(&name, ".birth");
    device->mqtt_config.client_id = th_span_of(device->client_id, name.len);
    device->mqtt_config.user_set = device->mqtt_config.password_set = false;
    device->mqtt_config.will = NULL;
    /* What waits in the outbox is for the main listener; here it would be lost. */
    device->mqtt_config.outbox = (struct th_outbox){NULL, NULL};
    device->link_config.broker_count = device->broker_count;
    device->link_config.session_room = TH_SESSION_OVERHEAD;
    return th_mqtt_init(&device->mqtt, &device->mqtt_config);
}

static void to_main(struct th_device *device, uint32_t now_ms)
{
    of(device)->step = 0;
    if (th_device_wire_again(device) == TH_OK)
        th_link_turn(&device->link, TH_LINK_MAIN, now_ms);
    else
        th_device_enter(device, now_ms);
}

static void turn(struct th_device *device, uint32_t now_ms)
{
    if (th_link_listener(&device->link) == TH_LINK_RECOVERY) {
        to_main(device, now_ms);
        return;
    }
    if (device->order != TH_TRIAL_GO_ON) /* another set has its turn */
        return;
    if (of(device)->skip > 0) {
        of(device)->skip--;
        return;
    }
    note_ldevid(device);
    if (wire_birth(device) != TH_OK) {
        to_main(device, now_ms);
        return;
    }
    th_device_say(device, "in recovery: trying the recovery listener");
    th_link_turn(&device->link, TH_LINK_RECOVERY, now_ms);
}

/* ---- asking ---- */

static struct th_span topic_of(struct th_device *device, const char *end)
{
    struct th_text text = th_text_init(of(device)->topic, sizeof of(device)->topic);

    th_text_str(&text, "recover/");
    th_text_str(&text, device->id);
    th_text_str(&text, end);
    return th_span_str(of(device)->topic);
}

/* A session ends without a word: it has neither will nor memory. */
static void leave(struct th_device *device, const char *why, uint32_t now_ms)
{
    th_device_say(device, why);
    th_mqtt_abandon(&device->mqtt);
    to_main(device, now_ms);
}

static void subscribe(struct th_device *device, uint32_t now_ms)
{
    struct th_mqtt_filter answers = {.filter = topic_of(device, "/answer"), .qos = TH_MQTT_QOS1};

    of(device)->until_ms = now_ms + TH_RECOVERY_ANSWER_MS;
    of(device)->step = STEP_CHECK;
    of(device)->id = 0;
    if (th_mqtt_subscribe(&device->mqtt, &answers, 1, NULL, 0, &of(device)->subscribe_id) != TH_OK)
        of(device)->until_ms = now_ms;
}

static size_t read_frame(void *user, uint32_t offset, uint8_t *into, size_t room)
{
    struct th_device *device = user;
    size_t len = of(device)->frame_len - offset;

    len = len < room ? len : room;
    memcpy(into, device->config->work + offset, len);
    return len;
}

/* Larger than the buffers of a small TLS engine: it streams. */
static bool send(struct th_device *device, struct th_span frame)
{
    struct th_recovery *recovery = of(device);

    recovery->frame_len = (uint16_t)frame.len;
    recovery->source =
        (struct th_mqtt_source){.read = read_frame, .user = device, .len = (uint32_t)frame.len};
    recovery->publish = (struct th_mqtt_publish){.topic = topic_of(device, "/request"),
                                                 .source = &recovery->source};
    return th_mqtt_publish(&device->mqtt, &recovery->publish, NULL) == TH_OK;
}

#define HEX (2 * TH_SHA256_BYTES + 1)

static void hex_of(const uint8_t *bytes, size_t len, char into[HEX])
{
    for (size_t i = 0; i < len; i++) {
        into[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        into[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    into[2 * len] = '\0';
}

static void put_hex(struct th_json_writer *json, const char *name, const uint8_t *bytes, size_t len)
{
    char hex[HEX];

    hex_of(bytes, len, hex);
    th_json_name(json, name);
    th_json_put_string(json, th_span_str(hex));
}

/* A piece of the certificate, in base64 and JSON, and its packet fit the session's buffer. */
static int64_t room_of(const struct th_device *device)
{
    size_t room = device->config->rx_room;

    return room < 512 ? 64 : (int64_t)(room - 256) / 4 * 3;
}

static bool ask(struct th_device *device, enum step step, struct th_span csr, uint32_t now_ms)
{
    struct th_recovery *recovery = of(device);
    struct th_json_writer json = th_json_writer_of(device->config->work, QUOTED_AT);
    char *quoted = (char *)device->config->work + QUOTED_AT;

    recovery->step = (uint8_t)step;
    recovery->id = ++device->requests;
    recovery->got = 0;
    recovery->until_ms = now_ms + TH_RECOVERY_ANSWER_MS;
    if (!device->board.entropy.ops->fill(device->board.entropy.ctx, recovery->nonce,
                                         sizeof recovery->nonce))
        return false;
    th_json_open(&json, '{');
    th_json_name(&json, "id");
    th_json_put_integer(&json, recovery->id);
    th_json_name(&json, "method");
    th_json_put_string(&json, step == STEP_CHECK ? TH_SPAN("Cert.Check") : TH_SPAN("Cert.Renew"));
    th_json_name(&json, "params");
    th_json_open(&json, '{');
    put_hex(&json, "nonce", recovery->nonce, sizeof recovery->nonce);
    if (step == STEP_CHECK) {
        put_hex(&json, "sha256", recovery->ldevid, sizeof recovery->ldevid);
    } else {
        size_t len = th_base64_encode(csr, quoted, CSR_AT - QUOTED_AT);
        th_json_name(&json, "csr");
        th_json_put_string(&json, th_span_of((const uint8_t *)quoted, len));
        th_json_name(&json, "room");
        th_json_put_integer(&json, room_of(device));
    }
    th_json_close(&json, '}');
    th_json_close(&json, '}');
    return !json.failed && send(device, th_json_written(&json));
}

/* ---- the certificate ---- */

static void try_it(struct th_device *device, uint32_t now_ms)
{
    of(device)->step = 0;
    of(device)->skip = TH_RECOVERY_TRIED;
    th_device_say(device, "the agent gave another certificate: trying it");
    if (th_device_try_identity(device, "", now_ms) != TH_OK)
        leave(device, "it cannot be tried now", now_ms);
}

/* Nothing is trusted of what came: it must be over the key that was made here, in our name. The
 * trial shows the rest. */
static bool is_ours(const struct th_device *device, struct th_span chain)
{
    const struct th_hash_ops *sha256 = device->config->crypto->ops->hashes->sha256;
    struct th_span split[TH_CHAIN_COUNT];
    struct th_certificate certificate;
    struct th_credential next;
    bool ours = th_identity_load(&device->identity, TH_NEXT, NULL, 0, &next) == TH_OK;

    ours = ours && th_chain_split(chain, split) > 0 &&
           th_certificate_read(split[0], sha256, &certificate) &&
           th_certificate_is_over(&certificate, next.point, sha256) &&
           strcmp(certificate.subject, device->id) == 0;
    th_credential_wipe(&next);
    return ours;
}

static void take_certificate(struct th_device *device, uint32_t now_ms)
{
    struct th_span chain = th_span_of(device->config->work, of(device)->got);

    if (!is_ours(device, chain))
        leave(device, "the agent's certificate is not over our key and name", now_ms);
    else if (th_identity_next_certify(&device->identity, chain) != TH_OK)
        leave(device, "its certificate cannot be stored", now_ms);
    else
        try_it(device, now_ms);
}

/* A certificate that has ended goes before any other change. The engine ends a trial by what proved
 * itself: the old set is what stays. */
static bool give_up_trial(struct th_device *device, uint32_t now_ms)
{
    if (th_trial_component(&device->trial) == TH_TRIAL_NOTHING)
        return true;
    if (th_trial_proved(&device->trial) != TH_TRIAL_REVERT)
        return false;
    th_device_settle(device, TH_TRIAL_REVERT, now_ms);
    return th_trial_component(&device->trial) == TH_TRIAL_NOTHING;
}

/* The next key, a certificate over which may have been asked for before a cut: the same key gets
 * the same certificate. */
static OFF_THE_STACK void renew(struct th_device *device, uint32_t now_ms)
{
    struct th_identity_report report;
    uint8_t *csr = device->config->work + CSR_AT;
    enum th_error error = TH_OK;
    size_t len = 0;

    if (!give_up_trial(device, now_ms)) {
        leave(device, "another change is on trial", now_ms);
        return;
    }
    th_identity_report(&device->identity, &report);
    if (report.certified) {
        try_it(device, now_ms);
        return;
    }
    if (!report.requested)
        error = th_identity_next_make(&device->identity, device->config->crypto, &device->board,
                                      th_span_str(device->id));
    if (error == TH_OK)
        error =
            th_identity_next_csr(&device->identity, device->config->crypto, csr, TH_CSR_MAX, &len);
    if (error != TH_OK || !ask(device, STEP_RENEW, th_span_of(csr, len), now_ms))
        leave(device, "a new key cannot be made or asked for", now_ms);
}

/* ---- answers ---- */

/* In order, each once; what comes twice is passed over. */
static bool take_piece(struct th_device *device, struct th_json result, uint32_t now_ms)
{
    struct th_recovery *recovery = of(device);
    struct th_json data = th_json_member(result, "data");
    int64_t size, at;
    size_t len;

    if (!th_json_integer(th_json_member(result, "size"), &size) ||
        !th_json_integer(th_json_member(result, "at"), &at) || data.kind != TH_JSON_STRING ||
        size <= 0 || size > (int64_t)device->config->work_room || at < 0 || at > recovery->got)
        return false;
    if (at < recovery->got)
        return true;
    struct th_span text = th_span_of(data.text.at + 1, data.text.len - 2);
    if (!th_base64_decode(text, device->config->work + at, (size_t)(size - at), &len) || len == 0)
        return false;
    recovery->got = (uint16_t)((size_t)at + len);
    recovery->until_ms = now_ms + TH_RECOVERY_ANSWER_MS;
    if (recovery->got == size)
        take_certificate(device, now_ms);
    return true;
}

static void on_error(struct th_device *device, struct th_json error, uint32_t now_ms)
{
    int64_t code = 0;

    th_json_integer(th_json_member(error, "code"), &code);
    if (code == 409) /* the agent wants another key */
        th_identity_next_drop(&device->identity);
    leave(device, "the agent gives no certificate", now_ms);
}

/* As when the broker's revocation list has expired: a new certificate would change nothing. */
static void on_valid(struct th_device *device, uint32_t now_ms)
{
    of(device)->skip = TH_RECOVERY_VALID;
    leave(device, "the agent says that our certificate is valid: the broker is at fault", now_ms);
}

/* Keys are made in the next step of the device: on the way of an event there is too much stack. */
static void want_key(struct th_recovery *recovery, uint32_t now_ms)
{
    recovery->step = STEP_KEY;
    recovery->id = 0;
    recovery->until_ms = now_ms;
}

static bool has_nonce(const struct th_recovery *recovery, struct th_json answer)
{
    char given[HEX], nonce[HEX];

    hex_of(recovery->nonce, sizeof recovery->nonce, nonce);
    return th_json_string(th_json_member(answer, "nonce"), given, sizeof given) &&
           strcmp(given, nonce) == 0;
}

static OFF_THE_STACK void on_message(struct th_device *device,
                                     const struct th_mqtt_message *message, uint32_t now_ms)
{
    struct th_recovery *recovery = of(device);
    struct th_json frame;
    size_t at;
    int64_t id;

    if (message->retain || recovery->id == 0 ||
        th_json_parse(message->payload, &frame, &at) != TH_OK ||
        !th_json_integer(th_json_member(frame, "id"), &id) || id != recovery->id)
        return;
    struct th_json result = th_json_member(frame, "result"), error = th_json_member(frame, "error");
    struct th_json answer = result.kind == TH_JSON_OBJECT ? result : error;
    if (!has_nonce(recovery, answer))
        return;
    enum th_json_kind valid = th_json_member(result, "valid").kind;
    if (result.kind != TH_JSON_OBJECT)
        on_error(device, error, now_ms);
    else if (recovery->step == STEP_CHECK && valid == TH_JSON_TRUE)
        on_valid(device, now_ms);
    else if (recovery->step == STEP_CHECK && valid == TH_JSON_FALSE)
        want_key(recovery, now_ms);
    else if (recovery->step != STEP_RENEW || !take_piece(device, result, now_ms))
        leave(device, "the agent's answer is none", now_ms);
}

static void event(struct th_device *device, const struct th_mqtt_event *event, uint32_t now_ms)
{
    const struct th_mqtt_ack *ack = &event->u.ack;

    if (event->kind == TH_MQTT_EVENT_CONNECTED) {
        th_device_say(device, "connected to the recovery listener");
        subscribe(device, now_ms);
    } else if (event->kind == TH_MQTT_EVENT_SUBSCRIBED && ack->id == of(device)->subscribe_id) {
        if (ack->codes.len == 0 || ack->codes.at[0] >= 0x80 ||
            !ask(device, STEP_CHECK, th_span_of(NULL, 0), now_ms))
            leave(device, "the agent cannot be asked", now_ms);
    } else if (event->kind == TH_MQTT_EVENT_MESSAGE) {
        on_message(device, &event->u.message, now_ms);
    }
}

static void step(struct th_device *device, uint32_t now_ms)
{
    if (of(device)->step == 0 || th_link_state(&device->link) != TH_LINK_UP ||
        th_link_listener(&device->link) != TH_LINK_RECOVERY ||
        !th_time_reached(now_ms, of(device)->until_ms))
        return;
    if (of(device)->step == STEP_KEY)
        renew(device, now_ms);
    else
        leave(device, "the agent does not answer", now_ms);
}

static uint32_t deadline(const struct th_device *device, uint32_t now_ms)
{
    const struct th_recovery *recovery = device->config->recovery;

    return recovery->step && th_link_listener(&device->link) == TH_LINK_RECOVERY
               ? th_time_until(now_ms, recovery->until_ms)
               : TH_FOREVER;
}

static const struct th_recovery_ops ops = {possible, turn, event, step, deadline};

void th_recovery_init(struct th_recovery *recovery)
{
    memset(recovery, 0, sizeof *recovery);
    recovery->ops = &ops;
}

/* SPDX-License-Identifier: MIT */
/* When a certificate is renewed, what is asked, and what is taken. */
#include <string.h>

#include <thimble/certificate.h>
#include <thimble/csr.h>
#include <thimble/json.h>
#include <thimble/renew.h>

#include "base/base64.h"
#include "base/wipe.h"
#include "device/parts.h"

#define NONCE_HEX 33
#define CODE_KEY  409 /* the agent's: the key is not new */

/* A payload that carries so many bytes of certificate beside what else stands in the packet: topic,
 * frame, id, nonce and headers. */
#define BESIDE 224

/* ---- when ---- */

/* Of the half of its life a sixteenth of its life earlier or later: devices that were enrolled on
 * one day do not come on one day. The number is the key's, so that a restart does not change it. */
static int64_t due_of(const struct th_certificate *certificate)
{
    int64_t life_s = certificate->not_after_s - certificate->not_before_s;
    uint32_t chance = (uint32_t)certificate->spki[0] << 24 | (uint32_t)certificate->spki[1] << 16 |
                      (uint32_t)certificate->spki[2] << 8 | certificate->spki[3];
    int64_t span_s = life_s / 8 + 1;

    return certificate->not_before_s + life_s / 2 - life_s / 16 + (int64_t)(chance % span_s);
}

/* Where the serial number stands in a certificate that was read before: SEQUENCE, SEQUENCE, [0] the
 * version, INTEGER. */
static void take_serial(struct th_renew *renew, struct th_span der)
{
    static const uint8_t version[] = {0xA0, 3, 2, 1, 2, 2};

    renew->serial_len = 0;
    for (size_t at = 4; at + sizeof version + 1 < der.len && at < 16; at++) {
        if (memcmp(der.at + at, version, sizeof version) != 0)
            continue;
        at += sizeof version;
        size_t len = der.at[at++];
        for (; len > 1 && at < der.len && der.at[at] == 0; len--)
            at++;
        if (len > sizeof renew->serial || at + len > der.len)
            return;
        memcpy(renew->serial, der.at + at, len);
        renew->serial_len = (uint8_t)len;
        return;
    }
}

static void take_dates(struct th_renew *renew)
{
    const struct th_device *device = renew->device;
    const struct th_hash_ops *sha256 = device->config->crypto->ops->hashes->sha256;
    struct th_certificate certificate;

    renew->not_before_s = renew->not_after_s = renew->due_s = 0;
    renew->serial_len = 0;
    if (!device->linked || device->credential.chain_count == 0 ||
        !th_certificate_read(device->credential.chain[0], sha256, &certificate))
        return;
    renew->not_before_s = certificate.not_before_s;
    renew->not_after_s = certificate.not_after_s;
    renew->due_s = due_of(&certificate);
    take_serial(renew, device->credential.chain[0]);
}

/* Only a clock somebody vouches for: who can make a device renew can wear its flash. */
static bool is_due(const struct th_renew *renew, uint32_t now_ms)
{
    struct th_clock_view clock = th_clock_read(&renew->device->clock, now_ms);

    return renew->wanted ||
           (renew->due_s > 0 && clock.kind == TH_CLOCK_TRUSTED && clock.now_s >= renew->due_s);
}

/* Waits ever longer; by chance a quarter more or less, so that devices which an agent's absence has
 * brought into step leave it. */
static void wait(struct th_renew *renew, uint32_t now_ms)
{
    const struct th_board *board = &renew->device->board;
    uint32_t wait_ms = TH_RENEW_FIRST_MS;
    uint8_t chance[2] = {0, 128};

    for (uint8_t i = 0; i < renew->failures && wait_ms < TH_RENEW_MAX_MS; i++)
        wait_ms *= 2;
    if (wait_ms > TH_RENEW_MAX_MS)
        wait_ms = TH_RENEW_MAX_MS;
    board->entropy.ops->fill(board->entropy.ctx, chance, sizeof chance);
    renew->try_ms = now_ms + wait_ms / 4 * 3 + wait_ms / 512 * chance[1];
    if (renew->failures < UINT8_MAX)
        renew->failures++;
}

static void failed(struct th_renew *renew, const struct th_failure *failure, uint32_t now_ms)
{
    renew->asked = renew->wanted = false;
    renew->asks = 0;
    renew->last = failure->error;
    wait(renew, now_ms);
    th_device_tell_failure(renew->device, failure, renew->try_ms - now_ms);
    th_device_failed(renew->device, failure, false, now_ms);
    renew->device->todo |= TODO_HISTORY;
}

static void failed_by(struct th_renew *renew, enum th_error error, uint32_t now_ms)
{
    struct th_failure failure = th_failure_of(error);

    failed(renew, &failure, now_ms);
}

/* ---- asking ---- */

static void hex_of(const uint8_t nonce[16], char into[NONCE_HEX])
{
    for (int i = 0; i < 16; i++) {
        into[2 * i] = "0123456789abcdef"[nonce[i] >> 4];
        into[2 * i + 1] = "0123456789abcdef"[nonce[i] & 15];
    }
    into[NONCE_HEX - 1] = '\0';
}

/* How much of the certificate fits the receive buffer at once. */
static uint32_t piece_of(const struct th_device *device)
{
    size_t rx = device->config->rx_room;

    return rx > BESIDE + 128 ? (uint32_t)((rx - BESIDE) / 4 * 3) : 64;
}

/* The request is made in the buffer that its answer will come into. */
static struct th_span write_frame(struct th_renew *renew, size_t csr_len)
{
    char *text = (char *)renew->buffer + TH_CSR_MAX, nonce[NONCE_HEX];
    size_t text_room = 4 * ((TH_CSR_MAX + 2) / 3) + 1, begin = TH_CSR_MAX + text_room;
    size_t text_len = th_base64_encode(th_span_of(renew->buffer, csr_len), text, text_room);
    struct th_json_writer json = th_json_writer_of(renew->buffer + begin, renew->room - begin);

    hex_of(renew->nonce, nonce);
    th_json_open(&json, '{');
    th_json_name(&json, "id");
    th_json_put_integer(&json, renew->id);
    th_json_name(&json, "src");
    th_json_put_string(&json, th_span_str(renew->device->id));
    th_json_name(&json, "method");
    th_json_put_string(&json, TH_SPAN("Cert.Renew"));
    th_json_name(&json, "params");
    th_json_open(&json, '{');
    th_json_name(&json, "nonce");
    th_json_put_string(&json, th_span_str(nonce));
    th_json_name(&json, "room");
    th_json_put_integer(&json, piece_of(renew->device));
    th_json_name(&json, "csr");
    th_json_put_string(&json, th_span_of((uint8_t *)text, text_len));
    th_json_close(&json, '}');
    th_json_close(&json, '}');
    return th_json_written(&json);
}

static enum th_error send(struct th_renew *renew)
{
    struct th_device *device = renew->device;
    const struct th_board *board = &device->board;
    char topic[TH_DEVICE_TOPIC];
    struct th_text text = th_text_init(topic, sizeof topic);
    struct th_span agent = th_device_agent(device);
    size_t len = 0;

    if (!board->entropy.ops->fill(board->entropy.ctx, renew->nonce, sizeof renew->nonce))
        return TH_ERR_TLS_ENTROPY;
    enum th_error error = th_identity_next_csr(&device->identity, device->config->crypto,
                                               renew->buffer, TH_CSR_MAX, &len);
    if (error != TH_OK)
        return error;
    renew->id = ++device->requests;
    th_text_str(&text, "to/");
    for (size_t i = 0; i < agent.len; i++)
        th_text_char(&text, (char)agent.at[i]);
    th_text_str(&text, "/rpc");
    return th_device_publish(device, topic, write_frame(renew, len), TH_MQTT_QOS1, false, NULL);
}

/* A next key that is there was made for a request whose answer has not come: it is asked for again,
 * and gets the certificate that was issued then, if one was. */
static OFF_THE_STACK void ask(struct th_renew *renew, uint32_t now_ms)
{
    struct th_device *device = renew->device;
    struct th_identity_report report;
    enum th_error error = TH_OK;

    th_identity_report(&device->identity, &report);
    if (!report.requested) {
        th_device_say(device, "renewing the certificate: a new key");
        error = th_identity_next_make(&device->identity, device->config->crypto, &device->board,
                                      th_span_str(device->id));
    }
    if (error == TH_OK)
        error = send(renew);
    if (error == TH_ERR_OUTBOX_FULL || error == TH_ERR_QUOTA || error == TH_ERR_AGAIN) {
        renew->try_ms = now_ms + 1000;
        return;
    }
    if (error != TH_OK) {
        failed_by(renew, error, now_ms);
        return;
    }
    renew->asked = true;
    renew->asks++;
    renew->size = renew->filled = 0;
    renew->until_ms = now_ms + TH_RENEW_ANSWER_MS;
}

/* ---- taking ---- */

static bool is_ours(const struct th_renew *renew)
{
    const struct th_device *device = renew->device;
    const struct th_hash_ops *sha256 = device->config->crypto->ops->hashes->sha256;
    struct th_span chain[TH_CHAIN_COUNT];
    struct th_certificate certificate;
    struct th_credential next;

    bool good = th_identity_load(&device->identity, TH_NEXT, NULL, 0, &next) == TH_OK &&
                th_chain_split(th_span_of(renew->buffer, renew->size), chain) > 0 &&
                th_certificate_read(chain[0], sha256, &certificate) &&
                th_certificate_is_over(&certificate, next.point, sha256) &&
                strcmp(certificate.subject, next.name) == 0 &&
                strcmp(certificate.subject, device->id) == 0 &&
                certificate.not_after_s > certificate.not_before_s &&
                certificate.not_after_s > device->clock.floor_s;
    th_credential_wipe(&next);
    return good;
}

static void try_it(struct th_renew *renew, uint32_t now_ms)
{
    enum th_error error = th_device_try_identity(renew->device, "", now_ms);

    if (error == TH_ERR_BAD_STATE) { /* another change is on trial: after it */
        renew->look = true;
        return;
    }
    if (error != TH_OK) {
        failed_by(renew, error, now_ms);
        return;
    }
    renew->trying = true;
    renew->wanted = false;
    renew->asks = 0;
}

static OFF_THE_STACK void take_whole(struct th_renew *renew, uint32_t now_ms)
{
    enum th_error error = TH_ERR_RENEW_CERTIFICATE;

    renew->asked = false;
    if (is_ours(renew))
        error = th_identity_next_certify(&renew->device->identity,
                                         th_span_of(renew->buffer, renew->size));
    if (error != TH_OK)
        failed_by(renew, error, now_ms);
    else
        try_it(renew, now_ms);
}

/* A piece that came before is passed over; one too many, or one that does not follow, ends it. */
static void take_piece(struct th_renew *renew, struct th_json result, uint32_t now_ms)
{
    struct th_json data = th_json_member(result, "data");
    int64_t size = 0, at = 0;
    size_t len = 0;
    bool good = th_json_integer(th_json_member(result, "size"), &size) &&
                th_json_integer(th_json_member(result, "at"), &at) && data.kind == TH_JSON_STRING &&
                size > 0 && size <= (int64_t)renew->room && size <= TH_CHAIN_MAX &&
                (renew->filled == 0 || size == (int64_t)renew->size);

    if (good && at < (int64_t)renew->filled)
        return;
    renew->size = good ? (size_t)size : 0;
    good = good && at == (int64_t)renew->filled &&
           th_base64_decode(th_span_of(data.text.at + 1, data.text.len - 2),
                            renew->buffer + renew->filled, renew->size - renew->filled, &len) &&
           len > 0;
    if (!good) {
        failed_by(renew, TH_ERR_RENEW_CERTIFICATE, now_ms);
        return;
    }
    renew->filled += len;
    if (renew->filled == renew->size)
        take_whole(renew, now_ms);
}

/* 409: a key that was used before is of no use; the next attempt makes another. */
static void refused(struct th_renew *renew, struct th_json error, uint32_t now_ms)
{
    struct th_failure failure = th_failure_of(TH_ERR_RENEW_REFUSED);
    char message[TH_FAILURE_NAME_MAX + 64];
    int64_t code = 0;

    th_json_integer(th_json_member(error, "code"), &code);
    if (th_json_string(th_json_member(error, "message"), message, sizeof message))
        th_failure_name(&failure, th_span_str(message));
    failure.detail = code > 0 && code < 1000 ? (int32_t)code : 0;
    if (code == CODE_KEY)
        th_identity_next_drop(&renew->device->identity);
    failed(renew, &failure, now_ms);
}

static bool has_nonce(const struct th_renew *renew, struct th_json member)
{
    char nonce[NONCE_HEX], given[NONCE_HEX];

    hex_of(renew->nonce, nonce);
    return th_json_string(th_json_member(member, "nonce"), given, sizeof given) &&
           strcmp(nonce, given) == 0;
}

static bool message(void *ctx, struct th_device *device, const struct th_mqtt_event *event,
                    uint32_t now_ms)
{
    struct th_renew *renew = ctx;
    struct th_json frame;
    int64_t id;
    size_t at;

    if (!renew->asked || event->kind != TH_MQTT_EVENT_MESSAGE || event->u.message.retain)
        return false;
    struct th_span caller = th_device_caller(device, event->u.message.topic);
    if (caller.len == 0 || !th_span_equal(caller, th_device_agent(device)) ||
        th_json_parse(event->u.message.payload, &frame, &at) != TH_OK ||
        th_json_member(frame, "method").kind != TH_JSON_NONE ||
        !th_json_integer(th_json_member(frame, "id"), &id) || id != renew->id)
        return false;
    struct th_json error = th_json_member(frame, "error");
    struct th_json result = th_json_member(frame, "result");
    if (has_nonce(renew, error))
        refused(renew, error, now_ms);
    else if (has_nonce(renew, result))
        take_piece(renew, result, now_ms);
    return true;
}

/* ---- the service ---- */

static void start(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_renew *renew = ctx;

    renew->device = device;
    renew->asked = renew->wanted = false;
    renew->failures = renew->asks = 0;
    renew->last = TH_OK;
    renew->try_ms = now_ms;
    renew->trying = th_trial_component(&device->trial) == TH_TRIAL_IDENTITY;
}

/* The connection is another one, or the identity: what was asked is asked again. */
static void entered(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_renew *renew = ctx;

    (void)device;
    (void)now_ms;
    renew->asked = false;
    take_dates(renew);
}

static void connected(void *ctx, struct th_device *device)
{
    struct th_renew *renew = ctx;

    (void)device;
    renew->asked = false;
    renew->look = true;
}

/* How the trial of a certificate has ended. Kept: the next one is not before an hour, or a quarter
 * of its life, whatever a clock says. Taken back: it waits for hours, as each try costs a key. */
static void see_trial(struct th_renew *renew, uint32_t now_ms)
{
    const struct th_trial_report *last = th_trial_last(&renew->device->trial);

    renew->trying = false;
    take_dates(renew);
    if (last->component == TH_TRIAL_IDENTITY && last->kept) {
        renew->failures = 0;
        renew->last = TH_OK;
        int64_t quarter_s = (renew->not_after_s - renew->not_before_s) / 4;
        renew->try_ms = now_ms + (quarter_s < 3600 ? (uint32_t)quarter_s * 1000 : 3600000);
        return;
    }
    renew->last = last->reason;
    if (renew->failures < 8)
        renew->failures = 8;
    wait(renew, now_ms);
}

/* An answer may be lost while agent or broker restarts; the agent gives the same key the same
 * certificate, so asking again costs nothing. But a connection that comes and goes must not ask
 * each time, for ever. */
static void ask_or_give_up(struct th_renew *renew, uint32_t now_ms)
{
    if (renew->asks < TH_RENEW_ASKS)
        ask(renew, now_ms);
    else
        failed_by(renew, TH_ERR_RENEW_UNANSWERED, now_ms);
}

/* A certificate that a cut has left before its trial began. */
static OFF_THE_STACK void look(struct th_renew *renew, uint32_t now_ms)
{
    struct th_identity_report report;

    renew->look = false;
    th_identity_report(&renew->device->identity, &report);
    if (report.certified)
        try_it(renew, now_ms);
}

/* Until there may be something to do; what else changes that wakes the device. */
static uint32_t until(const struct th_renew *renew, bool due, uint32_t now_ms)
{
    struct th_clock_view clock = th_clock_read(&renew->device->clock, now_ms);

    if (renew->asked)
        return th_time_until(now_ms, renew->until_ms);
    if (due)
        return th_time_until(now_ms, renew->try_ms);
    if (clock.kind != TH_CLOCK_TRUSTED || renew->due_s <= clock.now_s)
        return TH_FOREVER;
    return renew->due_s - clock.now_s > 3600 ? TH_FOREVER
                                             : (uint32_t)(renew->due_s - clock.now_s) * 1000;
}

static uint32_t step(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_renew *renew = ctx;
    bool reached = th_time_reached(now_ms, renew->try_ms);

    if (reached)
        renew->try_ms = now_ms; /* so that the counter's wrap never makes it the future again */
    if (device->mode != TH_MODE_MQTT)
        return TH_FOREVER;
    if (renew->asked && th_time_reached(now_ms, renew->until_ms))
        renew->asked = false;
    if (th_trial_component(&device->trial) != TH_TRIAL_NOTHING || device->order != TH_TRIAL_GO_ON)
        return TH_FOREVER;
    if (renew->trying)
        see_trial(renew, now_ms);
    if (!th_device_connected(device))
        return TH_FOREVER;
    if (renew->look && !renew->asked)
        look(renew, now_ms);
    bool due = is_due(renew, now_ms) && th_device_agent(device).len > 0;
    if (due && !renew->asked && !renew->trying && th_time_reached(now_ms, renew->try_ms))
        ask_or_give_up(renew, now_ms);
    return until(renew, due, now_ms);
}

void th_renew_init(struct th_renew *renew, uint8_t *buffer, size_t room)
{
    memset(renew, 0, sizeof *renew);
    renew->buffer = buffer;
    renew->room = room;
}

struct th_service th_renew_service(struct th_renew *renew)
{
    static const struct th_service_ops ops = {.start = start,
                                              .entered = entered,
                                              .connected = connected,
                                              .message = message,
                                              .step = step};

    return (struct th_service){&ops, renew};
}

enum th_error th_renew_now(struct th_renew *renew, uint32_t now_ms)
{
    struct th_device *device = renew->device;

    if (!th_device_connected(device) || th_trial_component(&device->trial) != TH_TRIAL_NOTHING)
        return TH_ERR_BAD_STATE;
    if (th_device_agent(device).len == 0)
        return TH_ERR_CONFIG;
    renew->wanted = true;
    if (!renew->asked)
        renew->try_ms = now_ms;
    return TH_OK;
}

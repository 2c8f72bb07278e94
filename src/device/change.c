/* SPDX-License-Identifier: MIT */
/* Changes that begin a trial, and the one that cannot be taken back. */
#include <string.h>

#include "device/parts.h"

/* So long the answer to whoever made the change has time to leave. */
#define ANSWER_MS 500

static bool busy(const struct th_device *device)
{
    return th_trial_component(&device->trial) != TH_TRIAL_NOTHING;
}

/* Another certificate of ours is no reason for a name that is not found, or a broker that does not
 * listen: it restarts while devices renew. */
#define IDENTITY_LAYERS                                                                        \
    (1u << TH_LAYER_TLS | 1u << TH_LAYER_TRUST | 1u << TH_LAYER_DATE | 1u << TH_LAYER_MEMORY | \
     1u << TH_LAYER_CONNACK | 1u << TH_LAYER_PROTOCOL)

/* The prover is stored before the trial begins: a cut in between leaves a name nobody asks for. */
static enum th_error begin(struct th_device *device, enum th_trial_component component,
                           const char *user, uint32_t now_ms)
{
    const struct th_trial_plan plan = {
        .component = component, .layers = component == TH_TRIAL_IDENTITY ? IDENTITY_LAYERS : 0};
    struct th_text prover = th_text_init(device->prover, sizeof device->prover);

    th_text_str(&prover, user);
    enum th_error error = th_log_write(&device->log, TH_RECORD_PROVER, th_span_str(device->prover));
    if (error == TH_OK)
        error = th_trial_begin(&device->trial, &plan);
    if (error != TH_OK)
        return error;
    bool asked = device->mode == TH_MODE_CONFIG || device->subscribed;
    th_device_order(device, TH_TRIAL_USE_NEW, asked ? ANSWER_MS : 0, now_ms);
    return TH_OK;
}

enum th_error th_device_try_settings(struct th_device *device, struct th_settings_change *change,
                                     const char *user, uint32_t now_ms)
{
    struct th_settings next = {&device->log, TH_RECORD_SETTINGS_NEXT};

    if (busy(device)) {
        th_settings_drop(change);
        return TH_ERR_BAD_STATE;
    }
    enum th_error error = th_settings_commit(change, &next);
    return error != TH_OK ? error : begin(device, TH_TRIAL_SETTINGS, user, now_ms);
}

enum th_error th_device_try_mode(struct th_device *device, const char *mode, uint32_t now_ms)
{
    const struct th_setting *setting = th_setting_find(TH_SPAN("mode"));
    struct th_settings in_force = th_device_settings(device);
    struct th_settings_change change;
    char now[TH_SETTING_VALUE_MAX + 1];
    const char *why;

    th_settings_get(&in_force, setting, now);
    if (strcmp(now, mode) == 0)
        return TH_OK;
    enum th_error error =
        th_settings_begin(&change, &in_force, device->config->work, device->config->work_room);
    if (error != TH_OK)
        return error;
    error = th_settings_put(&change, setting, th_span_str(mode), &why);
    if (error == TH_OK)
        return th_device_try_settings(device, &change, "", now_ms);
    th_settings_drop(&change);
    return error;
}

/* ---- trust ---- */

OFF_THE_STACK uint32_t th_device_trust_sequence(const struct th_device *device)
{
    uint8_t raw[TH_MANIFEST_BYTES];
    struct th_manifest manifest;

    if (th_identity_trust_read(&device->identity, TH_IN_FORCE, 0, raw, sizeof raw) != sizeof raw ||
        th_manifest_decode(raw, &manifest) != TH_OK)
        return 0;
    return manifest.sequence;
}

static OFF_THE_STACK enum th_error check_content(const struct th_device *device,
                                                 const struct th_manifest *manifest,
                                                 struct th_span set)
{
    const struct th_hash_ops *sha256 = device->config->crypto->ops->hashes->sha256;
    uint8_t digest[TH_SHA256_BYTES];
    union th_hash_state state;

    if (manifest->component != TH_COMPONENT_TRUST || manifest->delta || manifest->size != set.len)
        return TH_ERR_UPDATE_FORMAT;
    sha256->init(&state);
    sha256->update(&state, set.at, set.len);
    sha256->out(&state, digest);
    if (memcmp(digest, manifest->sha256, sizeof digest) != 0)
        return TH_ERR_UPDATE_FORMAT;
    return th_trust_set_check(set);
}

/* Signed by a key of the set in use, and newer than it (I6). What was signed raises the floor even
 * if the bundle is taken back later (C1). */
static enum th_error check_bundle(struct th_device *device, struct th_span bundle, uint32_t now_ms)
{
    struct th_span in_force = th_device_trust_set(device);
    struct th_manifest manifest;
    struct th_trust_item item;
    enum th_error error = TH_ERR_UPDATE_KEY;
    size_t at = 0;
    const struct th_manifest_rules rules = {
        .product = device->config->product,
        .hardware = device->config->hardware,
        .sequence = th_device_trust_sequence(device),
        .allow_development = device->config->development,
    };

    if (bundle.len <= TH_MANIFEST_BYTES)
        return TH_ERR_UPDATE_FORMAT;
    if (bundle.len > device->config->trust_room)
        return TH_ERR_TOO_LARGE;
    while (error == TH_ERR_UPDATE_KEY && in_force.len > 0 &&
           th_trust_set_next(in_force, &at, &item)) {
        if (item.kind == TH_ITEM_UPDATE_KEY)
            error = th_manifest_verify(bundle.at, &item.key, 1, &rules, device->config->crypto,
                                       &manifest);
    }
    if (error != TH_OK)
        return error;
    error =
        check_content(device, &manifest,
                      th_span_of(bundle.at + TH_MANIFEST_BYTES, bundle.len - TH_MANIFEST_BYTES));
    if (error == TH_OK)
        th_device_raise_floor(device, manifest.time_s, now_ms);
    return error;
}

enum th_error th_device_try_trust(struct th_device *device, struct th_span bundle, const char *user,
                                  uint32_t now_ms)
{
    if (busy(device))
        return TH_ERR_BAD_STATE;
    enum th_error error = check_bundle(device, bundle, now_ms);
    if (error == TH_OK)
        error = th_identity_trust_put(&device->identity, bundle);
    return error != TH_OK ? error : begin(device, TH_TRIAL_TRUST, user, now_ms);
}

/* ---- identity ---- */

enum th_error th_device_try_identity(struct th_device *device, const char *user, uint32_t now_ms)
{
    struct th_identity_report report;

    if (busy(device))
        return TH_ERR_BAD_STATE;
    th_identity_report(&device->identity, &report);
    if (!report.certified)
        return TH_ERR_BAD_STATE;
    return begin(device, TH_TRIAL_IDENTITY, user, now_ms);
}

/* ---- the end ---- */

enum th_error th_device_factory_reset(struct th_device *device, enum th_reset_kind kind,
                                      uint32_t now_ms)
{
    const struct th_board *board = device->config->board;
    struct th_reset reset = {.identity = &device->identity,
                             .factory = &device->factory,
                             .log = device->log.flash ? &device->log : NULL,
                             .keep = TH_RECORDS_KEPT,
                             .board = board};

    enum th_error error = th_reset_begin(&device->identity, kind);
    if (error != TH_OK)
        return error;
    if (device->linked)
        th_link_restart(&device->link, now_ms, true);
    device->linked = false;
    device->mode = TH_MODE_CONFIG;
    th_reset_finish(&reset); /* else the next start does */
    th_device_restart(device, now_ms);
    return TH_OK;
}

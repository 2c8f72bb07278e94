/* SPDX-License-Identifier: MIT */
/* Out of whatever the flash holds into a defined mode. */
#include <string.h>

#include "base/wipe.h"
#include "device/parts.h"

/* ---- stores ---- */

static uint32_t nonce_of(const struct th_device *device)
{
    const struct th_board *board = device->config->board;
    uint8_t bytes[4] = {0};

    board->entropy.ops->fill(board->entropy.ctx, bytes, sizeof bytes);
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static void note_store(struct th_device *device, const char *what, enum th_error error)
{
    struct th_failure failure = th_failure_of(error);

    if (error == TH_OK)
        return;
    th_failure_name(&failure, th_span_str(what));
    th_device_tell_failure(device, &failure, 0);
}

/* What cannot be opened reads as blank: zeros have no records, and refuse to be written to. */
static void open_stores(struct th_device *device)
{
    const struct th_board *board = device->config->board;
    struct th_flash_geometry geometry = board->flash.ops->geometry(board->flash.ctx);

    device->map = device->config->map ? device->config->map : th_flash_map_for(geometry);
    if (!device->map) {
        note_store(device, "flash", TH_ERR_CONFIG);
        return;
    }
    enum th_error error = th_identity_open(&device->identity, board, device->map, nonce_of(device));
    note_store(device, "identity", error);
    if (error != TH_OK)
        memset(&device->identity, 0, sizeof device->identity);
    error = th_factory_open(&device->factory, board, device->map, nonce_of(device));
    note_store(device, "factory", error);
    if (error != TH_OK)
        memset(&device->factory, 0, sizeof device->factory);
    error = th_log_mount(&device->log, board->flash.ops, board->flash.ctx,
                         th_flash_map_region(device->map, TH_FLASH_LOG), nonce_of(device));
    note_store(device, "log", error);
    if (error != TH_OK)
        memset(&device->log, 0, sizeof device->log);
}

/* A reset that was begun is finished before anything is believed. */
static void finish_reset(struct th_device *device)
{
    struct th_reset reset = {.identity = &device->identity,
                             .factory = &device->factory,
                             .log = device->log.flash ? &device->log : NULL,
                             .keep = TH_RECORDS_KEPT,
                             .board = device->config->board};

    if (th_reset_pending(&device->identity) == TH_RESET_NOTHING)
        return;
    th_device_say(device, "finishing a factory reset");
    note_store(device, "factory reset", th_reset_finish(&reset));
}

/* ---- clock ---- */

#define FLOOR_BYTES 8

static int64_t stored_floor(const struct th_device *device)
{
    uint8_t raw[FLOOR_BYTES];
    uint64_t value = 0;

    if (th_log_read(&device->log, TH_RECORD_FLOOR, 0, raw, sizeof raw) != sizeof raw)
        return 0;
    for (int i = FLOOR_BYTES; i-- > 0;)
        value = value << 8 | raw[i];
    return value <= INT64_MAX / 1000 ? (int64_t)value : 0;
}

void th_device_raise_floor(struct th_device *device, int64_t signed_s, uint32_t now_ms)
{
    uint8_t raw[FLOOR_BYTES];

    if (!th_clock_raise_floor(&device->clock, signed_s, now_ms))
        return;
    for (int i = 0; i < FLOOR_BYTES; i++)
        raw[i] = (uint8_t)((uint64_t)signed_s >> (8 * i));
    note_store(device, "clock floor",
               th_log_write(&device->log, TH_RECORD_FLOOR, th_span_of(raw, sizeof raw)));
}

static void start_clock(struct th_device *device, uint32_t now_ms)
{
    int64_t stored = stored_floor(device), built = device->config->built_s;

    th_clock_init(&device->clock, stored > built ? stored : built, now_ms);
}

/* ---- crashes ---- */

void th_device_store_crashes(struct th_device *device, uint8_t crashes)
{
    if (device->crashes == crashes)
        return;
    device->crashes = crashes;
    th_log_write(&device->log, TH_RECORD_CRASHES, th_span_of(&crashes, crashes > 0));
}

static bool crashed(enum th_reset_reason reason)
{
    return reason == TH_RESET_CRASH || reason == TH_RESET_WATCHDOG;
}

/* Switching off and on ends the row: the way out that needs no tool. */
static void count_crash(struct th_device *device, uint32_t now_ms)
{
    const struct th_board *board = device->config->board;
    struct th_crash_place place = {0};

    th_log_read(&device->log, TH_RECORD_CRASHES, 0, &device->crashes, 1);
    if (device->reset == TH_RESET_POWER_ON)
        th_device_store_crashes(device, 0);
    if (!crashed(device->reset))
        return;
    if (board->system.ops->crash)
        board->system.ops->crash(board->system.ctx, &place);
    th_device_store_crashes(device, device->crashes < UINT8_MAX ? device->crashes + 1 : UINT8_MAX);
    th_history_crash(&device->history, device->reset, &place,
                     th_clock_ms(&device->clock, now_ms) / 1000);
}

/* ---- modes ---- */

/* Configuration and safe mode need no broker. What is on trial then either asks for configuration
 * mode itself, and nothing can be proved; or was made there, and cannot even be begun with. */
static void enter_config(struct th_device *device, enum th_error why, uint32_t now_ms)
{
    struct th_failure failure = th_failure_of(why);

    device->mode = TH_MODE_CONFIG;
    device->wifi_config.ap_always = device->wifi_config.ap_ssid[0] != '\0';
    if (why != TH_OK)
        th_device_failed(device, &failure, false, now_ms);
    if (!th_device_trying(device))
        return;
    if (why != TH_OK)
        th_device_hopeless(device, &failure, now_ms);
    else
        th_device_proved(device, now_ms);
}

static void enter_mqtt(struct th_device *device, uint32_t now_ms)
{
    enum th_error error = th_device_wire(device);

    if (error != TH_OK) {
        enter_config(device, error, now_ms);
        return;
    }
    device->mode = TH_MODE_MQTT;
    device->wifi_config.ap_always = false;
    th_link_start(&device->link, now_ms);
}

static bool asks_for_mqtt(struct th_device *device)
{
    char mode[TH_SETTING_VALUE_MAX + 1];

    th_device_text(device, "mode", mode);
    return strcmp(mode, "mqtt") == 0;
}

static void tell_services(struct th_device *device, uint32_t now_ms)
{
    const struct th_device_config *config = device->config;

    for (uint8_t i = 0; i < config->service_count; i++) {
        if (config->services[i].ops->entered)
            config->services[i].ops->entered(config->services[i].ctx, device, now_ms);
    }
}

void th_device_enter(struct th_device *device, uint32_t now_ms)
{
    const struct th_board *board = &device->board;
    char servers[TH_SETTING_VALUE_MAX + 1];

    if (device->linked)
        th_link_restart(&device->link, now_ms, th_device_trying(device));
    th_device_keep_session(device);
    device->linked = false;
    device->missed = 0;
    device->todo = 0;
    device->proof.asked = device->time.asked = false;
    th_device_wire_wifi(device);
    if (asks_for_mqtt(device))
        enter_mqtt(device, now_ms);
    else
        enter_config(device, TH_OK, now_ms);
    if (board->wifi.ops)
        th_wifi_start(&device->wifi, &device->wifi_config, now_ms);
    th_device_text(device, "sntp.server", servers);
    th_timekeeper_start(&device->timekeeper, board, &device->clock, servers, now_ms);
    th_device_tell_mode(device);
    tell_services(device, now_ms);
}

static void enter_safe(struct th_device *device, uint32_t now_ms)
{
    device->mode = TH_MODE_SAFE;
    th_device_tell_mode(device);
    tell_services(device, now_ms);
}

/* ---- start ---- */

/* What a cut has left behind a trial that is over, or before one that never began. A next LDevID
 * stays: its renewal goes on. */
static void drop_leftovers(struct th_device *device)
{
    if (th_trial_component(&device->trial) != TH_TRIAL_SETTINGS &&
        th_log_len(&device->log, TH_RECORD_SETTINGS_NEXT) > 0)
        th_log_write(&device->log, TH_RECORD_SETTINGS_NEXT, th_span_of(NULL, 0));
    if (th_trial_component(&device->trial) != TH_TRIAL_TRUST &&
        th_identity_trust_len(&device->identity, TH_NEXT) > 0)
        th_identity_trust_drop(&device->identity);
}

static void load_name(struct th_device *device)
{
    struct th_identity_report report;

    th_identity_report(&device->identity, &report);
    if (report.enrolled)
        memcpy(device->id, report.name, sizeof device->id);
}

static void load_trial(struct th_device *device, uint32_t now_ms)
{
    enum th_trial_order order =
        th_trial_load(&device->trial, &device->log, TH_RECORD_TRIAL, crashed(device->reset));
    size_t len = th_log_read(&device->log, TH_RECORD_PROVER, 0, (uint8_t *)device->prover,
                             sizeof device->prover - 1);

    device->prover[len] = '\0';
    device->old_since_ms = now_ms;
    if (order == TH_TRIAL_KEEP || order == TH_TRIAL_REVERT)
        th_device_settle(device, order, now_ms);
    drop_leftovers(device);
}

/* Every buffer is there and large enough from the start: nothing runs out of it later. The first
 * that is not is named on the console. */
static bool memory_fits(const struct th_device_config *config)
{
    const struct {
        const char *name;
        const void *at;
        size_t room, needs;
    } buffers[] = {
        {"trust", config->trust, config->trust_room, TH_MANIFEST_BYTES + 1},
        {"chain", config->chain, config->chain_room, 1},
        {"work", config->work, config->work_room, TH_SETTINGS_MAX},
        {"rx", config->rx, config->rx_room, 64},
        {"scratch", config->scratch.at, config->scratch.len,
         config->loan.ops ? 0 : config->tls.ops->scratch_size},
        {"session", config->session, config->session_room,
         config->session ? TH_SESSION_OVERHEAD + 1 : 0},
    };
    char line[80];

    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        size_t room = buffers[i].at ? buffers[i].room : 0;
        if (room >= buffers[i].needs)
            continue;
        struct th_text text = th_text_init(line, sizeof line);
        th_text_str(&text, "no start: ");
        th_text_str(&text, buffers[i].name);
        th_text_str(&text, " has ");
        th_text_decimal(&text, (int64_t)room);
        th_text_str(&text, " bytes of memory and needs ");
        th_text_decimal(&text, (int64_t)buffers[i].needs);
        if (config->say)
            config->say(config->user, line);
        return false;
    }
    return true;
}

static bool config_fits(const struct th_device_config *config)
{
    const struct th_board *board = config->board;

    return board && board->clock.ops && board->entropy.ops && board->system.ops && board->net.ops &&
           config->crypto && config->crypto->ops && config->tls.ops && config->outbox.ops &&
           (config->v311 || config->v5) && config->product && config->version &&
           (config->services || config->service_count == 0) && memory_fits(config);
}

static void start_services(struct th_device *device, uint32_t now_ms)
{
    const struct th_device_config *config = device->config;

    for (uint8_t i = 0; i < config->service_count; i++) {
        if (config->services[i].ops->start)
            config->services[i].ops->start(config->services[i].ctx, device, now_ms);
    }
}

/* A lost set-up code is made anew and shown once, on the console alone; until there is one, no
 * access point opens. */
static void need_code(struct th_device *device)
{
    char code[TH_SETUP_CODE + 1], shown[TH_SETUP_CODE_SHOWN + 1], line[64];

    if (!device->factory.log.flash || th_factory_code(&device->factory, code))
        return;
    if (th_factory_code_make(&device->factory, &device->board, code) != TH_OK)
        return;
    struct th_text text = th_text_init(line, sizeof line);
    th_setup_code_show(code, shown);
    th_text_str(&text, "set-up code: ");
    th_text_str(&text, shown);
    th_device_show(device, line);
    th_wipe(code, sizeof code);
    th_wipe(shown, sizeof shown);
    th_wipe(line, sizeof line);
}

/* What is drawn from now on differs from every start before. Where the seed cannot be written, the
 * source alone is as good as it is. */
static void start_seed(struct th_device *device)
{
    const struct th_device_config *config = device->config;

    if (!device->log.flash)
        return;
    th_seed_start(&device->seed, &device->log, TH_RECORD_SEED, config->crypto, config->board);
    device->board.entropy.ops = &th_seed_entropy_ops;
    device->board.entropy.ctx = &device->seed;
}

enum th_error th_device_start(struct th_device *device, const struct th_device_config *config,
                              uint32_t now_ms)
{
    if (!config_fits(config))
        return TH_ERR_CONFIG;
    const struct th_board *board = config->board;

    memset(device, 0, sizeof *device);
    device->config = config;
    device->started_ms = now_ms;
    device->reset = board->system.ops->reset_reason(board->system.ctx);
    th_device_tell_start(device);
    device->board = *board;
    if (board->flash.ops) {
        open_stores(device);
        start_seed(device);
        finish_reset(device);
    }
    start_clock(device, now_ms);
    th_history_load(&device->history, &device->log, TH_RECORD_HISTORY, now_ms);
    count_crash(device, now_ms);
    need_code(device);
    th_device_recall_session(device);
    load_name(device);
    load_trial(device, now_ms);
    start_services(device, now_ms);
    if (device->crashes >= TH_DEVICE_CRASHES)
        enter_safe(device, now_ms);
    else
        th_device_enter(device, now_ms);
    return TH_OK;
}

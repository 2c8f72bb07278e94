/* SPDX-License-Identifier: MIT */
/* What a device has kept or said of itself: its flash, its console, and, while it is connected, its
 * answer to Log.Tail. */
#include <stdio.h>
#include <string.h>

#include <thimble/device.h>
#include <thimble/history.h>
#include <thimble/json.h>
#include <thimble/settings.h>
#include <thimble/settings_list.h>

#include "ask.h"
#include "doctor.h"
#include "exits.h"
#include "flash_image.h"
#include "term.h"

#define NONCE      0x7468696Eu /* for logs begun anew, in the copy */
#define ERRORS_END 256
#define ASK_S      5

/* The broker is right, by all that was looked at: then dates that the device refuses are judged by
 * a clock that is wrong. */
static void take_failure(struct doctor *doctor, enum th_error error, const char *where,
                         const char *text)
{
    bool broker_fine = doctor->has_broker && !doctor_has(doctor, DOCTOR_PROCESS);
    enum th_layer layer = th_error_layer(error);
    if (doctor->in_use) {
        doctor_found(doctor, DOCTOR_EVIDENCE, "before it was connected, %s had failed\n%s: %s\n",
                     doctor->name, where, text);
    } else if (layer == TH_LAYER_DATE && broker_fine) {
        doctor_found(doctor, DOCTOR_DEVICE_CLOCK,
                     "the clock of %s is wrong: it refuses a certificate that is in force\n%s: "
                     "%s\nlet it reach a time server (sntp.server), and run thimble broker agent",
                     doctor->name, where, text);
    } else if (layer == TH_LAYER_WIFI || layer == TH_LAYER_BOARD || layer == TH_LAYER_MEMORY ||
               layer == TH_LAYER_ENROL || layer == TH_LAYER_NAME || layer == TH_LAYER_SERVER_NAME ||
               error == TH_ERR_TRUST_UNKNOWN_CA || error == TH_ERR_TRUST_PIN ||
               error == TH_ERR_TRUST_FINGERPRINT || error == TH_ERR_TLS_ENTROPY ||
               error == TH_ERR_TRIAL_UNANSWERED || error == TH_ERR_TRIAL_DENIED) {
        doctor_found(doctor, DOCTOR_DEVICE, "%s: %s\n%s: %s\n%s", doctor->name,
                     th_error_text(error), where, text, th_error_remedy(error));
    } else {
        doctor_found(doctor, DOCTOR_EVIDENCE, "the last failure of %s\n%s: %s\n%s", doctor->name,
                     where, text, th_error_remedy(error));
    }
}

/* The error whose text stands in a line of ours; the longest, as one may begin like another. */
static enum th_error error_in(const char *line)
{
    enum th_error best = TH_OK;
    size_t longest = 0;
    for (int i = 1; i < ERRORS_END; i++) {
        const char *text = th_error_text((enum th_error)i);
        if (strlen(text) > longest && strlen(text) > 12 && strstr(line, text)) {
            best = (enum th_error)i;
            longest = strlen(text);
        }
    }
    return best;
}

/* ---- flash ---- */

static void look_at_target(struct doctor *doctor, struct th_log *log)
{
    const struct th_settings settings = {log, TH_RECORD_SETTINGS};
    const struct th_setting *server = th_setting_find(th_span_str("mqtt.server"));
    char value[TH_SETTING_VALUE_MAX + 1] = "";
    if (!server || !th_settings_is_set(&settings, server))
        return;
    th_settings_get(&settings, server, value);
    const char *colon = strrchr(value, ':');
    long port = 8883;
    if (colon && !options_number(colon + 1, 1, 65535, &port))
        return;
    for (size_t i = 0; i < doctor->listeners.count; i++) {
        const struct listener *one = &doctor->listeners.at[i];
        if (one->port == port && one->kind == LISTENER_DEVICES)
            return;
    }
    if (doctor->listeners.count && !doctor->in_use)
        doctor_found(
            doctor, DOCTOR_TARGET,
            "%s is set to another port than the devices' listener has\nmqtt.server in its "
            "flash is %s\nset it on its page, or: thimble broker init --replace --port %ld",
            doctor->name, value, port);
}

static void look_at_mode(struct doctor *doctor, struct th_log *log)
{
    const struct th_settings settings = {log, TH_RECORD_SETTINGS};
    const struct th_setting *mode = th_setting_find(th_span_str("mode"));
    char value[TH_SETTING_VALUE_MAX + 1] = "";
    if (mode)
        th_settings_get(&settings, mode, value);
    if (strcmp(value, "config") == 0 && !doctor->in_use)
        doctor_found(doctor, DOCTOR_DEVICE,
                     "%s is in configuration mode, and connects to no broker\nmode in its flash is "
                     "config\nswitch it to MQTT mode on its page",
                     doctor->name);
}

static void look_at_history(struct doctor *doctor, struct th_log *log)
{
    struct th_history history;
    char text[TH_HISTORY_TEXT];
    uint8_t crashes = 0;
    th_history_load(&history, log, TH_RECORD_HISTORY, 0);
    for (size_t i = 0; th_history_item(&history, i); i++) {
        const struct th_history_item *item = th_history_item(&history, i);
        if (item->kind != TH_HISTORY_FAILURE && item->kind != TH_HISTORY_TRIAL)
            continue;
        th_history_text(item, text, sizeof text);
        if (item->kind == TH_HISTORY_FAILURE || !item->kept)
            take_failure(doctor, (enum th_error)item->error, "flash", text);
        break; /* the newest alone says how things are */
    }
    if (th_log_read(log, TH_RECORD_CRASHES, 0, &crashes, 1) == 1 && crashes >= 5)
        doctor_found(doctor, DOCTOR_DEVICE,
                     "%s is in safe mode after %u crashes in a row\nflash: the record of "
                     "crashes\nswitch it off and on; give its last crash to whoever made the "
                     "firmware",
                     doctor->name, crashes);
}

static void look_at_flash(struct doctor *doctor)
{
    struct flash_image image;
    struct th_log log;
    if (flash_image_open(&image, doctor->flash, doctor->map) != EXIT_OK) {
        doctor_found(doctor, DOCTOR_EVIDENCE, "the flash image cannot be read\n%s\n",
                     term_failed());
        return;
    }
    enum th_error error = th_log_mount(&log, image.board.flash.ops, image.board.flash.ctx,
                                       th_flash_map_region(image.map, TH_FLASH_LOG), NONCE);
    if (error == TH_OK) {
        look_at_mode(doctor, &log);
        look_at_target(doctor, &log);
        look_at_history(doctor, &log);
    } else {
        doctor_found(doctor, DOCTOR_EVIDENCE, "the flash has no log that can be read\n%s\n",
                     th_error_text(error));
    }
    flash_image_close(&image);
}

/* ---- console ---- */

static void look_at_console(struct doctor *doctor)
{
    FILE *file = fopen(doctor->console, "re");
    char line[512], last[512] = "";
    enum th_error error = TH_OK;
    if (!file) {
        doctor_found(doctor, DOCTOR_EVIDENCE, "%s cannot be read\n\n", doctor->console);
        return;
    }
    while (fgets(line, sizeof line, file)) {
        enum th_error one = error_in(line);
        line[strcspn(line, "\r\n")] = '\0';
        if (one != TH_OK) {
            error = one;
            snprintf(last, sizeof last, "%s", line);
        } else if (strcmp(line, "connected") == 0) {
            error = TH_OK; /* whatever it was, it is over */
        }
    }
    fclose(file);
    if (error != TH_OK)
        take_failure(doctor, error, "console", last);
}

/* ---- over MQTT ---- */

struct tail {
    struct doctor *doctor;
};

static int take_tail(const struct ask *ask, const struct th_json *frame)
{
    const struct tail *tail = ask->user;
    struct doctor *doctor = tail->doctor;
    struct th_json list = th_json_member(*frame, "result"), item;
    char text[TH_HISTORY_TEXT];
    size_t at = 0;
    doctor_fine(doctor, "%s is connected, and answers", doctor->name);
    doctor->answered = true;
    if (th_json_next(list, &at, NULL, &item) &&
        th_json_string(th_json_member(item, "text"), text, sizeof text) && error_in(text) != TH_OK)
        take_failure(doctor, error_in(text), "Log.Tail", text);
    return EXIT_OK;
}

static void ask_device(struct doctor *doctor)
{
    const struct tail tail = {doctor};
    struct ask ask = {.device = doctor->row.name,
                      .method = "Log.Tail",
                      .params = "{}",
                      .wait_s = ASK_S,
                      .show = take_tail,
                      .user = &tail};
    peer_flags_init(&ask.flags);
    ask.flags.dir = doctor->dir;
    if (requester_user(&ask.flags) != OPTION_GO_ON)
        return;
    if (ask_run(&ask) != EXIT_OK && !doctor->answered)
        doctor_found(doctor, DOCTOR_EVIDENCE,
                     "the broker says that %s is connected, and it does not answer\n%s\n",
                     doctor->name, term_failed());
}

void doctor_device(struct doctor *doctor)
{
    if (!doctor->name)
        return;
    if (doctor->flash)
        look_at_flash(doctor);
    if (doctor->console)
        look_at_console(doctor);
    bool device = doctor->is_known && strcmp(doctor->row.kind, "device") == 0;
    if (device && doctor->in_use && !doctor->answered)
        ask_device(doctor);
}

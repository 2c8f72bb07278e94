/* SPDX-License-Identifier: MIT */
/* Map, boot record, slots, and the log with settings, trial and history. */
#include "flash_show.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */

#include <thimble/boot.h>
#include <thimble/device.h>

#include "term.h"

#define NONCE 0x7468696Du /* for logs begun anew, in the copy */

static const char *const use_names[TH_FLASH_USES] = {
    [TH_FLASH_BOOT_0] = "boot record 0",
    [TH_FLASH_BOOT_1] = "boot record 1",
    [TH_FLASH_LOG] = "log",
    [TH_FLASH_FACTORY] = "factory",
    [TH_FLASH_IDENTITY] = "identity",
    [TH_FLASH_SLOT_A] = "slot A",
    [TH_FLASH_SLOT_B] = "slot B",
    [TH_FLASH_COPROC_NEW] = "co-processor new",
    [TH_FLASH_COPROC_GOOD] = "co-processor good",
};

/* ---- map ---- */

void flash_show_map(struct view *view, const struct flash_image *image)
{
    view_list(view, "areas");
    view_note(view, "", "offset      bytes       used");
    for (int use = 0; use < TH_FLASH_USES; use++) {
        const struct th_flash_area *area = &image->map->areas[use];
        uint32_t used = flash_image_used(image, area->offset, area->size);
        if (term.json) {
            view_open(view, NULL, NULL);
            view_text(view, "area", "", use_names[use]);
            view_number(view, "offset", "", area->offset);
            view_number(view, "size", "", area->size);
            view_number(view, "used", "", used);
            view_close(view);
        } else {
            view_note(view, use_names[use], "0x%06x  %9u  %9u", area->offset, area->size, used);
        }
    }
    view_list_end(view);
}

void flash_show_units(struct view *view, const struct flash_image *image, enum th_flash_use use)
{
    struct flash_unit units[TH_LOG_UNITS];
    size_t count = flash_image_units(image, use, units);
    view_list(view, "units");
    for (size_t i = 0; i < count; i++) {
        char label[16];
        snprintf(label, sizeof label, "unit %zu", i);
        if (term.json) {
            view_open(view, NULL, NULL);
            view_bool(view, "whole", "", units[i].whole);
            view_number(view, "number", "", units[i].number);
            view_number(view, "erases", "", units[i].erases);
            view_number(view, "used", "", units[i].used);
            view_close(view);
        } else if (units[i].whole) {
            view_note(view, label, "number %u, erased %u times, %u of %u bytes used",
                      units[i].number, units[i].erases, units[i].used, image->map->areas[use].unit);
        } else {
            view_note(view, label, units[i].used ? "no whole header" : "erased");
        }
    }
    view_list_end(view);
}

/* ---- boot record and slots ---- */

static int bits_cleared(uint32_t field)
{
    int count = 0;
    for (uint32_t bits = ~field; bits; bits &= bits - 1)
        count++;
    return count;
}

static void boot_copy(struct view *view, struct flash_image *image, int copy, int newest)
{
    struct th_boot_record record;
    uint32_t offset = image->map->areas[TH_FLASH_BOOT_0 + copy].offset;
    char label[24];
    snprintf(label, sizeof label, "copy %d", copy);
    view_open(view, NULL, NULL);
    bool valid = th_boot_decode(image->raw + offset, &record);
    if (term.json) {
        view_bool(view, "valid", "", valid);
        view_bool(view, "newest", "", copy == newest);
    }
    if (valid && term.json) {
        view_number(view, "sequence", "", record.sequence);
        view_text(view, "slot", "", record.slot ? "B" : "A");
        view_bool(view, "trial", "", record.trial);
        view_number(view, "epoch", "", record.epoch);
        view_number(view, "starts", "", bits_cleared(record.starts));
        view_number(view, "failures", "", bits_cleared(record.failures));
    } else if (valid) {
        view_note(view, label, "slot %c, %s, sequence %u, epoch %u; %d starts, %d failures%s",
                  record.slot ? 'B' : 'A', record.trial ? "on trial" : "confirmed", record.sequence,
                  record.epoch, bits_cleared(record.starts), bits_cleared(record.failures),
                  copy == newest ? "; counts" : "");
    } else {
        view_note(view, label,
                  flash_image_used(image, offset, TH_BOOT_RECORD_BYTES) ? "not valid" : "erased");
    }
    view_close(view);
}

void flash_show_boot(struct view *view, struct flash_image *image)
{
    const uint32_t units[2] = {image->map->areas[TH_FLASH_BOOT_0].offset,
                               image->map->areas[TH_FLASH_BOOT_1].offset};
    struct th_boot_record record;
    int newest = th_boot_read(image->board.flash.ops, image->board.flash.ctx, units, &record);
    if (!term.json)
        view_open(view, NULL, "Boot record");
    view_list(view, "boot");
    view->depth--;
    for (int copy = 0; copy < 2; copy++)
        boot_copy(view, image, copy, newest);
    view->depth++;
    view_list_end(view);
    if (!term.json)
        view_close(view);
}

void flash_show_slots(struct view *view, const struct flash_image *image)
{
    static const char magic[4] = {'T', 'H', 'I', 'M'};
    view_open(view, "slots", "Slots");
    for (int use = TH_FLASH_SLOT_A; use <= TH_FLASH_SLOT_B; use++) {
        const struct th_flash_area *area = &image->map->areas[use];
        const uint8_t *at = image->raw + area->offset;
        uint32_t used = flash_image_used(image, area->offset, area->size);
        bool headed = memcmp(at, magic, sizeof magic) == 0;
        char text[80];
        snprintf(text, sizeof text, "%s, %u bytes", headed ? "image" : "no image header", used);
        view_text(view, use == TH_FLASH_SLOT_A ? "a" : "b", use_names[use],
                  used == 0 ? "erased" : text);
    }
    view_close(view);
}

/* ---- settings ---- */

static uint32_t unknown_settings(const struct th_log *log, uint8_t kind)
{
    uint8_t raw[TH_SETTINGS_MAX];
    size_t len = th_log_read(log, kind, 0, raw, sizeof raw);
    uint32_t unknown = 0;
    for (size_t at = 1; at + 4 <= len;) {
        unknown += th_setting_numbered((uint16_t)(raw[at] | raw[at + 1] << 8)) == NULL;
        at += 4u + (size_t)(raw[at + 2] | raw[at + 3] << 8);
    }
    OPENSSL_cleanse(raw, sizeof raw);
    return unknown;
}

static void show_settings(struct view *view, struct th_log *log, uint8_t kind, const char *name,
                          const char *heading)
{
    const struct th_settings settings = {log, kind};
    char value[TH_SETTING_VALUE_MAX + 1];
    if (th_log_len(log, kind) == 0)
        return;
    view_open(view, name, heading);
    for (uint16_t i = 0; i < th_settings_count; i++) {
        const struct th_setting *setting = &th_settings_schema[i];
        if (!th_settings_is_set(&settings, setting))
            continue;
        if (setting->flags & TH_SETTING_SECRET)
            snprintf(value, sizeof value, "(set, and not shown)");
        else
            th_settings_get(&settings, setting, value);
        view_text(view, setting->name, setting->name, value);
    }
    uint32_t unknown = unknown_settings(log, kind);
    if (unknown > 0)
        view_number(view, "unknown", "of a newer version", unknown);
    view_close(view);
}

/* ---- trial, history, and the rest ---- */

/* docs/flash-format.md, 'Trial'. */
static void show_trial(struct view *view, const struct th_log *log)
{
    static const char *const states[] = {"none", "the candidate is in use", "the old set is in use",
                                         "the candidate is being kept",
                                         "the candidate is being thrown away"};
    static const char *const parts[] = {"nothing",  "settings", "trust",
                                        "identity", "firmware", "co-processor"};
    uint8_t raw[16];
    if (th_log_read(log, TH_RECORD_TRIAL, 0, raw, sizeof raw) != sizeof raw || raw[0] != 1)
        return;
    view_open(view, "trial", "Trial");
    view_text(view, "state", "state", raw[1] < 5 ? states[raw[1]] : "not known");
    if (raw[1] != 0) {
        view_text(view, "component", "of", raw[2] < 6 ? parts[raw[2]] : "not known");
        view_number(view, "crashes", "crashes", raw[5]);
    }
    if (raw[11] != 0) {
        view_text(view, "last", "the one before", raw[11] < 6 ? parts[raw[11]] : "not known");
        view_bool(view, "last_kept", "was kept", raw[12] & 1);
        if (!(raw[12] & 1))
            view_text(view, "last_reason", "taken back for",
                      raw[12] & 2 ? "crashes" : th_error_text((enum th_error)raw[13]));
    }
    view_close(view);
}

static void show_history(struct view *view, struct th_log *log)
{
    struct th_history history;
    char text[TH_HISTORY_TEXT];
    th_history_load(&history, log, TH_RECORD_HISTORY, 0);
    if (!th_history_item(&history, 0))
        return;
    if (!term.json)
        view_open(view, NULL, "History, the newest first");
    view_list(view, "history");
    for (size_t i = 0; th_history_item(&history, i); i++) {
        th_history_text(th_history_item(&history, i), text, sizeof text);
        view_text(view, NULL, "", text);
    }
    view_list_end(view);
    if (!term.json)
        view_close(view);
}

static void show_small(struct view *view, const struct th_log *log)
{
    uint8_t floor[8], crashes;
    char prover[64], date[24];
    if (th_log_read(log, TH_RECORD_FLOOR, 0, floor, sizeof floor) == sizeof floor) {
        uint64_t seconds = 0;
        for (int i = 7; i >= 0; i--)
            seconds = seconds << 8 | floor[i];
        view_text(view, "floor", "clock's floor", term_date((int64_t)seconds, date));
    }
    if (th_log_read(log, TH_RECORD_CRASHES, 0, &crashes, 1) == 1)
        view_number(view, "crashes", "crashes in a row", crashes);
    size_t len = th_log_read(log, TH_RECORD_PROVER, 0, (uint8_t *)prover, sizeof prover - 1);
    prover[len] = '\0';
    if (len > 0)
        view_text(view, "prover", "change made by", prover);
}

static void show_records(struct view *view, const struct th_log *log)
{
    static const char *const names[TH_LOG_KINDS] = {
        [TH_RECORD_SETTINGS] = "settings", [TH_RECORD_SETTINGS_NEXT] = "settings on trial",
        [TH_RECORD_TRIAL] = "trial",       [TH_RECORD_FLOOR] = "floor",
        [TH_RECORD_HISTORY] = "history",   [TH_RECORD_CRASHES] = "crashes",
        [TH_RECORD_PROVER] = "prover",     [TH_RECORD_SEED] = "entropy seed",
    };
    view_list(view, "records");
    for (uint8_t kind = 0; kind < TH_LOG_KINDS; kind++) {
        char label[32];
        if (th_log_len(log, kind) == 0)
            continue;
        snprintf(label, sizeof label, "record %u", kind);
        if (term.json) {
            view_open(view, NULL, NULL);
            view_number(view, "kind", "", kind);
            view_text(view, "name", "", names[kind] ? names[kind] : "of a newer version");
            view_number(view, "bytes", "", (int64_t)th_log_len(log, kind));
            view_close(view);
        } else {
            view_note(view, label, "%zu bytes: %s", th_log_len(log, kind),
                      names[kind] ? names[kind] : "of a newer version");
        }
    }
    view_list_end(view);
}

void flash_show_log(struct view *view, struct flash_image *image)
{
    struct th_log log;
    view_open(view, "log", "Log");
    flash_show_units(view, image, TH_FLASH_LOG);
    enum th_error error = th_log_mount(&log, image->board.flash.ops, image->board.flash.ctx,
                                       th_flash_map_region(image->map, TH_FLASH_LOG), NONCE);
    if (error != TH_OK) {
        view_text(view, "error", "cannot be read", th_error_text(error));
        view_close(view);
        return;
    }
    show_records(view, &log);
    show_small(view, &log);
    show_settings(view, &log, TH_RECORD_SETTINGS, "settings", "Settings");
    show_settings(view, &log, TH_RECORD_SETTINGS_NEXT, "settings_on_trial", "Settings on trial");
    show_trial(view, &log);
    show_history(view, &log);
    view_close(view);
}

/* SPDX-License-Identifier: MIT */
/* thimble-device --bundle: the answer to the device's request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/pem.h>

#include "stores.h"

/* PEM takes a third more, line ends and a few lines of text. */
#define FILE_MAX (2 * TH_ENROL_BUNDLE_MAX)

static enum th_error read_file(const char *path, uint8_t *into, size_t room, size_t *len)
{
    FILE *file = fopen(path, "rb");

    if (!file)
        return TH_ERR_FILE_MISSING;
    *len = fread(into, 1, room, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        return TH_ERR_FILE_KIND;
    return *len == room ? TH_ERR_ENROL_FORMAT : TH_OK;
}

/* The bundle in a file of PEM, decoded where it lies; a file without PEM is the bundle itself. */
static enum th_error unwrap(uint8_t *bytes, size_t *len)
{
    struct th_span text = {bytes, *len};
    struct th_pem_block block;

    if (*len >= 4 && memcmp(bytes, "THEB", 4) == 0)
        return TH_OK;
    while (th_pem_next(&text, &block) == TH_OK) {
        if (th_span_equal(block.label, TH_SPAN(TH_ENROL_BUNDLE_LABEL)))
            return th_pem_decode(&block, bytes, *len, len) == TH_OK ? TH_OK : TH_ERR_ENROL_FORMAT;
    }
    return TH_ERR_ENROL_FORMAT;
}

/* The floor rises to the time that the update key has signed, as with every bundle (C1). */
static enum th_error raise_floor(struct stores *stores, int64_t signed_s)
{
    uint8_t raw[8];
    uint64_t stored = 0;

    if (th_log_read(&stores->log, TH_RECORD_FLOOR, 0, raw, sizeof raw) == sizeof raw) {
        for (int i = 8; i-- > 0;)
            stored = stored << 8 | raw[i];
    }
    if (signed_s < 0 || stored >= (uint64_t)signed_s)
        return TH_OK;
    for (int i = 0; i < 8; i++)
        raw[i] = (uint8_t)((uint64_t)signed_s >> (8 * i));
    return th_log_write(&stores->log, TH_RECORD_FLOOR, th_span_of(raw, sizeof raw));
}

/* From now on it has somewhere to connect to. */
static enum th_error use_mqtt(struct stores *stores)
{
    struct th_settings settings = {&stores->log, TH_RECORD_SETTINGS};
    struct th_settings_change change;
    uint8_t bytes[TH_SETTINGS_MAX];
    const char *why;
    enum th_error error = th_settings_begin(&change, &settings, bytes, sizeof bytes);

    if (error == TH_OK)
        error = th_settings_put(&change, th_setting_find(TH_SPAN("mode")), TH_SPAN("mqtt"), &why);
    return error ? error : th_settings_commit(&change, &settings);
}

int bundle_main(struct stores *stores, const char *path)
{
    static uint8_t bytes[FILE_MAX];
    struct th_enrol enrol = stores_enrol(stores);
    struct th_enrolled enrolled;
    struct th_identity_report report;
    size_t len;
    enum th_error error = read_file(path, bytes, sizeof bytes, &len);

    if (error == TH_OK)
        error = unwrap(bytes, &len);
    if (error == TH_OK)
        error = th_enrol_take(&enrol, th_span_of(bytes, len), &enrolled);
    if (error == TH_OK)
        error = raise_floor(stores, enrolled.manifest.time_s);
    if (error == TH_OK)
        error = use_mqtt(stores);
    if (error)
        return stores_failed(path, error);
    th_identity_report(&stores->identity, &report);
    printf("%s is enrolled, and trusts what trust bundle %u says; its mode is mqtt\n", report.name,
           enrolled.manifest.sequence);
    return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/*
 * Writes the flash of a device that has lived a little, with the map `sim`:
 *   flash_image FILE CERTIFICATE.der BUNDLE
 * and prints what must never be shown of it, one a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/boot.h>
#include <thimble/device.h>

#include "ports/sim/flash.h"

#define SIZE 131072

static uint8_t cells[SIZE], weak[SIZE], chain[TH_CHAIN_MAX], bundle[9000];
static struct sim_flash flash;
static struct th_board board;
static const struct th_crypto crypto = {&th_crypto_openssl, NULL};

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    static uint8_t next = 1;

    (void)ctx;
    for (size_t i = 0; i < len; i++)
        into[i] = (uint8_t)(next = (uint8_t)(next * 37 + 11));
    return true;
}

static struct th_span read_all(const char *path, uint8_t *into, size_t room)
{
    FILE *file = fopen(path, "rb");

    check(file != NULL, path);
    size_t len = fread(into, 1, room, file);
    fclose(file);
    return th_span_of(into, len);
}

static void print_secret(struct th_credential *credential)
{
    for (size_t i = 0; i < 16; i++)
        printf("%02x", credential->key[7 + i]);
    putchar('\n');
    th_credential_wipe(credential);
}

static void factory(struct th_span certificate)
{
    struct th_factory store;
    struct th_credential credential;
    uint8_t room[TH_CHAIN_MAX];

    check(th_factory_open(&store, &board, &th_flash_map_sim, 1) == TH_OK &&
              th_factory_code_set(&store, "0123456789ABCDEF") == TH_OK &&
              th_factory_key_make(&store, &crypto, &board) == TH_OK &&
              th_factory_certify(&store, certificate) == TH_OK &&
              th_factory_calibration_put(&store, TH_SPAN("calibrated")) == TH_OK &&
              th_factory_idevid(&store, room, sizeof room, &credential) == TH_OK,
          "the factory area");
    puts("0123456789ABCDEF");
    print_secret(&credential);
}

static void identity(struct th_span certificate, struct th_span trust)
{
    struct th_identity_store store;
    struct th_credential credential;
    uint8_t room[TH_CHAIN_MAX];

    check(th_identity_open(&store, &board, &th_flash_map_sim, 2) == TH_OK &&
              th_identity_next_make(&store, &crypto, &board, TH_SPAN("lamp")) == TH_OK &&
              th_identity_enrol(&store, certificate, trust) == TH_OK &&
              th_identity_next_make(&store, &crypto, &board, TH_SPAN("lamp")) == TH_OK &&
              th_identity_session_put(&store, TH_SPAN("session of nobody else")) == TH_OK &&
              th_identity_load(&store, TH_IN_FORCE, room, sizeof room, &credential) == TH_OK,
          "the identity");
    puts("session of nobody else");
    print_secret(&credential);
    check(th_identity_load(&store, TH_NEXT, room, sizeof room, &credential) == TH_OK, "the next");
    print_secret(&credential);
}

static void set(struct th_settings_change *change, const char *name, const char *value)
{
    const char *why;

    check(th_settings_put(change, th_setting_find(th_span_str(name)), th_span_str(value), &why) ==
              TH_OK,
          name);
}

static void settings(struct th_log *log)
{
    static uint8_t buffer[TH_SETTINGS_MAX];
    const struct th_settings now = {log, TH_RECORD_SETTINGS}, next = {log, TH_RECORD_SETTINGS_NEXT};
    struct th_settings_change change;

    check(th_settings_begin(&change, &now, buffer, sizeof buffer) == TH_OK, "settings");
    set(&change, "device.id", "lamp");
    set(&change, "mqtt.server", "broker.example:8883");
    set(&change, "mqtt.pass", "correct horse");
    set(&change, "wifi.sta.pass", "battery staple");
    puts("correct horse\nbattery staple");
    check(th_settings_commit(&change, &now) == TH_OK, "settings");
    check(th_settings_begin(&change, &now, buffer, sizeof buffer) == TH_OK, "settings");
    set(&change, "mqtt.keep_alive", "30");
    check(th_settings_commit(&change, &next) == TH_OK, "settings on trial");
}

static void log_of_a_life(void)
{
    static const uint8_t floor[8] = {0x00, 0x1A, 0xAF, 0x6A}, crashes[1] = {2};
    const struct th_trial_plan plan = {.component = TH_TRIAL_SETTINGS};
    struct th_failure failure = th_failure_of(TH_ERR_UPDATE_OLD);
    struct th_history history;
    struct th_trial trial;
    struct th_log log;

    check(th_log_mount(&log, &sim_flash_ops, &flash,
                       th_flash_map_region(&th_flash_map_sim, TH_FLASH_LOG), 3) == TH_OK,
          "the log");
    settings(&log);
    th_trial_load(&trial, &log, TH_RECORD_TRIAL, false);
    check(th_trial_begin(&trial, &plan) == TH_OK, "the trial");
    th_history_load(&history, &log, TH_RECORD_HISTORY, 0);
    th_history_failure(&history, &failure, 1790000000, 0);
    check(th_log_write(&log, TH_RECORD_FLOOR, th_span_of(floor, 8)) == TH_OK &&
              th_log_write(&log, TH_RECORD_CRASHES, th_span_of(crashes, 1)) == TH_OK &&
              th_log_write(&log, 14, TH_SPAN("newer")) == TH_OK,
          "the log");
}

int main(int argc, char **argv)
{
    static const struct th_entropy_ops entropy = {fill};
    const uint32_t units[2] = {th_flash_map_sim.areas[TH_FLASH_BOOT_0].offset,
                               th_flash_map_sim.areas[TH_FLASH_BOOT_1].offset};
    struct th_boot_record record = {.slot = 1, .trial = true, .attempts = 3, .epoch = 4};

    check(argc == 4, "the call");
    sim_flash_init(&flash, (struct th_flash_geometry){SIZE, th_flash_map_sim.erase_unit, 4}, cells,
                   weak, 1);
    board.flash.ops = &sim_flash_ops;
    board.flash.ctx = &flash;
    board.entropy.ops = &entropy;
    struct th_span certificate = read_all(argv[2], chain, sizeof chain);
    struct th_span trust = read_all(argv[3], bundle, sizeof bundle);
    factory(certificate);
    identity(certificate, trust);
    log_of_a_life();
    check(th_boot_write(&sim_flash_ops, &flash, units, &record), "the boot record");
    FILE *file = fopen(argv[1], "wb");
    check(file && fwrite(cells, 1, SIZE, file) == SIZE && fclose(file) == 0, argv[1]);
    return 0;
}

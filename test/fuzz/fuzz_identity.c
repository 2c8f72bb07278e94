/* SPDX-License-Identifier: MIT */
/*
 * R2 I9: factory area and identity over records of any content. The input is a list of records
 * (which area, kind, length, bytes), so that no CRC stands in a fuzzer's way; what is left over
 * lies raw over the flash. Each start is defined, and a factory reset comes to its end.
 */
#include <stdlib.h>
#include <string.h>

#include <thimble/identity.h>

#include "ports/sim/flash.h"

#define UNIT 512u
#define SIZE (16 * UNIT)

static const struct th_flash_map map = {
    "fuzz",
    SIZE,
    UNIT,
    {
        [TH_FLASH_BOOT_0] = {0, UNIT, 0},
        [TH_FLASH_BOOT_1] = {UNIT, UNIT, 0},
        [TH_FLASH_LOG] = {2 * UNIT, 2 * UNIT, UNIT},
        [TH_FLASH_FACTORY] = {4 * UNIT, 2 * UNIT, UNIT},
        [TH_FLASH_IDENTITY] = {6 * UNIT, 4 * UNIT, 2 * UNIT},
        [TH_FLASH_SLOT_A] = {10 * UNIT, UNIT, 0},
        [TH_FLASH_SLOT_B] = {11 * UNIT, UNIT, 0},
        [TH_FLASH_COPROC_NEW] = {12 * UNIT, UNIT, 0},
        [TH_FLASH_COPROC_GOOD] = {13 * UNIT, UNIT, 0},
    },
};

static uint8_t cells[SIZE], weak[SIZE];
static struct sim_flash flash;
static struct th_identity_store identity;
static struct th_factory factory;
static struct th_log log_;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void start(const struct th_board *board)
{
    sim_flash_power_on(&flash, 1);
    if (th_identity_open(&identity, board, &map, 2) != TH_OK ||
        th_factory_open(&factory, board, &map, 3) != TH_OK ||
        th_log_mount(&log_, &sim_flash_ops, &flash, th_flash_map_region(&map, TH_FLASH_LOG), 4) !=
            TH_OK)
        abort();
    const struct th_reset reset = {&identity, &factory, &log_, 1, board};
    if (th_reset_finish(&reset) != TH_OK || th_reset_pending(&identity) != TH_RESET_NOTHING)
        abort();
}

static void read_all(void)
{
    static uint8_t chain[TH_CHAIN_MAX], bytes[TH_CALIBRATION_MAX];
    struct th_identity_report report;
    struct th_credential credential;
    char code[TH_SETUP_CODE + 1];

    th_identity_report(&identity, &report);
    for (int place = 0; place < 2; place++) {
        enum th_identity_place at = (enum th_identity_place)place;

        th_identity_load(&identity, at, chain, sizeof chain, &credential);
        if (th_identity_trust_read(&identity, at, 0, chain, sizeof chain) >
            th_identity_trust_len(&identity, at))
            abort();
    }
    th_identity_session(&identity, bytes, sizeof bytes);
    th_factory_idevid(&factory, chain, sizeof chain, &credential);
    th_factory_calibration(&factory, bytes, sizeof bytes);
    if (th_factory_code(&factory, code) && strlen(code) != TH_SETUP_CODE)
        abort();
}

static size_t write_records(const uint8_t *data, size_t size)
{
    size_t at = 0;

    while (size - at >= 3 && data[at] != 0xFF) {
        struct th_log *log = data[at] >> 7 ? &factory.log : &identity.log;
        size_t len = data[at + 1] | (size_t)(data[at + 2] & 3) << 8;

        if (len > size - at - 3)
            len = size - at - 3;
        th_log_write(log, data[at] & 7, th_span_of(data + at + 3, len));
        at += 3 + len;
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct th_board board = {.flash = {&sim_flash_ops, &flash}};

    sim_flash_init(&flash, (struct th_flash_geometry){SIZE, UNIT, 4}, cells, weak, 1);
    start(&board);
    size_t used = write_records(data, size);
    start(&board);
    read_all();
    for (size_t i = used; i + 2 < size; i += 3)
        cells[(data[i] | (size_t)data[i + 1] << 8) % SIZE] ^= data[i + 2];
    start(&board);
    read_all();
    th_identity_trust_promote(&identity);
    th_identity_promote(&identity);
    read_all();
    if (th_reset_begin(&identity, TH_RESET_FACTORY) != TH_OK)
        abort();
    start(&board);
    if (th_identity_trust_len(&identity, TH_IN_FORCE) != 0)
        abort();
    return 0;
}

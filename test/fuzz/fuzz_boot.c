/* SPDX-License-Identifier: MIT */
/* O9 R2: two boot records of any content: a loader has a defined choice, and a record can be
 * written that counts from then on. */
#include <stdlib.h>
#include <string.h>

#include <thimble/boot.h>

#include "ports/sim/flash.h"

#define UNIT 256u

static const uint32_t units[2] = {0, UNIT};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void follow(struct sim_flash *flash, bool crashed)
{
    struct th_boot_record record;
    uint8_t bits[TH_BOOT_BITS_BYTES];
    int copy = th_boot_read(&sim_flash_ops, flash, units, &record);

    if (copy < 0)
        return;
    if (!th_boot_settle(&sim_flash_ops, flash, units, copy))
        abort();
    struct th_boot_choice choice = th_boot_choose(&record, crashed);
    if (choice.slot > 1 || (choice.trial && choice.reverted))
        abort();
    th_boot_encode_bits(&choice, bits);
    sim_flash_ops.program(flash, units[copy] + TH_BOOT_BITS_OFFSET, bits, sizeof bits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t cells[2 * UNIT], weak[2 * UNIT];
    struct sim_flash flash;
    struct th_boot_record wanted = {.slot = size & 1, .trial = true, .attempts = 3}, found;

    sim_flash_init(&flash, (struct th_flash_geometry){2 * UNIT, UNIT, 4}, cells, weak, 1);
    memcpy(cells, data, size < sizeof cells ? size : sizeof cells);
    for (int start = 0; start < 40; start++)
        follow(&flash, start % 3 == 0);
    if (!th_boot_write(&sim_flash_ops, &flash, units, &wanted) ||
        th_boot_read(&sim_flash_ops, &flash, units, &found) < 0 || found.slot != wanted.slot ||
        found.sequence != wanted.sequence || !found.trial)
        abort();
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include <thimble/boot.h>

#include <string.h>
#include <thimble/crc.h>

enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_SLOT = 5,
    AT_STATE = 6,
    AT_ATTEMPTS = 7,
    AT_SEQUENCE = 8,
    AT_EPOCH = 12,
    AT_IMAGE = 16,
    AT_CRC = 60,
    AT_STARTS = TH_BOOT_BITS_OFFSET,
    AT_FAILURES = AT_STARTS + 4,
    AT_REFUSED = AT_FAILURES + 4,
};

#define VERSION      1
#define ATTEMPTS_MAX 32

static const uint8_t magic[4] = {'T', 'H', 'B', 'R'};

static uint32_t get32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

bool th_boot_decode(const uint8_t bytes[TH_BOOT_RECORD_BYTES], struct th_boot_record *out)
{
    if (memcmp(bytes + AT_MAGIC, magic, sizeof(magic)) != 0 || bytes[AT_VERSION] != VERSION ||
        get32(bytes + AT_CRC) != th_crc32(0, bytes, AT_CRC))
        return false;
    if (bytes[AT_SLOT] > 1 || bytes[AT_STATE] > 1 || bytes[AT_ATTEMPTS] < 1 ||
        bytes[AT_ATTEMPTS] > ATTEMPTS_MAX)
        return false;
    out->slot = bytes[AT_SLOT];
    out->trial = bytes[AT_STATE] == 1;
    out->attempts = bytes[AT_ATTEMPTS];
    out->sequence = get32(bytes + AT_SEQUENCE);
    out->epoch = get32(bytes + AT_EPOCH);
    memcpy(out->image, bytes + AT_IMAGE, sizeof(out->image));
    out->starts = get32(bytes + AT_STARTS);
    out->failures = get32(bytes + AT_FAILURES);
    out->refused = get32(bytes + AT_REFUSED);
    return true;
}

void th_boot_encode(const struct th_boot_record *record, uint8_t bytes[TH_BOOT_RECORD_BYTES])
{
    memset(bytes, 0, AT_CRC);
    memset(bytes + AT_CRC, 0xFF, TH_BOOT_RECORD_BYTES - AT_CRC);
    memcpy(bytes + AT_MAGIC, magic, sizeof(magic));
    bytes[AT_VERSION] = VERSION;
    bytes[AT_SLOT] = record->slot;
    bytes[AT_STATE] = record->trial;
    bytes[AT_ATTEMPTS] = record->attempts;
    put32(bytes + AT_SEQUENCE, record->sequence);
    put32(bytes + AT_EPOCH, record->epoch);
    memcpy(bytes + AT_IMAGE, record->image, sizeof(record->image));
    put32(bytes + AT_CRC, th_crc32(0, bytes, AT_CRC));
    put32(bytes + AT_STARTS, record->starts);
    put32(bytes + AT_FAILURES, record->failures);
    put32(bytes + AT_REFUSED, record->refused);
}

static bool read_copy(const struct th_flash_ops *flash, void *ctx, uint32_t unit,
                      struct th_boot_record *out)
{
    uint8_t bytes[TH_BOOT_RECORD_BYTES];
    return flash->read(ctx, unit, bytes, sizeof(bytes)) && th_boot_decode(bytes, out);
}

int th_boot_read(const struct th_flash_ops *flash, void *ctx, const uint32_t units[2],
                 struct th_boot_record *out)
{
    struct th_boot_record second;
    bool first_valid = read_copy(flash, ctx, units[0], out);
    bool second_valid = read_copy(flash, ctx, units[1], &second);

    if (!second_valid)
        return first_valid ? 0 : -1;
    if (first_valid && (int32_t)(out->sequence - second.sequence) >= 0)
        return 0;
    *out = second;
    return 1;
}

bool th_boot_write(const struct th_flash_ops *flash, void *ctx, const uint32_t units[2],
                   struct th_boot_record *record)
{
    struct th_boot_record newest = {0};
    uint8_t bytes[TH_BOOT_RECORD_BYTES], back[TH_BOOT_RECORD_BYTES];
    int index = th_boot_read(flash, ctx, units, &newest);
    uint32_t unit = units[index == 0 ? 1 : 0];

    record->sequence = newest.sequence + 1;
    record->starts = record->failures = record->refused = UINT32_MAX;
    th_boot_encode(record, bytes);
    return flash->erase(ctx, unit) && flash->program(ctx, unit, bytes, sizeof(bytes)) &&
           flash->read(ctx, unit, back, sizeof(back)) && memcmp(bytes, back, sizeof(back)) == 0;
}

bool th_boot_settle(const struct th_flash_ops *flash, void *ctx, const uint32_t units[2], int copy)
{
    static const uint8_t no_magic[sizeof(magic)] = {0};
    uint8_t bytes[TH_BOOT_RECORD_BYTES], back[TH_BOOT_RECORD_BYTES];
    struct th_boot_record record;
    uint32_t unit = units[copy], other = units[1 - copy];

    if (!flash->read(ctx, unit, bytes, sizeof(bytes)) || !th_boot_decode(bytes, &record) ||
        !flash->program(ctx, unit, bytes, sizeof(bytes)) ||
        !flash->read(ctx, unit, back, sizeof(back)) || memcmp(bytes, back, sizeof(back)) != 0)
        return false;
    return read_copy(flash, ctx, other, &record) ||
           flash->program(ctx, other + AT_MAGIC, no_magic, sizeof(no_magic));
}

static unsigned cleared(uint32_t bits)
{
    unsigned count = 0;
    for (bits = ~bits; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

struct th_boot_choice th_boot_choose(const struct th_boot_record *record, bool crashed)
{
    struct th_boot_choice choice = {
        .slot = record->slot,
        .trial = record->trial,
        .starts = record->starts,
        .failures = record->failures,
        .refused = record->refused,
    };

    if (!record->trial)
        return choice;
    /* A crash before the trial's first start is not the trial's. */
    if (crashed && record->starts != UINT32_MAX)
        choice.failures &= choice.failures - 1;
    if (record->refused != UINT32_MAX || record->starts == 0 ||
        cleared(choice.failures) >= record->attempts) {
        choice.slot = (uint8_t)(1 - record->slot);
        choice.trial = false;
        choice.reverted = true;
        choice.refused = 0;
        return choice;
    }
    choice.starts &= choice.starts - 1;
    return choice;
}

void th_boot_encode_bits(const struct th_boot_choice *choice, uint8_t bytes[TH_BOOT_BITS_BYTES])
{
    put32(bytes, choice->starts);
    put32(bytes + 4, choice->failures);
    put32(bytes + 8, choice->refused);
}

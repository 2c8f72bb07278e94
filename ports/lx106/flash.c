/* SPDX-License-Identifier: MIT */
/* The machine's CFI flash (Intel command set, 16 bits wide, 64 KiB sectors), as NOR: a program only
 * clears bits. QEMU's model overwrites instead, so the driver ANDs with what is there. Buffered
 * programs of up to 2 KiB: word by word takes a hundred times as long in the emulator. While a
 * command runs the chip cannot be read, so this code is in IRAM. */
#include <cpu.h>
#include <string.h>

#include "lx106.h"

enum {
    READ_ARRAY = 0xFF,
    CLEAR_STATUS = 0x50,
    ERASE_SETUP = 0x20,
    CONFIRM = 0xD0,
    BUFFERED_PROGRAM = 0xE8,
};
enum { READY = 0x80, FAILED = 0x3A }; /* erase, program, voltage and lock errors */

#define BLOCK_BYTES 2048
/* One call to the emulated chip takes this much of a block: what the stack can spare. */
#define PIECE_WORDS 64

static volatile uint16_t *command(uint32_t offset)
{
    return (volatile uint16_t *)(uintptr_t)(LX_FLASH_BASE + offset);
}

static volatile uint32_t *word(uint32_t offset)
{
    return (volatile uint32_t *)(uintptr_t)(LX_FLASH_BASE + offset);
}

static bool in_range(uint32_t offset, size_t len)
{
    return offset <= LX_FLASH_SIZE && len <= LX_FLASH_SIZE - offset;
}

static TH_IN_RAM bool wait_ready(uint32_t offset)
{
    uint16_t status;

    do {
        status = *command(offset);
    } while ((status & READY) == 0);
    *command(offset) = CLEAR_STATUS;
    *command(offset) = READ_ARRAY;
    return (status & FAILED) == 0;
}

static TH_IN_RAM bool program_words(uint32_t offset, const uint32_t *words, unsigned count)
{
    *command(offset) = BUFFERED_PROGRAM;
    *command(offset) = (uint16_t)(count * 2 - 1); /* 16-bit units less one */
    for (unsigned i = 0; i < count; i++) {
        *command(offset + i * 4) = (uint16_t)words[i];
        *command(offset + i * 4 + 2) = (uint16_t)(words[i] >> 16);
    }
    *command(offset) = CONFIRM;
    return wait_ready(offset);
}

static struct th_flash_geometry geometry(void *ctx)
{
    (void)ctx;
    return (struct th_flash_geometry){LX_FLASH_SIZE, LX_FLASH_SECTOR, sizeof(uint32_t)};
}

static bool flash_read(void *ctx, uint32_t offset, uint8_t *into, size_t len)
{
    (void)ctx;
    if (!in_range(offset, len))
        return false;
    while (len > 0) {
        uint32_t value = *word(offset & ~3u);
        size_t skip = offset & 3;
        size_t part = sizeof(value) - skip < len ? sizeof(value) - skip : len;
        memcpy(into, (uint8_t *)&value + skip, part);
        into += part;
        offset += (uint32_t)part;
        len -= part;
    }
    return true;
}

static bool flash_program(void *ctx, uint32_t offset, const uint8_t *bytes, size_t len)
{
    uint32_t words[PIECE_WORDS];

    (void)ctx;
    if (!in_range(offset, len) || offset % sizeof(uint32_t) != 0 || len % sizeof(uint32_t) != 0)
        return false;
    while (len > 0) {
        size_t part = BLOCK_BYTES - offset % BLOCK_BYTES;
        part = part < len ? part : len;
        part = part < sizeof(words) ? part : sizeof(words);
        memcpy(words, bytes, part);
        for (unsigned i = 0; i < part / sizeof(uint32_t); i++)
            words[i] &= *word(offset + i * sizeof(uint32_t));
        if (!program_words(offset, words, (unsigned)(part / sizeof(uint32_t))))
            return false;
        bytes += part;
        offset += (uint32_t)part;
        len -= part;
    }
    return true;
}

static TH_IN_RAM bool erase_sector(uint32_t offset)
{
    *command(offset) = CLEAR_STATUS;
    *command(offset) = ERASE_SETUP;
    *command(offset) = CONFIRM;
    return wait_ready(offset);
}

static bool flash_erase(void *ctx, uint32_t offset)
{
    (void)ctx;
    return offset % LX_FLASH_SECTOR == 0 && in_range(offset, LX_FLASH_SECTOR) &&
           erase_sector(offset);
}

const struct th_flash_ops th_lx_flash_ops = {geometry, flash_read, flash_program, flash_erase};

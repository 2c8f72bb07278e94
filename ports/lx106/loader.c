/* SPDX-License-Identifier: MIT */
/* The boot loader, in the place of the chip's mask ROM: chooses a slot by the boot record, verifies
 * the image, copies its segments to where they run, and jumps. */
#include <bearssl_hash.h>
#include <string.h>
#include <thimble/boot.h>

#include "../common/machine.h"
#include "../common/print.h"
#include "image.h"
#include "lx106.h"

#define SAY(...) th_print(th_machine_put, NULL, "loader: " __VA_ARGS__)

static const uint32_t units[2] = TH_LX_BOOT_UNITS;
static const uint32_t slots[2] = TH_LX_SLOTS;

struct header {
    uint8_t magic[4];
    uint32_t length;
    uint8_t digest[TH_BOOT_DIGEST_BYTES];
    uint8_t version, segments;
    uint16_t zero;
    uint32_t entry;
    struct {
        uint32_t address, length;
    } table[TH_LX_IMAGE_SEGMENTS];
};

_Static_assert(offsetof(struct header, digest) == TH_LX_IMAGE_DIGEST, "docs/flash-format.md");
_Static_assert(offsetof(struct header, table) == TH_LX_IMAGE_TABLE, "docs/flash-format.md");

static bool within(uint32_t address, uint32_t length, uint32_t from, uint32_t size)
{
    return address >= from && address - from <= size && length <= size - (address - from);
}

/* Memory an image may fill; above all not the loader's own. */
static bool loadable(uint32_t address, uint32_t length)
{
    return address % 4 == 0 && length % 4 == 0 &&
           (within(address, length, 0x40100000, 0x8000) ||
            within(address, length, 0x3FFE8000, 0x14000) ||
            within(address, length, 0x40201010, 0xFEFF0));
}

/* Lengths and places, before the digest is believed. */
static const char *header_fault(const struct header *header)
{
    uint32_t end = TH_LX_IMAGE_TABLE + 8u * header->segments;

    if (memcmp(header->magic, "THIM", 4) != 0)
        return "no image";
    if (header->version != TH_LX_IMAGE_VERSION || header->segments < 1 ||
        header->segments > TH_LX_IMAGE_SEGMENTS)
        return "unknown image version";
    if (header->length > TH_LX_SLOT_BYTES || header->length % 4 != 0 || header->length < end)
        return "wrong length";
    for (unsigned i = 0; i < header->segments; i++) {
        if (!loadable(header->table[i].address, header->table[i].length) ||
            header->table[i].length > header->length - end)
            return "a segment out of place";
        end += header->table[i].length;
    }
    if (end != header->length)
        return "wrong length";
    if (!within(header->entry, 4, 0x40100000, 0x8000))
        return "an entry out of place";
    return NULL;
}

static void digest_image(uint32_t slot, uint32_t length, uint8_t digest[TH_BOOT_DIGEST_BYTES])
{
    br_sha256_context sha;
    uint8_t block[256];

    br_sha256_init(&sha);
    for (uint32_t at = TH_LX_IMAGE_DIGESTED; at < length;) {
        uint32_t part = length - at < sizeof(block) ? length - at : sizeof(block);
        th_lx_flash_ops.read(NULL, slot + at, block, part);
        br_sha256_update(&sha, block, part);
        at += part;
    }
    br_sha256_out(&sha, digest);
}

static const char *image_fault(uint32_t slot, const uint8_t *expected, struct header *header)
{
    uint8_t digest[TH_BOOT_DIGEST_BYTES];

    th_lx_flash_ops.read(NULL, slot, (uint8_t *)header, sizeof(*header));
    const char *fault = header_fault(header);
    if (fault != NULL)
        return fault;
    digest_image(slot, header->length, digest);
    if (memcmp(digest, header->digest, sizeof(digest)) != 0)
        return "a wrong digest";
    if (expected != NULL && memcmp(digest, expected, sizeof(digest)) != 0)
        return "another image than the trial's";
    return NULL;
}

static _Noreturn void start_image(uint32_t slot, const struct header *header)
{
    uint32_t at = TH_LX_IMAGE_TABLE + 8u * header->segments;

    for (unsigned i = 0; i < header->segments; i++) {
        uint8_t *to = (uint8_t *)(uintptr_t)header->table[i].address;
        th_lx_flash_ops.read(NULL, slot + at, to, header->table[i].length);
        at += header->table[i].length;
    }
    ((void (*)(void))(uintptr_t)header->entry)();
    __builtin_unreachable();
}

/* Returns only when the slot cannot be started. */
static void try_slot(unsigned slot, const uint8_t *expected, uint32_t notes)
{
    struct header header;
    const char *fault = image_fault(slots[slot], expected, &header);

    if (fault != NULL) {
        SAY("slot %u holds %s\n", slot, fault);
        return;
    }
    th_lx_rtc_boot_notes(notes | slot);
    SAY("starting slot %u\n", slot);
    start_image(slots[slot], &header);
}

static void program_bits(int copy, const struct th_boot_choice *choice)
{
    uint8_t bits[TH_BOOT_BITS_BYTES];

    th_boot_encode_bits(choice, bits);
    if (!th_lx_flash_ops.program(NULL, units[copy] + TH_BOOT_BITS_OFFSET, bits, sizeof(bits)))
        SAY("the boot record cannot be programmed\n");
}

static void follow_record(int copy, const struct th_boot_record *record)
{
    struct th_boot_choice choice = th_boot_choose(record, th_lx_reset_was_crash());
    uint32_t notes = choice.trial ? TH_LX_BOOT_TRIAL : 0;

    if (choice.reverted)
        notes = TH_LX_BOOT_REVERTED;
    if (record->trial)
        program_bits(copy, &choice);
    try_slot(choice.slot, choice.trial ? record->image : NULL, notes);
    if (choice.trial) {
        choice.refused = 0;
        program_bits(copy, &choice);
        notes = TH_LX_BOOT_REVERTED;
    }
    try_slot(1u - choice.slot, NULL, notes);
}

int th_main(void)
{
    struct th_boot_record record;
    int copy = th_boot_read(&th_lx_flash_ops, NULL, units, &record);

    if (copy >= 0) {
        if (!th_boot_settle(&th_lx_flash_ops, NULL, units, copy))
            SAY("the boot record cannot be programmed\n");
        follow_record(copy, &record);
    } else {
        SAY("no valid boot record\n");
        try_slot(0, NULL, 0);
        try_slot(1, NULL, 0);
    }
    SAY("no slot can be started\n");
    return 3;
}

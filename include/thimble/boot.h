/* SPDX-License-Identifier: MIT */
/*
 * The boot record: which of two slots a boot loader starts, and whether that is a trial. Bit-exact
 * layout: docs/flash-format.md. Two copies lie in two erase units of their own; a new record
 * replaces the older copy, so that a power cut leaves the old one or the new one (O9).
 */
#ifndef THIMBLE_BOOT_H
#define THIMBLE_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/board.h>

#define TH_BOOT_RECORD_BYTES 80
#define TH_BOOT_DIGEST_BYTES 32

struct th_boot_record {
    uint32_t sequence; /* compared wrap-safe; the newest valid copy counts */
    uint32_t epoch;    /* security epoch of the newest confirmed image */
    uint8_t slot;      /* 0 or 1 */
    bool trial;
    uint8_t attempts; /* a trial ends after so many starts that follow a crash, 1..32 */
    uint8_t image[TH_BOOT_DIGEST_BYTES]; /* SHA-256 of the image in the slot, as in its header */
    /* Bits are cleared from bit 0 up without an erase; a record is written with all of them set. */
    uint32_t starts;   /* one for each start of the trial, however the last one ended */
    uint32_t failures; /* one for each start of the trial that follows a crash or a watchdog */
    uint32_t refused;  /* 0: the trial is over and the other slot is the one to start */
};

/* False when the bytes are not a valid record of a version that is known. */
bool th_boot_decode(const uint8_t bytes[TH_BOOT_RECORD_BYTES], struct th_boot_record *out);

/* The bit fields are written as they are in `record`. */
void th_boot_encode(const struct th_boot_record *record, uint8_t bytes[TH_BOOT_RECORD_BYTES]);

/* Reads both copies, which begin the erase units at `units`. Returns which is the newest, 0 or 1;
 * -1 when neither is valid. */
int th_boot_read(const struct th_flash_ops *flash, void *ctx, const uint32_t units[2],
                 struct th_boot_record *out);

/* A record whose writing was cut may be whole now and broken at the next start, or the other way
 * round. Before anybody acts on `copy`, the newest, it is programmed once more as it reads, and the
 * other one is voided where it is not valid. False: the flash failed. */
bool th_boot_settle(const struct th_flash_ops *flash, void *ctx, const uint32_t units[2], int copy);

/* Makes `record` the newest: takes the next sequence, sets all bits, erases and writes the copy
 * that is not the newest, and reads it back. False when the flash failed; the former record then
 * still counts. */
bool th_boot_write(const struct th_flash_ops *flash, void *ctx, const uint32_t units[2],
                   struct th_boot_record *record);

/* What a loader does with the newest record. */
struct th_boot_choice {
    uint8_t slot;
    bool trial;    /* of `slot` */
    bool reverted; /* the record's trial is over; `slot` is the one before it */
    uint32_t starts, failures, refused; /* to be programmed into the record before the start */
};

/* `crashed`: this start follows a crash or a watchdog, not a power cut or an ordered restart. */
struct th_boot_choice th_boot_choose(const struct th_boot_record *record, bool crashed);

/* Offset of the three bit fields in a record, for programming them. */
#define TH_BOOT_BITS_OFFSET 64
#define TH_BOOT_BITS_BYTES  12

void th_boot_encode_bits(const struct th_boot_choice *choice, uint8_t bytes[TH_BOOT_BITS_BYTES]);

#endif

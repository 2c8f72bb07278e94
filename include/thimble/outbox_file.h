/* SPDX-License-Identifier: MIT */
/*
 * The outbox in a file (thimble/outbox.h): an append-only journal that survives kill -9 of the
 * client at any moment, and with `power_safe` a power cut. docs/outbox-file.md gives its format bit
 * by bit. Bytes of messages stay in the file; memory holds 32 bytes for each record.
 *
 *   struct th_outbox_file file;
 *   struct th_outbox_file_config config = {.path = "outbox", .protocol = 5};
 *   if (th_outbox_file_open(&file, &config, &failure) == TH_OK)
 *       mqtt_config.outbox = th_outbox_file(&file);
 *
 * The process must ignore SIGXFSZ if it has a limit on file sizes (RLIMIT_FSIZE): the system
 * otherwise ends it at the first write above the limit.
 */
#ifndef THIMBLE_OUTBOX_FILE_H
#define THIMBLE_OUTBOX_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/failure.h>
#include <thimble/outbox.h>

#define TH_OUTBOX_FILE_ROOM_DEFAULT    (16u << 20)
#define TH_OUTBOX_FILE_ROOM_MIN        4096u
#define TH_OUTBOX_FILE_INBOUND_DEFAULT 100

struct th_outbox_file_config {
    const char *path;      /* for the call. Made with mode 0600 when it does not exist. Beside it,
                              "<path>.new" is used while the journal is rewritten */
    uint32_t room;         /* bytes the file may have; 0: 16 MiB. Seven eighths of it, less 20 for
                              each of inbound_room, can hold messages (each with 24 bytes of its
                              own); add() refuses what is above. Rewriting takes as much again on
                              the disk for a moment */
    uint16_t inbound_room; /* inbound QoS 2 identifiers; 0: 100 */
    uint8_t protocol;      /* 4: MQTT 3.1.1, 5: 5.0. Stored packets serve that version only */
    bool power_safe;       /* fdatasync(2) after each change, before it is promised. Otherwise the
                              promise is for kill -9, not for a power cut */
};

/* Private. */
struct th_outbox_file_record {
    uint8_t kind, state, qos, flags;
    uint16_t id;
    uint32_t number, len;
};

/* Fields are private but for the first four. */
struct th_outbox_file {
    uint32_t restored;  /* records that the file held when it was opened */
    uint32_t cut_bytes; /* of a change that was being written when the process was killed: it was
                           never promised */
    uint32_t forgotten; /* streamed messages whose source died with the earlier process */
    int system_error;   /* errno of the last operation that failed, 0 before */

    int fd;
    char *path;
    uint32_t room, size, live, reserved, chain, compact_at;
    uint32_t pending, pending_from, pending_crc, pending_chain;
    struct th_outbox_file_record begun; /* and not complete while `pending` > 0 */
    const void *begun_extra;
    struct th_outbox_entry found; /* what was looked up last */
    struct th_outbox_file_entry *entries;
    uint32_t first, used, allocated, next_number;
    uint8_t *inbound;
    uint16_t inbound_room, inbound_count;
    uint8_t protocol;
    bool power_safe, broken;
};

/* Opens or makes the file, locks it and reads it. The struct must not move afterwards. Errors, with
 * `failure` filled (detail: errno, or for DAMAGED the offset of the first bad record); nothing is
 * changed in the file and nothing needs closing:
 *   CONFIG              protocol or room out of range
 *   FILE_MISSING        its folder does not exist, or permission is lacking
 *   FILE_KIND           not a regular file
 *   FILE_LOCKED         another process has it open
 *   FILE_DAMAGED        a record in it is damaged; a record that was not wholly written when its
 *                       process was killed is not damage, it is cut
 *   FILE_FORMAT         not an outbox
 *   FILE_OTHER_VERSION  of a later format, or it holds messages of the other MQTT version
 *   FILE_SYSTEM         anything else the system says, out of memory too */
enum th_error th_outbox_file_open(struct th_outbox_file *file,
                                  const struct th_outbox_file_config *config,
                                  struct th_failure *failure);

/* Writes nothing: the file is always complete. */
void th_outbox_file_close(struct th_outbox_file *file);

struct th_outbox th_outbox_file(struct th_outbox_file *file);

#endif

/* SPDX-License-Identifier: MIT */
/* The journal under the outbox file: records of docs/outbox-file.md, appended and read back. */
#ifndef TH_OUTBOX_JOURNAL_H
#define TH_OUTBOX_JOURNAL_H

#include <thimble/outbox_file.h>

enum {
    FILE_HEAD_BYTES = 20,
    RECORD_HEAD_BYTES = 20,
    RECORD_TAIL_BYTES = 4, /* the CRC of the packet */
    JOURNAL_VERSION = 1,
};

enum record_kind {
    RECORD_ADD = 1,
    RECORD_STATE,
    RECORD_REMOVE,
    RECORD_INBOUND_SET,
    RECORD_INBOUND_FORGET,
    RECORD_INBOUND_CLEAR,
};

enum { RECORD_VOLATILE = 1 }; /* flag: a streamed message, of no use after a restart */

/* One outbound message. */
struct th_outbox_file_entry {
    const void *extra;
    uint32_t number, len;
    uint32_t at; /* offset of its packet in the file */
    uint16_t id;
    uint8_t state, qos, flags;
};

/* What a record takes in a journal that holds nothing else. */
uint32_t th_journal_live(const struct th_outbox_file_entry *entry);

/* Has the file system set aside blocks for so many bytes behind the journal's end, without making
 * the file longer. False: the disk is full. Where a file system cannot, true. */
bool th_journal_reserve(struct th_outbox_file *file, uint64_t bytes);

/* Appends a record with the `first` bytes of its packet. When these are all, the record is
 * complete; else th_journal_continue() brings the rest. False: the file is as before, or `broken`.
 */
bool th_journal_append(struct th_outbox_file *file, const struct th_outbox_file_record *record,
                       struct th_span first);
bool th_journal_continue(struct th_outbox_file *file, struct th_span bytes);
/* Takes back a record that was begun and not completed. */
bool th_journal_take_back(struct th_outbox_file *file);

/* Rewrites the journal with nothing but what counts now, and puts it in the old one's place. False:
 * the old one stands. */
bool th_journal_compact(struct th_outbox_file *file);

/* Makes the file an empty outbox of file->protocol. */
bool th_journal_begin(struct th_outbox_file *file);

/* Cuts the file back to its head: an outbox with nothing in it. Needs no room on the disk. */
bool th_journal_empty(struct th_outbox_file *file);

/* Reads the whole file; `apply` takes each good record and says whether it makes sense. Cuts a torn
 * tail. */
enum th_error th_journal_read(struct th_outbox_file *file,
                              bool (*apply)(struct th_outbox_file *file,
                                            const struct th_outbox_file_record *record,
                                            uint32_t packet_at),
                              struct th_failure *failure);

/* Makes what was written outlive a power cut, where that was asked for. */
bool th_journal_sync(struct th_outbox_file *file);

#endif

/* SPDX-License-Identifier: MIT */
#include <thimble/outbox_file.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/linux/outbox_journal.h"

enum {
    INBOUND_BYTES = (UINT16_MAX + 1) / 8,
    SPARE_BYTES = 256 * 1024, /* of dead records before the journal is rewritten */
};

/* ---- the records in memory, in order of age ---- */

static struct th_outbox_file_entry *entry_at(const struct th_outbox_file *file, uint32_t i)
{
    return &file->entries[file->first + i];
}

/* Acknowledgements come in order: the oldest is almost always the one. */
static struct th_outbox_file_entry *look_up(const struct th_outbox_file *file, uint16_t id)
{
    for (uint32_t i = 0; i < file->used; i++) {
        if (entry_at(file, i)->id == id)
            return entry_at(file, i);
    }
    return NULL;
}

/* Numbers run on and wrap; those in the outbox lie less than 2^31 apart. */
static bool younger(uint32_t number, uint32_t than)
{
    return (int32_t)(number - than) > 0;
}

/* Index of the first record younger than `number`. */
static uint32_t first_younger(const struct th_outbox_file *file, uint32_t number)
{
    uint32_t low = 0, high = file->used;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (younger(entry_at(file, middle)->number, number))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static struct th_outbox_file_entry *by_number(const struct th_outbox_file *file, uint32_t number)
{
    uint32_t i = first_younger(file, number - 1);
    return i < file->used && entry_at(file, i)->number == number ? entry_at(file, i) : NULL;
}

static bool make_room_for_one(struct th_outbox_file *file)
{
    if (file->first + file->used < file->allocated)
        return true;
    if (file->first > file->used) {
        memmove(file->entries, entry_at(file, 0), file->used * sizeof *file->entries);
        file->first = 0;
        return true;
    }
    uint32_t more = file->allocated ? 2 * file->allocated : 32;
    struct th_outbox_file_entry *entries = realloc(file->entries, more * sizeof *entries);
    if (!entries) {
        file->system_error = ENOMEM;
        return false;
    }
    file->entries = entries;
    file->allocated = more;
    return true;
}

static void take_out(struct th_outbox_file *file, struct th_outbox_file_entry *entry)
{
    uint32_t i = (uint32_t)(entry - entry_at(file, 0));
    file->live -= th_journal_live(entry);
    file->used--;
    if (i == 0)
        file->first++;
    else
        memmove(entry, entry + 1, (file->used - i) * sizeof *entry);
    if (file->used == 0)
        file->first = 0;
}

static uint32_t next_number(uint32_t number)
{
    return number == UINT32_MAX ? 1 : number + 1;
}

static void keep(struct th_outbox_file *file, const struct th_outbox_file_record *record,
                 uint32_t packet_at, const void *extra)
{
    struct th_outbox_file_entry *entry = entry_at(file, file->used++);
    *entry = (struct th_outbox_file_entry){.extra = extra,
                                           .number = record->number,
                                           .len = record->len,
                                           .at = packet_at,
                                           .id = record->id,
                                           .state = record->state,
                                           .qos = record->qos,
                                           .flags = record->flags};
    file->live += th_journal_live(entry);
    file->next_number = next_number(record->number);
}

static void change_state(struct th_outbox_file *file, struct th_outbox_file_entry *entry,
                         uint8_t state)
{
    file->live -= th_journal_live(entry);
    entry->state = state;
    file->live += th_journal_live(entry);
}

static bool has_inbound(const struct th_outbox_file *file, uint16_t id)
{
    return (file->inbound[id / 8] & 1u << id % 8) != 0;
}

static void mark_inbound(struct th_outbox_file *file, uint16_t id, bool set)
{
    if (has_inbound(file, id) == set)
        return;
    file->inbound[id / 8] ^= (uint8_t)(1u << id % 8);
    file->inbound_count = (uint16_t)(file->inbound_count + (set ? 1 : -1));
    file->live = set ? file->live + RECORD_HEAD_BYTES : file->live - RECORD_HEAD_BYTES;
}

static void clear_inbound(struct th_outbox_file *file)
{
    file->live -= file->inbound_count * (uint32_t)RECORD_HEAD_BYTES;
    file->inbound_count = 0;
    memset(file->inbound, 0, INBOUND_BYTES);
}

/* ---- keeping the file small ---- */

/* An empty outbox needs no copy: its file is cut back to the head. Else the journal is rewritten
 * once most of it is dead, so that the work stays in proportion to what was written. A rewrite that
 * fails (a full disk) is not tried again before the journal has grown as much again. */
static void tidy(struct th_outbox_file *file)
{
    if (file->size < file->compact_at || file->size - file->live < SPARE_BYTES ||
        file->size - file->live < file->live)
        return;
    if (file->live == FILE_HEAD_BYTES)
        th_journal_empty(file);
    else
        th_journal_compact(file);
    file->compact_at = file->size + SPARE_BYTES;
}

/* True when `len` more bytes fit the file, once rewritten if need be. */
static bool fits(struct th_outbox_file *file, uint64_t len)
{
    if (file->size + len <= file->room)
        return true;
    return file->live + len <= file->room && th_journal_compact(file) &&
           file->size + len <= file->room;
}

/* Changes always find room in the file: add() leaves an eighth of it to them. Where the disk is
 * full, what a rewrite gives back may be enough. */
static bool write_change(struct th_outbox_file *file, const struct th_outbox_file_record *record)
{
    if (file->pending > 0 && !th_journal_take_back(file))
        return false;
    if (!fits(file, RECORD_HEAD_BYTES))
        return false;
    return th_journal_append(file, record, TH_SPAN("")) ||
           (th_journal_compact(file) && th_journal_append(file, record, TH_SPAN("")));
}

/* ---- the interface of an outbox ---- */

static struct th_outbox_file_record record_of(const struct th_outbox_file_entry *entry,
                                              uint8_t kind)
{
    return (struct th_outbox_file_record){
        .kind = kind, .state = entry->state, .id = entry->id, .number = entry->number};
}

/* What the changes of all records may still take: PUBLISHED, RELEASED and removed. */
static uint64_t changes_to_come(const struct th_outbox_file *file)
{
    return 3ull * RECORD_HEAD_BYTES * (file->used + 1) +
           2ull * RECORD_HEAD_BYTES * file->inbound_room;
}

/* A full disk is to refuse new messages, not the acknowledgements of those it holds: their blocks
 * are set aside beforehand. */
static bool may_add(struct th_outbox_file *file, uint32_t len)
{
    uint64_t whole = (uint64_t)len + RECORD_HEAD_BYTES + RECORD_TAIL_BYTES;
    uint64_t kept = file->room / 8 + (uint64_t)RECORD_HEAD_BYTES * file->inbound_room;
    uint64_t held = file->live - (uint64_t)RECORD_HEAD_BYTES * file->inbound_count;
    return file->used < UINT16_MAX && held + whole + kept <= file->room && fits(file, whole) &&
           th_journal_reserve(file, whole + changes_to_come(file));
}

/* Cutting back a record that failed has given those blocks back. */
static bool set_aside_again(struct th_outbox_file *file)
{
    if (!file->broken)
        th_journal_reserve(file, changes_to_come(file));
    return false;
}

static void keep_when_complete(struct th_outbox_file *file)
{
    if (file->pending == 0)
        keep(file, &file->begun, file->pending_from + RECORD_HEAD_BYTES, file->begun_extra);
}

static bool add(void *ctx, const struct th_outbox_entry *entry, struct th_span first)
{
    struct th_outbox_file *file = ctx;
    if (file->pending > 0 && !th_journal_take_back(file))
        return false;
    if (first.len > entry->len || !may_add(file, entry->len) || !make_room_for_one(file))
        return false;
    file->begun = (struct th_outbox_file_record){.kind = RECORD_ADD,
                                                 .state = entry->state,
                                                 .qos = entry->qos,
                                                 .flags = entry->extra ? RECORD_VOLATILE : 0,
                                                 .id = entry->id,
                                                 .number = file->next_number,
                                                 .len = entry->len};
    file->begun_extra = entry->extra;
    if (!th_journal_append(file, &file->begun, first))
        return set_aside_again(file);
    keep_when_complete(file);
    return true;
}

static bool append(void *ctx, struct th_span bytes)
{
    struct th_outbox_file *file = ctx;
    if (file->pending == 0)
        return false;
    if (!th_journal_continue(file, bytes))
        return set_aside_again(file);
    keep_when_complete(file);
    return true;
}

static bool set_state(void *ctx, uint16_t id, enum th_outbox_state state)
{
    struct th_outbox_file *file = ctx;
    struct th_outbox_file_entry *entry = look_up(file, id);
    if (!entry)
        return false;
    struct th_outbox_file_record record = record_of(entry, RECORD_STATE);
    record.state = (uint8_t)state;
    if (!write_change(file, &record))
        return false;
    change_state(file, entry, record.state);
    tidy(file);
    return true;
}

static bool remove_record(void *ctx, uint16_t id)
{
    struct th_outbox_file *file = ctx;
    struct th_outbox_file_entry *entry = look_up(file, id);
    if (!entry)
        return false;
    struct th_outbox_file_record record = record_of(entry, RECORD_REMOVE);
    if (!write_change(file, &record))
        return false;
    take_out(file, entry);
    tidy(file);
    return true;
}

static void show(const struct th_outbox_file_entry *entry, struct th_outbox_entry *out)
{
    *out = (struct th_outbox_entry){.id = entry->id,
                                    .state = entry->state,
                                    .qos = entry->qos,
                                    .len = entry->len,
                                    .extra = entry->extra};
}

static const struct th_outbox_entry *find(void *ctx, uint16_t id)
{
    struct th_outbox_file *file = ctx;
    const struct th_outbox_file_entry *entry = look_up(file, id);
    if (!entry)
        return NULL;
    show(entry, &file->found);
    return &file->found;
}

static bool next(void *ctx, uint32_t *cursor, struct th_outbox_entry *out)
{
    const struct th_outbox_file *file = ctx;
    uint32_t i = *cursor == 0 ? 0 : first_younger(file, *cursor);
    if (i >= file->used)
        return false;
    *cursor = entry_at(file, i)->number;
    show(entry_at(file, i), out);
    return true;
}

static size_t read_packet(void *ctx, uint16_t id, uint32_t offset, uint8_t *into, size_t room)
{
    struct th_outbox_file *file = ctx;
    const struct th_outbox_file_entry *entry = look_up(file, id);
    if (!entry || entry->state == TH_OUTBOX_RELEASED || offset >= entry->len)
        return 0;
    size_t len = entry->len - offset < room ? entry->len - offset : room;
    size_t done = 0;
    while (done < len) {
        ssize_t got = pread(file->fd, into + done, len - done,
                            (off_t)entry->at + (off_t)offset + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            file->system_error = got < 0 ? errno : EIO;
            break;
        }
        done += (size_t)got;
    }
    return done;
}

static bool inbound(void *ctx, uint16_t id, bool set)
{
    struct th_outbox_file *file = ctx;
    if (has_inbound(file, id) == set)
        return true;
    if (set && file->inbound_count >= file->inbound_room)
        return false;
    struct th_outbox_file_record record = {.kind = set ? RECORD_INBOUND_SET : RECORD_INBOUND_FORGET,
                                           .id = id};
    if (!write_change(file, &record))
        return false;
    mark_inbound(file, id, set);
    tidy(file);
    return true;
}

static bool inbound_has(void *ctx, uint16_t id)
{
    return has_inbound(ctx, id);
}

static bool inbound_clear(void *ctx)
{
    struct th_outbox_file *file = ctx;
    struct th_outbox_file_record record = {.kind = RECORD_INBOUND_CLEAR};
    if (file->inbound_count == 0)
        return true;
    if (!write_change(file, &record))
        return false;
    clear_inbound(file);
    tidy(file);
    return true;
}

static uint16_t inbound_room(void *ctx)
{
    return ((const struct th_outbox_file *)ctx)->inbound_room;
}

static uint16_t count(void *ctx)
{
    return (uint16_t)((const struct th_outbox_file *)ctx)->used;
}

static const struct th_outbox_ops ops = {.add = add,
                                         .append = append,
                                         .set_state = set_state,
                                         .remove = remove_record,
                                         .find = find,
                                         .next = next,
                                         .read = read_packet,
                                         .inbound = inbound,
                                         .inbound_has = inbound_has,
                                         .inbound_clear = inbound_clear,
                                         .inbound_room = inbound_room,
                                         .count = count};

struct th_outbox th_outbox_file(struct th_outbox_file *file)
{
    return (struct th_outbox){&ops, file};
}

/* ---- opening ---- */

/* False for what no outbox of ours can have written. */
static bool apply(struct th_outbox_file *file, const struct th_outbox_file_record *record,
                  uint32_t packet_at)
{
    struct th_outbox_file_entry *entry = by_number(file, record->number);
    switch ((enum record_kind)record->kind) {
    case RECORD_ADD:
        if (record->id == 0 || record->qos < 1 || record->qos > 2 || record->number == 0 ||
            record->state > TH_OUTBOX_RELEASED || file->used >= UINT16_MAX ||
            (file->used > 0 && !younger(record->number, entry_at(file, file->used - 1)->number)) ||
            !make_room_for_one(file))
            return false;
        keep(file, record, packet_at, NULL);
        return true;
    case RECORD_STATE:
        if (entry && record->state <= TH_OUTBOX_RELEASED)
            change_state(file, entry, record->state);
        return entry && record->state <= TH_OUTBOX_RELEASED;
    case RECORD_REMOVE:
        if (entry)
            take_out(file, entry);
        return entry != NULL;
    case RECORD_INBOUND_SET: mark_inbound(file, record->id, true); return true;
    case RECORD_INBOUND_FORGET: mark_inbound(file, record->id, false); return true;
    case RECORD_INBOUND_CLEAR: clear_inbound(file); return true;
    }
    return false;
}

/* The sources of streamed messages died with the process that had them. What the broker has already
 * taken (RELEASED) needs its PUBREL all the same; what it may have taken needs one too, or it would
 * keep the identifier and take the next message under it for a repetition. */
static void forget_streamed(struct th_outbox_file *file)
{
    for (uint32_t i = file->used; i-- > 0;) {
        struct th_outbox_file_entry *entry = entry_at(file, i);
        if (!(entry->flags & RECORD_VOLATILE) || entry->state == TH_OUTBOX_RELEASED)
            continue;
        if (entry->qos == 2 && entry->state == TH_OUTBOX_PUBLISHED)
            change_state(file, entry, TH_OUTBOX_RELEASED);
        else
            take_out(file, entry);
        file->forgotten++;
    }
}

static enum th_error refuse(const char *path, struct th_failure *failure, enum th_error error,
                            int detail)
{
    *failure = th_failure_of(error);
    failure->detail = detail;
    th_failure_name(failure, th_span_str(path));
    return error;
}

static enum th_error error_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM: return TH_ERR_FILE_MISSING;
    case EISDIR:
    case ELOOP:
    case ENXIO: return TH_ERR_FILE_KIND;
    case EWOULDBLOCK: return TH_ERR_FILE_LOCKED;
    default: return TH_ERR_FILE_SYSTEM;
    }
}

/* Another process may put a rewritten journal in the file's place between our open and our lock:
 * then what we hold is not the file any more. */
static bool is_still(int fd, const char *path)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

static int open_locked(const char *path)
{
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
        struct stat stat;
        if (fd < 0)
            return -1;
        int error = 0;
        if (fstat(fd, &stat) < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
            error = errno;
        else if (!S_ISREG(stat.st_mode))
            error = EISDIR;
        if (error == 0 && is_still(fd, path))
            return fd;
        close(fd);
        if (error != 0) {
            errno = error;
            return -1;
        }
    }
}

static enum th_error take_config(struct th_outbox_file *file,
                                 const struct th_outbox_file_config *config)
{
    *file = (struct th_outbox_file){
        .fd = -1,
        .room = config->room ? config->room : TH_OUTBOX_FILE_ROOM_DEFAULT,
        .live = FILE_HEAD_BYTES,
        .next_number = 1,
        .inbound_room =
            config->inbound_room ? config->inbound_room : TH_OUTBOX_FILE_INBOUND_DEFAULT,
        .protocol = config->protocol,
        .power_safe = config->power_safe,
    };
    uint64_t least = TH_OUTBOX_FILE_ROOM_MIN + 2ull * RECORD_HEAD_BYTES * file->inbound_room;
    if (!config->path || (config->protocol != 4 && config->protocol != 5) || file->room < least)
        return TH_ERR_CONFIG;
    return TH_OK;
}

static enum th_error open_file(struct th_outbox_file *file, const char *path,
                               struct th_failure *failure)
{
    file->inbound = calloc(1, INBOUND_BYTES);
    if (!file->inbound)
        return refuse(path, failure, TH_ERR_FILE_SYSTEM, ENOMEM);
    file->fd = open_locked(path);
    if (file->fd < 0)
        return refuse(path, failure, error_of(errno), errno);
    /* A rewrite must replace the file itself, not a symbolic link to it. */
    file->path = realpath(path, NULL);
    if (!file->path)
        return refuse(path, failure, TH_ERR_FILE_SYSTEM, errno);
    enum th_error error = th_journal_read(file, apply, failure);
    if (error != TH_OK)
        return refuse(path, failure, error, failure->detail);
    forget_streamed(file);
    file->restored = file->used;
    return TH_OK;
}

enum th_error th_outbox_file_open(struct th_outbox_file *file,
                                  const struct th_outbox_file_config *config,
                                  struct th_failure *failure)
{
    if (take_config(file, config) != TH_OK)
        return refuse(config->path, failure, TH_ERR_CONFIG, 0);
    enum th_error error = open_file(file, config->path, failure);
    if (error != TH_OK)
        th_outbox_file_close(file);
    return error;
}

void th_outbox_file_close(struct th_outbox_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file->entries);
    free(file->inbound);
    *file = (struct th_outbox_file){.fd = -1};
}

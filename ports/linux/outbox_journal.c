/* SPDX-License-Identifier: MIT */
#include "ports/linux/outbox_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <thimble/crc.h>

static const char magic[8] = "THOUTBOX";

enum { COPY_BYTES = 65536, RESERVE_BYTES = 65536 };

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, (uint16_t)value);
    put16(at + 2, (uint16_t)(value >> 16));
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) | (uint32_t)get16(at + 2) << 16;
}

/* ---- records as bytes ---- */

static bool has_packet(const struct th_outbox_file_record *record)
{
    return record->kind == RECORD_ADD && record->state != TH_OUTBOX_RELEASED;
}

/* Each head's CRC goes on from the one before: a record cannot vanish or change places unnoticed.
 */
static uint32_t encode(uint8_t into[RECORD_HEAD_BYTES], const struct th_outbox_file_record *record,
                       uint32_t chain)
{
    into[4] = record->kind;
    into[5] = record->state;
    into[6] = record->qos;
    into[7] = record->flags;
    put16(into + 8, record->id);
    put16(into + 10, 0);
    put32(into + 12, record->number);
    put32(into + 16, record->len);
    chain = th_crc32(chain, into + 4, RECORD_HEAD_BYTES - 4);
    put32(into, chain);
    return chain;
}

static bool decode(const uint8_t from[RECORD_HEAD_BYTES], struct th_outbox_file_record *record,
                   uint32_t *chain)
{
    uint32_t crc = th_crc32(*chain, from + 4, RECORD_HEAD_BYTES - 4);
    *record = (struct th_outbox_file_record){.kind = from[4],
                                             .state = from[5],
                                             .qos = from[6],
                                             .flags = from[7],
                                             .id = get16(from + 8),
                                             .number = get32(from + 12),
                                             .len = get32(from + 16)};
    if (crc != get32(from) || record->kind < RECORD_ADD || record->kind > RECORD_INBOUND_CLEAR)
        return false;
    *chain = crc;
    return true;
}

static uint32_t encode_file_head(uint8_t into[FILE_HEAD_BYTES], uint8_t protocol)
{
    memset(into, 0, FILE_HEAD_BYTES);
    memcpy(into, magic, sizeof magic);
    put16(into + 8, JOURNAL_VERSION);
    into[10] = protocol;
    uint32_t crc = th_crc32(0, into, FILE_HEAD_BYTES - 4);
    put32(into + FILE_HEAD_BYTES - 4, crc);
    return crc;
}

uint32_t th_journal_live(const struct th_outbox_file_entry *entry)
{
    if (entry->state == TH_OUTBOX_RELEASED)
        return RECORD_HEAD_BYTES;
    return RECORD_HEAD_BYTES + entry->len + RECORD_TAIL_BYTES;
}

/* ---- writing ---- */

static bool write_all(int fd, struct iovec *parts, int count)
{
    while (count > 0) {
        ssize_t put = writev(fd, parts, count);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        while (count > 0 && (size_t)put >= parts->iov_len) {
            put -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (uint8_t *)parts->iov_base + put;
            parts->iov_len -= (size_t)put;
        }
    }
    return true;
}

static struct iovec part(const void *at, size_t len)
{
    union {
        const void *in;
        void *out;
    } bytes = {.in = at}; /* writev(2) only reads */
    return (struct iovec){bytes.out, len};
}

/* Back to a length that was good. If even that fails, what the file holds is not known any more. */
static bool cut_to(struct th_outbox_file *file, uint32_t size)
{
    if (ftruncate(file->fd, (off_t)size) < 0 || lseek(file->fd, (off_t)size, SEEK_SET) < 0) {
        file->system_error = errno;
        file->broken = true;
        return false;
    }
    file->size = size;
    file->reserved = size;
    return true;
}

/* Does not cut where nothing is to be cut: that would give back the blocks that are set aside. */
static bool keep_up_to(struct th_outbox_file *file, uint32_t size, uint32_t size_now)
{
    if (size != size_now)
        return cut_to(file, size);
    file->size = size;
    file->reserved = size;
    return lseek(file->fd, (off_t)size, SEEK_SET) >= 0;
}

static bool give_up(struct th_outbox_file *file, uint32_t good_size)
{
    file->system_error = errno;
    file->pending = 0;
    cut_to(file, good_size);
    return false;
}

bool th_journal_reserve(struct th_outbox_file *file, uint64_t bytes)
{
    uint64_t end = file->size + bytes;
    if (end <= file->reserved)
        return true;
    uint64_t ahead = end + RESERVE_BYTES < file->room ? end + RESERVE_BYTES : end;
    int error = 0;
    if (fallocate(file->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)ahead) < 0) {
        ahead = end;
        error = fallocate(file->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)ahead) < 0 ? errno : 0;
    }
    if (error == 0 || error == EOPNOTSUPP || error == ENOSYS) {
        file->reserved = error ? UINT32_MAX : (uint32_t)(ahead < UINT32_MAX ? ahead : UINT32_MAX);
        return true;
    }
    file->system_error = error;
    return false;
}

bool th_journal_sync(struct th_outbox_file *file)
{
    if (!file->power_safe || fdatasync(file->fd) == 0)
        return true;
    /* After a failed fdatasync(2) nobody knows what is on the disk. */
    file->system_error = errno;
    file->broken = true;
    return false;
}

bool th_journal_append(struct th_outbox_file *file, const struct th_outbox_file_record *record,
                       struct th_span first)
{
    uint8_t head[RECORD_HEAD_BYTES], tail[RECORD_TAIL_BYTES];
    struct iovec parts[3];
    uint32_t before = file->size, chain = encode(head, record, file->chain);
    bool packet = has_packet(record);
    int count = 0;
    parts[count++] = part(head, sizeof head);
    if (first.len > 0)
        parts[count++] = part(first.at, first.len);
    file->pending_crc = packet ? th_crc32(0, first.at, first.len) : 0;
    bool complete = !packet || first.len == record->len;
    if (packet && complete) {
        put32(tail, file->pending_crc);
        parts[count++] = part(tail, sizeof tail);
    }
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    if (file->broken || !write_all(file->fd, parts, count))
        return file->broken ? false : give_up(file, before);
    file->size += (uint32_t)len;
    file->pending = complete ? 0 : record->len - (uint32_t)first.len;
    file->pending_from = before;
    if (complete && !th_journal_sync(file))
        return give_up(file, before);
    if (complete)
        file->chain = chain;
    else
        file->pending_chain = chain;
    return true;
}

bool th_journal_continue(struct th_outbox_file *file, struct th_span bytes)
{
    uint8_t tail[RECORD_TAIL_BYTES];
    if (bytes.len > file->pending || file->broken)
        return false;
    struct iovec parts[2] = {part(bytes.at, bytes.len)};
    int count = 1;
    bool complete = bytes.len == file->pending;
    file->pending_crc = th_crc32(file->pending_crc, bytes.at, bytes.len);
    if (complete) {
        put32(tail, file->pending_crc);
        parts[count++] = part(tail, sizeof tail);
    }
    if (!write_all(file->fd, parts, count))
        return give_up(file, file->pending_from);
    file->size += (uint32_t)bytes.len + (complete ? RECORD_TAIL_BYTES : 0);
    file->pending -= (uint32_t)bytes.len;
    if (complete && !th_journal_sync(file))
        return give_up(file, file->pending_from);
    if (complete)
        file->chain = file->pending_chain;
    return true;
}

bool th_journal_take_back(struct th_outbox_file *file)
{
    file->pending = 0;
    return cut_to(file, file->pending_from);
}

bool th_journal_begin(struct th_outbox_file *file)
{
    uint8_t head[FILE_HEAD_BYTES];
    file->chain = encode_file_head(head, file->protocol);
    struct iovec parts = part(head, sizeof head);
    if (!cut_to(file, 0))
        return false;
    if (!write_all(file->fd, &parts, 1))
        return give_up(file, 0);
    file->size = FILE_HEAD_BYTES;
    return th_journal_sync(file);
}

bool th_journal_empty(struct th_outbox_file *file)
{
    uint8_t head[FILE_HEAD_BYTES];
    if (!cut_to(file, FILE_HEAD_BYTES))
        return false;
    file->chain = encode_file_head(head, file->protocol);
    return true;
}

/* ---- compaction ---- */

struct copy {
    int from, to;
    uint32_t at, chain;
};

static bool copy_bytes(struct copy *copy, uint32_t from, uint32_t len)
{
    uint8_t *bytes = malloc(COPY_BYTES);
    bool good = bytes != NULL;
    while (good && len > 0) {
        size_t some = len < COPY_BYTES ? len : COPY_BYTES;
        ssize_t got = pread(copy->from, bytes, some, (off_t)from);
        if (got < 0 && errno == EINTR)
            continue;
        struct iovec parts = part(bytes, got > 0 ? (size_t)got : 0);
        good = got > 0 && write_all(copy->to, &parts, 1);
        from += good ? (uint32_t)got : 0;
        len -= good ? (uint32_t)got : 0;
    }
    free(bytes);
    return good;
}

static bool copy_record(struct copy *copy, const struct th_outbox_file_record *record,
                        uint32_t packet_at)
{
    uint8_t head[RECORD_HEAD_BYTES];
    copy->chain = encode(head, record, copy->chain);
    struct iovec parts = part(head, sizeof head);
    if (!write_all(copy->to, &parts, 1))
        return false;
    copy->at += RECORD_HEAD_BYTES;
    if (!has_packet(record))
        return true;
    /* With its old CRC: bytes that went bad on the disk must stay recognisable. */
    if (!copy_bytes(copy, packet_at, record->len + RECORD_TAIL_BYTES))
        return false;
    copy->at += record->len + RECORD_TAIL_BYTES;
    return true;
}

static struct th_outbox_file_record record_of(const struct th_outbox_file_entry *entry)
{
    bool released = entry->state == TH_OUTBOX_RELEASED;
    return (struct th_outbox_file_record){.kind = RECORD_ADD,
                                          .state = entry->state,
                                          .qos = entry->qos,
                                          .flags = entry->flags,
                                          .id = entry->id,
                                          .number = entry->number,
                                          .len = released ? 0 : entry->len};
}

static bool copy_all(struct copy *copy, const struct th_outbox_file *file)
{
    uint8_t head[FILE_HEAD_BYTES];
    copy->chain = encode_file_head(head, file->protocol);
    copy->at = FILE_HEAD_BYTES;
    struct iovec parts = part(head, sizeof head);
    if (!write_all(copy->to, &parts, 1))
        return false;
    for (uint32_t i = 0; i < file->used; i++) {
        const struct th_outbox_file_entry *entry = &file->entries[file->first + i];
        struct th_outbox_file_record record = record_of(entry);
        if (!copy_record(copy, &record, entry->at))
            return false;
    }
    for (uint32_t id = 1; id <= UINT16_MAX; id++) {
        struct th_outbox_file_record record = {.kind = RECORD_INBOUND_SET, .id = (uint16_t)id};
        if ((file->inbound[id / 8] & 1u << id % 8) && !copy_record(copy, &record, 0))
            return false;
    }
    return true;
}

static bool sync_folder(const char *path)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    free(copy);
    return good;
}

/* The offsets of the packets in the new file follow from their order. */
static void move_entries(struct th_outbox_file *file)
{
    uint32_t at = FILE_HEAD_BYTES;
    for (uint32_t i = 0; i < file->used; i++) {
        struct th_outbox_file_entry *entry = &file->entries[file->first + i];
        entry->at = at + RECORD_HEAD_BYTES;
        at += th_journal_live(entry);
    }
}

/* Complete, locked and on the disk before it takes the old one's name: whoever opens the name finds
 * the one or the other, and nobody a file that is not locked. */
static bool replace_by(struct th_outbox_file *file, const char *path, struct copy *copy)
{
    if (flock(copy->to, LOCK_EX | LOCK_NB) < 0 || !copy_all(copy, file) || fsync(copy->to) < 0 ||
        rename(path, file->path) < 0)
        return false;
    close(file->fd);
    file->fd = copy->to;
    file->size = copy->at;
    file->reserved = copy->at;
    file->chain = copy->chain;
    move_entries(file);
    /* Where the folder cannot be synced, a power cut may bring the old file back: without the
     * changes made since, which is what power_safe promised. */
    if (file->power_safe && !sync_folder(file->path)) {
        file->system_error = errno;
        file->broken = true;
    }
    return true;
}

bool th_journal_compact(struct th_outbox_file *file)
{
    size_t len = strlen(file->path) + sizeof ".new";
    char *path = malloc(len);
    if (!path || file->broken)
        goto no;
    snprintf(path, len, "%s.new", file->path);
    struct copy copy = {.from = file->fd};
    unlink(path);
    copy.to = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (copy.to < 0)
        goto no;
    if (!replace_by(file, path, &copy)) {
        file->system_error = errno;
        close(copy.to);
        unlink(path);
        goto no;
    }
    free(path);
    return !file->broken;
no:
    free(path);
    return false;
}

/* ---- reading ---- */

struct reader {
    struct th_outbox_file *file;
    uint32_t size;
};

static bool read_at(const struct reader *reader, uint32_t at, void *into, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t got =
            pread(reader->file->fd, (uint8_t *)into + done, len - done, (off_t)at + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* Blocks that a file system had promised and a power cut left unwritten. */
static bool zero_from(const struct reader *reader, uint32_t at)
{
    uint8_t bytes[512];
    while (at < reader->size) {
        size_t some = reader->size - at < sizeof bytes ? reader->size - at : sizeof bytes;
        if (!read_at(reader, at, bytes, some))
            return false;
        for (size_t i = 0; i < some; i++) {
            if (bytes[i] != 0)
                return false;
        }
        at += (uint32_t)some;
    }
    return true;
}

static bool packet_is_good(const struct reader *reader, uint32_t at, uint32_t len)
{
    uint8_t bytes[4096];
    uint32_t crc = 0;
    while (len > 0) {
        size_t some = len < sizeof bytes ? len : sizeof bytes;
        if (!read_at(reader, at, bytes, some))
            return false;
        crc = th_crc32(crc, bytes, some);
        at += (uint32_t)some;
        len -= (uint32_t)some;
    }
    return read_at(reader, at, bytes, RECORD_TAIL_BYTES) && get32(bytes) == crc;
}

enum found { FOUND_GOOD, FOUND_TORN, FOUND_DAMAGE };

static enum found read_record(const struct reader *reader, uint32_t at,
                              struct th_outbox_file_record *record, uint32_t *len)
{
    uint8_t head[RECORD_HEAD_BYTES];
    uint32_t left = reader->size - at, chain = reader->file->chain;
    if (left < RECORD_HEAD_BYTES)
        return FOUND_TORN;
    if (!read_at(reader, at, head, sizeof head))
        return FOUND_DAMAGE;
    if (!decode(head, record, &chain))
        return zero_from(reader, at) ? FOUND_TORN : FOUND_DAMAGE;
    *len = RECORD_HEAD_BYTES;
    if (has_packet(record)) {
        left -= RECORD_HEAD_BYTES;
        if (record->len > left || left - record->len < RECORD_TAIL_BYTES)
            return FOUND_TORN;
        if (!packet_is_good(reader, at + RECORD_HEAD_BYTES, record->len))
            return FOUND_DAMAGE;
        *len += record->len + RECORD_TAIL_BYTES;
    }
    reader->file->chain = chain;
    return FOUND_GOOD;
}

static enum th_error refuse(struct th_failure *failure, enum th_error error, uint32_t detail)
{
    *failure = th_failure_of(error);
    failure->detail = (int32_t)detail;
    return error;
}

/* `*empty`: nothing but what is left of a head that was being written. */
static enum th_error read_file_head(const struct reader *reader, uint8_t *protocol, bool *empty,
                                    struct th_failure *failure)
{
    uint8_t head[FILE_HEAD_BYTES] = {0};
    uint32_t len = reader->size < FILE_HEAD_BYTES ? reader->size : FILE_HEAD_BYTES;
    if (!read_at(reader, 0, head, len))
        return refuse(failure, TH_ERR_FILE_SYSTEM, (uint32_t)errno);
    if (memcmp(head, magic, len < sizeof magic ? len : sizeof magic) != 0)
        return refuse(failure, TH_ERR_FILE_FORMAT, 0);
    *empty = len < FILE_HEAD_BYTES;
    if (*empty)
        return TH_OK;
    if (get32(head + FILE_HEAD_BYTES - 4) != th_crc32(0, head, FILE_HEAD_BYTES - 4))
        return refuse(failure, TH_ERR_FILE_DAMAGED, 0);
    if (get16(head + 8) != JOURNAL_VERSION)
        return refuse(failure, TH_ERR_FILE_OTHER_VERSION, get16(head + 8));
    *protocol = head[10];
    reader->file->chain = get32(head + FILE_HEAD_BYTES - 4);
    return TH_OK;
}

enum th_error th_journal_read(struct th_outbox_file *file,
                              bool (*apply)(struct th_outbox_file *file,
                                            const struct th_outbox_file_record *record,
                                            uint32_t packet_at),
                              struct th_failure *failure)
{
    struct stat stat;
    if (fstat(file->fd, &stat) < 0)
        return refuse(failure, TH_ERR_FILE_SYSTEM, (uint32_t)errno);
    if (stat.st_size > UINT32_MAX)
        return refuse(failure, TH_ERR_FILE_TOO_LARGE, 0);
    struct reader reader = {file, (uint32_t)stat.st_size};
    bool empty = false;
    uint8_t protocol = file->protocol;
    enum th_error error = read_file_head(&reader, &protocol, &empty, failure);
    if (error != TH_OK)
        return error;
    uint32_t at = empty ? 0 : FILE_HEAD_BYTES;
    while (!empty && at < reader.size) {
        struct th_outbox_file_record record;
        uint32_t len = 0;
        enum found found = read_record(&reader, at, &record, &len);
        if (found == FOUND_TORN)
            break;
        if (found == FOUND_DAMAGE || !apply(file, &record, at + RECORD_HEAD_BYTES))
            return refuse(failure, TH_ERR_FILE_DAMAGED, at);
        at += len;
    }
    if (protocol != file->protocol && (file->used > 0 || file->inbound_count > 0))
        return refuse(failure, TH_ERR_FILE_OTHER_VERSION, protocol);
    file->cut_bytes = reader.size - at;
    bool anew = empty || protocol != file->protocol;
    if (!(anew ? th_journal_begin(file) : keep_up_to(file, at, reader.size)))
        return refuse(failure, TH_ERR_FILE_SYSTEM, (uint32_t)file->system_error);
    return TH_OK;
}

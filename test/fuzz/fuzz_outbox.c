/* SPDX-License-Identifier: MIT */
/* R10: a journal of any content is read to its end or refused, and one that was read can be added
 * to and holds what was added when it is opened again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <thimble/outbox_file.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[] = "/tmp/fuzz_outbox.XXXXXX";

static void remove_file(void)
{
    unlink(path);
}

static void write_file(const uint8_t *data, size_t size)
{
    static int fd = -1;

    if (fd < 0) {
        fd = mkstemp(path);
        if (fd < 0)
            abort();
        close(fd);
        atexit(remove_file);
    }
    FILE *file = fopen(path, "wb"); /* opening may have put another file in its place */
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

static bool open_outbox(struct th_outbox_file *file, uint8_t protocol)
{
    const struct th_outbox_file_config config = {
        .path = path, .room = 8192, .inbound_room = 8, .protocol = protocol};
    struct th_failure failure;
    enum th_error error = th_outbox_file_open(file, &config, &failure);

    if (error == TH_ERR_FILE_SYSTEM || error == TH_ERR_CONFIG)
        abort();
    return error == TH_OK;
}

static uint16_t walk(struct th_outbox outbox)
{
    struct th_outbox_entry entry;
    uint32_t cursor = 0;
    uint16_t count = 0;
    uint8_t bytes[64];

    while (outbox.ops->next(outbox.ctx, &cursor, &entry)) {
        for (uint32_t at = 0; at < entry.len && entry.state != TH_OUTBOX_RELEASED;
             at += sizeof bytes) {
            if (outbox.ops->read(outbox.ctx, entry.id, at, bytes, sizeof bytes) > sizeof bytes)
                abort();
        }
        count++;
    }
    if (count != outbox.ops->count(outbox.ctx))
        abort();
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t packet[] = {0x32, 5, 0, 1, 't', 0, 9};
    struct th_outbox_entry entry = {.id = 9, .qos = 1, .len = sizeof packet};
    struct th_outbox_file file;
    uint8_t protocol = size > 10 && data[10] == 4 ? 4 : 5;

    write_file(data, size);
    if (!open_outbox(&file, protocol))
        return 0;
    struct th_outbox outbox = th_outbox_file(&file);
    uint16_t before = walk(outbox);
    bool added = outbox.ops->add(outbox.ctx, &entry, th_span_of(packet, sizeof packet));
    outbox.ops->inbound(outbox.ctx, 3, true);
    th_outbox_file_close(&file);
    if (!open_outbox(&file, protocol))
        abort();
    outbox = th_outbox_file(&file);
    if (walk(outbox) != before + added)
        abort();
    th_outbox_file_close(&file);
    return 0;
}

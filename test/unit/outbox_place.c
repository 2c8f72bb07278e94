/* SPDX-License-Identifier: MIT */
#include "outbox_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

int place_set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->folder, "/tmp/thimble-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->path, sizeof p->path, "%s/outbox", p->folder);
    snprintf(p->rewritten, sizeof p->rewritten, "%s.new", p->path);
    p->config = (struct th_outbox_file_config){.path = p->path, .protocol = 5};
    p->file.fd = -1;
    *state = p;
    return 0;
}

int place_tear_down(void **state)
{
    struct place *p = *state;
    th_outbox_file_close(&p->file);
    unlink(p->path);
    unlink(p->rewritten);
    assert_int_equal(rmdir(p->folder), 0); /* nothing else was left there */
    free(p);
    return 0;
}

enum th_error place_open(struct place *p)
{
    enum th_error error = th_outbox_file_open(&p->file, &p->config, &p->failure);
    p->box = th_outbox_file(&p->file);
    return error;
}

void place_reopen(struct place *p)
{
    th_outbox_file_close(&p->file);
    assert_int_equal(place_open(p), TH_OK);
}

bool box_add(struct place *p, uint16_t id, uint8_t qos, const void *bytes, size_t len)
{
    struct th_outbox_entry entry = {.id = id, .qos = qos, .len = (uint32_t)len};
    return p->box.ops->add(p->box.ctx, &entry, th_span_of(bytes, len));
}

bool box_state(struct place *p, uint16_t id, enum th_outbox_state to)
{
    return p->box.ops->set_state(p->box.ctx, id, to);
}

bool box_remove(struct place *p, uint16_t id)
{
    return p->box.ops->remove(p->box.ctx, id);
}

bool box_inbound(struct place *p, uint16_t id, bool set)
{
    return p->box.ops->inbound(p->box.ctx, id, set);
}

bool box_has(struct place *p, uint16_t id)
{
    return p->box.ops->inbound_has(p->box.ctx, id);
}

const char *box_contents(struct place *p)
{
    static char text[4096];
    size_t at = 0;
    uint32_t cursor = 0;
    struct th_outbox_entry entry;
    text[0] = '\0';
    while (p->box.ops->next(p->box.ctx, &cursor, &entry))
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%u%c", at ? " " : "", entry.id,
                               "QPR"[entry.state]);
    at += (size_t)snprintf(text + at, sizeof text - at, ":");
    for (uint32_t id = 0; id <= UINT16_MAX && at < sizeof text - 8; id++) {
        if (box_has(p, (uint16_t)id))
            at += (size_t)snprintf(text + at, sizeof text - at, " %u", (unsigned)id);
    }
    return text;
}

void box_assert_packet(struct place *p, uint16_t id, const char *text)
{
    char bytes[64];
    size_t len = p->box.ops->read(p->box.ctx, id, 0, (uint8_t *)bytes, sizeof bytes - 1);
    bytes[len] = '\0';
    assert_string_equal(bytes, text);
}

long size_of_file(const char *path)
{
    struct stat stat_of;
    return stat(path, &stat_of) == 0 ? (long)stat_of.st_size : -1;
}

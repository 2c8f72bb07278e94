/* SPDX-License-Identifier: MIT */
/* The outbox in a file: full disks and kill -9. */
#include "outbox_place.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a full disk ---- */

static void fill_up(struct place *p)
{
    uint8_t packet[700] = {1};
    uint16_t id = 0;
    while (box_add(p, ++id, 1, packet, sizeof packet))
        assert_true(id < 1000);
    assert_true(id > 3);
    uint16_t kept = (uint16_t)(id - 1);
    assert_int_equal(p->box.ops->count(p->box.ctx), kept);
    assert_int_not_equal(p->file.system_error, 0);
    /* A record in pieces that runs into the end is gone as a whole. */
    struct th_outbox_entry entry = {.id = 999, .qos = 1, .len = 20000};
    if (p->box.ops->add(p->box.ctx, &entry, TH_SPAN("x"))) {
        static const uint8_t rest[19999];
        assert_false(p->box.ops->append(p->box.ctx, th_span_of(rest, sizeof rest)));
    }
    place_reopen(p);
    assert_int_equal(p->box.ops->count(p->box.ctx), kept);
    assert_int_equal(p->file.cut_bytes, 0);
}

static void a_limit_on_file_sizes_refuses_the_message_and_keeps_the_others(void **state)
{
    struct place *p = *state;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 10000;
    assert_int_equal(place_open(p), TH_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fill_up(p);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(box_add(p, 5000, 1, "room again", 10));
    box_assert_packet(p, 5000, "room again");
}

static void take_the_last_block(struct place *p)
{
    char path[64];
    static const uint8_t bytes[4096];
    snprintf(path, sizeof path, "%s/filler", p->folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

/* In a child with mounts of its own: a disk of 64 KiB. */
static void a_full_disk_refuses_the_message_and_keeps_the_others(void **state)
{
    struct place *p = *state;
    pid_t child = fork();
    if (child == 0) {
        if ((unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("none", p->folder, "tmpfs", 0, "size=64k") < 0)
            _exit(77);
        p->config.power_safe = true;
        if (place_open(p) != TH_OK)
            _exit(1);
        fill_up(p);
        take_the_last_block(p);
        place_reopen(p);
        /* It drains although the disk has not one block left. */
        uint16_t left = p->box.ops->count(p->box.ctx);
        for (uint16_t id = 1; id <= left; id++) {
            if (!box_remove(p, id))
                _exit(2);
        }
        _exit(p->box.ops->count(p->box.ctx) == 0 && p->file.size < 65536 ? 0 : 3);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* a sandbox without mounts */
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- kill -9 ---- */

enum { KILLS = 60, SLOTS = 8, PIECE = 6000 };

/* A small linear congruential generator: parent and child draw the same. */
static uint32_t draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* What the outbox must hold after some number of steps. */
struct model {
    uint32_t seed, step;
    struct {
        uint16_t id;
        uint8_t state, qos, fill;
        uint32_t len;
    } slot[SLOTS];
    int used;
    bool inbound[SLOTS];
};

enum move { MOVE_ADD, MOVE_ADD_PIECES, MOVE_STATE, MOVE_REMOVE, MOVE_INBOUND };

struct step {
    enum move move;
    uint16_t id;
    uint8_t value, qos, fill;
    uint32_t len;
};

/* Draws the next step and does it in the model. */
static struct step advance(struct model *m)
{
    uint32_t chance = draw(&m->seed) % 10;
    struct step s = {.fill = (uint8_t)draw(&m->seed), .qos = (uint8_t)(1 + draw(&m->seed) % 2)};
    int which = m->used ? (int)(draw(&m->seed) % (uint32_t)m->used) : 0;
    m->step++;
    if (chance < 4 && m->used < SLOTS) {
        s.move = chance == 0 ? MOVE_ADD_PIECES : MOVE_ADD;
        s.id = (uint16_t)(1 + m->step % 60000);
        s.len = chance == 0 ? 3 * PIECE : draw(&m->seed) % 300;
        m->slot[m->used].id = s.id;
        m->slot[m->used].state = TH_OUTBOX_QUEUED;
        m->slot[m->used].qos = s.qos;
        m->slot[m->used].fill = s.fill;
        m->slot[m->used++].len = s.len;
    } else if (chance < 6 && m->used > 0) {
        s.move = MOVE_STATE;
        s.id = m->slot[which].id;
        if (m->slot[which].state < TH_OUTBOX_RELEASED)
            m->slot[which].state++;
        s.value = m->slot[which].state;
    } else if (chance < 8 && m->used > 0) {
        s.move = MOVE_REMOVE;
        s.id = m->slot[which].id;
        memmove(&m->slot[which], &m->slot[which + 1],
                (size_t)(m->used - which - 1) * sizeof m->slot[0]);
        m->used--;
    } else {
        s.move = MOVE_INBOUND;
        s.id = (uint16_t)(draw(&m->seed) % SLOTS);
        m->inbound[s.id] = !m->inbound[s.id];
        s.value = m->inbound[s.id];
    }
    return s;
}

static bool perform(struct place *p, const struct step *s)
{
    static uint8_t packet[3 * PIECE];
    memset(packet, s->fill, s->len);
    struct th_outbox_entry entry = {.id = s->id, .qos = s->qos, .len = s->len};
    switch (s->move) {
    case MOVE_ADD: return box_add(p, s->id, s->qos, packet, s->len);
    case MOVE_ADD_PIECES:
        return p->box.ops->add(p->box.ctx, &entry, th_span_of(packet, PIECE)) &&
               p->box.ops->append(p->box.ctx, th_span_of(packet, PIECE)) &&
               p->box.ops->append(p->box.ctx, th_span_of(packet, PIECE));
    case MOVE_STATE: return box_state(p, s->id, (enum th_outbox_state)s->value);
    case MOVE_REMOVE: return box_remove(p, s->id);
    case MOVE_INBOUND: return box_inbound(p, (uint16_t)(s->id + 1), s->value);
    }
    return false;
}

static bool holds(struct place *p, const struct model *m)
{
    struct th_outbox_entry entry;
    uint32_t cursor = 0;
    for (int i = 0; i < m->used; i++) {
        static uint8_t packet[3 * PIECE];
        if (!p->box.ops->next(p->box.ctx, &cursor, &entry) || entry.id != m->slot[i].id ||
            entry.state != m->slot[i].state || entry.qos != m->slot[i].qos)
            return false;
        if (entry.state == TH_OUTBOX_RELEASED)
            continue;
        if (p->box.ops->read(p->box.ctx, entry.id, 0, packet, sizeof packet) != m->slot[i].len)
            return false;
        for (uint32_t at = 0; at < m->slot[i].len; at++) {
            if (packet[at] != m->slot[i].fill)
                return false;
        }
    }
    for (uint16_t i = 0; i < SLOTS; i++) {
        if (box_has(p, (uint16_t)(i + 1)) != m->inbound[i])
            return false;
    }
    return !p->box.ops->next(p->box.ctx, &cursor, &entry);
}

static void run_until_killed(struct place *p, struct model m, volatile uint32_t *promised)
{
    if (place_open(p) != TH_OK)
        _exit(1);
    for (;;) {
        struct step s = advance(&m);
        if (!perform(p, &s))
            _exit(2);
        *promised = m.step;
    }
}

/* The child counts each promise in shared memory and is killed somewhere. What is found must be
 * what was promised, or that and the one step that was going on. */
static void what_was_promised_survives_kill_9_at_any_moment(void **state)
{
    struct place *p = *state;
    p->config.room = 150000;
    volatile uint32_t *promised =
        mmap(NULL, sizeof *promised, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(promised, MAP_FAILED);
    struct model m = {.seed = 20260101};
    uint32_t chance = 7, in_between = 0;
    for (int kill_at = 0; kill_at < KILLS; kill_at++) {
        *promised = m.step;
        pid_t child = fork();
        if (child == 0)
            run_until_killed(p, m, promised);
        usleep(1000 + draw(&chance) % 15000);
        kill(child, SIGKILL);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (m.step < *promised)
            advance(&m);
        assert_int_equal(place_open(p), TH_OK);
        if (!holds(p, &m)) {
            advance(&m);
            in_between++;
        }
        if (!holds(p, &m))
            fail_msg("kill %d, %u steps promised: the outbox holds %s", kill_at,
                     (unsigned)*promised, box_contents(p));
        th_outbox_file_close(&p->file);
    }
    print_message("%u steps, %d kills, %u found one step further\n", (unsigned)m.step, KILLS,
                  (unsigned)in_between);
    munmap((void *)(uintptr_t)promised, sizeof *promised);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, place_set_up, place_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(a_limit_on_file_sizes_refuses_the_message_and_keeps_the_others),
        FILE_TEST(a_full_disk_refuses_the_message_and_keeps_the_others),
        FILE_TEST(what_was_promised_survives_kill_9_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

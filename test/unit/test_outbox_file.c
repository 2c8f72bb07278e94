/* SPDX-License-Identifier: MIT */
/* The outbox in a file: what it holds, its bounds, and what it says to damage. */
#include "outbox_place.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- what it holds ---- */

static void messages_come_back_in_order_with_their_states(void **state)
{
    struct place *p = *state;
    assert_int_equal(place_open(p), TH_OK);
    assert_true(box_add(p, 9, 1, "nine", 4));
    assert_true(box_add(p, 2, 2, "two", 3));
    assert_true(box_add(p, 65535, 2, "last", 4));
    assert_true(box_add(p, 4, 1, "", 0));
    assert_true(box_state(p, 9, TH_OUTBOX_PUBLISHED));
    assert_true(box_state(p, 65535, TH_OUTBOX_RELEASED));
    assert_true(box_inbound(p, 77, true));
    assert_true(box_inbound(p, 65535, true));
    assert_true(box_inbound(p, 77, false));
    place_reopen(p);
    assert_string_equal(box_contents(p), "9P 2Q 65535R 4Q: 65535");
    assert_int_equal(p->file.restored, 4);
    assert_int_equal(p->file.cut_bytes, 0);
    box_assert_packet(p, 9, "nine");
    box_assert_packet(p, 2, "two");
    box_assert_packet(p, 65535, "");
    const struct th_outbox_entry *entry = p->box.ops->find(p->box.ctx, 2);
    assert_non_null(entry);
    assert_int_equal(entry->qos, 2);
    assert_int_equal(entry->len, 3);
    assert_null(entry->extra);
    assert_true(box_remove(p, 9));
    assert_true(p->box.ops->inbound_clear(p->box.ctx));
    place_reopen(p);
    assert_string_equal(box_contents(p), "2Q 65535R 4Q:");
    assert_int_equal(p->box.ops->count(p->box.ctx), 3);
}

static void unknown_identifiers_change_nothing(void **state)
{
    struct place *p = *state;
    uint8_t byte;
    assert_int_equal(place_open(p), TH_OK);
    assert_false(box_remove(p, 1));
    assert_false(box_state(p, 1, TH_OUTBOX_PUBLISHED));
    assert_null(p->box.ops->find(p->box.ctx, 1));
    assert_int_equal(p->box.ops->read(p->box.ctx, 1, 0, &byte, 1), 0);
    assert_true(box_inbound(p, 3, false));
    assert_int_equal(size_of_file(p->path), 20);
}

static void a_packet_is_read_from_any_offset(void **state)
{
    struct place *p = *state;
    uint8_t bytes[8];
    assert_int_equal(place_open(p), TH_OK);
    assert_true(box_add(p, 1, 1, "0123456789", 10));
    assert_int_equal(p->box.ops->read(p->box.ctx, 1, 4, bytes, 3), 3);
    assert_memory_equal(bytes, "456", 3);
    assert_int_equal(p->box.ops->read(p->box.ctx, 1, 8, bytes, sizeof bytes), 2);
    assert_int_equal(p->box.ops->read(p->box.ctx, 1, 10, bytes, sizeof bytes), 0);
}

static void a_cursor_stays_good_whatever_changes(void **state)
{
    struct place *p = *state;
    struct th_outbox_entry entry;
    uint32_t cursor = 0;
    assert_int_equal(place_open(p), TH_OK);
    for (uint16_t id = 1; id <= 4; id++)
        assert_true(box_add(p, id, 1, "x", 1));
    assert_true(p->box.ops->next(p->box.ctx, &cursor, &entry));
    assert_int_equal(entry.id, 1);
    assert_true(box_remove(p, 1));
    assert_true(box_remove(p, 2));
    assert_true(p->box.ops->next(p->box.ctx, &cursor, &entry));
    assert_int_equal(entry.id, 3);
    assert_true(box_remove(p, 4));
    assert_true(box_add(p, 4, 1, "again", 5));
    assert_true(p->box.ops->next(p->box.ctx, &cursor, &entry));
    assert_int_equal(entry.id, 4);
    assert_int_equal(entry.len, 5);
    assert_false(p->box.ops->next(p->box.ctx, &cursor, &entry));
}

static void a_record_in_pieces_exists_once_it_is_whole(void **state)
{
    struct place *p = *state;
    struct th_outbox_entry entry = {.id = 6, .qos = 1, .len = 9};
    assert_int_equal(place_open(p), TH_OK);
    assert_true(box_add(p, 5, 1, "before", 6));
    assert_true(p->box.ops->add(p->box.ctx, &entry, TH_SPAN("abc")));
    assert_true(p->box.ops->append(p->box.ctx, TH_SPAN("def")));
    assert_string_equal(box_contents(p), "5Q:");
    assert_false(p->box.ops->append(p->box.ctx, TH_SPAN("too much")));
    assert_true(p->box.ops->append(p->box.ctx, TH_SPAN("ghi")));
    assert_string_equal(box_contents(p), "5Q 6Q:");
    assert_false(p->box.ops->append(p->box.ctx, TH_SPAN("x")));
    place_reopen(p);
    assert_string_equal(box_contents(p), "5Q 6Q:");
    box_assert_packet(p, 6, "abcdefghi");
}

static void a_record_that_was_given_up_leaves_nothing(void **state)
{
    struct place *p = *state;
    struct th_outbox_entry entry = {.id = 6, .qos = 1, .len = 9};
    assert_int_equal(place_open(p), TH_OK);
    assert_true(p->box.ops->add(p->box.ctx, &entry, TH_SPAN("abc")));
    assert_true(box_add(p, 7, 1, "next", 4));
    place_reopen(p);
    assert_string_equal(box_contents(p), "7Q:");
    box_assert_packet(p, 7, "next");
}

static void a_streamed_message_is_forgotten_after_a_restart_unless_the_broker_may_have_it(
    void **state)
{
    struct place *p = *state;
    int source;
    assert_int_equal(place_open(p), TH_OK);
    for (uint16_t id = 1; id <= 3; id++) {
        struct th_outbox_entry entry = {.id = id, .qos = 2, .len = 4, .extra = &source};
        assert_true(p->box.ops->add(p->box.ctx, &entry, TH_SPAN("head")));
    }
    assert_true(box_state(p, 2, TH_OUTBOX_RELEASED));
    assert_true(box_state(p, 3, TH_OUTBOX_PUBLISHED));
    struct th_outbox_entry once = {.id = 4, .qos = 1, .len = 4, .extra = &source};
    assert_true(p->box.ops->add(p->box.ctx, &once, TH_SPAN("head")));
    assert_true(box_state(p, 4, TH_OUTBOX_PUBLISHED));
    assert_ptr_equal(p->box.ops->find(p->box.ctx, 1)->extra, &source);
    place_reopen(p);
    assert_string_equal(box_contents(p), "2R 3R:"); /* the broker may hold the identifier 3 */
    assert_int_equal(p->file.forgotten, 3);
    assert_true(box_add(p, 1, 1, "new", 3));
    assert_true(box_state(p, 1, TH_OUTBOX_PUBLISHED));
    place_reopen(p);
    assert_string_equal(box_contents(p), "2R 3R 1P:");
}

static void inbound_identifiers_have_their_own_room(void **state)
{
    struct place *p = *state;
    p->config.inbound_room = 3;
    assert_int_equal(place_open(p), TH_OK);
    assert_int_equal(p->box.ops->inbound_room(p->box.ctx), 3);
    assert_true(box_inbound(p, 1, true));
    assert_true(box_inbound(p, 2, true));
    assert_true(box_inbound(p, 3, true));
    assert_true(box_inbound(p, 3, true));
    assert_false(box_inbound(p, 4, true));
    assert_true(box_inbound(p, 1, false));
    assert_true(box_inbound(p, 4, true));
    assert_string_equal(box_contents(p), ": 2 3 4");
}

/* ---- bounds and rewriting ---- */

static void the_file_stays_within_its_room_and_what_does_not_fit_is_refused(void **state)
{
    struct place *p = *state;
    uint8_t packet[100] = {0};
    p->config.room = 20000;
    assert_int_equal(place_open(p), TH_OK);
    uint16_t id = 0;
    while (box_add(p, ++id, 2, packet, sizeof packet))
        assert_true(size_of_file(p->path) <= 20000);
    assert_true(id > (20000 * 7 / 8 - 20 * 100) / 124 - 2);
    uint16_t kept = (uint16_t)(id - 1);
    /* Full as it is, every change of state still finds its room. */
    for (uint16_t i = 1; i <= kept; i++)
        assert_true(box_state(p, i, TH_OUTBOX_PUBLISHED));
    for (uint16_t i = 1; i <= 100; i++)
        assert_true(box_inbound(p, i, true));
    for (int round = 0; round < 30; round++) {
        for (uint16_t i = 1; i <= 100; i++)
            assert_true(box_inbound(p, i, false) && box_inbound(p, i, true));
    }
    assert_true(size_of_file(p->path) <= 20000);
    place_reopen(p);
    assert_int_equal(p->box.ops->count(p->box.ctx), kept);
    for (uint16_t i = 1; i <= kept; i++)
        assert_true(box_state(p, i, TH_OUTBOX_RELEASED) && box_remove(p, i));
    assert_true(size_of_file(p->path) <= 20000);
    assert_int_equal(size_of_file(p->rewritten), -1);
    place_reopen(p);
    assert_int_equal(p->box.ops->count(p->box.ctx), 0);
}

static void a_message_larger_than_the_room_is_refused_at_once(void **state)
{
    struct place *p = *state;
    struct th_outbox_entry entry = {.id = 1, .qos = 1, .len = UINT32_MAX};
    assert_int_equal(place_open(p), TH_OK);
    assert_false(p->box.ops->add(p->box.ctx, &entry, TH_SPAN("x")));
    assert_int_equal(size_of_file(p->path), 20);
}

static void a_long_life_keeps_the_file_small(void **state)
{
    struct place *p = *state;
    char packet[1000];
    assert_int_equal(place_open(p), TH_OK);
    long largest = 0;
    assert_true(box_add(p, 60000, 1, "the oldest", 10));
    for (uint32_t i = 0; i < 20000; i++) {
        uint16_t id = (uint16_t)(1 + i % 50000);
        memset(packet, (int)i, sizeof packet);
        assert_true(box_add(p, id, 1, packet, sizeof packet));
        if (i >= 10)
            assert_true(box_remove(p, (uint16_t)(1 + (i - 10) % 50000)));
        if (i % 100 == 0 && size_of_file(p->path) > largest)
            largest = size_of_file(p->path);
    }
    assert_true(largest < 600000);
    box_assert_packet(p, 60000, "the oldest");
    place_reopen(p);
    assert_int_equal(p->box.ops->count(p->box.ctx), 11);
    box_assert_packet(p, 60000, "the oldest");
    uint8_t byte;
    assert_int_equal(p->box.ops->read(p->box.ctx, 19995, 999, &byte, 1), 1);
    assert_int_equal(byte, (uint8_t)19994);
}

static void a_rewrite_left_over_by_a_crash_does_no_harm(void **state)
{
    struct place *p = *state;
    p->config.room = TH_OUTBOX_FILE_ROOM_MIN + 4000;
    assert_int_equal(place_open(p), TH_OK);
    int fd = open(p->rewritten, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "half a rewrite", 14), 14);
    close(fd);
    assert_true(box_add(p, 1, 1, "kept", 4));
    for (int i = 0; i < 2000; i++)
        assert_true(box_inbound(p, 8, i % 2 == 0));
    assert_int_equal(size_of_file(p->rewritten), -1);
    place_reopen(p);
    assert_string_equal(box_contents(p), "1Q:");
    box_assert_packet(p, 1, "kept");
}

static void a_symbolic_link_stays_one(void **state)
{
    struct place *p = *state;
    char link[64];
    snprintf(link, sizeof link, "%s/link", p->folder);
    assert_int_equal(symlink(p->path, link), 0);
    p->config.path = link;
    p->config.room = TH_OUTBOX_FILE_ROOM_MIN + 4000;
    assert_int_equal(place_open(p), TH_OK);
    assert_true(box_add(p, 1, 1, "kept", 4));
    for (int i = 0; i < 2000; i++)
        assert_true(box_inbound(p, 8, i % 2 == 0));
    struct stat kind;
    assert_int_equal(lstat(link, &kind), 0);
    assert_true(S_ISLNK(kind.st_mode));
    unlink(link);
    p->config.path = p->path;
    place_reopen(p);
    assert_string_equal(box_contents(p), "1Q:");
}

/* ---- damage ---- */

static void fill(struct place *p)
{
    assert_int_equal(place_open(p), TH_OK);
    assert_true(box_add(p, 1, 1, "first", 5));
    assert_true(box_add(p, 2, 2, "second", 6));
    assert_true(box_state(p, 1, TH_OUTBOX_PUBLISHED));
    assert_true(box_inbound(p, 40, true));
    assert_true(box_state(p, 2, TH_OUTBOX_RELEASED));
    assert_true(box_remove(p, 1));
    assert_true(box_add(p, 3, 1, "third", 5));
    th_outbox_file_close(&p->file);
}

static size_t load(const char *path, uint8_t *into, size_t room)
{
    int fd = open(path, O_RDONLY);
    ssize_t len = read(fd, into, room);
    close(fd);
    assert_true(len > 0 && (size_t)len < room);
    return (size_t)len;
}

static void store(const char *path, const uint8_t *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static void a_tail_torn_at_any_byte_is_cut_and_the_rest_is_kept(void **state)
{
    struct place *p = *state;
    uint8_t bytes[512];
    fill(p);
    size_t len = load(p->path, bytes, sizeof bytes);
    static const struct {
        size_t at;
        const char *contents;
    } steps[] = {
        {0, ":"},           {20, ":"},          {49, "1Q:"},     {79, "1Q 2Q:"},     {99, "1P 2Q:"},
        {119, "1P 2Q: 40"}, {139, "1P 2R: 40"}, {159, "2R: 40"}, {188, "2R 3Q: 40"},
    };
    assert_int_equal(len, 188);
    size_t step = 0;
    for (size_t cut = 0; cut <= len; cut++) {
        if (step + 1 < sizeof steps / sizeof steps[0] && cut == steps[step + 1].at)
            step++;
        store(p->path, bytes, cut);
        assert_int_equal(place_open(p), TH_OK);
        assert_string_equal(box_contents(p), steps[step].contents);
        assert_int_equal(p->file.cut_bytes, cut - steps[step].at);
        assert_true(box_add(p, 9, 1, "more", 4));
        place_reopen(p);
        box_assert_packet(p, 9, "more");
        th_outbox_file_close(&p->file);
    }
}

static void blocks_of_zeros_behind_the_end_are_a_torn_tail(void **state)
{
    struct place *p = *state;
    uint8_t bytes[5000] = {0};
    fill(p);
    load(p->path, bytes, sizeof bytes);
    store(p->path, bytes, sizeof bytes);
    assert_int_equal(place_open(p), TH_OK);
    assert_string_equal(box_contents(p), "2R 3Q: 40");
    assert_int_equal(p->file.cut_bytes, sizeof bytes - 188);
}

static void any_flipped_bit_is_found_and_nothing_is_overwritten(void **state)
{
    struct place *p = *state;
    uint8_t bytes[512], after[512];
    fill(p);
    size_t len = load(p->path, bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        store(p->path, bytes, len);
        enum th_error error = place_open(p);
        assert_int_equal(error, bit < 64 ? TH_ERR_FILE_FORMAT : TH_ERR_FILE_DAMAGED);
        assert_int_equal(p->failure.error, error);
        assert_true(p->failure.detail >= 0 && (size_t)p->failure.detail <= bit / 8);
        assert_int_equal(load(p->path, after, sizeof after), len);
        assert_memory_equal(bytes, after, len);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void records_that_vanish_or_change_places_are_found(void **state)
{
    struct place *p = *state;
    uint8_t bytes[512], other[512];
    fill(p);
    size_t len = load(p->path, bytes, sizeof bytes);
    memcpy(other, bytes, len);
    memmove(other + 79, other + 99, len - 99); /* without the change of state of 1 */
    store(p->path, other, len - 20);
    assert_int_equal(place_open(p), TH_ERR_FILE_DAMAGED);
    assert_int_equal(p->failure.detail, 79);
    memcpy(other, bytes, len);
    memcpy(other + 99, bytes + 119, 20);
    memcpy(other + 119, bytes + 99, 20);
    store(p->path, other, len);
    assert_int_equal(place_open(p), TH_ERR_FILE_DAMAGED);
    assert_int_equal(p->failure.detail, 99);
}

/* ---- files that are something else ---- */

static void a_file_in_use_is_refused(void **state)
{
    struct place *p = *state;
    struct th_outbox_file second;
    struct th_failure failure;
    assert_int_equal(place_open(p), TH_OK);
    assert_int_equal(th_outbox_file_open(&second, &p->config, &failure), TH_ERR_FILE_LOCKED);
    /* The lock goes along when the journal is rewritten. */
    th_outbox_file_close(&p->file);
    p->config.room = TH_OUTBOX_FILE_ROOM_MIN + 4000;
    assert_int_equal(place_open(p), TH_OK);
    assert_true(box_add(p, 1, 1, "x", 1));
    for (int i = 0; i < 2000; i++)
        assert_true(box_inbound(p, 8, i % 2 == 0));
    assert_int_equal(th_outbox_file_open(&second, &p->config, &failure), TH_ERR_FILE_LOCKED);
    assert_string_equal(failure.name, p->path);
    th_outbox_file_close(&p->file);
    assert_int_equal(th_outbox_file_open(&second, &p->config, &failure), TH_OK);
    th_outbox_file_close(&second);
}

static void what_cannot_be_an_outbox_is_refused_and_left_alone(void **state)
{
    struct place *p = *state;
    char path[64];
    store(p->path, (const uint8_t *)"-----BEGIN CERTIFICATE-----\n", 28);
    assert_int_equal(place_open(p), TH_ERR_FILE_FORMAT);
    assert_int_equal(size_of_file(p->path), 28);
    store(p->path, (const uint8_t *)"hello", 5);
    assert_int_equal(place_open(p), TH_ERR_FILE_FORMAT);
    p->config.path = p->folder;
    assert_int_equal(place_open(p), TH_ERR_FILE_KIND);
    p->config.path = "/dev/null";
    assert_int_equal(place_open(p), TH_ERR_FILE_KIND);
    snprintf(path, sizeof path, "%s/no/outbox", p->folder);
    p->config.path = path;
    assert_int_equal(place_open(p), TH_ERR_FILE_MISSING);
    assert_int_equal(p->failure.detail, ENOENT);
    p->config.path = p->path;
    p->config.protocol = 3;
    assert_int_equal(place_open(p), TH_ERR_CONFIG);
    p->config.protocol = 4;
    p->config.room = 4095;
    assert_int_equal(place_open(p), TH_ERR_CONFIG);
}

static void packets_of_one_mqtt_version_are_not_given_to_the_other(void **state)
{
    struct place *p = *state;
    fill(p);
    p->config.protocol = 4;
    assert_int_equal(place_open(p), TH_ERR_FILE_OTHER_VERSION);
    p->config.protocol = 5;
    assert_int_equal(place_open(p), TH_OK);
    assert_true(box_remove(p, 2) && box_remove(p, 3) && box_inbound(p, 40, false));
    p->config.protocol = 4;
    place_reopen(p);
    assert_true(box_add(p, 1, 1, "x", 1));
    p->config.protocol = 5;
    th_outbox_file_close(&p->file);
    assert_int_equal(place_open(p), TH_ERR_FILE_OTHER_VERSION);
}

static void a_later_format_is_refused(void **state)
{
    struct place *p = *state;
    static const uint8_t later[20] = {'T', 'H', 'O', 'U', 'T', 'B', 'O',  'X',  2,    0,
                                      5,   0,   0,   0,   0,   0,   0xF9, 0x57, 0xA3, 0xF3};
    store(p->path, later, sizeof later);
    assert_int_equal(place_open(p), TH_ERR_FILE_OTHER_VERSION);
    assert_int_equal(p->failure.detail, 2);
}

/* The example of docs/outbox-file.md, made by other means. */
static void the_format_is_the_documented_one(void **state)
{
    struct place *p = *state;
    static const uint8_t documented[] = {
        0x54, 0x48, 0x4F, 0x55, 0x54, 0x42, 0x4F, 0x58, 0x01, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x1A, 0x50, 0x2C, 0x7D, 0xA7, 0x8F, 0xA3, 0x4B, 0x01, 0x00, 0x01, 0x00, 0x07, 0x00,
        0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x68, 0x69, 0xAC, 0x2A, 0x93,
        0xD8, 0xFC, 0x9D, 0xD4, 0xAE, 0x02, 0x01, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00, 0x01, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xB5, 0x94, 0xCE, 0x42, 0x03, 0x01, 0x00, 0x00, 0x07,
        0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
    uint8_t bytes[128];
    assert_int_equal(place_open(p), TH_OK);
    assert_true(box_add(p, 7, 1, "hi", 2));
    assert_true(box_state(p, 7, TH_OUTBOX_PUBLISHED));
    assert_true(box_remove(p, 7));
    assert_int_equal(load(p->path, bytes, sizeof bytes), sizeof documented);
    assert_memory_equal(bytes, documented, sizeof documented);
}

static void only_its_owner_can_read_the_file(void **state)
{
    struct place *p = *state;
    struct stat mode;
    assert_int_equal(place_open(p), TH_OK);
    assert_int_equal(stat(p->path, &mode), 0);
    assert_int_equal(mode.st_mode & 0777, 0600);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, place_set_up, place_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(messages_come_back_in_order_with_their_states),
        FILE_TEST(unknown_identifiers_change_nothing),
        FILE_TEST(a_packet_is_read_from_any_offset),
        FILE_TEST(a_cursor_stays_good_whatever_changes),
        FILE_TEST(a_record_in_pieces_exists_once_it_is_whole),
        FILE_TEST(a_record_that_was_given_up_leaves_nothing),
        FILE_TEST(a_streamed_message_is_forgotten_after_a_restart_unless_the_broker_may_have_it),
        FILE_TEST(inbound_identifiers_have_their_own_room),
        FILE_TEST(the_file_stays_within_its_room_and_what_does_not_fit_is_refused),
        FILE_TEST(a_message_larger_than_the_room_is_refused_at_once),
        FILE_TEST(a_long_life_keeps_the_file_small),
        FILE_TEST(a_rewrite_left_over_by_a_crash_does_no_harm),
        FILE_TEST(a_symbolic_link_stays_one),
        FILE_TEST(a_tail_torn_at_any_byte_is_cut_and_the_rest_is_kept),
        FILE_TEST(blocks_of_zeros_behind_the_end_are_a_torn_tail),
        FILE_TEST(any_flipped_bit_is_found_and_nothing_is_overwritten),
        FILE_TEST(records_that_vanish_or_change_places_are_found),
        FILE_TEST(a_file_in_use_is_refused),
        FILE_TEST(what_cannot_be_an_outbox_is_refused_and_left_alone),
        FILE_TEST(packets_of_one_mqtt_version_are_not_given_to_the_other),
        FILE_TEST(a_later_format_is_refused),
        FILE_TEST(the_format_is_the_documented_one),
        FILE_TEST(only_its_owner_can_read_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

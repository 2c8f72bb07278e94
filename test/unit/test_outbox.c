/* SPDX-License-Identifier: MIT */
/* The outbox in memory: order, wrap-around, room, identifiers, against a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mqtt_harness.h"

#define RECORDS_MAX 64

struct record {
    struct th_outbox_entry entry;
    uint8_t bytes[200];
};

struct model {
    struct th_outbox_ram ram;
    struct th_outbox outbox;
    _Alignas(8) uint8_t at[1024];
    uint16_t inbound[4];
    struct record records[RECORDS_MAX]; /* in order of age */
    size_t count;
};

static void setup(struct model *model, uint32_t room)
{
    *model = (struct model){.count = 0};
    model->outbox = th_outbox_ram_init(&model->ram, model->at, room, model->inbound, 4);
}

static void check_record(struct model *model, const struct record *record)
{
    const struct th_outbox *outbox = &model->outbox;
    uint8_t bytes[200];
    const struct th_outbox_entry *found = outbox->ops->find(outbox->ctx, record->entry.id);
    assert_non_null(found);
    assert_memory_equal(found, &record->entry, sizeof *found);
    uint32_t half = record->entry.len / 2;
    size_t len = outbox->ops->read(outbox->ctx, record->entry.id, 0, bytes, half);
    len += outbox->ops->read(outbox->ctx, record->entry.id, half, bytes + half, sizeof bytes);
    assert_int_equal(len, record->entry.len);
    assert_memory_equal(bytes, record->bytes, len);
    assert_int_equal(outbox->ops->read(outbox->ctx, record->entry.id, (uint32_t)len, bytes, 1), 0);
}

static void check_all(struct model *model)
{
    const struct th_outbox *outbox = &model->outbox;
    struct th_outbox_entry entry;
    uint32_t cursor = 0;
    assert_int_equal(outbox->ops->count(outbox->ctx), model->count);
    for (size_t i = 0; i < model->count; i++) {
        assert_true(outbox->ops->next(outbox->ctx, &cursor, &entry));
        assert_int_equal(entry.id, model->records[i].entry.id);
        check_record(model, &model->records[i]);
    }
    assert_false(outbox->ops->next(outbox->ctx, &cursor, &entry));
}

static bool add(struct model *model, uint16_t id, uint32_t len, uint64_t *seed)
{
    const struct th_outbox *outbox = &model->outbox;
    struct record *record = &model->records[model->count];
    *record = (struct record){.entry = {.id = id, .qos = 1, .len = len, .extra = NULL}};
    for (uint32_t i = 0; i < len; i++)
        record->bytes[i] = (uint8_t)harness_random(seed);
    uint32_t first = harness_below(seed, len + 1);
    if (!outbox->ops->add(outbox->ctx, &record->entry, th_span_of(record->bytes, first)))
        return false;
    while (first < len) {
        uint32_t more = 1 + harness_below(seed, len - first);
        assert_true(outbox->ops->append(outbox->ctx, th_span_of(record->bytes + first, more)));
        first += more;
    }
    model->count++;
    return true;
}

static void remove_at(struct model *model, size_t at)
{
    const struct th_outbox *outbox = &model->outbox;
    uint16_t id = model->records[at].entry.id;
    assert_true(outbox->ops->remove(outbox->ctx, id));
    assert_false(outbox->ops->remove(outbox->ctx, id));
    assert_false(outbox->ops->set_state(outbox->ctx, id, TH_OUTBOX_RELEASED));
    model->count--;
    memmove(&model->records[at], &model->records[at + 1],
            (model->count - at) * sizeof model->records[0]);
}

static void records_keep_order_and_bytes_whatever_is_added_and_removed(void **state)
{
    (void)state;
    static struct model model;
    uint64_t seed = harness_seed(3);
    uint16_t id = 0;
    unsigned refused = 0;
    setup(&model, 1024);
    for (unsigned turn = 0; turn < 60000; turn++) {
        uint32_t choice = harness_below(&seed, 10);
        if (choice < 5) {
            id += id == UINT16_MAX ? 2 : 1;
            if (!add(&model, id, 2 + harness_below(&seed, 190), &seed))
                refused++;
        } else if (model.count > 0) {
            /* Acknowledgements come mostly in order. */
            size_t at = choice < 9 ? 0 : harness_below(&seed, (uint32_t)model.count);
            if (harness_below(&seed, 4) > 0) {
                remove_at(&model, at);
            } else {
                struct th_outbox_entry *entry = &model.records[at].entry;
                entry->state = (uint8_t)(1 + harness_below(&seed, 2));
                assert_true(model.outbox.ops->set_state(model.outbox.ctx, entry->id,
                                                        (enum th_outbox_state)entry->state));
            }
        }
        check_all(&model);
    }
    assert_true(refused > 100);
}

static void a_walk_goes_on_behind_records_removed_under_it(void **state)
{
    (void)state;
    static struct model model;
    uint64_t seed = 4;
    setup(&model, 1024);
    for (uint16_t id = 1; id <= 8; id++)
        assert_true(add(&model, id, 20, &seed));
    const struct th_outbox *outbox = &model.outbox;
    struct th_outbox_entry entry;
    uint32_t cursor = 0;
    for (unsigned i = 0; i < 3; i++)
        assert_true(outbox->ops->next(outbox->ctx, &cursor, &entry));
    assert_int_equal(entry.id, 3);
    for (uint16_t id = 1; id <= 5; id++)
        assert_true(outbox->ops->remove(outbox->ctx, id));
    assert_true(outbox->ops->next(outbox->ctx, &cursor, &entry));
    assert_int_equal(entry.id, 6);
    for (uint16_t id = 6; id <= 8; id++)
        assert_true(outbox->ops->remove(outbox->ctx, id));
    assert_false(outbox->ops->next(outbox->ctx, &cursor, &entry));
    model.count = 0;
    for (uint16_t id = 20; id < 50; id++) {
        assert_true(add(&model, id, 100, &seed));
        assert_true(outbox->ops->next(outbox->ctx, &cursor, &entry));
        assert_int_equal(entry.id, id);
        remove_at(&model, 0);
    }
}

/* A PUBCOMP with identifier 0 once found the place of a removed record. */
static void identifier_0_is_never_found(void **state)
{
    (void)state;
    static struct model model;
    uint64_t seed = 5;
    setup(&model, 1024);
    for (uint16_t id = 1; id <= 3; id++)
        assert_true(add(&model, id, 20, &seed));
    remove_at(&model, 1);
    const struct th_outbox *outbox = &model.outbox;
    assert_null(outbox->ops->find(outbox->ctx, 0));
    assert_false(outbox->ops->remove(outbox->ctx, 0));
    assert_false(outbox->ops->set_state(outbox->ctx, 0, TH_OUTBOX_RELEASED));
    check_all(&model);
}

static void a_record_takes_its_bytes_and_the_stated_overhead(void **state)
{
    (void)state;
    static struct model model;
    uint64_t seed = 5;
    setup(&model, 10 * (TH_OUTBOX_RAM_OVERHEAD + 48));
    for (unsigned round = 0; round < 50; round++) {
        for (uint16_t id = 1; id <= 10; id++)
            assert_true(add(&model, id, 48, &seed));
        assert_false(add(&model, 11, 1, &seed));
        check_all(&model);
        while (model.count > 0)
            remove_at(&model, 0);
        /* Elsewhere in its memory the next time. */
        assert_true(add(&model, 99, 20, &seed));
        remove_at(&model, 0);
    }
}

static void an_empty_outbox_takes_nothing(void **state)
{
    (void)state;
    static struct model model;
    uint64_t seed = 6;
    setup(&model, 0);
    assert_false(add(&model, 1, 2, &seed));
    check_all(&model);
    model.outbox = th_outbox_ram_init(&model.ram, NULL, 0, NULL, 0);
    assert_false(model.outbox.ops->inbound(model.outbox.ctx, 1, true));
    assert_int_equal(model.outbox.ops->inbound_room(model.outbox.ctx), 0);
}

static void a_record_of_the_largest_length_is_refused_not_wrapped(void **state)
{
    (void)state;
    static struct model model;
    setup(&model, 1024);
    for (uint32_t len = UINT32_MAX - 40; len > 1000; len = len > 2000 ? len / 2 : len - 1) {
        const struct th_outbox_entry entry = {.id = 1, .len = len};
        if (len > 1024 - TH_OUTBOX_RAM_OVERHEAD)
            assert_false(model.outbox.ops->add(model.outbox.ctx, &entry, th_span_of(model.at, 1)));
    }
}

static void inbound_identifiers_are_a_set_of_bounded_size(void **state)
{
    (void)state;
    static struct model model;
    setup(&model, 1024);
    const struct th_outbox *outbox = &model.outbox;
    assert_int_equal(outbox->ops->inbound_room(outbox->ctx), 4);
    for (uint16_t id = 1; id <= 4; id++) {
        assert_true(outbox->ops->inbound(outbox->ctx, id, true));
        assert_true(outbox->ops->inbound(outbox->ctx, id, true));
    }
    assert_false(outbox->ops->inbound(outbox->ctx, 5, true));
    assert_true(outbox->ops->inbound(outbox->ctx, 2, false));
    assert_true(outbox->ops->inbound(outbox->ctx, 2, false));
    assert_false(outbox->ops->inbound_has(outbox->ctx, 2));
    assert_true(outbox->ops->inbound_has(outbox->ctx, 1) &&
                outbox->ops->inbound_has(outbox->ctx, 3) &&
                outbox->ops->inbound_has(outbox->ctx, 4));
    assert_true(outbox->ops->inbound(outbox->ctx, 5, true));
    assert_true(outbox->ops->inbound_clear(outbox->ctx));
    assert_false(outbox->ops->inbound_has(outbox->ctx, 5));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_keep_order_and_bytes_whatever_is_added_and_removed),
        cmocka_unit_test(a_walk_goes_on_behind_records_removed_under_it),
        cmocka_unit_test(identifier_0_is_never_found),
        cmocka_unit_test(a_record_takes_its_bytes_and_the_stated_overhead),
        cmocka_unit_test(an_empty_outbox_takes_nothing),
        cmocka_unit_test(a_record_of_the_largest_length_is_refused_not_wrapped),
        cmocka_unit_test(inbound_identifiers_are_a_set_of_bounded_size),
    };
    return cmocka_run_group_tests_name("the outbox in memory", tests, NULL, NULL);
}

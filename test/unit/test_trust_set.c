/* SPDX-License-Identifier: MIT */
/* I6 O16: a trust set is taken whole and in form, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/trust_set.h>

static uint8_t set[TH_TRUST_SET_MAX];
static size_t len;
static uint8_t certificate[100] = {0x30}, digest[32];

static enum th_error add(struct th_trust_item item)
{
    return th_trust_set_add(set, sizeof set, &len, &item);
}

static struct th_trust_item update_key(uint8_t components)
{
    struct th_trust_item item = {.kind = TH_ITEM_UPDATE_KEY};

    item.key.components = components;
    item.key.point[0] = 4;
    return item;
}

static struct th_trust_item role(const char *name, enum th_role role)
{
    return (struct th_trust_item){.kind = TH_ITEM_ROLE, .bytes = th_span_str(name), .role = role};
}

static struct th_trust_item broker(const char *host, uint16_t port)
{
    return (struct th_trust_item){.kind = TH_ITEM_BROKER, .bytes = th_span_str(host), .port = port};
}

static struct th_trust_item anchor(void)
{
    return (struct th_trust_item){.kind = TH_ITEM_ANCHOR,
                                  .bytes = th_span_of(certificate, sizeof certificate)};
}

static enum th_error check(void)
{
    return th_trust_set_check(th_span_of(set, len));
}

static int whole_set(void **state)
{
    (void)state;
    len = 0;
    assert_int_equal(add(anchor()), TH_OK);
    assert_int_equal(add(broker("broker.example", 8883)), TH_OK);
    assert_int_equal(add(update_key(1u << TH_COMPONENT_TRUST)), TH_OK);
    assert_int_equal(add(role("alice", TH_ROLE_ADMIN)), TH_OK);
    return 0;
}

static void what_is_added_is_read_back(void **state)
{
    (void)state;
    struct th_trust_item item;
    struct th_span whole = th_span_of(set, len);

    assert_int_equal(check(), TH_OK);
    assert_true(th_trust_set_item(whole, TH_ITEM_BROKER, 0, &item));
    assert_true(th_span_equal(item.bytes, TH_SPAN("broker.example")));
    assert_int_equal(item.port, 8883);
    assert_false(th_trust_set_item(whole, TH_ITEM_BROKER, 1, &item));
    assert_true(th_trust_set_item(whole, TH_ITEM_ANCHOR, 0, &item));
    assert_int_equal(item.bytes.len, sizeof certificate);
    assert_int_equal(th_trust_set_role(whole, TH_SPAN("alice")), TH_ROLE_ADMIN);
    assert_int_equal(th_trust_set_role(whole, TH_SPAN("alic")), TH_ROLE_NONE);
    assert_int_equal(th_trust_set_role(whole, TH_SPAN("")), TH_ROLE_NONE);
}

/* One that leaves no way to the broker or to the next set locks the device out. */
static void a_set_that_locks_out_is_refused(void **state)
{
    (void)state;
    const struct th_trust_item parts[] = {anchor(), broker("b", 1), update_key(0xFF)};

    for (size_t without = 0; without < 3; without++) {
        len = 0;
        for (size_t i = 0; i < 3; i++) {
            if (i != without)
                assert_int_equal(add(parts[i]), TH_OK);
        }
        assert_int_equal(check(), TH_ERR_TRUST_SET_FORMAT);
        assert_int_equal(add(parts[without]), TH_OK);
        assert_int_equal(check(), TH_OK);
    }
    len = 0;
    add(anchor());
    add(broker("b", 1));
    add(update_key(1u << TH_COMPONENT_FIRMWARE));
    assert_int_equal(check(), TH_ERR_TRUST_SET_FORMAT);
}

static void a_caller_has_one_role(void **state)
{
    (void)state;
    assert_int_equal(add(role("bob", TH_ROLE_VIEWER)), TH_OK);
    assert_int_equal(check(), TH_OK);
    assert_int_equal(add(role("alice", TH_ROLE_VIEWER)), TH_OK);
    assert_int_equal(check(), TH_ERR_TRUST_SET_FORMAT);
}

static void items_without_their_form_are_not_added(void **state)
{
    (void)state;
    struct th_trust_item key = update_key(8);
    struct th_trust_item pin = {.kind = TH_ITEM_PIN, .bytes = {digest, 31}};
    size_t before = len;

    key.key.point[0] = 2;
    assert_int_equal(add(key), TH_ERR_INVALID);
    assert_int_equal(add(pin), TH_ERR_INVALID);
    assert_int_equal(add(broker("", 1)), TH_ERR_INVALID);
    assert_int_equal(add(broker("a b", 1)), TH_ERR_INVALID);
    assert_int_equal(add(broker("b", 0)), TH_ERR_INVALID);
    assert_int_equal(add(role("Alice", TH_ROLE_VIEWER)), TH_ERR_INVALID);
    assert_int_equal(add(role("a/b", TH_ROLE_VIEWER)), TH_ERR_INVALID);
    assert_int_equal(add(role("", TH_ROLE_VIEWER)), TH_ERR_INVALID);
    assert_int_equal(add(role("alice.2", TH_ROLE_VIEWER)), TH_ERR_INVALID);
    assert_int_equal(add(role("eve", TH_ROLE_NONE)), TH_ERR_INVALID);
    assert_int_equal(len, before);
    assert_int_equal(check(), TH_OK);
}

/* A later version's item: passed over, unless it is demanded. */
static void unknown_kinds_are_passed_over_unless_demanded(void **state)
{
    (void)state;
    static const uint8_t later[] = {99, 0, 3, 0, 'n', 'e', 'w'};
    struct th_trust_item item;

    memcpy(set + len, later, sizeof later);
    len += sizeof later;
    add(role("carol", TH_ROLE_OPERATOR));
    assert_int_equal(check(), TH_OK);
    assert_int_equal(th_trust_set_role(th_span_of(set, len), TH_SPAN("carol")), TH_ROLE_OPERATOR);
    assert_true(th_trust_set_item(th_span_of(set, len), TH_ITEM_ROLE, 1, &item));
    for (size_t i = 0; i < len; i++) {
        if (set[i] == 99 && memcmp(set + i, later, sizeof later) == 0)
            set[i + 1] = 1;
    }
    assert_int_equal(check(), TH_ERR_TRUST_SET_FORMAT);
}

/* Hostile content: cut at every byte, and a hundred thousand mutations. */
static void damaged_sets_are_refused_or_read_in_bounds(void **state)
{
    (void)state;
    size_t whole = len, taken = 0;
    uint32_t random = 12345;

    for (size_t cut = 0; cut < whole; cut++) {
        uint8_t *exact = malloc(cut + 1);

        memcpy(exact, set, cut);
        if (th_trust_set_check(th_span_of(exact, cut)) == TH_OK)
            taken++;
        free(exact);
    }
    assert_int_equal(taken, 1); /* the set without its last item, a role, is whole too */
    for (int i = 0; i < 100000; i++) {
        uint8_t copy[512];
        struct th_trust_item item;
        size_t at = 0;

        memcpy(copy, set, whole);
        for (int flips = 0; flips < 3; flips++) {
            random = random * 1664525u + 1013904223u;
            copy[(random >> 8) % whole] = (uint8_t)(random >> 24);
        }
        if (th_trust_set_check(th_span_of(copy, whole)) == TH_OK) {
            while (th_trust_set_next(th_span_of(copy, whole), &at, &item))
                assert_true(item.kind >= TH_ITEM_ANCHOR && item.kind <= TH_ITEM_ROLE);
            assert_int_equal(at, whole);
        }
    }
}

static void a_full_set_says_so(void **state)
{
    (void)state;
    enum th_error error = TH_OK;

    for (int i = 0; i < 200 && error == TH_OK; i++)
        error = add(anchor());
    assert_int_equal(error, TH_ERR_TOO_LARGE);
    assert_int_equal(check(), TH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_added_is_read_back, whole_set),
        cmocka_unit_test_setup(a_set_that_locks_out_is_refused, whole_set),
        cmocka_unit_test_setup(a_caller_has_one_role, whole_set),
        cmocka_unit_test_setup(items_without_their_form_are_not_added, whole_set),
        cmocka_unit_test_setup(unknown_kinds_are_passed_over_unless_demanded, whole_set),
        cmocka_unit_test_setup(damaged_sets_are_refused_or_read_in_bounds, whole_set),
        cmocka_unit_test_setup(a_full_set_says_so, whole_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

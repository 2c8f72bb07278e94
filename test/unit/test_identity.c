/* SPDX-License-Identifier: MIT */
/* I1 R2: factory area and identity: what is taken, what is refused, and what reports may say. Power
 * cuts are in test/power/test_identity_cuts.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/identity.h>
#include <thimble/trust_set.h>

#include "ports/sim/flash.h"

static const struct th_crypto crypto = {&th_crypto_openssl, NULL};
static struct sim_flash flash;
static uint8_t *cells, *weak;
static struct th_identity_store identity;
static struct th_factory factory;
static bool entropy_works = true;

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    static uint32_t drawn;

    (void)ctx;
    for (size_t i = 0; i < len; i++)
        into[i] = (uint8_t)(++drawn * 2654435761u >> 21);
    return entropy_works;
}

static const struct th_entropy_ops entropy_ops = {fill};
static const struct th_board board = {.entropy = {&entropy_ops, NULL},
                                      .flash = {&sim_flash_ops, &flash}};

static void start_on(const struct th_flash_map *map)
{
    sim_flash_power_on(&flash, 3);
    assert_int_equal(th_identity_open(&identity, &board, map, 1), TH_OK);
    assert_int_equal(th_factory_open(&factory, &board, map, 2), TH_OK);
}

static void blank_flash(const struct th_flash_map *map)
{
    struct th_flash_geometry geometry = {map->size, map->erase_unit, 4};

    free(cells);
    free(weak);
    cells = malloc(map->size);
    weak = malloc(map->size);
    assert_true(cells && weak);
    sim_flash_init(&flash, geometry, cells, weak, 1);
    entropy_works = true;
}

static int blank(void **state)
{
    (void)state;
    blank_flash(&th_flash_map_sim);
    start_on(&th_flash_map_sim);
    return 0;
}

static struct th_span sequence(uint8_t *into, size_t len, uint8_t value)
{
    memset(into, value, len);
    into[0] = 0x30;
    into[1] = 0x82;
    into[2] = (uint8_t)((len - 4) >> 8);
    into[3] = (uint8_t)(len - 4);
    return th_span_of(into, len);
}

/* ---- set-up code ---- */

static void what_people_type_becomes_the_code(void **state)
{
    (void)state;
    char code[TH_SETUP_CODE + 1], shown[TH_SETUP_CODE_SHOWN + 1];

    assert_true(th_setup_code_parse(TH_SPAN("o1il-89ab cdef-gHjK"), code));
    assert_string_equal(code, "011189ABCDEFGHJK");
    th_setup_code_show(code, shown);
    assert_string_equal(shown, "0111-89AB-CDEF-GHJK");
    assert_false(th_setup_code_parse(TH_SPAN("0111-89AB-CDEF-GHJ"), code));
    assert_false(th_setup_code_parse(TH_SPAN("0111-89AB-CDEF-GHJKM"), code));
    assert_false(th_setup_code_parse(TH_SPAN("U111-89AB-CDEF-GHJK"), code));
    assert_false(th_setup_code_parse(TH_SPAN("0111-89AB-CDEF-GH\0K"), code));
    assert_false(th_setup_code_parse(TH_SPAN(""), code));
}

static void a_code_is_made_kept_and_replaced(void **state)
{
    (void)state;
    char one[TH_SETUP_CODE + 1], two[TH_SETUP_CODE + 1], found[TH_SETUP_CODE + 1];

    assert_false(th_factory_code(&factory, found));
    assert_int_equal(th_factory_code_make(&factory, &board, one), TH_OK);
    start_on(&th_flash_map_sim);
    assert_true(th_factory_code(&factory, found));
    assert_string_equal(found, one);
    assert_int_equal(th_factory_code_make(&factory, &board, two), TH_OK);
    assert_string_not_equal(one, two);
    assert_true(th_setup_code_parse(th_span_str(two), found));
    assert_int_equal(th_factory_code_set(&factory, "0123-4567-89AB-CDEF"), TH_ERR_INVALID);
    assert_int_equal(th_factory_code_set(&factory, "0123456789abcdef"), TH_ERR_INVALID);
    assert_true(th_factory_code(&factory, found));
    assert_string_equal(found, two);
}

/* T13 */
static void nothing_is_made_when_entropy_fails(void **state)
{
    (void)state;
    char code[TH_SETUP_CODE + 1];
    struct th_identity_report report;

    entropy_works = false;
    assert_int_equal(th_factory_code_make(&factory, &board, code), TH_ERR_TLS_ENTROPY);
    assert_int_equal(th_factory_key_make(&factory, &crypto, &board), TH_ERR_TLS_ENTROPY);
    assert_false(th_factory_has_key(&factory));
    assert_int_equal(th_identity_next_make(&identity, &crypto, &board, TH_SPAN("lamp")),
                     TH_ERR_TLS_ENTROPY);
    th_identity_report(&identity, &report);
    assert_false(report.requested);
}

/* ---- keys ---- */

static void the_birth_key_is_made_once(void **state)
{
    (void)state;
    struct th_credential one, two;
    uint8_t bytes[TH_CHAIN_MAX];

    assert_int_equal(th_factory_idevid(&factory, bytes, sizeof bytes, &one), TH_ERR_BAD_STATE);
    assert_int_equal(th_factory_key_make(&factory, &crypto, &board), TH_OK);
    assert_int_equal(th_factory_idevid(&factory, bytes, sizeof bytes, &one), TH_OK);
    assert_int_equal(th_factory_key_make(&factory, &crypto, &board), TH_OK);
    start_on(&th_flash_map_sim);
    assert_int_equal(th_factory_idevid(&factory, bytes, sizeof bytes, &two), TH_OK);
    assert_memory_equal(one.key, two.key, sizeof one.key);
    assert_int_equal(one.chain_count, 0);
}

/* F7 */
static void names_that_break_the_rule_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "Lamp", "-a", "a+b", "a/b", "a#", "lamp.birth", "a name of more than thirty-two b"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(th_identity_next_make(&identity, &crypto, &board, th_span_str(bad[i])),
                         TH_ERR_INVALID);
    assert_int_equal(th_identity_next_make(&identity, &crypto, &board,
                                           TH_SPAN("a23456789012345678901234567890123")),
                     TH_ERR_INVALID);
    assert_int_equal(th_identity_next_make(&identity, &crypto, &board,
                                           TH_SPAN("a2345678901234567890123456789012")),
                     TH_OK);
}

static void each_request_has_a_key_and_a_nonce_of_its_own(void **state)
{
    (void)state;
    struct th_credential one, two;
    uint8_t bytes[TH_CHAIN_MAX];

    th_identity_next_make(&identity, &crypto, &board, TH_SPAN("lamp"));
    assert_int_equal(th_identity_load(&identity, TH_NEXT, bytes, sizeof bytes, &one), TH_OK);
    assert_string_equal(one.name, "lamp");
    th_identity_next_make(&identity, &crypto, &board, TH_SPAN("lamp"));
    assert_int_equal(th_identity_load(&identity, TH_NEXT, bytes, sizeof bytes, &two), TH_OK);
    assert_memory_not_equal(one.point, two.point, sizeof one.point);
    assert_memory_not_equal(one.nonce, two.nonce, sizeof one.nonce);
    assert_int_equal(th_identity_load(&identity, TH_IN_FORCE, bytes, sizeof bytes, &one),
                     TH_ERR_BAD_STATE);
}

static void what_is_not_there_cannot_be_used(void **state)
{
    (void)state;
    uint8_t bytes[600];
    size_t len;

    assert_int_equal(th_identity_next_certify(&identity, sequence(bytes, 300, 1)),
                     TH_ERR_BAD_STATE);
    assert_int_equal(th_identity_promote(&identity), TH_ERR_BAD_STATE);
    assert_int_equal(th_identity_next_drop(&identity), TH_OK);
    assert_int_equal(th_identity_trust_promote(&identity), TH_ERR_BAD_STATE);
    assert_int_equal(th_identity_enrol(&identity, sequence(bytes, 300, 1), TH_SPAN("x")),
                     TH_ERR_BAD_STATE);
    assert_int_equal(th_identity_next_csr(&identity, &crypto, bytes, sizeof bytes, &len),
                     TH_ERR_BAD_STATE);
    assert_int_equal(th_factory_certify(&factory, sequence(bytes, 300, 1)), TH_ERR_BAD_STATE);
    assert_int_equal(th_reset_begin(&identity, TH_RESET_NOTHING), TH_ERR_INVALID);
    th_identity_next_make(&identity, &crypto, &board, TH_SPAN("lamp"));
    assert_int_equal(th_identity_promote(&identity), TH_ERR_BAD_STATE); /* not certified */
}

static void a_chain_is_up_to_three_whole_sequences(void **state)
{
    (void)state;
    uint8_t bytes[TH_CHAIN_MAX + 8];
    struct th_span split[TH_CHAIN_COUNT];

    for (size_t i = 0; i < 4; i++)
        sequence(bytes + 300 * i, 300, 1);
    assert_int_equal(th_chain_split(th_span_of(bytes, 900), split), 3);
    assert_ptr_equal(split[2].at, bytes + 600);
    assert_int_equal(th_chain_split(th_span_of(bytes, 1200), split), 0);
    assert_int_equal(th_chain_split(th_span_of(bytes, 899), split), 0);
    assert_int_equal(th_chain_split(th_span_of(bytes, 301), split), 0);
    assert_int_equal(th_chain_split(th_span_of(NULL, 0), split), 0);
    bytes[1] = 0x80; /* indefinite */
    assert_int_equal(th_chain_split(th_span_of(bytes, 300), split), 0);
    assert_int_equal(th_chain_split(sequence(bytes, TH_CHAIN_MAX + 1, 1), split), 0);
}

/* ---- sizes ---- */

/* Two trust sets of the largest size beside everything else at its largest. */
static void everything_at_its_largest_fits_the_maps_of_devices(void **state)
{
    (void)state;
    static const struct th_flash_map *const maps[] = {&th_flash_map_lx106, &th_flash_map_chip};
    static uint8_t trust[TH_MANIFEST_BYTES + TH_TRUST_SET_MAX], chain[TH_CHAIN_MAX],
        session[TH_SESSION_OPENSSL], back[sizeof trust];

    for (size_t i = 0; i < 2; i++) {
        blank_flash(maps[i]);
        start_on(maps[i]);
        memset(trust, 0x77, sizeof trust);
        th_identity_next_make(&identity, &crypto, &board, TH_SPAN("lamp"));
        assert_int_equal(th_identity_enrol(&identity, sequence(chain, sizeof chain, 1),
                                           th_span_of(trust, sizeof trust)),
                         TH_OK);
        th_identity_next_make(&identity, &crypto, &board, TH_SPAN("lamp"));
        assert_int_equal(th_identity_next_certify(&identity, sequence(chain, sizeof chain, 2)),
                         TH_OK);
        assert_int_equal(th_identity_session_put(&identity, th_span_of(session, sizeof session)),
                         TH_OK);
        memset(trust, 0x88, sizeof trust);
        assert_int_equal(th_identity_trust_put(&identity, th_span_of(trust, sizeof trust)), TH_OK);
        start_on(maps[i]);
        assert_int_equal(th_identity_trust_len(&identity, TH_IN_FORCE), sizeof trust);
        assert_int_equal(th_identity_trust_read(&identity, TH_NEXT, 0, back, sizeof back),
                         sizeof trust);
        assert_memory_equal(back, trust, sizeof trust);
        assert_int_equal(th_identity_promote(&identity), TH_OK);
        assert_int_equal(th_identity_trust_promote(&identity), TH_OK);
    }
}

static void a_trust_set_without_room_changes_nothing(void **state)
{
    (void)state;
    static uint8_t trust[20000];
    struct th_identity_report report;
    uint8_t chain[300];

    th_identity_next_make(&identity, &crypto, &board, TH_SPAN("lamp"));
    assert_int_equal(
        th_identity_enrol(&identity, sequence(chain, sizeof chain, 1), th_span_of(trust, 2000)),
        TH_OK);
    assert_int_equal(th_identity_trust_put(&identity, th_span_of(trust, sizeof trust)),
                     TH_ERR_TOO_LARGE);
    start_on(&th_flash_map_sim);
    th_identity_report(&identity, &report);
    assert_true(report.enrolled && report.trusts && !report.candidate);
    assert_int_equal(th_identity_trust_len(&identity, TH_IN_FORCE), 2000);
}

static void a_map_for_another_geometry_is_refused(void **state)
{
    (void)state;
    struct th_board no_flash = board;

    assert_int_equal(th_identity_open(&identity, &board, &th_flash_map_chip, 1), TH_ERR_CONFIG);
    assert_int_equal(th_factory_open(&factory, &board, &th_flash_map_chip, 1), TH_ERR_CONFIG);
    no_flash.flash.ops = NULL;
    assert_int_equal(th_identity_open(&identity, &no_flash, &th_flash_map_sim, 1), TH_ERR_CONFIG);
}

/* ---- I1 ---- */

static bool holds(const void *where, size_t room, const uint8_t *what, size_t len)
{
    for (size_t at = 0; at + len <= room; at++) {
        if (memcmp((const uint8_t *)where + at, what, len) == 0)
            return true;
    }
    return false;
}

/* Any 8 bytes of either key in a row. */
static void no_report_and_no_request_has_any_of_a_key(void **state)
{
    (void)state;
    struct th_credential ldevid, idevid;
    struct th_identity_report report;
    uint8_t bytes[TH_CHAIN_MAX], outputs[2 * TH_CSR_MAX];
    size_t one, two;

    th_factory_key_make(&factory, &crypto, &board);
    th_identity_next_make(&identity, &crypto, &board, TH_SPAN("lamp"));
    th_identity_load(&identity, TH_NEXT, bytes, sizeof bytes, &ldevid);
    th_factory_idevid(&factory, bytes, sizeof bytes, &idevid);
    th_identity_report(&identity, &report);
    assert_int_equal(th_identity_next_csr(&identity, &crypto, outputs, TH_CSR_MAX, &one), TH_OK);
    assert_int_equal(
        th_factory_csr(&factory, &crypto, TH_SPAN("lamp.birth"), outputs + one, TH_CSR_MAX, &two),
        TH_OK);
    assert_true(holds(cells, th_flash_map_sim.size, ldevid.key + 7, 32)); /* it is on flash */
    for (size_t at = 7; at + 8 <= 7 + 32; at++) {
        assert_false(holds(outputs, one + two, ldevid.key + at, 8));
        assert_false(holds(outputs, one + two, idevid.key + at, 8));
        assert_false(holds(&report, sizeof report, ldevid.key + at, 8));
        assert_false(holds(&identity, sizeof identity, ldevid.key + at, 8));
        assert_false(holds(&factory, sizeof factory, idevid.key + at, 8));
    }
}

/* ---- R2 ---- */

/* Flash of any content, and content of ours with bytes altered: a start that can be used. */
static void any_content_gives_a_start_that_can_be_used(void **state)
{
    (void)state;
    struct th_identity_report report;
    struct th_credential credential;
    uint8_t bytes[TH_CHAIN_MAX], chain[300];
    uint32_t random = 1;

    for (int round = 0; round < 300; round++) {
        if (round % 3 == 0) {
            blank(NULL);
            th_identity_next_make(&identity, &crypto, &board, TH_SPAN("lamp"));
            th_identity_enrol(&identity, sequence(chain, sizeof chain, 1), TH_SPAN("trust"));
        }
        for (int i = 0; i < (round % 3 + 1) * (round % 3 + 1) * 400; i++) {
            random = random * 1664525u + 1013904223u;
            cells[0x1000 + (random >> 8) % 0x3000] = (uint8_t)(random >> 4);
            cells[0x8000 + (random >> 12) % 0x8000] = (uint8_t)random;
        }
        start_on(&th_flash_map_sim);
        th_identity_report(&identity, &report);
        th_identity_load(&identity, TH_IN_FORCE, bytes, sizeof bytes, &credential);
        th_identity_load(&identity, TH_NEXT, bytes, sizeof bytes, &credential);
        assert_int_equal(th_reset_begin(&identity, TH_RESET_FACTORY), TH_OK);
        assert_int_equal(
            th_reset_finish(&(struct th_reset){.identity = &identity, .factory = &factory}), TH_OK);
        assert_int_equal(th_identity_next_make(&identity, &crypto, &board, TH_SPAN("lamp")), TH_OK);
    }
}

static int free_flash(void **state)
{
    (void)state;
    free(cells);
    free(weak);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_type_becomes_the_code),
        cmocka_unit_test_setup(a_code_is_made_kept_and_replaced, blank),
        cmocka_unit_test_setup(nothing_is_made_when_entropy_fails, blank),
        cmocka_unit_test_setup(the_birth_key_is_made_once, blank),
        cmocka_unit_test_setup(names_that_break_the_rule_are_refused, blank),
        cmocka_unit_test_setup(each_request_has_a_key_and_a_nonce_of_its_own, blank),
        cmocka_unit_test_setup(what_is_not_there_cannot_be_used, blank),
        cmocka_unit_test(a_chain_is_up_to_three_whole_sequences),
        cmocka_unit_test_setup(everything_at_its_largest_fits_the_maps_of_devices, blank),
        cmocka_unit_test_setup(a_trust_set_without_room_changes_nothing, blank),
        cmocka_unit_test_setup(a_map_for_another_geometry_is_refused, blank),
        cmocka_unit_test_setup(no_report_and_no_request_has_any_of_a_key, blank),
        cmocka_unit_test_setup(any_content_gives_a_start_that_can_be_used, blank),
    };
    return cmocka_run_group_tests(tests, NULL, free_flash);
}

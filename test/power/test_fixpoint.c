/* SPDX-License-Identifier: MIT */
/* R1 R3: every state that any number of power cuts can lead to, followed until none is new. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot_device.h"
#include "log_device.h"
#include "store_device.h"

/* Each bit a tear. All of them take too long for every run: --full has them. */
#define CI_TEARS \
    (1u << SIM_TEAR_WHOLE | 1u << SIM_TEAR_SOME | 1u << SIM_TEAR_MARGINAL | 1u << SIM_TEAR_TAIL)

/* The sanitised build runs a part: it looks for other things. */
#define ALL_STATES  4000000
#define SOME_STATES 2000
#define PART        2000   /* of a scenario that takes too long for every run … */
#define LONG        200000 /* … or for any */
#if defined(__SANITIZE_ADDRESS__)
#define STATES SOME_STATES
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STATES SOME_STATES
#endif
#endif
#ifndef STATES
#define STATES ALL_STATES
#endif

static bool full(void)
{
    const char *mode = getenv("THIMBLE_TEST_MODE");

    return mode != NULL && strcmp(mode, "full") == 0;
}

static bool documented(const char *row)
{
    static char page[64 * 1024];
    FILE *file = fopen(TH_DOCS "/proof.md", "r");

    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    return strstr(page, row) != NULL;
}

/* The row of the table in docs/proof.md must be there. */
static bool explore(const struct power_scenario *scenario, unsigned tears, uint32_t states)
{
    struct power_bounds bounds = {states < STATES ? states : STATES, tears, 499};
    struct power_count count;
    char row[160];

    bool good = power_explore(scenario, bounds, &count);
    snprintf(row, sizeof row, "| %s | %s | %u | %u | %llu | %s |\n", scenario->name,
             tears == POWER_ALL_TEARS ? "all" : "four", count.off, count.on,
             (unsigned long long)count.moves, count.closed ? "yes" : "no");
    print_message("%s", row);
    print_message("%u moves into a state known in another form, %u compared\n", count.merged,
                  count.compared);
    if (bounds.states == ALL_STATES && good && !documented(row)) {
        print_message("docs/proof.md has another row\n");
        return false;
    }
    return good;
}

static void the_log_with_any_number_of_cuts(void **state)
{
    (void)state;
    bool good = explore(&log_smallest, CI_TEARS, ALL_STATES);

    if (full()) {
        good &= explore(&log_of_one_kind, POWER_ALL_TEARS, ALL_STATES);
        good &= explore(&log_in_three_units, POWER_ALL_TEARS, ALL_STATES);
        good &= explore(&log_of_two_kinds, POWER_ALL_TEARS, ALL_STATES);
    }
    assert_true(good);
}

static void settings_and_trials_with_any_number_of_cuts(void **state)
{
    (void)state;
    bool good = explore(&store_settings, CI_TEARS, full() ? ALL_STATES : PART);

    good &= explore(&store_trials, CI_TEARS, full() ? LONG : PART);
    assert_true(good);
}

static void the_boot_record_with_any_number_of_cuts(void **state)
{
    (void)state;
    assert_true(explore(&boot_record, CI_TEARS, full() ? LONG : PART));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_with_any_number_of_cuts),
        cmocka_unit_test(the_boot_record_with_any_number_of_cuts),
        cmocka_unit_test(settings_and_trials_with_any_number_of_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

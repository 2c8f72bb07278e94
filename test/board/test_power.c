/* SPDX-License-Identifier: MIT */
/* The power goes while an lx106 board writes its boot record and its log: kill -9 at seeded
 * moments, 20 of them, 200 with THIMBLE_TEST_MODE=full. POWER_SEED=N replays a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "qemu.h"

static struct qemu qemu;

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* The number of the last whole line that begins with `word`; `otherwise` when there is none. */
static unsigned last_number(const char *word, unsigned otherwise)
{
    char line[32];
    unsigned number = otherwise;

    snprintf(line, sizeof(line), "\n%s ", word);
    for (const char *at = qemu.text; (at = strstr(at, line)) != NULL; at++) {
        char *end;
        unsigned long found = strtoul(at + strlen(line), &end, 10);
        if (*end == '\n' || *end == '\r')
            number = (unsigned)found;
    }
    return number;
}

static void cut(unsigned index, uint32_t *random, unsigned *log, unsigned *record)
{
    unsigned found_log = 0, found_record = 0;

    qemu_start(&qemu, (const char *const[]){"run=power", NULL}, NULL);
    const char *found = qemu_expect(&qemu, "found log ", 20000);
    if (found == NULL || qemu_expect(&qemu, "\n", 5000) == NULL ||
        sscanf(found, "found log %u record %u", &found_log, &found_record) != 2)
        fail_msg("cut %u: the board does not come back:\n%s", index, qemu.text);
    /* What was said to be written is there, and at most one write more. */
    if (found_log - *log > 1 || found_record - *record > 1)
        fail_msg("cut %u: log %u record %u were written, found %u %u", index, *log, *record,
                 found_log, found_record);
    usleep(next_random(random) % 300000);
    qemu_kill(&qemu);
    *log = last_number("log", found_log);
    *record = last_number("record", found_record);
    print_message("cut %u: found log %u record %u, then wrote up to %u %u\n", index, found_log,
                  found_record, *log, *record);
}

/* O9, R1 */
static void whatever_was_written_when_the_power_went_is_there_afterwards(void **state)
{
    (void)state;
    const char *mode = getenv("THIMBLE_TEST_MODE"), *given = getenv("POWER_SEED");
    unsigned cuts = mode != NULL && strcmp(mode, "full") == 0 ? 200 : 20;
    uint32_t random = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : 1;
    unsigned log = 0, record = 1;

    print_message("POWER_SEED=%u\n", random);
    qemu_prepare(&qemu, &qemu_lx106, "board_check.elf", "board_check.elf");
    for (unsigned i = 0; i < cuts; i++)
        cut(i, &random, &log, &record);
    assert_in_range(log, cuts, UINT32_MAX); /* it did write */
    qemu_clear(&qemu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_was_written_when_the_power_went_is_there_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

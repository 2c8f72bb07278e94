/* SPDX-License-Identifier: MIT */
/* The boards' own parts, each check in an emulator of its own: test_board lx106|mps2 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "qemu.h"

static const struct qemu_machine *machine;
static struct qemu qemu;

static int start(void **state)
{
    (void)state;
    qemu_prepare(&qemu, machine, "board_check.elf", NULL);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    qemu_clear(&qemu);
    return 0;
}

static void expect_pass(int timeout_ms)
{
    int status = qemu_wait(&qemu, timeout_ms);
    if (status != 0)
        fail_msg("exit status %d, console:\n%s", status, qemu.text);
}

static void run(const char *check)
{
    char parameter[64];

    snprintf(parameter, sizeof(parameter), "run=%s", check);
    qemu_start(&qemu, (const char *const[]){parameter, NULL}, NULL);
}

static void it_gets_an_address_by_dhcp(void **state)
{
    (void)state;
    run("dhcp");
    expect_pass(20000);
    assert_non_null(strstr(qemu.text, "address 10.0.2.15"));
}

static void its_flash_clears_bits_and_refuses_what_is_out_of_range(void **state)
{
    (void)state;
    if (!machine->has_flash)
        skip();
    run("flash");
    expect_pass(20000);
}

static void rtc_memory_survives_a_restart_and_tells_the_reason(void **state)
{
    (void)state;
    run("rtc");
    expect_pass(20000);
}

static void the_reset_line_is_told_from_a_restart(void **state)
{
    (void)state;
    run("reset");
    assert_non_null(qemu_expect(&qemu, "reset reason 0", 10000));
    qemu_command(&qemu, "system_reset", NULL);
    expect_pass(10000);
}

static void a_crash_is_reported_after_the_reset(void **state)
{
    (void)state;
    run("crash");
    expect_pass(10000);
}

/* O11 */
static void the_watchdog_ends_a_hang_and_tells_where_it_was(void **state)
{
    (void)state;
    run("watchdog");
    expect_pass(20000);
}

static long trace_time(const char *trace, const char *change)
{
    const char *at = strstr(trace, change);
    assert_non_null(at);
    return strtol(at - 8, NULL, 16);
}

/* R9 */
static void armed_outputs_go_off_on_time_while_the_loop_is_held_for_two_seconds(void **state)
{
    (void)state;
    char pins[512], trace[512] = "";

    snprintf(pins, sizeof(pins), "pins-out=%s", qemu_path(&qemu, "pins"));
    qemu_start(&qemu, (const char *const[]){"run=arm-off", pins, NULL}, QEMU_OWN_TIME);
    const char *armed = qemu_expect(&qemu, "armed at ", 10000);
    expect_pass(20000);
    assert_non_null(armed);
    long begin = strtol(armed + 9, NULL, 10);
    FILE *file = fopen(qemu_path(&qemu, "pins"), "r");
    assert_non_null(file);
    trace[fread(trace, 1, sizeof(trace) - 1, file)] = '\0';
    fclose(file);
    assert_memory_equal(trace, "00000000 reset\n", 15);
    assert_in_range(trace_time(trace, " 4 0\n") - begin, 700, 702);
    assert_in_range(trace_time(trace, " 5 1\n") - begin, 900, 902);
}

static void write_inputs(const char *text)
{
    FILE *file = fopen(qemu_path(&qemu, "inputs"), "r+");

    if (file == NULL)
        file = fopen(qemu_path(&qemu, "inputs"), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool trace_shows(const char *change)
{
    char trace[2048] = "";

    for (int i = 0; i < 300; i++) {
        FILE *file = fopen(qemu_path(&qemu, "pins"), "r");
        if (file != NULL) {
            trace[fread(trace, 1, sizeof(trace) - 1, file)] = '\0';
            fclose(file);
        }
        if (strstr(trace, change) != NULL)
            return true;
        usleep(10000);
    }
    return false;
}

static void the_host_drives_pins_and_analog_inputs_and_sees_the_outputs(void **state)
{
    (void)state;
    char out[512], in[512];

    write_inputs("0000000000000000\n1234\n0000\n0000\n0000\n0000\n0000\n0000\n0999\n");
    snprintf(out, sizeof(out), "pins-out=%s", qemu_path(&qemu, "pins"));
    snprintf(in, sizeof(in), "pins-in=%s", qemu_path(&qemu, "inputs"));
    qemu_start(&qemu, (const char *const[]){"run=inputs", out, in, NULL}, NULL);
    assert_true(trace_shows(" 3 0\n"));
    write_inputs("0000000100000000\n");
    assert_true(trace_shows(" 3 1\n"));
    write_inputs("0000000010000000\n");
    expect_pass(10000);
    assert_non_null(strstr(qemu.text, "analog 1234 999 -1"));
}

static void write_entropy(size_t length, unsigned period)
{
    FILE *file = fopen(qemu_path(&qemu, "entropy"), "wb");
    unsigned noise = 12345;
    unsigned char pattern[512];

    assert_non_null(file);
    for (unsigned i = 0; i < sizeof(pattern); i++) {
        noise = noise * 1103515245 + 12345;
        pattern[i] = (unsigned char)(noise >> 16);
    }
    for (size_t i = 0; i < length; i++)
        fputc(period == 0 ? 0 : pattern[i % period], file);
    fclose(file);
}

/* Every fourth byte is the same, and so is the first of each window of the test. */
static void write_biased_entropy(void)
{
    FILE *from = fopen("/dev/urandom", "rb"), *to = fopen(qemu_path(&qemu, "entropy"), "wb");

    assert_non_null(from);
    assert_non_null(to);
    for (unsigned i = 0; i < 8192; i++) {
        int byte = fgetc(from);
        fputc(i % 4 == 0 ? 0x55 : byte, to);
    }
    fclose(from);
    fclose(to);
}

static void entropy_is(const char *verdict, const char *more)
{
    char parameter[512];

    snprintf(parameter, sizeof(parameter), "entropy=%s", qemu_path(&qemu, "entropy"));
    qemu_start(&qemu, (const char *const[]){"run=entropy", parameter, more, NULL}, NULL);
    expect_pass(10000);
    assert_non_null(strstr(qemu.text, verdict));
}

/* T13 */
static void a_stuck_repeating_biased_or_exhausted_source_of_entropy_fails_for_good(void **state)
{
    (void)state;
    write_entropy(8192, 0);
    entropy_is("entropy failed", NULL);
    for (unsigned period = 2; period <= 500; period += 83) {
        write_entropy(8192, period);
        entropy_is("entropy failed", NULL);
    }
    write_entropy(500, 500);
    entropy_is("entropy failed", NULL);
    write_biased_entropy();
    entropy_is("entropy failed", NULL);
}

/* T13: a register that begins alike after each reset. */
static void a_source_that_begins_as_before_the_reset_fails(void **state)
{
    (void)state;
    FILE *from = fopen("/dev/urandom", "rb"), *to = fopen(qemu_path(&qemu, "entropy"), "wb");
    unsigned char bytes[4096];

    assert_non_null(from);
    assert_non_null(to);
    assert_int_equal(fread(bytes, 1, sizeof(bytes), from), sizeof(bytes));
    fwrite(bytes, 1, sizeof(bytes), to);
    fclose(from);
    fclose(to);
    entropy_is("entropy good", "twice=1");
    assert_non_null(strstr(strstr(qemu.text, "entropy good"), "entropy failed"));
}

static void good_entropy_passes(void **state)
{
    (void)state;
    run("entropy");
    expect_pass(10000);
    assert_non_null(strstr(qemu.text, "entropy good"));
}

static void idling_costs_the_host_next_to_nothing(void **state)
{
    (void)state;
    run("idle");
    usleep(2500000);
    long used = qemu_cpu_ms(&qemu);
    expect_pass(10000);
    assert_in_range(used, 0, 500);
}

static void the_console_takes_input_and_wakes_the_loop(void **state)
{
    (void)state;
    run("echo");
    assert_non_null(qemu_expect(&qemu, "ready", 10000));
    qemu_type(&qemu, "HAL");
    assert_non_null(qemu_expect(&qemu, "IBM", 5000));
    qemu_type(&qemu, ".");
    expect_pass(10000);
}

static void measured(const char *check, char *report, size_t room)
{
    char parameter[64], plugin[1024];

    snprintf(parameter, sizeof(parameter), "run=%s", check);
    snprintf(plugin, sizeof(plugin), "%s/plugin.so,out=%s,board=%s", TH_BOARDS,
             qemu_path(&qemu, "report"), machine->name);
    qemu_start(&qemu, (const char *const[]){parameter, NULL},
               (const char *const[]){"-plugin", plugin, NULL});
    expect_pass(30000);
    FILE *file = fopen(qemu_path(&qemu, "report"), "r");
    assert_non_null(file);
    report[fread(report, 1, room - 1, file)] = '\0';
    fclose(file);
}

static void the_measuring_emulator_counts_and_sees_planted_faults(void **state)
{
    (void)state;
    char report[4096];
    unsigned long total = 0, longest = 0;

    measured("marks", report, sizeof(report));
    const char *mark = strstr(report, "mark 2 times 3 ");
    assert_non_null(mark);
    assert_int_equal(sscanf(mark, "mark 2 times 3 total %lu longest %lu", &total, &longest), 2);
    assert_in_range(total, 9000, 60000);
    assert_in_range(longest, total / 3, total / 3 + 3000);
    if (machine != &qemu_lx106)
        return;
    assert_non_null(strstr(report, "violation not-by-word"));
    assert_non_null(strstr(report, "violation store-to-flash"));
    assert_non_null(strstr(report, "violation outside-memory"));
}

static void no_access_breaks_the_rules_of_the_real_chip(void **state)
{
    (void)state;
    static const char *const all[] = {"dhcp", "flash", "rtc", "crash", "watchdog", "arm-off"};
    char report[4096];

    if (machine != &qemu_lx106)
        skip();
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        measured(all[i], report, sizeof(report));
        if (strstr(report, "violation") != NULL)
            fail_msg("%s:\n%s", all[i], report);
        qemu_clear(&qemu);
        start(NULL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, clear)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(it_gets_an_address_by_dhcp),
        TEST(its_flash_clears_bits_and_refuses_what_is_out_of_range),
        TEST(rtc_memory_survives_a_restart_and_tells_the_reason),
        TEST(the_reset_line_is_told_from_a_restart),
        TEST(a_crash_is_reported_after_the_reset),
        TEST(the_watchdog_ends_a_hang_and_tells_where_it_was),
        TEST(armed_outputs_go_off_on_time_while_the_loop_is_held_for_two_seconds),
        TEST(the_host_drives_pins_and_analog_inputs_and_sees_the_outputs),
        TEST(a_stuck_repeating_biased_or_exhausted_source_of_entropy_fails_for_good),
        TEST(a_source_that_begins_as_before_the_reset_fails),
        TEST(good_entropy_passes),
        TEST(idling_costs_the_host_next_to_nothing),
        TEST(the_console_takes_input_and_wakes_the_loop),
        TEST(the_measuring_emulator_counts_and_sees_planted_faults),
        TEST(no_access_breaks_the_rules_of_the_real_chip),
    };

    machine = qemu_machine_named(argc > 1 ? argv[1] : "");
    return cmocka_run_group_tests(tests, NULL, NULL);
}

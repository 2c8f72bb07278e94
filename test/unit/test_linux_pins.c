/* SPDX-License-Identifier: MIT */
/* Outputs on Linux: off at their time, whatever becomes of the device's process. R9, R10. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <thimble/linux_pins.h>

static char path[] = "/tmp/test_linux_pins.XXXXXX";
static struct th_linux_pins pins;

static uint32_t now_ms(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &now);
    /* About to wrap, whenever this runs. */
    static int64_t began;
    int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (began == 0)
        began = ms;
    return (uint32_t)(UINT32_MAX - 500 + (ms - began));
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* As any other program reads it. */
static void read_file(char *into, size_t room)
{
    FILE *file = fopen(path, "r");
    size_t len = fread(into, 1, room - 1, file);

    into[len] = '\0';
    fclose(file);
}

static bool shows(const char *line)
{
    char text[1200];

    read_file(text, sizeof text);
    return strstr(text, line) != NULL;
}

static bool comes(const char *line, int within_ms)
{
    for (int i = 0; i < within_ms; i += 5) {
        if (shows(line))
            return true;
        sleep_ms(5);
    }
    return false;
}

static int begin(void **state)
{
    struct th_failure failure;

    (void)state;
    snprintf(path, sizeof path, "/tmp/test_linux_pins.XXXXXX");
    close(mkstemp(path));
    return th_linux_pins_open(&pins, path, now_ms, NULL, &failure) == TH_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    th_linux_pins_close(&pins);
    unlink(path);
    return 0;
}

static bool set(uint8_t pin, enum th_pin_level level)
{
    return th_linux_pin_ops.set(&pins, pin, level);
}

static bool arm(uint8_t pin, uint32_t in_ms)
{
    return th_linux_pin_ops.arm_off(&pins, pin, TH_PIN_HIGH, now_ms(NULL) + in_ms);
}

static void an_output_goes_off_at_its_time(void **state)
{
    (void)state;
    assert_true(arm(4, 1500));
    assert_true(set(4, TH_PIN_LOW));
    assert_true(shows("pin 04 out 0 in 1\n"));
    assert_true(comes("pin 04 out 1 in 1\n", 5000));
}

static void on_a_lease_nothing_goes_on_without_a_time(void **state)
{
    (void)state;
    enum th_pin_level level;

    assert_true(arm(4, 1));
    sleep_ms(30);
    assert_false(set(4, TH_PIN_LOW));
    assert_true(th_linux_pin_ops.get(&pins, 4, &level));
    assert_int_equal(level, TH_PIN_HIGH);
    assert_true(arm(4, 60000));
    assert_true(set(4, TH_PIN_LOW));
    assert_true(set(4, TH_PIN_HIGH));
    assert_false(set(TH_LINUX_PINS, TH_PIN_LOW));
}

/* A process that has switched pin 4 on for a minute, and is then stopped by `how`. */
static void end_by(int how, const char *then)
{
    pid_t child = fork();

    if (child == 0) {
        struct th_linux_pins own;
        struct th_failure failure;
        if (th_linux_pins_open(&own, path, now_ms, NULL, &failure) != TH_OK)
            _exit(1);
        th_linux_pin_ops.arm_off(&own, 4, TH_PIN_HIGH,
                                 now_ms(NULL) + (how == SIGSTOP ? 2000 : 60000));
        th_linux_pin_ops.set(&own, 4, TH_PIN_LOW);
        for (;;)
            pause();
    }
    assert_true(comes("pin 04 out 0", 5000));
    kill(child, how);
    assert_true(comes(then, 5000));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void a_killed_device_leaves_nothing_on(void **state)
{
    (void)state;
    th_linux_pins_close(&pins);
    end_by(SIGKILL, "pin 04 out 1");
    begin(state);
}

static void a_stopped_device_keeps_nothing_on_beyond_its_time(void **state)
{
    (void)state;
    th_linux_pins_close(&pins);
    end_by(SIGSTOP, "pin 04 out 1");
    begin(state);
}

static void inputs_are_driven_by_anybody(void **state)
{
    (void)state;
    enum th_pin_level level;
    int32_t raw;
    FILE *file = fopen(path, "r+");

    assert_true(th_linux_pin_ops.get(&pins, 7, &level));
    assert_int_equal(level, TH_PIN_HIGH);
    fseek(file, 7 * 18 + 16, SEEK_SET);
    fputc('0', file);
    fseek(file, 32 * 18 + 7 + 3 * 13 + 6, SEEK_SET);
    fputs("001023", file);
    fflush(file);
    assert_true(th_linux_pin_ops.get(&pins, 7, &level));
    assert_int_equal(level, TH_PIN_LOW);
    assert_true(th_linux_analog_ops.read(&pins, 3, &raw));
    assert_int_equal(raw, 1023);
    fseek(file, 32 * 18 + 7 + 3 * 13 + 6, SEEK_SET);
    fputs("-00001", file);
    fclose(file);
    assert_false(th_linux_analog_ops.read(&pins, 3, &raw));
    assert_false(th_linux_analog_ops.read(&pins, TH_LINUX_ADCS, &raw));
}

static void the_byte_over_spi_follows_its_steps(void **state)
{
    (void)state;
    uint32_t now = now_ms(NULL);
    const struct th_spi_step steps[] = {{now + 1000, 0xFE}, {now + 2500, 0xFF}};
    uint8_t byte;

    assert_true(th_linux_spi_ops.output(&pins, 0xFC, steps, 2));
    assert_true(shows("spi fc\n"));
    assert_true(comes("spi fe\n", 5000));
    assert_true(comes("spi ff\n", 5000));
    assert_true(th_linux_spi_ops.last(&pins, &byte));
    assert_int_equal(byte, 0xFF);
    const struct th_spi_step past = {now, 0xFF};
    assert_true(th_linux_spi_ops.output(&pins, 0x00, &past, 1));
    assert_true(shows("spi ff\n"));
}

static int64_t off_in_ms(const struct th_linux_output *output)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return output->off_ms - ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static void who_watches_sees_what_is_on_and_for_how_long(void **state)
{
    (void)state;
    uint32_t now = now_ms(NULL);
    const struct th_spi_step steps[] = {{now + 30000, 0xFE}, {now + 60000, 0xFF}};
    struct th_linux_view view;
    struct th_linux_output output;

    assert_true(th_linux_view_open(&view, path));
    th_linux_view_pin(&view, 4, &output);
    assert_false(output.driven || output.leased);
    assert_true(arm(4, 20000));
    assert_true(set(4, TH_PIN_LOW));
    th_linux_view_pin(&view, 4, &output);
    assert_true(output.driven && output.leased && output.safe && !output.high);
    assert_in_range(off_in_ms(&output), 15000, 20000);
    assert_true(th_linux_spi_ops.output(&pins, 0xFC, steps, 2));
    th_linux_view_bit(&view, 0, &output);
    assert_true(output.leased && output.safe && !output.high);
    assert_in_range(off_in_ms(&output), 50000, 60000);
    th_linux_view_bit(&view, 1, &output);
    assert_in_range(off_in_ms(&output), 25000, 30000);
    th_linux_view_bit(&view, 2, &output);
    assert_true(output.high && output.off_ms == 0);
    th_linux_pins_close(&pins);
    th_linux_view_pin(&view, 4, &output);
    assert_true(output.high && output.off_ms == 0);
    th_linux_view_close(&view);
    begin(state);
}

static void who_watches_may_drive_inputs(void **state)
{
    (void)state;
    struct th_linux_view view;
    enum th_pin_level level;
    int32_t raw;

    assert_true(th_linux_view_open(&view, path));
    th_linux_view_set_input(&view, 31, false);
    th_linux_view_set_adc(&view, 15, 999999);
    assert_true(th_linux_pin_ops.get(&pins, 31, &level));
    assert_int_equal(level, TH_PIN_LOW);
    assert_true(th_linux_analog_ops.read(&pins, 15, &raw));
    assert_int_equal(raw, 999999);
    assert_int_equal(th_linux_view_adc(&view, 15), 999999);
    assert_false(th_linux_view_input(&view, 31));
    assert_true(th_linux_view_input(&view, 30));
    th_linux_view_close(&view);
    assert_false(th_linux_view_open(&view, "/etc/passwd"));
    assert_false(th_linux_view_open(&view, "/nonexistent"));
}

static void a_file_that_cannot_be_made_is_told(void **state)
{
    (void)state;
    struct th_linux_pins other;
    struct th_failure failure;

    assert_int_equal(th_linux_pins_open(&other, "/nonexistent/pins", now_ms, NULL, &failure),
                     TH_ERR_FILE_SYSTEM);
    th_linux_pins_close(&other);
}

/* ---- wires that do not obey ---- */

/* Shared with the guard, whose process works on them. */
struct stubborn {
    volatile bool refuse;
    volatile char levels[TH_LINUX_WIRES]; /* 0: never driven */
    volatile int byte;
};
static struct stubborn *stubborn;

static bool stubborn_drive(void *ctx, uint8_t pin, bool high, char why[TH_LINUX_WHY])
{
    struct stubborn *wires = ctx;

    if (wires->refuse) {
        snprintf(why, TH_LINUX_WHY, "line %u does not obey", pin);
        return false;
    }
    wires->levels[pin] = high ? 'H' : 'L';
    return true;
}

static bool stubborn_level(void *ctx, uint8_t pin, bool *high, char why[TH_LINUX_WHY])
{
    const struct stubborn *wires = ctx;

    (void)why;
    *high = wires->levels[pin] == 'H';
    return true;
}

static void stubborn_let_go(void *ctx, uint8_t pin)
{
    ((struct stubborn *)ctx)->levels[pin] = '-';
}

static bool stubborn_send(void *ctx, uint8_t byte, char why[TH_LINUX_WHY])
{
    struct stubborn *wires = ctx;

    if (wires->refuse) {
        snprintf(why, TH_LINUX_WHY, "SPI does not obey");
        return false;
    }
    wires->byte = byte;
    return true;
}

static int begin_stubborn(void **state)
{
    static const struct th_linux_wires_ops ops = {stubborn_drive, stubborn_level, stubborn_let_go,
                                                  stubborn_send, NULL};
    struct th_failure failure;

    (void)state;
    stubborn =
        mmap(NULL, sizeof *stubborn, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(stubborn, 0, sizeof *stubborn);
    return th_linux_pins_guard(&pins, (struct th_linux_wires){&ops, stubborn}, now_ms, NULL,
                               &failure) == TH_OK
               ? 0
               : -1;
}

static int end_stubborn(void **state)
{
    (void)state;
    th_linux_pins_close(&pins);
    munmap(stubborn, sizeof *stubborn);
    return 0;
}

static bool level_comes(uint8_t pin, char level)
{
    for (int i = 0; i < 5000 && stubborn->levels[pin] != level; i += 5)
        sleep_ms(5);
    return stubborn->levels[pin] == level;
}

static void what_does_not_go_off_at_its_time_goes_off_as_soon_as_it_can(void **state)
{
    (void)state;
    assert_true(arm(4, 300));
    assert_true(set(4, TH_PIN_LOW));
    stubborn->refuse = true;
    sleep_ms(600);
    assert_int_equal(stubborn->levels[4], 'L');
    assert_false(set(4, TH_PIN_LOW)); /* its time is over, whatever the wire says */
    assert_string_equal(th_linux_pins_why(&pins), "line 4 does not obey");
    stubborn->refuse = false;
    assert_true(level_comes(4, 'H'));
    sleep_ms(20);
    assert_true(set(4, TH_PIN_HIGH));
    assert_string_equal(th_linux_pins_why(&pins), "");
}

static void an_order_to_go_off_that_fails_is_kept(void **state)
{
    (void)state;
    assert_true(arm(254, 60000));
    assert_true(set(254, TH_PIN_LOW));
    stubborn->refuse = true;
    assert_false(set(254, TH_PIN_HIGH));
    assert_false(th_linux_spi_ops.output(&pins, 0xFF, NULL, 0));
    stubborn->refuse = false;
    assert_true(level_comes(254, 'H'));
    for (int i = 0; i < 5000 && stubborn->byte != 0xFF; i += 5)
        sleep_ms(5);
    assert_int_equal(stubborn->byte, 0xFF);
}

static void at_the_end_a_wire_is_asked_until_it_obeys(void **state)
{
    (void)state;
    assert_true(arm(4, 60000));
    assert_true(set(4, TH_PIN_LOW));
    assert_true(set(9, TH_PIN_LOW)); /* never on a lease */
    stubborn->refuse = true;
    close(pins.guard);
    sleep_ms(250);
    assert_int_equal(stubborn->levels[4], 'L');
    stubborn->refuse = false;
    waitpid(pins.pid, NULL, 0);
    assert_int_equal(stubborn->levels[4], 'H');
    assert_int_equal(stubborn->levels[9], '-');
    pins.pid = 0;
}

static void a_guard_that_has_gone_is_told(void **state)
{
    (void)state;
    enum th_pin_level level;

    assert_false(th_linux_pins_lost(&pins));
    kill(pins.pid, SIGKILL);
    assert_false(th_linux_pin_ops.get(&pins, 4, &level));
    assert_true(th_linux_pins_lost(&pins));
    assert_false(set(4, TH_PIN_LOW));
    assert_non_null(strstr(th_linux_pins_why(&pins), "guard"));
}

static void what_a_lost_guard_left_on_is_switched_off_from_here(void **state)
{
    (void)state;
    assert_true(arm(4, 60000));
    assert_true(set(4, TH_PIN_LOW));
    assert_true(th_linux_spi_ops.output(&pins, 0xFE, NULL, 0));
    kill(pins.pid, SIGKILL);
    assert_false(set(4, TH_PIN_HIGH));
    assert_true(th_linux_pins_lost(&pins));
    assert_true(shows("pin 04 out 0"));
    assert_true(th_linux_pins_rescue(&pins, NULL));
    assert_true(shows("pin 04 out 1"));
    assert_true(shows("spi ff\n"));
    assert_true(shows("pin 05 --- 0"));
}

static void a_pin_the_guard_cannot_number_is_refused(void **state)
{
    (void)state;
    enum th_pin_level level;

    assert_false(set(255, TH_PIN_LOW));
    assert_false(arm(255, 1000));
    assert_false(th_linux_pin_ops.get(&pins, 255, &level));
    assert_true(set(254, TH_PIN_LOW));
}

#define WIRES(name) cmocka_unit_test_setup_teardown(name, begin_stubborn, end_stubborn)
#define TEST(name)  cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_output_goes_off_at_its_time),
        TEST(on_a_lease_nothing_goes_on_without_a_time),
        TEST(a_killed_device_leaves_nothing_on),
        TEST(a_stopped_device_keeps_nothing_on_beyond_its_time),
        TEST(inputs_are_driven_by_anybody),
        TEST(the_byte_over_spi_follows_its_steps),
        TEST(who_watches_sees_what_is_on_and_for_how_long),
        TEST(who_watches_may_drive_inputs),
        TEST(a_file_that_cannot_be_made_is_told),
        WIRES(what_does_not_go_off_at_its_time_goes_off_as_soon_as_it_can),
        WIRES(an_order_to_go_off_that_fails_is_kept),
        WIRES(at_the_end_a_wire_is_asked_until_it_obeys),
        WIRES(a_guard_that_has_gone_is_told),
        TEST(what_a_lost_guard_left_on_is_switched_off_from_here),
        WIRES(a_pin_the_guard_cannot_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

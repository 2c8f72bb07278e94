/* SPDX-License-Identifier: MIT */
/* Real pins as far as no hardware is needed: what cannot be opened and why, and converters in a
 * directory that is laid out as sysfs is. R10: what stands there is read as a stranger's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <thimble/linux_gpio.h>

static char root[] = "/tmp/test_linux_gpio.XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof path, "%s/bus/iio/devices/%s", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int begin(void **state)
{
    static const char *const parts[] = {"bus", "bus/iio", "bus/iio/devices",
                                        "bus/iio/devices/iio:device0",
                                        "bus/iio/devices/iio:device1"};
    char path[256];

    (void)state;
    snprintf(root, sizeof root, "/tmp/test_linux_gpio.XXXXXX");
    if (!mkdtemp(root) || chmod(root, 0755) != 0)
        return -1;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", root, parts[i]);
        if (mkdir(path, 0755) != 0)
            return -1;
    }
    write_file("iio:device0/name", "bme280\n");
    write_file("iio:device1/name", "mcp3008\n");
    return 0;
}

static int end(void **state)
{
    char command[300];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static enum th_error open_adc(struct th_linux_adc *adc, const char *name)
{
    struct th_failure failure = th_failure_of(TH_OK);

    th_linux_adc_open(adc, root, name, &failure);
    return failure.error;
}

static int32_t reading(struct th_linux_adc *adc, uint8_t input)
{
    int32_t value = -1;

    assert_true(th_linux_adc_ops.read(adc, input, &value));
    return value;
}

static void a_converter_is_found_by_its_name_and_by_its_directory(void **state)
{
    (void)state;
    struct th_linux_adc adc;

    write_file("iio:device1/in_voltage0_raw", "512\n");
    write_file("iio:device1/in_voltage7_raw", "1023\n");
    assert_int_equal(open_adc(&adc, "mcp3008"), TH_OK);
    assert_int_equal(reading(&adc, 0), 512);
    assert_int_equal(reading(&adc, 7), 1023);
    assert_int_equal(open_adc(&adc, "iio:device1"), TH_OK);
    assert_true(th_linux_adc_has(&adc, 7));
    assert_false(th_linux_adc_has(&adc, 1));
    assert_false(th_linux_adc_has(&adc, 16));
    assert_false(th_linux_adc_scaled(&adc));
    assert_int_equal(open_adc(&adc, "mcp3004"), TH_ERR_BOARD_MISSING);
    assert_int_equal(open_adc(&adc, "../iio:device1"), TH_ERR_BOARD_MISSING);
    assert_int_equal(open_adc(&adc, "bme280"), TH_ERR_BOARD_KIND);
}

static void with_a_scale_readings_are_millivolts(void **state)
{
    (void)state;
    struct th_linux_adc adc;

    write_file("iio:device1/in_voltage0_raw", "1023\n");
    write_file("iio:device1/in_voltage1_raw", "-100\n");
    write_file("iio:device1/in_voltage_scale", "3.225806451\n");
    write_file("iio:device1/in_voltage1_scale", "0.125000000\n");
    write_file("iio:device1/in_voltage1_offset", "-3\n");
    assert_int_equal(open_adc(&adc, "mcp3008"), TH_OK);
    assert_true(th_linux_adc_scaled(&adc));
    assert_int_equal(reading(&adc, 0), 3300);
    assert_int_equal(reading(&adc, 1), -13); /* -12.875 */
    write_file("iio:device1/in_voltage0_raw", "2147483647\n");
    assert_int_equal(reading(&adc, 0), INT32_MAX);
}

static void what_is_no_number_is_no_reading(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "\n",    "x\n",          "12x\n",
                                      "1.5\n", "12 13", "2147483648\n", "99999999999999999999\n"};
    struct th_linux_adc adc;
    int32_t value;

    write_file("iio:device1/in_voltage0_raw", "1\n");
    assert_int_equal(open_adc(&adc, "mcp3008"), TH_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file("iio:device1/in_voltage0_raw", bad[i]);
        assert_false(th_linux_adc_ops.read(&adc, 0, &value));
    }
    write_file("iio:device1/in_voltage0_raw", "7\n");
    assert_int_equal(reading(&adc, 0), 7);
    write_file("iio:device1/in_voltage_scale", "0\n");
    assert_int_equal(open_adc(&adc, "mcp3008"), TH_OK);
    assert_false(th_linux_adc_scaled(&adc));
}

static enum th_error open_gpio(const char *chip, const char *spi)
{
    const struct th_linux_gpio_config config = {.chip = chip, .spi = spi};
    struct th_failure failure = th_failure_of(TH_OK);
    struct th_linux_gpio gpio;

    if (th_linux_gpio_open(&gpio, &config, &failure) == TH_OK)
        th_linux_gpio_close(&gpio);
    return failure.error;
}

static void what_is_not_there_or_is_something_else_is_told_apart(void **state)
{
    (void)state;
    assert_int_equal(open_gpio("gpiochip98", NULL), TH_ERR_BOARD_MISSING);
    assert_int_equal(open_gpio("98", NULL), TH_ERR_BOARD_MISSING);
    assert_int_equal(open_gpio("/dev/gpiochip98", NULL), TH_ERR_BOARD_MISSING);
    assert_int_equal(open_gpio("no such label", NULL), TH_ERR_BOARD_MISSING);
    assert_int_equal(open_gpio("/dev/null", NULL), TH_ERR_BOARD_KIND);
    assert_int_equal(open_gpio("/etc/passwd", NULL), TH_ERR_BOARD_KIND);
    assert_int_equal(open_gpio(NULL, "/dev/spidev98.0"), TH_ERR_BOARD_MISSING);
    assert_int_equal(open_gpio(NULL, "/dev/null"), TH_ERR_BOARD_KIND);
}

/* As somebody who is not in the group of the device. */
static void what_is_not_allowed_is_told_as_that(void **state)
{
    (void)state;
    char path[64];

    snprintf(path, sizeof path, "%s/spidev", root);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    chmod(path, 0);
    pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && setuid(65534) != 0)
            _exit(2);
        _exit(open_gpio(NULL, path) == TH_ERR_BOARD_DENIED &&
                      open_gpio(path, NULL) == TH_ERR_BOARD_DENIED
                  ? 0
                  : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_converter_is_found_by_its_name_and_by_its_directory),
        TEST(with_a_scale_readings_are_millivolts),
        TEST(what_is_no_number_is_no_reading),
        TEST(what_is_not_there_or_is_something_else_is_told_apart),
        TEST(what_is_not_allowed_is_told_as_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

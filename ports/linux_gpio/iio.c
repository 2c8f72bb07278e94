/* SPDX-License-Identifier: MIT */
/* Voltages of a converter, as the kernel's IIO drivers show them below /sys/bus/iio/devices. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board_failure.h"

/* ---- attributes: a line of text each ---- */

static bool read_line(const char *directory, const char *name, char into[64])
{
    char path[256];

    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, into, 63);
    close(fd);
    into[len > 0 ? len : 0] = '\0';
    into[strcspn(into, "\n")] = '\0';
    return len > 0;
}

/* A whole number that fits. */
static bool read_number(const char *directory, const char *name, int32_t *out)
{
    char text[64], *end;

    if (!read_line(directory, name, text))
        return false;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *out = (int32_t)number;
    return errno == 0 && end != text && *end == '\0' && number >= INT32_MIN && number <= INT32_MAX;
}

/* "0.805664062": millivolts a step. */
static bool read_scale(const char *directory, const char *name, double *out)
{
    char text[64], *end;

    if (!read_line(directory, name, text))
        return false;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out > 0 && *out < 1e6;
}

/* ---- the converter ---- */

static void look_at(struct th_linux_adc *adc, unsigned input)
{
    char name[64], path[256];

    snprintf(path, sizeof path, "%s/in_voltage%u_raw", adc->directory, input);
    if (access(path, F_OK) != 0)
        return;
    adc->inputs |= (uint16_t)(1u << input);
    snprintf(name, sizeof name, "in_voltage%u_offset", input);
    if (!read_number(adc->directory, name, &adc->offset[input]) &&
        !read_number(adc->directory, "in_voltage_offset", &adc->offset[input]))
        adc->offset[input] = 0;
    snprintf(name, sizeof name, "in_voltage%u_scale", input);
    if (!read_scale(adc->directory, name, &adc->scale[input]) &&
        !read_scale(adc->directory, "in_voltage_scale", &adc->scale[input]))
        adc->scaled = false;
}

/* The directory itself, or the one that says it has this name. */
static bool find(struct th_linux_adc *adc, const char *sysfs, const char *name)
{
    char devices[128], text[64];
    struct dirent *entry;
    bool found = false;

    snprintf(devices, sizeof devices, "%s/bus/iio/devices", sysfs);
    DIR *dir = opendir(devices);
    if (!dir)
        return false;
    /* cppcheck-suppress readdirCalled; POSIX.1-2024 has it safe for a stream of one's own */
    while (!found && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.' ||
            snprintf(adc->directory, sizeof adc->directory, "%s/%s", devices, entry->d_name) >=
                (int)sizeof adc->directory)
            continue;
        found = strcmp(entry->d_name, name) == 0 ||
                (read_line(adc->directory, "name", text) && strcmp(text, name) == 0);
    }
    closedir(dir);
    errno = ENOENT;
    return found;
}

enum th_error th_linux_adc_open(struct th_linux_adc *adc, const char *sysfs, const char *name,
                                struct th_failure *failure)
{
    memset(adc, 0, sizeof *adc);
    if (!find(adc, sysfs, name))
        return board_failure(failure, name, errno);
    adc->scaled = true;
    for (unsigned input = 0; input < TH_LINUX_ADC_INPUTS; input++)
        look_at(adc, input);
    return adc->inputs ? TH_OK : board_failure(failure, name, EINVAL);
}

bool th_linux_adc_has(const struct th_linux_adc *adc, uint8_t input)
{
    return input < TH_LINUX_ADC_INPUTS && (adc->inputs >> input & 1);
}

bool th_linux_adc_scaled(const struct th_linux_adc *adc)
{
    return adc->scaled;
}

static bool convert(void *ctx, uint8_t input, int32_t *raw)
{
    const struct th_linux_adc *adc = ctx;
    char name[64];
    int32_t steps;

    snprintf(name, sizeof name, "in_voltage%u_raw", input);
    if (!th_linux_adc_has(adc, input) || !read_number(adc->directory, name, &steps))
        return false;
    if (!adc->scaled) {
        *raw = steps;
        return true;
    }
    double millivolts = ((double)steps + adc->offset[input]) * adc->scale[input];
    *raw = millivolts >= INT32_MAX   ? INT32_MAX
           : millivolts <= INT32_MIN ? INT32_MIN
                                     : (int32_t)(millivolts + (millivolts < 0 ? -0.5 : 0.5));
    return true;
}

const struct th_analog_ops th_linux_adc_ops = {convert};

/* SPDX-License-Identifier: MIT */
#include "pins_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- the wires ---- */

static bool is_pin(uint8_t pin, char why[TH_LINUX_WHY])
{
    if (pin < TH_LINUX_PINS)
        return true;
    snprintf(why, TH_LINUX_WHY, "pin %u: the virtual pins are 0 to %d", pin, TH_LINUX_PINS - 1);
    return false;
}

static void mark(char *line, const char *word)
{
    for (size_t i = 0; i < 3; i++)
        line[PIN_OUT + i] = word[i];
}

static bool drive(void *ctx, uint8_t pin, bool high, char why[TH_LINUX_WHY])
{
    char *line = (char *)ctx + pin * PIN_LEN;

    if (!is_pin(pin, why))
        return false;
    line[PIN_LEVEL] = high ? '1' : '0';
    mark(line, "out");
    return true;
}

static bool level(void *ctx, uint8_t pin, bool *high, char why[TH_LINUX_WHY])
{
    const char *line = (const char *)ctx + pin * PIN_LEN;

    if (!is_pin(pin, why))
        return false;
    *high = line[line[PIN_OUT] == 'o' ? PIN_LEVEL : PIN_IN] == '1';
    return true;
}

static void let_go(void *ctx, uint8_t pin)
{
    mark((char *)ctx + pin * PIN_LEN, "---");
}

static bool send_byte(void *ctx, uint8_t byte, char why[TH_LINUX_WHY])
{
    static const char hex[] = "0123456789abcdef";
    char *file = ctx;

    (void)why;
    file[SPI_AT + 4] = hex[byte >> 4];
    file[SPI_AT + 5] = hex[byte & 15];
    return true;
}

static void put_digits(char *at, unsigned count, int64_t number)
{
    for (unsigned i = count; i-- > 0; number /= 10)
        at[i] = (char)('0' + number % 10);
}

static void due(void *ctx, uint16_t output, bool safe, int64_t off_ms)
{
    unsigned at = output >= TH_LINUX_BIT ? TH_LINUX_PINS + output - TH_LINUX_BIT : output;
    char *line = (char *)ctx + OFF_AT + at * OFF_LEN;

    if (at >= OFFS || (output < TH_LINUX_BIT && output >= TH_LINUX_PINS))
        return;
    put_digits(line + OFF_TIME, OFF_DIGITS, off_ms);
    line[OFF_SAFE] = safe ? '1' : '0';
}

struct th_linux_wires pins_file_wires(char *file)
{
    static const struct th_linux_wires_ops ops = {drive, level, let_go, send_byte, due};

    return (struct th_linux_wires){&ops, file};
}

/* ---- the file ---- */

static void fill(char *file)
{
    static const char hex[] = "0123456789abcdef";

    for (unsigned pin = 0; pin < TH_LINUX_PINS; pin++) {
        memcpy(file + pin * PIN_LEN, PIN_LINE, PIN_LEN);
        file[pin * PIN_LEN + 4] = (char)('0' + pin / 10);
        file[pin * PIN_LEN + 5] = (char)('0' + pin % 10);
    }
    memcpy(file + SPI_AT, SPI_LINE, sizeof SPI_LINE - 1);
    for (unsigned i = 0; i < TH_LINUX_ADCS; i++) {
        memcpy(file + ADC_AT + i * ADC_LEN, ADC_LINE, ADC_LEN);
        file[ADC_AT + i * ADC_LEN + 4] = hex[i];
    }
    for (unsigned i = 0; i < OFFS; i++) {
        char *line = file + OFF_AT + i * OFF_LEN;
        memcpy(line, OFF_LINE, OFF_LEN);
        put_digits(line + 4, 2, i < TH_LINUX_PINS ? i : i - TH_LINUX_PINS);
        if (i >= TH_LINUX_PINS)
            line[4] = 's';
    }
}

char *pins_file_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return NULL;
    char *file = ftruncate(fd, PINS_FILE) == 0
                     ? mmap(NULL, PINS_FILE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                     : MAP_FAILED;
    close(fd);
    if (file == MAP_FAILED)
        return NULL;
    fill(file);
    return file;
}

void pins_file_close(char *file)
{
    munmap(file, PINS_FILE);
}

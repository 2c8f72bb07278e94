/* SPDX-License-Identifier: MIT */
/* The file of virtual pins, seen and driven from another process. Anybody may write there: nothing
 * in it is believed to be a digit. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pins_file.h"

bool th_linux_view_open(struct th_linux_view *view, const char *path)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    view->file = NULL;
    if (fd < 0)
        return false;
    bool whole = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == PINS_FILE;
    char *file =
        whole ? mmap(NULL, PINS_FILE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    if (file != MAP_FAILED && memcmp(file, PIN_LINE, 7) == 0) {
        view->file = file;
        return true;
    }
    if (file != MAP_FAILED)
        munmap(file, PINS_FILE);
    errno = EINVAL;
    return false;
}

void th_linux_view_close(struct th_linux_view *view)
{
    if (view->file)
        munmap(view->file, PINS_FILE);
    view->file = NULL;
}

/* -1: there is something else than digits. */
static int64_t digits(const char *at, unsigned count)
{
    int64_t number = 0;

    for (unsigned i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        number = number * 10 + (at[i] - '0');
    }
    return number;
}

static void read_lease(const char *line, struct th_linux_output *out)
{
    int64_t off_ms = digits(line + OFF_TIME, OFF_DIGITS);

    out->leased = line[OFF_SAFE] != '-';
    out->safe = line[OFF_SAFE] == '1';
    out->off_ms = off_ms > 0 ? off_ms : 0;
}

void th_linux_view_pin(const struct th_linux_view *view, uint8_t pin, struct th_linux_output *out)
{
    const char *line = view->file + pin * PIN_LEN;

    out->driven = line[PIN_OUT] == 'o';
    out->high = line[PIN_LEVEL] == '1';
    read_lease(view->file + OFF_AT + pin * OFF_LEN, out);
}

static unsigned nibble(char c)
{
    return c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? c - 'a' + 10u : 15u;
}

void th_linux_view_bit(const struct th_linux_view *view, uint8_t bit, struct th_linux_output *out)
{
    unsigned byte = nibble(view->file[SPI_AT + 4]) << 4 | nibble(view->file[SPI_AT + 5]);

    read_lease(view->file + OFF_AT + (TH_LINUX_PINS + bit) * OFF_LEN, out);
    out->driven = out->leased;
    out->high = byte >> bit & 1;
}

bool th_linux_view_input(const struct th_linux_view *view, uint8_t pin)
{
    return view->file[pin * PIN_LEN + PIN_IN] == '1';
}

void th_linux_view_set_input(struct th_linux_view *view, uint8_t pin, bool high)
{
    view->file[pin * PIN_LEN + PIN_IN] = high ? '1' : '0';
}

int32_t th_linux_view_adc(const struct th_linux_view *view, uint8_t adc)
{
    return (int32_t)digits(view->file + ADC_AT + adc * ADC_LEN + ADC_VALUE, 6);
}

void th_linux_view_set_adc(struct th_linux_view *view, uint8_t adc, int32_t value)
{
    char *at = view->file + ADC_AT + adc * ADC_LEN + ADC_VALUE;

    for (int i = 5; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
}

/* SPDX-License-Identifier: MIT */
/* The device's end of its outputs: requests to the guard, inputs out of the file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pins_guard.h"

/* ---- requests ---- */

static bool ask(struct th_linux_pins *pins, const struct guard_request *request)
{
    uint8_t ok = 0;
    ssize_t got;

    if (send(pins->guard, request, sizeof *request, MSG_NOSIGNAL) != (ssize_t)sizeof *request)
        return false;
    do {
        got = recv(pins->guard, &ok, 1, 0);
    } while (got < 0 && errno == EINTR);
    return got == 1 && ok;
}

/* A time of the board's counter on the guard's clock. */
static int64_t time_of(struct th_linux_pins *pins, uint32_t at_ms)
{
    return guard_now_ms() + (int32_t)(at_ms - pins->now_ms(pins->ctx));
}

static bool set(void *ctx, uint8_t pin, enum th_pin_level level)
{
    const struct guard_request request = {
        .op = GUARD_SET, .pin = pin, .level = level == TH_PIN_HIGH};

    return ask(ctx, &request);
}

static bool get(void *ctx, uint8_t pin, enum th_pin_level *level)
{
    const struct th_linux_pins *pins = ctx;
    const char *line = pins->file + pin * PIN_LEN;

    if (pin >= TH_LINUX_PINS)
        return false;
    bool out = line[PIN_OUT] == 'o';
    *level = line[out ? PIN_LEVEL : PIN_IN] == '1' ? TH_PIN_HIGH : TH_PIN_LOW;
    return true;
}

static bool arm_off(void *ctx, uint8_t pin, enum th_pin_level safe, uint32_t at_ms)
{
    const struct guard_request request = {
        .op = GUARD_ARM, .pin = pin, .level = safe == TH_PIN_HIGH, .at_ms = {time_of(ctx, at_ms)}};

    return ask(ctx, &request);
}

static bool output(void *ctx, uint8_t byte, const struct th_spi_step *steps, uint8_t count)
{
    struct guard_request request = {.op = GUARD_SPI, .count = count};

    if (count > TH_SPI_STEPS)
        return false;
    for (uint8_t i = 0; i < count; i++) {
        request.at_ms[i] = time_of(ctx, steps[i].at_ms);
        request.bytes[i] = steps[i].byte;
    }
    request.bytes[TH_SPI_STEPS] = byte;
    return ask(ctx, &request);
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 15;
}

static bool last(void *ctx, uint8_t *byte)
{
    const struct th_linux_pins *pins = ctx;

    *byte = (uint8_t)(hex_of(pins->file[SPI_AT + 4]) << 4 | hex_of(pins->file[SPI_AT + 5]));
    return true;
}

/* Anybody may write there: only digits count. */
static bool convert(void *ctx, uint8_t input, int32_t *raw)
{
    const struct th_linux_pins *pins = ctx;
    const char *line = pins->file + ADC_AT + input * ADC_LEN;

    if (input >= TH_LINUX_ADCS)
        return false;
    *raw = 0;
    for (size_t i = 6; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return false;
        *raw = *raw * 10 + (line[i] - '0');
    }
    return true;
}

const struct th_pin_ops th_linux_pin_ops = {set, get, arm_off};
const struct th_spi_ops th_linux_spi_ops = {output, last};
const struct th_analog_ops th_linux_analog_ops = {convert};

/* ---- opening and closing ---- */

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
}

static char *map_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return NULL;
    char *file = ftruncate(fd, PINS_FILE) == 0
                     ? mmap(NULL, PINS_FILE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                     : MAP_FAILED;
    close(fd);
    return file == MAP_FAILED ? NULL : file;
}

static bool start_guard(struct th_linux_pins *pins)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    fflush(NULL);
    pins->pid = fork();
    if (pins->pid == 0) {
        close(ends[0]);
        guard_run(ends[1], pins->file);
    }
    close(ends[1]);
    pins->guard = ends[0];
    if (pins->pid < 0)
        close(ends[0]);
    return pins->pid > 0;
}

enum th_error th_linux_pins_open(struct th_linux_pins *pins, const char *path,
                                 uint32_t (*now_ms)(void *ctx), void *ctx,
                                 struct th_failure *failure)
{
    *pins = (struct th_linux_pins){.guard = -1, .now_ms = now_ms, .ctx = ctx};
    pins->file = map_file(path);
    if (!pins->file) {
        *failure = th_failure_of(TH_ERR_FILE_SYSTEM);
        failure->detail = errno;
        th_failure_name(failure, th_span_str(path));
        return failure->error;
    }
    fill(pins->file);
    if (start_guard(pins))
        return TH_OK;
    *failure = th_failure_of(TH_ERR_FILE_SYSTEM);
    failure->detail = errno;
    munmap(pins->file, PINS_FILE);
    pins->file = NULL;
    pins->guard = -1;
    return failure->error;
}

void th_linux_pins_close(struct th_linux_pins *pins)
{
    if (!pins->file)
        return;
    close(pins->guard);
    waitpid(pins->pid, NULL, 0);
    munmap(pins->file, PINS_FILE);
    *pins = (struct th_linux_pins){.guard = -1};
}

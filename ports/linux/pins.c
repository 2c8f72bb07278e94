/* SPDX-License-Identifier: MIT */
/* The device's end of its outputs: requests to the guard, analog inputs out of the file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pins_file.h"
#include "pins_guard.h"

/* ---- requests ---- */

/* False as well when the guard has gone. */
static bool ask(struct th_linux_pins *pins, const struct guard_request *request, uint8_t *value)
{
    struct guard_answer answer;
    ssize_t got = -1;

    if (pins->pid <= 0 || pins->lost)
        return false;
    if (send(pins->guard, request, sizeof *request, MSG_NOSIGNAL) == (ssize_t)sizeof *request) {
        do {
            got = recv(pins->guard, &answer, sizeof answer, 0);
        } while (got < 0 && errno == EINTR);
    }
    if (got != (ssize_t)sizeof answer) {
        pins->lost = true;
        snprintf(pins->why, sizeof pins->why, "the guard of the outputs has gone");
        return false;
    }
    memcpy(pins->why, answer.why, sizeof pins->why);
    if (value)
        *value = answer.value;
    return answer.ok;
}

const char *th_linux_pins_why(const struct th_linux_pins *pins)
{
    return pins->why;
}

bool th_linux_pins_lost(const struct th_linux_pins *pins)
{
    return pins->lost;
}

/* True when all wires have obeyed. */
static bool all_off(struct th_linux_pins *pins, const struct th_linux_wires *wires)
{
    bool good = true;

    for (uint8_t pin = 0; pin < TH_LINUX_WIRES; pin++) {
        if (pins->leased[pin])
            good &= wires->ops->drive(wires->ctx, pin, pins->leased[pin] == 'H', pins->why);
    }
    if (pins->spi_used)
        good &= wires->ops->send(wires->ctx, 0xFF, pins->why);
    return good;
}

bool th_linux_pins_rescue(struct th_linux_pins *pins, const struct th_linux_wires *wires)
{
    struct th_linux_wires file = pins_file_wires(pins->file);
    bool good = false;

    if (!wires && !pins->file)
        return false;
    /* The kernel takes a moment to take the lines from a process that was killed. */
    for (int i = 0; i < 20 && !good; i++) {
        good = all_off(pins, wires ? wires : &file);
        if (!good)
            nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
    return good;
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

    return ask(ctx, &request, NULL);
}

static bool get(void *ctx, uint8_t pin, enum th_pin_level *level)
{
    const struct guard_request request = {.op = GUARD_GET, .pin = pin};
    struct th_linux_pins *pins = ctx;
    uint8_t value = 0;
    bool high;

    /* Virtual wires are read here: asking another process takes milliseconds on a busy machine. */
    if (pins->file) {
        struct th_linux_wires wires = pins_file_wires(pins->file);
        if (!wires.ops->level(wires.ctx, pin, &high, pins->why))
            return false;
    } else {
        if (!ask(pins, &request, &value))
            return false;
        high = value != 0;
    }
    *level = high ? TH_PIN_HIGH : TH_PIN_LOW;
    return true;
}

static bool arm_off(void *ctx, uint8_t pin, enum th_pin_level safe, uint32_t at_ms)
{
    const struct guard_request request = {
        .op = GUARD_ARM, .pin = pin, .level = safe == TH_PIN_HIGH, .at_ms = {time_of(ctx, at_ms)}};
    struct th_linux_pins *pins = ctx;

    if (!ask(pins, &request, NULL))
        return false;
    pins->leased[pin] = safe == TH_PIN_HIGH ? 'H' : 'L';
    return true;
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
    ((struct th_linux_pins *)ctx)->spi_used = true;
    return ask(ctx, &request, NULL);
}

static bool last(void *ctx, uint8_t *byte)
{
    const struct guard_request request = {.op = GUARD_LAST};

    return ask(ctx, &request, byte);
}

/* Anybody may write there: only digits count. */
static bool convert(void *ctx, uint8_t input, int32_t *raw)
{
    const struct th_linux_pins *pins = ctx;

    if (!pins->file || input >= TH_LINUX_ADCS)
        return false;
    const char *line = pins->file + ADC_AT + input * ADC_LEN;
    *raw = 0;
    for (size_t i = ADC_VALUE; i < ADC_VALUE + 6; i++) {
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

static bool start_guard(struct th_linux_pins *pins, struct th_linux_wires wires)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    fflush(NULL);
    pins->pid = fork();
    if (pins->pid == 0) {
        close(ends[0]);
        guard_run(ends[1], wires);
    }
    close(ends[1]);
    pins->guard = ends[0];
    if (pins->pid < 0)
        close(ends[0]);
    return pins->pid > 0;
}

static enum th_error failed(struct th_failure *failure, const char *name)
{
    *failure = th_failure_of(TH_ERR_FILE_SYSTEM);
    failure->detail = errno;
    th_failure_name(failure, th_span_str(name));
    return failure->error;
}

enum th_error th_linux_pins_guard(struct th_linux_pins *pins, struct th_linux_wires wires,
                                  uint32_t (*now_ms)(void *ctx), void *ctx,
                                  struct th_failure *failure)
{
    *pins = (struct th_linux_pins){.guard = -1, .now_ms = now_ms, .ctx = ctx};
    return start_guard(pins, wires) ? TH_OK : failed(failure, "guard");
}

enum th_error th_linux_pins_open(struct th_linux_pins *pins, const char *path,
                                 uint32_t (*now_ms)(void *ctx), void *ctx,
                                 struct th_failure *failure)
{
    char *file = pins_file_open(path);

    if (!file) {
        *pins = (struct th_linux_pins){.guard = -1};
        return failed(failure, path);
    }
    if (th_linux_pins_guard(pins, pins_file_wires(file), now_ms, ctx, failure) != TH_OK) {
        pins_file_close(file);
        return failure->error;
    }
    pins->file = file;
    return TH_OK;
}

void th_linux_pins_close(struct th_linux_pins *pins)
{
    if (pins->pid > 0) {
        close(pins->guard);
        waitpid(pins->pid, NULL, 0);
    }
    if (pins->file)
        pins_file_close(pins->file);
    *pins = (struct th_linux_pins){.guard = -1};
}

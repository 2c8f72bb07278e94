/* SPDX-License-Identifier: MIT */
/* The guard: a process that does nothing but switch outputs, so that nothing can hold it up. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pins_guard.h"

struct guard {
    char *file;
    struct {
        int64_t off_ms;
        bool leased, armed, safe;
    } pins[TH_LINUX_PINS];
    int64_t step_ms[TH_SPI_STEPS];
    uint8_t step_bytes[TH_SPI_STEPS], steps;
    bool spi_used;
};

int64_t guard_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the wires ---- */

static void mark(struct guard *guard, uint8_t pin, const char *word)
{
    char *line = guard->file + pin * PIN_LEN;

    for (size_t i = 0; i < 3; i++)
        line[PIN_OUT + i] = word[i];
}

static void drive(struct guard *guard, uint8_t pin, bool high)
{
    guard->file[pin * PIN_LEN + PIN_LEVEL] = high ? '1' : '0';
    mark(guard, pin, "out");
}

static void send_byte(struct guard *guard, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";

    guard->spi_used = true;
    guard->file[SPI_AT + 4] = hex[byte >> 4];
    guard->file[SPI_AT + 5] = hex[byte & 15];
}

/* ---- time ---- */

static void fire(struct guard *guard, int64_t now_ms)
{
    for (uint8_t pin = 0; pin < TH_LINUX_PINS; pin++) {
        if (!guard->pins[pin].armed || guard->pins[pin].off_ms > now_ms)
            continue;
        guard->pins[pin].armed = false;
        drive(guard, pin, guard->pins[pin].safe);
    }
    uint8_t done = 0;
    while (done < guard->steps && guard->step_ms[done] <= now_ms)
        send_byte(guard, guard->step_bytes[done++]);
    guard->steps = (uint8_t)(guard->steps - done);
    memmove(guard->step_ms, guard->step_ms + done, guard->steps * sizeof guard->step_ms[0]);
    memmove(guard->step_bytes, guard->step_bytes + done, guard->steps);
}

static int wait_ms(const struct guard *guard, int64_t now_ms)
{
    int64_t next = guard->steps > 0 ? guard->step_ms[0] : INT64_MAX;

    for (uint8_t pin = 0; pin < TH_LINUX_PINS; pin++) {
        if (guard->pins[pin].armed && guard->pins[pin].off_ms < next)
            next = guard->pins[pin].off_ms;
    }
    if (next == INT64_MAX)
        return -1;
    return next <= now_ms ? 0 : next - now_ms > 60000 ? 60000 : (int)(next - now_ms);
}

/* ---- requests ---- */

/* A pin on a lease goes on only while its time is armed and has not come: in one step with it. */
static bool set(struct guard *guard, const struct guard_request *request)
{
    bool high = request->level != 0;

    if (request->pin >= TH_LINUX_PINS)
        return false;
    if (guard->pins[request->pin].leased && high != guard->pins[request->pin].safe &&
        !guard->pins[request->pin].armed)
        return false;
    drive(guard, request->pin, high);
    return true;
}

static bool arm(struct guard *guard, const struct guard_request *request)
{
    if (request->pin >= TH_LINUX_PINS)
        return false;
    guard->pins[request->pin].leased = guard->pins[request->pin].armed = true;
    guard->pins[request->pin].safe = request->level != 0;
    guard->pins[request->pin].off_ms = request->at_ms[0];
    return true;
}

static bool spi(struct guard *guard, const struct guard_request *request)
{
    if (request->count > TH_SPI_STEPS)
        return false;
    guard->steps = request->count;
    memcpy(guard->step_ms, request->at_ms, sizeof guard->step_ms);
    memcpy(guard->step_bytes, request->bytes, sizeof guard->step_bytes);
    if (guard->steps == 0 || guard->step_ms[0] > guard_now_ms())
        send_byte(guard, request->bytes[TH_SPI_STEPS]);
    return true;
}

static bool serve(struct guard *guard, const struct guard_request *request)
{
    bool ok = false;

    fire(guard, guard_now_ms());
    switch (request->op) {
    case GUARD_SET: ok = set(guard, request); break;
    case GUARD_ARM: ok = arm(guard, request); break;
    case GUARD_SPI: ok = spi(guard, request); break;
    default: break;
    }
    fire(guard, guard_now_ms());
    return ok;
}

/* ---- the process ---- */

/* What was ever on a lease goes to its safe level; what else was driven is let go. */
static void all_off(struct guard *guard)
{
    for (uint8_t pin = 0; pin < TH_LINUX_PINS; pin++) {
        if (guard->pins[pin].leased)
            drive(guard, pin, guard->pins[pin].safe);
        else
            mark(guard, pin, "---");
    }
    if (guard->spi_used)
        send_byte(guard, 0xFF);
}

_Noreturn void guard_run(int socket, char *file)
{
    struct guard guard = {.file = file};

    /* A terminal's Ctrl-C is meant for the device; its end is seen by the socket. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    for (;;) {
        struct pollfd wait = {socket, POLLIN, 0};
        struct guard_request request;

        poll(&wait, 1, wait_ms(&guard, guard_now_ms()));
        fire(&guard, guard_now_ms());
        if (wait.revents == 0)
            continue;
        if (recv(socket, &request, sizeof request, 0) != (ssize_t)sizeof request)
            break;
        uint8_t ok = serve(&guard, &request);
        if (send(socket, &ok, 1, MSG_NOSIGNAL) != 1)
            break;
    }
    all_off(&guard);
    _exit(EXIT_SUCCESS);
}

/* SPDX-License-Identifier: MIT */
/* The guard: a process that does nothing but switch outputs, so that nothing can hold it up. */
#include "pins_guard.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define AGAIN_MS 100 /* until what could not be switched off is tried again */
#define LAST_TRY 50  /* so often at the end: five seconds */

struct guard {
    struct th_linux_wires wires;
    struct {
        int64_t off_ms;
        bool used, leased, armed, late, safe; /* late: its time has come, the wire did not obey */
        bool told_safe;
        int64_t told_ms;
    } pins[TH_LINUX_WIRES];
    int64_t step_ms[TH_SPI_STEPS];
    int64_t told_bit_ms[8];
    uint8_t step_bytes[TH_SPI_STEPS], steps;
    bool spi_used, told_bits;
    uint8_t last;
    char why[TH_LINUX_WHY];
};

int64_t guard_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the wires ---- */

static bool drive(struct guard *guard, uint8_t pin, bool high)
{
    guard->pins[pin].used = true;
    if (!guard->wires.ops->drive(guard->wires.ctx, pin, high, guard->why))
        return false;
    if (high == guard->pins[pin].safe)
        guard->pins[pin].late = false;
    return true;
}

static bool send_byte(struct guard *guard, uint8_t byte)
{
    guard->spi_used = true;
    if (!guard->wires.ops->send(guard->wires.ctx, byte, guard->why))
        return false;
    guard->last = byte;
    return true;
}

/* ---- time ---- */

static void fire_pin(struct guard *guard, uint8_t pin, int64_t now_ms)
{
    guard->pins[pin].armed = false;
    guard->pins[pin].late = true;
    guard->pins[pin].off_ms = now_ms + AGAIN_MS;
    drive(guard, pin, guard->pins[pin].safe);
}

static void fire(struct guard *guard, int64_t now_ms)
{
    for (uint8_t pin = 0; pin < TH_LINUX_WIRES; pin++) {
        if ((guard->pins[pin].armed || guard->pins[pin].late) && guard->pins[pin].off_ms <= now_ms)
            fire_pin(guard, pin, now_ms);
    }
    uint8_t done = 0;
    while (done < guard->steps && guard->step_ms[done] <= now_ms) {
        if (!send_byte(guard, guard->step_bytes[done])) {
            guard->step_ms[done] = now_ms + AGAIN_MS;
            break;
        }
        done++;
    }
    guard->steps = (uint8_t)(guard->steps - done);
    memmove(guard->step_ms, guard->step_ms + done, guard->steps * sizeof guard->step_ms[0]);
    memmove(guard->step_bytes, guard->step_bytes + done, guard->steps);
}

static int wait_ms(const struct guard *guard, int64_t now_ms)
{
    int64_t next = guard->steps > 0 ? guard->step_ms[0] : INT64_MAX;

    for (uint8_t pin = 0; pin < TH_LINUX_WIRES; pin++) {
        if ((guard->pins[pin].armed || guard->pins[pin].late) && guard->pins[pin].off_ms < next)
            next = guard->pins[pin].off_ms;
    }
    if (next == INT64_MAX)
        return -1;
    return next <= now_ms ? 0 : next - now_ms > 60000 ? 60000 : (int)(next - now_ms);
}

/* ---- requests ---- */

/* A pin on a lease goes on only while its time is armed and has not come: in one step with it. One
 * that does not go off is tried until it does. */
static bool set(struct guard *guard, const struct guard_request *request)
{
    uint8_t pin = request->pin;
    bool high = request->level != 0, safe = guard->pins[pin].safe;

    if (guard->pins[pin].leased && high != safe && !guard->pins[pin].armed)
        return false;
    if (drive(guard, pin, high))
        return true;
    if (guard->pins[pin].leased && high == safe) {
        guard->pins[pin].armed = false;
        guard->pins[pin].late = true;
        guard->pins[pin].off_ms = guard_now_ms() + AGAIN_MS;
    }
    return false;
}

static bool arm(struct guard *guard, const struct guard_request *request)
{
    if (!guard->pins[request->pin].leased)
        guard->pins[request->pin].told_ms = -1; /* nothing yet */
    guard->pins[request->pin].leased = guard->pins[request->pin].armed = true;
    guard->pins[request->pin].late = false;
    guard->pins[request->pin].safe = request->level != 0;
    guard->pins[request->pin].off_ms = request->at_ms[0];
    return true;
}

static bool get(struct guard *guard, const struct guard_request *request, uint8_t *value)
{
    bool high = false;
    bool ok = guard->wires.ops->level(guard->wires.ctx, request->pin, &high, guard->why);

    *value = high;
    return ok;
}

static bool spi(struct guard *guard, const struct guard_request *request)
{
    if (request->count > TH_SPI_STEPS)
        return false;
    guard->steps = request->count;
    memcpy(guard->step_ms, request->at_ms, sizeof guard->step_ms);
    memcpy(guard->step_bytes, request->bytes, sizeof guard->step_bytes);
    /* A step whose time has come already is sent by the fire() that follows. */
    if ((guard->steps > 0 && guard->step_ms[0] <= guard_now_ms()) ||
        send_byte(guard, request->bytes[TH_SPI_STEPS]))
        return true;
    if (guard->steps == 0) { /* what is to stay so is tried until it is */
        guard->steps = 1;
        guard->step_ms[0] = guard_now_ms() + AGAIN_MS;
        guard->step_bytes[0] = request->bytes[TH_SPI_STEPS];
    }
    return false;
}

static void serve(struct guard *guard, const struct guard_request *request,
                  struct guard_answer *answer)
{
    bool pin_op = request->op == GUARD_SET || request->op == GUARD_GET || request->op == GUARD_ARM;

    memset(answer, 0, sizeof *answer);
    fire(guard, guard_now_ms());
    if (!pin_op || request->pin < TH_LINUX_WIRES) {
        switch (request->op) {
        case GUARD_SET: answer->ok = set(guard, request); break;
        case GUARD_GET: answer->ok = get(guard, request, &answer->value); break;
        case GUARD_ARM: answer->ok = arm(guard, request); break;
        case GUARD_SPI: answer->ok = spi(guard, request); break;
        case GUARD_LAST: answer->ok = true; break;
        default: break;
        }
    }
    fire(guard, guard_now_ms());
    if (request->op == GUARD_LAST)
        answer->value = guard->last;
    memcpy(answer->why, guard->why, sizeof answer->why);
    guard->why[0] = '\0';
}

/* ---- for those who watch ---- */

/* When bit n of the byte, which is on, goes off; 0: it does not, or is off. */
static int64_t bit_off_ms(const struct guard *guard, unsigned bit)
{
    if (guard->last >> bit & 1)
        return 0;
    for (uint8_t i = 0; i < guard->steps; i++) {
        if (guard->step_bytes[i] >> bit & 1)
            return guard->step_ms[i];
    }
    return 0;
}

static void tell_bits(struct guard *guard)
{
    for (unsigned bit = 0; guard->spi_used && bit < 8; bit++) {
        int64_t off_ms = bit_off_ms(guard, bit);
        if (guard->told_bits && off_ms == guard->told_bit_ms[bit])
            continue;
        guard->told_bit_ms[bit] = off_ms;
        guard->wires.ops->due(guard->wires.ctx, (uint16_t)(TH_LINUX_BIT + bit), true, off_ms);
    }
    guard->told_bits = guard->spi_used;
}

static void tell(struct guard *guard)
{
    if (!guard->wires.ops->due)
        return;
    for (uint8_t pin = 0; pin < TH_LINUX_WIRES; pin++) {
        int64_t off_ms = guard->pins[pin].armed ? guard->pins[pin].off_ms : 0;
        bool safe = guard->pins[pin].safe;
        if (!guard->pins[pin].leased ||
            (off_ms == guard->pins[pin].told_ms && safe == guard->pins[pin].told_safe))
            continue;
        guard->pins[pin].told_ms = off_ms;
        guard->pins[pin].told_safe = safe;
        guard->wires.ops->due(guard->wires.ctx, pin, safe, off_ms);
    }
    tell_bits(guard);
}

/* ---- the process ---- */

/* What was ever on a lease goes to its safe level; what else was driven is let go. True when every
 * wire has obeyed. */
static bool all_off(struct guard *guard)
{
    bool good = true;

    for (uint8_t pin = 0; pin < TH_LINUX_WIRES; pin++) {
        if (guard->pins[pin].leased)
            good &= drive(guard, pin, guard->pins[pin].safe);
        else if (guard->pins[pin].used)
            guard->wires.ops->let_go(guard->wires.ctx, pin);
    }
    if (guard->spi_used)
        good &= send_byte(guard, 0xFF);
    return good;
}

_Noreturn void guard_run(int socket, struct th_linux_wires wires)
{
    static struct guard guard;

    guard.wires = wires;
    guard.last = 0xFF;
    prctl(PR_SET_NAME, "thimble-guard");
    /* A terminal's Ctrl-C is meant for the device; its end is seen by the socket. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    for (;;) {
        struct pollfd wait = {socket, POLLIN, 0};
        struct guard_request request;
        struct guard_answer answer;

        poll(&wait, 1, wait_ms(&guard, guard_now_ms()));
        fire(&guard, guard_now_ms());
        tell(&guard);
        if (wait.revents == 0)
            continue;
        if (recv(socket, &request, sizeof request, 0) != (ssize_t)sizeof request)
            break;
        serve(&guard, &request, &answer);
        tell(&guard);
        if (send(socket, &answer, sizeof answer, MSG_NOSIGNAL) != (ssize_t)sizeof answer)
            break;
    }
    for (int i = 0; i < LAST_TRY && !all_off(&guard); i++)
        nanosleep(&(struct timespec){0, AGAIN_MS * 1000000}, NULL);
    guard.steps = 0;
    for (uint8_t pin = 0; pin < TH_LINUX_WIRES; pin++)
        guard.pins[pin].armed = false;
    tell(&guard);
    _exit(EXIT_SUCCESS);
}

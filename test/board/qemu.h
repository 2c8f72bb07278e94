/* SPDX-License-Identifier: MIT */
/* One emulated board, as the host's tests drive it: start, console, QMP, kill. A failure of the rig
 * itself ends the test at once, with the console printed. */
#ifndef TH_TEST_QEMU_H
#define TH_TEST_QEMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "relay.h"

#define QEMU_CONSOLE_MAX (256 * 1024)

struct qemu_machine {
    const char *name; /* "lx106", "mps2": the folder of its images in the build folder */
    bool has_flash;
    bool is_process; /* of this host: no emulator, no options of one; SIGUSR1 is its reset line, and
                        between it and the broker is a relay that can be cut */
};

/* An option: the board's time is counted in its instructions, so that a busy host does not delay
 * its timers. */
#define QEMU_OWN_TIME ((const char *const[]){"-icount", "shift=5", NULL})

extern const struct qemu_machine qemu_lx106, qemu_mps2, qemu_linux;

/* "lx106", "mps2" or "linux"; ends the test for another name. */
const struct qemu_machine *qemu_machine_named(const char *name);

struct qemu {
    const struct qemu_machine *machine;
    char folder[256]; /* made by qemu_prepare(), removed by qemu_clear() */
    pid_t pid;        /* 0: not running */
    int console, input, qmp;
    bool tapped; /* set before qemu_start(): the frames on the board's wire can be read and added to
                  */
    int tap_in, tap_out;
    struct relay relay;    /* of a process */
    size_t length, looked; /* of the text, and how far qemu_expect() has come */
    char text[QEMU_CONSOLE_MAX];
};

/* Makes a folder with a fresh flash file that starts `image` (and holds `second` in slot B, if
 * any). */
void qemu_prepare(struct qemu *qemu, const struct qemu_machine *machine, const char *image,
                  const char *second);
void qemu_clear(struct qemu *qemu);

/* "<folder>/<name>", valid until fifteen more calls. */
const char *qemu_path(const struct qemu *qemu, const char *name);

/* Starts the emulator on what qemu_prepare() made. `parameters` and `options` (of QEMU, each one
 * word) end with NULL; either may be NULL. The console's text begins anew. */
void qemu_start(struct qemu *qemu, const char *const *parameters, const char *const *options);

/* Reads the console until `text` appears behind what was found before; returns where, or NULL when
 * time is up or the emulator has ended. */
const char *qemu_expect(struct qemu *qemu, const char *text, int timeout_ms);
void qemu_type(struct qemu *qemu, const char *text);

/* Waits for the emulator to end by itself: its exit status; -1 when time is up (it is killed then).
 */
int qemu_wait(struct qemu *qemu, int timeout_ms);

/* SIGKILL: the power goes. */
void qemu_kill(struct qemu *qemu);

/* One QMP command, for example "system_reset", with `arguments` as JSON or NULL. A process knows
 * "system_reset" and "set_link". */
void qemu_command(struct qemu *qemu, const char *command, const char *arguments);

/* With `tapped`: the next frame that the board sent or was sent, but not ours; 0 when there is none
 * within `timeout_ms`. QEMU waits for the reader: be deaf when you read no more. */
size_t qemu_tap_read(struct qemu *qemu, uint8_t *frame, size_t room, int timeout_ms);
void qemu_tap_deaf(struct qemu *qemu);
/* A frame of at most 2,048 bytes to the board. */
void qemu_tap_write(struct qemu *qemu, const uint8_t *frame, size_t len);

/* CPU time the emulator has used, milliseconds. */
long qemu_cpu_ms(const struct qemu *qemu);

#endif

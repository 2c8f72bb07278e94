/* SPDX-License-Identifier: MIT */
/* What can be done to a device that does not run: one verb, one file. Each prints its own errors
 * and gives back an exit code, the tool's: 1 failed, 3 input, 5 exists. */
#ifndef TH_LINUX_DEVICE_STORES_H
#define TH_LINUX_DEVICE_STORES_H

#include <thimble/enrol.h>

#include "machine.h"

enum { EXIT_INPUT = 3, EXIT_EXISTS = 5 };

struct stores {
    struct machine *machine;
    struct th_identity_store identity;
    struct th_factory factory;
    struct th_log log;
};

/* Mounts what the flash holds, and finishes a reset that was begun. */
int stores_open(struct stores *stores, struct machine *machine);

/* For th_enrol_*(). */
struct th_enrol stores_enrol(struct stores *stores);

/* "thimble-device: WHAT: text\n  next: remedy"; gives back the code that goes with the error. */
int stores_failed(const char *what, enum th_error error);

/* A request to `out`, or to standard output when that is NULL. `name` NULL: that of the request
 * which is waiting, else one that follows from the birth key. */
int csr_main(struct stores *stores, const char *name, const char *out);

/* Takes the answer. */
int bundle_main(struct stores *stores, const char *path);

int reset_main(struct stores *stores, enum th_reset_kind kind);

/* Who the device is and whom it trusts: nothing secret (I1). */
int show_main(struct stores *stores, bool json);

#endif

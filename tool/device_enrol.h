/* SPDX-License-Identifier: MIT */
/* Enrolment of one device by its request: what `device enrol` and a production run share. */
#ifndef TOOL_DEVICE_ENROL_H
#define TOOL_DEVICE_ENROL_H

#include "client_files.h"
#include "enrol_files.h"

#define LDEVID_DAYS 180

struct enrol_order {
    const char *request, *out, *trust; /* files; `out` and `trust` may be NULL */
    struct th_span given;              /* the request itself; `request` is whose, for errors */
    struct client how;
};

struct enrol_answer {
    char name[REGISTRY_NAME_MAX];
    struct path path; /* of the bundle */
    int64_t not_after_s;
    bool again; /* all of it was there: nothing was changed */
};

/* `name` NULL: the one in the request. Whoever serves the broker tells it afterwards. */
int enrol_answer(struct home *home, const char *name, const struct enrol_order *order,
                 struct enrol_answer *out);

int device_enrol(int argc, char **argv);

#endif

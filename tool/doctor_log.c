/* SPDX-License-Identifier: MIT */
/* What the broker's log has of the name, and of everybody. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker_log.h"
#include "doctor.h"
#include "exits.h"

#define LINES_MAX 2000 /* the last ones */

struct reading {
    struct doctor *doctor;
    unsigned connected, taken_over, unauthorised, oversize, too_large, denied, timeouts, malformed,
        full, too_many, disk;
    bool in_use, damaged;
    char last[160], denied_line[160], disk_line[160], error_line[160];
};

/* True when the line is about that name, at the place of %s in `format`. */
static bool about(const char *line, const char *before, const char *name, const char *after)
{
    const char *at = strstr(line, before);
    size_t len = strlen(name);
    return at && strncmp(at + strlen(before), name, len) == 0 &&
           strncmp(at + strlen(before) + len, after, strlen(after)) == 0;
}

static void take_name(struct reading *reading, const char *line, const char *name)
{
    static const struct {
        const char *before, *after;
        size_t offset;
    } kinds[] = {
        {"Client ", " already connected", offsetof(struct reading, taken_over)},
        {"Client ", " disconnected, not authorised", offsetof(struct reading, unauthorised)},
        {"Client ", " disconnected due to oversize", offsetof(struct reading, oversize)},
        {"Dropped too large PUBLISH from ", " ", offsetof(struct reading, too_large)},
        {"Denied PUBLISH from ", " ", offsetof(struct reading, denied)},
        {"Client ", " has exceeded timeout", offsetof(struct reading, timeouts)},
        {"Client ", " disconnected due to malformed", offsetof(struct reading, malformed)},
        {"Client ", " disconnected due to protocol", offsetof(struct reading, malformed)},
        {"Outgoing messages are being dropped for client ", "", offsetof(struct reading, full)},
    };
    char as[64];
    snprintf(as, sizeof as, " as %.40s ", name);
    if (strstr(line, "New client connected") && strstr(line, as)) {
        reading->connected++;
        reading->in_use = true;
        return;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!about(line, kinds[i].before, name, kinds[i].after))
            continue;
        (*(unsigned *)((char *)reading + kinds[i].offset))++;
        if (kinds[i].offset == offsetof(struct reading, denied) ||
            kinds[i].offset == offsetof(struct reading, too_large))
            snprintf(reading->denied_line, sizeof reading->denied_line, "%.159s", line);
    }
    if (about(line, "Client ", name, " ")) {
        snprintf(reading->last, sizeof reading->last, "%.159s", line);
        if (!strstr(line, "already connected"))
            reading->in_use = false;
    }
}

static void take_line(struct reading *reading, const char *line)
{
    if (strstr(line, " starting")) {
        reading->in_use = reading->damaged = false;
        reading->error_line[0] = '\0';
    }
    if (strstr(line, "Unable to restore persistent database") ||
        strstr(line, "Unrecognised file format"))
        reading->damaged = true;
    if (strstr(line, "Error:") || strstr(line, "Invalid line in"))
        snprintf(reading->error_line, sizeof reading->error_line, "%.159s", line);
    if (strstr(line, "max_connections exceeded") || strstr(line, "socket count has been exceeded"))
        reading->too_many++;
    if (strstr(line, "No space left") || strstr(line, "Error saving in-memory database")) {
        reading->disk++;
        snprintf(reading->disk_line, sizeof reading->disk_line, "%.159s", line);
    }
    if (reading->doctor->name)
        take_name(reading, line, reading->doctor->name);
}

/* Two that hold one certificate push each other out for ever: each comes back at once. */
static void judge_name(struct doctor *doctor, const struct reading *reading)
{
    const char *name = doctor->name;
    if (reading->taken_over >= 3)
        doctor_found(doctor, DOCTOR_TWICE,
                     "two programs connect as %s and push each other out\nthe broker's log has "
                     "%u times: Client %s already connected, closing old connection\nfind the "
                     "other copy of its key; if it is not yours: thimble device revoke %s",
                     name, reading->taken_over, name, name);
    if (reading->denied)
        doctor_found(doctor, DOCTOR_RIGHTS,
                     "%s publishes where the broker does not let it, and is dropped in "
                     "silence\n%s\npublish below %s/, or give the topic a line in an ACL of yours",
                     name, reading->denied_line, name);
    if (reading->oversize || reading->too_large)
        doctor_found(doctor, DOCTOR_LIMITS,
                     "%s sends larger messages than the broker takes\n%s\nthimble broker init "
                     "--replace --packet BYTES, or send less",
                     name, reading->too_large ? reading->denied_line : reading->last);
    if (reading->unauthorised && !reading->in_use)
        doctor_found(doctor, DOCTOR_EVIDENCE,
                     "the broker has refused %s as not authorised, %u times\n%s\n", name,
                     reading->unauthorised, reading->last);
    if (reading->malformed)
        doctor_found(doctor, DOCTOR_EVIDENCE, "what %s sent was no good MQTT, %u times\n%s\n", name,
                     reading->malformed, reading->last);
    if (reading->timeouts)
        doctor_found(doctor, DOCTOR_EVIDENCE,
                     "%s fell silent %u times, longer than its keep-alive\n%s\n", name,
                     reading->timeouts, reading->last);
    if (reading->full)
        doctor_found(doctor, DOCTOR_EVIDENCE,
                     "messages for %s were dropped: more waited than the broker keeps\n\n", name);
}

static void judge(struct doctor *doctor, const struct reading *reading)
{
    if (reading->disk)
        doctor_found(doctor, DOCTOR_DISK,
                     "the broker cannot write its files\n%s\nfree space on its disk, and check "
                     "the permissions of broker/data",
                     reading->disk_line);
    if (reading->damaged && !doctor->runs)
        doctor_found(doctor, DOCTOR_START,
                     "the broker's stored sessions are damaged, and it does not start\n%s\nmove "
                     "broker/data/mosquitto.db away: sessions and retained messages are lost",
                     reading->error_line);
    else if (reading->error_line[0] && !doctor->runs)
        doctor_found(doctor, DOCTOR_START,
                     "the broker does not start with its files\n%s\nthimble broker init --replace "
                     "makes them anew; then start it",
                     reading->error_line);
    if (reading->too_many)
        doctor_found(doctor, DOCTOR_LIMITS,
                     "the broker has refused connections: there are more than it takes\n%u times "
                     "in its log\nthimble broker init --replace --connections N, or find who "
                     "connects so often",
                     reading->too_many);
    if (doctor->name)
        judge_name(doctor, reading);
    doctor->in_use = reading->in_use && doctor->runs;
}

static void read_lines(FILE *file, struct reading *reading)
{
    char line[1024];
    long lines = 0;
    while (fgets(line, sizeof line, file))
        lines++;
    rewind(file);
    for (long i = 0; fgets(line, sizeof line, file); i++) {
        line[strcspn(line, "\r\n")] = '\0';
        if (i >= lines - LINES_MAX)
            take_line(reading, line);
    }
}

void doctor_log(struct doctor *doctor)
{
    struct reading reading = {.doctor = doctor};
    struct path path =
        doctor->log ? path_of("%s", doctor->log) : home_path(&doctor->home, BROKER_LOG_FILE);
    if (!doctor->log && !doctor->has_broker)
        return;
    FILE *file = fopen(path.text, "re");
    if (!file) {
        doctor_fine(doctor, "(no log of the broker at %.50s)", path.text);
        return;
    }
    read_lines(file, &reading);
    fclose(file);
    judge(doctor, &reading);
}

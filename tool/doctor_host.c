/* SPDX-License-Identifier: MIT */
/* This machine: room on its disk, the registry, and whether its clock can be right. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "doctor.h"
#include "exits.h"
#include "mosquitto.h"
#include "term.h"

#define ROOM_MIN  (64 * 1024) /* bytes: the registry's journal and the broker's sessions */
#define SILENCE_S (3 * 365 * HOME_DAY_S)

static void look_at_disk(struct doctor *doctor, const char *relative)
{
    struct statvfs disk;
    struct path path = home_path(&doctor->home, relative);
    if (statvfs(path.text, &disk) != 0)
        return;
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (disk.f_flag & ST_RDONLY)
        doctor_found(doctor, DOCTOR_DISK,
                     "the disk of %s is read-only\nnothing can be issued, and the broker keeps no "
                     "session\nmount -o remount,rw, after looking at why: dmesg",
                     path.text);
    else if (room < ROOM_MIN || (disk.f_files > 0 && disk.f_favail == 0))
        doctor_found(doctor, DOCTOR_DISK,
                     "the disk of %s is full\n%llu bytes and %llu files are free\nfree space on "
                     "it: df -h %s",
                     path.text, (unsigned long long)room, (unsigned long long)disk.f_favail,
                     path.text);
}

/* The newest thing that the registry knows to have happened. */
static void newest(void *user, int64_t at_s, const char *what, const char *subject)
{
    int64_t *last = user;
    (void)what, (void)subject;
    if (at_s > *last)
        *last = at_s;
}

static void look_at_clock(struct doctor *doctor)
{
    char now[24], date[24];
    int64_t last_s = 0;
    registry_events(&doctor->home.registry, 20, newest, &last_s);
    if (last_s == 0)
        return;
    term_date(doctor->now_s, now);
    if (doctor->now_s < last_s - HOME_CLOCK_SLACK_S)
        doctor_found(doctor, DOCTOR_HOST_CLOCK,
                     "the clock of this machine is behind\nit says %s, and the registry has an "
                     "entry of %s\nset it: timedatectl set-ntp true",
                     now, term_date(last_s, date));
    else if (doctor->now_s > last_s + SILENCE_S)
        doctor_found(doctor, DOCTOR_HOST_CLOCK,
                     "the clock of this machine is ahead\nit says %s; the last thing the registry "
                     "knows was on %s, more than three years before\nset it: timedatectl set-ntp "
                     "true; if it is right, renew everything: thimble broker init --replace",
                     now, term_date(last_s, date));
    else
        doctor_fine(doctor, "this machine's clock, %s", now);
}

static void look_at_name(struct doctor *doctor)
{
    char plain[REGISTRY_NAME_MAX];
    snprintf(plain, sizeof plain, "%.*s", (int)strcspn(doctor->name, "."), doctor->name);
    doctor->is_known = registry_principal(&doctor->home.registry, plain, &doctor->row);
    if (!doctor->is_known) {
        doctor_found(doctor, DOCTOR_REVOKED,
                     "'%s' is no device or user here\nthe registry of %s has none of that "
                     "name\nthimble device enrol %s, or thimble user add %s",
                     plain, doctor->home.dir, plain, plain);
    } else if (strcmp(doctor->row.state, "active") != 0) {
        doctor_found(
            doctor, DOCTOR_REVOKED,
            "%s was revoked\nthe registry has it as %s\nif it is still yours, a factory reset "
            "and a new enrolment: thimble %s --replace %s",
            plain, doctor->row.state,
            strcmp(doctor->row.kind, "device") == 0 ? "device enrol" : "user add", plain);
    } else {
        doctor_fine(doctor, "%s is an active %s of %s", plain, doctor->row.kind, doctor->home.dir);
    }
}

static void unreadable(struct doctor *doctor)
{
    doctor_found(doctor, DOCTOR_REGISTRY,
                 "this user may not look into the state directory\n%s\nask as its owner: sudo -u "
                 "OWNER thimble doctor",
                 home_choose(doctor->dir).text);
}

/* Every command that issues or revokes takes the write lock first. */
static void look_at_lock(struct doctor *doctor)
{
    registry_patience(&doctor->home.registry, 1000);
    if (registry_begin(&doctor->home.registry) != EXIT_OK)
        doctor_found(doctor, DOCTOR_REGISTRY,
                     "the registry cannot be written\n%s\nend the program that holds it (fuser "
                     "registry.db), or mend its owner and permissions",
                     term_failed());
    else
        registry_rollback(&doctor->home.registry);
}

void doctor_host(struct doctor *doctor)
{
    errno = 0;
    if (home_find(&doctor->home, doctor->dir) != EXIT_OK) {
        if (errno == EACCES)
            unreadable(doctor);
        return; /* a client's machine has none */
    }
    doctor->has_home = true;
    look_at_disk(doctor, "");
    look_at_disk(doctor, "broker/data");
    if (access(home_path(&doctor->home, "registry.db").text, F_OK) != 0) {
        if (errno == EACCES)
            unreadable(doctor);
        return;
    }
    struct home found = doctor->home;
    if (home_open(&doctor->home, doctor->dir, false) != EXIT_OK) {
        doctor_found(doctor, DOCTOR_REGISTRY,
                     "the registry cannot be used\n%s\ncheck the permissions of registry.db, or "
                     "restore it: thimble ca restore",
                     term_failed());
        doctor->home = found;
        return;
    }
    doctor->has_registry = true;
    if (registry_check(&doctor->home.registry) != EXIT_OK) {
        doctor_found(doctor, DOCTOR_REGISTRY,
                     "the registry is damaged\n%s\nrestore it: thimble ca restore", term_failed());
        return;
    }
    look_at_lock(doctor);
    doctor->one_way = mosquitto_one_way(&doctor->home);
    doctor->has_broker = files_exist(home_path(&doctor->home, "broker/mosquitto.conf").text);
    look_at_clock(doctor);
    if (doctor->name)
        look_at_name(doctor);
}

/* SPDX-License-Identifier: MIT */
/*
 * thimble doctor: joins what can be seen of one client and its broker, and names one cause. Each
 * check looks at one place and adds what it finds; the order of enum doctor_rank says which finding
 * explains the others. What is seen and explains nothing is evidence, and without a cause that is
 * all the doctor shows.
 *
 *   doctor.c          the command and what it prints
 *   doctor_host.c     this machine: disk, registry, clock
 *   doctor_broker.c   the broker's configuration and whether it runs
 *   doctor_papers.c   certificates, keys and revocation lists of both sides
 *   doctor_rights.c   the broker's ACL for this name
 *   doctor_link.c     name, TCP, TLS and MQTT, tried as this name
 *   doctor_log.c      what the broker's log has of it
 *   doctor_device.c   what the device itself has kept: flash, console
 */
#ifndef TOOL_DOCTOR_H
#define TOOL_DOCTOR_H

#include "listeners.h"
#include "peer.h"

/* What stands first is named as the cause where several are found. */
enum doctor_rank {
    DOCTOR_DISK,
    DOCTOR_REGISTRY,
    DOCTOR_HOST_CLOCK,
    DOCTOR_CONFIGURATION,
    DOCTOR_BROKER_KEY,
    DOCTOR_BROKER_CERTIFICATE,
    DOCTOR_CLIENTS_CA,
    DOCTOR_CRL,
    DOCTOR_START,
    DOCTOR_PROCESS,
    DOCTOR_REVOKED,
    DOCTOR_OWN_KEY,
    DOCTOR_OWN_CERTIFICATE,
    DOCTOR_OWN_ANCHOR,
    DOCTOR_TARGET,
    DOCTOR_NAME,
    DOCTOR_NETWORK,
    DOCTOR_BROKER_NAME,
    DOCTOR_STALE,
    DOCTOR_TLS,
    DOCTOR_RIGHTS,
    DOCTOR_TWICE,
    DOCTOR_LIMITS,
    DOCTOR_DEVICE_CLOCK,
    DOCTOR_DEVICE,
    DOCTOR_EVIDENCE, /* no cause */
};

#define DOCTOR_FOUND_MAX 48
#define DOCTOR_TEXT      400

struct doctor_finding {
    enum doctor_rank rank;
    char what[DOCTOR_TEXT], seen[DOCTOR_TEXT], fix[DOCTOR_TEXT];
};

struct doctor {
    const char *name; /* device or user; NULL: the broker alone */
    const char *dir, *flash, *map, *console, *log;
    const char *publishes, *subscribes; /* a topic it is meant to use */
    long size;                          /* bytes of a message it is meant to send; 0: none */
    bool connect;                       /* also where that ends the name's own connection */
    struct peer_flags flags;

    struct home home;
    bool has_home, has_registry, has_broker, is_known, one_way;
    struct registry_principal row;
    struct listeners listeners;
    const struct listener *listener; /* that the client is meant for; NULL: none of ours */
    int64_t now_s;
    bool runs;        /* a broker of this directory */
    bool own_current; /* the name's certificate is in force, by all that is written here */
    bool has_key;     /* and its key is here */
    bool in_use;      /* the log says that the name is connected now */
    bool answered;    /* MQTT was spoken, and its rights hold */

    struct doctor_finding found[DOCTOR_FOUND_MAX];
    size_t count;
    char fine[12][80]; /* what was looked at and is right */
    size_t fine_count;
};

/* "what\nseen\nfix"; `seen` may be empty. Text of peers and files is made harmless. */
void doctor_found(struct doctor *doctor, enum doctor_rank rank, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void doctor_fine(struct doctor *doctor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* True when something up to `rank` was found. */
bool doctor_has(const struct doctor *doctor, enum doctor_rank rank);

/* Runs a function that prints its error, without that; the error becomes evidence's text. */
void doctor_hush(bool hush);

void doctor_host(struct doctor *doctor);
void doctor_broker(struct doctor *doctor);
void doctor_papers(struct doctor *doctor);
void doctor_rights(struct doctor *doctor);
void doctor_log(struct doctor *doctor);
void doctor_link(struct doctor *doctor);
void doctor_device(struct doctor *doctor);

#endif

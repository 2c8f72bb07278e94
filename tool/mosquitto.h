/* SPDX-License-Identifier: MIT */
/* The files mosquitto runs from: broker/mosquitto.conf, acl, passwords, {clients,recovery}{-ca.crt,
 * .crl}. All but the server's key are made anew from the registry whenever it changes. */
#ifndef TOOL_MOSQUITTO_H
#define TOOL_MOSQUITTO_H

#include <stdint.h>

#include "home.h"

#define MOSQUITTO_TEXT_MAX 256

/* Ports are 0 where there is no such listener. */
struct mosquitto_plan {
    long port, user_port, recovery_port, websocket_port;
    long plaintext_port; /* with passwords, on 127.0.0.1 alone */
    const char *bind;    /* NULL: every address */
    bool one_way;        /* passwords instead of certificates; TLS all the same */
    long connections;    /* of each listener */
    long packet;         /* bytes of the largest */
    long queue;          /* messages for a client that is away or slow … */
    long queue_bytes;    /* … and their bytes */
    long save_s;         /* how often sessions and retained messages are saved; 0: never */
    char plugins[MOSQUITTO_TEXT_MAX]; /* where mosquitto 2.1 has its plugins; "": options of 2.0 */
};

/* Written last by `broker init`: a run that was cut off before it counts as not done. */
int mosquitto_write_configuration(struct home *home, const struct mosquitto_plan *plan);

/* The hashes of all who have a password; mosquitto's own format. */
int mosquitto_write_passwords(struct home *home);

/* DESIGN 'Topics': patterns for devices, and for each user its rights and denials. */
int mosquitto_write_acl(struct home *home);

/* The revocation lists of the device CA and of the birth certificates' CA; their numbers count up
 * in the registry. */
int mosquitto_write_crl(struct home *home);

/* The device CA's alone, valid for so long; of the others no key is needed. */
int mosquitto_write_clients_crl(struct home *home, int64_t life_s);

/* After a user came or went: writes ACL and passwords and has a running broker read them. Nothing
 * where no broker was set up yet. */
int mosquitto_rights_changed(struct home *home);

/* After a revocation: lists and ACL, and a running broker reads them. */
int mosquitto_revoked(struct home *home);

/* Has a running broker read rights, certificates and revocation lists again. */
void mosquitto_reload(struct home *home);

/* The process id of `thimble broker run` over this directory; 0 when none runs. */
int64_t mosquitto_running(const struct home *home);

/* True when clients come with passwords instead of certificates. */
bool mosquitto_one_way(struct home *home);

#endif

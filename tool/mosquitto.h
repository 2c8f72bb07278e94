/* SPDX-License-Identifier: MIT */
/* The files mosquitto runs from: broker/mosquitto.conf, acl, {clients,recovery}{-ca.crt,.crl}. All
 * but the server's key are made anew from the registry whenever it changes. */
#ifndef TOOL_MOSQUITTO_H
#define TOOL_MOSQUITTO_H

#include <stdint.h>

#include "home.h"

struct mosquitto_listeners {
    long port, user_port, recovery_port;
    long websocket_port; /* 0: none */
    const char *bind;    /* NULL: every address */
};

int mosquitto_write_configuration(struct home *home, const struct mosquitto_listeners *listeners);

/* DESIGN 'Topics': patterns for devices, and for each user its rights and denials. */
int mosquitto_write_acl(struct home *home);

/* The revocation lists of the device CA and of the birth certificates' CA; their numbers count up
 * in the registry. */
int mosquitto_write_crl(struct home *home);

/* After a user came or went: writes the ACL and has a running broker read it. Nothing where no
 * broker was set up yet. */
int mosquitto_rights_changed(struct home *home);

/* After a revocation: lists and ACL, and a running broker reads them. */
int mosquitto_revoked(struct home *home);

/* Has a running broker read rights, certificates and revocation lists again. */
void mosquitto_reload(struct home *home);

/* The process id of `thimble broker run` over this directory; 0 when none runs. */
int64_t mosquitto_running(const struct home *home);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The service that keeps a device's certificate alive (I5): at half of its life, earlier or later
 * by a sixteenth that each device has of its own, it makes a new key, asks the agent of its trust
 * set for a certificate over it (Cert.Renew, docs/agent.md), and tries it as every change is tried:
 * a full handshake and a round trip with the agent. Until then the old one stays. Where no agent
 * answers it waits ever longer, up to a day; nothing is written meanwhile.
 *
 * With it come the methods Cert.Get, Cert.Renew and Trust.Get. docs/device.md, chapter "Renewal".
 */
#ifndef THIMBLE_RENEW_H
#define THIMBLE_RENEW_H

#include <thimble/device.h>
#include <thimble/rpc.h>

#define TH_RENEW_ROOM_MIN  1408   /* bytes of the buffer: a request is made in it */
#define TH_RENEW_ANSWER_MS 10000u /* an answer takes at most so long … */
#define TH_RENEW_ASKS      5      /* … and is asked for so often: agent or broker may restart */
#define TH_RENEW_FIRST_MS  60000u /* the wait after the first failure, doubling … */
#define TH_RENEW_MAX_MS    86400000u /* … up to a day; each 3/4 to 5/4 of it, by chance */

/* Fields private. */
struct th_renew {
    struct th_device *device;
    uint8_t *buffer;
    size_t room, size, filled; /* of the certificate that comes in pieces */
    uint8_t nonce[16];
    uint32_t id, until_ms;                    /* of the request that waits for its answer */
    uint32_t try_ms;                          /* not before */
    int64_t not_before_s, not_after_s, due_s; /* of the certificate in use; 0: none */
    uint8_t serial[20], serial_len;
    uint8_t failures; /* in a row */
    uint8_t asks;     /* of this attempt */
    bool asked, wanted, trying;
    bool look; /* whether a certificate waits for its trial */
    struct th_rpc_set methods;
    enum th_error last; /* why the last attempt failed; OK: it did not */
};

/* `buffer` (TH_RENEW_ROOM_MIN bytes and more; the largest certificate that is taken) lives as long
 * as the device. */
void th_renew_init(struct th_renew *renew, uint8_t *buffer, size_t room);

/* For the device's configuration, before the service that answers requests. */
struct th_service th_renew_service(struct th_renew *renew);

/* Its methods, for th_requests_add(). */
const struct th_rpc_set *th_renew_methods(struct th_renew *renew);

/* Renews now, whatever the dates are. BAD_STATE: another change is on trial, or the device is not
 * connected. CONFIG: its trust set names no agent. */
enum th_error th_renew_now(struct th_renew *renew, uint32_t now_ms);

#endif

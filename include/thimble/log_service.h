/* SPDX-License-Identifier: MIT */
/*
 * The service that tells what the device says: its lines for people, kept in memory (the newest),
 * sent to <device>/log as far as the setting log.level wants them, and given out by the method
 * Log.Lines (docs/rpc.md). Errors are not sent from here: they stand in the history, which the
 * device tells by itself, once. The set-up code never comes here.
 */
#ifndef THIMBLE_LOG_SERVICE_H
#define THIMBLE_LOG_SERVICE_H

#include <thimble/device.h>
#include <thimble/rpc.h>

#define TH_LOG_LINE     160 /* bytes of a line; the rest is cut */
#define TH_LOG_ROOM_MIN 256

/* Fields private. */
struct th_log_service {
    uint8_t *lines; /* heads and texts, the oldest first */
    size_t room, used;
    uint32_t next;  /* number of the next line, from 1 */
    uint32_t sent;  /* the last line that was sent or is not to be */
    uint32_t dated; /* the last line whose time is known */
    uint32_t up_s, at_ms, now_ms;
    uint8_t level;
    struct th_device *device;
    struct th_rpc_set set;
};

/* `lines` (at least TH_LOG_ROOM_MIN bytes) lives as long as the device. What is said before the
 * service is started is kept as well. */
void th_log_service_init(struct th_log_service *service, uint8_t *lines, size_t room);
struct th_service th_log_service(struct th_log_service *service);

/* Log.Lines; for th_requests_add(). */
const struct th_rpc_set *th_log_methods(struct th_log_service *service);

#endif

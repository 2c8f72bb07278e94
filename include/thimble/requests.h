/* SPDX-License-Identifier: MIT */
/*
 * The service that answers requests on a device: src/rpc over the device's MQTT session and over
 * its console, with the methods every device has (docs/rpc.md lists them): Rpc.*, Sys.*, Config.*,
 * Mode.Set, Log.Tail, Trust.Put. Further sets (zones, sensors) are added before the device starts.
 */
#ifndef THIMBLE_REQUESTS_H
#define THIMBLE_REQUESTS_H

#include <thimble/device.h>
#include <thimble/rpc_mqtt.h>
#include <thimble/rpc_serial.h>

/* Fields private. */
struct th_requests {
    struct th_rpc rpc;
    struct th_rpc_mqtt front;
    struct th_rpc_set own[2];
    struct th_device *device;
    uint8_t *bundle; /* a trust bundle that comes in pieces */
    size_t bundle_room, bundle_len, bundle_total;
    uint32_t now_ms, restart_at_ms;
    bool restart, lent;
    uint8_t reset; /* before it: enum th_reset_kind */
};

/* `queue`: answers wait there, at least TH_RPC_QUEUE_MIN bytes. `bundle`: room for a trust bundle;
 * NULL: Trust.Put is refused. Both live as long as the device. */
void th_requests_init(struct th_requests *requests, uint8_t *queue, size_t queue_room,
                      uint8_t *bundle, size_t bundle_room);

/* `queue` and `bundle` lie in memory that the next handshake takes: what waits there is forgotten
 * once the connection is gone. Who asked may ask again; the nonce keeps it from acting twice. */
void th_requests_lend(struct th_requests *requests);

/* Adds methods; false when there is no room. */
bool th_requests_add(struct th_requests *requests, const struct th_rpc_set *set);

/* For the device's configuration. */
struct th_service th_requests_service(struct th_requests *requests);

/* What a request is judged by now: for other fronts, such as the console. */
struct th_rpc_moment th_requests_moment(const struct th_requests *requests);

/* The same, where time has passed since the device's last step. */
struct th_rpc_moment th_requests_now(struct th_requests *requests, uint32_t now_ms);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a machine's network offers to one link: names into addresses, and an address into a wire.
 * Nothing blocks; the link polls.
 */
#ifndef THIMBLE_NET_H
#define THIMBLE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/stream.h>

struct th_address {
    uint8_t family;    /* 4 or 6 */
    uint8_t bytes[16]; /* network order; the first 4 for family 4 */
    uint16_t port;     /* host order */
    uint32_t scope;    /* IPv6 zone index of a link-local address, else 0 */
};

#define TH_ADDRESS_TEXT_MAX 64 /* "[2001:db8::1%4294967295]:65535" and its NUL */

/* Writes "192.0.2.1:8883" or "[2001:db8::1]:8883"; returns the length. `into` has room for
 * TH_ADDRESS_TEXT_MAX. */
size_t th_address_text(const struct th_address *address, char *into);

/* Reads an IPv4 or IPv6 literal, with or without brackets, no port. False when it is not one. */
bool th_address_parse(const char *text, struct th_address *out);

struct th_net_ops {
    /* True when the machine has a network at all (Wi-Fi associated, address assigned). */
    bool (*up)(void *ctx);
    /* Starts looking up `name` (NUL-terminated, lives until resolved or cancelled). Literals are
     * the link's affair and never come here. */
    void (*resolve)(void *ctx, const char *name, uint16_t port);
    /* How the look-up stands: > 0 the number of addresses written, best first (RFC 6724 order where
     * the machine can); 0 still going; < 0 it failed, and `out_failure` says how. */
    int (*resolved)(void *ctx, struct th_address *out, size_t max, struct th_failure *out_failure);
    void (*resolve_cancel)(void *ctx);
    /* Starts a TCP connection. The wire is usable until its close(); one at a time per context. A
     * connection that cannot even start comes back as a wire in state FAILED. */
    struct th_wire (*connect)(void *ctx, const struct th_address *to);
};

struct th_net {
    const struct th_net_ops *ops;
    void *ctx;
};

#endif

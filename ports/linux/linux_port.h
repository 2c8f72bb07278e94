/* SPDX-License-Identifier: MIT */
/* What the files of the Linux port share. */
#ifndef TH_LINUX_PORT_H
#define TH_LINUX_PORT_H

#include <sys/socket.h>

#include <thimble/linux.h>

enum { NET_IDLE = 0xFF }; /* in th_linux_net.state: no wire */

/* The low two bits of an epoll event's pointer tell what it points to. */
enum source_kind { SOURCE_NET, SOURCE_WATCH, SOURCE_NAMES };
#define SOURCE_MASK 3u

/* Something happened to a net: outside of a wait, so that the next wait must not sleep. */
void th_linux_early(struct th_linux_net *net);
/* The net is going away, or starts anew. */
void th_linux_unqueue(struct th_linux_net *net);

/* names.c */
void th_linux_resolve(void *ctx, const char *name, uint16_t port);
int th_linux_resolved(void *ctx, struct th_address *out, size_t max, struct th_failure *failure);
void th_linux_resolve_cancel(void *ctx);
void th_linux_names_event(struct th_linux *loop);
uint32_t th_linux_names_timeout(struct th_linux *loop, uint32_t at_most_ms);
void th_linux_names_tick(struct th_linux *loop);
void th_linux_names_close(struct th_linux *loop);

/* wire.c */
struct th_wire th_linux_connect(void *ctx, const struct th_address *to);
/* The wire of a socket that is connected already, and is the net's from now on. */
struct th_wire th_linux_adopt(struct th_linux_net *net, int fd);
socklen_t th_linux_socket_address(const struct th_address *from, struct sockaddr_storage *to);
void th_linux_wire_writable(struct th_linux_net *net);
/* False when the link has been shown this input and leaves it: it cannot take it now. */
bool th_linux_wire_readable(struct th_linux_net *net);
void th_linux_wire_close(void *ctx, bool orderly);

/* entropy.c */
bool th_linux_random(void *ctx, uint8_t *into, size_t len);
long th_linux_getrandom(void *into, size_t len);

#endif

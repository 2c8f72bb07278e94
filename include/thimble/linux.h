/* SPDX-License-Identifier: MIT */
/*
 * The Linux port: one loop (epoll, monotonic clock, getrandom, c-ares) that any number of links
 * share, and one small network context a link. No threads, no signals, no buffers: a connection
 * costs one descriptor and sizeof(struct th_linux_net).
 *
 *   struct th_linux loop;
 *   struct th_linux_net net;
 *   struct th_board board;
 *   th_linux_init(&loop, &failure);
 *   th_linux_net_init(&net, &loop);
 *   th_linux_board(&net, &board);              … th_link_init, th_link_start …
 *   for (;;) {
 *       uint32_t now = th_linux_now(&loop);
 *       while (th_link_next(&link, now, &event)) …;
 *       th_linux_wait(&loop, th_link_deadline(&link, now));
 *   }
 *
 * With many links, call th_link_next() only for those that th_linux_ready() names and those whose
 * deadline is reached.
 */
#ifndef THIMBLE_LINUX_H
#define THIMBLE_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/tls.h>

struct th_linux_net;

/* A source of random bytes like getrandom(2): how many it wrote, < 0 on an error. */
typedef long th_linux_random_fn(void *into, size_t len);

struct th_linux_entropy {
    th_linux_random_fn *source;
    uint8_t last[16]; /* the last block drawn for the health test alone; never a key */
    bool drawn, broken;
};

struct th_linux_queue {
    struct th_linux_net *first, *last;
};

/* Fields are private but for the first. It must not move once initialised. */
struct th_linux {
    const char
        *dns_servers; /* "192.0.2.53,[2001:db8::53]:5353": instead of the system's. Set it
                         after th_linux_init(), before a look-up; lives as long as the loop */
    int epoll;
    uint32_t turn;
    void *names;      /* the c-ares channel, as long as a look-up is going */
    uint32_t lookups; /* going */
    struct th_linux_queue early, ready;
    struct th_linux_entropy entropy;
};

/* False, with `failure` filled, when the system has no descriptor or memory left. */
bool th_linux_init(struct th_linux *loop, struct th_failure *failure);

/* After every net is closed. */
void th_linux_close(struct th_linux *loop);

/* Monotonic milliseconds, wrapping at 2^32. */
uint32_t th_linux_now(const struct th_linux *loop);

/* Sleeps until the network has something for a link, a watched descriptor is readable, a signal was
 * handled, or `timeout_ms` is over (TH_FOREVER: no limit). Bytes that arrive are seen by a link
 * only after the next call to this. True when a net or a watch is ready. */
bool th_linux_wait(struct th_linux *loop, uint32_t timeout_ms);

/* The next net for which the last wait found something, each once; NULL when there is none. Ask
 * until it is: the next wait forgets the rest. */
struct th_linux_net *th_linux_ready(struct th_linux *loop);

/* An epoll descriptor that is readable when th_linux_wait(loop, 0) has something to do, for
 * programs with a loop of their own. Look-ups have time-outs too: still call the wait at least
 * every 200 ms while a link is resolving. */
int th_linux_fd(const struct th_linux *loop);

/* ---- other descriptors in the same loop: standard input, a signalfd ---- */

struct th_linux_watch {
    int fd;
    bool ready;  /* a wait found it readable or at its end; clear it before you read. A regular file
                    is always ready, and no wait wakes for it */
    bool always; /* private: such a file */
    struct th_linux *loop;
};

/* Watches `fd` for reading. The struct must stay where it is until th_linux_unwatch(). False when
 * the system has no memory left or fd is not open. */
bool th_linux_watch(struct th_linux *loop, struct th_linux_watch *watch, int fd);
void th_linux_unwatch(struct th_linux_watch *watch);

/* ---- one link's network ---- */

/* Fields are private but for `user`. It must not move between init and close. */
struct th_linux_net {
    void *user; /* the application's own */
    struct th_linux *loop;
    void *lookup;
    struct th_linux_net *next;
    int fd;
    int error; /* errno of the connection's end, 0 when the peer closed in good order */
    uint32_t drained_turn;
    uint8_t state, queued, wants_write;
    bool unread, visited, deaf; /* input was reported and not read; the link came by meanwhile; so
                                   input is not listened for, until it reads */
};

void th_linux_net_init(struct th_linux_net *net, struct th_linux *loop);

/* Closes what is still open, with a reset. */
void th_linux_net_close(struct th_linux_net *net);

/* What a link needs of this machine: clock, entropy, system and this net. Everything else is
 * {NULL, NULL}. */
void th_linux_board(struct th_linux_net *net, struct th_board *board);

/* ---- one question by UDP ---- */

#define TH_LINUX_UDP_MAX 64

/* The context of th_linux_udp_ops. Fields are private. It must not move between init and close. */
struct th_linux_udp {
    struct th_linux_net names;
    struct th_linux_watch watch;
    int fd;
    uint16_t port;
    bool resolving;
    uint8_t len, packet[TH_LINUX_UDP_MAX];
};

extern const struct th_udp_ops th_linux_udp_ops;

void th_linux_udp_init(struct th_linux_udp *udp, struct th_linux *loop);
void th_linux_udp_close(struct th_linux_udp *udp);

/* ---- a listening socket ---- */

/* The context of th_linux_listen_ops. Fields are private. It must not move between init and close.
 */
struct th_linux_listen {
    struct th_linux *loop;
    struct th_linux_watch watch;
    struct th_linux_net net; /* of the connection */
    struct th_address at;
    int fd;
    int error; /* errno of an open that failed */
    bool watched;
};

extern const struct th_listen_ops th_linux_listen_ops;

/* Opens nothing yet. Port 0: any that is free; th_linux_listen_at() then tells. */
void th_linux_listen_init(struct th_linux_listen *listener, struct th_linux *loop,
                          const struct th_address *at);
void th_linux_listen_close(struct th_linux_listen *listener);
/* Where it listens, while it does. */
bool th_linux_listen_at(const struct th_linux_listen *listener, struct th_address *at);

/* ---- a flash that is a file, with the behaviour of NOR ---- */

/* The context of th_linux_flash_ops. Fields are private. */
struct th_linux_flash {
    struct th_flash_geometry geometry;
    int fd;
};

extern const struct th_flash_ops th_linux_flash_ops;

/* Opens the file, or makes an erased flash of it where there is none, and locks it. Errors, with
 * `failure` filled and nothing open: FILE_LOCKED, FILE_FLASH (its size is another), FILE_SYSTEM.
 * What was programmed outlives the process however it ends. */
enum th_error th_linux_flash_open(struct th_linux_flash *flash, const char *path,
                                  struct th_flash_geometry geometry, struct th_failure *failure);
void th_linux_flash_close(struct th_linux_flash *flash);

/* ---- certificates and keys out of files, on the heap ---- */

/* For th_trust.anchors or th_identity.chain. */
struct th_linux_certificates {
    struct th_span *at; /* DER */
    uint8_t count;      /* at most 255 */
    uint8_t *bytes;
};

/* All certificates of a file: PEM with any line ends and with text between, or one in DER; a file
 * of at most 1 MiB. Errors, with `failure` filled (its name is the path) and nothing to free:
 * FILE_MISSING (or not readable), FILE_EMPTY, FILE_KIND (a directory), FILE_FORMAT (no certificate
 * in it: perhaps the key), FILE_TOO_LARGE, CERT_MALFORMED, FILE_SYSTEM. */
enum th_error th_linux_certificates_load(struct th_linux_certificates *out, const char *path,
                                         struct th_failure *failure);
void th_linux_certificates_free(struct th_linux_certificates *certificates);

/* Who we are: certificate chain and private key. */
struct th_linux_identity {
    struct th_identity identity; /* for th_tls_config */
    struct th_linux_certificates chain;
    uint8_t *key;
    size_t key_room;
};

/* `key`: PKCS#8, SEC1 or PKCS#1, in PEM or DER; may be the same file as `chain`. Errors as above,
 * and KEY_ENCRYPTED, KEY_KIND (neither EC nor RSA). Whether the key belongs to the certificate is
 * found by the TLS library, when it starts. */
enum th_error th_linux_identity_load(struct th_linux_identity *out, const char *chain,
                                     const char *key, struct th_failure *failure);
/* Wipes the key. */
void th_linux_identity_free(struct th_linux_identity *identity);

#endif

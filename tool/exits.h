/* SPDX-License-Identifier: MIT */
/* The exit codes of every command, for scripts; thimble(1) lists them. They never change meaning.
 */
#ifndef TOOL_EXITS_H
#define TOOL_EXITS_H

#include <thimble/error.h>

/* X(number, NAME, text) */
/* clang-format off */
#define EXIT_LIST(X)                                                                     \
    X(0, OK, "done")                                                                     \
    X(1, FAILED, "the operating system or a program it needs reports an error")          \
    X(2, USAGE, "a flag or an argument is wrong; nothing was done")                      \
    X(3, INPUT, "a file or a name given is not usable")                                  \
    X(4, MISSING, "something must be made first; the message gives the command")         \
    X(5, EXISTS, "it exists already, and was left as it is")                             \
    X(6, DENIED, "the broker denied a publication or a subscription")                    \
    X(7, PROOF, "the broker allows what it must not, or refuses what it must allow")     \
    X(8, REFUSED, "the device refused the request; its answer says why")                  \
    X(9, UNFINISHED, "it is revoked, and not shown to be locked out; the message says what holds") \
    X(10, NAME, "the broker's name has no address")                                      \
    X(11, TCP, "no TCP connection")                                                      \
    X(12, TLS, "the TLS handshake failed")                                               \
    X(13, TRUST, "the server is not trusted, or does not trust us")                      \
    X(14, SERVER_NAME, "the server's certificate is for another name")                   \
    X(15, DATE, "a certificate has expired or is not valid yet")                         \
    X(16, MEMORY, "a record or a packet does not fit")                                   \
    X(17, CONNACK, "the broker refused the connection")                                  \
    X(18, PROTOCOL, "the broker broke or ended the MQTT protocol")                       \
    X(19, KEEP_ALIVE, "the broker fell silent")                                          \
    X(20, CAUSE, "doctor names a cause")                                                 \
    X(21, UNKNOWN, "doctor sees that something is wrong, and not what")                  \
    X(27, TIMED_OUT, "the time given with -W is over")
/* clang-format on */

enum exit_code {
#define EXIT_ROW(number, name, text) EXIT_##name = number,
    EXIT_LIST(EXIT_ROW)
#undef EXIT_ROW
};

/* The code that names the layer an error belongs to. */
int exits_of(enum th_error error);

/* "13  the server is not trusted, ..." a line each, to stdout. */
void exits_print(void);

#endif

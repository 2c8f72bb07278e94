/* SPDX-License-Identifier: MIT */
/*
 * A failure is a value: which layer, what was found, and what to do. It is filled where the failure
 * is seen and travels upwards unchanged; text is made from it only where a person reads it.
 */
#ifndef THIMBLE_FAILURE_H
#define THIMBLE_FAILURE_H

#include <stddef.h>
#include <stdint.h>

#include <thimble/error.h>
#include <thimble/span.h>

#define TH_FAILURE_NAME_MAX 48 /* with its NUL; longer names end in "..." */

#define TH_NO_ALERT       0xFF
#define TH_NO_REASON_CODE 0xFF

struct th_failure {
    enum th_error error;
    uint8_t alert;       /* TLS alert received (RFC 8446 §6), TH_NO_ALERT when none */
    uint8_t reason_code; /* MQTT reason or return code, sent or received; TH_NO_REASON_CODE */
    uint8_t depth;       /* which certificate: 0 the server's own, 1 its issuer ... */
    int32_t detail;      /* errno, the TLS library's number, or a size in bytes; 0 when none */
    int64_t not_before_s, not_after_s; /* of that certificate, when a date is at fault; else 0 */
    int64_t now_s;                     /* the time it was judged by; 0 when none */
    char name[TH_FAILURE_NAME_MAX];    /* the certificate's name, or the peer's reason string; "" */
};

/* A failure with nothing known but its error. */
struct th_failure th_failure_of(enum th_error error);

/* Puts `text` into `failure->name`, cut with "..." and with every byte but printable ASCII shown as
 * '?': it comes from the peer and goes to a terminal. */
void th_failure_name(struct th_failure *failure, struct th_span text);

/* One line of at most `room - 1` characters: layer, text and evidence, without the remedy
 * (`th_error_remedy`). Always NUL-terminated when room > 0; returns the length written. A text that
 * does not fit is cut at the end. 256 bytes hold every text. */
size_t th_failure_text(const struct th_failure *failure, char *into, size_t room);

/* The names of RFC 8446 §6 ("certificate expired"), and of MQTT 5.0 §2.4 or MQTT 3.1.1 §3.2.2.3;
 * "unknown" when there is none. `version` is 4 (3.1.1) or 5. */
const char *th_alert_text(uint8_t alert);
const char *th_reason_text(uint8_t version, uint8_t reason_code);

#endif

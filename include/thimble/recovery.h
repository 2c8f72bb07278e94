/* SPDX-License-Identifier: MIT */
/*
 * Recovery (I7): a device whose operational certificate (LDevID) the broker refuses, because it
 * slept past its end or was told so by mistake, reaches a listener that takes its birth certificate
 * (IDevID) alone, and there the agent, which looks at the certificate and may give it another over
 * a new key. That one is tried like every change. docs/recovery.md has the messages.
 *
 *   static struct th_recovery recovery;
 *   th_recovery_init(&recovery); config.recovery = &recovery;
 */
#ifndef THIMBLE_RECOVERY_H
#define THIMBLE_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/mqtt.h>

#define TH_RECOVERY_ANSWER_MS 20000u /* the agent's answer takes at most so long */

/* After "valid" so many passes go to the main listener, after a certificate that was tried so many:
 * a fleet behind an expired list does not ask all the time, and flash is spared. */
#define TH_RECOVERY_VALID 15
#define TH_RECOVERY_TRIED 60

/* In the middle of a trial it is tried once old and new set have taken turns in vain so often. */
#define TH_RECOVERY_SWAPS 1

struct th_recovery_ops;

/* Fields private, size public. */
struct th_recovery {
    const struct th_recovery_ops *ops;
    struct th_mqtt_source source; /* of the request that is on its way */
    struct th_mqtt_publish publish;
    char topic[50];                /* "recover/<device>/request" */
    uint8_t ldevid[32], nonce[16]; /* digest of the certificate in force; of the present request */
    uint32_t id, until_ms;
    uint16_t subscribe_id, got, frame_len;
    uint8_t step, skip; /* turns that are left to the main listener */
};

/* Naming it links it. */
void th_recovery_init(struct th_recovery *recovery);

#endif

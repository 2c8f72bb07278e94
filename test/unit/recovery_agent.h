/* SPDX-License-Identifier: MIT */
/* The agent at the recovery listener of a device_world: answers what is asked there, as
 * docs/recovery.md has it, with real certificates. It can also be hostile. */
#ifndef TEST_RECOVERY_AGENT_H
#define TEST_RECOVERY_AGENT_H

#include "device_world.h"

enum recovery_mood {
    RECOVERY_HONEST,
    RECOVERY_SILENT,
    RECOVERY_REPLAYS,     /* gives an answer that another request had */
    RECOVERY_OTHER_NONCE, /* … the right id and another nonce */
    RECOVERY_OTHER_KEY,   /* a certificate over a key that is not the device's */
    RECOVERY_OTHER_NAME,  /* … over its key, for another name */
    RECOVERY_GARBAGE,     /* no certificate */
    RECOVERY_HUGE,        /* a size that no buffer has */
    RECOVERY_GAPS,        /* leaves out a piece */
    RECOVERY_REFUSES,     /* 403 */
    RECOVERY_MOODS,
};

struct recovery_agent {
    enum recovery_mood mood;
    bool valid;                      /* what it says of the certificate in force */
    unsigned checks, renewals;       /* asked */
    char kept[2048];                 /* an earlier answer */
    uint8_t digest[TH_SHA256_BYTES]; /* of the certificate that was asked about */
};

/* Answers in that world until the next begins. */
void recovery_agent_begin(struct recovery_agent *agent, struct device_world *world);

#endif

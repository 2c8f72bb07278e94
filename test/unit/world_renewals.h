/* SPDX-License-Identifier: MIT */
/*
 * Renewal in the simulated world: the device's service, and an agent that gives certificates for
 * true, over the keys it is asked for, in many moods. As the real one, it gives the same key the
 * same certificate.
 */
#ifndef TEST_WORLD_RENEWALS_H
#define TEST_WORLD_RENEWALS_H

#include <thimble/renew.h>

#include "certs.h"
#include "device_world.h"

enum world_agent_mood {
    AGENT_GIVES,
    AGENT_IS_AWAY,
    AGENT_GIVES_ANOTHER_KEY,
    AGENT_GIVES_ANOTHER_NAME,
    AGENT_REPLAYS,           /* the first certificate it ever gave */
    AGENT_REPLAYS_AN_ANSWER, /* word for word, with its nonce */
    AGENT_REFUSES,
    AGENT_SAYS_THE_KEY_IS_USED,
    AGENT_BABBLES, /* what is no certificate */
    AGENT_STOPS_HALF_WAY,
    AGENT_MOODS,
};

#define WORLD_GIVEN 8

struct world_renewals {
    struct device_world *world;
    struct th_renew renew;
    uint8_t buffer[TH_CHAIN_MAX];
    struct th_service services[1];
    enum world_agent_mood mood;
    int64_t valid_s; /* of what it gives */
    unsigned asked, issued;
    struct {
        uint8_t pin[TH_SHA256_BYTES], der[1024];
        size_t len;
    } given[WORLD_GIVEN]; /* the first, then the last ones */
    char first_answer[1400];
};

/* Between world_begin() and world_enrol(). */
void world_renewals_begin(struct world_renewals *renewals, struct device_world *world);

/* Once a process. */
void world_renewals_root(void);
void world_renewals_end(void);

/* Renews and waits until it is over; the certificate in use is one of this agent then. */
void world_renews_now(struct world_renewals *renewals);

#endif

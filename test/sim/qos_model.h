/* SPDX-License-Identifier: MIT */
/*
 * What QoS promises, as a machine that checks it: a client with its link and a persistent outbox, a
 * strict broker, and a plan of everything that goes wrong between them. One plan is one run, always
 * the same.
 *
 * What is promised (DESIGN): no message lost at QoS 1, exactly one delivery at QoS 2, order kept,
 * in both directions, as long as the broker keeps its session. When it loses the session, every
 * message from the client still arrives; those without their last acknowledgement may arrive again.
 */
#ifndef TEST_QOS_MODEL_H
#define TEST_QOS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "ports/sim/sim.h"

#define MODEL_MESSAGES_MAX 64
#define MODEL_FAULTS_MAX   12

/* A client that does one thing wrong: to prove that the model notices. */
enum model_mutant {
    MODEL_NO_MUTANT,
    MODEL_FORGETS_INBOUND_ID, /* does not store the identifier of an inbound QoS 2 message */
    MODEL_NEVER_FREES_INBOUND_ID,
    MODEL_FORGETS_MESSAGE,     /* says that it has stored a message, and has not */
    MODEL_FORGETS_PUBREC,      /* does not store that PUBREC came */
    MODEL_DROPS_AT_PUBREC,     /* forgets the message instead of owing PUBREL */
    MODEL_FORGETS_PUBLISHED,   /* does not store that PUBLISH was sent: no DUP, no order */
    MODEL_NEWEST_FIRST,        /* sends again in the wrong order */
    MODEL_KEEPS_AFTER_PUBACK,  /* does not forget what is acknowledged */
    MODEL_FORGETS_STREAMED_ID, /* of a QoS 2 message whose source died with the client */
    MODEL_MUTANTS,
};

struct model_plan {
    uint64_t seed; /* latency, fragmentation, times of publishing */
    uint8_t version;
    uint8_t out_count, in_count; /* messages from and to the client */
    uint8_t out_qos, in_qos;     /* 1, 2; 3: both, mixed */
    struct th_sim_path path;
    struct th_sim_fault faults[MODEL_FAULTS_MAX]; /* of the first connections */
    /* The client loses its power in its n-th change of the outbox (from 1; 0: never), before or
     * after that has come to the medium; each number counts from the start before it. */
    uint32_t crash_in_op[MODEL_FAULTS_MAX];
    bool crash_after[MODEL_FAULTS_MAX];
    uint32_t crash_every_ms;   /* about so often besides; 0: never */
    bool crash_loses_sent;     /* what it had sent is lost with it */
    uint32_t restart_every_ms; /* the broker goes away about so often; 0: never */
    bool loses_session;        /* and comes back knowing nobody */
    uint32_t faults_until_ms;  /* those that repeat end then */
    uint16_t inflight_max, receive_maximum, alias_maximum; /* struct th_sim_broker_options */
    uint32_t answer_delay_ms;
    uint8_t repeat_percent;
    uint16_t outbox_room;
    bool streams;              /* some messages from the client come from a source */
    uint32_t medium_fails;     /* every start's n-th change of the outbox fails, and … */
    uint32_t medium_fails_for; /* … so many in a row */
    bool kicks; /* the broker closes connections after CONNACK, until `faults_until_ms` */
    enum model_mutant mutant;
};

struct model_result {
    const char *wrong;                     /* NULL: every promise was kept */
    uint32_t number;                       /* the message that `wrong` is about */
    uint32_t connections, crashes, losses; /* of the broker's session */
    uint32_t repeats;                      /* messages that arrived again */
};

/* Everything well, both directions, both QoS. */
struct model_plan model_plan_of(uint64_t seed, uint8_t version);

/* Everything may go wrong, by that seed. */
struct model_plan model_plan_random(uint64_t seed);

struct model_result model_run(const struct model_plan *plan);

#endif

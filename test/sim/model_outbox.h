/* SPDX-License-Identifier: MIT */
/* The outbox in memory as a medium that outlives its client: what stands in it when the power fails
 * is what the next start finds, before or after the change in which it failed. */
#ifndef TEST_MODEL_OUTBOX_H
#define TEST_MODEL_OUTBOX_H

#include <thimble/outbox.h>

#include "qos_model.h"

#define MODEL_INBOUND_ROOM 40

struct model_outbox {
    struct th_outbox_ram ram; /* what the client works on */
    struct th_outbox below;
    struct th_outbox_ram kept_ram; /* the image, once dead */
    uint8_t *bytes, *kept_bytes;
    uint32_t room;
    uint16_t inbound[MODEL_INBOUND_ROOM], kept_inbound[MODEL_INBOUND_ROOM];
    uint32_t ops, dies_in_op;
    uint32_t fails_from, fails_for; /* changes that the medium refuses */
    bool dies_after, dead, in_inbound;
    enum model_mutant mutant;
    uint16_t begun_id;   /* of the record begun last */
    uint32_t begun_left; /* its bytes still to come */
    void (*power_fails)(void *ctx);
    void *ctx;
};

extern const struct th_outbox_ops model_outbox_ops;

/* `power_fails` is called when the client dies in a change. */
void model_outbox_init(struct model_outbox *outbox, uint32_t room, enum model_mutant mutant,
                       void (*power_fails)(void *ctx), void *ctx);
void model_outbox_free(struct model_outbox *outbox);

/* A client starts with what was kept; it dies in that change (0: not in one). A streamed message is
 * forgotten, but for its identifier at QoS 2: the broker may hold that until PUBREL. */
void model_outbox_restart(struct model_outbox *outbox, uint32_t dies_in_op, bool dies_after);

/* The power failed between an inbound identifier and its message's delivery. */
bool model_outbox_died_storing_inbound(const struct model_outbox *outbox);

#endif

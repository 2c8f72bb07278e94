/* SPDX-License-Identifier: MIT */
/* Retained messages and last wills of the simulated broker. */
#include <stdlib.h>
#include <string.h>

#include "ports/sim/sim_broker_parts.h"
#include "ports/sim/sim_parts.h"

struct sim_kept *sim_kept_new(struct th_sim_broker *broker, struct th_span topic,
                              struct th_span payload, uint8_t qos)
{
    struct sim_kept *kept = th_sim_room(NULL, sizeof *kept + topic.len + payload.len);
    uint8_t *bytes = (uint8_t *)(kept + 1);
    if (topic.len > 0)
        memcpy(bytes, topic.at, topic.len);
    if (payload.len > 0)
        memcpy(bytes + topic.len, payload.at, payload.len);
    *kept = (struct sim_kept){.broker = broker,
                              .topic = {bytes, topic.len},
                              .payload = {bytes + topic.len, payload.len},
                              .qos = qos};
    return kept;
}

/* ---- retained messages ---- */

void sim_retain(struct th_sim_broker *broker, struct th_span topic, struct th_span payload,
                uint8_t qos)
{
    struct sim_kept **at = &broker->retained;
    while (*at != NULL && !th_span_equal((*at)->topic, topic))
        at = &(*at)->next;
    struct sim_kept *old = *at;
    if (old != NULL) {
        *at = old->next;
        free(old);
    }
    if (payload.len == 0)
        return;
    struct sim_kept *kept = sim_kept_new(broker, topic, payload, qos);
    kept->next = *at;
    *at = kept;
}

void sim_send_retained(struct sim_connection *connection, struct th_span filter, uint8_t qos)
{
    for (struct sim_kept *at = connection->broker->retained; at != NULL; at = at->next) {
        if (!sim_filter_matches(filter, at->topic))
            continue;
        uint8_t granted = at->qos < qos ? at->qos : qos;
        sim_session_add(connection->session, at->topic, at->payload, granted)->retained = true;
    }
    sim_pump(connection->session);
}

/* ---- last wills ---- */

static void publish_will(struct sim_kept *will)
{
    if (will->retain)
        sim_retain(will->broker, will->topic, will->payload, will->qos);
    sim_route(will->broker, will->topic, will->payload, will->qos);
}

/* 5.0 §3.1.3.2.2: a client that is back in time takes its will with it. */
static void will_is_due(void *ctx, uint32_t number)
{
    struct sim_kept *will = ctx;
    (void)number;
    struct sim_kept **at = &will->broker->wills;
    while (*at != will)
        at = &(*at)->next;
    *at = will->next;
    if (!th_sim_broker_has(will->broker, will->client_id))
        publish_will(will);
    free(will);
}

void sim_will(struct sim_connection *connection)
{
    struct sim_kept *will = connection->will;
    connection->will = NULL;
    if (will == NULL)
        return;
    if (will->delay_s == 0) {
        publish_will(will);
        free(will);
        return;
    }
    will->next = will->broker->wills;
    will->broker->wills = will;
    th_sim_after(will->broker->sim, will->delay_s * 1000, will_is_due, will, 0);
}

static void free_list(struct sim_kept *list)
{
    while (list != NULL) {
        struct sim_kept *next = list->next;
        free(list);
        list = next;
    }
}

void sim_kept_free_all(struct th_sim_broker *broker)
{
    free_list(broker->retained);
    free_list(broker->wills);
}

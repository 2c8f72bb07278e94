/* SPDX-License-Identifier: MIT */
#include "ports/sim/sim_session.h"

#include <stdlib.h>
#include <string.h>

#include "ports/sim/sim_parts.h"

struct sim_session *sim_session_new(const char *client_id)
{
    struct sim_session *session = th_sim_room(NULL, sizeof *session);
    *session = (struct sim_session){.next = NULL};
    size_t size = strlen(client_id) + 1;
    session->client_id = memcpy(th_sim_room(NULL, size), client_id, size);
    return session;
}

void sim_session_free(struct sim_session *session)
{
    while (session->first != NULL)
        sim_session_remove(session, session->first);
    while (session->filters != NULL)
        sim_session_unsubscribe(session, session->filters->text);
    free(session->inbound);
    free(session->client_id);
    free(session);
}

/* ---- subscriptions ---- */

void sim_session_subscribe(struct sim_session *session, struct th_span filter, uint8_t qos)
{
    sim_session_unsubscribe(session, filter);
    struct sim_filter *added = th_sim_room(NULL, sizeof *added + filter.len);
    uint8_t *text = (uint8_t *)(added + 1);
    if (filter.len > 0)
        memcpy(text, filter.at, filter.len);
    *added = (struct sim_filter){session->filters, qos, {text, filter.len}};
    session->filters = added;
}

bool sim_session_unsubscribe(struct sim_session *session, struct th_span filter)
{
    for (struct sim_filter **at = &session->filters; *at != NULL; at = &(*at)->next) {
        struct sim_filter *found = *at;
        if (!th_span_equal(found->text, filter))
            continue;
        *at = found->next;
        free(found);
        return true;
    }
    return false;
}

static struct th_span first_level(struct th_span text)
{
    size_t len = 0;
    while (len < text.len && text.at[len] != '/')
        len++;
    return (struct th_span){text.at, len};
}

static struct th_span behind_level(struct th_span text, size_t level)
{
    size_t skip = level < text.len ? level + 1 : level;
    return (struct th_span){text.at + skip, text.len - skip};
}

/* MQTT 3.1.1 §4.7.1, without the rule about '$'. */
bool sim_filter_matches(struct th_span filter, struct th_span topic)
{
    for (;;) {
        struct th_span want = first_level(filter), have = first_level(topic);
        if (want.len == 1 && want.at[0] == '#')
            return true;
        if (!(want.len == 1 && want.at[0] == '+') && !th_span_equal(want, have))
            return false;
        bool filter_ends = want.len == filter.len, topic_ends = have.len == topic.len;
        filter = behind_level(filter, want.len);
        topic = behind_level(topic, have.len);
        if (topic_ends && !filter_ends)
            return filter.len == 1 && filter.at[0] == '#';
        if (filter_ends || topic_ends)
            return filter_ends && topic_ends;
    }
}

int sim_session_wants(const struct sim_session *session, struct th_span topic)
{
    int wants = -1;
    for (const struct sim_filter *at = session->filters; at != NULL; at = at->next) {
        if (sim_filter_matches(at->text, topic) && at->qos > wants)
            wants = at->qos;
    }
    return wants;
}

/* ---- messages to the client ---- */

struct sim_message *sim_session_add(struct sim_session *session, struct th_span topic,
                                    struct th_span payload, uint8_t qos)
{
    struct sim_message *added = th_sim_room(NULL, sizeof *added + topic.len + payload.len);
    uint8_t *bytes = (uint8_t *)(added + 1);
    memcpy(bytes, topic.at, topic.len);
    if (payload.len > 0)
        memcpy(bytes + topic.len, payload.at, payload.len);
    *added = (struct sim_message){.topic = {bytes, topic.len},
                                  .payload = {bytes + topic.len, payload.len},
                                  .qos = qos,
                                  .state = SIM_WAITING};
    if (session->last != NULL)
        session->last->next = added;
    else
        session->first = added;
    session->last = added;
    return added;
}

void sim_session_remove(struct sim_session *session, struct sim_message *message)
{
    struct sim_message *before = NULL;
    for (struct sim_message *at = session->first; at != message; at = at->next)
        before = at;
    if (before != NULL)
        before->next = message->next;
    else
        session->first = message->next;
    if (session->last == message)
        session->last = before;
    free(message);
}

uint16_t sim_session_new_id(struct sim_session *session)
{
    for (;;) {
        if (++session->last_id == 0)
            session->last_id = 1;
        const struct sim_message *at = session->first;
        while (at != NULL && (at->state == SIM_WAITING || at->id != session->last_id))
            at = at->next;
        if (at == NULL)
            return session->last_id;
    }
}

struct sim_message *sim_session_oldest(struct sim_session *session, uint8_t qos,
                                       enum sim_message_state state)
{
    struct sim_message *at = session->first;
    while (at != NULL && (at->qos != qos || at->state != state))
        at = at->next;
    return at;
}

uint32_t sim_session_inflight(const struct sim_session *session)
{
    uint32_t count = 0;
    for (const struct sim_message *at = session->first; at != NULL; at = at->next)
        count += at->state != SIM_WAITING;
    return count;
}

/* ---- identifiers from the client ---- */

int sim_session_inbound(const struct sim_session *session, uint16_t id)
{
    for (int i = 0; i < session->inbound_count; i++) {
        if (session->inbound[i] == id)
            return i;
    }
    return -1;
}

void sim_session_inbound_add(struct sim_session *session, uint16_t id)
{
    if (session->inbound_count == session->inbound_room) {
        session->inbound_room = (uint16_t)(session->inbound_room + 16);
        session->inbound =
            th_sim_room(session->inbound, session->inbound_room * sizeof session->inbound[0]);
    }
    session->inbound[session->inbound_count++] = id;
}

void sim_session_inbound_remove(struct sim_session *session, int at)
{
    session->inbound_count--;
    for (int i = at; i < session->inbound_count; i++)
        session->inbound[i] = session->inbound[i + 1];
}

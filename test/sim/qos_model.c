/* SPDX-License-Identifier: MIT */
#include "qos_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/link.h>

#include "model_outbox.h"
#include "ports/sim/sim_broker.h"

#define TIME_LIMIT_MS 600000
#define EVENT_LIMIT   2000000
#define SETTLE_MS     6000 /* all must stay well: a half-open connection is noticed by then */
#define PAYLOAD_MAX   300
#define RX_ROOM       128 /* longer messages come in pieces */

/* What is known of one message. */
struct fate {
    uint8_t qos;
    uint16_t length;
    bool accepted; /* by the client, or by the broker for the client */
    bool maybe;    /* the client lost its power while it took it: 0 or 1 of it */
    bool streamed;
    bool forgiven; /* the broker has lost the session since */
    uint32_t arrivals, published;
    uint16_t id;
};

/* A streamed message in the client's memory. */
struct feed {
    struct model *model;
    uint32_t number;
    struct th_mqtt_source source;
};

struct model {
    const struct model_plan *plan;
    struct model_result result;
    struct th_sim *sim;
    struct th_sim_broker *broker;
    struct th_sim_node node;
    struct th_mqtt mqtt;
    struct th_link link;
    struct th_mqtt_config mqtt_config;
    struct th_link_config link_config;
    struct model_outbox outbox;
    uint8_t rx[RX_ROOM], plain_rx[64], plain_tx[160];
    struct th_mqtt_alias alias;

    struct th_mqtt_publish publishes[MODEL_MESSAGES_MAX];
    struct feed feeds[MODEL_MESSAGES_MAX];
    struct fate out[MODEL_MESSAGES_MAX], in[MODEL_MESSAGES_MAX];
    uint32_t out_next, in_next; /* the next to be published */
    uint32_t out_last, in_last; /* the latest first arrival: order */
    uint32_t starts, connection;
    uint32_t new_sessions; /* that the client was told of */
    uint32_t in_lost_allowed;
    bool alive, subscribed, up;
    uint8_t piece[PAYLOAD_MAX];
    uint32_t piece_len;
    uint64_t done_at;
};

static void wrong(struct model *model, const char *what, uint32_t number)
{
    if (model->result.wrong != NULL)
        return;
    model->result.wrong = what;
    model->result.number = number;
}

/* ---- messages: a number, then bytes that follow from it ---- */

static uint8_t byte_of(uint32_t number, size_t at)
{
    return at == 0 ? (uint8_t)(number >> 8) : (uint8_t)(at == 1 ? number : number * 31 + at * 7);
}

static size_t fill(uint8_t *into, uint32_t number, size_t len)
{
    for (size_t i = 0; i < len; i++)
        into[i] = byte_of(number, i);
    return len;
}

/* Which message of `fates` these bytes are; UINT32_MAX: none. */
static uint32_t recognise(const struct fate *fates, const uint8_t *bytes, size_t len)
{
    uint8_t expected[PAYLOAD_MAX];
    if (len < 2 || len > PAYLOAD_MAX)
        return UINT32_MAX;
    uint32_t number = (uint32_t)(bytes[0] << 8 | bytes[1]);
    if (number >= MODEL_MESSAGES_MAX || fates[number].length != len)
        return UINT32_MAX;
    fill(expected, number, len);
    return memcmp(bytes, expected, len) == 0 ? number : UINT32_MAX;
}

static void arrive(struct model *model, struct fate *fates, uint32_t *last, const uint8_t *bytes,
                   size_t len)
{
    uint32_t number = recognise(fates, bytes, len);
    if (number == UINT32_MAX) {
        wrong(model, "a message arrived that nobody sent", 0);
        return;
    }
    struct fate *fate = &fates[number];
    if (fate->arrivals++ == 0) {
        if (number < *last)
            wrong(model, "a message arrived before an older one", number);
        *last = number;
        return;
    }
    model->result.repeats++;
    if (fate->qos == 2 && !fate->forgiven)
        wrong(model, "a QoS 2 message arrived twice", number);
}

static void broker_takes(void *ctx, const char *client_id, struct th_span topic,
                         struct th_span payload, uint8_t qos)
{
    struct model *model = ctx;
    (void)client_id;
    (void)qos;
    if (!th_span_equal(topic, TH_SPAN("out")))
        wrong(model, "a message arrived under another topic", 0);
    arrive(model, model->out, &model->out_last, payload.at, payload.len);
}

/* ---- the client's life ---- */

static void client_wake(void *ctx);

static void plan_faults(struct model *model)
{
    if (model->connection < MODEL_FAULTS_MAX)
        model->node.fault = model->plan->faults[model->connection];
    model->connection++;
}

static void on_connect(void *ctx, const struct th_address *to)
{
    struct model *model = ctx;
    (void)to;
    plan_faults(model);
}

static void client_start(struct model *model)
{
    const struct model_plan *plan = model->plan;
    uint32_t start = model->starts++;
    model_outbox_restart(&model->outbox, start < MODEL_FAULTS_MAX ? plan->crash_in_op[start] : 0,
                         start < MODEL_FAULTS_MAX && plan->crash_after[start]);
    model->outbox.fails_from = plan->medium_fails;
    model->outbox.fails_for = plan->medium_fails_for;
    model->alive = true;
    model->up = model->subscribed = false;
    if (th_mqtt_init(&model->mqtt, &model->mqtt_config) != TH_OK ||
        th_link_init(&model->link, &model->link_config, &model->mqtt) != TH_OK)
        abort();
    th_link_start(&model->link, th_sim_now_ms(model->sim));
    th_sim_node_wake_in(&model->node, 0);
}

static void client_starts(void *ctx, uint32_t number)
{
    (void)number;
    client_start(ctx);
}

/* From now on nothing the client does has any effect. */
static void client_dies(struct model *model)
{
    model->alive = false;
    model->result.crashes++;
    for (uint32_t i = 0; i < model->out_next; i++)
        model->out[i].maybe |= model->out[i].streamed; /* of no use after a restart */
    if (model_outbox_died_storing_inbound(&model->outbox))
        model->in_lost_allowed++;
    th_sim_node_crash(&model->node, model->plan->crash_loses_sent);
    th_sim_after(model->sim, 1 + th_sim_chance(model->sim, 300), client_starts, model, 0);
}

/* Called by the outbox in the middle of a change: not a byte leaves after that. */
static void power_fails(void *ctx)
{
    struct model *model = ctx;
    th_sim_node_crash(&model->node, model->plan->crash_loses_sent);
}

static void subscribe(struct model *model)
{
    const struct th_mqtt_filter filter = {.filter = TH_SPAN("in"), .qos = TH_MQTT_QOS2};
    uint16_t id;
    if (!model->subscribed)
        model->subscribed = th_mqtt_subscribe(&model->mqtt, &filter, 1, NULL, 0, &id) == TH_OK;
}

/* Some bytes, or none yet: then it asks to be called again. */
static size_t read_source(void *user, uint32_t offset, uint8_t *into, size_t room)
{
    const struct feed *feed = user;
    struct model *model = feed->model;
    uint32_t number = feed->number;
    size_t len = th_sim_chance(model->sim, 40), left = model->out[number].length - offset;
    if (len == 0)
        th_sim_node_wake_in(&model->node, 1);
    len = len < room ? len : room;
    len = len < left ? len : left;
    for (size_t i = 0; i < len; i++)
        into[i] = byte_of(number, offset + i);
    return len;
}

static void publish_next(struct model *model)
{
    uint8_t payload[PAYLOAD_MAX];
    uint32_t number = model->out_next;
    struct fate *fate = &model->out[number];
    if (number >= model->plan->out_count || model->outbox.dead)
        return;
    struct th_mqtt_publish *publish = &model->publishes[number];
    *publish = (struct th_mqtt_publish){
        .topic = TH_SPAN("out"),
        .payload = th_span_of(payload, fill(payload, number, fate->length)),
        .qos = (enum th_mqtt_qos)fate->qos,
        .alias = model->mqtt_config.alias_count,
    };
    if (fate->streamed) {
        struct feed *feed = &model->feeds[number];
        *feed = (struct feed){model, number, {read_source, feed, fate->length}};
        publish->source = &feed->source;
    }
    enum th_error error = th_mqtt_publish(&model->mqtt, publish, &fate->id);
    if (model->outbox.dead)
        fate->maybe = true;
    else if (error == TH_OK)
        fate->accepted = true;
    else if (error != TH_ERR_OUTBOX_FULL && error != TH_ERR_AGAIN)
        wrong(model, th_error_text(error), number);
    if (fate->maybe || fate->accepted)
        model->out_next++;
}

static void published(struct model *model, uint16_t id)
{
    for (uint32_t i = model->out_next; i-- > 0;) {
        struct fate *fate = &model->out[i];
        if (fate->id != id || fate->published > 0)
            continue;
        fate->published++;
        return;
    }
    wrong(model, "an acknowledgement of nothing was told", id);
}

static void on_message(struct model *model, const struct th_mqtt_event *event)
{
    if (event->kind == TH_MQTT_EVENT_MESSAGE) {
        arrive(model, model->in, &model->in_last, event->u.message.payload.at,
               event->u.message.payload.len);
    } else if (event->kind == TH_MQTT_EVENT_BEGIN) {
        model->piece_len = 0;
    } else if (event->kind == TH_MQTT_EVENT_CHUNK) {
        const struct th_mqtt_chunk *chunk = &event->u.chunk;
        if (chunk->offset != model->piece_len || chunk->offset + chunk->bytes.len > PAYLOAD_MAX) {
            wrong(model, "a piece of a message is in the wrong place", chunk->offset);
            return;
        }
        memcpy(model->piece + chunk->offset, chunk->bytes.at, chunk->bytes.len);
        model->piece_len += (uint32_t)chunk->bytes.len;
    } else if (event->kind == TH_MQTT_EVENT_END) {
        arrive(model, model->in, &model->in_last, model->piece, model->piece_len);
    }
}

static void on_event(struct model *model, const struct th_link_event *event)
{
    if (event->kind == TH_LINK_EVENT_FAILED)
        model->up = false;
    if (event->kind != TH_LINK_EVENT_MQTT)
        return;
    const struct th_mqtt_event *mqtt = &event->u.mqtt;
    if (mqtt->kind == TH_MQTT_EVENT_CONNECTED) {
        model->up = true;
        model->new_sessions += !mqtt->u.connack.session_present;
        model->subscribed = false; /* the session may be older than the subscription */
    } else if (mqtt->kind == TH_MQTT_EVENT_PUBLISHED) {
        published(model, mqtt->u.ack.id);
        if (mqtt->u.ack.reason_code >= 0x80)
            wrong(model, "a message was refused", mqtt->u.ack.reason_code);
    } else {
        on_message(model, mqtt);
    }
}

static void client_wake(void *ctx)
{
    struct model *model = ctx;
    struct th_link_event event;
    if (!model->alive)
        return;
    while (th_link_next(&model->link, th_sim_now_ms(model->sim), &event) && !model->outbox.dead)
        on_event(model, &event);
    if (model->up && !model->outbox.dead)
        subscribe(model);
    if (model->outbox.dead)
        client_dies(model);
    else
        th_sim_node_wake_in(&model->node,
                            th_link_deadline(&model->link, th_sim_now_ms(model->sim)));
}

/* ---- what goes on besides ---- */

static void publishes_out(void *ctx, uint32_t number)
{
    struct model *model = ctx;
    (void)number;
    if (model->alive) {
        publish_next(model);
        if (model->outbox.dead)
            client_dies(model);
        else
            th_sim_node_wake_in(&model->node, 0);
    }
    if (model->out_next < model->plan->out_count)
        th_sim_after(model->sim, th_sim_chance(model->sim, 60), publishes_out, model, 0);
}

static void publishes_in(void *ctx, uint32_t number)
{
    struct model *model = ctx;
    uint8_t payload[PAYLOAD_MAX];
    (void)number;
    uint32_t next = model->in_next;
    struct fate *fate = &model->in[next];
    struct th_span bytes = th_span_of(payload, fill(payload, next, fate->length));
    if (th_sim_broker_publish(model->broker, TH_SPAN("in"), bytes, fate->qos)) {
        fate->accepted = true;
        model->in_next++;
    }
    if (model->in_next < model->plan->in_count)
        th_sim_after(model->sim, th_sim_chance(model->sim, 60), publishes_in, model, 0);
}

static bool faults_go_on(const struct model *model)
{
    return th_sim_elapsed_ms(model->sim) < model->plan->faults_until_ms;
}

static uint32_t about(struct model *model, uint32_t every_ms)
{
    return every_ms / 2 + th_sim_chance(model->sim, every_ms);
}

static void crashes(void *ctx, uint32_t number)
{
    struct model *model = ctx;
    (void)number;
    if (!faults_go_on(model))
        return;
    if (model->alive)
        client_dies(model);
    th_sim_after(model->sim, about(model, model->plan->crash_every_ms), crashes, model, 0);
}

/* Messages to the client that are not there yet are lost with the session, and what the client has
 * under way may be sent again as new. */
static void session_is_lost(struct model *model)
{
    model->result.losses++;
    for (uint32_t i = 0; i < MODEL_MESSAGES_MAX; i++) {
        model->out[i].forgiven |= model->out[i].accepted || model->out[i].maybe;
        model->in[i].forgiven |= model->in[i].accepted;
    }
}

static void broker_starts(void *ctx, uint32_t number)
{
    struct model *model = ctx;
    (void)number;
    if (model->plan->loses_session)
        session_is_lost(model);
    th_sim_broker_start(model->broker, !model->plan->loses_session);
}

static void broker_stops(void *ctx, uint32_t number)
{
    struct model *model = ctx;
    (void)number;
    if (!faults_go_on(model))
        return;
    th_sim_broker_stop(model->broker);
    th_sim_after(model->sim, 1 + th_sim_chance(model->sim, 400), broker_starts, model, 0);
    th_sim_after(model->sim, 500 + about(model, model->plan->restart_every_ms), broker_stops, model,
                 0);
}

/* ---- the judgement ---- */

static void kicks_end(void *ctx, uint32_t number)
{
    struct model *model = ctx;
    (void)number;
    th_sim_broker_options(model->broker)->kicks = false;
}

static bool all_done(const struct model *model)
{
    if (!model->alive || !model->up || faults_go_on(model))
        return false;
    if (model->out_next < model->plan->out_count || model->in_next < model->plan->in_count)
        return false;
    return th_mqtt_pending(&model->mqtt) == 0 && th_sim_broker_waiting(model->broker, "model") == 0;
}

static void judge_out(struct model *model)
{
    for (uint32_t i = 0; i < model->out_next; i++) {
        const struct fate *fate = &model->out[i];
        if (fate->accepted && !fate->maybe && fate->arrivals == 0)
            wrong(model, "a message from the client was lost", i);
        if (model->result.crashes == 0 && fate->accepted && fate->published != 1)
            wrong(model, "an acknowledgement was not told, or twice", i);
    }
}

/* The broker began a new session, and its CONNACK never came. To the next CONNECT it says that
 * there is a session: that it is not the old one nobody can tell. Identifiers of the old one then
 * stay, and hide a new message each. */
static bool was_deceived(const struct model *model)
{
    return model->result.losses > 0 &&
           th_sim_broker_stats(model->broker)->sessions > model->new_sessions;
}

static void judge_in(struct model *model)
{
    for (uint32_t i = 0; i < model->in_next; i++) {
        const struct fate *fate = &model->in[i];
        if (fate->arrivals > 0 || fate->forgiven || (fate->qos == 2 && was_deceived(model)))
            continue;
        /* Its identifier was stored, and then the power failed before it could be delivered. */
        if (fate->qos == 2 && model->in_lost_allowed > 0)
            model->in_lost_allowed--;
        else
            wrong(model, "a message to the client was lost", i);
    }
}

static void judge(struct model *model)
{
    const struct th_sim_broker_stats *stats = th_sim_broker_stats(model->broker);
    if (stats->first_violation != NULL)
        wrong(model, stats->first_violation, stats->violations);
    if (model->done_at == 0)
        wrong(model, "it never came to an end", model->out_next);
    judge_out(model);
    judge_in(model);
    if (model->outbox.ram.inbound_count > 0 && !was_deceived(model))
        wrong(model, "an inbound identifier was kept", model->outbox.ram.inbound_count);
    if (th_sim_broker_unreleased(model->broker, "model") > 0)
        wrong(model, "the broker still waits for PUBREL", 0);
    model->result.connections = stats->connects;
}

/* ---- a run ---- */

static const struct th_address here = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 1883};
static const struct th_broker at_here = {.host = "192.0.2.1"};

static void set_up_client(struct model *model)
{
    const struct model_plan *plan = model->plan;
    model_outbox_init(&model->outbox, plan->outbox_room, plan->mutant, power_fails, model);
    model->alias = (struct th_mqtt_alias){.topic = TH_SPAN("out")};
    model->mqtt_config = (struct th_mqtt_config){
        .version = plan->version == 5 ? &th_mqtt_v5 : &th_mqtt_v311,
        .client_id = TH_SPAN("model"),
        .keep_alive_s = 2,
        .answer_timeout_ms = 1500,
        .session_expiry_s = TH_MQTT_SESSION_NEVER_EXPIRES,
        .rx = model->rx,
        .rx_room = sizeof model->rx,
        .large = &th_mqtt_large,
        .outbox = {&model_outbox_ops, &model->outbox},
        .aliasing = &th_mqtt_aliasing,
        .aliases = &model->alias,
        .alias_count = plan->version == 5 && plan->alias_maximum > 0 ? 1 : 0,
    };
    model->link_config = (struct th_link_config){
        .board = &model->node.board,
        .brokers = &at_here,
        .broker_count = 1,
        .plaintext = true,
        .plain_rx = model->plain_rx,
        .plain_rx_room = sizeof model->plain_rx,
        .plain_tx = model->plain_tx,
        .plain_tx_room = sizeof model->plain_tx,
        .times = {.backoff_first_ms = 20, .backoff_max_ms = 200, .connect_ms = 1000},
    };
}

static void set_up(struct model *model, const struct model_plan *plan)
{
    model->plan = plan;
    model->sim = th_sim_new(plan->seed, 0u - 1000);
    th_sim_path(model->sim, &plan->path);
    th_sim_on_connect(model->sim, on_connect, model);
    model->broker = th_sim_broker_new(model->sim, &here);
    struct th_sim_broker_options *options = th_sim_broker_options(model->broker);
    options->inflight_max = plan->inflight_max;
    options->receive_maximum = plan->receive_maximum;
    options->alias_maximum = plan->alias_maximum;
    options->answer_delay_ms = plan->answer_delay_ms;
    options->repeat_percent = plan->repeat_percent;
    options->kicks = plan->kicks;
    options->kick_after_ms = 150;
    options->pubrel_in_any_order = plan->streams;
    options->message = broker_takes;
    options->ctx = model;
    th_sim_node_init(&model->node, model->sim, client_wake, model);
    for (uint32_t i = 0; i < MODEL_MESSAGES_MAX; i++) {
        model->out[i].qos = plan->out_qos < 3 ? plan->out_qos : (uint8_t)(1 + i % 2);
        model->in[i].qos = plan->in_qos < 3 ? plan->in_qos : (uint8_t)(1 + i % 2);
        model->out[i].streamed = plan->streams && i % 3 == 1;
        model->out[i].length = (uint16_t)(2 + th_sim_chance(model->sim, i % 5 == 4 ? 200 : 20));
        model->in[i].length = (uint16_t)(2 + th_sim_chance(model->sim, i % 5 == 4 ? 250 : 20));
    }
    set_up_client(model);
}

struct model_result model_run(const struct model_plan *plan)
{
    struct model *model = calloc(1, sizeof *model);
    if (model == NULL)
        abort();
    set_up(model, plan);
    client_start(model);
    if (plan->out_count > 0)
        th_sim_after(model->sim, 0, publishes_out, model, 0);
    if (plan->in_count > 0)
        th_sim_after(model->sim, 0, publishes_in, model, 0);
    if (plan->crash_every_ms > 0)
        th_sim_after(model->sim, about(model, plan->crash_every_ms), crashes, model, 0);
    if (plan->restart_every_ms > 0)
        th_sim_after(model->sim, about(model, plan->restart_every_ms), broker_stops, model, 0);
    if (plan->kicks)
        th_sim_after(model->sim, plan->faults_until_ms, kicks_end, model, 0);
    for (uint32_t i = 0; th_sim_step(model->sim) && model->result.wrong == NULL; i++) {
        if (i == EVENT_LIMIT)
            wrong(model, "it goes round in circles", 0);
        if (!all_done(model))
            model->done_at = 0;
        else if (model->done_at == 0)
            model->done_at = th_sim_elapsed_ms(model->sim);
        else if (th_sim_elapsed_ms(model->sim) > model->done_at + SETTLE_MS)
            break;
        if (th_sim_elapsed_ms(model->sim) > TIME_LIMIT_MS)
            break;
    }
    judge(model);
    struct model_result result = model->result;
    model_outbox_free(&model->outbox);
    th_sim_broker_free(model->broker);
    th_sim_free(model->sim);
    free(model);
    return result;
}

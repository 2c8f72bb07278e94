/* SPDX-License-Identifier: MIT */
/* Requests over MQTT: the caller out of the topic, the answer into a topic that is the caller's. */
#include <thimble/rpc_mqtt.h>
#include <thimble/topic.h>

#include "base/off_stack.h"
#include "rpc/parts.h"

#define ROOM_TO_ACT 512 /* an error, or what any method that acts answers, with ids and names */

/* A queued answer: these lengths, then topic, correlation data and frame. */
struct head {
    uint16_t topic, correlation, frame;
};

void th_rpc_mqtt_init(struct th_rpc_mqtt *front, struct th_rpc *rpc, uint8_t *queue, size_t room)
{
    *front = (struct th_rpc_mqtt){.rpc = rpc, .queue = queue, .room = room};
}

void th_rpc_mqtt_drop(struct th_rpc_mqtt *front)
{
    front->used = 0;
}

/* ---- topics ---- */

/* Appends; a topic that does not fit comes out longer than its room, which the caller sees. */
static size_t append(uint8_t *into, size_t room, size_t len, struct th_span part)
{
    if (len + part.len <= room)
        memcpy(into + len, part.at, part.len);
    return len + part.len;
}

size_t th_rpc_mqtt_filter(const struct th_rpc_mqtt *front, char *into, size_t room)
{
    uint8_t *at = (uint8_t *)into;
    size_t len = append(at, room, 0, front->rpc->device);

    len = append(at, room, len, TH_SPAN("/from/+/rpc"));
    append(at, room, len, th_span_of("", 1));
    return len;
}

static bool begins(struct th_span text, struct th_span with)
{
    return text.len >= with.len && memcmp(text.at, with.at, with.len) == 0;
}

static struct th_span after(struct th_span text, size_t skip)
{
    return th_span_of(text.at + skip, text.len - skip);
}

/* The caller's name out of `<device>/from/<caller>/rpc`. */
static bool caller_of(struct th_span device, struct th_span topic, struct th_span *caller)
{
    static const struct th_span from = {(const uint8_t *)"/from/", 6};
    static const struct th_span end = {(const uint8_t *)"/rpc", 4};

    if (!begins(topic, device) || !begins(after(topic, device.len), from))
        return false;
    struct th_span rest = after(topic, device.len + from.len);
    if (rest.len <= end.len || !begins(after(rest, rest.len - end.len), end))
        return false;
    *caller = th_span_of(rest.at, rest.len - end.len);
    return caller->len <= TH_CALLER_MAX && !memchr(caller->at, '/', caller->len);
}

/* ---- where the answer goes ---- */

struct way {
    uint8_t topic[TH_RPC_TOPIC_MAX];
    size_t len;   /* of topic */
    size_t whose; /* length of `<device>/to/<caller>` at its beginning */
    struct th_span correlation;
};

static void way_home(const struct th_rpc_mqtt *front, struct th_span caller, struct way *way)
{
    size_t len = append(way->topic, sizeof way->topic, 0, front->rpc->device);

    len = append(way->topic, sizeof way->topic, len, TH_SPAN("/to/"));
    way->whose = append(way->topic, sizeof way->topic, len, caller);
    way->len = append(way->topic, sizeof way->topic, way->whose, TH_SPAN("/rpc"));
    way->correlation = th_span_of(NULL, 0);
}

/* True when `topic` is the caller's own, or lies below it. */
static bool is_callers(const struct way *way, struct th_span topic)
{
    return th_topic_name_valid(topic) && begins(topic, th_span_of(way->topic, way->whose)) &&
           (topic.len == way->whose || topic.at[way->whose] == '/');
}

static void refuse(struct th_rpc_frame *frame, const char *message)
{
    if (frame->code == TH_RPC_OK) {
        frame->code = TH_RPC_BAD_REQUEST;
        frame->message = message;
    }
}

/* Mongoose OS clients listen at `<src>/rpc`. */
static OFF_THE_STACK void way_by_src(struct th_rpc_frame *frame, struct way *way)
{
    char src[TH_RPC_SRC_MAX];

    if (frame->src.kind != TH_JSON_STRING)
        return;
    if (!th_json_string(frame->src, src, sizeof src) || !is_callers(way, th_span_str(src))) {
        refuse(frame, "src is not the caller's: it must begin with <device>/to/<caller>");
        return;
    }
    size_t len = append(way->topic, sizeof way->topic, 0, th_span_str(src));
    way->len = append(way->topic, sizeof way->topic, len, TH_SPAN("/rpc"));
}

static OFF_THE_STACK void way_by_properties(struct th_rpc_frame *frame, struct th_span properties,
                                            struct way *way)
{
    struct th_mqtt_property property;

    if (th_mqtt_property_find(properties, TH_MQTT_CORRELATION_DATA, &property)) {
        if (property.text.len <= TH_RPC_CORRELATION_MAX)
            way->correlation = property.text;
        else
            refuse(frame, "the correlation data is longer than 64 bytes");
    }
    if (!th_mqtt_property_find(properties, TH_MQTT_RESPONSE_TOPIC, &property))
        return;
    if (property.text.len > sizeof way->topic || property.text.len == way->whose ||
        !is_callers(way, property.text))
        refuse(frame, "the response topic is not below <device>/to/<caller>/");
    else
        way->len = append(way->topic, sizeof way->topic, 0, property.text);
}

/* ---- the queue ---- */

static size_t size_of(const struct head *head)
{
    return sizeof *head + head->topic + head->correlation + head->frame;
}

/* Where the frame of the next answer goes, behind everything else of it. */
static size_t frame_at(const struct th_rpc_mqtt *front, const struct way *way)
{
    return front->used + sizeof(struct head) + way->len + way->correlation.len;
}

static void push(struct th_rpc_mqtt *front, const struct way *way, size_t frame_len)
{
    struct head head = {(uint16_t)way->len, (uint16_t)way->correlation.len, (uint16_t)frame_len};
    uint8_t *at = front->queue + front->used;

    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, way->topic, way->len);
    if (way->correlation.len > 0)
        memcpy(at + sizeof head + way->len, way->correlation.at, way->correlation.len);
    front->used += size_of(&head);
}

bool th_rpc_mqtt_send(struct th_rpc_mqtt *front, struct th_mqtt *mqtt)
{
    while (front->used > 0) {
        struct head head;
        memcpy(&head, front->queue, sizeof head);
        const uint8_t *at = front->queue + sizeof head;
        const struct th_mqtt_property correlation = {
            .id = TH_MQTT_CORRELATION_DATA, .text = th_span_of(at + head.topic, head.correlation)};
        const struct th_mqtt_publish publish = {
            .topic = th_span_of(at, head.topic),
            .payload = th_span_of(at + head.topic + head.correlation, head.frame),
            .qos = TH_MQTT_QOS1,
            .properties = &correlation,
            .property_count = head.correlation > 0};
        enum th_error error = th_mqtt_publish(mqtt, &publish, NULL);
        if (error == TH_ERR_AGAIN || error == TH_ERR_OUTBOX_FULL || error == TH_ERR_QUOTA)
            return false;
        /* What the session will never take (too large for this broker) must not stop the rest. */
        front->refused += error != TH_OK;
        front->used -= size_of(&head);
        memmove(front->queue, front->queue + size_of(&head), front->used);
    }
    return true;
}

/* ---- a request ---- */

static void answer(struct th_rpc_mqtt *front, struct th_rpc_frame *frame, const struct way *way,
                   const struct th_rpc_caller *caller, struct th_rpc_moment now)
{
    size_t at = frame_at(front, way);
    size_t room = at < front->room ? front->room - at : 0;

    uint8_t *into = front->queue + (room > 0 ? at : 0);

    if (room > TH_RPC_ANSWER_MAX)
        room = TH_RPC_ANSWER_MAX;
    /* Acting without room for what comes of it would leave the caller in doubt. */
    if (room < ROOM_TO_ACT) {
        frame->code = TH_RPC_BUSY;
        frame->message = "too many requests at once; ask again in a second";
    }
    struct th_span text = th_rpc_handle(front->rpc, frame, caller, now, into, room);
    if (text.len == 0)
        front->refused++;
    else if (th_rpc_wants_answer(frame))
        push(front, way, text.len);
}

bool th_rpc_mqtt_take(struct th_rpc_mqtt *front, const struct th_mqtt_event *event,
                      struct th_span trust_set, struct th_rpc_moment now)
{
    struct th_rpc_caller caller;
    struct th_rpc_frame frame;
    struct way way;

    if (event->kind != TH_MQTT_EVENT_MESSAGE && event->kind != TH_MQTT_EVENT_BEGIN)
        return false;
    const struct th_mqtt_message *message = &event->u.message;
    if (!caller_of(front->rpc->device, message->topic, &caller.name))
        return false;
    caller.here = false;
    caller.role = th_trust_set_role(trust_set, caller.name);
    way_home(front, caller.name, &way);
    if (event->kind == TH_MQTT_EVENT_BEGIN) {
        th_rpc_too_large(&frame);
    } else {
        th_rpc_read(message->payload, &frame);
        way_by_src(&frame, &way);
        way_by_properties(&frame, message->properties, &way);
    }
    if (message->retain)
        refuse(&frame, "a retained request is never acted on; publish it without retain");
    answer(front, &frame, &way, &caller, now);
    return true;
}

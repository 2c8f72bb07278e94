/* SPDX-License-Identifier: MIT */
/*
 * One agent at a time. mosquitto 2.0 ends the older connection of a client id without a word, and
 * both would take it from each other for ever; so each tells in the retained agent/status, as a
 * user property of the message and of its last will, when it began. Whoever was connected, comes
 * back, and finds there one that began later has been taken over.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "agent.h"
#include "exits.h"

#define TOPIC "agent/status"
#define NAME  "began"

static struct th_mqtt_property began(const struct agent *agent)
{
    return (struct th_mqtt_property){
        .id = TH_MQTT_USER_PROPERTY, .text = TH_SPAN(NAME), .value = th_span_str(agent->began)};
}

bool agent_presence_begin(struct agent *agent)
{
    struct timespec now;
    uint32_t random;
    struct properties *will = &agent->flags.properties.of[PROPERTIES_WILL];
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(agent->began, sizeof agent->began, "%013lld-%08x",
             (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000, random);
    agent->flags.will_topic = TOPIC;
    agent->flags.will_payload = "offline";
    agent->flags.will_qos = 1;
    agent->flags.will_retain = true;
    will->at[0] = began(agent);
    will->count = 1;
    return true;
}

struct th_mqtt_filter agent_presence_filter(void)
{
    return (struct th_mqtt_filter){.filter = TH_SPAN(TOPIC), .qos = TH_MQTT_QOS1};
}

void agent_presence_tell(struct agent *agent, bool online)
{
    const struct th_mqtt_property property = began(agent);
    const struct th_mqtt_publish publish = {
        .topic = TH_SPAN(TOPIC),
        .payload = online ? TH_SPAN("online") : TH_SPAN("offline"),
        .qos = TH_MQTT_QOS1,
        .retain = true,
        .properties = &property,
        .property_count = 1,
    };
    th_mqtt_publish(&agent->peer.mqtt, &publish, NULL);
}

/* The first connection is the one that takes over. */
bool agent_presence_saw(struct agent *agent, const struct th_mqtt_message *message)
{
    struct th_mqtt_property property;
    size_t at = 0;
    if (!th_span_equal(message->topic, TH_SPAN(TOPIC)))
        return false;
    while (th_mqtt_property_next(message->properties, &at, &property)) {
        if (property.id != TH_MQTT_USER_PROPERTY || !th_span_equal(property.text, TH_SPAN(NAME)) ||
            property.value.len != strlen(agent->began) ||
            memcmp(property.value.at, agent->began, property.value.len) <= 0 ||
            agent->connections < 2)
            continue;
        agent_log(agent, "end", "", "another agent has taken over");
        agent->code = EXIT_OK;
    }
    return true;
}

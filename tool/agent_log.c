/* SPDX-License-Identifier: MIT */
/* One line an act, and alarms that stay until what they tell is over. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent.h"
#include "json.h"
#include "notify.h"
#include "term.h"

#define SAY_EVERY_S 3600

static const char *const alarm_names[] = {"clock", "registry", "key", "crl", "dates"};

/* What comes from a device may hold anything; a line is a line. */
static void defuse(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
    }
}

void agent_log(struct agent *agent, const char *act, const char *who, const char *format, ...)
{
    char text[700], date[24];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    defuse(text);
    term_date(time(NULL), date);
    if (agent->options.json) {
        struct json json = json_begin(stdout);
        json_text(&json, "time", date);
        json_text(&json, "act", act);
        if (*who)
            json_text(&json, "device", who);
        json_text(&json, "text", text);
        json_end(&json);
    } else {
        printf("%s %s%s%s: %s\n", date, act, *who ? " " : "", who, text);
        fflush(stdout);
    }
}

/* ---- alarms ---- */

static void tell(struct agent *agent, enum agent_alarm which, bool over)
{
    struct agent_alarm_row *row = &agent->alarms[which];
    uint8_t bytes[700];
    struct th_json_writer json = th_json_writer_of(bytes, sizeof bytes);
    th_json_open(&json, '{');
    th_json_name(&json, "event");
    th_json_put_string(&json, over ? TH_SPAN("alarm over") : TH_SPAN("alarm"));
    th_json_name(&json, "what");
    th_json_put_string(&json, th_span_str(alarm_names[which]));
    if (!over) {
        th_json_name(&json, "text");
        th_json_put_string(&json, th_span_str(row->text));
    }
    th_json_close(&json, '}');
    const struct th_mqtt_publish publish = {
        .topic = TH_SPAN("agent/log"), .payload = th_json_written(&json), .qos = TH_MQTT_QOS1};
    row->told = agent->up && th_mqtt_publish(&agent->peer.mqtt, &publish, NULL) == TH_OK && !over;
}

void agent_alarm(struct agent *agent, enum agent_alarm which, const char *format, ...)
{
    struct agent_alarm_row *row = &agent->alarms[which];
    char text[sizeof row->text];
    int64_t now = time(NULL);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    defuse(text);
    bool same = row->on && strcmp(text, row->text) == 0;
    if (!same) {
        memcpy(row->text, text, sizeof text);
        row->on = true;
        row->told = false;
    }
    if (!same || now - row->said_s >= SAY_EVERY_S || now < row->said_s) {
        row->said_s = now;
        agent_log(agent, "alarm", "", "%s", text);
        agent_health(agent);
    }
    if (!row->told)
        tell(agent, which, false);
}

void agent_alarm_over(struct agent *agent, enum agent_alarm which)
{
    struct agent_alarm_row *row = &agent->alarms[which];
    if (!row->on)
        return;
    agent_log(agent, "alarm over", "", "%s", row->text);
    tell(agent, which, true);
    *row = (struct agent_alarm_row){.on = false};
    agent_health(agent);
}

void agent_alarms_tell(struct agent *agent)
{
    for (int i = 0; i < AGENT_ALARMS; i++) {
        if (agent->alarms[i].on)
            tell(agent, (enum agent_alarm)i, false);
    }
}

void agent_health(struct agent *agent)
{
    char text[200], status[220];
    int alarms = 0;
    for (int i = 0; i < AGENT_ALARMS; i++)
        alarms += agent->alarms[i].on;
    snprintf(text, sizeof text, "%s, %s; %u certificates issued, %u requests answered, %u refused",
             alarms == 0   ? "fine"
             : alarms == 1 ? "1 alarm"
                           : "several alarms",
             agent->up ? "connected" : "not connected", agent->issued, agent->answered,
             agent->refused);
    agent_log(agent, "health", "", "%s", text);
    snprintf(status, sizeof status, "STATUS=%s", text);
    notify_systemd(status);
}

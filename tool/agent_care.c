/* SPDX-License-Identifier: MIT */
/* What the agent looks after while it waits for requests: its clock, the broker's revocation list,
 * and dates that come near. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent.h"
#include "ca.h"
#include "exits.h"
#include "mosquitto.h"
#include "term.h"

#define PATIENCE_MS  2000 /* for another command's transaction: devices wait meanwhile */
#define NOTE_EVERY_S 3600
/* A clock is wrong that is so far behind what it was, or has gone so far while nobody looked. */
#define BACK_S  HOME_DAY_S
#define AHEAD_S (366 * HOME_DAY_S)

#define SEEN "agent.seen_s"

/* ---- clock ---- */

const char *agent_clock_fault(struct agent *agent)
{
    int64_t now = time(NULL);
    if (now < agent->ca_from_s)
        return "it is before the device CA was made";
    if (agent->seen_s && now < agent->seen_s - BACK_S)
        return "it is more than a day behind what it was";
    if (agent->seen_s && now > agent->seen_s + AHEAD_S)
        return "it is more than a year ahead of what it was";
    if (now > agent->seen_s)
        agent->seen_s = now;
    return NULL;
}

static int note_seen(struct agent *agent)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)agent->seen_s);
    return registry_set(&agent->home.registry, SEEN, number);
}

static void take_seen(struct agent *agent)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    char text[REGISTRY_TEXT_MAX];
    long number = 0;
    size_t count = registry_anchors(&agent->home.registry, REGISTRY_DEVICE, anchors);
    if (registry_get(&agent->home.registry, SEEN, text) &&
        options_number(text, 0, 253402300799, &number))
        agent->seen_s = number;
    else if (count)
        agent->seen_s = registry_last_issued(&agent->home.registry, anchors[0].id);
    agent->ca_from_s = count ? x509_not_before(anchors[0].certificate) : 0;
    registry_anchors_free(anchors, count);
    if (agent->options.clock_is_right)
        agent->seen_s = time(NULL);
}

static void care_for_clock(struct agent *agent)
{
    char is[24], was[24];
    const char *fault = agent_clock_fault(agent);
    int64_t now = time(NULL);
    if (fault) {
        agent_alarm(agent, AGENT_ALARM_CLOCK,
                    "this machine's clock says %s, and %s (%s): nothing is issued and no time is "
                    "told; set the clock, or begin with --clock-is-right",
                    term_date(now, is), fault, term_date(agent->seen_s, was));
        return;
    }
    agent_alarm_over(agent, AGENT_ALARM_CLOCK);
    if (now - agent->noted_s < NOTE_EVERY_S)
        return;
    if (note_seen(agent) != EXIT_OK) {
        agent_alarm(agent, AGENT_ALARM_REGISTRY, "%s", term_failed());
        return;
    }
    agent->noted_s = now;
    agent_alarm_over(agent, AGENT_ALARM_REGISTRY);
}

/* ---- revocation list ---- */

struct dates {
    int64_t from_s, until_s; /* of the list that ends first; 0: there is none that can be read */
    size_t count;
};

static struct dates dates_of(const char *path)
{
    X509_CRL *crls[X509_CRLS_MAX];
    struct dates dates = {.count = 0};
    if (!files_exist(path) || x509_read_crls(path, crls, &dates.count) != EXIT_OK)
        dates.count = 0;
    for (size_t i = 0; i < dates.count; i++) {
        int64_t until_s = x509_crl_next_update(crls[i]);
        if (i == 0 || until_s < dates.until_s) {
            dates.until_s = until_s;
            dates.from_s = x509_crl_this_update(crls[i]);
        }
        X509_CRL_free(crls[i]);
    }
    return dates;
}

/* Well before: when half of its life is over, so that there is as much time again to find out why
 * it could not be done. One of the future was made by a wrong clock: nobody gets in by it. */
static bool is_due(const struct dates *dates, int64_t now)
{
    return dates->count == 0 || now < dates->from_s ||
           now >= dates->from_s + (dates->until_s - dates->from_s) / 2;
}

static int write_list(struct agent *agent)
{
    struct registry *registry = &agent->home.registry;
    int code = registry_begin(registry);
    if (code == EXIT_OK)
        code = mosquitto_write_clients_crl(&agent->home, agent->options.crl_s);
    if (code == EXIT_OK)
        code = registry_event(registry, "crl", "clients");
    if (code == EXIT_OK)
        code = registry_commit(registry);
    registry_rollback(registry);
    return code;
}

static void list_failed(struct agent *agent, const struct dates *was, const char *why)
{
    char date[24];
    agent_alarm(agent, AGENT_ALARM_CRL,
                "the broker's revocation list cannot be renewed: %s; from %s on the broker refuses "
                "everybody",
                why, was->count ? term_date(was->until_s, date) : "now");
}

static void care_for_list(struct agent *agent)
{
    struct path path = home_path(&agent->home, "broker/clients.crl");
    struct dates was = dates_of(path.text);
    char date[24];
    if (!files_exist(home_path(&agent->home, "broker/mosquitto.conf").text))
        return; /* the broker is not set up here yet */
    if (!is_due(&was, time(NULL))) {
        agent_alarm_over(agent, AGENT_ALARM_CRL);
        return;
    }
    if (!home_lock_now(&agent->home)) {
        list_failed(agent, &was, "another thimble command holds the state directory");
        return;
    }
    int code = write_list(agent);
    home_unlock(&agent->home);
    if (code != EXIT_OK) {
        list_failed(agent, &was, term_failed());
        return;
    }
    mosquitto_reload(&agent->home);
    was = dates_of(path.text);
    agent_log(agent, "crl", "", "renewed, valid until %s; %s", term_date(was.until_s, date),
              mosquitto_running(&agent->home) > 0 ? "the broker reads it"
                                                  : "no broker runs from this directory");
    agent_alarm_over(agent, AGENT_ALARM_CRL);
}

/* ---- what ends soon ---- */

struct ending {
    char text[360];
    size_t len;
    int64_t now_s;
    int gone;
};

static void add(struct ending *ending, const char *what, const char *name, int64_t until_s)
{
    char date[24];
    size_t left = sizeof ending->text - ending->len;
    int len = snprintf(ending->text + ending->len, left, "%s%s%s ends on %s",
                       ending->len ? "; " : "", what, name, term_date(until_s, date));
    if (len > 0 && (size_t)len < left)
        ending->len += (size_t)len;
    ending->text[ending->len] = '\0'; /* only whole ones */
}

static bool user_ends(void *context, const struct registry_principal *row)
{
    struct ending *ending = context;
    if (strcmp(row->state, "active") == 0 && row->not_after_s &&
        row->not_after_s < ending->now_s + 30 * HOME_DAY_S)
        add(ending, "the certificate of user ", row->name, row->not_after_s);
    return true;
}

static bool device_ended(void *context, const struct registry_principal *row)
{
    struct ending *ending = context;
    ending->gone +=
        strcmp(row->state, "active") == 0 && row->not_after_s && row->not_after_s < ending->now_s;
    return true;
}

static void authorities_end(struct agent *agent, struct ending *ending)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    for (int i = 0; i < REGISTRY_AUTHORITIES; i++) {
        size_t count = registry_anchors(&agent->home.registry, (enum registry_authority)i, anchors);
        for (size_t j = 0; j < count; j++) {
            int64_t until_s = x509_not_after(anchors[j].certificate);
            if (until_s < ending->now_s + 400 * HOME_DAY_S)
                add(ending, ca_subject((enum registry_authority)i), "", until_s);
        }
        registry_anchors_free(anchors, count);
    }
}

static void broker_ends(struct agent *agent, struct ending *ending)
{
    struct path path = home_path(&agent->home, "broker/server.crt");
    struct dates births = dates_of(home_path(&agent->home, "broker/recovery.crl").text);
    X509 *certificate = NULL;
    if (files_exist(path.text) && x509_read_certificate(path.text, &certificate) == EXIT_OK &&
        x509_not_after(certificate) < ending->now_s + 30 * HOME_DAY_S)
        add(ending, "the broker's certificate (thimble broker init --replace)", "",
            x509_not_after(certificate));
    X509_free(certificate);
    if (births.count && births.until_s < ending->now_s + 180 * HOME_DAY_S)
        add(ending, "the recovery listener's revocation list (thimble broker init --replace)", "",
            births.until_s);
}

static void care_for_dates(struct agent *agent)
{
    int64_t now = time(NULL);
    struct ending ending = {.now_s = now};
    if (agent->dates_s && now - agent->dates_s < HOME_DAY_S && now >= agent->dates_s)
        return;
    agent->dates_s = now;
    broker_ends(agent, &ending);
    authorities_end(agent, &ending);
    registry_principals(&agent->home.registry, "user", user_ends, &ending);
    registry_principals(&agent->home.registry, "device", device_ended, &ending);
    if (ending.len)
        agent_alarm(agent, AGENT_ALARM_DATES, "%s", ending.text);
    else
        agent_alarm_over(agent, AGENT_ALARM_DATES);
    if (ending.gone)
        agent_log(agent, "devices", "", "%d have a certificate that has ended: thimble device list",
                  ending.gone);
}

/* ---- all of it ---- */

int agent_care_begin(struct agent *agent)
{
    registry_patience(&agent->home.registry, PATIENCE_MS);
    int code = ca_unlock(&agent->home, REGISTRY_DEVICE);
    if (code != EXIT_OK)
        return code;
    take_seen(agent);
    agent->health_s = time(NULL);
    agent_care(agent);
    return EXIT_OK;
}

void agent_care(struct agent *agent)
{
    int64_t now = time(NULL);
    care_for_clock(agent);
    if (agent->alarms[AGENT_ALARM_CLOCK].on)
        return; /* nothing that has a date */
    care_for_list(agent);
    care_for_dates(agent);
    if (now - agent->health_s >= 3600 || now < agent->health_s) {
        agent->health_s = now;
        agent_health(agent);
    }
}

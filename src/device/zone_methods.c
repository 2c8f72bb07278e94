/* SPDX-License-Identifier: MIT */
/* Zone.On, Zone.Off, Zone.Status. */
#include "base/text.h"
#include "device/zone_service.h"

static void put_number(struct th_json_writer *json, const char *name, int64_t number)
{
    th_json_name(json, name);
    th_json_put_integer(json, number);
}

static const char *const causes[] = {"start", "command", "schedule", "lease",
                                     "group", "safe",    "fault"};

void th_zone_put_status(struct th_zone_service *service, uint8_t zone, uint32_t now_ms,
                        struct th_json_writer *json)
{
    struct th_zone_status status;

    th_zones_status(&service->zones, zone, now_ms, &status);
    th_json_open(json, '{');
    put_number(json, "zone", zone);
    th_json_name(json, "on");
    th_json_put_bool(json, status.commanded);
    if (status.actual_known) {
        th_json_name(json, "actual");
        th_json_put_bool(json, status.actual);
    }
    put_number(json, "seconds", status.left_s);
    th_json_name(json, "cause");
    th_json_put_string(json, th_span_str(causes[status.cause]));
    th_json_close(json, '}');
}

void th_zone_say(struct th_zone_service *service, uint8_t zone, uint32_t now_ms)
{
    char line[64];
    struct th_text text = th_text_init(line, sizeof line);
    struct th_zone_status status;

    th_zones_status(&service->zones, zone, now_ms, &status);
    /* That the output has followed is a change of its status, and no news. */
    uint8_t news = (uint8_t)(status.cause << 1 | status.commanded);
    bool old = service->said[zone - 1] == news;
    service->said[zone - 1] = news;
    if (old || status.cause == TH_ZONE_START)
        return;
    th_text_str(&text, "zone ");
    th_text_decimal(&text, zone);
    th_text_str(&text, status.commanded ? " on for " : " off");
    if (status.commanded) {
        th_text_decimal(&text, status.left_s);
        th_text_str(&text, " s");
    }
    th_text_str(&text, ": ");
    th_text_str(&text, causes[status.cause]);
    th_device_log(service->device, status.cause == TH_ZONE_FAULT ? TH_LEVEL_WARN : TH_LEVEL_INFO,
                  line);
}

static bool ready(const struct th_zone_service *service, struct th_rpc_call *call)
{
    if (!service->ready)
        th_rpc_fail(call, TH_RPC_CONFLICT,
                    service->fault ? service->fault : "no zones are configured; see zones.count");
    return service->ready;
}

/* What is kept for a repeat is short: the state, and for how long. */
static void answer(struct th_rpc_call *call, enum th_zone_answer how, uint8_t zone, bool on,
                   int32_t seconds)
{
    if (how != TH_ZONE_DONE) {
        th_rpc_fail(call,
                    how == TH_ZONE_NONE     ? TH_RPC_NOT_FOUND
                    : how == TH_ZONE_TIME   ? TH_RPC_BAD_VALUE
                    : how == TH_ZONE_OUTPUT ? TH_RPC_INTERNAL
                                            : TH_RPC_CONFLICT,
                    th_zone_answer_text(how));
        return;
    }
    th_json_open(call->result, '{');
    put_number(call->result, "zone", zone);
    th_json_name(call->result, "on");
    th_json_put_bool(call->result, on);
    put_number(call->result, "seconds", seconds);
    th_json_close(call->result, '}');
}

static void zone_on(void *ctx, struct th_rpc_call *call)
{
    struct th_zone_service *service = ctx;
    uint8_t zone = (uint8_t)th_rpc_integer(call, 0, 0);
    int32_t seconds = th_rpc_integer(call, 1, 0);

    if (ready(service, call))
        answer(call, th_zones_on(&service->zones, zone, (uint32_t)seconds, call->now.ms), zone,
               true, seconds);
}

/* Zone 0, which nobody can name, stands for all of them. */
static void zone_off(void *ctx, struct th_rpc_call *call)
{
    struct th_zone_service *service = ctx;
    uint8_t zone = (uint8_t)th_rpc_integer(call, 0, 0);
    enum th_zone_answer how = TH_ZONE_DONE;

    if (!ready(service, call))
        return;
    if (zone > 0) {
        answer(call, th_zones_off(&service->zones, zone, call->now.ms), zone, false, 0);
        return;
    }
    for (uint8_t each = 1; each <= service->zones.config.count; each++) {
        enum th_zone_answer one = th_zones_off(&service->zones, each, call->now.ms);
        how = one != TH_ZONE_DONE ? one : how;
    }
    answer(call, how, 0, false, 0);
}

static void put_starts(const struct th_zone_service *service, struct th_json_writer *json)
{
    static const char *const clocks[] = {"none", "hint", "trusted"};
    struct th_zones_report report;

    th_zones_report(&service->zones, &report);
    th_json_name(json, "clock");
    th_json_put_string(json, th_span_str(clocks[report.clock]));
    put_number(json, "starts", report.starts);
    put_number(json, "waiting", report.waiting);
    put_number(json, "missed", report.missed);
    if (report.next_s > 0) {
        put_number(json, "next_zone", report.next_zone);
        put_number(json, "next_time", report.next_s);
    }
}

static void zone_status(void *ctx, struct th_rpc_call *call)
{
    struct th_zone_service *service = ctx;

    if (!ready(service, call))
        return;
    th_json_open(call->result, '{');
    th_json_name(call->result, "zones");
    th_json_open(call->result, '[');
    for (uint8_t zone = 1; zone <= service->zones.config.count; zone++)
        th_zone_put_status(service, zone, call->now.ms, call->result);
    th_json_close(call->result, ']');
    put_starts(service, call->result);
    if (service->fault) {
        th_json_name(call->result, "fault");
        th_json_put_string(call->result, th_span_str(service->fault));
    }
    th_json_close(call->result, '}');
}

static const struct th_rpc_param on_params[] = {
    {"zone", TH_RPC_INTEGER, true, 1, TH_ZONES_MAX, "number of the zone"},
    {"seconds", TH_RPC_INTEGER, true, 1, TH_ZONE_SECONDS_MAX, "for how long, from now"},
};

static const struct th_rpc_param off_params[] = {
    {"zone", TH_RPC_INTEGER, false, 1, TH_ZONES_MAX, "number of the zone; without it, all"},
};

const struct th_rpc_method th_zone_method_table[ZONE_METHODS] = {
    {"Zone.On", TH_ROLE_OPERATOR, true, 2, on_params,
     "Switches a zone on for so long; it goes off by itself whatever happens.", zone_on},
    {"Zone.Off", TH_ROLE_OPERATOR, true, 1, off_params, "Switches a zone off, or all.", zone_off},
    {"Zone.Status", TH_ROLE_VIEWER, false, 0, NULL, "All zones, and the weekly starts.",
     zone_status},
};

/* SPDX-License-Identifier: MIT */
#include "device/recovery.h"

#define LONGEST_MS 3600000u /* the working clock must see the counter now and then */

static OFF_THE_STACK void step_wifi(struct th_device *device, uint32_t now_ms)
{
    struct th_wifi_event event;
    /* What keeps the device out of the network can be the fault of settings alone. */
    bool evidence = th_trial_component(&device->trial) == TH_TRIAL_SETTINGS;

    if (!device->config->board->wifi.ops || !th_wifi_next(&device->wifi, now_ms, &event))
        return;
    switch (event.kind) {
    case TH_WIFI_EVENT_UP: th_device_tell_address(device, event.address); break;
    case TH_WIFI_EVENT_FAILED:
        th_device_tell_failure(device, &event.failure, event.retry_ms);
        th_device_failed(device, &event.failure, evidence, now_ms);
        break;
    case TH_WIFI_EVENT_AP_OPEN: th_device_say(device, "access point open"); break;
    case TH_WIFI_EVENT_AP_CLOSED: th_device_say(device, "access point closed"); break;
    }
}

static void step_services(struct th_device *device, uint32_t now_ms)
{
    const struct th_device_config *config = device->config;

    for (uint8_t i = 0; i < config->service_count; i++) {
        uint32_t wait_ms = TH_FOREVER;

        if (config->services[i].ops->step)
            wait_ms = config->services[i].ops->step(config->services[i].ctx, device, now_ms);
        device->services_ms = i == 0 ? wait_ms : th_time_sooner(device->services_ms, wait_ms);
    }
}

void th_device_restart(struct th_device *device, uint32_t now_ms)
{
    const struct th_device_config *config = device->config;

    for (uint8_t i = 0; i < config->service_count; i++) {
        if (config->services[i].ops->leaving)
            config->services[i].ops->leaving(config->services[i].ctx, device, now_ms);
    }
    config->board->system.ops->restart(config->board->system.ctx);
}

/* After a while a normal start is tried, with one crash to go: the next one leads back here. */
static void step_safe(struct th_device *device, uint32_t now_ms)
{
    if (!th_time_reached(now_ms, device->started_ms + TH_DEVICE_SAFE_MS))
        return;
    th_device_store_crashes(device, TH_DEVICE_CRASHES - 1);
    th_device_restart(device, now_ms);
}

static void step_network(struct th_device *device, uint32_t now_ms)
{
    step_wifi(device, now_ms);
    th_timekeeper_step(&device->timekeeper, now_ms);
    if (device->mode == TH_MODE_MQTT) {
        th_device_ask_step(device, now_ms);
        if (device->config->recovery)
            device->config->recovery->ops->step(device, now_ms);
        th_device_link_step(device, now_ms);
    }
    th_device_order_step(device, now_ms);
    if (!device->stable && th_time_reached(now_ms, device->started_ms + TH_DEVICE_STABLE_MS)) {
        device->stable = true;
        th_device_store_crashes(device, 0);
    }
}

void th_device_step(struct th_device *device, uint32_t now_ms)
{
    const struct th_board *board = device->config->board;

    board->system.ops->feed_watchdog(board->system.ctx);
    th_clock_ms(&device->clock, now_ms);
    if (device->mode == TH_MODE_SAFE)
        step_safe(device, now_ms);
    else
        step_network(device, now_ms);
    step_services(device, now_ms);
}

static uint32_t network_deadline(const struct th_device *device, uint32_t now_ms)
{
    uint32_t wait_ms = th_timekeeper_deadline(&device->timekeeper, now_ms);

    if (device->config->board->wifi.ops)
        wait_ms = th_time_sooner(wait_ms, th_wifi_deadline(&device->wifi, now_ms));
    if (device->mode == TH_MODE_MQTT) {
        wait_ms = th_time_sooner(wait_ms, th_link_deadline(&device->link, now_ms));
        wait_ms = th_time_sooner(wait_ms, th_device_ask_deadline(device, now_ms));
        if (device->config->recovery)
            wait_ms =
                th_time_sooner(wait_ms, device->config->recovery->ops->deadline(device, now_ms));
    }
    if (device->order != TH_TRIAL_GO_ON)
        wait_ms = th_time_sooner(wait_ms, th_time_until(now_ms, device->order_at_ms));
    if (!device->stable)
        wait_ms = th_time_sooner(wait_ms,
                                 th_time_until(now_ms, device->started_ms + TH_DEVICE_STABLE_MS));
    return wait_ms;
}

uint32_t th_device_deadline(const struct th_device *device, uint32_t now_ms)
{
    uint32_t wait_ms = th_time_sooner(
        LONGEST_MS, device->config->service_count > 0 ? device->services_ms : LONGEST_MS);

    if (device->mode == TH_MODE_SAFE)
        return th_time_sooner(wait_ms,
                              th_time_until(now_ms, device->started_ms + TH_DEVICE_SAFE_MS));
    return th_time_sooner(wait_ms, network_deadline(device, now_ms));
}

void th_device_stop(struct th_device *device, uint32_t now_ms)
{
    if (!device->linked)
        return;
    /* A DISCONNECT in good order takes the last will with it. QoS 0 leaves before it; the outbox,
     * which QoS 1 would leave from, does not any more. */
    if (th_link_state(&device->link) == TH_LINK_UP)
        th_device_publish(device, "status", TH_SPAN("offline"), TH_MQTT_QOS0, true, NULL);
    th_link_stop(&device->link, now_ms);
}

bool th_device_stopped(const struct th_device *device)
{
    return !device->linked || th_link_state(&device->link) == TH_LINK_DOWN;
}

bool th_device_set_clock(struct th_device *device, enum th_clock_kind kind, int64_t time_ms,
                         uint32_t now_ms)
{
    return th_clock_set(&device->clock, kind, time_ms, now_ms);
}

enum th_device_mode th_device_mode(const struct th_device *device)
{
    return (enum th_device_mode)device->mode;
}

bool th_device_connected(const struct th_device *device)
{
    return device->linked && device->subscribed && th_link_state(&device->link) == TH_LINK_UP;
}

const char *th_device_mode_name(enum th_device_mode mode)
{
    static const char *const names[] = {"config", "mqtt", "safe"};

    return (size_t)mode < sizeof names / sizeof names[0] ? names[mode] : "";
}

const char *th_device_id(const struct th_device *device)
{
    return device->id;
}

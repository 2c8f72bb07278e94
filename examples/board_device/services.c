/* SPDX-License-Identifier: MIT */
/* What the device does: zones, sensors, requests, Home Assistant. */
#include "memory.h"

#define AIN(n)                                                 \
    {                                                          \
        .name = "Ain" #n, .kind = TH_SENSOR_ANALOG, .input = n \
    }

static const struct th_sensor inputs[] = {AIN(0), AIN(1), AIN(2), AIN(3),
                                          AIN(4), AIN(5), AIN(6), AIN(7)};

/* This board has no radio: its card stands for the access point's network, whatever its address. */
static void add_page(struct memory *me)
{
    const struct th_config_mode_options options = {
        .requests = &me->requests,
        .arena = &me->arena.mode.page,
        .page = &th_page,
        .bundle = {me->arena.state.settled.in.enrol, sizeof me->arena.state.settled.in.enrol},
        .ap = {10, 0, 2, 15}};

    th_config_mode_init(&me->page, &options);
    th_lwip_listen_init(&me->listener, &me->lwip, PAGE_PORT);
    me->board.listen.ops = &th_lwip_listen_ops;
    me->board.listen.ctx = &me->listener;
}

void add_services(struct memory *me)
{
    const struct th_sensor_service_config sensors = {.fixed = inputs,
                                                     .fixed_count =
                                                         sizeof inputs / sizeof inputs[0],
                                                     .queue = me->readings,
                                                     .queue_room = READINGS};
    uint8_t *answers = me->arena.state.settled.in.mqtt.answers;
    uint8_t *bundle = me->arena.state.settled.in.mqtt.trust;

    th_requests_init(&me->requests, answers, ANSWER_ROOM, bundle, TRUST_ROOM);
    th_requests_lend(&me->requests);
    th_zone_service_init(&me->zones);
    th_sensor_service_init(&me->sensors, &sensors);
    th_discovery_init(&me->discovery, &me->zones, &me->sensors);
    th_requests_add(&me->requests, th_zone_methods(&me->zones));
    th_requests_add(&me->requests, th_sensor_methods(&me->sensors));
    add_page(me);
    me->services[0] = arena_service(me);
    me->services[1] = th_zone_service(&me->zones);
    me->services[2] = th_sensor_service(&me->sensors);
    me->services[3] = th_requests_service(&me->requests);
    me->services[4] = th_discovery_service(&me->discovery);
    me->services[5] = th_config_mode_service(&me->page);
    me->services[6] = th_button_service(&me->button);
    me->config.services = me->services;
    me->config.service_count = SERVICES;
}

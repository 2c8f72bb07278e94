/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device_world.h"

void world_recovers(struct device_world *world)
{
    world->recovers = true;
    th_recovery_init(&world->recovery);
    world->config.recovery = &world->recovery;
}

void world_give_birth(struct device_world *world)
{
    static const uint8_t chain[] = {0x30, 8, 'b', 'i', 'r', 't', 'h', '-', 'c', '1'};
    struct th_factory *factory = &world->device.factory;

    assert_int_equal(th_factory_key_make(factory, &world->crypto, &world->board), TH_OK);
    assert_int_equal(th_factory_certify(factory, th_span_of(chain, sizeof chain)), TH_OK);
}

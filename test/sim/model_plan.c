/* SPDX-License-Identifier: MIT */
/* Plans for the QoS model: nothing wrong, and whatever a seed says. */
#include "qos_model.h"

struct model_plan model_plan_of(uint64_t seed, uint8_t version)
{
    return (struct model_plan){
        .seed = seed,
        .version = version,
        .out_count = 4,
        .in_count = 4,
        .out_qos = 3,
        .in_qos = 3,
        .path = {.latency_min_ms = 3, .latency_max_ms = 20},
        .outbox_room = 2048,
    };
}

/* A number from the seed, which is then another one. */
static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*seed >> 33) % below);
}

static void draw_faults(struct model_plan *plan, uint64_t *seed)
{
    for (int i = 0; i < MODEL_FAULTS_MAX; i++) {
        uint32_t at = 1 + draw(seed, draw(seed, 2) ? 60 : 700);
        switch (draw(seed, 6)) {
        case 0: plan->faults[i].cut_up = at; break;
        case 1: plan->faults[i].cut_down = at; break;
        case 2: plan->faults[i].silent_up = at; break;
        case 3: plan->faults[i].silent_down = at; break;
        default: break;
        }
        if (draw(seed, 3) == 0)
            plan->crash_in_op[i] = 1 + draw(seed, 12);
        plan->crash_after[i] = draw(seed, 2);
    }
}

struct model_plan model_plan_random(uint64_t seed)
{
    uint64_t chance = seed ^ UINT64_C(0x5DEECE66D);
    struct model_plan plan = {.seed = seed};
    plan.version = draw(&chance, 2) ? 5 : 4;
    plan.out_count = (uint8_t)draw(&chance, 40);
    plan.in_count = (uint8_t)draw(&chance, 40);
    plan.out_qos = (uint8_t)(1 + draw(&chance, 3));
    plan.in_qos = (uint8_t)(1 + draw(&chance, 3));
    plan.path.latency_max_ms = draw(&chance, 80);
    plan.path.fragment_max = draw(&chance, 3) ? 0 : 1 + draw(&chance, 30);
    plan.path.window = draw(&chance, 3) ? 0 : 40 + draw(&chance, 400);
    if (draw(&chance, 4) != 0)
        draw_faults(&plan, &chance);
    plan.crash_every_ms = draw(&chance, 3) ? 0 : 200 + draw(&chance, 3000);
    plan.crash_loses_sent = draw(&chance, 2);
    plan.restart_every_ms = draw(&chance, 3) ? 0 : 500 + draw(&chance, 4000);
    plan.loses_session = draw(&chance, 3) == 0;
    plan.faults_until_ms = 2000 + draw(&chance, 6000);
    plan.streams = draw(&chance, 3) == 0;
    plan.kicks = draw(&chance, 8) == 0;
    if (draw(&chance, 4) == 0) {
        plan.medium_fails = 1 + draw(&chance, 40);
        plan.medium_fails_for = 1 + draw(&chance, 3);
    }
    plan.inflight_max = (uint16_t)draw(&chance, 6);
    plan.receive_maximum = (uint16_t)draw(&chance, 6);
    plan.alias_maximum = (uint16_t)(4 * draw(&chance, 2));
    plan.answer_delay_ms = draw(&chance, 2) ? 0 : draw(&chance, 60);
    plan.repeat_percent = (uint8_t)(draw(&chance, 4) ? 0 : draw(&chance, 60));
    plan.outbox_room = (uint16_t)(16 * (30 + draw(&chance, 100)));
    return plan;
}

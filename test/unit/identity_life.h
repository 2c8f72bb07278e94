/* SPDX-License-Identifier: MIT */
/* A device's life from its making to its decommissioning, step by step, on a flash that can be cut
 * in each of them: shared by the tests of factory area, identity and resets. */
#ifndef TEST_IDENTITY_LIFE_H
#define TEST_IDENTITY_LIFE_H

#include <thimble/identity.h>

#include "ports/sim/flash.h"

#define LIFE_FLASH 0x6000u /* bytes */
#define LIFE_STEPS 27

/* Everything that a power cut, or a snapshot, has to bring back. */
struct life_world {
    struct sim_flash flash;
    struct th_identity_store identity;
    struct th_factory factory;
    struct th_log log;
    uint32_t drawn; /* the entropy's only state */
    uint8_t rtc[TH_RTC_BYTES];
    uint8_t cells[LIFE_FLASH], weak[LIFE_FLASH];
};
extern struct life_world life_world;

extern const struct th_flash_map life_map;
extern const struct th_board life_board;
extern const struct th_reset life_reset;
extern const char life_code_one[], life_code_two[], life_password[], life_session_one[],
    life_session_two[];

/* What a device does first. */
enum th_error life_start(uint32_t seed);

/* `middle`: what a step that takes two effects may be found at besides. */
struct life_step {
    const char *name;
    enum th_error (*run)(void);
    enum th_error (*middle)(void);
};
extern const struct life_step life_steps[LIFE_STEPS];

/* Some of the steps. */
enum th_error life_request(void);
enum th_error life_session_first(void);
enum th_error life_session_second(void);
enum th_error life_candidate(void);
enum th_error life_promote(void);
enum th_error life_trust_promote(void);

/* All that can be seen of the device, secrets included. */
struct life_view {
    struct th_identity_report report;
    uint8_t keys[3][TH_SEC1_KEY]; /* in force, next, birth */
    uint32_t chains[3];
    uint32_t trusts[2], session, settings, counters, calibration, rtc;
    char code[TH_SETUP_CODE + 1];
};

void life_see(struct life_view *view);
bool life_same(const struct life_view *a, const struct life_view *b);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Every remote change can be taken back. One engine for settings, trust, identity and firmware: a
 * change holds only after the device has authenticated end to end again under it. At most one
 * candidate is on the device.
 *
 *             begin                 proved
 *   NONE ───────────────► NEW ───────────────────────► NONE (kept)
 *                          │ ▲
 *      evidence against it │ │ the old one fails as well: the surroundings are at fault
 *                          ▼ │
 *                         OLD ───────────────────────► NONE (reverted, with the reason)
 *                                   proved
 *
 * Evidence is `attempts` complete connection attempts that fail in a layer the change can have
 * touched, or `crashes` starts that follow a crash; crashes revert at once. A power cut is no
 * evidence. What belongs to the candidate (a settings record, a slot, a bundle) is its owner's; the
 * engine says which of the two to use, and when to throw one away. Stored form:
 * docs/flash-format.md, chapter "Trial".
 */
#ifndef THIMBLE_TRIAL_H
#define THIMBLE_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include <thimble/failure.h>
#include <thimble/log.h>

enum th_trial_component {
    TH_TRIAL_NOTHING,
    TH_TRIAL_SETTINGS,
    TH_TRIAL_TRUST,
    TH_TRIAL_IDENTITY,
    TH_TRIAL_FIRMWARE,
    TH_TRIAL_COPROC,
};

enum th_trial_state { TH_TRIAL_NONE, TH_TRIAL_NEW, TH_TRIAL_OLD };

#define TH_TRIAL_ATTEMPTS 3 /* default */
#define TH_TRIAL_CRASHES  3

struct th_trial_plan {
    enum th_trial_component component;
    uint16_t layers;  /* bit TH_LAYER_x: a failure there can be the change's fault. 0: any layer */
    uint8_t attempts; /* 0: the default */
    uint8_t crashes;  /* 0: the default */
};

/* What became of the last trial, for reports. */
struct th_trial_report {
    enum th_trial_component component; /* NOTHING: there was none */
    bool kept;
    bool crashed;         /* reverted because of crashes */
    enum th_error reason; /* reverted: the failure that counted last */
    uint16_t swaps;       /* how often both failed, so that the surroundings were at fault */
};

/* Fields private. */
struct th_trial {
    struct th_log *log;
    uint8_t kind;
    uint8_t state, component, attempts, crashes;
    uint8_t failed; /* attempts of the set in use since it is in use; not stored: a power cut starts
                       the count again */
    uint8_t crashed; /* stored */
    uint16_t layers, swaps;
    enum th_error reason;
    struct th_trial_report report;
};

/* What the owner of the candidate must do now, in one go with other stored state; asking again
 * gives the same until it is done. */
enum th_trial_order {
    TH_TRIAL_GO_ON,   /* nothing */
    TH_TRIAL_USE_NEW, /* take the candidate into use: restart the link, full handshake */
    TH_TRIAL_USE_OLD, /* back to the old set, the candidate stays */
    TH_TRIAL_KEEP,    /* the candidate is the set now; the old one may go */
    TH_TRIAL_REVERT,  /* the candidate is thrown away */
};

/* Reads the record. `crash`: this start follows a crash or watchdog; it counts against a candidate
 * in use. Then which set to use: GO_ON (no trial), USE_NEW, USE_OLD or REVERT. */
enum th_trial_order th_trial_load(struct th_trial *trial, struct th_log *log, uint8_t kind,
                                  bool crash);

/* The candidate is stored whole: begins its trial. BAD_STATE: another one is on trial. STORE: not
 * begun. After TH_OK the order is USE_NEW. */
enum th_error th_trial_begin(struct th_trial *trial, const struct th_trial_plan *plan);

/* One complete attempt has failed. `failure` decides whether it counts. */
enum th_trial_order th_trial_failed(struct th_trial *trial, const struct th_failure *failure);

/* The proof succeeded with the set in use: a full handshake, never a resumed one (I11), and a nonce
 * round trip. KEEP or REVERT; the record is gone only after th_trial_done(). */
enum th_trial_order th_trial_proved(struct th_trial *trial);

/* The owner has carried out KEEP or REVERT durably. Until this is called, a start gives the order
 * again. STORE: call it again. */
enum th_error th_trial_done(struct th_trial *trial);

/* True while a candidate is in use: back-off is suspended, stored TLS sessions are not used. */
bool th_trial_running(const struct th_trial *trial);

/* What is on trial, NOTHING when no trial is, and which set is in use then. */
enum th_trial_component th_trial_component(const struct th_trial *trial);
enum th_trial_state th_trial_state(const struct th_trial *trial);

/* How often both sets have failed in this trial. */
uint16_t th_trial_swaps(const struct th_trial *trial);

const struct th_trial_report *th_trial_last(const struct th_trial *trial);

#endif

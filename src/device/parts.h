/* SPDX-License-Identifier: MIT */
/*
 * What the files of the device share.
 *
 *   start.c   out of the flash into a mode          link.c    what the link tells, what is sent
 *   wire.c    stored things into a configuration    trial.c   the engine's orders
 *   loop.c    one step, deadline                    ask.c     requests to agent and user: proof,
 * time change.c  changes that begin a trial            tell.c    lines for the console
 *   recovery.c  the other listener, where the configuration names it
 */
#ifndef TH_DEVICE_PARTS_H
#define TH_DEVICE_PARTS_H

#include <thimble/device.h>
#include <thimble/time.h>

#include "base/off_stack.h"
#include "base/text.h"

/* Bits of `todo`: what is to be sent once the connection is up, in this order. */
enum todo {
    TODO_SUBSCRIBE = 1,
    TODO_STATUS = 2,
    TODO_HELLO = 4,
    TODO_PROOF = 8,
    TODO_TIME = 16,
    TODO_HISTORY = 32,
};

/* ---- start.c ---- */

/* Chooses the mode by settings and identity, wires and begins it; again after each order of the
 * trial engine. */
void th_device_enter(struct th_device *device, uint32_t now_ms);

void th_device_store_crashes(struct th_device *device, uint8_t crashes);

/* ---- wire.c ---- */

/* The settings, trust set and identity in use into configurations. OK, or why it cannot be: then
 * nothing is linked. */
enum th_error th_device_wire(struct th_device *device);
/* Identity, brokers and session alone, of a link that goes on. */
enum th_error th_device_wire_again(struct th_device *device);
/* The brokers of that kind in the trust set. CONFIG: there is none. */
enum th_error th_device_wire_listed(struct th_device *device, enum th_trust_item_kind kind);
void th_device_wire_wifi(struct th_device *device);

void th_device_text(struct th_device *device, const char *name,
                    char into[TH_SETTING_VALUE_MAX + 1]);
int32_t th_device_number(struct th_device *device, const char *name);
/* The pins of that setting, such as "5,4,14"; the first of them, -1: none. */
bool th_device_pin_named(struct th_device *device, const char *name, uint8_t pin);
int th_device_first_pin(struct th_device *device, const char *name);

/* ---- link.c ---- */

void th_device_link_step(struct th_device *device, uint32_t now_ms);

/* The session in RTC memory. */
void th_device_recall_session(struct th_device *device);
void th_device_keep_session(struct th_device *device);

/* A failure for the history, the console and a trial; of Wi-Fi as well. */
void th_device_failed(struct th_device *device, const struct th_failure *failure, bool complete,
                      uint32_t now_ms);

/* ---- change.c ---- */

/* Puts another mode on trial, "config" or "mqtt"; nobody can be asked for its proof. OK also where
 * it is that already. Errors as th_device_try_settings(). */
enum th_error th_device_try_mode(struct th_device *device, const char *mode, uint32_t now_ms);

/* ---- trial.c ---- */

/* A candidate is on trial and no order of the engine waits to be carried out. */
bool th_device_trying(const struct th_device *device);

/* The engine's order, to be carried out by the first step after `in_ms`. */
void th_device_order(struct th_device *device, enum th_trial_order order, uint32_t in_ms,
                     uint32_t now_ms);
void th_device_order_step(struct th_device *device, uint32_t now_ms);

/* Carries out KEEP or REVERT; what cannot be stored is tried again later. */
void th_device_settle(struct th_device *device, enum th_trial_order order, uint32_t now_ms);

/* The set in use: one complete attempt has failed; it cannot even be begun with; it has proved
 * itself. */
void th_device_attempt_failed(struct th_device *device, const struct th_failure *failure,
                              uint32_t now_ms);
void th_device_hopeless(struct th_device *device, const struct th_failure *failure,
                        uint32_t now_ms);
void th_device_proved(struct th_device *device, uint32_t now_ms);

/* ---- ask.c ---- */

/* Sends what is due; false when there was no room. */
bool th_device_ask_proof(struct th_device *device, uint32_t now_ms);
bool th_device_ask_time(struct th_device *device, uint32_t now_ms);
/* True when the message answers one of them. */
bool th_device_answered(struct th_device *device, const struct th_mqtt_message *message,
                        uint32_t now_ms);
void th_device_ask_step(struct th_device *device, uint32_t now_ms);
uint32_t th_device_ask_deadline(const struct th_device *device, uint32_t now_ms);
/* The caller in <device>/from/<caller>/rpc; empty in other topics. */
struct th_span th_device_caller(const struct th_device *device, struct th_span topic);
/* The name of the agent in the trust set; empty when there is none. */
struct th_span th_device_agent(const struct th_device *device);

/* ---- change.c ---- */

/* The sequence number of the trust set in force; 0: none. */
uint32_t th_device_trust_sequence(const struct th_device *device);

/* ---- tell.c ---- */

/* On the console alone: what must not leave the device. */
void th_device_show(const struct th_device *device, const char *line);
void th_device_say(const struct th_device *device, const char *line); /* TH_LEVEL_INFO */
void th_device_tell_start(struct th_device *device);
void th_device_tell_mode(struct th_device *device);
void th_device_tell_failure(struct th_device *device, const struct th_failure *failure,
                            uint32_t retry_ms);
void th_device_tell_address(struct th_device *device, const uint8_t address[4]);

/* ---- clock ---- */

/* What was signed may raise the floor; then it is stored. */
void th_device_raise_floor(struct th_device *device, int64_t signed_s, uint32_t now_ms);

#endif

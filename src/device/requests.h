/* SPDX-License-Identifier: MIT */
/* What the files of the requests service share. */
#ifndef TH_DEVICE_REQUESTS_H
#define TH_DEVICE_REQUESTS_H

#include <thimble/requests.h>

#define REQUESTS_ANSWER_MS 1000 /* so long an answer has to leave before the device restarts */

/* Methods of the device itself; the context is the struct th_requests. */
extern const struct th_rpc_method th_requests_methods[];
extern const uint8_t th_requests_method_count;

/* The device restarts when the answer has had its time. */
void th_requests_restart(struct th_requests *requests, uint32_t now_ms);

/* The same, and it erases itself before. */
void th_requests_reset(struct th_requests *requests, enum th_reset_kind kind, uint32_t now_ms);

/* The answer to an error of the device's own calls. */
void th_requests_fail(struct th_rpc_call *call, enum th_error error);

/* ---- requests_config.c ---- */
void th_requests_config_get(void *ctx, struct th_rpc_call *call);
void th_requests_config_set(void *ctx, struct th_rpc_call *call);
void th_requests_mode_set(void *ctx, struct th_rpc_call *call);

#endif

/* SPDX-License-Identifier: MIT */
/* What the files of configuration mode share. */
#ifndef TH_DEVICE_CONFIG_MODE_H
#define TH_DEVICE_CONFIG_MODE_H

#include <thimble/config_mode.h>

/* ---- config_mode_http.c ---- */

/* Answers a whole request, once. */
void config_mode_answer(struct th_config_mode *mode, const struct th_http_request *request,
                        uint32_t now_ms);

/* ---- config_mode_methods.c: the context is the struct th_config_mode ---- */
extern const struct th_rpc_method config_mode_methods[];
extern const uint8_t config_mode_method_count;

#endif

/* SPDX-License-Identifier: MIT */
/* What the files of the zone service share. */
#ifndef TH_DEVICE_ZONE_SERVICE_H
#define TH_DEVICE_ZONE_SERVICE_H

#include <thimble/json.h>
#include <thimble/zone_service.h>

#define ZONE_STATUS_MAX 96 /* bytes of a zone's status as JSON */
#define ZONE_METHODS    3

extern const struct th_rpc_method th_zone_method_table[ZONE_METHODS];

/* {"zone":2,"on":true,"actual":true,"seconds":105,"cause":"command"} */
void th_zone_put_status(struct th_zone_service *service, uint8_t zone, uint32_t now_ms,
                        struct th_json_writer *json);

/* A line for the log: what the zone does now, and why. */
void th_zone_say(struct th_zone_service *service, uint8_t zone, uint32_t now_ms);

#endif

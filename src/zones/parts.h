/* SPDX-License-Identifier: MIT */
/* What the files of the zones share. */
#ifndef TH_ZONES_PARTS_H
#define TH_ZONES_PARTS_H

#include <thimble/zones.h>

/* `zone` from 0. */
enum th_zone_answer zones_switch_on(struct th_zones *zones, uint8_t zone, uint32_t seconds,
                                    enum th_zone_cause cause, uint32_t now_ms);

/* True when it may go on without another one going off. */
bool zones_free_for(const struct th_zones *zones, uint8_t zone);

void zones_starts_tick(struct th_zones *zones, const struct th_clock_view *clock, uint32_t now_ms);

/* No start waits any more. */
void zones_starts_drop(struct th_zones *zones);

#endif

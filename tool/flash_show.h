/* SPDX-License-Identifier: MIT */
/* What lies on a flash, for people and as JSON. Secrets are only said to be there. */
#ifndef TOOL_FLASH_SHOW_H
#define TOOL_FLASH_SHOW_H

#include "flash_image.h"
#include "view.h"

void flash_show_map(struct view *view, const struct flash_image *image);
void flash_show_boot(struct view *view, struct flash_image *image);
void flash_show_log(struct view *view, struct flash_image *image);
void flash_show_factory(struct view *view, struct flash_image *image);
void flash_show_identity(struct view *view, struct flash_image *image);
void flash_show_slots(struct view *view, const struct flash_image *image);

/* Wear and use of an area that is a log. */
void flash_show_units(struct view *view, const struct flash_image *image, enum th_flash_use use);

#endif

/* SPDX-License-Identifier: MIT */
/* The registry's tables, and how those of an older version become the present ones. */
#ifndef TOOL_REGISTRY_SCHEMA_H
#define TOOL_REGISTRY_SCHEMA_H

#include "registry.h"

/* Old or new, never half. A newer version is EXIT_INPUT; foreign keys must be off. */
int registry_migrate(struct registry *registry);

/* Says what SQLite last reported, and the next step. */
int registry_failed(struct registry *registry, const char *doing);

#endif

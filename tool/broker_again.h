/* SPDX-License-Identifier: MIT */
/* The options of `broker init`, kept in the registry: --replace alone repeats them. */
#ifndef TOOL_BROKER_AGAIN_H
#define TOOL_BROKER_AGAIN_H

#include "mosquitto.h"
#include "options.h"

#define BROKER_AGAIN_WORDS 40

struct broker_again {
    char text[REGISTRY_TEXT_MAX];
    char *words[BROKER_AGAIN_WORDS]; /* as argv has them */
    int count;
};

/* What `plan` and the named hosts are, as options; inside a transaction. More than fit are not
 * kept: half of them would be worse than none. */
int broker_again_keep(struct registry *registry, const struct mosquitto_plan *plan,
                      const struct words *hosts);

/* False where there is nothing to repeat. */
bool broker_again_read(const char *dir, struct broker_again *out);

#endif

/* SPDX-License-Identifier: MIT */
/* What a bundle says, for people and as JSON. Any file is taken; what is damaged is refused. */
#ifndef TOOL_TRUST_SHOW_H
#define TOOL_TRUST_SHOW_H

#include "home.h"
#include "trust_key.h"

/* `keys`: who may have signed it, besides the keys that its own trust set names. EXIT_OK only for
 * a bundle whose content and signature are right; a bundle that is signed by a key nobody here
 * knows is shown and EXIT_INPUT. */
int trust_show(const char *path, const struct trust_key *keys, size_t key_count);

#endif

/* SPDX-License-Identifier: MIT */
/* The one write by which places change their meaning. Private to src/store. */
#ifndef TH_STORE_IDENTITY_H
#define TH_STORE_IDENTITY_H

#include <thimble/identity.h>

/* Makes the index of `next` the store's; everything that it does not name is erased, but for the
 * kinds in `also`. */
enum th_error identity_commit(struct th_identity_store *store, const struct th_identity_store *next,
                              uint32_t also);

#endif

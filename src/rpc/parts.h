/* SPDX-License-Identifier: MIT */
#ifndef TH_RPC_PARTS_H
#define TH_RPC_PARTS_H

#include <thimble/rpc.h>

bool rpc_role_allows(const struct th_rpc_method *method, enum th_role role);

/* Fills call->params from the frame's object; false after th_rpc_fail(). */
bool rpc_params_take(struct th_rpc_call *call, struct th_json params);

/* What was answered to this caller's nonce; NULL when it is not among the last ones. */
const struct th_rpc_kept *rpc_kept_find(const struct th_rpc *rpc, struct th_span caller,
                                        const char *nonce);

/* Remembers the answer in place of the oldest. A result that does not fit counts as an error of the
 * method's table and is remembered as TH_RPC_INTERNAL. */
void rpc_kept_add(struct th_rpc *rpc, struct th_span caller, const char *nonce,
                  const struct th_rpc_call *call, struct th_span result);

#endif

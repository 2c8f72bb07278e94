/* SPDX-License-Identifier: MIT */
/* The last answers by caller and nonce, so that a repeated command does not act twice (F11). */
#include "rpc/parts.h"

/* FNV-1a, 64 bits. Nonces are random and seen by nobody but their caller, so that nobody else can
 * aim at them; a caller who collides with itself harms itself. */
static uint64_t digest_of(struct th_span caller, const char *nonce)
{
    uint64_t digest = 0xCBF29CE484222325;

    for (size_t i = 0; i < caller.len; i++)
        digest = (digest ^ caller.at[i]) * 0x100000001B3;
    digest = digest * 0x100000001B3; /* a zero between: names have none */
    for (; *nonce; nonce++)
        digest = (digest ^ (uint8_t)*nonce) * 0x100000001B3;
    return digest;
}

const struct th_rpc_kept *rpc_kept_find(const struct th_rpc *rpc, struct th_span caller,
                                        const char *nonce)
{
    uint64_t digest = digest_of(caller, nonce);

    for (unsigned i = 0; i < TH_RPC_KEPT; i++) {
        if (rpc->kept[i].used && rpc->kept[i].digest == digest)
            return &rpc->kept[i];
    }
    return NULL;
}

void rpc_kept_add(struct th_rpc *rpc, struct th_span caller, const char *nonce,
                  const struct th_rpc_call *call, struct th_span result)
{
    struct th_rpc_kept *kept = &rpc->kept[rpc->oldest];

    rpc->oldest = (uint8_t)((rpc->oldest + 1) % TH_RPC_KEPT);
    *kept = (struct th_rpc_kept){.used = true,
                                 .digest = digest_of(caller, nonce),
                                 .code = (uint16_t)call->code,
                                 .message = call->message};
    if (call->code != TH_RPC_OK)
        return;
    kept->len = (uint8_t)result.len;
    memcpy(kept->result, result.at, result.len);
}

/* SPDX-License-Identifier: MIT */
/* Which listener is tried: main and recovery in turn, once our certificate was refused (I7). */
#include <thimble/time.h>

#include "net/link_parts.h"

/* What a broker says of our certificate by an alert. */
static bool is_refusal(enum th_error error)
{
    return error == TH_ERR_TRUST_WE_ARE_UNKNOWN || error == TH_ERR_TRUST_WE_ARE_EXPIRED ||
           error == TH_ERR_TRUST_WE_ARE_REVOKED || error == TH_ERR_TRUST_WE_ARE_REFUSED;
}

bool th_link_turn_due(struct th_link *link, const struct th_failure *failure, uint32_t retry_ms)
{
    if (link->listener == TH_LINK_MAIN && is_refusal(failure->error))
        link->recovering = true;
    return link->recovering && retry_ms != 0 && link->pass == 0;
}

/* The list of brokers is another: the one that was good last has no place in it. */
void th_link_turn(struct th_link *link, enum th_link_listener to, uint32_t now_ms)
{
    bool waits = link->state == TH_LINK_WAITING;
    link->listener = (uint8_t)to;
    link->good = 0;
    th_link_session_bind(link);
    uint32_t until_ms = link->until_ms, backoff_ms = link->backoff_ms;
    uint32_t wait_ms = th_link_retry_pass(link);
    if (waits) { /* that is the wait it has drawn before */
        link->backoff_ms = backoff_ms;
        wait_ms = th_time_until(now_ms, until_ms);
    }
    th_link_wait(link, wait_ms, now_ms);
}

enum th_link_listener th_link_listener(const struct th_link *link)
{
    return (enum th_link_listener)link->listener;
}

bool th_link_recovering(const struct th_link *link)
{
    return link->recovering;
}

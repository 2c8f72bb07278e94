/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "net/link_parts.h"

/* Where th_session_seal() wants the library's part to stand: before it the bond, behind it a CRC.
 */
#define SESSION_AT (TH_SESSION_OVERHEAD - 4)

const char *th_link_server_name(const struct th_link *link)
{
    const struct th_broker *broker = &link->config->brokers[link->broker];
    return broker->server_name != NULL ? broker->server_name : broker->host;
}

/* ---- memory of the handshake ---- */

static struct th_span take_scratch(struct th_link *link)
{
    const struct th_link_config *config = link->config;
    size_t size = config->tls.ops->scratch_size;
    if (size == 0 || config->loan.ops == NULL)
        return config->scratch;
    struct th_span scratch = config->loan.ops->take(config->loan.ctx, size);
    link->lent = scratch.at != NULL;
    return scratch;
}

void th_link_tls_give_back(struct th_link *link)
{
    if (!link->lent)
        return;
    link->lent = false;
    link->config->loan.ops->give_back(link->config->loan.ctx);
}

/* ---- the stored session ---- */

/* The policy's digest does not cover which server it is applied to: a session made with one host
 * must not be offered to another that has taken its place in the list. */
static void bind_name(struct th_session_bond *bond, const struct th_link *link)
{
    const struct th_hash_ops *sha256 = link->config->tls.ops->hashes->sha256;
    struct th_span name = th_span_str(th_link_server_name(link));
    union th_hash_state state;
    sha256->init(&state);
    sha256->update(&state, bond->policy, sizeof bond->policy);
    sha256->update(&state, name.at, name.len);
    sha256->out(&state, bond->policy);
}

static struct th_session_bond bond_of(const struct th_link *link)
{
    struct th_session_bond bond = {.broker = link->broker};
    memcpy(bond.policy, link->policy_digest, sizeof bond.policy);
    memcpy(bond.certificate, link->certificate_digest, sizeof bond.certificate);
    bind_name(&bond, link);
    return bond;
}

void th_link_session_bind(struct th_link *link)
{
    const struct th_link_config *config = link->config;
    struct th_session_bond bond;
    if (config->plaintext || config->session == NULL)
        return;
    th_session_digests(&bond, config->tls_config->trust, config->tls_config->identity,
                       config->tls.ops->hashes);
    memcpy(link->policy_digest, bond.policy, sizeof bond.policy);
    memcpy(link->certificate_digest, bond.certificate, sizeof bond.certificate);
}

void th_link_session_drop(struct th_link *link)
{
    const struct th_link_config *config = link->config;
    if (config->session == NULL)
        return;
    volatile uint8_t *secret = config->session; /* or the compiler may leave the wiping out */
    for (size_t i = 0; i < config->session_room; i++)
        secret[i] = 0;
    *config->session_len = 0;
}

static struct th_span open_session(struct th_link *link)
{
    const struct th_link_config *config = link->config;
    if (config->session == NULL || *config->session_len == 0 ||
        *config->session_len > config->session_room)
        return (struct th_span){NULL, 0};
    struct th_session_bond bond = bond_of(link);
    struct th_span stored = th_span_of(config->session, *config->session_len);
    struct th_span session = th_session_open(stored, &bond, &config->tls_config->trust->clock);
    link->session_not_after_s = bond.not_after_s;
    return session;
}

void th_link_session_store(struct th_link *link)
{
    const struct th_link_config *config = link->config;
    if (config->session == NULL || config->session_room <= TH_SESSION_OVERHEAD)
        return;
    /* The old one stays where there is no new one: TLS 1.3 has none before the server's ticket. */
    struct th_session_bond bond = bond_of(link);
    bond.not_after_s = link->session_not_after_s;
    size_t len = config->tls.ops->session(config->tls.ctx, config->session + SESSION_AT,
                                          config->session_room - TH_SESSION_OVERHEAD);
    if (len == 0)
        return;
    *config->session_len = th_session_seal(config->session, config->session_room, len, &bond);
    link->session_stored = *config->session_len > 0;
}

/* ---- the handshake ---- */

bool th_link_tls_begin(struct th_link *link, uint32_t now_ms)
{
    const struct th_link_config *config = link->config;
    struct th_tls_start start = {
        .config = config->tls_config,
        .server_name = th_link_server_name(link),
        .wire = link->wire,
        .scratch = take_scratch(link),
    };
    if (start.scratch.len < config->tls.ops->scratch_size) {
        th_link_tls_give_back(link);
        return false;
    }
    start.session = open_session(link);
    link->tried_session = start.session.len > 0;
    if (!link->tried_session)
        th_link_session_drop(link);
    link->stream = config->tls.ops->start(config->tls.ctx, &start, now_ms);
    link->stream_open = true;
    return true;
}

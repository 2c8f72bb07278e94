/* SPDX-License-Identifier: MIT */
/* One handshake as a device would make it, without MQTT: name, TCP, TLS, and a moment's wait for
 * what a server says only after the handshake (TLS 1.3: that it refuses our certificate). */
#ifndef TOOL_JUDGE_H
#define TOOL_JUDGE_H

#include "peer.h"

struct judge {
    struct peer peer;
    struct th_address addresses[TH_LINK_ADDRESSES_MAX];
    uint8_t address_count, address_at;
    bool tcp, tls; /* how far it came */
    uint32_t tcp_ms, tls_ms;
    struct th_tls_info info;
    struct th_failure failure; /* .error TH_OK: this server is ours */
};

/* `flags->host` and `port` say whom. Fills the rest; the failure is in `judge`. EXIT_OK, or the
 * code of an error with flags or files that was printed. */
int judge_open(struct judge *judge, struct th_linux *loop, const struct peer_flags *flags);
void judge_run(struct judge *judge);
void judge_close(struct judge *judge);

#endif

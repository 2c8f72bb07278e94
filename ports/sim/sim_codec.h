/* SPDX-License-Identifier: MIT */
/* MQTT packets as a server reads and writes them; written from the specification for the simulated
 * broker alone. */
#ifndef TH_SIM_CODEC_H
#define TH_SIM_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/span.h>

enum sim_packet {
    SIM_CONNECT = 1,
    SIM_CONNACK,
    SIM_PUBLISH,
    SIM_PUBACK,
    SIM_PUBREC,
    SIM_PUBREL,
    SIM_PUBCOMP,
    SIM_SUBSCRIBE,
    SIM_SUBACK,
    SIM_UNSUBSCRIBE,
    SIM_UNSUBACK,
    SIM_PINGREQ,
    SIM_PINGRESP,
    SIM_DISCONNECT,
};

/* ---- reading: what is not there reads as zero and makes `bad` true ---- */

struct sim_in {
    const uint8_t *at;
    size_t len;
    bool bad;
};

uint8_t sim_in_u8(struct sim_in *in);
uint16_t sim_in_u16(struct sim_in *in);
uint32_t sim_in_u32(struct sim_in *in);
struct th_span sim_in_text(struct sim_in *in); /* two bytes of length, then so many */

/* Properties the broker acts on; the others are read over. */
struct sim_properties {
    uint32_t session_expiry_s, will_delay_s;
    uint16_t receive_maximum, alias; /* 0: none */
};
struct sim_properties sim_in_properties(struct sim_in *in);

/* How long the packet at the beginning of `bytes` is with its fixed header: 0 while that cannot be
 * known yet, SIZE_MAX when no packet begins so. `*head`: of that, the fixed header. */
size_t sim_packet_length(const uint8_t *bytes, size_t len, size_t *head);

/* ---- writing ---- */

struct sim_out {
    uint8_t *bytes;
    size_t len, room;
};

void sim_out_u8(struct sim_out *out, uint8_t value);
void sim_out_u16(struct sim_out *out, uint16_t value);
void sim_out_bytes(struct sim_out *out, struct th_span bytes);
void sim_out_text(struct sim_out *out, struct th_span text);

/* Puts the fixed header before what was written since the packet began at `from`. */
void sim_out_packet(struct sim_out *out, size_t from, enum sim_packet type, uint8_t flags);

#endif

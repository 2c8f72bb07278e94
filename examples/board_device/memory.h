/* SPDX-License-Identifier: MIT */
/*
 * The memory of the device on a small board: nothing else is ever reserved.
 *
 * What is needed at different times lies in one arena. Nobody gives any of it back: the next one
 * takes it, and whoever had it forgets what was there.
 *
 *   configuration mode   page        the page's server; there is no link, and no TLS
 *                        settled     a change of settings, an enrolment's bundle
 *   MQTT mode            mqtt        TLS engine, record buffers, packets that come in
 *     no connection      handshake   X.509 and the trust check
 *     connected          settled     a change of settings, a trust bundle, answers that wait
 */
#ifndef BOARD_DEVICE_MEMORY_H
#define BOARD_DEVICE_MEMORY_H

#include <thimble/button_service.h>
#include <thimble/config_mode.h>
#include <thimble/device.h>
#include <thimble/discovery.h>
#include <thimble/requests.h>
#include <thimble/sensor_service.h>
#include <thimble/tls_bearssl.h>
#include <thimble/zone_service.h>

#include "../../ports/lwip/listen.h"
#include "../../ports/lwip/th_lwip.h"
#include "../../ports/lwip/udp.h"

#define FRAGMENT    512
#define TRUST_ROOM  1536 /* manifest and trust set; a larger bundle is refused */
#define CHAIN_ROOM  768
#define LOAN_BYTES  (sizeof(void *) == 4 ? 4144 : 4640)
#define RX_ROOM     1216 /* the largest request, TH_RPC_FRAME_MAX, its topic and its properties */
#define ANSWER_ROOM 1072 /* the largest answer, its topic and its correlation data */
#define OUTBOX_ROOM 1280
#define READINGS    32 /* of sensors, while there is no connection */
#define SERVICES    7
#define PAGE_PORT   80

/* What fills the queue of answers must go into the outbox in one piece: else it would wait there
 * for ever. Its topic is in both; an MQTT packet adds less than a step of the outbox. */
_Static_assert(OUTBOX_ROOM >= ANSWER_ROOM + 2 * TH_OUTBOX_RAM_OVERHEAD, "an answer must fit");

struct arena {
    union {
        uint64_t align;
        struct {
            struct th_bearssl tls;
            uint8_t tls_in[TH_BEARSSL_IN(FRAGMENT)], tls_out[TH_BEARSSL_OUT(FRAGMENT)];
            uint8_t rx[RX_ROOM];
        } mqtt;
        struct th_config_mode_arena page;
    } mode;
    union {
        uint64_t align;
        uint8_t handshake[LOAN_BYTES];
        struct {
            uint8_t work[TH_SETTINGS_MAX];
            union {
                struct {
                    uint8_t trust[TRUST_ROOM], answers[ANSWER_ROOM];
                } mqtt;
                uint8_t enrol[TRUST_ROOM + ANSWER_ROOM];
            } in;
        } settled;
    } state;
};

struct memory {
    struct th_board board;
    struct th_lwip lwip;
    struct th_lwip_udp udp;
    struct th_crypto crypto;
    struct th_outbox_ram outbox;
    struct th_device_config config;
    struct th_device device;
    struct th_requests requests;
    struct th_zone_service zones;
    struct th_sensor_service sensors;
    struct th_discovery discovery;
    struct th_config_mode page;
    struct th_lwip_listen listener;
    struct th_button_service button;
    struct th_service services[SERVICES];
    struct th_sensor_reading readings[READINGS];
    uint8_t session[TH_SESSION_BEARSSL], trust[TRUST_ROOM], chain[CHAIN_ROOM];
    uint64_t outbox_bytes[OUTBOX_ROOM / 8];
    uint16_t inbound[4];
    struct arena arena;
    uint8_t mode; /* whose the arena is: enum th_device_mode */
    bool begun;
};

/* services.c: what the device does, into the configuration. */
void add_services(struct memory *me);

/* arena.c: gives the arena to the mode that is entered; the first of the services. */
struct th_service arena_service(struct memory *me);

#endif

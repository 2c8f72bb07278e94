/* SPDX-License-Identifier: MIT */
/* DHCP, DNS and multicast DNS on one interface, while the device is in configuration mode. */
#ifndef TH_LINUX_DEVICE_ACCESS_POINT_H
#define TH_LINUX_DEVICE_ACCESS_POINT_H

#include <thimble/access_point.h>
#include <thimble/config_mode.h>
#include <thimble/device.h>
#include <thimble/linux.h>

struct access_point {
    struct th_linux *loop;
    struct th_ap_config config;
    struct th_dhcp dhcp;
    struct th_mdns mdns;
    char interface[16], portal[48], name[TH_NAME_MAX + 1];
    struct th_linux_watch watches[3]; /* DHCP, DNS, multicast DNS */
    int sockets[3];
    int error; /* errno of what was in the way */
    bool open, tried;
    uint8_t announcements; /* still to be sent */
    uint32_t announce_at_ms;
};

/* `text` is INTERFACE=ADDRESS; NULL: none. False: it is no such text. Opens nothing yet. */
bool access_point_init(struct access_point *point, const char *text, struct th_linux *loop);

/* Opens and closes with the page, answers what has come; returns when to call again. What is in the
 * way is said once for each time the page opens. */
uint32_t access_point_step(struct access_point *point, const struct th_device *device,
                           const struct th_config_mode *page,
                           const struct th_linux_listen *listener, uint32_t now_ms);
void access_point_close(struct access_point *point);

#endif

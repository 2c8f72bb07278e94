/* SPDX-License-Identifier: MIT */
/* R10: datagrams of any bytes to DHCP, DNS and multicast DNS. An answer fits its room, and an
 * answer fed back as a question is answered by nobody. The first byte says whom they are for, two
 * bytes the length of each. */
#include <stdlib.h>
#include <string.h>

#include <thimble/access_point.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct th_ap_config config = {.address = {192, 168, 4, 1}, .portal = "http://x/"};
static const struct th_mdns mdns = {.address = {192, 168, 4, 1}, .name = "garden", .port = 80};
static uint8_t answer[TH_AP_PACKET_MAX], again[TH_AP_PACKET_MAX];

static void check_dhcp(struct th_dhcp *dhcp, struct th_span packet, uint32_t now_ms)
{
    uint8_t to[4], back[4];
    size_t len = th_dhcp_answer(dhcp, packet, now_ms, answer, sizeof answer, to);

    if (len == 0)
        return;
    uint8_t host = answer[19];
    bool gives = answer[16] != 0;
    if (len < 300 || len > sizeof answer || answer[0] != 2 ||
        (gives && (memcmp(answer + 16, config.address, 3) != 0 || host < 2 || host > 9)) ||
        th_dhcp_answer(dhcp, th_span_of(answer, len), now_ms, again, sizeof again, back) != 0)
        abort();
}

static void check_dns(struct th_span packet)
{
    size_t len = th_dns_answer(&config, packet, answer, sizeof answer);

    if (len > packet.len + 16 ||
        (len > 0 && th_dns_answer(&config, th_span_of(answer, len), again, sizeof again) != 0))
        abort();
}

static void check_mdns(struct th_span packet, uint16_t port)
{
    bool direct = false;
    size_t len = th_mdns_answer(&mdns, packet, port, answer, sizeof answer, &direct);

    if (len > sizeof answer || (port != TH_MDNS_PORT && len > 0 && !direct) ||
        (len > 0 &&
         th_mdns_answer(&mdns, th_span_of(answer, len), port, again, sizeof again, &direct) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct th_dhcp dhcp;
    uint32_t now_ms = UINT32_MAX - 100000;

    th_dhcp_init(&dhcp, &config);
    while (size >= 3) {
        size_t len = (size_t)data[1] << 8 | data[2];
        uint8_t whom = data[0];
        data += 3;
        size -= 3;
        len = len < size ? len : size;
        uint8_t *exact = malloc(len > 0 ? len : 1);
        memcpy(exact, data, len);
        struct th_span packet = th_span_of(exact, len);
        now_ms += (whom & 0xF0u) * 500;
        switch (whom % 4) {
        case 0: check_dhcp(&dhcp, packet, now_ms); break;
        case 1: check_dns(packet); break;
        case 2: check_mdns(packet, TH_MDNS_PORT); break;
        default: check_mdns(packet, 40000); break;
        }
        free(exact);
        data += len;
        size -= len;
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* An outside program: it links a session, both backends' names and the topic matcher. */
#include <stdio.h>

#include <thimble/thimble.h>
#include <thimble/tls_bearssl.h>
#include <thimble/tls_openssl.h>

int main(void)
{
    static struct th_mqtt mqtt;
    static uint8_t rx[256];
    const struct th_mqtt_config config = {
        .version = &th_mqtt_v311,
        .client_id = TH_SPAN("outside"),
        .rx = rx,
        .rx_room = sizeof rx,
    };
    enum th_error error = th_mqtt_init(&mqtt, &config);
    if (error) {
        printf("th_mqtt_init: %s\n", th_error_text(error));
        return 1;
    }
    printf("%s, %s\n", th_tls_bearssl.name, th_tls_openssl.name);
    return th_topic_match(TH_SPAN("garden/+"), TH_SPAN("garden/status")) ? 0 : 1;
}

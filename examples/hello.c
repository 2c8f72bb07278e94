/* SPDX-License-Identifier: MIT */
/* Connects over mutual TLS, says hello on NAME/status, and says why when it cannot. */
#include <stdio.h>
#include <stdlib.h>

#include <thimble/linux_client.h>
#include <thimble/tls_openssl.h>

static struct th_linux_client client;
static struct th_openssl_shared shared;
static struct th_openssl openssl;
static uint8_t rx[4096], tx[4096];

static int complain(const struct th_failure *failure)
{
    char text[256];
    th_failure_text(failure, text, sizeof text);
    fprintf(stderr, "%s\n  %s\n", text, th_error_remedy(failure->error));
    return 1;
}

int main(int argc, char **argv)
{
    struct th_failure failure;
    struct th_link_event event;
    char topic[64];
    if (argc != 7 || !th_openssl_shared_init(&shared)) {
        fprintf(stderr, "usage: hello HOST PORT CA CERTIFICATE KEY NAME\n");
        return 2;
    }
    th_openssl_init(&openssl, &shared, rx, sizeof rx, tx, sizeof tx);
    const struct th_linux_client_options options = {
        argv[1], (uint16_t)strtoul(argv[2], NULL, 10), argv[3],     argv[4], argv[5],
        argv[6], {&th_tls_openssl, &openssl},          {NULL, NULL}};
    if (th_linux_client_open(&client, &options, &failure))
        return complain(&failure);
    snprintf(topic, sizeof topic, "%s/status", argv[6]);
    const struct th_mqtt_publish hello = {.topic = th_span_str(topic), .payload = TH_SPAN("hello")};
    while (th_linux_client_next(&client, TH_FOREVER, &event) &&
           event.kind != TH_LINK_EVENT_STOPPED) {
        if (event.kind == TH_LINK_EVENT_FAILED)
            complain(&event.u.failed.failure); /* and the link tries again by itself */
        if (event.kind == TH_LINK_EVENT_MQTT && event.u.mqtt.kind == TH_MQTT_EVENT_CONNECTED &&
            th_mqtt_publish(&client.mqtt, &hello, NULL) == TH_OK)
            th_linux_client_stop(&client);
    }
    th_linux_client_close(&client);
}

/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <thimble/linux_client.h>

#define SESSION_KEPT_S 86400

static void configure_tls(struct th_linux_client *client)
{
    client->trust = (struct th_trust){
        .anchors = client->ca.at,
        .anchor_count = client->ca.count,
        .clock = {.kind = TH_CLOCK_TRUSTED, .now_s = time(NULL)},
    };
    client->tls = (struct th_tls_config){
        .trust = &client->trust,
        .identity = client->us.key ? &client->us.identity : NULL,
        .board = &client->board,
    };
}

static void configure(struct th_linux_client *client, const struct th_linux_client_options *options)
{
    size_t scratch = options->tls.ops->scratch_size;
    bool keeps = options->outbox.ops != NULL;

    configure_tls(client);
    client->broker = (struct th_broker){.host = options->host, .port = options->port};
    client->config = (struct th_link_config){
        .board = &client->board,
        .brokers = &client->broker,
        .broker_count = 1,
        .tls = options->tls,
        .tls_config = &client->tls,
        .scratch = {client->scratch, scratch},
    };
    client->session = (struct th_mqtt_config){
        .version = &th_mqtt_v5,
        .client_id = th_span_str(options->client_id),
        .clean_start = !keeps,
        .session_expiry_s = keeps ? SESSION_KEPT_S : 0,
        .outbox = options->outbox,
        .rx = client->rx,
        .rx_room = sizeof client->rx,
        .large = &th_mqtt_large,
        .fields = &th_mqtt_connect_fields,
    };
}

static enum th_error load(struct th_linux_client *client,
                          const struct th_linux_client_options *options, struct th_failure *failure)
{
    enum th_error error = th_linux_certificates_load(&client->ca, options->ca, failure);

    if (error == TH_OK && options->certificate)
        error = th_linux_identity_load(&client->us, options->certificate, options->key, failure);
    return error;
}

enum th_error th_linux_client_open(struct th_linux_client *client,
                                   const struct th_linux_client_options *options,
                                   struct th_failure *failure)
{
    memset(client, 0, sizeof *client);
    *failure = th_failure_of(TH_ERR_CONFIG);
    if (!options->host || !options->ca || !options->tls.ops ||
        !options->certificate != !options->key)
        return TH_ERR_CONFIG;
    client->scratch = malloc(options->tls.ops->scratch_size + 1);
    if (!client->scratch) {
        *failure = th_failure_of(TH_ERR_MEMORY_HANDSHAKE);
        return failure->error;
    }
    if (!th_linux_init(&client->loop, failure)) {
        free(client->scratch);
        return failure->error;
    }
    th_linux_net_init(&client->net, &client->loop);
    th_linux_board(&client->net, &client->board);
    enum th_error error = load(client, options, failure);
    if (error == TH_OK) {
        configure(client, options);
        error = th_mqtt_init(&client->mqtt, &client->session);
        if (error == TH_OK)
            error = th_link_init(&client->link, &client->config, &client->mqtt);
        *failure = th_failure_of(error);
    }
    if (error != TH_OK) {
        th_linux_client_close(client);
        return error;
    }
    th_link_start(&client->link, th_linux_now(&client->loop));
    return TH_OK;
}

bool th_linux_client_next(struct th_linux_client *client, uint32_t timeout_ms,
                          struct th_link_event *event)
{
    uint32_t begun_ms = th_linux_now(&client->loop);

    for (;;) {
        uint32_t now_ms = th_linux_now(&client->loop);

        client->trust.clock.now_s = time(NULL);
        if (th_link_next(&client->link, now_ms, event))
            return true;
        uint32_t left_ms = TH_FOREVER;
        if (timeout_ms != TH_FOREVER) {
            if (now_ms - begun_ms >= timeout_ms)
                return false;
            left_ms = timeout_ms - (now_ms - begun_ms);
        }
        th_linux_wait(&client->loop,
                      th_time_sooner(left_ms, th_link_deadline(&client->link, now_ms)));
    }
}

void th_linux_client_stop(struct th_linux_client *client)
{
    th_link_stop(&client->link, th_linux_now(&client->loop));
}

void th_linux_client_close(struct th_linux_client *client)
{
    if (client->link.config)
        th_link_restart(&client->link, th_linux_now(&client->loop), true);
    th_linux_net_close(&client->net);
    th_linux_close(&client->loop);
    if (client->us.key)
        th_linux_identity_free(&client->us);
    if (client->ca.bytes)
        th_linux_certificates_free(&client->ca);
    free(client->scratch);
    client->scratch = NULL;
}

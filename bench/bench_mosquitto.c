/* SPDX-License-Identifier: MIT */
/* libmosquitto, driven from one thread as its manual shows. */
#include "bench.h"

#include <mosquitto.h>

#include <poll.h>
#include <stdlib.h>

struct client {
    struct bench *bench;
    bool connected, subscribed;
    uint32_t done;
};

static void on_connect(struct mosquitto *mosquitto, void *user, int code)
{
    (void)mosquitto;
    if (code != 0)
        bench_fail("connect", mosquitto_connack_string(code));
    ((struct client *)user)->connected = true;
}

static void on_publish(struct mosquitto *mosquitto, void *user, int id)
{
    (void)mosquitto, (void)id;
    ((struct client *)user)->done++;
}

static void on_subscribe(struct mosquitto *mosquitto, void *user, int id, int count,
                         const int *granted)
{
    (void)mosquitto, (void)id, (void)count, (void)granted;
    ((struct client *)user)->subscribed = true;
}

static void on_message(struct mosquitto *mosquitto, void *user,
                       const struct mosquitto_message *message)
{
    (void)mosquitto, (void)message;
    ((struct client *)user)->done++;
}

static void must(int code, const char *what)
{
    if (code != MOSQ_ERR_SUCCESS)
        bench_fail(what, mosquitto_strerror(code));
}

static struct mosquitto *connect_one(struct client *client)
{
    const struct bench *b = client->bench;
    struct mosquitto *mosquitto = mosquitto_new(NULL, true, client);
    if (!mosquitto)
        bench_fail("mosquitto_new", "no memory");
    mosquitto_connect_callback_set(mosquitto, on_connect);
    mosquitto_publish_callback_set(mosquitto, on_publish);
    mosquitto_subscribe_callback_set(mosquitto, on_subscribe);
    mosquitto_message_callback_set(mosquitto, on_message);
    must(mosquitto_max_inflight_messages_set(mosquitto, BENCH_WINDOW), "window");
    if (b->ca)
        must(mosquitto_tls_set(mosquitto, b->ca, NULL, b->cert, b->key, NULL), "tls_set");
    must(mosquitto_connect(mosquitto, BENCH_HOST, b->port, 600), "connect");
    while (!client->connected)
        must(mosquitto_loop(mosquitto, 1000, 1), "loop");
    return mosquitto;
}

static void publish(struct bench *b, struct mosquitto *mosquitto, struct client *client)
{
    uint32_t sent = 0;
    while (client->done < b->count) {
        while (sent < b->count && sent - client->done < BENCH_WINDOW) {
            must(mosquitto_publish(mosquitto, NULL, BENCH_TOPIC, BENCH_PAYLOAD, b->payload, b->qos,
                                   false),
                 "publish");
            sent++;
        }
        if (client->done < sent)
            must(mosquitto_loop(mosquitto, 1000, 1), "loop");
    }
}

static void receive(const struct bench *b, struct mosquitto *mosquitto, struct client *client)
{
    must(mosquitto_subscribe(mosquitto, NULL, BENCH_TOPIC, 0), "subscribe");
    while (!client->subscribed)
        must(mosquitto_loop(mosquitto, 1000, 1), "loop");
    bench_ready();
    while (client->done < b->count)
        must(mosquitto_loop(mosquitto, 1000, 1), "loop");
}

static void idle(struct bench *b, struct client *client)
{
    struct mosquitto **all = calloc(b->count, sizeof(struct mosquitto *));
    if (!all)
        bench_fail("idle", "no memory");
    for (uint32_t i = 0; i < b->count; i++) {
        client->connected = false;
        all[i] = connect_one(client);
    }
    bench_end(b);
    for (uint32_t i = 0; i < b->count; i++)
        mosquitto_destroy(all[i]);
    free(all);
}

int main(int argc, char **argv)
{
    struct bench bench;
    struct client client = {.bench = &bench};
    bench_options(&bench, argc, argv);
    mosquitto_lib_init();
    struct mosquitto *mosquitto = connect_one(&client);
    bench_begin(&bench);
    if (bench.mode == BENCH_IDLE) {
        idle(&bench, &client);
    } else {
        if (bench.mode == BENCH_PUBLISH)
            publish(&bench, mosquitto, &client);
        else
            receive(&bench, mosquitto, &client);
        bench_end(&bench);
        mosquitto_disconnect(mosquitto);
    }
    mosquitto_destroy(mosquitto);
    bench_report(&bench, 0);
    mosquitto_lib_cleanup();
    return 0;
}

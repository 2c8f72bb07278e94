/* SPDX-License-Identifier: MIT */
/* Paho C's asynchronous client: its own threads, our callbacks. */
#include "bench.h"

#include <MQTTAsync.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct client {
    struct bench *bench;
    MQTTAsync handle;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool connected, subscribed;
    uint32_t done;
};

static void tell(struct client *client, bool *flag)
{
    pthread_mutex_lock(&client->lock);
    if (flag)
        *flag = true;
    else
        client->done++;
    pthread_cond_signal(&client->changed);
    pthread_mutex_unlock(&client->lock);
}

static void on_connect(void *user, MQTTAsync_successData *data)
{
    (void)data;
    tell(user, &((struct client *)user)->connected);
}

static void on_subscribe(void *user, MQTTAsync_successData *data)
{
    (void)data;
    tell(user, &((struct client *)user)->subscribed);
}

static void on_sent(void *user, MQTTAsync_successData *data)
{
    (void)data;
    tell(user, NULL);
}

static void on_failure(void *user, MQTTAsync_failureData *data)
{
    (void)user;
    bench_fail("paho", data && data->message ? data->message : "failed");
}

static int on_message(void *user, char *topic, int len, MQTTAsync_message *message)
{
    (void)len;
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    tell(user, NULL);
    return 1;
}

static void must(int code, const char *what)
{
    if (code != MQTTASYNC_SUCCESS)
        bench_fail(what, MQTTAsync_strerror(code));
}

static void wait_for(struct client *client, const bool *flag)
{
    pthread_mutex_lock(&client->lock);
    while (!*flag)
        pthread_cond_wait(&client->changed, &client->lock);
    pthread_mutex_unlock(&client->lock);
}

static void connect_one(struct client *client, uint32_t number)
{
    const struct bench *b = client->bench;
    char uri[64], id[32];
    snprintf(uri, sizeof uri, "%s://%s:%d", b->ca ? "ssl" : "tcp", BENCH_HOST, b->port);
    snprintf(id, sizeof id, "paho-%u", (unsigned)number);
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
    must(MQTTAsync_create(&client->handle, uri, id, MQTTCLIENT_PERSISTENCE_NONE, NULL), "create");
    must(MQTTAsync_setCallbacks(client->handle, client, NULL, on_message, NULL), "callbacks");
    options.keepAliveInterval = 600;
    options.cleansession = 1;
    options.maxInflight = BENCH_WINDOW;
    options.onSuccess = on_connect;
    options.onFailure = on_failure;
    options.context = client;
    if (b->ca) {
        ssl.trustStore = b->ca;
        ssl.keyStore = b->cert;
        ssl.privateKey = b->key;
        ssl.enableServerCertAuth = 1;
        options.ssl = &ssl;
    }
    client->connected = false;
    must(MQTTAsync_connect(client->handle, &options), "connect");
    wait_for(client, &client->connected);
}

static void publish(struct bench *b, struct client *client)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.onSuccess = on_sent;
    options.onFailure = on_failure;
    options.context = client;
    pthread_mutex_lock(&client->lock);
    for (uint32_t sent = 0; client->done < b->count;) {
        while (sent == b->count ? client->done < sent : sent - client->done >= BENCH_WINDOW)
            pthread_cond_wait(&client->changed, &client->lock);
        if (sent == b->count)
            break;
        pthread_mutex_unlock(&client->lock);
        must(MQTTAsync_send(client->handle, BENCH_TOPIC, BENCH_PAYLOAD, b->payload, b->qos, 0,
                            &options),
             "send");
        sent++;
        pthread_mutex_lock(&client->lock);
    }
    pthread_mutex_unlock(&client->lock);
}

static void receive(const struct bench *b, struct client *client)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.onSuccess = on_subscribe;
    options.onFailure = on_failure;
    options.context = client;
    must(MQTTAsync_subscribe(client->handle, BENCH_TOPIC, 0, &options), "subscribe");
    wait_for(client, &client->subscribed);
    bench_ready();
    pthread_mutex_lock(&client->lock);
    while (client->done < b->count)
        pthread_cond_wait(&client->changed, &client->lock);
    pthread_mutex_unlock(&client->lock);
}

int main(int argc, char **argv)
{
    struct bench bench;
    struct client client = {
        .bench = &bench, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    bench_options(&bench, argc, argv);
    connect_one(&client, 0);
    MQTTAsync first = client.handle;
    bench_begin(&bench);
    if (bench.mode == BENCH_PUBLISH)
        publish(&bench, &client);
    else if (bench.mode == BENCH_RECEIVE)
        receive(&bench, &client);
    for (uint32_t i = 1; bench.mode == BENCH_IDLE && i <= bench.count; i++)
        connect_one(&client, i);
    bench_end(&bench);
    MQTTAsync_destroy(&first);
    bench_report(&bench, 0);
    return 0;
}

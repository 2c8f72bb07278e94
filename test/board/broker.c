/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <errno.h>
#include <mosquitto.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void rig_failed(const char *what)
{
    fprintf(stderr, "the rig failed: %s (%s)\n", what, strerror(errno));
    exit(3);
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run_script(struct broker *broker, int out)
{
    char port[16];

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (broker->port != 0) {
        snprintf(port, sizeof(port), "%d", broker->port);
        setenv("BROKER_PORT", port, 1);
    }
    char script[512];
    snprintf(script, sizeof(script), "%s/test/board/%s", TH_SOURCE, broker->kind);
    setenv("THIMBLE", TH_TOOL, 1);
    dup2(out, 1);
    execl("/bin/bash", "bash", script, broker->folder, (char *)NULL);
    _exit(127);
}

static void launch(struct broker *broker)
{
    int out[2], port = 0;

    if (pipe(out) != 0)
        rig_failed("no pipe");
    broker->script = fork();
    if (broker->script == 0)
        run_script(broker, out[1]);
    close(out[1]);
    FILE *from = fdopen(out[0], "r");
    if (from == NULL || fscanf(from, "%d", &port) != 1)
        rig_failed("the broker's script gives no port");
    fclose(from);
    broker->port = port;
}

static void start(struct broker *broker, const char *folder, const char *kind)
{
    memset(broker, 0, sizeof(*broker));
    broker->kind = kind;
    snprintf(broker->folder, sizeof(broker->folder), "%s", folder);
    launch(broker);
}

void broker_start(struct broker *broker, const char *folder)
{
    start(broker, folder, "broker.sh");
}

void broker_start_thimble(struct broker *broker, const char *folder)
{
    start(broker, folder, "thimble_broker.sh");
}

void broker_stop(struct broker *broker)
{
    if (broker->script == 0)
        return;
    kill(broker->script, SIGTERM);
    waitpid(broker->script, NULL, 0);
    broker->script = 0;
}

void broker_restart(struct broker *broker)
{
    broker_stop(broker);
    launch(broker);
}

/* ---- the client ---- */

#define WAITING_MAX 64

struct message {
    char *topic, *payload;
};

struct client {
    struct mosquitto *mosquitto;
    char filter[128];
    bool subscribed;
    struct message waiting[WAITING_MAX];
    unsigned count;
    struct message given;
};

static void drop(struct message *message)
{
    free(message->topic);
    free(message->payload);
    *message = (struct message){NULL, NULL};
}

static void on_connect(struct mosquitto *mosquitto, void *user, int code)
{
    struct client *client = user;

    if (code != 0 || mosquitto_subscribe(mosquitto, NULL, client->filter, 1) != 0)
        rig_failed("the host's client is refused");
}

static void on_subscribe(struct mosquitto *mosquitto, void *user, int id, int count,
                         const int *granted)
{
    struct client *client = user;

    (void)mosquitto, (void)id, (void)count, (void)granted;
    client->subscribed = true;
}

static void on_disconnect(struct mosquitto *mosquitto, void *user, int reason)
{
    struct client *client = user;

    (void)mosquitto, (void)reason;
    client->subscribed = false;
}

static void on_message(struct mosquitto *mosquitto, void *user,
                       const struct mosquitto_message *message)
{
    struct client *client = user;

    (void)mosquitto;
    if (client->count == WAITING_MAX) {
        drop(&client->waiting[0]);
        memmove(client->waiting, client->waiting + 1, sizeof(client->waiting[0]) * --client->count);
    }
    client->waiting[client->count++] = (struct message){
        strdup(message->topic),
        strndup(message->payload != NULL ? message->payload : "", (size_t)message->payloadlen)};
}

/* The broker may be away for a while: a test restarts it. */
static void turn(struct client *client)
{
    if (mosquitto_loop(client->mosquitto, 20, 1) != MOSQ_ERR_SUCCESS) {
        usleep(50000);
        mosquitto_reconnect(client->mosquitto);
    }
}

struct client *client_open(const struct broker *broker, const char *filter)
{
    struct client *client = calloc(1, sizeof(*client));
    char ca[512], certificate[512], key[512];

    mosquitto_lib_init();
    client->mosquitto = mosquitto_new("host", true, client);
    snprintf(client->filter, sizeof(client->filter), "%s", filter);
    snprintf(ca, sizeof(ca), "%s/users/ca.pem", broker->folder);
    snprintf(certificate, sizeof(certificate), "%s/users/host.pem", broker->folder);
    snprintf(key, sizeof(key), "%s/users/host.key", broker->folder);
    mosquitto_connect_callback_set(client->mosquitto, on_connect);
    mosquitto_disconnect_callback_set(client->mosquitto, on_disconnect);
    mosquitto_subscribe_callback_set(client->mosquitto, on_subscribe);
    mosquitto_message_callback_set(client->mosquitto, on_message);
    if (mosquitto_tls_set(client->mosquitto, ca, NULL, certificate, key, NULL) != 0 ||
        mosquitto_connect(client->mosquitto, "127.0.0.1", broker->port, 60) != 0)
        rig_failed("the host's client cannot connect");
    for (long end = now_ms() + 10000; !client->subscribed; turn(client))
        if (now_ms() > end)
            rig_failed("the host's client cannot subscribe");
    return client;
}

void client_close(struct client *client)
{
    for (unsigned i = 0; i < client->count; i++)
        drop(&client->waiting[i]);
    drop(&client->given);
    mosquitto_destroy(client->mosquitto);
    free(client);
}

static bool has_news(const struct client *client)
{
    struct pollfd socket = {.fd = mosquitto_socket(client->mosquitto), .events = POLLIN};

    return socket.fd >= 0 && poll(&socket, 1, 0) > 0;
}

/* The broker may just be coming back: it is waited for. That it went lies in the socket until it is
 * read, and a publication before that would fail. */
void client_publish(struct client *client, const char *topic, const char *payload)
{
    for (long end = now_ms() + 10000; !client->subscribed || has_news(client); turn(client))
        if (now_ms() > end)
            rig_failed("the host's client does not come back");
    int error =
        mosquitto_publish(client->mosquitto, NULL, topic, (int)strlen(payload), payload, 1, false);
    if (error != MOSQ_ERR_SUCCESS)
        rig_failed(mosquitto_strerror(error));
    mosquitto_loop(client->mosquitto, 0, 1);
}

static bool take(struct client *client, const char *topic)
{
    for (unsigned i = 0; i < client->count; i++) {
        if (strcmp(client->waiting[i].topic, topic) != 0)
            continue;
        drop(&client->given);
        client->given = client->waiting[i];
        client->count--;
        memmove(client->waiting + i, client->waiting + i + 1,
                sizeof(client->waiting[0]) * (client->count - i));
        return true;
    }
    return false;
}

const char *client_expect(struct client *client, const char *topic, int timeout_ms)
{
    for (long end = now_ms() + timeout_ms; now_ms() < end; turn(client))
        if (take(client, topic))
            return client->given.payload;
    return NULL;
}

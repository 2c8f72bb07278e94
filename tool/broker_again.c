/* SPDX-License-Identifier: MIT */
#include "broker_again.h"

#include <stdio.h>
#include <string.h>

#include "exits.h"
#include "home.h"
#include "term.h"

struct writing {
    char text[REGISTRY_TEXT_MAX];
    size_t len;
    bool full;
};

static void put(struct writing *writing, const char *word)
{
    size_t len = strlen(word);
    if (writing->len + len + 2 > sizeof writing->text) {
        writing->full = true;
        return;
    }
    if (writing->len)
        writing->text[writing->len++] = '\n';
    memcpy(writing->text + writing->len, word, len + 1);
    writing->len += len;
}

static void put_number(struct writing *writing, const char *flag, long number)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", number);
    put(writing, flag);
    put(writing, text);
}

int broker_again_keep(struct registry *registry, const struct mosquitto_plan *plan,
                      const struct words *hosts)
{
    struct writing writing = {.len = 0};
    const struct {
        const char *flag;
        long number;
        bool given;
    } numbers[] = {
        {"--port", plan->port, true},
        {"--user-port", plan->user_port, true},
        {"--recovery-port", plan->recovery_port, !plan->one_way},
        {"--websockets", plan->websocket_port, plan->websocket_port != 0},
        {"--plaintext-loopback", plan->plaintext_port, plan->plaintext_port != 0},
        {"--connections", plan->connections, true},
        {"--packet", plan->packet, true},
        {"--queue", plan->queue, true},
        {"--queue-bytes", plan->queue_bytes, true},
        {"--save", plan->save_s, true},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].given)
            put_number(&writing, numbers[i].flag, numbers[i].number);
    }
    if (plan->one_way)
        put(&writing, "--one-way");
    if (plan->bind) {
        put(&writing, "--bind");
        put(&writing, plan->bind);
    }
    for (size_t i = 0; i < hosts->count; i++) {
        put(&writing, "--host");
        put(&writing, hosts->at[i]);
    }
    /* Half of them would be worse than none. */
    return registry_set(registry, "broker.arguments", writing.full ? "" : writing.text);
}

bool broker_again_read(const char *dir, struct broker_again *out)
{
    struct home home;
    out->count = 0;
    bool found = home_exists(dir) && home_open(&home, dir, false) == EXIT_OK;
    if (!found)
        return false;
    found = registry_get(&home.registry, "broker.arguments", out->text) && out->text[0];
    home_close(&home);
    for (char *at = out->text; found && at && out->count < BROKER_AGAIN_WORDS;) {
        out->words[out->count++] = at;
        at = strchr(at, '\n');
        if (at)
            *at++ = '\0';
    }
    return found;
}

/* SPDX-License-Identifier: MIT */
#include "listeners.h"

#include <stdio.h>
#include <string.h>

#include "exits.h"
#include "mosquitto.h"
#include "options.h"
#include "term.h"

/* "name value" of a line; false for comments and empty lines. */
static bool split(const char *line, char name[64], char value[1024])
{
    line += strspn(line, " \t");
    size_t len = strcspn(line, " \t\r\n");
    if (len == 0 || len >= 64 || *line == '#')
        return false;
    memcpy(name, line, len);
    name[len] = '\0';
    line += len + strspn(line + len, " \t");
    len = strcspn(line, "\r\n");
    if (len >= 1024)
        return false;
    memcpy(value, line, len);
    value[len] = '\0';
    return true;
}

int listeners_lines(const struct home *home,
                    void (*each)(void *user, const char *name, char *value), void *user)
{
    struct bytes text = {NULL, 0};
    char name[64], value[1024];
    int code = files_read(home_path(home, "broker/mosquitto.conf").text, &text);
    for (const char *at = (const char *)text.at; code == EXIT_OK && *at;) {
        if (split(at, name, value))
            each(user, name, value);
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    bytes_free(&text);
    return code;
}

struct reading {
    struct home *home;
    struct listeners *out;
    bool one_way;
};

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
           strcmp(address, "localhost") == 0;
}

static enum listener_kind kind_of(struct home *home, long port)
{
    static const char *const names[] = {"broker.port", "broker.user_port", "broker.recovery_port",
                                        "broker.plaintext_port"};
    char text[REGISTRY_TEXT_MAX];
    long number;
    for (int i = 0; i < 4; i++) {
        if (registry_get(&home->registry, names[i], text) &&
            options_number(text, 1, 65535, &number) && number == port)
            return (enum listener_kind)i;
    }
    return LISTENER_UNKNOWN;
}

static void add_listener(const struct reading *reading, char *value)
{
    struct listeners *out = reading->out;
    char *address = strpbrk(value, " \t");
    if (address) {
        *address++ = '\0';
        address += strspn(address, " \t");
    }
    long port;
    if (out->count == LISTENERS_MAX || !options_number(value, 1, 65535, &port))
        return;
    struct listener *listener = &out->at[out->count++];
    *listener =
        (struct listener){.kind = kind_of(reading->home, port), .configured = port, .port = port};
    listener->passwords = listener->kind == LISTENER_LOOPBACK ||
                          (reading->one_way && listener->kind != LISTENER_RECOVERY);
    listener->loopback = address && is_loopback(address);
    bool everywhere = !address || strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
    snprintf(listener->address, sizeof listener->address, "%s", everywhere ? "127.0.0.1" : address);
}

static void take_line(void *user, const char *name, char *value)
{
    struct reading *reading = user;
    struct listeners *out = reading->out;
    struct listener *last = out->count ? &out->at[out->count - 1] : NULL;
    if (strcmp(name, "listener") == 0) {
        add_listener(reading, value);
    } else if (strcmp(name, "allow_anonymous") == 0) {
        out->anonymous_denied = strcmp(value, "false") == 0;
    } else if (last && strcmp(name, "certfile") == 0) {
        last->tls = true;
    } else if (last && strcmp(name, "protocol") == 0 && strcmp(value, "websockets") == 0) {
        last->websockets = true;
        last->kind = LISTENER_WEBSOCKETS;
    }
}

int listeners_read(struct home *home, struct listeners *out)
{
    struct reading reading = {home, out, mosquitto_one_way(home)};
    *out = (struct listeners){.count = 0};
    int code = listeners_lines(home, take_line, &reading);
    if (code == EXIT_OK && out->count == 0)
        code = fail(EXIT_INPUT, "%s has no listener\nthimble broker init --replace",
                    home_path(home, "broker/mosquitto.conf").text);
    return code;
}

const char *listener_kind_name(enum listener_kind kind)
{
    static const char *const names[] = {"devices'", "users'",    "recovery",
                                        "loopback", "WebSocket", "further"};
    return names[kind];
}

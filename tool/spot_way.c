/* SPDX-License-Identifier: MIT */
/* Frames to a device and back: POST /rpc, or a line on a terminal. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "exits.h"
#include "mdns.h"
#include "spot.h"
#include "term.h"

#define WAIT_MS 20000 /* a slow device needs a second for a key */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool ready(int fd, short events, int64_t until_ms)
{
    struct pollfd wait = {.fd = fd, .events = events};
    for (;;) {
        int64_t left = until_ms - now_ms();
        int got = left > 0 ? poll(&wait, 1, (int)left) : 0;
        if (got >= 0 || errno != EINTR)
            return got > 0;
    }
}

static bool send_all(int fd, const char *bytes, size_t len, int64_t until_ms)
{
    while (len > 0) {
        if (!ready(fd, POLLOUT, until_ms))
            return false;
        ssize_t sent = write(fd, bytes, len);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

static int silent(const struct spot_way *way)
{
    return fail(EXIT_TIMED_OUT, "%s does not answer\nis the device in configuration mode?",
                way->where);
}

void spot_way_close(struct spot_way *way)
{
    if (way->fd >= 0)
        close(way->fd);
    way->fd = -1;
}

/* ---- HTTP ---- */

/* "http://host", "http://host:port", "http://[::1]:port", with any path behind. */
int spot_http_open(struct spot_way *way, const char *url)
{
    const char *host = url + strlen("http://");
    size_t len = strcspn(host, "/?#");
    size_t name = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    bool good = strncmp(url, "http://", 7) == 0 && name > 0 && name <= len &&
                name < sizeof way->host && (host[name] != ':' || len - name <= 6);
    way->where = url;
    way->fd = -1;
    for (size_t i = name + 1; good && i < len; i++)
        good = isdigit((unsigned char)host[i]) != 0;
    if (!good)
        return fail(EXIT_USAGE,
                    "'%s' is no address of a page\nthimble device enrol lamp "
                    "http://192.168.4.1",
                    url);
    snprintf(way->host, sizeof way->host, "%.*s", (int)name, host);
    snprintf(way->port, sizeof way->port, "%.*s", len > name ? (int)(len - name - 1) : 2,
             len > name ? host + name + 1 : "80");
    return EXIT_OK;
}

static int connect_one(const struct addrinfo *to, int64_t until_ms)
{
    int error = 0;
    socklen_t len = sizeof error;
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    bool good = connect(fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS;
    good = good && ready(fd, POLLOUT, until_ms) &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
    if (good)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static int look_up(const char *name, const char *port, struct addrinfo **found)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    int error = getaddrinfo(name, port, &hints, found);
    if (error == 0 || !mdns_find(name, &address))
        return error;
    return getaddrinfo(inet_ntop(AF_INET, &address, text, sizeof text), port, &hints, found);
}

/* A device changes its name in .local while it is enrolled, and its address is its own under every
 * name. */
static void keep_address(struct spot_way *way, const char *name, const struct addrinfo *at)
{
    struct sockaddr_in to;
    if (at->ai_family != AF_INET || !mdns_is_local(name))
        return;
    memcpy(&to, at->ai_addr, sizeof to);
    inet_ntop(AF_INET, &to.sin_addr, way->host, sizeof way->host);
}

static int dial(struct spot_way *way, int *fd, int64_t until_ms)
{
    struct addrinfo *found = NULL;
    char name[sizeof way->host];
    snprintf(name, sizeof name, "%s", way->host[0] == '[' ? way->host + 1 : way->host);
    name[strcspn(name, "]")] = '\0';
    int error = look_up(name, way->port, &found);
    if (error != 0)
        return fail(EXIT_NAME,
                    "%s has no address: %s\ngive the address itself, such as "
                    "http://192.168.4.1",
                    name, gai_strerror(error));
    *fd = -1;
    for (const struct addrinfo *at = found; at && *fd < 0; at = at->ai_next) {
        *fd = connect_one(at, until_ms);
        if (*fd >= 0)
            keep_address(way, name, at);
    }
    int why = errno;
    freeaddrinfo(found);
    if (*fd >= 0)
        return EXIT_OK;
    return fail(EXIT_TCP,
                "no connection to %s: %s\njoin the device's access point, or check its "
                "address; MQTT mode has no page",
                way->where, why ? strerror(why) : "no answer");
}

/* The whole answer, until its length is there or the other end closes. */
static size_t receive(int fd, char *into, size_t room, int64_t until_ms)
{
    size_t len = 0;
    while (len < room - 1 && ready(fd, POLLIN, until_ms)) {
        ssize_t got = read(fd, into + len, room - 1 - len);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            break;
        len += (size_t)got;
        into[len] = '\0';
        const char *body = strstr(into, "\r\n\r\n"),
                   *field = strcasestr(into, "\r\nContent-Length:");
        if (body && field && field < body &&
            len >= (size_t)(body + 4 - into) + strtoul(field + 17, NULL, 10))
            break;
    }
    into[len] = '\0';
    return len;
}

int spot_http_ask(struct spot_way *way, struct th_span frame, struct th_span *answer)
{
    char head[512];
    int64_t until_ms = now_ms() + WAIT_MS;
    int fd = -1, status = 0;
    int code = dial(way, &fd, until_ms);
    if (code != EXIT_OK)
        return code;
    int len = snprintf(head, sizeof head,
                       "POST /rpc HTTP/1.1\r\nHost: %s%s%s\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                       way->host, strcmp(way->port, "80") != 0 ? ":" : "",
                       strcmp(way->port, "80") != 0 ? way->port : "", frame.len);
    bool sent = send_all(fd, head, (size_t)len, until_ms) &&
                send_all(fd, (const char *)frame.at, frame.len, until_ms);
    size_t got = sent ? receive(fd, way->buffer, sizeof way->buffer, until_ms) : 0;
    close(fd);
    if (got == 0)
        return silent(way);
    const char *body = strstr(way->buffer, "\r\n\r\n");
    if (strncmp(way->buffer, "HTTP/1.1 ", 9) == 0)
        status = (int)strtol(way->buffer + 9, NULL, 10);
    if (!body || status != 200)
        return fail(EXIT_PROTOCOL, "%s answers with HTTP status %d\nis it a Thimble device?",
                    way->where, status);
    *answer = th_span_str(body + 4);
    return EXIT_OK;
}

/* ---- the serial console ---- */

int spot_serial_open(struct spot_way *way, const char *path)
{
    struct termios raw;
    way->where = path;
    way->held = 0;
    way->fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (way->fd < 0)
        return fail(EXIT_INPUT, "cannot open %s: %s\ncheck cable and permissions", path,
                    strerror(errno));
    if (tcgetattr(way->fd, &raw) == 0) {
        cfmakeraw(&raw);
        cfsetspeed(&raw, B115200);
        tcsetattr(way->fd, TCSANOW, &raw);
    }
    return EXIT_OK;
}

/* Lines of the device's own stand between the answers, and never begin with '{'. */
static bool take_line(struct spot_way *way, struct th_span *answer)
{
    for (;;) {
        char *end = memchr(way->buffer, '\n', way->held);
        if (!end)
            return false;
        size_t len = (size_t)(end - way->buffer);
        if (way->buffer[0] == '{') {
            *answer = th_span_of(way->buffer, len);
            return true;
        }
        way->held -= len + 1;
        memmove(way->buffer, end + 1, way->held);
    }
}

int spot_serial_ask(struct spot_way *way, struct th_span frame, struct th_span *answer)
{
    int64_t until_ms = now_ms() + WAIT_MS;
    way->held = 0; /* what came before is no answer to this */
    if (!send_all(way->fd, "\n", 1, until_ms) ||
        !send_all(way->fd, (const char *)frame.at, frame.len, until_ms) ||
        !send_all(way->fd, "\n", 1, until_ms))
        return silent(way);
    while (ready(way->fd, POLLIN, until_ms)) {
        ssize_t got = read(way->fd, way->buffer + way->held, sizeof way->buffer - way->held);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            break;
        way->held += (size_t)got;
        if (take_line(way, answer))
            return EXIT_OK;
        if (way->held == sizeof way->buffer)
            way->held = 0;
    }
    return silent(way);
}

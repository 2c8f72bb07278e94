/* SPDX-License-Identifier: MIT */
/* A device with its pins beside it: on a terminal a table, else lines. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device_start.h"
#include "exits.h"
#include "json.h"
#include "pins_table.h"
#include "process.h"
#include "screen.h"
#include "term.h"

enum { FRAME_MS = 100, FILE_MS = 5000, PATIENCE_MS = 5000 };

struct course {
    const struct pins_order *order;
    struct process device; /* pid 0: there is none */
    struct th_linux_view view;
    struct pins_table table;
    int signals;
    bool live, leaving, ended;
    int code;
    char *frame; /* drawn last */
    size_t frame_len;
};

/* ---- what the device says ---- */

static void say_line(struct course *course, const char *line)
{
    if (course->live) {
        pins_table_say(&course->table, line);
    } else if (course->order->json) {
        struct json json = {.to = stdout, .first = true};
        json_open(&json, NULL, '{');
        json_text(&json, "what", "says");
        json_text(&json, "text", line);
        json_close(&json, '}');
        putchar('\n');
    } else {
        puts(line);
    }
}

static void listen(struct course *course)
{
    const char *line;
    int status;

    while (course->order->argv && process_line(&course->device, &line))
        say_line(course, line);
    if (!course->order->argv || course->ended || !process_ended(&course->device, &status))
        return;
    course->ended = course->leaving = true;
    course->code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
    while (process_line(&course->device, &line))
        say_line(course, line);
}

/* What it said must not vanish with the other screen: there may be a set-up code in it. */
static void say_again(const struct pins_table *table)
{
    size_t kept = table->line_count < PINS_LINES ? table->line_count : PINS_LINES;

    for (size_t i = 0; i < kept; i++)
        puts(table->lines[(table->line_count - kept + i) % PINS_LINES]);
}

/* ---- what is shown ---- */

/* Over a slow line a frame is sent when it differs from the one before. */
static void draw(struct course *course)
{
    unsigned rows, columns;
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);

    if (!to)
        return;
    screen_size(&rows, &columns);
    pins_table_draw(&course->table, to, rows, columns, pins_now_ms());
    fclose(to);
    if (len != course->frame_len || memcmp(text, course->frame, len) != 0) {
        fwrite(text, 1, len, stdout);
        fflush(stdout);
    }
    free(course->frame);
    course->frame = text;
    course->frame_len = len;
}

static void show(struct course *course)
{
    struct pins_state before = course->table.state;
    bool first = course->table.began_ms == 0;

    pins_state_read(&course->table.state, &course->view);
    if (first)
        course->table.began_ms = pins_now_ms();
    if (course->live) {
        draw(course);
        return;
    }
    pins_lines(stdout, first ? NULL : &before, &course->table.state, course->order->json,
               pins_now_ms());
    if (fflush(stdout) != 0)
        course->leaving = true; /* nobody reads any more */
}

/* ---- signals and keys ---- */

static bool watch_signals(struct course *course)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH, SIGCHLD};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    course->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return course->signals >= 0;
}

/* Ctrl-Z: the terminal is the shell's until it brings us back. The device goes on. */
static void stop_here(struct course *course)
{
    if (course->live)
        screen_close();
    raise(SIGSTOP);
    if (course->live)
        screen_open();
    course->frame_len = 0;
}

static void take_signals(struct course *course)
{
    struct signalfd_siginfo info;

    while (read(course->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTSTP)
            stop_here(course);
        else if (info.ssi_signo == SIGWINCH)
            course->frame_len = 0;
        else if (info.ssi_signo != SIGCHLD)
            course->leaving = true;
    }
}

static void take_keys(struct course *course)
{
    char keys[64];
    ssize_t len = read(STDIN_FILENO, keys, sizeof keys);

    /* The terminal has gone, or the person wants to. */
    if (len == 0 || (len < 0 && errno != EINTR && errno != EAGAIN) ||
        (len > 0 && !pins_table_keys(&course->table, &course->view, keys, (size_t)len)))
        course->leaving = true;
}

static void wait_for_something(struct course *course)
{
    struct pollfd files[] = {
        {course->signals, POLLIN, 0},
        {course->order->argv ? course->device.output : -1, POLLIN, 0},
        {course->live ? STDIN_FILENO : -1, POLLIN, 0},
    };

    poll(files, sizeof files / sizeof files[0], FRAME_MS);
    take_signals(course);
    if (files[2].revents != 0)
        take_keys(course);
}

/* ---- the course ---- */

/* The device makes the file when it starts. */
static bool open_view(struct course *course)
{
    int64_t until_ms = pins_now_ms() + FILE_MS;

    while (!course->leaving && !th_linux_view_open(&course->view, course->order->file) &&
           course->order->argv && pins_now_ms() < until_ms) {
        wait_for_something(course);
        listen(course);
    }
    return course->view.file != NULL;
}

static int no_pins(const struct course *course)
{
    if (course->leaving) /* the device has said why, or a signal came */
        return course->code;
    return fail(EXIT_INPUT, "%s is no file of virtual pins: %s\nname the FILE of --board pins=FILE",
                course->order->file, strerror(errno));
}

static void finish(struct course *course)
{
    const char *line;

    if (course->live)
        screen_close();
    if (course->order->argv && !course->ended) {
        kill(course->device.pid, SIGTERM);
        for (int64_t until_ms = pins_now_ms() + PATIENCE_MS;
             pins_now_ms() < until_ms && !course->ended;) {
            poll(&(struct pollfd){course->device.output, POLLIN, 0}, 1, 20);
            listen(course);
        }
        if (!course->ended)
            process_stop(&course->device, 0);
        course->code = EXIT_OK;
    }
    while (course->order->argv && course->device.output >= 0 &&
           process_line(&course->device, &line))
        say_line(course, line);
    if (course->live)
        say_again(&course->table);
    fflush(stdout);
}

int pins_run(const struct pins_order *order)
{
    static struct course course;

    course = (struct course){.order = order, .code = EXIT_OK};
    course.device.output = -1;
    term.json = false; /* errors are for people: stdout carries lines, not one document */
    course.table.utf8 = screen_utf8();
    if (!watch_signals(&course))
        return fail(EXIT_FAILED, "cannot wait for signals\nend other programs");
    if (order->argv) {
        int code = process_start(&course.device, order->argv);
        if (code != EXIT_OK)
            return code;
    }
    int code = open_view(&course) ? EXIT_OK : no_pins(&course);
    if (code == EXIT_OK && course.view.file) {
        course.live = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) && !order->json;
        if (course.live)
            screen_open();
    }
    while (course.view.file && !course.leaving) {
        listen(&course);
        show(&course);
        wait_for_something(&course);
    }
    finish(&course);
    th_linux_view_close(&course.view);
    free(course.frame);
    close(course.signals);
    return code == EXIT_OK ? course.code : code;
}

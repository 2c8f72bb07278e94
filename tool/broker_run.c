/* SPDX-License-Identifier: MIT */
#include "broker_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker_log.h"
#include "exits.h"
#include "home.h"
#include "mosquitto.h"
#include "mosquitto_program.h"
#include "notify.h"
#include "options.h"
#include "process.h"
#include "term.h"

#define PATIENCE_MS 10000 /* mosquitto saves its sessions before it ends */

/* What mosquitto says, and what a person does about it. */
static const char *const remedies[][2] = {
    {"Address already in use", "end the program on that port, or: thimble broker init --replace "
                               "--port 18883 --user-port 18884"},
    {"Permission denied", "run it as the owner of the state directory, on ports above 1023"},
    {"Unable to load", "thimble broker init --replace"},
    {"Unable to open", "thimble broker init --replace"},
    {"Unknown configuration", "this needs mosquitto 2.0 or newer: mosquitto -h"},
};

/* What its lines mean, for those that only OpenSSL understands. */
static const char *const meanings[][2] = {
    {"peer did not return a certificate", "somebody came without a certificate and was refused"},
    {"certificate verify failed", "somebody's certificate is not of the device CA; refused"},
    {"alert unknown ca", "a client does not trust this broker: it needs the ca.crt made with it"},
    {"alert certificate unknown", "a client looked at the certificate and went away"},
    {"alert bad certificate", "a client does not accept this broker's certificate"},
    {"certificate revoked", "a revoked certificate was refused"},
    {"CRL has expired", "the revocation list is too old: thimble broker init --replace"},
    {"wrong version number", "somebody spoke no TLS to this port"},
    {"http request", "somebody sent HTTP to this port"},
    {"unsupported protocol", "somebody offered only TLS older than 1.2"},
    {"no shared cipher", "somebody offered no cipher suite with ECDHE and AEAD"},
    {"unexpected eof", "the connection was cut without TLS's own goodbye"},
    {"already connected, closing old connection",
     "one certificate is one connection: the new one takes the old one's place"},
};

struct running {
    struct home home;
    struct process process;
    struct broker_log log;
    int lock, signals;
    bool stopping, up;
    bool websockets; /* one SIGHUP behind each start: some builds read such a listener's revocation
                        list only then. 2.0.11 as Debian has it never heeds it (measured). A SIGHUP
                        drops who is in a handshake, so nobody is told to come before */
    char error[256];
};

static const char *remedy_of(const char *error)
{
    for (size_t i = 0; i < sizeof remedies / sizeof remedies[0]; i++) {
        if (strstr(error, remedies[i][0]))
            return remedies[i][1];
    }
    return "see the lines above";
}

static void show_line(struct running *running, const char *line)
{
    bool error = strstr(line, "Error:") || strstr(line, "error:") || strstr(line, "Unable to");
    if (error && !running->error[0])
        snprintf(running->error, sizeof running->error, "%s", line);
    enum term_style style = error                                                   ? TERM_RED
                            : strstr(line, "Client ") || strstr(line, "New client") ? TERM_GREEN
                            : strstr(line, "Warning")                               ? TERM_YELLOW
                                                                                    : TERM_DIM;
    say("%s%s%s", term_out(style), line, term_out(TERM_PLAIN));
    broker_log_line(&running->log, line);
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strstr(line, meanings[i][0]))
            say("    %s", meanings[i][1]);
    }
    bool up = mosquitto_is_up(line);
    if (running->websockets && up && running->process.pid > 0)
        kill(running->process.pid, SIGHUP);
    if (running->websockets)
        up = strstr(line, "Reloading config");
    if (up && !running->up) {
        running->up = true;
        say("%sThe broker is up.%s Ctrl-C ends it.", term_out(TERM_BOLD), term_out(TERM_PLAIN));
        notify_systemd("READY=1");
    }
}

/* One `broker run` a directory; the lock also tells other commands whom to signal. */
static int take_lock(struct running *running)
{
    struct path path = home_path(&running->home, "broker/run.lock");
    running->lock = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (running->lock < 0)
        return fail(EXIT_FAILED, "cannot open %s: %s\ncheck its permissions", path.text,
                    strerror(errno));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(running->lock, F_SETLK, &lock) == 0)
        return EXIT_OK;
    return fail(EXIT_EXISTS, "the broker of %s runs already, as process %lld\nkill %lld",
                running->home.dir, (long long)mosquitto_running(&running->home),
                (long long)mosquitto_running(&running->home));
}

static bool has_websockets(const char *configuration)
{
    struct bytes text;
    bool has = files_read(configuration, &text) == EXIT_OK &&
               strstr((const char *)text.at, "protocol websockets");
    bytes_free(&text);
    return has;
}

static int start(struct running *running)
{
    char program[256], flag[] = "-c";
    struct path configuration = home_path(&running->home, "broker/mosquitto.conf");
    if (!files_exist(configuration.text))
        return fail(EXIT_MISSING, "there is no %s\nthimble broker init", configuration.text);
    running->websockets = has_websockets(configuration.text);
    int code = mosquitto_program(program, sizeof program);
    if (code == EXIT_OK)
        code = take_lock(running);
    if (code != EXIT_OK)
        return code;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    running->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (running->signals < 0)
        return fail(EXIT_FAILED, "cannot wait for signals: %s\nend other programs",
                    strerror(errno));
    char *argv[] = {program, flag, configuration.text, NULL};
    return process_start(&running->process, argv);
}

static void hand_on_signals(struct running *running)
{
    struct signalfd_siginfo signal;
    while (read(running->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (running->process.pid == 0 || signal.ssi_signo == SIGCHLD)
            continue;
        if (signal.ssi_signo == SIGHUP) {
            kill(running->process.pid, SIGHUP);
        } else {
            running->stopping = true;
        }
    }
}

static int loop(struct running *running)
{
    int status = 0;
    const char *line;
    for (;;) {
        while (process_line(&running->process, &line))
            show_line(running, line);
        if (process_ended(&running->process, &status) && running->process.output < 0)
            break;
        if (running->stopping) {
            say("Ending the broker; it saves its sessions.");
            status = process_stop(&running->process, PATIENCE_MS);
            break;
        }
        struct pollfd files[] = {{running->process.output, POLLIN, 0},
                                 {running->signals, POLLIN, 0}};
        poll(files, 2, 1000);
        hand_on_signals(running);
    }
    if (running->stopping)
        return EXIT_OK;
    const char *found = running->error[0] ? running->error : "it gave no reason";
    return fail(EXIT_FAILED, "mosquitto ended by itself (%s %d): %s\n%s",
                WIFSIGNALED(status) ? "signal" : "exit code",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), found,
                remedy_of(found));
}

int broker_run(int argc, char **argv)
{
    static const struct usage usage = {
        "broker run", "",
        "Runs mosquitto in the foreground; SIGHUP has it read rights and "
        "certificates again.",
        "Sessions and retained messages are kept in broker/data/."};
    const char *dir = NULL;
    struct words rest = {0};
    const struct option options[] = {OPTION_ROW_DIR(&dir)};
    int code = options_take(&usage, options, 1, argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count)
        return fail(EXIT_USAGE, "broker run takes no '%s'\nthimble broker run --help", rest.at[0]);
    struct running running = {.lock = -1, .signals = -1, .process = {.output = -1}};
    code = home_find(&running.home, dir);
    if (code == EXIT_OK)
        code = start(&running);
    if (code == EXIT_OK) {
        broker_log_open(&running.log, &running.home);
        code = loop(&running);
        broker_log_close(&running.log);
    }
    if (running.process.pid > 0)
        process_stop(&running.process, PATIENCE_MS);
    if (running.signals >= 0)
        close(running.signals);
    if (running.lock >= 0)
        close(running.lock);
    return code;
}

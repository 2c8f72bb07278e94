/* SPDX-License-Identifier: MIT */
#include "demo_stage.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <thimble/time.h>

#include "commands.h"
#include "exits.h"
#include "files.h"
#include "mosquitto_program.h"
#include "term.h"

#define BROKER_START_MS 10000
#define BROKER_END_MS   10000
#define LOOK_MS         50 /* how often the brokers' output is looked at */

/* ---- opening and closing ---- */

static int watch_signals(struct stage *stage)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    stage->signals_open = fd >= 0 && th_linux_watch(&stage->loop, &stage->signals, fd);
    return stage->signals_open ? EXIT_OK
                               : fail(EXIT_FAILED, "cannot wait for signals\nend other programs");
}

int stage_open(struct stage *stage)
{
    const char *folder = getenv("TMPDIR");
    struct th_failure failure;
    snprintf(stage->dir, sizeof stage->dir, "%s/thimble-demo.XXXXXX",
             folder && *folder && strlen(folder) < 200 ? folder : "/tmp");
    if (!mkdtemp(stage->dir)) {
        stage->dir[0] = '\0';
        return fail(EXIT_FAILED,
                    "cannot make a temporary directory: %s\nset TMPDIR to a directory "
                    "you may write to",
                    strerror(errno));
    }
    stage->loop_open = th_linux_init(&stage->loop, &failure);
    if (!stage->loop_open)
        return fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                    th_error_remedy(failure.error));
    return watch_signals(stage);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void stage_close(struct stage *stage)
{
    actor_stop(&stage->device.actor);
    actor_stop(&stage->user.actor);
    stage_end_broker(stage, &stage->home);
    stage_end_broker(stage, &stage->impostor);
    relay_stop(&stage->relay);
    if (stage->signals_open) {
        int fd = stage->signals.fd;
        th_linux_unwatch(&stage->signals);
        close(fd);
    }
    if (stage->loop_open)
        th_linux_close(&stage->loop);
    if (stage->dir[0])
        nftw(stage->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- commands ---- */

int stage_command(int (*command)(int argc, char **argv), const char *const *words)
{
    char *argv[16];
    int argc = 0;
    for (; argc < 16 && words[argc]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc];
    bool quiet = term.quiet;
    term.quiet = true;
    int code = command(argc, argv);
    term.quiet = quiet;
    return code;
}

/* ---- brokers ---- */

int stage_make_broker(struct stage *stage, struct demo_broker *broker, const char *folder,
                      const char *name)
{
    char port[8], user_port[8];
    broker->process.output = -1;
    broker->port = process_free_port();
    broker->user_port = process_free_port();
    if (!broker->port || !broker->user_port || broker->port == broker->user_port)
        return fail(EXIT_FAILED, "no free port on 127.0.0.1\nend other programs");
    snprintf(broker->dir, sizeof broker->dir, "%s/%s", stage->dir, folder);
    snprintf(port, sizeof port, "%u", broker->port);
    snprintf(user_port, sizeof user_port, "%u", broker->user_port);
    int code = stage_command(ca_main,
                             (const char *[]){"init", "--dir", broker->dir, "--name", name, NULL});
    if (code == EXIT_OK)
        code =
            stage_command(broker_main, (const char *[]){"init", "--dir", broker->dir, "--host",
                                                        "localhost", "--port", port, "--user-port",
                                                        user_port, "--recovery-port", "0",
                                                        "--no-proof", "--bind", "127.0.0.1", NULL});
    return code;
}

static void read_log(struct demo_broker *broker)
{
    const char *line;
    while (broker->process.output >= 0 && process_line(&broker->process, &line)) {
        if (broker->log)
            fprintf(broker->log, "%s\n", line);
        broker->ready = broker->ready || mosquitto_is_up(line);
    }
    if (broker->log)
        fflush(broker->log);
}

static bool broker_settled(struct stage *stage)
{
    struct demo_broker *broker = stage->home.ready ? &stage->impostor : &stage->home;
    int status;
    return broker->ready || process_ended(&broker->process, &status);
}

int stage_start_broker(struct stage *stage, struct demo_broker *broker)
{
    char program[256], flag[] = "-c";
    struct path configuration = path_of("%s/broker/mosquitto.conf", broker->dir);
    struct path log = path_of("%s/broker/log", broker->dir);
    int code = mosquitto_program(program, sizeof program);
    if (code != EXIT_OK)
        return code;
    if (!broker->log)
        broker->log = fopen(log.text, "ae");
    broker->ready = false;
    char *argv[] = {program, flag, configuration.text, NULL};
    code = process_start(&broker->process, argv);
    if (code == EXIT_OK && !(stage_until(stage, broker_settled, BROKER_START_MS) && broker->ready))
        code = stage->interrupted ? EXIT_FAILED
                                  : fail(EXIT_FAILED,
                                         "mosquitto does not start\n"
                                         "see why: mosquitto -c %s",
                                         configuration.text);
    return code;
}

/* The cast plays on while it ends: its connections see the end of the broker as they would. */
void stage_end_broker(struct stage *stage, struct demo_broker *broker)
{
    (void)stage;
    if (broker->process.pid > 0) {
        process_stop(&broker->process, BROKER_END_MS);
        broker->ready = false;
    }
    if (broker->log)
        fclose(broker->log);
    broker->log = NULL;
}

/* ---- playing ---- */

static void play_once(struct stage *stage, uint32_t most_ms)
{
    uint32_t wait_ms = most_ms < LOOK_MS ? most_ms : LOOK_MS;
    if (stage->device.actor.peer.loop) {
        demo_device_step(&stage->device);
        wait_ms = th_time_sooner(wait_ms, actor_deadline(&stage->device.actor));
    }
    if (stage->user.actor.peer.loop) {
        actor_step(&stage->user.actor);
        wait_ms = th_time_sooner(wait_ms, actor_deadline(&stage->user.actor));
    }
    th_linux_wait(&stage->loop, wait_ms);
    read_log(&stage->home);
    read_log(&stage->impostor);
    stage->interrupted = stage->interrupted || stage->signals.ready;
}

bool stage_until(struct stage *stage, bool (*happened)(struct stage *stage), uint32_t limit_ms)
{
    uint32_t since = th_linux_now(&stage->loop);
    while (!happened(stage)) {
        uint32_t gone = th_linux_now(&stage->loop) - since;
        if (gone >= limit_ms || stage->interrupted)
            return false;
        play_once(stage, limit_ms - gone);
    }
    return !stage->interrupted;
}

static bool never(struct stage *stage)
{
    (void)stage;
    return false;
}

void stage_play(struct stage *stage, uint32_t ms)
{
    stage_until(stage, never, ms);
}

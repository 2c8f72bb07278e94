/* SPDX-License-Identifier: MIT */
#include "proof_stage.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "exits.h"
#include "mosquitto.h"
#include "mosquitto_program.h"
#include "options.h"
#include "term.h"
#include "text.h"

#define START_MS   60000 /* for the rights of 10,000 devices mosquitto needs a second of its own */
#define END_MS     10000
#define RESTART_MS 60000
#define LOOK_MS    20 /* how often our own broker's output is looked at */

/* ---- the configuration ---- */

struct copying {
    struct proof_stage *stage;
    FILE *to;
};

/* The file as it is, but for the ports and what would disturb a broker that runs elsewhere. */
static void copy_line(void *user, const char *name, char *value)
{
    struct copying *copying = user;
    struct proof_stage *stage = copying->stage;
    FILE *to = copying->to;
    static const char *const dropped[] = {"persistence_location", "pid_file", "log_dest"};
    for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++) {
        if (strcmp(name, dropped[i]) == 0)
            return;
    }
    static const char *const replaced[][2] = {
        {"acl_file", "acl"},
        {"plugin_opt_acl_file", "acl"},
        {"password_file", "passwords"},
        {"plugin_opt_password_file", "passwords"},
    };
    for (size_t i = 0; i < sizeof replaced / sizeof replaced[0]; i++) {
        if (strcmp(name, replaced[i][0]) == 0) {
            fprintf(to, "%s %s/" PROOF_DIR "/%s\n", name, stage->home->dir, replaced[i][1]);
            return;
        }
    }
    if (strcmp(name, "listener") == 0)
        fprintf(to, "listener %ld 127.0.0.1\n", stage->listeners.at[stage->listeners.count++].port);
    else
        fprintf(to, "%s %s\n", name, value);
}

static int copy_configuration(struct proof_stage *stage)
{
    struct text text;
    int code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    fprintf(text.file, "log_dest stderr\npersistence_location %s/" PROOF_DIR "/\n",
            stage->home->dir);
    struct copying copying = {stage, text.file};
    stage->listeners.count = 0; /* counted again by copy_line() */
    code = listeners_lines(stage->home, copy_line, &copying);
    int written = text_write(&text, home_path(stage->home, PROOF_DIR "/mosquitto.conf").text);
    return code == EXIT_OK ? written : code;
}

/* ---- our own broker ---- */

static void read_output(struct proof_stage *stage)
{
    const char *line;
    while (stage->process.output >= 0 && process_line(&stage->process, &line)) {
        stage->ready = stage->ready || mosquitto_is_up(line);
        stage->reread = stage->reread || strstr(line, "Reloading config");
    }
}

void proof_stage_wait(struct proof_stage *stage, uint32_t most_ms)
{
    th_linux_wait(&stage->loop, stage->own && most_ms > LOOK_MS ? LOOK_MS : most_ms);
    read_output(stage);
}

static int await(struct proof_stage *stage, const bool *said)
{
    uint32_t since = th_linux_now(&stage->loop);
    int status;
    while (!*said) {
        proof_stage_wait(stage, LOOK_MS);
        if (process_ended(&stage->process, &status) ||
            th_linux_now(&stage->loop) - since > START_MS)
            return fail(EXIT_FAILED, "mosquitto does not start with %s\nthimble broker run",
                        home_path(stage->home, "broker/mosquitto.conf").text);
    }
    return EXIT_OK;
}

static int start_own(struct proof_stage *stage)
{
    char program[256], flag[] = "-c";
    struct path configuration = home_path(stage->home, PROOF_DIR "/mosquitto.conf");
    int code = mosquitto_program(program, sizeof program);
    if (code != EXIT_OK)
        return code;
    stage->ready = stage->reread = false;
    char *argv[] = {program, flag, configuration.text, NULL};
    code = process_start(&stage->process, argv);
    if (code == EXIT_OK)
        code = await(stage, &stage->ready);
    if (code != EXIT_OK || !proof_stage_listener(stage, LISTENER_WEBSOCKETS))
        return code;
    kill(stage->process.pid, SIGHUP); /* as `broker run` does */
    return await(stage, &stage->reread);
}

static int take_ports(struct proof_stage *stage)
{
    for (size_t i = 0; i < stage->listeners.count; i++) {
        stage->listeners.at[i].port = process_free_port();
        snprintf(stage->listeners.at[i].address, sizeof stage->listeners.at[i].address,
                 "127.0.0.1");
        if (stage->listeners.at[i].port == 0)
            return fail(EXIT_FAILED, "no free port on 127.0.0.1\nend other programs");
    }
    return EXIT_OK;
}

/* ---- opening and closing ---- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void remove_directory(struct proof_stage *stage)
{
    nftw(home_path(stage->home, PROOF_DIR).text, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A file the proof adds lines to, without those of a proof that was cut off. */
static int read_list(const struct home *home, const char *file, struct bytes *into)
{
    int code = files_read_large(home_path(home, file).text, into);
    char *mark = code == EXIT_OK ? strstr((char *)into->at, PROOF_ACL_MARK) : NULL;
    if (mark) {
        *mark = '\0';
        into->len = strlen((const char *)into->at);
    }
    return code;
}

static bool has_passwords(const struct proof_stage *stage)
{
    for (size_t i = 0; i < stage->listeners.count; i++) {
        if (stage->listeners.at[i].passwords)
            return true;
    }
    return false;
}

int proof_stage_open(struct proof_stage *stage, struct home *home, bool own)
{
    struct th_failure failure;
    *stage = (struct proof_stage){.home = home, .process = {.output = -1}};
    struct path configuration = home_path(home, "broker/mosquitto.conf");
    if (!files_exist(configuration.text))
        return fail(EXIT_MISSING, "there is no %s\nthimble broker init", configuration.text);
    stage->loop_open = th_linux_init(&stage->loop, &failure);
    if (!stage->loop_open)
        return fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                    th_error_remedy(failure.error));
    stage->own = own || mosquitto_running(home) == 0;
    stage->one_way = mosquitto_one_way(home);
    int code = listeners_read(home, &stage->listeners);
    if (code == EXIT_OK)
        code = read_list(home, "broker/acl", &stage->acl);
    if (code == EXIT_OK && has_passwords(stage))
        code = read_list(home, "broker/passwords", &stage->passwords);
    remove_directory(stage); /* of a proof that was cut off */
    if (code == EXIT_OK)
        code = files_directory(home_path(home, PROOF_DIR).text);
    return code;
}

static int write_acl(struct proof_stage *stage, const char *lines)
{
    struct text text;
    int code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    fprintf(text.file, "%s%s", (const char *)stage->acl.at, lines);
    return text_write(&text,
                      home_path(stage->home, stage->own ? PROOF_DIR "/acl" : "broker/acl").text);
}

static int write_passwords(struct proof_stage *stage, const char *lines)
{
    struct text text;
    if (!stage->passwords.at)
        return EXIT_OK;
    int code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    fprintf(text.file, "%s%s%s", (const char *)stage->passwords.at, PROOF_ACL_MARK, lines);
    return text_write_secret(
        &text,
        home_path(stage->home, stage->own ? PROOF_DIR "/passwords" : "broker/passwords").text);
}

int proof_stage_start(struct proof_stage *stage, const char *lines, const char *passwords)
{
    int code = write_acl(stage, lines);
    if (code == EXIT_OK)
        code = write_passwords(stage, passwords);
    if (code == EXIT_OK && !stage->own) {
        mosquitto_reload(stage->home);
        return EXIT_OK;
    }
    if (code == EXIT_OK)
        code = take_ports(stage);
    if (code == EXIT_OK)
        code = copy_configuration(stage);
    return code == EXIT_OK ? start_own(stage) : code;
}

/* Until every listener takes connections again. */
static int await_listeners(struct proof_stage *stage)
{
    uint32_t since = th_linux_now(&stage->loop);
    for (size_t i = 0; i < stage->listeners.count;) {
        if (process_listens_at(stage->listeners.at[i].address,
                               (uint16_t)stage->listeners.at[i].port)) {
            i++;
            continue;
        }
        if (th_linux_now(&stage->loop) - since > START_MS)
            return fail(EXIT_FAILED, "port %ld is closed after `%s`\nsee the broker's log",
                        stage->listeners.at[i].port, stage->restart);
        th_linux_wait(&stage->loop, LOOK_MS);
    }
    return EXIT_OK;
}

static int restart_running(struct proof_stage *stage)
{
    int code = process_shell("restart", stage->restart, RESTART_MS);
    return code == EXIT_OK ? await_listeners(stage) : code;
}

int proof_stage_again(struct proof_stage *stage, const char *passwords)
{
    int code = write_passwords(stage, passwords);
    if (code != EXIT_OK)
        return code;
    if (!stage->own && stage->restart)
        return restart_running(stage);
    if (!stage->own) { /* the revocation lists it has read with the ACL */
        if (stage->passwords.at)
            mosquitto_reload(stage->home);
        return EXIT_OK;
    }
    process_stop(&stage->process, END_MS);
    return start_own(stage);
}

static void give_back(struct proof_stage *stage)
{
    if (stage->acl.at)
        files_write(home_path(stage->home, "broker/acl").text, stage->acl.at, stage->acl.len,
                    FILES_PUBLIC, FILES_REPLACE);
    if (stage->passwords.at)
        files_write(home_path(stage->home, "broker/passwords").text, stage->passwords.at,
                    stage->passwords.len, FILES_SECRET, FILES_REPLACE);
    if (stage->acl.at)
        mosquitto_reload(stage->home);
}

void proof_stage_close(struct proof_stage *stage)
{
    if (stage->process.pid > 0)
        process_stop(&stage->process, END_MS);
    if (!stage->own)
        give_back(stage);
    bytes_free(&stage->acl);
    bytes_free(&stage->passwords);
    if (stage->home)
        remove_directory(stage);
    if (stage->loop_open)
        th_linux_close(&stage->loop);
    stage->loop_open = false;
}

const struct listener *proof_stage_listener(const struct proof_stage *stage,
                                            enum listener_kind kind)
{
    for (size_t i = 0; i < stage->listeners.count; i++) {
        if (stage->listeners.at[i].kind == kind)
            return &stage->listeners.at[i];
    }
    return NULL;
}

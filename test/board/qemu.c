/* SPDX-License-Identifier: MIT */
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX 96
#define PATHS         16 /* paths that are good at a time */

const struct qemu_machine qemu_lx106 = {"lx106", true, false};
const struct qemu_machine qemu_mps2 = {"mps2", false, false};
const struct qemu_machine qemu_linux = {"linux", false, true};

static _Noreturn void rig_failed(const struct qemu *qemu, const char *what)
{
    int error = errno, status = 0;

    fprintf(stderr, "the rig failed: %s (%s)\n", what, strerror(error));
    if (qemu != NULL) {
        if (qemu->pid > 0 && waitpid(qemu->pid, &status, WNOHANG) == qemu->pid)
            fprintf(stderr, "QEMU has ended: status %#x\n", (unsigned)status);
        fprintf(stderr, "console:\n%.*s\n", (int)qemu->length, qemu->text);
        if (qemu->pid > 0)
            kill(qemu->pid, SIGKILL);
    }
    exit(3);
}

const struct qemu_machine *qemu_machine_named(const char *name)
{
    if (strcmp(name, "lx106") == 0)
        return &qemu_lx106;
    if (strcmp(name, "mps2") == 0)
        return &qemu_mps2;
    if (strcmp(name, "linux") == 0)
        return &qemu_linux;
    rig_failed(NULL, "no such board; there are lx106, mps2 and linux");
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *image_path(const struct qemu_machine *machine, const char *name)
{
    static char paths[PATHS][512];
    static unsigned next;
    char *path = paths[next++ % PATHS];

    const char *boards = getenv("THIMBLE_BOARDS"); /* of another commit: scripts/footprint */

    snprintf(path, sizeof(paths[0]), "%s/%s/%s", boards != NULL ? boards : TH_BOARDS, machine->name,
             name);
    return path;
}

const char *qemu_path(const struct qemu *qemu, const char *name)
{
    static char paths[PATHS][512];
    static unsigned next;
    char *path = paths[next++ % PATHS];

    snprintf(path, sizeof(paths[0]), "%s/%s", qemu->folder, name);
    return path;
}

static void run(const char *const *words)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        execvp(words[0], (char *const *)(uintptr_t)words);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        rig_failed(NULL, words[0]);
}

void qemu_prepare(struct qemu *qemu, const struct qemu_machine *machine, const char *image,
                  const char *second)
{
    memset(qemu, 0, sizeof(*qemu));
    qemu->machine = machine;
    qemu->qmp = qemu->console = qemu->input = -1;
    snprintf(qemu->folder, sizeof(qemu->folder), "%s/board-XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    if (mkdtemp(qemu->folder) == NULL)
        rig_failed(NULL, "no folder can be made");
    if (machine->has_flash)
        run((const char *const[]){image_path(machine, "mkflash"), qemu_path(qemu, "flash"),
                                  image_path(machine, image),
                                  second != NULL ? image_path(machine, second) : NULL, NULL});
    else if (symlink(image_path(machine, image), qemu_path(qemu, "image")) != 0)
        rig_failed(NULL, "the image cannot be linked to");
}

void qemu_clear(struct qemu *qemu)
{
    if (qemu->pid > 0)
        qemu_kill(qemu);
    run((const char *const[]){"rm", "-rf", qemu->folder, NULL});
}

struct words {
    const char *word[ARGUMENTS_MAX];
    unsigned count;
};

static void add(struct words *words, const char *word)
{
    if (words->count + 1 >= ARGUMENTS_MAX)
        rig_failed(NULL, "too many arguments");
    words->word[words->count++] = word;
    words->word[words->count] = NULL;
}

static void add_all(struct words *words, const char *const *list)
{
    for (; list != NULL && *list != NULL; list++)
        add(words, *list);
}

static void machine_words(struct words *words, const struct qemu *qemu, char *drive, size_t room)
{
    static const char *const lx106[] = {
        "qemu-system-xtensa", "-M", "lx60-nommu", "-cpu", "lx106", "-m", "16M", NULL};
    static const char *const mps2[] = {"qemu-system-arm", "-M", "mps2-an385", NULL};

    if (!qemu->machine->has_flash) {
        add_all(words, mps2);
        add(words, "-kernel");
        add(words, qemu_path(qemu, "image"));
        return;
    }
    add_all(words, lx106);
    snprintf(drive, room, "if=pflash,format=raw,file=%s", qemu_path(qemu, "flash"));
    add(words, "-drive");
    add(words, drive);
    add(words, "-kernel");
    add(words, image_path(qemu->machine, "loader.elf"));
}

/* All parameters as one -semihosting-config; QEMU wants a comma in a value doubled, none has one.
 */
static void semihosting_words(struct words *words, const char *const *parameters, char *text,
                              size_t room)
{
    size_t used = (size_t)snprintf(text, room, "enable=on,target=native,arg=thimble");

    for (; parameters != NULL && *parameters != NULL; parameters++)
        used += (size_t)snprintf(text + used, room - used, ",arg=%s", *parameters);
    add(words, "-semihosting-config");
    add(words, text);
}

static void network_words(struct words *words, const struct qemu *qemu)
{
    add(words, "-nic");
    add(words, qemu->machine->has_flash ? "user,model=open_eth,id=net" : "user,id=net");
}

/* Two filters beside the board's network: frames of ours go to the board alone, never to the host's
 * side, whose code is not what we test. */
static void tap_words(struct words *words, const struct qemu *qemu, char *out, char *in,
                      size_t room)
{
    snprintf(out, room, "socket,id=out,server=on,wait=off,path=%s", qemu_path(qemu, "tap-out"));
    snprintf(in, room, "socket,id=in,server=on,wait=off,path=%s", qemu_path(qemu, "tap-in"));
    const char *const filters[] = {
        "-chardev", out,
        "-chardev", in,
        "-object",  "filter-mirror,id=mirror,netdev=net,queue=all,outdev=out",
        "-object",  "filter-redirector,id=inject,netdev=net,queue=tx,indev=in",
        NULL};
    add_all(words, filters);
}

static int connect_unix(struct qemu *qemu, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", qemu_path(qemu, name));
    for (int i = 0; connect(socket_fd, (struct sockaddr *)&address, sizeof(address)) != 0; i++) {
        if (i == 500)
            rig_failed(qemu, "QEMU does not open a socket");
        usleep(10000);
    }
    return socket_fd;
}

/* The program with its parameters; its port is the relay's. */
static void process_words(struct words *words, struct qemu *qemu, const char *const *parameters,
                          char *port, size_t room)
{
    add(words, qemu_path(qemu, "image"));
    add(words, "host=127.0.0.1");
    for (; parameters != NULL && *parameters != NULL; parameters++) {
        if (strncmp(*parameters, "port=", 5) != 0) {
            add(words, *parameters);
            continue;
        }
        if (!relay_start(&qemu->relay, (int)strtol(*parameters + 5, NULL, 10)))
            rig_failed(qemu, "no relay");
        snprintf(port, room, "port=%d", qemu->relay.port);
        add(words, port);
    }
}

struct texts {
    char drive[600], semihosting[4096], qmp[600], tap_out[600], tap_in[600];
};

static void emulator_words(struct words *words, const struct qemu *qemu,
                           const char *const *parameters, const char *const *options,
                           struct texts *texts)
{
    static const char *const always[] = {"-display", "none",  "-monitor", "none",
                                         "-serial",  "stdio", NULL};

    machine_words(words, qemu, texts->drive, sizeof(texts->drive));
    add_all(words, always);
    semihosting_words(words, parameters, texts->semihosting, sizeof(texts->semihosting));
    snprintf(texts->qmp, sizeof(texts->qmp), "unix:%s,server=on,wait=off", qemu_path(qemu, "qmp"));
    add(words, "-qmp");
    add(words, texts->qmp);
    network_words(words, qemu);
    if (qemu->tapped)
        tap_words(words, qemu, texts->tap_out, texts->tap_in, sizeof(texts->tap_in));
    add_all(words, options);
}

void qemu_start(struct qemu *qemu, const char *const *parameters, const char *const *options)
{
    struct texts texts;
    struct words words = {.count = 0};
    int out[2], in[2];

    if (qemu->machine->is_process)
        process_words(&words, qemu, parameters, texts.qmp, sizeof(texts.qmp));
    else
        emulator_words(&words, qemu, parameters, options, &texts);
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(in, O_CLOEXEC) != 0)
        rig_failed(NULL, "no pipe");
    unlink(qemu_path(qemu, "qmp"));
    qemu->pid = fork();
    if (qemu->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        execvp(words.word[0], (char *const *)(uintptr_t)words.word);
        _exit(127);
    }
    close(out[1]);
    close(in[0]);
    qemu->console = out[0];
    qemu->input = in[1];
    qemu->length = qemu->looked = 0;
    qemu->text[0] = '\0';
    qemu->qmp = qemu->tap_in = qemu->tap_out = -1;
    if (qemu->tapped) {
        qemu->tap_out = connect_unix(qemu, "tap-out");
        qemu->tap_in = connect_unix(qemu, "tap-in");
    }
}

/* False at the end of the console. */
static bool read_console(struct qemu *qemu, int timeout_ms)
{
    struct pollfd wait = {.fd = qemu->console, .events = POLLIN};

    if (poll(&wait, 1, timeout_ms) <= 0)
        return true;
    if (qemu->length + 1 >= sizeof(qemu->text))
        rig_failed(qemu, "the console says too much");
    ssize_t got =
        read(qemu->console, qemu->text + qemu->length, sizeof(qemu->text) - qemu->length - 1);
    if (got <= 0)
        return false;
    qemu->length += (size_t)got;
    qemu->text[qemu->length] = '\0';
    return true;
}

const char *qemu_expect(struct qemu *qemu, const char *text, int timeout_ms)
{
    long end = now_ms() + timeout_ms;
    bool more = true;

    for (;;) {
        const char *found = strstr(qemu->text + qemu->looked, text);
        if (found != NULL) {
            qemu->looked = (size_t)(found - qemu->text) + strlen(text);
            return found;
        }
        long left = end - now_ms();
        if (!more || left <= 0)
            return NULL;
        more = read_console(qemu, (int)left);
    }
}

void qemu_type(struct qemu *qemu, const char *text)
{
    if (write(qemu->input, text, strlen(text)) != (ssize_t)strlen(text))
        rig_failed(qemu, "the console takes no input");
}

static int finish(struct qemu *qemu)
{
    int status = 0;

    while (waitpid(qemu->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    qemu->pid = 0;
    close(qemu->console);
    close(qemu->input);
    if (qemu->qmp >= 0)
        close(qemu->qmp);
    qemu_tap_deaf(qemu);
    if (qemu->tap_in >= 0)
        close(qemu->tap_in);
    qemu->tap_in = -1;
    relay_stop(&qemu->relay);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int qemu_wait(struct qemu *qemu, int timeout_ms)
{
    long end = now_ms() + timeout_ms;

    while (read_console(qemu, 50))
        if (now_ms() > end) {
            qemu_kill(qemu);
            return -1;
        }
    return finish(qemu);
}

void qemu_kill(struct qemu *qemu)
{
    kill(qemu->pid, SIGKILL);
    while (read_console(qemu, 1000))
        continue;
    finish(qemu);
}

/* Answers and events are lines of JSON; a command is done when its "return" has come. */
static void execute(struct qemu *qemu, const char *command, const char *arguments)
{
    char line[4096];
    int length =
        snprintf(line, sizeof(line), "{\"execute\":\"%s\"%s%s}\n", command,
                 arguments != NULL ? ",\"arguments\":" : "", arguments != NULL ? arguments : "");

    if (write(qemu->qmp, line, (size_t)length) != length)
        rig_failed(qemu, "QMP takes no command");
    size_t used = 0;
    for (long end = now_ms() + 10000; now_ms() < end;) {
        struct pollfd wait = {.fd = qemu->qmp, .events = POLLIN};
        if (poll(&wait, 1, 100) <= 0)
            continue;
        ssize_t got = read(qemu->qmp, line + used, sizeof(line) - used - 1);
        if (got <= 0) {
            /* After a reset or at its end QEMU may be gone before it answers. */
            if (strstr(line, "\"RESET\"") != NULL || strcmp(command, "quit") == 0)
                return;
            break;
        }
        used += (size_t)got;
        line[used] = '\0';
        if (strstr(line, "\"return\"") != NULL)
            return;
        if (strstr(line, "\"error\"") != NULL || used + 1 >= sizeof(line))
            break;
    }
    fprintf(stderr, "QMP: %s\n", line);
    rig_failed(qemu, command);
}

static void process_command(struct qemu *qemu, const char *command, const char *arguments)
{
    if (strcmp(command, "system_reset") == 0)
        kill(qemu->pid, SIGUSR1);
    else if (strcmp(command, "set_link") == 0)
        relay_set(&qemu->relay, strstr(arguments, "\"up\":true") != NULL);
    else
        rig_failed(qemu, command);
}

void qemu_command(struct qemu *qemu, const char *command, const char *arguments)
{
    if (qemu->machine->is_process) {
        process_command(qemu, command, arguments);
        return;
    }
    if (qemu->qmp < 0) {
        qemu->qmp = connect_unix(qemu, "qmp");
        execute(qemu, "qmp_capabilities", NULL);
    }
    execute(qemu, command, arguments);
}

static bool read_whole(int fd, uint8_t *into, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t got = read(fd, into + done, len - done);
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* Each frame is preceded by its length, four bytes, the highest first. */
size_t qemu_tap_read(struct qemu *qemu, uint8_t *frame, size_t room, int timeout_ms)
{
    struct pollfd wait = {.fd = qemu->tap_out, .events = POLLIN};
    uint8_t head[4];

    if (poll(&wait, 1, timeout_ms) <= 0)
        return 0;
    if (!read_whole(qemu->tap_out, head, sizeof(head)))
        rig_failed(qemu, "the tap has ended");
    size_t len = (size_t)head[2] << 8 | head[3];
    if (len > room || !read_whole(qemu->tap_out, frame, len))
        rig_failed(qemu, "the tap is out of step");
    return len;
}

void qemu_tap_deaf(struct qemu *qemu)
{
    if (qemu->tap_out >= 0)
        close(qemu->tap_out);
    qemu->tap_out = -1;
}

void qemu_tap_write(struct qemu *qemu, const uint8_t *frame, size_t len)
{
    uint8_t whole[4 + 2048] = {0, 0, (uint8_t)(len >> 8), (uint8_t)len};

    memcpy(whole + 4, frame, len);
    if (write(qemu->tap_in, whole, len + 4) != (ssize_t)len + 4)
        rig_failed(qemu, "no frame can be sent");
}

long qemu_cpu_ms(const struct qemu *qemu)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)qemu->pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(text, sizeof(text), file) == NULL)
        rig_failed(qemu, "no CPU time to be read");
    fclose(file);
    /* Fields 14 and 15, counted from behind the name, which may hold anything. */
    const char *rest = strrchr(text, ')');
    if (rest == NULL || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                               &user, &system) != 2)
        rig_failed(qemu, "no CPU time to be read");
    return (long)((user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK));
}

/* SPDX-License-Identifier: MIT */
/* One child process whose output is read line by line; it ends with us, whatever happens to us. */
#ifndef TOOL_PROCESS_H
#define TOOL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid;  /* 0: none */
    int output; /* its stdout and stderr, non-blocking; -1 when closed */
    char line[1024];
    size_t len;
};

/* The path of a program in $PATH or in the system's sbin directories. */
bool process_find(const char *program, char *into, size_t room);

/* Starts argv[0] (a path). EXIT_OK, or an error that was printed. */
int process_start(struct process *process, char *const *argv);

/* Reads what there is and gives the next whole line (without its end); false when there is none
 * now. Lives until the next call. */
bool process_line(struct process *process, const char **line);

/* True once it has ended; `status` is then wait()'s. */
bool process_ended(struct process *process, int *status);

/* SIGTERM, and SIGKILL to a child that does not end within `patience_ms`. Gives back wait()'s
 * status. */
int process_stop(struct process *process, unsigned patience_ms);

/* Runs a shell command to its end; what it says is shown as a warning that begins with `what`.
 * EXIT_OK, or an error that was printed. */
int process_shell(const char *what, const char *command, unsigned most_ms);

/* A TCP port on 127.0.0.1 that nobody listens on now; 0 when there is none. */
uint16_t process_free_port(void);

/* True when something accepts connections there, on 127.0.0.1 or at an address. */
bool process_listens(uint16_t port);
bool process_listens_at(const char *address, uint16_t port);

#endif

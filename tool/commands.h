/* SPDX-License-Identifier: MIT */
/* Every command: argv begins behind its name; each gives back an exit code. */
#ifndef TOOL_COMMANDS_H
#define TOOL_COMMANDS_H

#include <stddef.h>

struct command {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *summary;
};

int ca_main(int argc, char **argv);
int broker_main(int argc, char **argv);
int device_main(int argc, char **argv);
int user_main(int argc, char **argv);
int trust_main(int argc, char **argv);
int flash_main(int argc, char **argv);
int label_main(int argc, char **argv);
int call_main(int argc, char **argv);
int config_main(int argc, char **argv);
int zone_main(int argc, char **argv);
int log_main(int argc, char **argv);
int watch_main(int argc, char **argv);
int pub_main(int argc, char **argv);
int sub_main(int argc, char **argv);
int profile_main(int argc, char **argv);
int tls_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int demo_main(int argc, char **argv);

/* Finds argv[0] among the commands and runs it; without it, or with --help, lists them. `group` is
 * "ca", or "" for the tool itself. */
int commands_run(const char *group, const struct command *commands, size_t count, int argc,
                 char **argv);

#endif

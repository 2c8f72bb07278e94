/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long rss_kib(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2)
        bench_fail("/proc/self/statm", "cannot be read");
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

void bench_fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

void bench_options(struct bench *bench, int argc, char **argv)
{
    *bench = (struct bench){.mode = BENCH_PUBLISH};
    if (argc < 4)
        bench_fail(argv[0], "MODE COUNT PORT [CAFILE CERT KEY [LIBRARY]]");
    if (strcmp(argv[1], "receive") == 0)
        bench->mode = BENCH_RECEIVE;
    else if (strcmp(argv[1], "idle") == 0)
        bench->mode = BENCH_IDLE;
    else if (sscanf(argv[1], "qos%d", &bench->qos) != 1 || bench->qos < 0 || bench->qos > 2)
        bench_fail(argv[1], "not a mode");
    bench->count = (uint32_t)strtoul(argv[2], NULL, 10);
    bench->port = atoi(argv[3]);
    if (argc > 6) {
        bench->ca = argv[4];
        bench->cert = argv[5];
        bench->key = argv[6];
    }
    bench->library = argc > 7 ? argv[7] : "bearssl";
    memset(bench->payload, 'x', sizeof bench->payload);
}

void bench_begin(struct bench *bench)
{
    bench->rss_kib = rss_kib();
    bench->cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID);
    bench->wall_s = seconds(CLOCK_MONOTONIC);
}

void bench_end(struct bench *bench)
{
    bench->wall_s = seconds(CLOCK_MONOTONIC) - bench->wall_s;
    bench->cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID) - bench->cpu_s;
    bench->rss_kib = rss_kib() - bench->rss_kib;
}

void bench_ready(void)
{
    puts("READY");
    fflush(stdout);
}

void bench_report(const struct bench *bench, uint32_t own)
{
    printf("{\"count\":%u,\"wall_s\":%.6f,\"cpu_s\":%.6f,\"rss_kib\":%ld,\"own\":%u}\n",
           (unsigned)bench->count, bench->wall_s, bench->cpu_s, bench->rss_kib, (unsigned)own);
}

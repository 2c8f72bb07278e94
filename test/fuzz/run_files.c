/* SPDX-License-Identifier: MIT */
/* Runs one fuzzer's function over the files named, and over those in the folders named. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 0;
    }
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    /* A copy of exactly that size, so that a sanitiser sees what reads beyond it. */
    uint8_t *bytes = size > 0 ? malloc((size_t)size) : NULL;
    if (size > 0 && (bytes == NULL || fread(bytes, 1, (size_t)size, file) != (size_t)size)) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, size > 0 ? (size_t)size : 0);
    free(bytes);
    return 1;
}

static int run_folder(const char *path)
{
    char name[4096];
    int count = 0;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        perror(path);
        return 0;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        count += run_file(name);
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        struct stat kind;
        bool folder = stat(argv[i], &kind) == 0 && S_ISDIR(kind.st_mode);
        count += folder ? run_folder(argv[i]) : run_file(argv[i]);
    }
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}

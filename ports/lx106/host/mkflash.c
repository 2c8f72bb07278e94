/* SPDX-License-Identifier: MIT */
/* Runs on the host: makes a 4 MiB flash file for the emulated board from ELF images, with a
 * confirmed boot record for slot A. Layouts: docs/flash-format.md. */
#include <elf.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <thimble/boot.h>

#include "../image.h"

#define FLASH_BYTES 0x400000

static const uint32_t units[2] = TH_LX_BOOT_UNITS;
static const uint32_t slots[2] = TH_LX_SLOTS;

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static int complain(const char *path, const char *what)
{
    fprintf(stderr, "mkflash: %s: %s\n", path, what);
    return -1;
}

/* The whole file, NUL-free, in memory the caller frees. */
static uint8_t *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;

    if (file == NULL) {
        complain(path, strerror(errno));
        return NULL;
    }
    if (fseek(file, 0, SEEK_END) == 0 && (*length = (size_t)ftell(file)) > 0) {
        rewind(file);
        bytes = malloc(*length);
        if (bytes != NULL && fread(bytes, 1, *length, file) != *length) {
            free(bytes);
            bytes = NULL;
        }
    }
    fclose(file);
    if (bytes == NULL)
        complain(path, "cannot be read");
    return bytes;
}

static int check_elf(const char *path, const uint8_t *elf, size_t length)
{
    const Elf32_Ehdr *header = (const Elf32_Ehdr *)elf;

    if (length < sizeof(*header) || memcmp(elf, ELFMAG, SELFMAG) != 0 ||
        elf[EI_CLASS] != ELFCLASS32 || header->e_machine != EM_XTENSA ||
        header->e_phoff + (size_t)header->e_phnum * sizeof(Elf32_Phdr) > length)
        return complain(path, "is no 32-bit Xtensa ELF file");
    return 0;
}

/* Appends the loadable segments to the image's table and body. */
static int copy_segments(const char *path, const uint8_t *elf, size_t length, uint8_t *image,
                         uint32_t *image_length)
{
    const Elf32_Ehdr *header = (const Elf32_Ehdr *)elf;
    const Elf32_Phdr *segments = (const Elf32_Phdr *)(elf + header->e_phoff);
    uint8_t count = 0;

    for (int i = 0; i < header->e_phnum; i++)
        count += segments[i].p_type == PT_LOAD && segments[i].p_filesz > 0;
    if (count < 1 || count > TH_LX_IMAGE_SEGMENTS)
        return complain(path, "has no segments, or too many");
    image[TH_LX_IMAGE_COUNT] = count;
    uint8_t *table = image + TH_LX_IMAGE_TABLE;
    uint32_t at = TH_LX_IMAGE_TABLE + 8u * count;
    for (int i = 0; i < header->e_phnum; i++) {
        const Elf32_Phdr *segment = &segments[i];
        uint32_t padded = (segment->p_filesz + 3) & ~3u;
        if (segment->p_type != PT_LOAD || segment->p_filesz == 0)
            continue;
        if (segment->p_offset + (size_t)segment->p_filesz > length)
            return complain(path, "is cut short");
        if (padded > TH_LX_SLOT_BYTES - at)
            return complain(path, "does not fit a slot");
        put32(table, segment->p_paddr);
        put32(table + 4, padded);
        memset(image + at, 0, padded);
        memcpy(image + at, elf + segment->p_offset, segment->p_filesz);
        table += 8;
        at += padded;
    }
    *image_length = at;
    return 0;
}

static int make_image(const char *path, uint8_t *image)
{
    uint32_t image_length = 0;
    size_t length = 0;
    uint8_t *elf = read_file(path, &length);

    if (elf == NULL)
        return -1;
    memset(image, 0, TH_LX_IMAGE_TABLE);
    int result = check_elf(path, elf, length);
    if (result == 0)
        result = copy_segments(path, elf, length, image, &image_length);
    if (result == 0) {
        memcpy(image, "THIM", 4);
        put32(image + TH_LX_IMAGE_LENGTH, image_length);
        image[TH_LX_IMAGE_DIGESTED] = TH_LX_IMAGE_VERSION;
        put32(image + TH_LX_IMAGE_ENTRY, ((const Elf32_Ehdr *)elf)->e_entry);
        SHA256(image + TH_LX_IMAGE_DIGESTED, image_length - TH_LX_IMAGE_DIGESTED,
               image + TH_LX_IMAGE_DIGEST);
    }
    free(elf);
    return result;
}

static int write_file(const char *path, const uint8_t *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL)
        return complain(path, strerror(errno));
    size_t done = fwrite(bytes, 1, length, file);
    if (fclose(file) != 0 || done != length)
        return complain(path, "cannot be written");
    return 0;
}

int main(int argc, char **argv)
{
    static uint8_t flash[FLASH_BYTES];

    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: mkflash FLASH-FILE SLOT-A.elf [SLOT-B.elf]\n"
                        "writes a 4 MiB flash file whose boot record starts slot A\n");
        return 2;
    }
    memset(flash, 0xFF, sizeof(flash));
    for (int i = 2; i < argc; i++)
        if (make_image(argv[i], flash + slots[i - 2]) != 0)
            return 1;
    struct th_boot_record record = {
        .sequence = 1, .attempts = 3, .starts = ~0u, .failures = ~0u, .refused = ~0u};
    memcpy(record.image, flash + slots[0] + TH_LX_IMAGE_DIGEST, sizeof(record.image));
    th_boot_encode(&record, flash + units[0]);
    return write_file(argv[1], flash, sizeof(flash)) == 0 ? 0 : 1;
}

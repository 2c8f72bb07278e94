/* SPDX-License-Identifier: MIT */
/* The string functions that read: what they read may lie in flash or IRAM, which the chip reads by
 * aligned words only. From DRAM they read as fast as they can. */
#include <stdint.h>
#include <string.h>

#define FLASH_BEGINS 0x40000000u

static inline int in_flash(const void *at)
{
    return (uintptr_t)at >= FLASH_BEGINS;
}

static inline uint8_t flash_byte(const uint8_t *at)
{
    uintptr_t address = (uintptr_t)at;
    return (uint8_t)(*(const volatile uint32_t *)(address & ~(uintptr_t)3) >> (address & 3) * 8);
}

static inline uint8_t byte_at(const uint8_t *at)
{
    return in_flash(at) ? flash_byte(at) : *at;
}

static void copy_words(uint8_t **to, const uint8_t **from, size_t words)
{
    uint32_t *out = (uint32_t *)(void *)*to;
    const uint32_t *in = (const uint32_t *)(const void *)*from;

    for (size_t i = 0; i < words; i++)
        out[i] = in[i];
    *to += words * 4;
    *from += words * 4;
}

void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if ((((uintptr_t)out | (uintptr_t)in) & 3) == 0) {
        copy_words(&out, &in, len / 4);
        len &= 3;
    }
    if (in_flash(in)) {
        while (len-- > 0)
            *out++ = flash_byte(in++);
        return to;
    }
    for (; len >= 4; len -= 4, out += 4, in += 4) {
        uint8_t a = in[0], b = in[1], c = in[2], d = in[3];
        out[0] = a, out[1] = b, out[2] = c, out[3] = d;
    }
    while (len-- > 0)
        *out++ = *in++;
    return to;
}

void *memmove(void *to, const void *from, size_t len)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if ((uintptr_t)out - (uintptr_t)in >= len)
        return memcpy(to, from, len);
    while (len-- > 0)
        out[len] = in[len]; /* overlapping what is written: never flash */
    return to;
}

int memcmp(const void *left, const void *right, size_t len)
{
    const uint8_t *a = left, *b = right;

    for (; len > 0; len--, a++, b++) {
        int difference = byte_at(a) - byte_at(b);
        if (difference != 0)
            return difference;
    }
    return 0;
}

void *memchr(const void *from, int wanted, size_t len)
{
    const uint8_t *at = from;

    for (; len > 0; len--, at++)
        if (byte_at(at) == (uint8_t)wanted)
            return (void *)(uintptr_t)at;
    return NULL;
}

size_t strlen(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;

    while (byte_at(at) != '\0')
        at++;
    return (size_t)(at - (const uint8_t *)text);
}

int strncmp(const char *left, const char *right, size_t len)
{
    const uint8_t *a = (const uint8_t *)left, *b = (const uint8_t *)right;

    for (; len > 0; len--, a++, b++) {
        int difference = byte_at(a) - byte_at(b);
        if (difference != 0 || byte_at(a) == '\0')
            return difference;
    }
    return 0;
}

int strcmp(const char *left, const char *right)
{
    return strncmp(left, right, SIZE_MAX);
}

char *strchr(const char *text, int wanted)
{
    const uint8_t *at = (const uint8_t *)text;

    for (; byte_at(at) != (uint8_t)wanted; at++)
        if (byte_at(at) == '\0')
            return NULL;
    return (char *)(uintptr_t)at;
}

size_t strspn(const char *text, const char *set)
{
    size_t len = 0;

    while (byte_at((const uint8_t *)text + len) != '\0' &&
           strchr(set, byte_at((const uint8_t *)text + len)) != NULL)
        len++;
    return len;
}

size_t strcspn(const char *text, const char *set)
{
    size_t len = 0;

    /* strchr() finds the end of `set`, too. */
    while (strchr(set, byte_at((const uint8_t *)text + len)) == NULL)
        len++;
    return len;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    return memcpy(to, from, strlen(from) + 1);
}

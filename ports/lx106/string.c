/* SPDX-License-Identifier: MIT */
/* The string functions that read: constants may lie in flash, which the chip reads by words only.
 * Built with -mforce-l32, which turns each narrower load into a word's. */
#include <stdint.h>
#include <string.h>

static inline int word_aligned(const void *a, const void *b)
{
    return (((uintptr_t)a | (uintptr_t)b) & 3) == 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if (word_aligned(to, from))
        for (; len >= 4; len -= 4, out += 4, in += 4)
            *(uint32_t *)(void *)out = *(const uint32_t *)(const void *)in;
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
        out[len] = in[len];
    return to;
}

int memcmp(const void *left, const void *right, size_t len)
{
    const uint8_t *a = left, *b = right;

    for (; len > 0; len--, a++, b++)
        if (*a != *b)
            return *a - *b;
    return 0;
}

void *memchr(const void *from, int wanted, size_t len)
{
    const uint8_t *at = from;

    for (; len > 0; len--, at++)
        if (*at == (uint8_t)wanted)
            return (void *)(uintptr_t)at;
    return NULL;
}

size_t strlen(const char *text)
{
    const char *at = text;

    while (*at != '\0')
        at++;
    return (size_t)(at - text);
}

int strcmp(const char *a, const char *b)
{
    for (; *a == *b && *a != '\0'; a++, b++)
        continue;
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t len)
{
    for (; len > 0 && *a == *b && *a != '\0'; a++, b++)
        len--;
    return len == 0 ? 0 : (uint8_t)*a - (uint8_t)*b;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    return memcpy(to, from, strlen(from) + 1);
}

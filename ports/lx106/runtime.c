/* SPDX-License-Identifier: MIT */
/* The integer helpers that Debian's libgcc for lx106 lacks (gcc-xtensa-lx106 12.2.0). On the real
 * chip they are in the mask ROM. The core multiplies 16 by 16 and 32 by 32 to 32 bits; it does not
 * divide. The 32-bit ones are in IRAM because interrupt handlers use them. */
#include <cpu.h>
#include <stdint.h>

uint64_t __umulsidi3(uint32_t a, uint32_t b);
uint64_t __muldi3(uint64_t a, uint64_t b);
uint32_t __udivsi3(uint32_t n, uint32_t d);
uint32_t __umodsi3(uint32_t n, uint32_t d);
int32_t __divsi3(int32_t n, int32_t d);
int32_t __modsi3(int32_t n, int32_t d);
uint64_t __udivdi3(uint64_t n, uint64_t d);
uint64_t __umoddi3(uint64_t n, uint64_t d);
int64_t __divdi3(int64_t n, int64_t d);
int64_t __moddi3(int64_t n, int64_t d);

static inline uint32_t mul16(uint32_t a, uint32_t b)
{
    uint32_t product;
    __asm__("mul16u %0, %1, %2" : "=a"(product) : "a"(a), "a"(b));
    return product;
}

static inline __attribute__((always_inline)) uint64_t multiply(uint32_t a, uint32_t b)
{
    uint32_t low = mul16(a, b);
    uint32_t middle = mul16(a, b >> 16);
    uint32_t other = mul16(a >> 16, b);
    uint32_t high = mul16(a >> 16, b >> 16);

    middle += other;
    high += (uint32_t)(middle < other) << 16;
    low += middle << 16;
    high += (middle >> 16) + (low < (middle << 16));
    return ((uint64_t)high << 32) | low;
}

uint64_t __umulsidi3(uint32_t a, uint32_t b)
{
    return multiply(a, b);
}

uint64_t __muldi3(uint64_t a, uint64_t b)
{
    uint32_t cross = (uint32_t)a * (uint32_t)(b >> 32) + (uint32_t)(a >> 32) * (uint32_t)b;
    return multiply((uint32_t)a, (uint32_t)b) + ((uint64_t)cross << 32);
}

/* One bit of the quotient a round, beginning at the highest that can be set. Division by zero
 * gives all ones and the dividend as the remainder. */
static inline __attribute__((always_inline)) uint32_t divide32(uint32_t n, uint32_t d,
                                                               uint32_t *rest)
{
    uint32_t quotient = 0;

    *rest = n;
    if (d == 0)
        return UINT32_MAX;
    if (n < d)
        return 0;
    for (int shift = __builtin_clz(d) - __builtin_clz(n); shift >= 0; shift--) {
        quotient <<= 1;
        if (n >= d << shift) {
            n -= d << shift;
            quotient |= 1;
        }
    }
    *rest = n;
    return quotient;
}

TH_IN_RAM uint32_t __udivsi3(uint32_t n, uint32_t d)
{
    uint32_t rest;
    return divide32(n, d, &rest);
}

TH_IN_RAM uint32_t __umodsi3(uint32_t n, uint32_t d)
{
    uint32_t rest;
    divide32(n, d, &rest);
    return rest;
}

static uint32_t magnitude(int32_t value)
{
    return value < 0 ? 0 - (uint32_t)value : (uint32_t)value;
}

int32_t __divsi3(int32_t n, int32_t d)
{
    uint32_t quotient = __udivsi3(magnitude(n), magnitude(d));
    return (int32_t)((n ^ d) < 0 ? 0 - quotient : quotient);
}

int32_t __modsi3(int32_t n, int32_t d)
{
    uint32_t rest = __umodsi3(magnitude(n), magnitude(d));
    return (int32_t)(n < 0 ? 0 - rest : rest);
}

static int leading_zeros(uint64_t value)
{
    uint32_t high = (uint32_t)(value >> 32);
    return high != 0 ? __builtin_clz(high) : 32 + __builtin_clz((uint32_t)value);
}

static uint64_t divide64(uint64_t n, uint64_t d, uint64_t *rest)
{
    uint64_t quotient = 0;

    *rest = n;
    if (d == 0)
        return UINT64_MAX;
    if (n < d)
        return 0;
    for (int shift = leading_zeros(d) - leading_zeros(n); shift >= 0; shift--) {
        quotient <<= 1;
        if (n >= d << shift) {
            n -= d << shift;
            quotient |= 1;
        }
    }
    *rest = n;
    return quotient;
}

uint64_t __udivdi3(uint64_t n, uint64_t d)
{
    uint64_t rest;
    return divide64(n, d, &rest);
}

uint64_t __umoddi3(uint64_t n, uint64_t d)
{
    uint64_t rest;
    divide64(n, d, &rest);
    return rest;
}

static uint64_t magnitude64(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

int64_t __divdi3(int64_t n, int64_t d)
{
    uint64_t quotient = __udivdi3(magnitude64(n), magnitude64(d));
    return (int64_t)((n ^ d) < 0 ? 0 - quotient : quotient);
}

int64_t __moddi3(int64_t n, int64_t d)
{
    uint64_t rest = __umoddi3(magnitude64(n), magnitude64(d));
    return (int64_t)(n < 0 ? 0 - rest : rest);
}

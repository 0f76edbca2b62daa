/* base/crc32.c - CRC-32 by carry-less multiplication, where the processor has it.
 *
 * A few dozen bytes, of which tokens are made, cost zlib's tables several times as much,
 * and tables leave traces of secret text in the cache. */
#include <zlib.h>

#include "base/encoding.h"

static uint32_t
crc32_by_tables(struct slice s)
{
    return (uint32_t)crc32_z(0, s.size == 0 ? Z_NULL : (const Bytef *)s.at, s.size);
}

#if defined(__x86_64__)
#include <immintrin.h>

#define CARRYLESS __attribute__((target("pclmul,sse4.1")))

/* Everything is reflected: in a register of n bits, bit i holds the coefficient of
 * x^(n-1-i). The product of two registers thus lies one bit lower than theirs would, so
 * that a factor x^n is written as x^(n-1) mod P. */
#define X_191      INT64_C(0x65673b4600000000)
#define X_127      INT64_C(-0x645ab39100000000) /* 9ba54c6f00000000 */
#define X_95       INT64_C(-0x3355ff6200000000) /* ccaa009e00000000 */
#define X_63       INT64_C(-0x4743989b00000000) /* b8bc676500000000 */
#define POLYNOMIAL INT64_C(0x1db710641)
#define QUOTIENT   INT64_C(0x1f7011641) /* x^64 / P, P the polynomial */

CARRYLESS static inline __m128i
load(const void *at)
{
    return _mm_loadu_si128(at);
}

/* What came before, times x^128, mod P in its effect, and the next 16 bytes. */
CARRYLESS static inline __m128i
fold(__m128i sum, __m128i next)
{
    const __m128i factors = _mm_set_epi64x(X_127, X_191);

    return _mm_xor_si128(next, _mm_xor_si128(_mm_clmulepi64_si128(sum, factors, 0x00),
                                             _mm_clmulepi64_si128(sum, factors, 0x11)));
}

/* sum times x^32 mod P: from 128 bits to 96, to 64, and Barrett's way to 32. */
CARRYLESS static inline uint32_t
reduce(__m128i sum)
{
    const __m128i factors = _mm_set_epi64x(X_63, X_95), ends = _mm_set_epi64x(POLYNOMIAL, QUOTIENT);
    const __m128i low = _mm_set_epi32(0, 0, 0, -1);
    __m128i whole;

    sum = _mm_xor_si128(_mm_clmulepi64_si128(sum, factors, 0x00),
                        _mm_slli_si128(_mm_srli_si128(sum, 8), 4));
    sum = _mm_srli_si128(_mm_xor_si128(_mm_clmulepi64_si128(sum, factors, 0x10), sum), 8);
    whole = _mm_clmulepi64_si128(_mm_and_si128(sum, low), ends, 0x00);
    whole = _mm_clmulepi64_si128(_mm_and_si128(whole, low), ends, 0x10);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(sum, whole), 1);
}

/* At least 16 bytes. Zeros in front change nothing, so the odd bytes come first. */
CARRYLESS static uint32_t
crc32_by_products(struct slice s)
{
    uint8_t start[32] = { 0 };
    size_t first = 16 + s.size % 16;
    uint8_t *at = start + sizeof start - first;
    __m128i sum;

    memcpy(at, s.at, first);
    for (size_t i = 0; i < 4; i++)
        at[i] ^= 0xff;
    sum = fold(load(start), load(start + 16));
    for (size_t i = first; i < s.size; i += 16)
        sum = fold(sum, load(s.at + i));
    return ~reduce(sum);
}

uint32_t
crc32_of(struct slice s)
{
    if (s.size < 16 || !__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.1"))
        return crc32_by_tables(s);
    return crc32_by_products(s);
}
#else
uint32_t
crc32_of(struct slice s)
{
    return crc32_by_tables(s);
}
#endif

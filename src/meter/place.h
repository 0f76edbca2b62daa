/* meter/place.h - where a key is looked for in a table. Pure. */
#ifndef WRIT_METER_PLACE_H
#define WRIT_METER_PLACE_H

#include <stddef.h>
#include <stdint.h>

/* Smaller tables are not parted. */
enum { SHARES = 32, PARTED_FROM = 8192, OWNER_SHIFT = 48 };

/* The finaliser of splitmix64: spreads keys that differ in a few bits. */
static inline uint64_t
spread(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The upper bits of a key say whose it is, and choose the share of the table in which the lower
 * ones have their place: nobody fills more than a share. */
static inline size_t
place_of_key(uint64_t key, size_t mask)
{
    size_t share = (mask + 1) / SHARES;

    if (mask + 1 < PARTED_FROM)
        return (size_t)spread(key) & mask;
    return (size_t)(spread(key >> OWNER_SHIFT) % SHARES) * share +
           ((size_t)spread(key) & (share - 1));
}

#endif

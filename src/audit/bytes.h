/* audit/bytes.h - numbers as the log's files hold them: little-endian. */
#ifndef WRIT_AUDIT_BYTES_H
#define WRIT_AUDIT_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void
store16(uint8_t *to, uint16_t value)
{
    value = htole16(value);
    memcpy(to, &value, sizeof value);
}

static inline void
store32(uint8_t *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof value);
}

static inline void
store64(uint8_t *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof value);
}

static inline uint16_t
load16(const uint8_t *from)
{
    uint16_t value;

    memcpy(&value, from, sizeof value);
    return le16toh(value);
}

static inline uint32_t
load32(const uint8_t *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof value);
    return le32toh(value);
}

static inline uint64_t
load64(const uint8_t *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof value);
    return le64toh(value);
}

#endif

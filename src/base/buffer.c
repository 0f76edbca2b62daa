/* base/buffer.c - the growing byte buffer and its writers. */
#include "base/buffer.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"

enum { CAPACITY_LEAST = 128 };

static void
fail(struct buffer *buffer, enum status status)
{
    if (buffer->status == STATUS_OK)
        buffer->status = status;
}

void
buffer_free(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = BUFFER_LIMITED(buffer->limit);
}

void
buffer_wipe_free(struct buffer *buffer)
{
    secret_wipe(buffer->bytes, buffer->capacity);
    buffer_free(buffer);
}

void
buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->status = STATUS_OK;
}

/* Not realloc: the bytes may be a secret, and what is left behind must be wiped. */
static bool
grow(struct buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity < CAPACITY_LEAST ? CAPACITY_LEAST : buffer->capacity;
    char *bytes;

    while (capacity < needed) {
        if (__builtin_mul_overflow(capacity, 2, &capacity))
            capacity = needed;
    }
    bytes = malloc(capacity);
    if (bytes == NULL) {
        fail(buffer, STATUS_MEMORY);
        return false;
    }
    if (buffer->bytes != NULL) {
        memcpy(bytes, buffer->bytes, buffer->size);
        secret_wipe(buffer->bytes, buffer->size);
        free(buffer->bytes);
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

char *
buffer_room(struct buffer *buffer, size_t size)
{
    size_t needed;

    if (buffer->status != STATUS_OK)
        return NULL;
    if (__builtin_add_overflow(buffer->size, size, &needed) ||
        (buffer->limit != 0 && needed > buffer->limit)) {
        fail(buffer, STATUS_TOO_LARGE);
        return NULL;
    }
    if ((needed > buffer->capacity || buffer->bytes == NULL) && !grow(buffer, needed))
        return NULL;
    return buffer->bytes + buffer->size;
}

void
buffer_added(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->capacity - buffer->size);
    buffer->size += size;
}

void
buffer_consume(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->size);
    if (size == 0)
        return;
    buffer->size -= size;
    memmove(buffer->bytes, buffer->bytes + size, buffer->size);
}

void
put_bytes(struct buffer *buffer, const void *bytes, size_t size)
{
    char *room = buffer_room(buffer, size);

    if (room == NULL || size == 0)
        return;
    memcpy(room, bytes, size);
    buffer->size += size;
}

void
put_slice(struct buffer *buffer, struct slice s)
{
    put_bytes(buffer, s.at, s.size);
}

void
put_text(struct buffer *buffer, const char *text)
{
    put_bytes(buffer, text, strlen(text));
}

/* Room for size bytes and the NUL that vsnprintf writes behind them, which is
 * not held and so doesn't count against the limit. */
static char *
room_with_nul(struct buffer *buffer, size_t size)
{
    if (buffer_room(buffer, size) == NULL)
        return NULL;
    if (buffer->capacity - buffer->size == size && !grow(buffer, buffer->capacity + 1))
        return NULL;
    return buffer->bytes + buffer->size;
}

void
put_format(struct buffer *buffer, const char *format, ...)
{
    char small[256];
    char *room;
    int size;
    va_list args;

    va_start(args, format);
    size = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (size < 0) {
        fail(buffer, STATUS_INTERNAL);
    } else if ((size_t)size < sizeof small) {
        put_bytes(buffer, small, (size_t)size);
    } else if ((room = room_with_nul(buffer, (size_t)size)) != NULL) {
        va_start(args, format);
        vsnprintf(room, (size_t)size + 1, format, args);
        va_end(args);
        buffer->size += (size_t)size;
    }
    secret_wipe(small, sizeof small);
}

void
put_u8(struct buffer *buffer, uint8_t value)
{
    put_bytes(buffer, &value, 1);
}

void
put_be16(struct buffer *buffer, uint16_t value)
{
    value = htobe16(value);
    put_bytes(buffer, &value, sizeof value);
}

void
put_be32(struct buffer *buffer, uint32_t value)
{
    value = htobe32(value);
    put_bytes(buffer, &value, sizeof value);
}

void
put_be64(struct buffer *buffer, uint64_t value)
{
    value = htobe64(value);
    put_bytes(buffer, &value, sizeof value);
}

void
put_decimal(struct buffer *buffer, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    put_bytes(buffer, digits + at, sizeof digits - at);
}

void
put_slice16(struct buffer *buffer, struct slice s)
{
    if (s.size > UINT16_MAX) {
        fail(buffer, STATUS_TOO_LARGE);
        return;
    }
    put_be16(buffer, (uint16_t)s.size);
    put_slice(buffer, s);
}

void
put_slice32(struct buffer *buffer, struct slice s)
{
    if (s.size > UINT32_MAX) {
        fail(buffer, STATUS_TOO_LARGE);
        return;
    }
    put_be32(buffer, (uint32_t)s.size);
    put_slice(buffer, s);
}

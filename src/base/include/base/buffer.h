/* base/buffer.h - an owned, growing byte buffer with a limit.
 *
 * Errors are sticky: after a failed append every later one fails too, and
 * buffer_status tells, so that a writer checks once at its end. */
#ifndef WRIT_BASE_BUFFER_H
#define WRIT_BASE_BUFFER_H

#include <stdarg.h>

#include "base/slice.h"
#include "base/status.h"

struct buffer {
    char *bytes; /* not NUL-terminated */
    size_t size, capacity;
    size_t limit; /* most bytes it may hold; 0 means no limit of its own */
    enum status status;
};

#define BUFFER_LIMITED(most) ((struct buffer){ .limit = (most) })

void buffer_free(struct buffer *buffer);      /* accepts a zeroed buffer */
void buffer_wipe_free(struct buffer *buffer); /* for secrets */
void buffer_clear(struct buffer *buffer);     /* keeps the memory, forgets the error */
/* Makes room for size more bytes and returns where they go, NULL on error;
 * buffer_added then says how many were written. */
char *buffer_room(struct buffer *buffer, size_t size);
void buffer_added(struct buffer *buffer, size_t size);
void buffer_consume(struct buffer *buffer, size_t size); /* from the front */

void put_bytes(struct buffer *buffer, const void *bytes, size_t size);
void put_slice(struct buffer *buffer, struct slice s);
void put_text(struct buffer *buffer, const char *text);
void put_format(struct buffer *buffer, const char *format, ...) WRIT_PRINTF(2, 3);
void put_u8(struct buffer *buffer, uint8_t value);
void put_be16(struct buffer *buffer, uint16_t value);
void put_be32(struct buffer *buffer, uint32_t value);
void put_be64(struct buffer *buffer, uint64_t value);
void put_decimal(struct buffer *buffer, uint64_t value);
/* Behind a be16 / be32 length; a longer slice is the sticky error TOO_LARGE. */
void put_slice16(struct buffer *buffer, struct slice s);
void put_slice32(struct buffer *buffer, struct slice s);

static inline struct slice
buffer_slice(const struct buffer *buffer)
{
    return slice_of(buffer->bytes, buffer->size);
}

static inline enum status WRIT_MUST_USE
buffer_status(const struct buffer *buffer)
{
    return buffer->status;
}

#endif

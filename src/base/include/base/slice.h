/* base/slice.h - borrowed bytes, and the cursor that reads them.
 *
 * A slice never owns: whoever made the bytes keeps them alive. */
#ifndef WRIT_BASE_SLICE_H
#define WRIT_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *at;
    size_t size;
};

#define SLICE_LITERAL(text) ((struct slice){ .at = (text), .size = sizeof(text) - 1 })
/* For printf: "%.*s", SLICE_PRINT(s) */
#define SLICE_PRINT(s) (int)(s).size, (s).at

static inline struct slice
slice_of(const void *at, size_t size)
{
    return (struct slice){ .at = at, .size = size };
}

static inline struct slice
slice_text(const char *text)
{
    return text == NULL ? (struct slice){ 0 } : slice_of(text, strlen(text));
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

static inline bool
slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_text(text));
}

/* The bytes from offset on; empty when offset is past the end. */
static inline struct slice
slice_from(struct slice s, size_t offset)
{
    if (s.size == 0)
        return s; /* not even + 0 is defined on a NULL pointer */
    return offset >= s.size ? slice_of(s.at + s.size, 0) : slice_of(s.at + offset, s.size - offset);
}

static inline struct slice
slice_first(struct slice s, size_t size)
{
    return slice_of(s.at, size < s.size ? size : s.size);
}

bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
/* ASCII only: 'A' equals 'a'. */
bool slice_equal_nocase(struct slice a, struct slice b);
bool slice_contains_nocase(struct slice s, struct slice word);
/* Offset of the first byte, or s.size. */
size_t slice_find(struct slice s, char byte);
struct slice slice_trim(struct slice s); /* SP and HTAB at both ends */
/* Takes the part before the next separator off *rest, without the separator.
 * False when nothing is left. "a,,b" gives "a", "", "b"; "a," gives "a". */
bool slice_next(struct slice *rest, char separator, struct slice *part);
/* Decimal digits only, no sign, no leading blank; false on overflow or junk. */
bool slice_u64(struct slice s, uint64_t *out);
/* NUL-terminated copy on the heap, NULL when out of memory; the caller frees. */
char *slice_strdup(struct slice s) __attribute__((malloc));
/* A fast 64-bit hash, keyed per process so that a peer can't aim collisions. */
uint64_t slice_hash(struct slice s);

/* Reading from the front: every take moves the cursor only when it succeeds. */
struct cursor {
    const uint8_t *at, *end;
};

static inline struct cursor
cursor_over(struct slice s)
{
    const uint8_t *at = (const uint8_t *)s.at;

    return (struct cursor){ .at = at, .end = s.size == 0 ? at : at + s.size };
}

static inline size_t
cursor_left(const struct cursor *in)
{
    return (size_t)(in->end - in->at);
}

bool take_u8(struct cursor *in, uint8_t *out);
bool take_be16(struct cursor *in, uint16_t *out);
bool take_be32(struct cursor *in, uint32_t *out);
bool take_be64(struct cursor *in, uint64_t *out);
bool take_bytes(struct cursor *in, size_t size, struct slice *out);
/* A slice behind a be16 / be32 length. */
bool take_slice16(struct cursor *in, struct slice *out);
bool take_slice32(struct cursor *in, struct slice *out);

#endif

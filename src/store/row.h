/* store/row.h - changes as the stores keep them. */
#ifndef WRIT_STORE_ROW_H
#define WRIT_STORE_ROW_H

#include "base/buffer.h"
#include "change/change.h"

/* row.c - a stored body is a change's bytes, a token's present end, and a CRC-32
 * over both: a flipped bit on the disk may not turn into a right. */
struct row {
    struct change change; /* borrows from the sealed bytes, and from networks */
    int64_t end;          /* TIME_NEVER when it isn't a token */
    struct cidr networks[TOKEN_NETWORKS_MAX];
};
enum status row_seal(struct buffer *out, const struct change *change, int64_t end) WRIT_MUST_USE;
/* Sealed bytes with another end. */
enum status row_reseal(struct buffer *out, struct slice sealed, int64_t end) WRIT_MUST_USE;
enum status row_open(struct slice sealed, struct row *out) WRIT_MUST_USE;

static inline struct slice
id_slice(const struct token_id *id)
{
    return slice_of(id->bytes, sizeof(id->bytes));
}

#endif

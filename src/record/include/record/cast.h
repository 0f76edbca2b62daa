/* record/cast.h - what a terminal showed, as asciicast v2: a line of JSON that describes the
 * recording, then one line for each event, [seconds, code, text].
 *
 * A terminal's bytes are cut anywhere, also within a character: what is incomplete waits for
 * the next call. What is no UTF-8 becomes U+FFFD, since JSON holds no bytes. */
#ifndef WRIT_RECORD_CAST_H
#define WRIT_RECORD_CAST_H

#include "base/buffer.h"

struct cast_about {
    unsigned width, height; /* 0: not known, which is said as 80 by 24 */
    int64_t started_at;     /* wall ms */
    struct slice title;     /* empty: none */
    struct slice command;   /* empty: none */
};

/* The three streams of a process; each may stand within a character of its own. */
enum cast_stream { CAST_INPUT, CAST_OUTPUT, CAST_ERRORS, CAST_STREAMS };

struct cast {
    uint64_t last_us; /* no event is earlier than the one before it */
    struct cast_part {
        uint8_t bytes[4]; /* of a character that is not complete */
        uint8_t have, need;
    } parts[CAST_STREAMS];
};

void cast_head(const struct cast_about *about, struct buffer *out);
/* Microseconds since the start. Bytes that only begin a character are no event yet. */
void cast_bytes(struct cast *cast, uint64_t at_us, enum cast_stream stream, struct slice bytes,
                struct buffer *out);
void cast_resize(struct cast *cast, uint64_t at_us, unsigned width, unsigned height,
                 struct buffer *out);
/* What was begun and never completed. */
void cast_end(struct cast *cast, uint64_t at_us, struct buffer *out);

#endif

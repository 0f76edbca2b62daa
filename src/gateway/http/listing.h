/* gateway/http/listing.h - the JSON of an answer that lists, of which not all may be seen: held
 * until it is whole, or line by line as it comes. */
#ifndef WRIT_GATEWAY_HTTP_LISTING_H
#define WRIT_GATEWAY_HTTP_LISTING_H

#include "dialect.h"

enum listing_form {
    LISTING_WHOLE, /* one value */
    LISTING_LINES, /* one on each line, without an end */
};

/* The first member of a dialect's own, which has no other memory than its own. */
struct listing {
    struct body_filter filter;
    struct passage *passage; /* outlives it */
    /* Takes out of the value what may not be seen; *passes comes true. Not OK: the answer is cut
     * off. */
    enum status (*judge)(struct listing *listing, json_t *value, bool *passes);
    struct buffer held; /* the value so far, or a line that is not whole */
    struct arena scratch;
};

struct listing_limits {
    size_t value; /* bytes of one */
    size_t scratch;
};

/* made: zeroed, by calloc; freed by the filter. judge and what it needs are set by the caller. */
void listing_begin(struct listing *made, struct passage *passage, enum listing_form form,
                   struct listing_limits limits);

#endif

/* gateway/http/listing.c - values are read, judged and written again. */
#include "listing.h"

#include <stdlib.h>

static enum status
pass(struct listing *listing, struct slice text, struct buffer *out)
{
    bool passes = true;
    json_t *value;
    enum status status;

    if (slice_trim(text).size == 0) /* to a HEAD; a line that keeps the connection awake */
        return STATUS_OK;
    status = json_read(slice_trim(text), &value, NULL);
    if (status != STATUS_OK)
        return status;
    status = listing->judge(listing, value, &passes);
    if (status == STATUS_OK && passes) {
        put_json(out, value);
        put_text(out, "\n");
        status = buffer_status(out);
    }
    json_decref(value);
    return status;
}

static enum status
whole_feed(struct body_filter *filter, struct slice in, struct buffer *out)
{
    struct listing *listing = (struct listing *)filter;

    put_slice(&listing->held, in);
    return buffer_status(&listing->held);
}

/* What is left when it ends: the whole, or a last line. */
static enum status
end(struct body_filter *filter, struct buffer *out)
{
    struct listing *listing = (struct listing *)filter;

    return pass(listing, buffer_slice(&listing->held), out);
}

static enum status
lines_feed(struct body_filter *filter, struct slice in, struct buffer *out)
{
    struct listing *listing = (struct listing *)filter;
    enum status status = STATUS_OK;
    size_t used = 0;

    put_slice(&listing->held, in);
    while (status == STATUS_OK) {
        struct slice rest = slice_from(buffer_slice(&listing->held), used);
        size_t line = slice_find(rest, '\n');

        if (line == rest.size)
            break;
        status = pass(listing, slice_first(rest, line), out);
        used += line + 1;
    }
    if (status == STATUS_OK)
        status = buffer_status(&listing->held);
    buffer_consume(&listing->held, used);
    return status;
}

static void
listing_free(struct body_filter *filter)
{
    struct listing *listing = (struct listing *)filter;

    buffer_free(&listing->held);
    arena_free(&listing->scratch);
    free(listing);
}

void
listing_begin(struct listing *made, struct passage *passage, enum listing_form form,
              struct listing_limits limits)
{
    made->filter = (struct body_filter){ .feed = form == LISTING_LINES ? lines_feed : whole_feed,
                                         .end = end,
                                         .free = listing_free };
    made->passage = passage;
    made->held.limit = limits.value;
    arena_init(&made->scratch, limits.scratch);
}

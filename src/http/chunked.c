/* http/chunked.c - the chunked coding as a state machine that keeps no data. */
#include "http/chunked.h"

#include "base/encoding.h"

enum state {
    STATE_SIZE, /* zero: where a message starts */
    STATE_EXTENSION,
    STATE_SIZE_LF,
    STATE_DATA,
    STATE_DATA_CR,
    STATE_DATA_LF,
    STATE_TRAILERS,
    STATE_END,
    STATE_BROKEN
};

static enum http_chunk
broken(struct http_chunked *chunked)
{
    chunked->state = STATE_BROKEN;
    return HTTP_CHUNK_MALFORMED;
}

/* One byte of a chunk's line. False when it can't stand there. */
static bool
step_size(struct http_chunked *chunked, char c)
{
    int digit = hex_digit_value(c);

    if (digit >= 0) {
        if (++chunked->digits > HTTP_CHUNK_DIGITS_MAX)
            return false;
        chunked->left = chunked->left << 4 | (unsigned)digit;
        return true;
    }
    if (chunked->digits == 0)
        return false;
    /* A counter of a peer with signed numbers would turn over. */
    if (chunked->left > INT64_MAX)
        return false;
    if (c == '\r')
        chunked->state = STATE_SIZE_LF;
    else if (c == ';') /* "BWS" before it is obsolete and refused */
        chunked->state = STATE_EXTENSION;
    else
        return false;
    return true;
}

static bool
step_extension(struct http_chunked *chunked, char c)
{
    if (++chunked->extensions > HTTP_CHUNK_EXTENSIONS_MAX)
        return false;
    if (c == '\r') {
        chunked->state = STATE_SIZE_LF;
        return true;
    }
    return ((unsigned char)c >= 0x20 && c != 0x7f) || c == '\t';
}

static bool
step_line(struct http_chunked *chunked, char c)
{
    switch (chunked->state) {
    case STATE_SIZE:
        return step_size(chunked, c);
    case STATE_EXTENSION:
        return step_extension(chunked, c);
    case STATE_SIZE_LF:
        chunked->state = chunked->left > 0 ? STATE_DATA : STATE_TRAILERS;
        chunked->digits = 0;
        return c == '\n';
    case STATE_DATA_CR:
        chunked->state = STATE_DATA_LF;
        return c == '\r';
    case STATE_DATA_LF:
        chunked->state = STATE_SIZE;
        return c == '\n';
    default:
        return false;
    }
}

/* RFC 9110 §6.5.1: no trailer that decides about framing, routing, rights. Each
 * field that this program knows is one of these or of no use there. */
static bool
trailers_allowed(struct slice lines)
{
    struct http_head fields;
    struct http_refusal why;

    if (http_fields_parse(lines, &fields, &why) != HTTP_PARSED)
        return false;
    for (unsigned i = 0; i < fields.count; i++)
        if (fields.fields[i].id != HTTP_FIELD_OTHER || fields.fields[i].flags != 0)
            return false;
    return true;
}

/* Takes bytes up to the empty line that ends the trailers. */
static enum http_chunk
take_trailers(struct http_chunked *chunked, struct slice *in)
{
    struct buffer *kept = &chunked->trailers;

    while (in->size > 0) {
        size_t line = slice_find(*in, '\n');
        size_t size = line == in->size ? line : line + 1;
        struct slice all;

        kept->limit = HTTP_TRAILERS_MAX;
        put_bytes(kept, in->at, size);
        *in = slice_from(*in, size);
        if (buffer_status(kept) != STATUS_OK)
            return broken(chunked);
        all = buffer_slice(kept);
        if (slice_ends(all, SLICE_LITERAL("\n")) && !slice_ends(all, SLICE_LITERAL("\r\n")))
            return broken(chunked);
        if (slice_is(all, "\r\n") || slice_ends(all, SLICE_LITERAL("\r\n\r\n"))) {
            if (!trailers_allowed(all))
                return broken(chunked);
            kept->size -= 2;
            chunked->state = STATE_END;
            return HTTP_CHUNK_END;
        }
    }
    return HTTP_CHUNK_MORE;
}

enum http_chunk
http_chunked_next(struct http_chunked *chunked, struct slice *in, struct slice *data)
{
    while (in->size > 0 && chunked->state != STATE_END && chunked->state != STATE_BROKEN) {
        if (chunked->state == STATE_DATA) {
            *data = slice_first(*in, chunked->left < in->size ? (size_t)chunked->left : in->size);
            *in = slice_from(*in, data->size);
            chunked->left -= data->size;
            if (chunked->left == 0)
                chunked->state = STATE_DATA_CR;
            return HTTP_CHUNK_DATA;
        }
        if (chunked->state == STATE_TRAILERS) {
            /* The usual end, without a copy. */
            if (chunked->trailers.size > 0 || !slice_starts(*in, SLICE_LITERAL("\r\n")))
                return take_trailers(chunked, in);
            *in = slice_from(*in, 2);
            chunked->state = STATE_END;
            break;
        }
        if (!step_line(chunked, in->at[0]))
            return broken(chunked);
        *in = slice_from(*in, 1);
    }
    if (chunked->state == STATE_BROKEN)
        return HTTP_CHUNK_MALFORMED;
    return chunked->state == STATE_END ? HTTP_CHUNK_END : HTTP_CHUNK_MORE;
}

struct slice
http_chunked_trailers(const struct http_chunked *chunked)
{
    return buffer_slice(&chunked->trailers);
}

void
http_chunked_free(struct http_chunked *chunked)
{
    buffer_free(&chunked->trailers);
    *chunked = (struct http_chunked){ 0 };
}

struct slice
http_chunk_line(size_t size, char out[HTTP_CHUNK_LINE_MAX])
{
    char *at = out + HTTP_CHUNK_LINE_MAX;

    *--at = '\n';
    *--at = '\r';
    do {
        *--at = "0123456789abcdef"[size & 15];
        size >>= 4;
    } while (size > 0);
    return slice_of(at, (size_t)(out + HTTP_CHUNK_LINE_MAX - at));
}

void
http_put_last_chunk(struct buffer *out, struct slice trailers)
{
    put_text(out, "0\r\n");
    put_slice(out, trailers);
    put_text(out, "\r\n");
}

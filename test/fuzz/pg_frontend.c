/* fuzz/pg_frontend.c - messages of a PostgreSQL client, one after another: what is taken of
 * each lies within it, and what was read is, written again, the same message. */
#include <stdlib.h>

#include "postgres/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
    if (!good)
        abort();
}

static void
check_within(struct slice part, struct slice whole)
{
    check(part.at >= whole.at && part.at + part.size < whole.at + whole.size);
    check(slice_find(part, '\0') == part.size);
}

static void
check_same(struct buffer *out, struct slice body)
{
    check(buffer_status(out) == STATUS_OK);
    check(slice_equal(slice_from(buffer_slice(out), 5), body));
    buffer_free(out);
}

static void
read_body(uint8_t type, struct slice body)
{
    struct slice a, b;
    struct buffer out = { 0 };
    uint32_t rows;
    uint8_t what;

    if ((type == 'Q' || type == 'p') && pg_query_read(body, &a)) {
        check_within(a, body);
        pg_put_query(&out, a);
        check_same(&out, body);
    } else if (type == 'P' && pg_parse_read(body, &a, &b)) {
        check_within(a, body);
        check_within(b, body);
        check((body.size - a.size - b.size) % 4 == 0);
    } else if ((type == 'D' || type == 'C') && pg_describe_read(body, &what, &a)) {
        check_within(a, body);
        pg_put_close(&out, (char)what, a);
        check_same(&out, body);
    } else if (type == 'E' && pg_execute_read(body, &a, &rows)) {
        check_within(a, body);
    } else if (type == 'B' && pg_bind_head_read(body, &a, &b) == WIRE_OK) {
        check_within(a, body);
        check_within(b, body);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = { data, data + size };
    struct pg_header header;
    struct slice body;

    while (pg_header_read(&in, &header) == WIRE_OK) {
        check(header.body <= PG_MESSAGE_MAX);
        if (!take_bytes(&in, header.body, &body))
            break;
        read_body(header.type, body);
    }
    return 0;
}

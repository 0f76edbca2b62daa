/* Recordings as anybody may have left them: what was sealed reads back; what was not never opens;
 * a reader that was fed more and more of a file says what one says who had it whole. */
#include <stdlib.h>

#include "record/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct secret master = { { 7 } };

static void
require(bool holds)
{
    if (!holds)
        abort();
}

static enum record_read
read_all(struct slice in, struct buffer *plain)
{
    struct record_reader reader = { .master = &master };
    enum record_read read;
    enum record_kind kind;
    size_t used;

    while ((read = record_next(&reader, in, &used, &kind, plain)) == RECORD_CHUNK) {
        require(used > 0 && used <= in.size);
        in = slice_from(in, used);
    }
    require(used == 0);
    record_reader_wipe(&reader);
    return read;
}

/* The input as the text of a chunk, and then as what stands behind the chunk before. */
static void
around_it(struct slice input)
{
    struct record_writer writer;
    struct buffer file = { 0 }, plain = { 0 };
    size_t before;

    require(record_begin(&writer, &master, &file) == STATUS_OK);
    require(record_put(&writer, RECORD_ABOUT, SLICE_LITERAL(""), &file) == STATUS_OK);
    before = file.size;
    require(record_put(&writer, RECORD_EVENTS, input, &file) == STATUS_OK);
    require(record_put(&writer, RECORD_END, SLICE_LITERAL(""), &file) == STATUS_OK);
    require(read_all(buffer_slice(&file), &plain) == RECORD_DONE);
    require(slice_equal(buffer_slice(&plain), input));
    buffer_clear(&plain);
    file.size = before;
    put_slice(&file, input);
    require(read_all(buffer_slice(&file), &plain) != RECORD_DONE && plain.size == 0);
    record_writer_wipe(&writer);
    buffer_free(&file);
    buffer_free(&plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer plain = { 0 };

    require(read_all(slice_of(data, size), &plain) != RECORD_DONE && plain.size == 0);
    if (size <= RECORD_CHUNK_MOST)
        around_it(slice_of(data, size));
    buffer_free(&plain);
    return 0;
}

/* fuzz/audit_record.c - the audit's files as anybody may have left them: frames,
 * segments, indexes, and the shapes of objects. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/encoding.h"
#include "bytes.h"
#include "index.h"
#include "shape.h"
#include "uses.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds)
        abort();
}

/* What is read is written back byte for byte: the encoding has one form. */
static void
one_form(struct slice frame, const struct record *record)
{
    uint8_t again[LINE_MAX];
    bool open = record->kind == FRAME_OPEN;

    require(record_size(&record->event) == frame.size);
    record_write(&record->event, open ? NULL : &record->outcome, again, frame.size);
    record_place(again, record->seq, record->journal, record->position);
    if (open)
        record_open(again);
    else
        record_complete(again, record->count, &record->outcome);
    require(memcmp(again, frame.at, frame.size) == 0);
}

static void
read_frame(struct slice frame, enum frame_kind kind)
{
    uint8_t again[SEAL_SIZE];
    struct record record;
    struct ending ending;
    struct seal_frame seal;

    if (record_read(frame, &record)) {
        require(kind == FRAME_LINE || kind == FRAME_OPEN);
        one_form(frame, &record);
    }
    if (ending_read(frame, &ending)) {
        ending_write(&ending, again);
        require(memcmp(again, frame.at, ENDING_SIZE) == 0);
    }
    if (seal_read(frame, &seal)) {
        seal_write(&seal, again);
        require(memcmp(again, frame.at, SEAL_SIZE) == 0);
    }
}

static void
frames(struct slice bytes)
{
    struct slice frame;
    enum frame_kind kind;

    while (frame_split(bytes, &frame, &kind) == FRAME_WHOLE) {
        read_frame(frame, kind);
        bytes = slice_from(bytes, frame.size);
    }
}

static int
file_of(struct slice bytes)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    require(fd >= 0 && write(fd, bytes.at, bytes.size) == (ssize_t)bytes.size);
    return fd;
}

static void
segment_of(struct slice bytes)
{
    struct segment segment = { .fd = file_of(bytes), .size = bytes.size };
    uint8_t buffer[FRAME_MAX + HASH_SIZE], closing[HASH_SIZE];
    struct seal_frame footer;
    struct scan scan;
    struct slice frame;
    enum frame_kind kind;

    if (bytes.size >= SEGMENT_HEADER)
        (void)segment_header_read((const uint8_t *)bytes.at, &segment.header);
    (void)!segment_footer(&segment, &footer, closing);
    require(scan_open(&scan, &segment) == STATUS_OK);
    while (scan_next(&scan) == SCAN_FRAME)
        read_frame(scan.frame, scan.kind);
    scan_close(&scan);
    (void)!segment_frame(&segment, bytes.size / 2, buffer, &frame, &kind);
    segment_close(&segment);
}

static void
index_of(struct slice bytes)
{
    struct index index = { .fd = -1 };
    uint8_t head[INDEX_HEADER];
    struct end_place *ends;
    uint16_t *places;
    size_t count;
    uint32_t offset;
    char *uses;

    if (bytes.size < INDEX_HEADER)
        return;
    memcpy(head, bytes.at, INDEX_HEADER);
    store32(head + INDEX_HEADER - 4, crc32_of(slice_of(head, INDEX_HEADER - 4)));
    if (!index_header_read(head, bytes.size, &index.header))
        return;
    index.fd = file_of(bytes);
    for (unsigned i = 0; i < FIELD_COUNT; i++)
        if (index_find(&index, i, SLICE_LITERAL("orders"), &places, &count) == STATUS_OK)
            free(places);
    (void)!index_offset(&index, 0, &offset);
    if (index_ends(&index, &ends, &count) == STATUS_OK)
        free(ends);
    if (index_uses(&index, &uses, &count) == STATUS_OK)
        free(uses);
    index_close(&index);
}

static void
summary(struct slice bytes)
{
    struct cursor in = cursor_over(bytes);
    struct slice text[USE_TEXTS];
    struct use_count use;
    struct uses uses = { 0 };

    while (take_use(&in, text, &use))
        require(uses_add(&uses, text, &use) == STATUS_OK);
    uses_free(&uses);
}

static enum status
check_pattern(void *context, struct slice pattern)
{
    size_t stars = 0;

    for (size_t i = 0; i < pattern.size; i++)
        stars += pattern.at[i] == '*';
    require(pattern.size <= *(const size_t *)context && stars <= 8);
    return STATUS_OK;
}

static void
shapes(struct slice bytes)
{
    struct shapes *shapes;
    struct slice line;
    char shape[AUDIT_TEXT_MAX];
    size_t room = 300;

    require(shapes_new(&shapes) == STATUS_OK);
    while (slice_next(&bytes, '\n', &line))
        require(shapes_add(shapes, shape_of(line, shape)) == STATUS_OK);
    require(shapes_each(shapes, room, check_pattern, &room) == STATUS_OK);
    shapes_free(shapes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct slice) = { frames, segment_of, index_of, summary,
                                                     shapes };

    if (size > 0)
        readers[data[0] % 5](slice_of(data + 1, size - 1));
    return 0;
}

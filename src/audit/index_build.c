/* audit/index_build.c - makes the index of a closed segment from its frames. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/encoding.h"
#include "bytes.h"
#include "index.h"
#include "uses.h"

struct term {
    uint64_t hash;
    uint32_t number, count, first, filled;
};

struct field {
    struct intern hashes; /* 8 bytes each */
    uint32_t *of_line;    /* SEGMENT_LINES_MAX of them */
    struct term *terms;   /* by hash, once all lines are seen */
    uint32_t *order;      /* where the term of a number stands in terms */
};

struct builder {
    uint32_t *offsets;
    uint32_t lines;
    struct field field[FIELD_COUNT];
    struct end_place *ends;
    size_t end_count, end_room;
    struct uses uses;
    struct index_header header;
};

static void
builder_free(struct builder *builder)
{
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        intern_free(&builder->field[i].hashes);
        free(builder->field[i].of_line);
        free(builder->field[i].terms);
        free(builder->field[i].order);
    }
    free(builder->offsets);
    free(builder->ends);
    uses_free(&builder->uses);
}

static enum status
builder_init(struct builder *builder)
{
    bool fine = true;

    *builder = (struct builder){ 0 };
    builder->offsets = calloc(SEGMENT_LINES_MAX, sizeof *builder->offsets);
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        builder->field[i].of_line = calloc(SEGMENT_LINES_MAX, sizeof(uint32_t));
        fine = fine && builder->field[i].of_line != NULL;
    }
    if (builder->offsets != NULL && fine)
        return STATUS_OK;
    builder_free(builder);
    return STATUS_MEMORY;
}

static enum status
add_line(struct builder *builder, const struct record *record, uint64_t offset)
{
    uint32_t place = builder->lines;

    if (place >= SEGMENT_LINES_MAX || offset > UINT32_MAX ||
        record->seq != builder->header.first + place)
        return STATUS_CORRUPT;
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        uint64_t hash = index_hash(index_text(record, i));
        enum status status = intern_add(&builder->field[i].hashes, slice_of(&hash, sizeof hash),
                                        &builder->field[i].of_line[place]);

        if (status != STATUS_OK)
            return status;
    }
    builder->offsets[place] = (uint32_t)offset;
    builder->lines++;
    if (record->event.at < builder->header.min_at)
        builder->header.min_at = record->event.at;
    if (record->event.at > builder->header.max_at)
        builder->header.max_at = record->event.at;
    return uses_add_record(&builder->uses, record);
}

static enum status
add_end(struct builder *builder, uint64_t seq, uint64_t offset)
{
    if (offset > UINT32_MAX)
        return STATUS_CORRUPT;
    if (builder->end_count == builder->end_room) {
        size_t room = builder->end_room == 0 ? 256 : 2 * builder->end_room;
        struct end_place *more = reallocarray(builder->ends, room, sizeof *more);

        if (more == NULL)
            return STATUS_MEMORY;
        builder->ends = more;
        builder->end_room = room;
    }
    builder->ends[builder->end_count++] = (struct end_place){ .seq = seq, .offset = offset };
    return STATUS_OK;
}

static enum status
add_frames(struct builder *builder, struct scan *scan)
{
    enum status status = STATUS_OK;
    enum scan_step step = SCAN_END;
    struct record record;
    struct ending ending;

    while (status == STATUS_OK && (step = scan_next(scan)) == SCAN_FRAME) {
        if (scan->kind == FRAME_LINE || scan->kind == FRAME_OPEN)
            status = record_read(scan->frame, &record) ? add_line(builder, &record, scan->offset)
                                                       : STATUS_CORRUPT;
        else if (scan->kind == FRAME_END)
            status = ending_read(scan->frame, &ending) ? add_end(builder, ending.seq, scan->offset)
                                                       : STATUS_CORRUPT;
    }
    if (status != STATUS_OK)
        return status;
    return step == SCAN_END ? STATUS_OK : step == SCAN_FAILED ? STATUS_IO : STATUS_CORRUPT;
}

static int
by_hash(const void *a, const void *b)
{
    const struct term *x = a, *y = b;

    return (x->hash > y->hash) - (x->hash < y->hash);
}

static int
by_seq(const void *a, const void *b)
{
    const struct end_place *x = a, *y = b;

    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Orders a field's terms and gives each its run of postings, from *first on. */
static enum status
order_terms(struct builder *builder, struct field *field, uint32_t *first)
{
    uint32_t count = field->hashes.count;

    field->terms = calloc((size_t)count + 1, sizeof *field->terms);
    field->order = calloc((size_t)count + 1, sizeof *field->order);
    if (field->terms == NULL || field->order == NULL)
        return STATUS_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&field->terms[i].hash, intern_get(&field->hashes, i).at, sizeof(uint64_t));
        field->terms[i].number = i;
    }
    for (uint32_t line = 0; line < builder->lines; line++)
        field->terms[field->of_line[line]].count++;
    qsort(field->terms, count, sizeof *field->terms, by_hash);
    for (uint32_t i = 0; i < count; i++) {
        field->order[field->terms[i].number] = i;
        field->terms[i].first = *first;
        *first += field->terms[i].count;
    }
    return STATUS_OK;
}

static void
fill_postings(const struct builder *builder, uint8_t *postings)
{
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        const struct field *field = &builder->field[i];

        for (uint32_t line = 0; line < builder->lines; line++) {
            struct term *term = &field->terms[field->order[field->of_line[line]]];

            store16(postings + 2 * ((size_t)term->first + term->filled++), (uint16_t)line);
        }
    }
}

static void
section_begin(struct builder *builder, struct buffer *out, enum index_section section)
{
    builder->header.section[section].offset = INDEX_HEADER + out->size;
}

static void
section_end(struct builder *builder, const struct buffer *out, enum index_section section)
{
    struct index_span *span = &builder->header.section[section];
    size_t from = (size_t)span->offset - INDEX_HEADER;

    if (out->status != STATUS_OK)
        return;
    span->size = out->size - from;
    span->crc = crc32_of(slice_of(out->bytes + from, out->size - from));
}

static void
put_pages(struct buffer *out, const struct field *field, const uint8_t *postings)
{
    uint8_t page[INDEX_PAGE];

    for (uint32_t done = 0; done < field->hashes.count;) {
        uint32_t left = field->hashes.count - done;
        uint32_t count = left < INDEX_PER_PAGE ? left : INDEX_PER_PAGE;

        memset(page, 0, sizeof page);
        for (uint32_t i = 0; i < count; i++) {
            const struct term *term = &field->terms[done + i];
            uint8_t *at = page + INDEX_PAGE_HEAD + (size_t)i * INDEX_ENTRY;

            store64(at, term->hash);
            store32(at + 8, term->first);
            store32(at + 12, term->count);
            store32(at + 16, crc32_of(slice_of(postings + 2 * (size_t)term->first,
                                               2 * (size_t)term->count)));
        }
        store32(page, count);
        store32(page + 4, crc32_of(slice_of(page + INDEX_PAGE_HEAD, INDEX_PAGE - INDEX_PAGE_HEAD)));
        put_bytes(out, page, sizeof page);
        done += count;
    }
}

static void
put_directory(struct buffer *out, const struct field *field)
{
    for (uint32_t i = 0; i < field->hashes.count; i += INDEX_PER_PAGE) {
        uint8_t bytes[8];

        store64(bytes, field->terms[i].hash);
        put_bytes(out, bytes, sizeof bytes);
    }
}

static void
put_places(struct builder *builder, struct buffer *out)
{
    uint8_t bytes[INDEX_END] = { 0 };

    section_begin(builder, out, SECTION_OFFSETS);
    for (uint32_t i = 0; i < builder->lines; i++) {
        store32(bytes, builder->offsets[i]);
        put_bytes(out, bytes, 4);
    }
    section_end(builder, out, SECTION_OFFSETS);
    section_begin(builder, out, SECTION_ENDS);
    for (size_t i = 0; i < builder->end_count; i++) {
        store64(bytes, builder->ends[i].seq);
        store32(bytes + 8, (uint32_t)builder->ends[i].offset);
        store32(bytes + 12, 0);
        put_bytes(out, bytes, INDEX_END);
    }
    section_end(builder, out, SECTION_ENDS);
}

static enum status
put_sections(struct builder *builder, struct buffer *out)
{
    size_t postings_size = (size_t)builder->lines * FIELD_COUNT * 2;
    uint8_t *postings = malloc(postings_size + 1);
    uint32_t first = 0;
    enum status status = postings == NULL ? STATUS_MEMORY : STATUS_OK;

    for (unsigned i = 0; i < FIELD_COUNT && status == STATUS_OK; i++)
        status = order_terms(builder, &builder->field[i], &first);
    if (status != STATUS_OK) {
        free(postings);
        return status;
    }
    fill_postings(builder, postings);
    if (builder->end_count > 0)
        qsort(builder->ends, builder->end_count, sizeof *builder->ends, by_seq);
    put_places(builder, out);
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        section_begin(builder, out, SECTION_DIRECTORY + i);
        put_directory(out, &builder->field[i]);
        section_end(builder, out, SECTION_DIRECTORY + i);
        section_begin(builder, out, SECTION_PAGES + i);
        put_pages(out, &builder->field[i], postings);
        section_end(builder, out, SECTION_PAGES + i);
    }
    section_begin(builder, out, SECTION_POSTINGS);
    put_bytes(out, postings, postings_size);
    section_end(builder, out, SECTION_POSTINGS);
    section_begin(builder, out, SECTION_USES);
    put_uses(out, &builder->uses);
    section_end(builder, out, SECTION_USES);
    builder->header.lines = builder->lines;
    builder->header.ends = (uint32_t)builder->end_count;
    free(postings);
    return buffer_status(out);
}

static bool
write_whole(int fd, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t wrote = write(fd, bytes.at, bytes.size);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        bytes = slice_from(bytes, (size_t)wrote);
    }
    return true;
}

/* Not synced: an index that a loss of power damages is made anew. */
static enum status
write_file(const char *dir, const struct index_header *header, struct slice sections,
           struct fault *fault)
{
    char path[SEGMENT_PATH_MAX], fresh[SEGMENT_PATH_MAX + 32];
    uint8_t head[INDEX_HEADER];
    enum status status = segment_path(dir, header->number, "idx", path);
    int fd;

    if (status != STATUS_OK)
        return fault_set(fault, status, "the path of the audit is too long");
    snprintf(fresh, sizeof fresh, "%s.%ld.new", path, (long)gettid());
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fault_set(fault, STATUS_IO, "%s: %s", fresh, strerror(errno));
    index_header_write(header, head);
    if (!write_whole(fd, slice_of(head, sizeof head)) || !write_whole(fd, sections))
        status = fault_set(fault, STATUS_IO, "%s: %s", fresh, strerror(errno));
    close(fd);
    if (status == STATUS_OK && rename(fresh, path) != 0)
        status = fault_set(fault, STATUS_IO, "%s: %s", path, strerror(errno));
    if (status != STATUS_OK)
        unlink(fresh);
    return status;
}

static enum status
build(struct builder *builder, const struct segment *segment, struct buffer *out,
      struct fault *fault)
{
    struct index_header *header = &builder->header;
    struct seal_frame footer;
    struct scan scan;
    enum status status;

    header->number = segment->header.number;
    header->first = segment->header.first;
    header->segment_size = segment->size;
    header->min_at = INT64_MAX;
    header->max_at = INT64_MIN;
    status = segment_footer(segment, &footer, header->closing);
    if (status != STATUS_OK)
        return fault_set(fault, status, "segment %llu is not closed",
                         (unsigned long long)header->number);
    status = scan_open(&scan, segment);
    if (status == STATUS_OK)
        status = add_frames(builder, &scan);
    scan_close(&scan);
    if (status == STATUS_OK)
        status = put_sections(builder, out);
    return status == STATUS_OK ? STATUS_OK
                               : fault_set(fault, status, "segment %llu can't be indexed: %s",
                                           (unsigned long long)header->number, status_text(status));
}

enum status
index_build(const char *dir, uint64_t number, struct fault *fault)
{
    struct builder builder;
    struct buffer out = { 0 };
    struct segment segment;
    enum status status = segment_open(dir, number, &segment, fault);

    if (status != STATUS_OK)
        return status;
    status = builder_init(&builder);
    if (status != STATUS_OK) {
        segment_close(&segment);
        return fault_set(fault, status, "out of memory");
    }
    status = build(&builder, &segment, &out, fault);
    if (status == STATUS_OK)
        status = write_file(dir, &builder.header, buffer_slice(&out), fault);
    segment_close(&segment);
    builder_free(&builder);
    buffer_free(&out);
    return status;
}

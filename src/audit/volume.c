/* audit/volume.c - opens segments and their indexes for a reader. */
#include "volume.h"

#include <stdlib.h>

enum status
shelf_open(const char *dir, struct shelf *shelf, struct fault *fault)
{
    uint64_t *numbers = NULL;
    size_t count = 0;
    enum status status = segment_list(dir, &numbers, &count, fault);

    if (status != STATUS_OK)
        return status;
    *shelf = (struct shelf){ .dir = dir, .count = count };
    shelf->volume = calloc(count + 1, sizeof *shelf->volume);
    if (shelf->volume == NULL) {
        free(numbers);
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < count; i++)
        shelf->volume[i] =
            (struct volume){ .number = numbers[i], .segment.fd = -1, .index.fd = -1 };
    free(numbers);
    return STATUS_OK;
}

void
shelf_close(struct shelf *shelf)
{
    for (size_t i = 0; i < shelf->count; i++) {
        segment_close(&shelf->volume[i].segment);
        index_close(&shelf->volume[i].index);
        free(shelf->volume[i].ends);
    }
    free(shelf->volume);
    *shelf = (struct shelf){ 0 };
}

uint64_t
shelf_read(const struct shelf *shelf)
{
    uint64_t read = 0;

    for (size_t i = 0; i < shelf->count; i++)
        read += shelf->volume[i].read + shelf->volume[i].index.read;
    return read;
}

static void
attach_index(const struct shelf *shelf, struct volume *volume)
{
    uint8_t closing[HASH_SIZE];
    struct fault fault;

    volume->closed = segment_footer(&volume->segment, &volume->footer, closing) == STATUS_OK;
    if (!volume->closed)
        return;
    volume->indexed =
        index_open(shelf->dir, &volume->segment, closing, &volume->index) == STATUS_OK;
    if (!volume->indexed && index_build(shelf->dir, volume->number, &fault) == STATUS_OK)
        volume->indexed =
            index_open(shelf->dir, &volume->segment, closing, &volume->index) == STATUS_OK;
}

enum status
shelf_volume(struct shelf *shelf, size_t at, struct volume **out, struct fault *fault)
{
    struct volume *volume = &shelf->volume[at];

    if (!volume->opened) {
        enum status status = segment_open(shelf->dir, volume->number, &volume->segment, fault);

        volume->opened = true;
        /* The newest may be so new that its header is still to come. */
        volume->gone =
            status == STATUS_NOT_FOUND || (status == STATUS_CORRUPT && at + 1 == shelf->count);
        if (!volume->gone && status != STATUS_OK)
            return status;
        if (!volume->gone)
            attach_index(shelf, volume);
    }
    *out = volume->gone ? NULL : volume;
    return STATUS_OK;
}

enum status
volume_reindex(struct shelf *shelf, struct volume *volume)
{
    struct fault fault;
    uint8_t closing[HASH_SIZE];
    enum status status = segment_footer(&volume->segment, &volume->footer, closing);

    index_close(&volume->index);
    volume->indexed = false;
    if (status == STATUS_OK && index_build(shelf->dir, volume->number, &fault) == STATUS_OK)
        volume->indexed =
            index_open(shelf->dir, &volume->segment, closing, &volume->index) == STATUS_OK;
    return status;
}

enum status
volume_scan(struct volume *volume, volume_visitor visitor, void *context)
{
    struct scan scan;
    enum scan_step step = SCAN_END;
    enum status status = scan_open(&scan, &volume->segment);

    while (status == STATUS_OK && (step = scan_next(&scan)) == SCAN_FRAME)
        status = visitor(context, &scan);
    volume->read += scan.read;
    scan_close(&scan);
    if (status == STATUS_OK && step == SCAN_FAILED)
        status = STATUS_IO;
    /* A writer may be at work on the newest: its end may be half there. */
    if (status == STATUS_OK && (step == SCAN_MALFORMED || (step == SCAN_TORN && volume->closed)))
        status = STATUS_CORRUPT;
    return status;
}

struct end_list {
    struct volume *volume;
    size_t room;
};

static enum status
collect_end(void *context, const struct scan *scan)
{
    struct end_list *list = context;
    struct volume *volume = list->volume;
    struct ending ending;

    if (scan->kind != FRAME_END || !ending_read(scan->frame, &ending))
        return STATUS_OK;
    if (volume->end_count == list->room) {
        size_t room = list->room == 0 ? 64 : 2 * list->room;
        struct end_place *more = reallocarray(volume->ends, room, sizeof *more);

        if (more == NULL)
            return STATUS_MEMORY;
        volume->ends = more;
        list->room = room;
    }
    volume->ends[volume->end_count++] =
        (struct end_place){ .seq = ending.seq, .offset = scan->offset };
    return STATUS_OK;
}

static int
by_seq(const void *a, const void *b)
{
    const struct end_place *x = a, *y = b;

    return (x->seq > y->seq) - (x->seq < y->seq);
}

static enum status
know_ends(struct volume *volume)
{
    struct end_list list = { .volume = volume };
    enum status status = STATUS_CORRUPT;

    if (volume->ends_known)
        return STATUS_OK;
    if (volume->indexed)
        status = index_ends(&volume->index, &volume->ends, &volume->end_count);
    if (status == STATUS_CORRUPT) {
        status = volume_scan(volume, collect_end, &list);
        if (status == STATUS_OK && volume->end_count > 1)
            qsort(volume->ends, volume->end_count, sizeof *volume->ends, by_seq);
    }
    volume->ends_known = status == STATUS_OK;
    return status;
}

static const struct end_place *
find_end(const struct volume *volume, uint64_t seq)
{
    const struct end_place key = { .seq = seq };

    return volume->end_count == 0
               ? NULL
               : bsearch(&key, volume->ends, volume->end_count, sizeof *volume->ends, by_seq);
}

enum status
shelf_end(struct shelf *shelf, size_t at, uint64_t seq, bool near, struct ending *out, bool *found)
{
    uint8_t buffer[FRAME_MAX + HASH_SIZE];
    size_t most = near && at + 2 < shelf->count ? at + 2 : shelf->count;
    struct fault fault;

    *found = false;
    for (size_t i = at; i < most; i++) {
        struct volume *volume;
        const struct end_place *place;
        struct slice frame;
        enum frame_kind kind;
        enum status status = shelf_volume(shelf, i, &volume, &fault);

        if (status == STATUS_OK && volume != NULL)
            status = know_ends(volume);
        if (status != STATUS_OK)
            return status;
        place = volume == NULL ? NULL : find_end(volume, seq);
        if (place == NULL)
            continue;
        status = segment_frame(&volume->segment, place->offset, buffer, &frame, &kind);
        if (status != STATUS_OK)
            return status;
        *found = kind == FRAME_END && ending_read(frame, out) && out->seq == seq;
        return *found ? STATUS_OK : STATUS_CORRUPT;
    }
    return STATUS_OK;
}

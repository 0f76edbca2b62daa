/* audit/gather.c - sums up what was used since a time. */
#include "gather.h"

#include <stdlib.h>

#include "volume.h"

struct gather {
    int64_t since;
    struct uses uses; /* of the volume that is being read */
    use_taker taker;
    void *context;
};

static enum status
gather_line(void *context, const struct scan *scan)
{
    struct gather *gather = context;
    struct record record;

    if (scan->kind != FRAME_LINE && scan->kind != FRAME_OPEN)
        return STATUS_OK;
    if (!record_read(scan->frame, &record))
        return STATUS_CORRUPT;
    return record.event.at < gather->since ? STATUS_OK : uses_add_record(&gather->uses, &record);
}

static enum status
gather_by_reading(struct gather *gather, struct volume *volume)
{
    enum status status = volume_scan(volume, gather_line, gather);

    for (uint32_t i = 0; i < gather->uses.keys.count && status == STATUS_OK; i++) {
        struct slice text[USE_TEXTS];

        uses_texts(&gather->uses, i, text);
        status = gather->taker(gather->context, text, &gather->uses.counts[i]);
    }
    uses_free(&gather->uses);
    return status;
}

static enum status
gather_summary(struct gather *gather, struct volume *volume)
{
    struct slice text[USE_TEXTS];
    struct use_count count;
    struct cursor in;
    char *bytes;
    size_t size;
    enum status status = index_uses(&volume->index, &bytes, &size);

    if (status != STATUS_OK)
        return status;
    in = cursor_over(slice_of(bytes, size));
    while (status == STATUS_OK && take_use(&in, text, &count))
        status = gather->taker(gather->context, text, &count);
    /* The checksum holds, so nothing can be left over. */
    if (status == STATUS_OK && cursor_left(&in) > 0)
        status = STATUS_INTERNAL;
    free(bytes);
    return status;
}

static enum status
gather_volume(struct gather *gather, struct volume *volume)
{
    enum status status;

    if (volume->closed && volume->footer.max_at < gather->since)
        return STATUS_OK;
    if (!volume->indexed || volume->footer.min_at < gather->since)
        return gather_by_reading(gather, volume);
    status = gather_summary(gather, volume);
    /* CORRUPT comes before the first use was taken. */
    return status == STATUS_CORRUPT ? gather_by_reading(gather, volume) : status;
}

enum status
gather_uses(const char *dir, int64_t since, use_taker taker, void *context, struct fault *fault)
{
    struct gather gather = { .since = since, .taker = taker, .context = context };
    struct shelf shelf;
    enum status status = shelf_open(dir, &shelf, fault);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < shelf.count && status == STATUS_OK; i++) {
        struct volume *volume;

        status = shelf_volume(&shelf, i, &volume, fault);
        if (status != STATUS_OK || volume == NULL)
            continue;
        status = gather_volume(&gather, volume);
        if (status != STATUS_OK)
            fault_set(fault, status, "segment %llu of the audit can't be read: %s",
                      (unsigned long long)volume->number, status_text(status));
    }
    shelf_close(&shelf);
    return status;
}

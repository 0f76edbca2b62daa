/* audit/search.c - answers a query from the newest segment by reading it, and from
 * closed ones through their indexes. */
#include "audit/search.h"

#include <stdlib.h>

#include "event_json.h"
#include "uses.h"
#include "volume.h"

enum { LIMIT_USUAL = 100, LIMIT_MOST = 10000 };

static _Thread_local struct audit_effort effort;

struct search {
    const struct audit_query *query;
    size_t limit;
    uint64_t after, before; /* seq: after < seq < before */
    struct shelf shelf;
    json_t *items;
    uint64_t last_seq; /* of the items */
    bool more;
};

void
audit_effort(struct audit_effort *out)
{
    *out = effort;
}

static bool
text_matches(struct slice wanted, struct slice text)
{
    return wanted.size == 0 || slice_equal(wanted, text);
}

static bool
token_matches(struct slice wanted, struct slice token)
{
    return wanted.size == 0 || slice_equal(wanted, token) || slice_equal(wanted, token_base(token));
}

static bool
matches(const struct search *search, const struct record *record)
{
    const struct audit_query *query = search->query;
    const struct audit_event *event = &record->event;

    return record->seq > search->after && record->seq < search->before &&
           (query->since == 0 || event->at >= query->since) &&
           (query->until == 0 || event->at <= query->until) &&
           text_matches(query->subject, event->subject) &&
           token_matches(query->token, event->token) &&
           text_matches(query->resource, event->resource) &&
           text_matches(query->action, event->action) &&
           text_matches(query->decision, index_text(record, FIELD_DECISION));
}

/* Merges the end of a line that was sealed open, then adds it to the items. */
static enum status
give(struct search *search, size_t at, struct record *record, const uint8_t *hash)
{
    const struct volume *volume = &search->shelf.volume[at];
    bool fold = record->event.token.size == 0 && record->event.decision == AUDIT_DENY;
    struct ending ending;
    bool found = false;
    json_t *item;
    enum status status = STATUS_OK;

    if (record->kind == FRAME_OPEN || fold)
        status = shelf_end(&search->shelf, at, record->seq, fold && record->kind == FRAME_LINE,
                           &ending, &found);
    if (status != STATUS_OK)
        return status;
    if (found) {
        record->kind = FRAME_LINE;
        record->outcome = ending.outcome;
        record->count = ending.count;
    }
    item = event_json(record, volume->segment.header.node, hash);
    if (item == NULL || json_array_append_new(search->items, item) != 0)
        return STATUS_MEMORY;
    search->last_seq = record->seq;
    return STATUS_OK;
}

static bool
full(struct search *search)
{
    if (json_array_size(search->items) < search->limit)
        return false;
    search->more = true;
    return true;
}

/* The line at a place that the index or a scan gave. */
static enum status
read_line(const struct volume *volume, uint64_t offset, uint8_t *buffer, struct record *record,
          const uint8_t **hash)
{
    struct slice frame;
    enum frame_kind kind;
    enum status status = segment_frame(&volume->segment, offset, buffer, &frame, &kind);

    effort.lines++;
    effort.bytes += frame.size;
    if (status != STATUS_OK)
        return status;
    *hash = buffer + frame.size;
    return record_read(frame, record) ? STATUS_OK : STATUS_CORRUPT;
}

struct hits {
    const struct search *search;
    uint64_t *offset;
    size_t count, room;
};

static enum status
collect_hit(void *context, const struct scan *scan)
{
    struct hits *hits = context;
    struct record record;

    if (scan->kind != FRAME_LINE && scan->kind != FRAME_OPEN)
        return STATUS_OK;
    effort.lines++;
    if (!record_read(scan->frame, &record))
        return STATUS_CORRUPT;
    if (!matches(hits->search, &record))
        return STATUS_OK;
    if (hits->count == hits->room) {
        size_t room = hits->room == 0 ? 256 : 2 * hits->room;
        uint64_t *more = reallocarray(hits->offset, room, sizeof *more);

        if (more == NULL)
            return STATUS_MEMORY;
        hits->offset = more;
        hits->room = room;
    }
    hits->offset[hits->count++] = scan->offset;
    return STATUS_OK;
}

static enum status
search_by_reading(struct search *search, size_t at)
{
    struct volume *volume = &search->shelf.volume[at];
    struct hits hits = { .search = search };
    uint8_t buffer[FRAME_MAX + HASH_SIZE];
    enum status status = volume_scan(volume, collect_hit, &hits);

    for (size_t i = 0; i < hits.count && status == STATUS_OK && !full(search); i++) {
        size_t hit = search->query->oldest_first ? i : hits.count - 1 - i;
        struct record record;
        const uint8_t *hash;

        status = read_line(volume, hits.offset[hit], buffer, &record, &hash);
        if (status == STATUS_OK)
            status = give(search, at, &record, hash);
    }
    free(hits.offset);
    return status;
}

/* Lists of places to be intersected; none means all places. */
struct lists {
    uint16_t *places[FIELD_COUNT];
    size_t count[FIELD_COUNT], used;
};

static enum status
find_lists(const struct search *search, struct index *index, struct lists *lists)
{
    const struct audit_query *query = search->query;
    const struct slice wanted[FIELD_COUNT] = { [FIELD_TOKEN] = token_base(query->token),
                                               [FIELD_SUBJECT] = query->subject,
                                               [FIELD_RESOURCE] = query->resource,
                                               [FIELD_ACTION] = query->action,
                                               [FIELD_DECISION] = query->decision };

    *lists = (struct lists){ 0 };
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        size_t count;
        enum status status;

        if (wanted[i].size == 0)
            continue;
        status = index_find(index, i, wanted[i], &lists->places[lists->used], &count);
        if (status != STATUS_OK)
            return status;
        lists->count[lists->used++] = count;
        if (count == 0)
            return STATUS_OK;
    }
    return STATUS_OK;
}

static void
lists_free(struct lists *lists)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        free(lists->places[i]);
}

/* The first number of entries below bound. */
static size_t
entries_below(const uint16_t *places, size_t count, uint32_t bound)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (places[middle] < bound)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The next place on all lists, from bound on upwards (or below it downwards). */
static bool
next_place(const struct lists *lists, bool upwards, uint32_t lines, uint32_t *bound,
           uint32_t *place)
{
    uint32_t candidate = upwards ? *bound : *bound - 1;

    for (size_t agreed = 0; agreed <= lists->used;) {
        size_t list = agreed;

        if (upwards ? candidate >= lines : candidate == UINT32_MAX)
            return false;
        if (agreed == lists->used)
            break;
        size_t below = entries_below(lists->places[list], lists->count[list], candidate + !upwards);

        if (upwards ? below == lists->count[list] : below == 0)
            return false;
        uint32_t found = lists->places[list][upwards ? below : below - 1];

        agreed = found == candidate ? agreed + 1 : 0;
        candidate = found;
    }
    *place = candidate;
    *bound = upwards ? candidate + 1 : candidate;
    return true;
}

static enum status
walk_places(struct search *search, size_t at, const struct lists *lists)
{
    struct volume *volume = &search->shelf.volume[at];
    const struct index_header *header = &volume->index.header;
    bool upwards = search->query->oldest_first;
    uint8_t buffer[FRAME_MAX + HASH_SIZE];
    uint32_t low = 0, high = header->lines, place;
    enum status status = STATUS_OK;

    if (search->after >= header->first)
        low = (uint32_t)(search->after - header->first + 1);
    if (search->before < header->first + high)
        high = search->before <= header->first ? 0 : (uint32_t)(search->before - header->first);
    for (uint32_t bound = upwards ? low : high;
         status == STATUS_OK && next_place(lists, upwards, high, &bound, &place) && place >= low;) {
        struct record record;
        const uint8_t *hash;
        uint32_t offset;

        if (full(search))
            break;
        status = index_offset(&volume->index, place, &offset);
        if (status == STATUS_OK)
            status = read_line(volume, offset, buffer, &record, &hash);
        if (status == STATUS_OK && record.seq != header->first + place)
            status = STATUS_CORRUPT;
        if (status == STATUS_OK && matches(search, &record))
            status = give(search, at, &record, hash);
    }
    return status;
}

static bool
out_of_range(const struct search *search, const struct volume *volume)
{
    const struct audit_query *query = search->query;

    return volume->footer.last <= search->after || volume->footer.first >= search->before ||
           (query->since != 0 && volume->footer.max_at < query->since) ||
           (query->until != 0 && volume->footer.min_at > query->until);
}

static enum status
search_by_index(struct search *search, size_t at)
{
    struct volume *volume = &search->shelf.volume[at];
    struct lists lists;
    enum status status = find_lists(search, &volume->index, &lists);

    if (status == STATUS_OK && (lists.used == 0 || lists.count[lists.used - 1] > 0))
        status = walk_places(search, at, &lists);
    lists_free(&lists);
    return status;
}

static enum status
search_volume(struct search *search, size_t at, struct fault *fault)
{
    size_t had = json_array_size(search->items);
    uint64_t last_seq = search->last_seq;
    struct volume *volume;
    enum status status = shelf_volume(&search->shelf, at, &volume, fault);

    if (status != STATUS_OK || volume == NULL)
        return status;
    if (volume->closed && out_of_range(search, volume))
        return STATUS_OK;
    status = volume->indexed ? search_by_index(search, at) : search_by_reading(search, at);
    if (status == STATUS_CORRUPT && volume->indexed &&
        volume_reindex(&search->shelf, volume) == STATUS_OK) {
        /* The log is the truth: once more, with a new index or without one. */
        while (json_array_size(search->items) > had)
            json_array_remove(search->items, json_array_size(search->items) - 1);
        search->last_seq = last_seq;
        status = volume->indexed ? search_by_index(search, at) : search_by_reading(search, at);
    }
    if (status != STATUS_OK)
        fault_set(fault, status, "segment %llu of the audit can't be read: %s",
                  (unsigned long long)volume->number, status_text(status));
    return status;
}

static enum status
search_all(struct search *search, struct fault *fault)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < search->shelf.count && status == STATUS_OK && !search->more; i++)
        status = search_volume(
            search, search->query->oldest_first ? i : search->shelf.count - 1 - i, fault);
    return status;
}

enum status
audit_search(const char *dir, const struct audit_query *query, json_t **out, struct fault *fault)
{
    struct search search = { .query = query,
                             .limit = query->limit == 0 ? LIMIT_USUAL : query->limit,
                             .after = query->after_seq,
                             .before = query->before_seq == 0 ? UINT64_MAX : query->before_seq };
    json_t *next, *result;
    enum status status;

    effort = (struct audit_effort){ 0 };
    if (search.limit > LIMIT_MOST)
        return fault_set(fault, STATUS_LIMIT, "at most %d lines at once", LIMIT_MOST);
    if (query->decision.size > 0 && !slice_is(query->decision, "allow") &&
        !slice_is(query->decision, "deny"))
        return fault_set(fault, STATUS_INVALID, "a decision is \"allow\" or \"deny\"");
    status = shelf_open(dir, &search.shelf, fault);
    if (status != STATUS_OK)
        return status;
    search.items = json_array();
    status = search.items == NULL ? fault_set(fault, STATUS_MEMORY, "out of memory")
                                  : search_all(&search, fault);
    effort.bytes += shelf_read(&search.shelf);
    shelf_close(&search.shelf);
    if (status != STATUS_OK) {
        json_decref(search.items);
        return status;
    }
    next = search.more ? json_integer((json_int_t)search.last_seq) : json_null();
    result = json_pack("{s:o, s:o}", "items", search.items, "next", next);
    if (result == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    *out = result;
    return STATUS_OK;
}

/* record/archive.c - recordings, read from their files: what they are about, and what they
 * show. */
#include "archive_inside.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encoding.h"

enum {
    READ_AT_ONCE = 64 << 10,
    PAGE_FULL = 256 << 10,
    ABOUT_MOST = RECORD_CHUNK_MOST,
};

const char *
archive_state_name(enum archive_state state)
{
    static const char *const names[] = {
        [ARCHIVE_COMPLETE] = "complete",
        [ARCHIVE_RECORDING] = "recording",
        [ARCHIVE_CUT_OFF] = "cut off",
        [ARCHIVE_ALTERED] = "altered",
    };

    return names[state];
}

/* --- one file, from its start to its end ---------------------------------------- */

struct tape {
    struct record_reader reader;
    struct buffer ahead; /* read, not yet used */
    uint64_t at;         /* in the file, of what is read next */
    bool written;        /* somebody writes it now */
    int fd;
};

/* Whether it is being written is asked first: what comes to its end afterwards was whole. */
static enum status
tape_open(const struct archive *archive, const struct archive_name *name, struct tape *tape,
          struct fault *fault)
{
    *tape = (struct tape){ .reader = { .master = archive->master } };
    tape->fd = archive_open_file(archive->dir, name);
    if (tape->fd < 0)
        return fault_set(fault, STATUS_NOT_FOUND, "there is no such recording on this node");
    tape->written = archive_is_written(tape->fd);
    return STATUS_OK;
}

static void
tape_close(struct tape *tape)
{
    record_reader_wipe(&tape->reader);
    buffer_free(&tape->ahead);
    close(tape->fd);
}

/* False: there is no more. */
static bool
read_ahead(struct tape *tape)
{
    char *room = buffer_room(&tape->ahead, READ_AT_ONCE);
    ssize_t got = room == NULL ? 0 : pread(tape->fd, room, READ_AT_ONCE, (off_t)tape->at);

    if (got <= 0)
        return false;
    buffer_added(&tape->ahead, (size_t)got);
    tape->at += (size_t)got;
    return true;
}

static enum record_read
tape_next(struct tape *tape, enum record_kind *kind, struct buffer *plain)
{
    enum record_read read;
    size_t used;

    do {
        read = record_next(&tape->reader, buffer_slice(&tape->ahead), &used, kind, plain);
        buffer_consume(&tape->ahead, used);
        /* Behind the end a single byte more would be wrong. */
    } while ((read == RECORD_MORE || read == RECORD_DONE) && read_ahead(tape));
    return read;
}

static enum record_read
tape_skip(struct tape *tape)
{
    uint64_t from = tape->at - tape->ahead.size;
    enum record_read read;
    char head[RECORD_CHUNK_HEAD];
    ssize_t got = pread(tape->fd, head, sizeof head, (off_t)from);
    struct record_reader before = tape->reader;
    size_t size;

    read = record_skip(&tape->reader, slice_of(head, got < 0 ? 0 : (size_t)got), &size);
    if (read == RECORD_CHUNK && pread(tape->fd, head, 1, (off_t)(from + size - 1)) != 1) {
        tape->reader = before; /* it is not all there */
        read = RECORD_MORE;
    } else if (read == RECORD_CHUNK) {
        buffer_clear(&tape->ahead);
        tape->at = from + size;
    }
    record_reader_wipe(&before);
    return read;
}

static bool
at_end_chunk(const struct tape *tape)
{
    char head[RECORD_CHUNK_HEAD];

    return pread(tape->fd, head, sizeof head, (off_t)(tape->at - tape->ahead.size)) ==
               (ssize_t)sizeof head &&
           head[RECORD_CHUNK_HEAD - 1] == RECORD_END;
}

static enum archive_state
state_of(const struct tape *tape, enum record_read read)
{
    switch (read) {
    case RECORD_DONE:
        return ARCHIVE_COMPLETE;
    case RECORD_MORE:
    case RECORD_CHUNK:
        return tape->written ? ARCHIVE_RECORDING : ARCHIVE_CUT_OFF;
    case RECORD_WRONG:
        break;
    }
    return ARCHIVE_ALTERED;
}

/* --- what it is about ------------------------------------------------------------- */

static void
set_text(json_t *object, const char *member, const char *text)
{
    (void)json_object_set_new(object, member, text == NULL ? json_null() : json_string(text));
}

/* What can be told without opening it. */
static json_t *
describe(const struct archive_name *name, const struct tape *tape)
{
    char id[ARCHIVE_NAME_MAX], at[TIME_TEXT_MAX], session[24];
    struct stat about = { 0 };
    json_t *out = json_object();

    (void)fstat(tape->fd, &about);
    snprintf(session, sizeof session, "%llu", (unsigned long long)name->session);
    set_text(out, "id", archive_name_format(name, id));
    set_text(out, "session", session);
    set_text(out, "started_at", time_format(name->started_at, at));
    (void)json_object_set_new(out, "size", json_integer(about.st_size));
    return out;
}

/* Members that are told as they were written. */
static void
add_about(json_t *out, struct slice plain)
{
    static const char *const members[] = { "subject",  "token",       "chain",
                                           "upstream", "action",      "object",
                                           "command",  "command_cut", "peer" };
    json_t *about = NULL;

    if (json_read(plain, &about, NULL) != STATUS_OK)
        return;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        json_t *value = json_object_get(about, members[i]);

        (void)json_object_set(out, members[i], value == NULL ? json_null() : value);
    }
    json_decref(about);
}

static enum record_read
read_about(struct tape *tape, json_t *out)
{
    struct buffer plain = BUFFER_LIMITED(ABOUT_MOST);
    enum record_kind kind;
    enum record_read read = tape_next(tape, &kind, &plain);

    if (read == RECORD_CHUNK)
        add_about(out, buffer_slice(&plain));
    buffer_wipe_free(&plain);
    return read;
}

static void
add_end(json_t *out, struct slice plain)
{
    json_t *end = NULL;

    if (json_read(plain, &end, NULL) != STATUS_OK)
        return;
    (void)json_object_set_new(
        out, "duration_ms",
        json_integer(json_integer_value(json_object_get(end, "duration_us")) / 1000));
    json_decref(end);
}

enum status
archive_show(const struct archive *archive, const struct archive_name *name, json_t **out,
             struct fault *fault)
{
    struct buffer digest = { 0 };
    enum record_kind kind = RECORD_ABOUT;
    enum record_read read;
    struct tape tape;
    enum status status = tape_open(archive, name, &tape, fault);

    if (status != STATUS_OK)
        return status;
    *out = describe(name, &tape);
    (void)json_object_set_new(*out, "duration_ms", json_null());
    for (read = read_about(&tape, *out); read == RECORD_CHUNK;) {
        struct buffer plain = { 0 };

        read = tape_next(&tape, &kind, &plain);
        if (read == RECORD_CHUNK && kind == RECORD_END)
            add_end(*out, buffer_slice(&plain));
        buffer_wipe_free(&plain);
    }
    set_text(*out, "state", archive_state_name(state_of(&tape, read)));
    put_hex(&digest, tape.reader.digest, sizeof tape.reader.digest);
    put_u8(&digest, 0);
    set_text(*out, "digest", read == RECORD_DONE ? digest.bytes : NULL);
    buffer_free(&digest);
    tape_close(&tape);
    return STATUS_OK;
}

/* --- many --------------------------------------------------------------------------- */

static bool
is(const json_t *item, const char *member, struct slice wanted)
{
    const char *text = json_string_value(json_object_get(item, member));

    return wanted.size == 0 || (text != NULL && slice_is(wanted, text));
}

static bool
is_meant(const struct archive_query *query, const json_t *item)
{
    return is(item, "subject", query->subject) && is(item, "upstream", query->upstream) &&
           is(item, "object", query->object);
}

/* From behind ABOUT to the end, of which the last piece alone is opened. */
static enum record_read
skim(struct tape *tape)
{
    enum record_read read = RECORD_CHUNK;
    struct buffer plain = BUFFER_LIMITED(ABOUT_MOST);
    enum record_kind kind;

    while (read == RECORD_CHUNK && !at_end_chunk(tape))
        read = tape_skip(tape);
    while (read == RECORD_CHUNK)
        read = tape_next(tape, &kind, &plain);
    buffer_wipe_free(&plain);
    return read;
}

/* Appends it when it is meant. */
static void
look_at(const struct archive *archive, const struct archive_query *query,
        const struct archive_name *name, json_t *items)
{
    enum record_read read;
    struct tape tape;
    json_t *item;

    if (tape_open(archive, name, &tape, NULL) != STATUS_OK)
        return; /* removed meanwhile */
    item = describe(name, &tape);
    read = read_about(&tape, item);
    if (is_meant(query, item)) {
        if (read == RECORD_CHUNK)
            read = skim(&tape);
        set_text(item, "state", archive_state_name(state_of(&tape, read)));
        (void)json_array_append(items, item);
    }
    tape_close(&tape);
    json_decref(item);
}

static bool
is_in_time(const struct archive_query *query, const struct archive_name *name)
{
    return (query->session == 0 || name->session == query->session) &&
           (query->since == 0 || name->started_at >= query->since) &&
           (query->until == 0 || name->started_at < query->until);
}

/* The first that is older; NULL: the first of all. */
static size_t
start_of(const struct archive_names *names, const struct archive_name *before)
{
    size_t at = 0;

    while (before != NULL && at < names->count && archive_newest_first(before, &names->at[at]) >= 0)
        at++;
    return at;
}

enum status
archive_list(const struct archive *archive, const struct archive_query *query, json_t **items,
             char next[ARCHIVE_NAME_MAX], struct fault *fault)
{
    struct archive_names names;
    struct archive_name before;
    enum status status;
    size_t at;

    if (query->before.size > 0 && !archive_name_parse(query->before, &before))
        return fault_set(fault, STATUS_INVALID, "cursor is none that a list has given");
    next[0] = '\0';
    status = archive_names(archive->dir, &names);
    if (status != STATUS_OK)
        return fault_set(fault, status, "the recordings can't be read");
    *items = json_array();
    for (at = start_of(&names, query->before.size > 0 ? &before : NULL); at < names.count; at++) {
        if (json_array_size(*items) == query->limit)
            break;
        if (is_in_time(query, &names.at[at]))
            look_at(archive, query, &names.at[at], *items);
    }
    if (at < names.count && at > 0)
        (void)archive_name_format(&names.at[at - 1], next);
    archive_names_free(&names);
    return STATUS_OK;
}

/* --- what it shows ------------------------------------------------------------------- */

static enum record_read
go_to(struct tape *tape, uint64_t from)
{
    struct buffer about = BUFFER_LIMITED(ABOUT_MOST);
    enum record_kind kind;
    enum record_read read = tape_next(tape, &kind, &about);

    buffer_wipe_free(&about);
    while (read == RECORD_CHUNK && !tape->reader.ended && tape->reader.next < from)
        read = tape_skip(tape);
    return read;
}

enum status
archive_read(const struct archive *archive, const struct archive_name *name, uint64_t from,
             struct archive_page *page, struct fault *fault)
{
    enum record_kind kind = RECORD_EVENTS;
    enum record_read read;
    struct tape tape;
    enum status status = tape_open(archive, name, &tape, fault);

    if (status != STATUS_OK)
        return status;
    *page = (struct archive_page){ .next = from };
    read = go_to(&tape, from);
    while (read == RECORD_CHUNK && page->events.size < PAGE_FULL) {
        struct buffer plain = { 0 };

        read = tape_next(&tape, &kind, &plain);
        if (read == RECORD_CHUNK && kind == RECORD_EVENTS)
            put_slice(&page->events, buffer_slice(&plain));
        buffer_wipe_free(&plain);
    }
    page->next = tape.reader.next > from ? tape.reader.next : from;
    page->last = read != RECORD_CHUNK;
    page->state = state_of(&tape, read);
    tape_close(&tape);
    return buffer_status(&page->events);
}

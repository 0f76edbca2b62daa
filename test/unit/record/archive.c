/* The archive: recordings found by time, session and text, read in parts, and told from what is
 * cut, altered or being written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/archive.h"

static const struct secret master = { { 7 } };
static char place[64];
static struct archive archive;
enum { LINES_EACH = 40 << 10 };

static int
make_place(void **state)
{
    snprintf(place, sizeof place, "/tmp/writ-archive-XXXXXX");
    archive = (struct archive){ .dir = place, .master = &master };
    return mkdtemp(place) == NULL ? -1 : 0;
}

/* What remains must be what the archive can take away. */
static int
remove_place(void **state)
{
    (void)archive_expire(place, INT64_MAX);
    return rmdir(place);
}

static void
put(struct record_writer *writer, enum record_kind kind, struct slice plain, int fd)
{
    struct buffer out = { 0 };

    assert_int_equal(record_put(writer, kind, plain, &out), STATUS_OK);
    assert_int_equal(write(fd, out.bytes, out.size), out.size);
    buffer_free(&out);
}

/* `chunks` of events, the nth full of that digit; the descriptor, still open. */
static int
make(const struct archive_name *name, const char *subject, unsigned chunks)
{
    struct record_writer writer;
    struct buffer out = { 0 }, about = { 0 };
    char *events = malloc(LINES_EACH);
    int fd;

    assert_non_null(events);
    assert_int_equal(archive_create(place, name, &fd), STATUS_OK);
    assert_int_equal(record_begin(&writer, &master, &out), STATUS_OK);
    assert_int_equal(write(fd, out.bytes, out.size), out.size);
    put_format(&about, "{\"subject\":\"%s\",\"upstream\":\"prod\",\"object\":\"web\"}", subject);
    put(&writer, RECORD_ABOUT, buffer_slice(&about), fd);
    for (unsigned i = 0; i < chunks; i++) {
        memset(events, '0' + (int)(i % 10), LINES_EACH - 1);
        events[LINES_EACH - 1] = '\n';
        put(&writer, RECORD_EVENTS, slice_of(events, LINES_EACH), fd);
    }
    put(&writer, RECORD_END, SLICE_LITERAL("{\"duration_us\":5000}"), fd);
    record_writer_wipe(&writer);
    buffer_free(&out);
    buffer_free(&about);
    free(events);
    return fd;
}

static struct archive_name
name_of(int64_t at, uint64_t session)
{
    return (struct archive_name){ .started_at = at, .session = session, .mark = { 1, 2, 3, 4 } };
}

static void
names_have_one_spelling(void **state)
{
    static const char *const wrong[] = {
        "",
        "0000000000005-7",
        "0000000000005-7-0102030",
        "0000000000005-7-010203044",
        "0000000000005-7-0102030G",
        "0000000000005-7-0102030A",
        "0000000000005-07-01020304",
        "5-7-01020304",
        "0000000000005--01020304",
        "0000000000005-7-01020304.rec",
        "../000000000005-7-01020304",
        "0000000000005-7-01020304/../x",
        "0000000000005-18446744073709551616-01020304",
    };
    struct archive_name name = name_of(5, 7), again;
    char text[ARCHIVE_NAME_MAX];

    assert_string_equal(archive_name_format(&name, text), "0000000000005-7-01020304");
    assert_true(archive_name_parse(slice_text(text), &again));
    assert_int_equal(again.session, 7);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (archive_name_parse(slice_text(wrong[i]), &again))
            fail_msg("%s is a name", wrong[i]);
}

static size_t
list(const struct archive_query *query, char next[ARCHIVE_NAME_MAX], char *first)
{
    json_t *items;
    size_t count;

    assert_int_equal(archive_list(&archive, query, &items, next, NULL), STATUS_OK);
    count = json_array_size(items);
    snprintf(first, ARCHIVE_NAME_MAX, "%s",
             count == 0 ? ""
                        : json_string_value(json_object_get(json_array_get(items, 0), "session")));
    json_decref(items);
    return count;
}

static void
lists_by_page_time_and_text(void **state)
{
    char next[ARCHIVE_NAME_MAX], first[ARCHIVE_NAME_MAX];

    for (uint64_t i = 1; i <= 5; i++) {
        struct archive_name name = name_of((int64_t)i * 1000, i);
        close(make(&name, i == 3 ? "nobody" : "amara", 1));
    }
    assert_int_equal(list(&(struct archive_query){ .limit = 2 }, next, first), 2);
    assert_string_equal(first, "5");
    assert_int_equal(
        list(&(struct archive_query){ .limit = 9, .before = slice_text(next) }, next, first), 3);
    assert_string_equal(first, "3");
    assert_string_equal(next, "");
    assert_int_equal(list(&(struct archive_query){ .limit = 9, .subject = SLICE_LITERAL("nobody") },
                          next, first),
                     1);
    assert_int_equal(
        list(&(struct archive_query){ .limit = 9, .since = 2000, .until = 4000 }, next, first), 2);
    assert_int_equal(
        list(&(struct archive_query){ .limit = 9, .object = SLICE_LITERAL("we") }, next, first), 0);
    assert_int_equal(archive_list(&archive, &(struct archive_query){ .before = SLICE_LITERAL("x") },
                                  NULL, next, NULL),
                     STATUS_INVALID);
    assert_int_equal(archive_expire(place, 3000), 2);
    assert_int_equal(archive_expire(place, INT64_MAX), 3);
}

static void
is_found_by_session(void **state)
{
    struct archive_name old = name_of(1, 42), fresh = name_of(2, 42), other = name_of(3, 4);
    char next[ARCHIVE_NAME_MAX], first[ARCHIVE_NAME_MAX];

    close(make(&old, "amara", 0));
    close(make(&fresh, "amara", 0));
    close(make(&other, "amara", 0));
    assert_int_equal(list(&(struct archive_query){ .limit = 9, .session = 42 }, next, first), 2);
    assert_int_equal(list(&(struct archive_query){ .limit = 9, .session = 2 }, next, first), 0);
    (void)archive_expire(place, INT64_MAX);
}

/* What is no file keeps nobody. */
static void
passes_over_what_is_no_file(void **state)
{
    struct archive_name name = name_of(1, 1);
    char path[128], text[ARCHIVE_NAME_MAX], next[ARCHIVE_NAME_MAX], first[ARCHIVE_NAME_MAX];

    snprintf(path, sizeof path, "%s/%s.rec", place, archive_name_format(&name, text));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(list(&(struct archive_query){ .limit = 9 }, next, first), 0);
    assert_int_equal(archive_expire(place, INT64_MAX), 0);
    assert_int_equal(unlink(path), 0);
}

/* Every page again from where the one before ended: the lines, each once. */
static void
is_read_in_parts(void **state)
{
    struct archive_name name = name_of(1, 1);
    struct archive_page page = { 0 };
    unsigned seen = 0, pages = 0;

    close(make(&name, "amara", 25));
    do {
        assert_int_equal(archive_read(&archive, &name, page.next, &page, NULL), STATUS_OK);
        for (size_t at = 0; at < page.events.size; at += LINES_EACH)
            assert_int_equal(page.events.bytes[at], '0' + seen++ % 10);
        buffer_free(&page.events);
        pages++;
    } while (!page.last);
    assert_int_equal(seen, 25);
    assert_true(pages > 2);
    assert_int_equal(page.state, ARCHIVE_COMPLETE);
    assert_int_equal(archive_read(&archive, &name, 1000, &page, NULL), STATUS_OK);
    assert_int_equal(page.events.size, 0);
    buffer_free(&page.events);
    (void)archive_expire(place, INT64_MAX);
}

static void
what_is_written_stays(void **state)
{
    struct archive_name name = name_of(1, 1);
    int fd = make(&name, "amara", 1);

    assert_int_equal(archive_remove(&archive, &name, NULL), STATUS_CONFLICT);
    assert_int_equal(archive_expire(place, INT64_MAX), 0);
    close(fd);
    assert_int_equal(archive_remove(&archive, &name, NULL), STATUS_OK);
    assert_int_equal(archive_remove(&archive, &name, NULL), STATUS_NOT_FOUND);
}

static const char *
state_after(off_t size, bool written)
{
    static char state[16];
    struct archive_name name = name_of(1, 1);
    char path[128], text[ARCHIVE_NAME_MAX], next[ARCHIVE_NAME_MAX];
    int fd = make(&name, "amara", 3);
    json_t *items, *one;
    const char *listed;

    snprintf(path, sizeof path, "%s/%s.rec", place, archive_name_format(&name, text));
    assert_int_equal(truncate(path, lseek(fd, 0, SEEK_END) + size), 0);
    if (!written)
        close(fd);
    assert_int_equal(
        archive_list(&archive, &(struct archive_query){ .limit = 1 }, &items, next, NULL),
        STATUS_OK);
    assert_int_equal(archive_show(&archive, &name, &one, NULL), STATUS_OK);
    snprintf(state, sizeof state, "%s", json_string_value(json_object_get(one, "state")));
    listed = json_string_value(json_object_get(json_array_get(items, 0), "state"));
    assert_string_equal(listed, state);
    json_decref(items);
    json_decref(one);
    if (written)
        close(fd);
    (void)archive_expire(place, INT64_MAX);
    return state;
}

static void
tells_its_state(void **state)
{
    assert_string_equal(state_after(0, false), "complete");
    assert_string_equal(state_after(-1, false), "cut off");
    assert_string_equal(state_after(-60, false), "cut off");
    assert_string_equal(state_after(-LINES_EACH, false), "cut off");
    assert_string_equal(state_after(-LINES_EACH, true), "recording");
    assert_string_equal(state_after(1, false), "altered");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_one_spelling), cmocka_unit_test(lists_by_page_time_and_text),
        cmocka_unit_test(is_found_by_session),     cmocka_unit_test(passes_over_what_is_no_file),
        cmocka_unit_test(is_read_in_parts),        cmocka_unit_test(what_is_written_stays),
        cmocka_unit_test(tells_its_state),
    };

    return cmocka_run_group_tests(tests, make_place, remove_place);
}

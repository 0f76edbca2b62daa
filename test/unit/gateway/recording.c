/* The recorder: what lanes hand over is what the file says, in order, from several at once; what
 * can't be kept cuts a strict session and is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "gateway/recording.h"
#include "record/file.h"

static const struct secret master = { { 5 } };
enum { LANES = 3, LINES = 500 };

static char place[64];

static int
make_place(void **state)
{
    snprintf(place, sizeof place, "/tmp/writ-recording-XXXXXX");
    return mkdtemp(place) == NULL ? -1 : 0;
}

static struct recorder *
open_recorder(bool input, bool strict, uint64_t max_size)
{
    struct recorder_options options = {
        .dir = place, .master = master, .input = input, .strict = strict, .max_size = max_size
    };
    struct recorder *recorder;

    assert_int_equal(recorder_open(&options, &recorder, NULL), STATUS_OK);
    return recorder;
}

static struct recording *
begin(struct recorder *recorder, const char *subject)
{
    struct recording_about about = { .session = 7, .subject = slice_text(subject) };
    struct recording *recording;

    assert_int_equal(recording_begin(recorder, &about, &recording), STATUS_OK);
    return recording;
}

static enum record_read
read_file(const char *name, struct buffer *plain)
{
    struct record_reader reader = { .master = &master };
    struct buffer file = { 0 };
    enum record_read read;
    enum record_kind kind;
    struct slice in;
    size_t used;

    assert_int_equal(file_read(name, 64 << 20, &file), STATUS_OK);
    in = buffer_slice(&file);
    while ((read = record_next(&reader, in, &used, &kind, plain)) == RECORD_CHUNK)
        in = slice_from(in, used);
    record_reader_wipe(&reader);
    buffer_free(&file);
    return read;
}

/* Calls for each file, and takes it away. */
static unsigned
each_file(void (*look)(enum record_read read, const char *text))
{
    DIR *dir = opendir(place);
    const struct dirent *entry;
    unsigned count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct buffer plain = { 0 };
        struct stat about;
        char path[512];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", place, entry->d_name);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
        enum record_read read = read_file(path, &plain);
        put_u8(&plain, 0);
        look(read, plain.bytes);
        buffer_free(&plain);
        unlink(path);
        count++;
    }
    closedir(dir);
    return count;
}

static void
is_small(enum record_read read, const char *text)
{
    assert_int_equal(read, RECORD_DONE);
    assert_string_equal(
        text, "{\"session\":\"7\",\"started_at\":0,\"width\":0,\"height\":0,\"token\":null,"
              "\"subject\":\"amara\",\"chain\":null,\"upstream\":null,\"action\":null,"
              "\"object\":null,\"command\":null,\"command_cut\":false,\"peer\":\"unix\"}{"
              "\"version\":2,\"width\":80,\"height\":24,\"timestamp\":0}\n"
              "[0.000001,\"o\",\"hello\"]\n[0.000003,\"r\",\"100x30\"]\n[0.000004,\"o\",\"e\"]\n"
              "{\"duration_us\":5}");
}

static void
records_without_input(void **state)
{
    struct recorder *recorder = open_recorder(false, true, 0);
    struct recording *recording = begin(recorder, "amara");
    struct recorder_stats stats;

    assert_int_equal(recording_output(recording, 1, CAST_OUTPUT, SLICE_LITERAL("hello")),
                     STATUS_OK);
    assert_int_equal(recording_input(recording, 2, SLICE_LITERAL("password")), STATUS_OK);
    assert_int_equal(recording_resize(recording, 3, 100, 30), STATUS_OK);
    assert_int_equal(recording_output(recording, 4, CAST_ERRORS, SLICE_LITERAL("e")), STATUS_OK);
    recording_end(recording, 5);
    for (int i = 0; i < 500; i++) {
        recorder_stats(recorder, &stats);
        if (stats.ended == 1)
            break;
        usleep(10000);
    }
    assert_int_equal(stats.ended, 1);
    assert_int_equal(stats.failed, 0);
    recorder_close(recorder);
    assert_int_equal(each_file(is_small), 1);
}

static void
holds_input(enum record_read read, const char *text)
{
    assert_int_equal(read, RECORD_DONE);
    assert_non_null(strstr(text, "[0.000002,\"i\",\"typed\"]"));
}

static void
records_input_when_told(void **state)
{
    struct recorder *recorder = open_recorder(true, true, 0);
    struct recording *recording = begin(recorder, "amara");

    assert_int_equal(recording_input(recording, 2, SLICE_LITERAL("typed")), STATUS_OK);
    recording_end(recording, 3);
    recorder_close(recorder);
    assert_int_equal(each_file(holds_input), 1);
}

static void *
talk(void *context)
{
    struct recording *recording = begin(context, "lane");
    char text[16];

    for (unsigned i = 0; i < LINES; i++) {
        int size = snprintf(text, sizeof text, "<%u>", i);
        assert_int_equal(recording_output(recording, i, CAST_OUTPUT, slice_of(text, (size_t)size)),
                         STATUS_OK);
    }
    recording_end(recording, LINES);
    return NULL;
}

static void
is_in_order(enum record_read read, const char *text)
{
    char line[16];

    assert_int_equal(read, RECORD_DONE);
    for (unsigned i = 0; i < LINES; i++) {
        snprintf(line, sizeof line, "\"<%u>\"", i);
        text = strstr(text, line);
        assert_non_null(text);
    }
}

static void
keeps_the_order_of_each_lane(void **state)
{
    struct recorder *recorder = open_recorder(false, true, 0);
    pthread_t lanes[LANES];

    for (unsigned i = 0; i < LANES; i++)
        assert_int_equal(pthread_create(&lanes[i], NULL, talk, recorder), 0);
    for (unsigned i = 0; i < LANES; i++)
        pthread_join(lanes[i], NULL);
    recorder_close(recorder);
    assert_int_equal(each_file(is_in_order), LANES);
}

static void
looks_at_nothing(enum record_read read, const char *text)
{
}

static void
has_no_end(enum record_read read, const char *text)
{
    assert_int_equal(read, RECORD_MORE);
}

/* Says what the session is told, once the thread has met the limit. */
static enum status
outgrow(bool strict)
{
    struct recorder *recorder = open_recorder(false, strict, 1000);
    struct recording *recording = begin(recorder, "amara");
    enum status status = STATUS_OK;
    char block[600] = { 0 };
    struct recorder_stats stats = { 0 };

    memset(block, 'x', sizeof block);
    for (int i = 0; i < 500 && stats.failed == 0; i++) {
        (void)!recording_output(recording, 1, CAST_OUTPUT, slice_of(block, sizeof block));
        usleep(10000);
        recorder_stats(recorder, &stats);
    }
    assert_int_equal(stats.failed, 1);
    status = recording_output(recording, 1, CAST_OUTPUT, slice_of(block, sizeof block));
    recording_end(recording, 2);
    recorder_close(recorder);
    assert_int_equal(each_file(has_no_end), 1);
    return status;
}

static void
cuts_what_it_cannot_keep(void **state)
{
    assert_int_equal(outgrow(true), STATUS_IO);
    assert_int_equal(outgrow(false), STATUS_OK);
}

static void
takes_no_flood(void **state)
{
    struct recorder *recorder = open_recorder(false, true, 0);
    struct recording *recording = begin(recorder, "amara");
    char *flood = calloc(1, 5 << 20);

    assert_non_null(flood);
    assert_int_equal(recording_output(recording, 1, CAST_OUTPUT, slice_of(flood, 5 << 20)),
                     STATUS_IO);
    assert_int_equal(recording_output(recording, 1, CAST_OUTPUT, SLICE_LITERAL("x")), STATUS_IO);
    recording_end(recording, 2);
    recorder_close(recorder);
    free(flood);
    assert_int_equal(each_file(has_no_end), 1);
}

static void
has_what_was_taken(enum record_read read, const char *text)
{
    assert_int_equal(read, RECORD_MORE);
    assert_non_null(strstr(text, "the secret"));
}

/* What was handed over before the flood is in the file, whatever the flood did. */
static void
a_flood_hides_nothing(void **state)
{
    struct recorder *recorder = open_recorder(false, true, 0);
    struct recording *recording = begin(recorder, "amara");
    char *flood = calloc(1, 8 << 20);

    assert_non_null(flood);
    assert_int_equal(recording_output(recording, 1, CAST_OUTPUT, SLICE_LITERAL("the secret")),
                     STATUS_OK);
    assert_false(recording_behind(recording));
    assert_int_equal(recording_output(recording, 2, CAST_OUTPUT, slice_of(flood, 2 << 20)),
                     STATUS_OK);
    (void)!recording_output(recording, 3, CAST_OUTPUT, slice_of(flood, 8 << 20));
    recording_end(recording, 4);
    recorder_close(recorder);
    free(flood);
    assert_int_equal(each_file(has_what_was_taken), 1);
}

/* All sessions together are bounded too, and the first that would go over begins no more. */
static void
many_floods_are_bounded(void **state)
{
    enum { SESSIONS = 40 };
    struct recorder *recorder = open_recorder(false, true, 0);
    struct recording *recordings[SESSIONS] = { 0 };
    struct recording_about about = { .session = 7, .subject = SLICE_LITERAL("amara") };
    char *flood = calloc(1, 4 << 20);
    unsigned refused = 0;

    assert_non_null(flood);
    for (unsigned i = 0; i < SESSIONS; i++)
        refused +=
            recording_begin(recorder, &about, &recordings[i]) != STATUS_OK ||
            recording_output(recordings[i], 1, CAST_OUTPUT, slice_of(flood, 3 << 20)) != STATUS_OK;
    assert_true(refused > 0);
    for (unsigned i = 0; i < SESSIONS; i++)
        recording_end(recordings[i], 2);
    recorder_close(recorder);
    free(flood);
    (void)each_file(looks_at_nothing);
}

/* A directory that takes nothing: no session begins, and one that goes on is cut, also when what
 * is typed is not kept. It is taken up again by itself. */
static void
does_not_begin_what_it_cannot_keep(void **state)
{
    struct recorder *recorder = open_recorder(false, true, 1000);
    struct recording *recording = begin(recorder, "amara");
    struct recorder_stats stats = { 0 };
    char away[80], block[2000] = { 0 };

    snprintf(away, sizeof away, "%s.away", place);
    assert_int_equal(rename(place, away), 0);
    for (int i = 0; i < 500 && recorder_takes(recorder, clock_mono_us()); i++) {
        struct recording *other = NULL;

        (void)!recording_begin(recorder, &(struct recording_about){ .session = 8 }, &other);
        recording_end(other, 1);
        usleep(10000);
    }
    assert_false(recorder_takes(recorder, clock_mono_us()));
    assert_int_equal(rename(away, place), 0);
    for (int i = 0; i < 500 && !recorder_takes(recorder, clock_mono_us()); i++)
        usleep(10000);
    assert_true(recorder_takes(recorder, clock_mono_us()));
    (void)!recording_output(recording, 1, CAST_OUTPUT, slice_of(block, sizeof block));
    for (int i = 0; i < 500 && recording_input(recording, 2, SLICE_LITERAL("x")) == STATUS_OK; i++)
        usleep(10000);
    assert_int_equal(recording_input(recording, 2, SLICE_LITERAL("x")), STATUS_IO);
    recorder_stats(recorder, &stats);
    assert_true(stats.failed > 0);
    recording_end(recording, 3);
    recorder_close(recorder);
    (void)each_file(looks_at_nothing);
}

static void
is_stopped(enum record_read read, const char *text)
{
    assert_int_equal(read, RECORD_DONE);
    assert_non_null(strstr(text, "\"stopped\":true"));
}

static void
ends_what_goes_on_when_it_stops(void **state)
{
    struct recorder *recorder = open_recorder(false, true, 0);

    (void)!recording_output(begin(recorder, "amara"), 1, CAST_OUTPUT, SLICE_LITERAL("x"));
    recorder_close(recorder);
    assert_int_equal(each_file(is_stopped), 1);
}

static void
wants_a_directory_of_its_own(void **state)
{
    struct recorder_options options = { .dir = place, .master = master };
    struct recorder *recorder;

    assert_int_equal(chmod(place, 0755), 0);
    assert_int_equal(recorder_open(&options, &recorder, NULL), STATUS_DENIED);
    assert_int_equal(chmod(place, 0700), 0);
    options.dir = "/dev/null";
    assert_int_equal(recorder_open(&options, &recorder, NULL), STATUS_IO);
}

static int
remove_place(void **state)
{
    return rmdir(place);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_without_input),
        cmocka_unit_test(records_input_when_told),
        cmocka_unit_test(keeps_the_order_of_each_lane),
        cmocka_unit_test(cuts_what_it_cannot_keep),
        cmocka_unit_test(takes_no_flood),
        cmocka_unit_test(a_flood_hides_nothing),
        cmocka_unit_test(many_floods_are_bounded),
        cmocka_unit_test(does_not_begin_what_it_cannot_keep),
        cmocka_unit_test(ends_what_goes_on_when_it_stops),
        cmocka_unit_test(wants_a_directory_of_its_own),
    };

    return cmocka_run_group_tests(tests, make_place, remove_place);
}

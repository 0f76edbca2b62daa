/* test/unit/store/damage.c - what the disk and the world do to a store: full,
 * read-only, damaged, owned by another, written by a newer Writ. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"
#include "state.h"

static enum status
open_refused(struct fault *fault)
{
    struct store *store = NULL;
    enum status status = store_open(&(struct store_options){ .path = path }, &store, fault);

    assert_null(store);
    assert_int_not_equal(status, STATUS_OK);
    assert_int_equal(fault->code, status);
    return status;
}

static enum status
ignore(void *context, const struct change *change)
{
    return STATUS_OK;
}

static enum status
load_status(struct store *store, struct fault *fault)
{
    return store_load(store, ignore, NULL, fault);
}

/* Straight into the file, as a newer Writ or a screwdriver would. */
static void
meddle(const char *sql)
{
    struct db *db = NULL;
    struct fault fault;

    assert_int_equal(db_open(&(struct db_options){ .path = path, .mode = DB_WRITE }, &db, &fault),
                     STATUS_OK);
    assert_int_equal(db_run(db, sql), STATUS_OK);
    db_close(db);
}

static void
filled(uint32_t count)
{
    struct store *store = opened();

    for (uint32_t i = 1; i <= count; i++) {
        struct change changes[] = { issued(i), line_revoked(i, i) };

        append(store, changes, i % 4 == 0 ? 2 : 1);
    }
    store_close(store);
}

static void
a_second_owner_is_told_of_the_first(void **state)
{
    struct store *store = opened();
    struct fault fault = { 0 };
    char pid[32];
    int ready[2], result;
    pid_t child;

    assert_int_equal(open_refused(&fault), STATUS_CONFLICT);
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    assert_non_null(strstr(fault.text, pid));
    store_close(store);
    store_close(opened());

    /* And one that was killed holds nothing. */
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        if (store_open(&(struct store_options){ .path = path }, &store, NULL) != STATUS_OK ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    assert_int_equal(read(ready[0], pid, 1), 1);
    assert_int_equal(open_refused(&fault), STATUS_CONFLICT);
    snprintf(pid, sizeof(pid), "process %ld", (long)child);
    assert_non_null(strstr(fault.text, pid));
    kill(child, SIGKILL);
    waitpid(child, &result, 0);
    store_close(opened());
    close(ready[0]);
    close(ready[1]);
}

static void
a_newer_store_is_refused(void **state)
{
    struct fault fault = { 0 };

    filled(3);
    meddle("UPDATE meta SET value = 2");
    assert_int_equal(open_refused(&fault), STATUS_NEWER);
    assert_non_null(strstr(fault.text, "newer Writ"));
    meddle("UPDATE meta SET value = 1");
    store_close(opened());
    /* The first byte of a change is its version. */
    meddle("UPDATE changes SET body = x'03' || substr(body, 2) WHERE seq = 3");
    assert_int_equal(open_refused(&fault), STATUS_NEWER);
    assert_non_null(strstr(fault.text, "newer Writ"));
    meddle("UPDATE changes SET body = x'02ff' WHERE seq = 3");
    assert_int_equal(open_refused(&fault), STATUS_CORRUPT);
}

static void
another_database_is_refused(void **state)
{
    struct fault fault = { 0 };
    struct db *db = NULL;

    assert_int_equal(db_open(&(struct db_options){ .path = path, .mode = DB_CREATE }, &db, &fault),
                     STATUS_OK);
    assert_int_equal(db_run(db, "CREATE TABLE customers (name)"), STATUS_OK);
    db_close(db);
    assert_int_equal(open_refused(&fault), STATUS_INVALID);
    assert_non_null(strstr(fault.text, "not a store of Writ"));
}

static void
a_store_that_lost_a_table_is_refused(void **state)
{
    struct fault fault = { 0 };

    filled(1);
    meddle("DROP TABLE hops");
    assert_int_equal(open_refused(&fault), STATUS_CORRUPT);
    assert_non_null(strstr(fault.text, "hops"));
    meddle("DROP TABLE meta");
    assert_int_equal(open_refused(&fault), STATUS_CORRUPT);
}

static void
migrations_go_forward_whole_or_not_at_all(void **state)
{
    const char *const good[] = { "CREATE TABLE a (i)",
                                 "ALTER TABLE a ADD COLUMN j; CREATE TABLE b (i)",
                                 "INSERT INTO b VALUES (7)" };
    const char *const bad[] = { good[0], good[1],
                                "CREATE TABLE c (i); INSERT INTO nowhere VALUES (1)" };
    struct fault fault = { 0 };
    struct db *db = NULL;

    assert_int_equal(db_open(&(struct db_options){ .path = path, .mode = DB_CREATE }, &db, &fault),
                     STATUS_OK);
    assert_int_equal(schema_bring(db, good, 1, &fault), STATUS_OK);
    assert_int_equal(db_run(db, "INSERT INTO a VALUES (1)"), STATUS_OK);
    assert_int_equal(schema_bring(db, bad, 3, &fault), STATUS_INTERNAL);
    assert_non_null(strstr(fault.text, "nowhere"));
    assert_int_equal(db_run(db, "SELECT * FROM b"), STATUS_INTERNAL); /* step 2 did not stay */
    assert_int_equal(db_run(db, "SELECT * FROM c"), STATUS_INTERNAL);
    assert_int_equal(schema_bring(db, good, 3, &fault), STATUS_OK);
    assert_int_equal(db_run(db, "SELECT j FROM a, b"), STATUS_OK);
    assert_int_equal(schema_bring(db, good, 3, &fault), STATUS_OK); /* nothing left to do */
    assert_int_equal(schema_bring(db, good, 2, &fault), STATUS_NEWER);
    db_close(db);
}

static void
a_flipped_bit_is_not_believed(void **state)
{
    static const char *const flips[] = {
        "UPDATE tokens SET body = substr(body, 1, 40) || x'ee' || substr(body, 42) WHERE no = 2",
        ("UPDATE tokens SET body = substr(body, 1, length(body) - 5) || x'ee' ||"
         " substr(body, length(body) - 3) WHERE no = 2"),
        "UPDATE tokens SET body = x'' WHERE no = 2",
        "UPDATE lines SET revoked_at = 9223372036854775807",
        "UPDATE lines SET line = x'00'",
    };
    struct fault fault;
    struct store *store;

    for (size_t i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
        struct token_id id = id_of(i < 3 ? 2 : 4);

        unlink(path);
        filled(5);
        meddle(flips[i]);
        store = opened();
        fault = (struct fault){ 0 };
        assert_int_equal(load_status(store, &fault), STATUS_CORRUPT);
        assert_non_null(strstr(fault.text, "damaged"));
        assert_non_null(strstr(fault.text, i < 3 ? "tokens, row 2" : "lines"));
        if (i < 4) {
            struct change use = line_used(number_of(&id), 1, 1);
            struct change rotate = rotated(9, number_of(&id), number_of(&id), 1);
            uint64_t seq;

            assert_int_equal(store_append(store, i < 3 ? &rotate : &use, 1, &seq, &fault),
                             STATUS_CORRUPT);
        }
        store_close(store);
    }
}

/* Whatever page is destroyed, the store says so or was not touched by it: never a
 * crash, never a wrong answer. */
static void
a_destroyed_page_is_reported(void **state)
{
    struct fault fault = { 0 };
    struct buffer whole = { 0 }, now = { 0 };
    unsigned reported = 0, pages;
    char junk[4096], kept[4096];
    struct stat info;
    int file;

    filled(60);
    struct store *store = opened();
    load_all(store, &whole);
    store_close(store);
    assert_int_equal(stat(path, &info), 0);
    pages = (unsigned)(info.st_size / (off_t)sizeof(junk));
    memset(junk, 0x5a, sizeof(junk));
    for (unsigned page = 0; page < pages; page++) {
        enum status status;
        bool same = false;

        file = open(path, O_RDWR);
        assert_int_equal(pread(file, kept, sizeof(kept), page * 4096), 4096);
        assert_int_equal(pwrite(file, junk, sizeof(junk), page * 4096), 4096);
        store = NULL;
        status = store_open(&(struct store_options){ .path = path }, &store, &fault);
        if (status == STATUS_OK) {
            status = load_status(store, &fault);
            if (status == STATUS_OK) {
                load_all(store, &now);
                same = slice_equal(buffer_slice(&whole), buffer_slice(&now));
            }
        }
        assert_true(same || status == STATUS_CORRUPT);
        if (status == STATUS_CORRUPT) {
            assert_int_not_equal(fault.text[0], '\0');
            reported++;
        }
        store_close(store);
        assert_int_equal(pwrite(file, kept, sizeof(kept), page * 4096), 4096);
        close(file);
    }
    assert_true(reported > 3);
    buffer_free(&whole);
    buffer_free(&now);
}

static void
a_torn_log_file_loses_only_its_end(void **state)
{
    struct store *store = opened();
    char wal[80], copy[80], command[256];
    struct stat info;
    size_t full;

    for (uint32_t i = 1; i <= 20; i++) {
        struct change change = issued(i);

        append(store, &change, 1);
    }
    /* As a power cut would leave it: both files copied while the store is open. */
    snprintf(command, sizeof(command), "cp %s %s/cut.db && cp %s-wal %s/cut.db-wal", path, place,
             path, place);
    assert_int_equal(system(command), 0);
    store_close(store);
    snprintf(copy, sizeof(copy), "%s/cut.db", place);
    snprintf(wal, sizeof(wal), "%s/cut.db-wal", place);
    assert_int_equal(stat(wal, &info), 0);
    assert_int_equal(truncate(wal, info.st_size - 100), 0);
    memcpy(path, copy, strlen(copy) + 1);
    store = opened();
    full = load_count(store);
    assert_true(full == 19 || full == 20);
    assert_int_equal(store_seq(store), full);
    store_close(store);
}

static void
a_full_store_refuses_and_goes_on(void **state)
{
    enum { BATCH = 500 };
    static struct change batch[BATCH];
    struct store *store = opened();
    struct change revoke = line_revoked(1, 5);
    struct rlimit before, small;
    struct fault fault = { 0 };
    uint64_t seq = 0, acknowledged;
    enum status status = STATUS_OK;
    uint32_t number = 1;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1 << 20;
    batch[0] = issued(number++);
    append(store, batch, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    while (status == STATUS_OK && number < 100000) {
        for (uint32_t i = 0; i < BATCH; i++)
            batch[i] = issued(number + i);
        status = store_append(store, batch, BATCH, &seq, &fault);
        if (status == STATUS_OK)
            number += BATCH;
    }
    assert_int_equal(status, STATUS_FULL);
    acknowledged = store_seq(store);
    assert_int_equal(acknowledged, number - 1);
    assert_int_equal(load_count(store), number - 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    append(store, &revoke, 1);
    append(store, batch, BATCH);
    assert_int_equal(load_count(store), number - 1 + BATCH + 1);
    store_close(store);
    store = opened();
    assert_int_equal(load_count(store), number - 1 + BATCH + 1);
    store_close(store);
}

/* In a mount namespace of its own; 0 passed, 1.. failed there, 77 not possible. */
static int
in_namespace(int (*body)(const char *directory))
{
    int result;
    pid_t child = fork();

    if (child == 0) {
        if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
            _exit(77);
        _exit(body(place));
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    if (WEXITSTATUS(result) == 77)
        skip();
    return WEXITSTATUS(result);
}

static int
tiny_disk(const char *directory)
{
    struct fault fault = { 0 };
    struct store *store = NULL;
    char filler[80];
    uint32_t number = 0;
    uint64_t seq;
    int file;
    enum status status = STATUS_OK;

    if (mount("none", directory, "tmpfs", 0, "size=2m,mode=700") != 0)
        return 77;
    snprintf(filler, sizeof(filler), "%s/filler", directory);
    file = open(filler, O_CREAT | O_WRONLY, 0600);
    if (ftruncate(file, 0) != 0 || posix_fallocate(file, 0, 1 << 20) != 0)
        return 2;
    if (store_open(&(struct store_options){ .path = path }, &store, &fault) != STATUS_OK)
        return 3;
    while (status == STATUS_OK && number < 100000) {
        struct change change = issued(++number);

        status = store_append(store, &change, 1, &seq, &fault);
    }
    if (status != STATUS_FULL || strstr(fault.text, "no space") == NULL)
        return 4;
    if (store_seq(store) != number - 1 || load_count(store) != number - 1)
        return 5;
    /* A copy finds no room either, and leaves nothing. */
    snprintf(filler, sizeof(filler), "%s/copy", directory);
    if (store_backup(store, filler, &fault) != STATUS_FULL || access(filler, F_OK) == 0)
        return 6;
    snprintf(filler, sizeof(filler), "%s/filler", directory);
    unlink(filler);
    close(file);
    struct change again = issued(number);
    if (store_append(store, &again, 1, &seq, &fault) != STATUS_OK || seq != number)
        return 7;
    store_close(store);
    if (store_open(&(struct store_options){ .path = path }, &store, &fault) != STATUS_OK ||
        load_count(store) != number)
        return 8;
    store_close(store);
    /* No room for a new store: refused, and nothing stands in the way later. */
    file = open(filler, O_CREAT | O_WRONLY, 0600);
    while (write(file, filler, sizeof(filler)) > 0)
        ;
    snprintf(path, sizeof(path), "%s/new.db", directory);
    if (store_open(&(struct store_options){ .path = path }, &store, &fault) != STATUS_FULL)
        return 9;
    unlink(filler);
    close(file);
    if (store_open(&(struct store_options){ .path = path }, &store, &fault) != STATUS_OK)
        return 10;
    store_close(store);
    return 0;
}

static void
a_tiny_disk_fills_and_empties(void **state)
{
    assert_int_equal(in_namespace(tiny_disk), 0);
}

static int
read_only_disk(const char *directory)
{
    struct fault fault = { 0 };
    struct store *store = NULL;

    if (mount(directory, directory, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, directory, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) != 0)
        return 77;
    if (store_open(&(struct store_options){ .path = path }, &store, &fault) != STATUS_IO)
        return 2;
    return strstr(fault.text, "Read-only") != NULL && strstr(fault.text, path) != NULL ? 0 : 3;
}

static void
a_read_only_disk_is_named(void **state)
{
    filled(3);
    assert_int_equal(in_namespace(read_only_disk), 0);
    store_close(opened());
}

static int
read_only_file(const char *directory)
{
    struct fault fault = { 0 };
    struct store *store = NULL;

    if (mount(path, path, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) != 0)
        return 77;
    if (store_open(&(struct store_options){ .path = path }, &store, &fault) != STATUS_IO)
        return 2;
    return strstr(fault.text, "Read-only") != NULL ? 0 : 3;
}

static void
a_read_only_file_is_named(void **state)
{
    filled(3);
    assert_int_equal(in_namespace(read_only_file), 0);
    store_close(opened());
}

static void
a_missing_directory_and_another_user_are_named(void **state)
{
    struct fault fault = { 0 };
    int result;
    pid_t child;

    filled(1);
    if (geteuid() == 0) {
        assert_int_equal(chmod(place, 0755), 0);
        child = fork();
        if (child == 0) {
            struct store *store;

            if (setuid(65534) != 0)
                _exit(9);
            _exit(store_open(&(struct store_options){ .path = path }, &store, &fault) ==
                              STATUS_IO &&
                          strstr(fault.text, "uid 65534") != NULL
                      ? 0
                      : 1);
        }
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_equal(result, 0);
    }
    snprintf(path, sizeof(path), "%s/none/writ.db", place);
    assert_int_equal(open_refused(&fault), STATUS_NOT_FOUND);
    assert_non_null(strstr(fault.text, path));
}

static void
a_copy_is_a_store(void **state)
{
    struct store *store = opened();
    struct change first = issued(1), later = issued(2);
    struct fault fault = { 0 };
    struct stat info;
    char copy[80];

    append(store, &first, 1);
    snprintf(copy, sizeof(copy), "%s/copy.db", place);
    assert_int_equal(store_backup(store, copy, &fault), STATUS_OK);
    assert_int_equal(stat(copy, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    append(store, &later, 1);
    assert_int_equal(store_backup(store, copy, &fault), STATUS_CONFLICT);
    assert_int_equal(store_backup(store, path, &fault), STATUS_CONFLICT);
    assert_int_equal(load_count(store), 2);
    store_close(store);
    memcpy(path, copy, strlen(copy) + 1);
    store = opened();
    assert_int_equal(load_count(store), 1);
    assert_int_equal(store_seq(store), 1);
    append(store, &later, 1);
    store_close(store);
}

int
main(void)
{
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_clear)
    const struct CMUnitTest tests[] = {
        WITH_PLACE(a_second_owner_is_told_of_the_first),
        WITH_PLACE(a_newer_store_is_refused),
        WITH_PLACE(another_database_is_refused),
        WITH_PLACE(a_store_that_lost_a_table_is_refused),
        WITH_PLACE(migrations_go_forward_whole_or_not_at_all),
        WITH_PLACE(a_flipped_bit_is_not_believed),
        WITH_PLACE(a_destroyed_page_is_reported),
        WITH_PLACE(a_torn_log_file_loses_only_its_end),
        WITH_PLACE(a_full_store_refuses_and_goes_on),
        WITH_PLACE(a_tiny_disk_fills_and_empties),
        WITH_PLACE(a_read_only_disk_is_named),
        WITH_PLACE(a_read_only_file_is_named),
        WITH_PLACE(a_missing_directory_and_another_user_are_named),
        WITH_PLACE(a_copy_is_a_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test/unit/db/db.c - the wrapper: values, transactions, refusals, copies. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/db.h"

static char place[] = "/tmp/writ-db-XXXXXX";
static char path[64], other[64];

static int
place_make(void **state)
{
    strcpy(place + sizeof(place) - 7, "XXXXXX");
    assert_non_null(mkdtemp(place));
    snprintf(path, sizeof(path), "%s/a.db", place);
    snprintf(other, sizeof(other), "%s/b.db", place);
    return 0;
}

static int
place_clear(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", place);
    return system(command);
}

static struct db *
opened(const char *name, enum db_mode mode)
{
    struct fault fault = { 0 };
    struct db *db = NULL;

    if (db_open(&(struct db_options){ .path = name, .mode = mode }, &db, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    return db;
}

static enum status
open_refused(const char *name, enum db_mode mode, struct fault *fault)
{
    struct db *db = NULL;
    enum status status = db_open(&(struct db_options){ .path = name, .mode = mode }, &db, fault);

    assert_null(db);
    assert_int_not_equal(status, STATUS_OK);
    assert_int_equal(status, fault->code);
    return status;
}

static int64_t
number(struct db *db, const char *sql)
{
    struct db_statement *statement;
    bool row = false;
    int64_t value;

    assert_int_equal(db_prepare(db, sql, &statement), STATUS_OK);
    assert_int_equal(db_step(statement, &row), STATUS_OK);
    assert_true(row);
    value = db_column_int(statement, 0);
    db_finish(statement);
    return value;
}

static void
values_go_in_and_out(void **state)
{
    struct db *db = opened(path, DB_CREATE);
    struct db_statement *add, *get;
    bool row = false;

    assert_int_equal(db_run(db, "CREATE TABLE t (i INTEGER, s TEXT, b BLOB, n BLOB, e BLOB)"),
                     STATUS_OK);
    assert_int_equal(db_prepare(db, "INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5)", &add), STATUS_OK);
    db_bind_int(add, 1, INT64_MIN);
    db_bind_text(add, 2, SLICE_LITERAL("a\0b"));
    db_bind_blob(add, 3, SLICE_LITERAL("\xff\0\1"));
    db_bind_null(add, 4);
    db_bind_blob(add, 5, (struct slice){ 0 });
    assert_int_equal(db_do(add), STATUS_OK);
    assert_int_equal(db_changed(db), 1);
    assert_int_equal(db_prepare(db, "SELECT * FROM t", &get), STATUS_OK);
    assert_int_equal(db_step(get, &row), STATUS_OK);
    assert_true(row);
    assert_true(db_column_int(get, 0) == INT64_MIN);
    assert_true(slice_equal(db_column_bytes(get, 1), SLICE_LITERAL("a\0b")));
    assert_true(slice_equal(db_column_bytes(get, 2), SLICE_LITERAL("\xff\0\1")));
    assert_true(db_column_is_null(get, 3));
    assert_null(db_column_bytes(get, 3).at);
    assert_false(db_column_is_null(get, 4));
    assert_non_null(db_column_bytes(get, 4).at);
    assert_int_equal(db_step(get, &row), STATUS_OK);
    assert_false(row);
    db_close(db); /* finishes the statements too */
}

static void
a_wrong_bind_is_told_by_the_step(void **state)
{
    struct db *db = opened(path, DB_CREATE);
    struct db_statement *statement;
    bool row = true;

    assert_int_equal(db_prepare(db, "SELECT ?1", &statement), STATUS_OK);
    db_bind_int(statement, 2, 1);
    db_bind_int(statement, 1, 1);
    assert_int_equal(db_step(statement, &row), STATUS_INTERNAL);
    db_rewind(statement);
    db_bind_int(statement, 1, 7);
    assert_int_equal(db_step(statement, &row), STATUS_OK);
    assert_int_equal(db_column_int(statement, 0), 7);
    assert_int_equal(db_prepare(db, "SELECT nonsense FROM nowhere", &statement), STATUS_INTERNAL);
    db_close(db);
}

static void
a_rolled_back_change_is_gone(void **state)
{
    struct db *db = opened(path, DB_CREATE);

    assert_int_equal(db_rollback(db), STATUS_OK);
    assert_int_equal(db_run(db, "CREATE TABLE t (i INTEGER PRIMARY KEY)"), STATUS_OK);
    assert_int_equal(db_begin(db), STATUS_OK);
    assert_int_equal(db_run(db, "INSERT INTO t VALUES (1)"), STATUS_OK);
    assert_int_equal(db_run(db, "INSERT INTO t VALUES (1)"), STATUS_CONFLICT);
    assert_int_equal(db_rollback(db), STATUS_OK);
    assert_int_equal(number(db, "SELECT count(*) FROM t"), 0);
    assert_int_equal(db_begin(db), STATUS_OK);
    assert_int_equal(db_run(db, "INSERT INTO t VALUES (1)"), STATUS_OK);
    assert_int_equal(db_commit(db), STATUS_OK);
    db_close(db);
    db = opened(path, DB_READ);
    assert_int_equal(number(db, "SELECT count(*) FROM t"), 1);
    assert_int_equal(db_run(db, "INSERT INTO t VALUES (2)"), STATUS_IO);
    db_close(db);
}

static void
a_locked_file_times_out(void **state)
{
    struct db *db = opened(path, DB_CREATE), *second = NULL;
    struct fault fault = { 0 };

    assert_int_equal(db_open(&(struct db_options){ .path = path, .mode = DB_WRITE, .busy_ms = 20 },
                             &second, &fault),
                     STATUS_OK);
    assert_int_equal(db_begin(db), STATUS_OK);
    assert_int_equal(db_begin(second), STATUS_TIMEOUT);
    assert_int_equal(db_commit(db), STATUS_OK);
    assert_int_equal(db_begin(second), STATUS_OK);
    assert_int_equal(db_rollback(second), STATUS_OK);
    db_close(second);
    db_close(db);
}

static void
files_are_private(void **state)
{
    mode_t before = umask(0);
    struct db *db = opened(path, DB_CREATE);
    struct stat info;
    char wal[80];

    umask(before);
    assert_int_equal(db_run(db, "CREATE TABLE t (i)"), STATUS_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    snprintf(wal, sizeof(wal), "%s-wal", path);
    assert_int_equal(stat(wal, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    db_close(db);
}

static void
wrong_places_are_named(void **state)
{
    struct fault fault = { 0 };
    char name[96];

    snprintf(name, sizeof(name), "%s/none/a.db", place);
    assert_int_equal(open_refused(name, DB_CREATE, &fault), STATUS_NOT_FOUND);
    assert_non_null(strstr(fault.text, "/none"));
    assert_int_equal(open_refused(path, DB_WRITE, &fault), STATUS_NOT_FOUND);
    assert_int_equal(open_refused(path, DB_READ, &fault), STATUS_NOT_FOUND);
    assert_int_equal(open_refused(place, DB_READ, &fault), STATUS_INVALID);
    assert_non_null(strstr(fault.text, "regular"));
    snprintf(name, sizeof(name), "%s/a.db", path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_not_equal(open_refused(name, DB_CREATE, &fault), STATUS_NOT_FOUND);
    assert_int_equal(symlink(path, other), 0);
    assert_int_equal(open_refused(other, DB_WRITE, &fault), STATUS_INVALID);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(open_refused(path, DB_WRITE, &fault), STATUS_IO);
    assert_non_null(strstr(fault.text, "0600"));
}

static void
junk_is_no_database(void **state)
{
    struct fault fault = { 0 };
    FILE *file = fopen(path, "w");

    for (int i = 0; i < 1000; i++)
        fputs("this is text\n", file);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(open_refused(path, DB_WRITE, &fault), STATUS_CORRUPT);
    assert_non_null(strstr(fault.text, path));
}

/* As another user, which a test of root has to become. */
static void
a_file_of_another_user_is_refused_with_names(void **state)
{
    struct fault fault = { 0 };
    int result;
    pid_t child;

    if (geteuid() != 0)
        skip();
    db_close(opened(path, DB_CREATE));
    assert_int_equal(chmod(place, 0755), 0);
    child = fork();
    if (child == 0) {
        struct db *db;
        struct db_options how = { .path = path, .mode = DB_WRITE };

        if (setuid(65534) != 0)
            _exit(9);
        if (db_open(&how, &db, &fault) != STATUS_IO || strstr(fault.text, "uid 65534") == NULL)
            _exit(1);
        how.path = other;
        how.mode = DB_CREATE;
        _exit(db_open(&how, &db, &fault) == STATUS_IO && strstr(fault.text, other) != NULL ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

static void
a_full_disk_is_full_and_passes(void **state)
{
    struct db *db = opened(path, DB_CREATE);
    struct fault fault = { 0 };
    struct rlimit before, small;
    enum status status = STATUS_OK;
    int64_t rows;

    assert_int_equal(db_run(db, "CREATE TABLE t (b BLOB)"), STATUS_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 200000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 200 && status == STATUS_OK; i++)
        status = db_run(db, "INSERT INTO t VALUES (randomblob(10000))");
    db_fault(db, &fault, status, "writing");
    rows = number(db, "SELECT count(*) FROM t");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STATUS_FULL);
    assert_non_null(strstr(fault.text, "no space left"));
    assert_int_equal(db_run(db, "INSERT INTO t VALUES (randomblob(10000))"), STATUS_OK);
    assert_int_equal(number(db, "SELECT count(*) FROM t"), rows + 1);
    assert_int_equal(db_check(db, &fault), STATUS_OK);
    db_close(db);
}

static void
a_damaged_page_is_found(void **state)
{
    struct db *db = opened(path, DB_CREATE);
    struct fault fault = { 0 };
    char junk[4096];
    int file;

    assert_int_equal(db_run(db, "CREATE TABLE t (b BLOB)"), STATUS_OK);
    for (int i = 0; i < 50; i++)
        assert_int_equal(db_run(db, "INSERT INTO t VALUES (randomblob(2000))"), STATUS_OK);
    db_close(db);
    file = open(path, O_WRONLY);
    memset(junk, 0xa5, sizeof(junk));
    assert_int_equal(pwrite(file, junk, sizeof(junk), 4096), (ssize_t)sizeof(junk));
    close(file);
    db = opened(path, DB_WRITE);
    assert_int_equal(db_check(db, &fault), STATUS_CORRUPT);
    assert_int_equal(db_run(db, "SELECT sum(length(b)) FROM t"), STATUS_CORRUPT);
    assert_int_equal(db_backup(path, other, &fault), STATUS_CORRUPT);
    assert_int_not_equal(access(other, F_OK), 0);
    db_close(db);
}

static volatile int copying;

static void *
writes_on(void *argument)
{
    struct db *db = opened(path, DB_WRITE);

    for (int i = 0; copying && i < 10000; i++)
        if (db_run(db, "BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (-1); COMMIT") !=
            STATUS_OK)
            abort();
    db_close(db);
    return NULL;
}

static void
a_copy_is_a_snapshot_while_others_write(void **state)
{
    struct db *db = opened(path, DB_CREATE);
    struct fault fault = { 0 };
    struct stat info;
    pthread_t writer;
    char name[80];

    assert_int_equal(db_run(db, "CREATE TABLE t (i INTEGER)"), STATUS_OK);
    copying = 1;
    assert_int_equal(pthread_create(&writer, NULL, writes_on, NULL), 0);
    for (int i = 0; i < 5; i++) {
        struct db *copy;

        snprintf(name, sizeof(name), "%s/copy%d.db", place, i);
        if (db_backup(path, name, &fault) != STATUS_OK)
            fail_msg("%s", fault.text);
        copy = opened(name, DB_READ);
        assert_int_equal(number(copy, "SELECT coalesce(sum(i), 0) FROM t"), 0);
        db_close(copy);
        assert_int_equal(stat(name, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
    }
    copying = 0;
    pthread_join(writer, NULL);
    assert_int_equal(db_backup(path, name, &fault), STATUS_CONFLICT);
    assert_non_null(strstr(fault.text, name));
    snprintf(name, sizeof(name), "%s/none/copy.db", place);
    assert_int_equal(db_backup(path, name, &fault), STATUS_NOT_FOUND);
    db_close(db);
}

static void
a_copy_on_a_full_disk_leaves_nothing(void **state)
{
    struct db *db = opened(path, DB_CREATE);
    struct fault fault = { 0 };
    struct rlimit before, small;
    enum status status;
    char command[128];

    assert_int_equal(
        db_run(db, "CREATE TABLE t (b BLOB); INSERT INTO t VALUES (randomblob(500000))"),
        STATUS_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    status = db_backup(path, other, &fault);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STATUS_FULL);
    snprintf(command, sizeof(command), "ls %s | grep -q '^b.db'", place);
    assert_int_not_equal(system(command), 0);
    assert_int_equal(db_backup(path, other, &fault), STATUS_OK);
    db_close(db);
}

int
main(void)
{
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_clear)
    const struct CMUnitTest tests[] = {
        WITH_PLACE(values_go_in_and_out),
        WITH_PLACE(a_wrong_bind_is_told_by_the_step),
        WITH_PLACE(a_rolled_back_change_is_gone),
        WITH_PLACE(a_locked_file_times_out),
        WITH_PLACE(files_are_private),
        WITH_PLACE(wrong_places_are_named),
        WITH_PLACE(junk_is_no_database),
        WITH_PLACE(a_file_of_another_user_is_refused_with_names),
        WITH_PLACE(a_full_disk_is_full_and_passes),
        WITH_PLACE(a_damaged_page_is_found),
        WITH_PLACE(a_copy_is_a_snapshot_while_others_write),
        WITH_PLACE(a_copy_on_a_full_disk_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

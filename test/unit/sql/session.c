/* What a session keeps of its statements: names of prepared ones and cursors, and the path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "sql/sql.h"

struct fixture {
    struct arena arena;
    struct slice schemas[1];
    struct sql_names names;
    struct sql_script script;
    struct sql_fault fault;
};

static void
fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){ .schemas = { SLICE_LITERAL("public") } };
    fixture->names = (struct sql_names){ .schemas = fixture->schemas,
                                         .schema_count = 1,
                                         .user = SLICE_LITERAL("writ"),
                                         .database = SLICE_LITERAL("shop") };
    arena_init(&fixture->arena, 4 << 20);
}

static int
setup(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));

    if (fixture == NULL)
        return -1;
    fixture_init(fixture);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *fixture = *state;

    arena_free(&fixture->arena);
    free(fixture);
    return 0;
}

static enum sql_result
read_slice(struct fixture *fixture, struct slice text)
{
    arena_reset(&fixture->arena);
    return sql_read(text, &fixture->names, &fixture->arena, &fixture->script, &fixture->fault);
}

/* The one statement of the text. */
static const struct sql_statement *
read_one(struct fixture *fixture, const char *text)
{
    assert_int_equal(read_slice(fixture, slice_text(text)), SQL_OK);
    assert_int_equal(fixture->script.count, 1);
    return &fixture->script.statements[0];
}

static void
assert_refused(struct fixture *fixture, struct slice text, const char *sqlstate)
{
    assert_int_equal(read_slice(fixture, text), SQL_REFUSED);
    assert_string_equal(fixture->fault.sqlstate, sqlstate);
    assert_true(fixture->fault.message.size > 0);
}

static void
assert_slice(struct slice s, const char *text)
{
    if (!slice_is(s, text))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_PRINT(s), text);
}

static void
kinds_and_names(void **state)
{
    static const struct {
        const char *text;
        enum sql_kind kind;
        const char *name;
    } rows[] = {
        { "SELECT 1", SQL_SELECT, "" },
        { "PREPARE \"P q\" AS SELECT 1", SQL_PREPARE, "P q" },
        { "EXECUTE p(1)", SQL_EXECUTE, "p" },
        { "EXPLAIN ANALYZE EXECUTE p", SQL_EXECUTE, "p" },
        { "CREATE TABLE t AS EXECUTE p", SQL_EXECUTE, "p" },
        { "DEALLOCATE p", SQL_DEALLOCATE, "p" },
        { "DEALLOCATE PREPARE ALL", SQL_DEALLOCATE_ALL, "" },
        { "DECLARE c CURSOR FOR SELECT 1", SQL_DECLARE, "c" },
        { "FETCH ALL FROM c", SQL_FETCH, "c" },
        { "MOVE NEXT IN c", SQL_FETCH, "c" },
        { "CLOSE ALL", SQL_CLOSE, "" },
        { "BEGIN", SQL_TRANSACTION, "" },
        { "DISCARD ALL", SQL_DISCARD_ALL, "" },
        { "DISCARD TEMP", SQL_DISCARD, "" },
        { "RESET ALL", SQL_RESET_PATH, "" },
        { "SET search_path TO DEFAULT", SQL_RESET_PATH, "" },
        { "SET application_name = 'x'", SQL_SET, "" },
        { "COPY t FROM STDIN", SQL_COPY_IN, "" },
        { "COPY t TO STDOUT", SQL_COPY_OUT, "" },
        { "COPY (SELECT 1) TO STDOUT", SQL_COPY_OUT, "" },
        { "COPY t TO '/x'", SQL_COPY_FILE, "" },
        { "COPY t FROM PROGRAM 'x'", SQL_COPY_FILE, "" },
        { "EXPLAIN SELECT 1", SQL_EXPLAIN, "" },
        { "DO ''", SQL_DO, "" },
        { "WITH x AS (SELECT 1) DELETE FROM t", SQL_DELETE, "" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct sql_statement *statement = read_one(*state, rows[i].text);

        if (statement->kind != rows[i].kind || !slice_is(statement->name, rows[i].name))
            fail_msg("%s", rows[i].text);
    }
}

static void
paths(void **state)
{
    static const struct {
        const char *text, *path;
        bool local;
    } rows[] = {
        { "SET search_path = a, \"B c\"", "a|B c|", false },
        { "SET LOCAL search_path TO 'a'", "a|", true },
        { "SET search_path = 'a, b'", "a, b|", false },
        { "SET search_path = ''", "", false },
        { "SET SCHEMA 'a'", "a|", false },
        { "SET search_path = \"$user\", public", "writ|public|", false },
        /* Perhaps it does not happen, and then the old one stays: never certain. */
        { "SELECT set_config('search_path', 'a, \"B\",C', false)", "a|B|c|", true },
        { "SELECT pg_catalog.set_config('search_path', '', false)", "", true },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct sql_statement *statement = read_one(*state, rows[i].text);
        struct buffer path = { 0 };

        for (size_t n = 0; n < statement->path_count; n++) {
            put_slice(&path, statement->path[n]);
            put_u8(&path, '|');
        }
        if (statement->kind != SQL_SET_PATH || statement->local != rows[i].local ||
            !slice_is(buffer_slice(&path), rows[i].path))
            fail_msg("%s", rows[i].text);
        buffer_free(&path);
    }
}

/* The server would cut it to another name. */
static void
long_schemas_are_refused(void **state)
{
    char text[160];

    memset(text, 0, sizeof(text));
    memcpy(text, "SET search_path = '", 19);
    memset(text + 19, 'a', 64);
    text[19 + 64] = '\'';
    assert_refused(*state, slice_text(text), "42622");
    text[19 + 63] = '\'';
    text[19 + 64] = ' ';
    assert_int_equal(read_one(*state, text)->path_count, 1);
}

/* "$user" is another when the role is. */
static void
roles_move_the_path(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(read_one(fixture, "SET ROLE admin")->kind, SQL_SET);
    fixture->schemas[0] = SLICE_LITERAL("writ");
    const struct sql_statement *statement = read_one(fixture, "SET ROLE admin");
    assert_int_equal(statement->kind, SQL_SET_PATH);
    assert_true(statement->local);
    assert_slice(statement->path[0], "admin");
    assert_refused(fixture, SLICE_LITERAL("SELECT set_config('role', 'admin', false)"), "0A000");
}

/* As a log-in would give it. */
static void
settings(void **state)
{
    static const struct {
        const char *text, *name, *value; /* value NULL: none */
    } rows[] = {
        { "SET timezone = 'UTC'", "timezone", "UTC" },
        { "SET TIME ZONE 'UTC'", "timezone", "UTC" },
        { "SET TIME ZONE INTERVAL '1' HOUR TO MINUTE", "timezone", NULL },
        { "SET \"TimeZone\" TO Europe", "timezone", "europe" },
        { "SET extra_float_digits = 3", "extra_float_digits", "3" },
        { "SET extra_float_digits = -3", "extra_float_digits", "-3" },
        { "SET geqo_selection_bias = 1.5", "geqo_selection_bias", "1.5" },
        { "SET datestyle = ISO, DMY", "datestyle", "iso, dmy" },
        { "SET search_path = app, \"B \"\"c\"", "search_path", "\"app\", \"B \"\"c\"" },
        { "SET search_path = ''", "search_path", "\"\"" },
        { "SET NAMES 'UTF8'", "client_encoding", "UTF8" },
        { "SET application_name TO DEFAULT", "application_name", NULL },
        { "RESET application_name", "application_name", NULL },
        { "SET LOCAL timezone = 'UTC'", "", NULL },
        { "RESET ALL", "", NULL },
        { "SELECT set_config('timezone', 'UTC', false)", "", NULL },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct sql_statement *statement = read_one(*state, rows[i].text);
        bool same = rows[i].value == NULL
                        ? statement->value.at == NULL
                        : statement->value.at != NULL && slice_is(statement->value, rows[i].value);

        if (!same || !slice_is(statement->setting, rows[i].name))
            fail_msg("%s: %.*s = %.*s", rows[i].text, SLICE_PRINT(statement->setting),
                     SLICE_PRINT(statement->value));
    }
}

/* What is meant to outlive its transaction, beside the form that does not. */
static void
what_lasts(void **state)
{
    static const struct {
        const char *text;
        bool lasts;
    } rows[] = {
        { "SET timezone = 'UTC'", true },
        { "SET LOCAL timezone = 'UTC'", false },
        { "SET SESSION timezone = 'UTC'", true },
        { "SET TIME ZONE 'UTC'", true },
        { "SET LOCAL TIME ZONE 'UTC'", false },
        { "SET search_path = app", true },
        { "SET LOCAL search_path = app", false },
        { "SET ROLE admin", true },
        { "SET LOCAL ROLE admin", false },
        { "SET SESSION AUTHORIZATION admin", true },
        { "SET LOCAL SESSION AUTHORIZATION admin", false },
        { "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", true },
        { "SET TRANSACTION READ ONLY", false },
        { "SET CONSTRAINTS ALL DEFERRED", false },
        { "SET seed = 0.5", true },
        { "SET LOCAL seed = 0.5", true },
        { "RESET timezone", false },
        { "RESET ALL", false },
        { "DISCARD ALL", false },
        { "SELECT set_config('timezone', 'UTC', false)", true },
        { "SELECT set_config('timezone', 'UTC', true)", false },
        { "SELECT set_config('timezone', 'UTC', NULL)", true },
        { "SELECT set_config('timezone', 'UTC', $1)", true },
        { "SELECT set_config('timezone', 'UTC', 't')", true },
        { "SELECT set_config('timezone', 'UTC', true AND false)", true },
        { "SELECT 1, (SELECT set_config('search_path', 'app', false))", true },
        { "SELECT set_config('seed', '0.5', true)", true },
        { "SELECT setseed(0.5)", true },
        { "SELECT app.setseed(0.5)", false },
        { "SELECT (0.5::float8).setseed", true },
        { "SELECT random()", false },
        { "LISTEN news", true },
        { "UNLISTEN *", false },
        { "NOTIFY news", false },
        { "CREATE TEMP TABLE t (id int)", true },
        { "CREATE TEMP TABLE t (id int) ON COMMIT DELETE ROWS", true },
        { "CREATE TEMP TABLE t (id int) ON COMMIT DROP", false },
        { "CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1", false },
        { "CREATE TEMP TABLE t AS SELECT 1", true },
        { "SELECT 1 INTO TEMP t", true },
        { "SELECT 1 INTO t", false },
        { "CREATE TABLE pg_temp.t (id int)", true },
        { "CREATE TABLE pg_temp_3.t (id int)", true },
        { "CREATE TEMP VIEW v AS SELECT 1", true },
        { "CREATE TEMP SEQUENCE s", true },
        { "CREATE TYPE pg_temp.t AS ENUM ('a')", true },
        { "CREATE TYPE pg_temp.t AS (a int)", true },
        { "CREATE DOMAIN pg_temp.d AS int", true },
        { "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", true },
        { "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", false },
        { "DROP TABLE pg_temp.t", false },
        { "DECLARE c CURSOR WITH HOLD FOR SELECT 1", true },
        { "DECLARE c CURSOR FOR SELECT 1", false },
        { "DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", false },
        { "PREPARE p AS SELECT 1", true },
        { "EXECUTE p", true },
        { "EXPLAIN EXECUTE p", true },
        { "DEALLOCATE p", true },
        { "DEALLOCATE ALL", false },
        { "LOAD 'x'", true },
        { "SELECT pg_advisory_lock(1)", true },
        { "SELECT pg_catalog.pg_try_advisory_lock_shared(1, 2)", true },
        { "SELECT (1::bigint).pg_advisory_lock", true },
        { "SELECT * FROM pg_advisory_lock(1)", true },
        { "SELECT pg_advisory_xact_lock(1)", false },
        { "SELECT app.dblink_connect('x', 'host=y')", true },
        { "WITH x AS (SELECT pg_advisory_lock(1)) DELETE FROM t", true },
        { "EXPLAIN ANALYZE SELECT pg_advisory_lock(1)", true },
        { "CREATE TABLE t (id int DEFAULT pg_advisory_lock(1))", true },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if ((read_one(*state, rows[i].text)->lasting != NULL) != rows[i].lasts)
            fail_msg("%s", rows[i].text);
    }
}

static void
traces(void **state)
{
    static const struct {
        const char *text;
        enum sql_trace trace;
    } rows[] = {
        { "SELECT id, lower(item) FROM orders", SQL_TRACE_NONE },
        { "BEGIN", SQL_TRACE_NONE },
        { "SET LOCAL timezone = 'UTC'", SQL_TRACE_NONE },
        { "LOCK TABLE orders", SQL_TRACE_NONE },
        { "COPY orders TO STDOUT", SQL_TRACE_NONE },
        { "COPY orders FROM STDIN", SQL_TRACE_ROWS },
        { "INSERT INTO orders VALUES (1)", SQL_TRACE_ROWS },
        { "WITH x AS (DELETE FROM orders RETURNING id) SELECT id FROM x", SQL_TRACE_ROWS },
        { "EXPLAIN ANALYZE UPDATE orders SET id = 1", SQL_TRACE_ROWS },
        { "TRUNCATE orders", SQL_TRACE_ROWS },
        { "SELECT mine(1)", SQL_TRACE_SESSION },
        { "SELECT nextval('s')", SQL_TRACE_SESSION },
        { "INSERT INTO orders VALUES (mine(1))", SQL_TRACE_SESSION },
        { "DECLARE c CURSOR FOR SELECT mine(1)", SQL_TRACE_SESSION },
        { "CALL tidy()", SQL_TRACE_SESSION },
        { "CREATE TABLE t (id int)", SQL_TRACE_SESSION },
        { "RESET timezone", SQL_TRACE_SESSION },
        { "RESET ALL", SQL_TRACE_SESSION },
        { "UNLISTEN *", SQL_TRACE_SESSION },
        { "DISCARD TEMP", SQL_TRACE_SESSION },
        { "SELECT pg_unknown(1)", SQL_TRACE_ANY },
        { "SELECT lo_import('/x')", SQL_TRACE_ANY },
        { "SELECT dblink('host=x', 'SELECT 1')", SQL_TRACE_ANY },
        { "DO ''", SQL_TRACE_ANY },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (read_one(*state, rows[i].text)->trace != rows[i].trace)
            fail_msg("%s", rows[i].text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_and_names),
        cmocka_unit_test(paths),
        cmocka_unit_test(long_schemas_are_refused),
        cmocka_unit_test(roles_move_the_path),
        cmocka_unit_test(settings),
        cmocka_unit_test(what_lasts),
        cmocka_unit_test(traces),
    };

    return cmocka_run_group_tests_name("sql/session", tests, setup, teardown);
}

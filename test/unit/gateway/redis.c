/* Redis: commands and the triples they are, and the ends of replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "redis/classify.h"
#include "redis/wire.h"

/* command words (_: an empty one, @: a NUL); its triples, or "!" and the reason's beginning; what
 * the audit shows. */
static const struct {
    const char *words, *touches, *statement;
} rows[] = {
    { "GET a", "get:a", "GET a" },
    { "get a:b", "get:a:b", "get a:b" },
    { "SET a secret", "set:a", "SET a ?" },
    { "MSET a 1 b 2", "mset:a mset:b", "MSET a ? b ?" },
    { "MSET a 1 b", "mset:a mset:b", "MSET a ? b" },
    { "GET", "!wrong number", NULL },
    { "GET a b", "!wrong number", NULL },
    { "GET a*b", "get:a%2Ab", "GET a%2Ab" },
    { "PING", "", "PING" },
    { "FLUSHALL", "flushall:-", "FLUSHALL" },
    { "CONFIG GET dir", "config.get:-", "CONFIG GET ?" },
    { "CONFIG", "!unknown", NULL },
    { "CONFIG NOPE", "!unknown", NULL },
    { "config.get x", "!unknown", NULL },
    { "NOPE", "!unknown", NULL },
    { "OBJECT ENCODING a", "object.encoding:a", "OBJECT ENCODING a" },
    { "XGROUP CREATE s g 0", "xgroup.create:s", "XGROUP CREATE s ? ?" },
    { "EVAL body 2 a b c", "eval:a eval:b", "EVAL ? ? a b ?" },
    { "EVAL body 0", "eval:-", "EVAL ? ?" },
    { "EVAL body 3 a b", "!the keys", NULL },
    { "EVAL body -1 a", "!the keys", NULL },
    { "ZUNIONSTORE d 2 a b", "zunionstore:d zunionstore:a zunionstore:b", "ZUNIONSTORE d ? a b" },
    { "ZINTER 2 a b WITHSCORES", "zinter:a zinter:b", "ZINTER ? a b ?" },
    { "BLMPOP 0 1 a LEFT", "blmpop:a", "BLMPOP ? ? a ?" },
    { "BLPOP a b 0", "blpop:a blpop:b", "BLPOP a b ?" },
    { "XREAD COUNT 2 STREAMS a b 0 0", "xread:a xread:b", "XREAD ? ? ? a b ? ?" },
    { "XREADGROUP GROUP streams streams STREAMS a >", "xreadgroup:a", "XREADGROUP ? ? ? ? a ?" },
    { "XREAD STREAMS a b 0", "!the keys", NULL },
    { "SORT a BY nosort GET # STORE d", "sort:a sort:d", "SORT a ? ? ? ? ? d" },
    { "SORT a BY w_*", "!SORT with BY", NULL },
    { "SORT_RO a GET *", "!SORT with BY", NULL },
    { "SORT a LIMIT 0 1 DESC ALPHA", "sort:a", "SORT a ? ? ? ? ?" },
    { "GEORADIUS g 0 0 1 m STORE d", "georadius:g georadius:d", "GEORADIUS g ? ? ? ? ? d" },
    { "MIGRATE h 1 a 0 5", "migrate:a", "MIGRATE ? ? a ? ?" },
    { "MIGRATE h 1 a 0 5 COPY REPLACE AUTH keys", "migrate:a", NULL },
    { "MIGRATE h 1 _ 0 5 COPY AUTH2 u p KEYS a b", "migrate:a migrate:b", NULL },
    { "MIGRATE h 1 _ 0 5 COPY KEYS@ secret KEYS a", "migrate:secret migrate:KEYS migrate:a", NULL },
    { "MIGRATE h 1 _ 0 5 AUTH@x KEYS keys b", "migrate:b", NULL },
    { "MIGRATE h 1 _ 0 5 NOPE KEYS a", "!the keys", NULL },
    { "MIGRATE h 1 a 0 5 KEYS b", "!the keys", NULL },
    { "MIGRATE h 1 a 0 5 KEYS@ b", "!the keys", NULL },
    { "MIGRATE h 1 _ 0 5 AUTH", "!the keys", NULL },
    { "GEORADIUS g 0 0 1 m STORE@ d", "georadius:g georadius:d", NULL },
    { "GEORADIUSBYMEMBER g m 1 km storedist@x d", "georadiusbymember:g georadiusbymember:d", NULL },
    { "SORT a STORE@ d", "sort:a sort:d", NULL },
    { "SORT a GET@ w_*", "!SORT with BY", NULL },
    { "XREAD STREAMS@ a 0", "xread:a", NULL },
    { "COPY a b", "copy:a copy:b", "COPY a b" },
    { "COPY a b REPLACE", "copy:a copy:b", NULL },
    { "COPY a b DB 5 REPLACE", "copy:a copy:b select:5", "COPY a b ? ? ?" },
    { "COPY a b DB@ 5", "copy:a copy:b select:5", NULL },
    { "COPY a b DB 5 DB 6", "!the keys", NULL },
    { "COPY a b DB", "!the keys", NULL },
    { "MOVE a 6", "move:a select:6", "MOVE a ?" },
    { "SUBSCRIBE x y", "subscribe:x subscribe:y", "SUBSCRIBE x y" },
    { "PSUBSCRIBE n.*", "psubscribe:n.%2A", "PSUBSCRIBE n.%2A" },
    { "PSUBSCRIBE n.[a-z] n.[^]] n.[\\]] n\\[",
      "psubscribe:n.%3F psubscribe:n.%3F%5D "
      "psubscribe:n.%3F psubscribe:n%5C%5B",
      NULL },
    { "PSUBSCRIBE t.*[^.e.]*.x", "psubscribe:t.%2A%3F%2A.x", NULL },
    { "PSUBSCRIBE a[x-]]b[\\]-z]c[]d", "psubscribe:a%3Fb%3Fc%3Fd", NULL },
    { "PSUBSCRIBE n.*[^.x", "!a pattern with an open", NULL },
    { "PSUBSCRIBE n n[a-]", "!a pattern with an open", NULL },
    { "PSUBSCRIBE n[\\].x", "!a pattern with an open", NULL },
    { "PSUBSCRIBE n.x\\", "!a pattern with an open", NULL },
    { "SUBSCRIBE n[", "subscribe:n%5B", NULL },
    { "PUBLISH x secret", "publish:x", "PUBLISH x ?" },
    { "SELECT 1", "select:1", "SELECT 1" },
    { "RESET", "!this command does not", NULL },
    { "CLIENT REPLY OFF", "!this command does not", NULL },
    { "SYNC", "!this command does not", NULL },
};

static size_t
split(struct slice text, struct slice *out)
{
    size_t count = 0;

    while (slice_next(&text, ' ', &out[count])) {
        if (slice_is(out[count], "_"))
            out[count] = SLICE_LITERAL("");
        count++;
    }
    return count;
}

static struct slice
with_nuls(const char *words, struct arena *arena)
{
    size_t size = strlen(words);
    char *text = arena_take(arena, size + 1);

    for (size_t i = 0; i < size; i++)
        text[i] = words[i] == '@' ? '\0' : words[i];
    return slice_of(text, size);
}

static void
put_touches(struct buffer *out, const struct redis_ask *ask)
{
    for (size_t i = 0; i < ask->errand.count; i++)
        put_format(out, "%s%.*s:%.*s", i > 0 ? " " : "", SLICE_PRINT(ask->errand.touches[i].action),
                   SLICE_PRINT(ask->errand.touches[i].object));
}

static void
commands_are_their_keys(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice arguments[16], why = { 0 };
        struct redis_ask ask;
        struct buffer found = { 0 };
        struct arena arena;

        arena_init(&arena, 1 << 20);
        size_t count = split(with_nuls(rows[i].words, &arena), arguments);
        if (redis_classify(arguments, count, &arena, &ask, &why)) {
            put_touches(&found, &ask);
            if (rows[i].statement != NULL && !slice_is(ask.errand.statement, rows[i].statement))
                fail_msg("%s: %.*s", rows[i].words, SLICE_PRINT(ask.errand.statement));
        } else {
            put_format(&found, "!%.*s", SLICE_PRINT(why));
        }
        struct slice wanted = slice_text(rows[i].touches), got = buffer_slice(&found);
        bool refused = wanted.size > 0 && wanted.at[0] == '!';
        if (!(refused ? slice_starts(got, wanted) : slice_equal(got, wanted)))
            fail_msg("%s: %.*s", rows[i].words, SLICE_PRINT(got));
        buffer_free(&found);
        arena_free(&arena);
    }
}

static void
keys_with_blanks_and_none(void **state)
{
    const struct slice blank[] = { SLICE_LITERAL("GET"), SLICE_LITERAL("a b\"\\") };
    const struct slice none[] = { SLICE_LITERAL("GET"), SLICE_LITERAL("") };
    struct redis_ask ask;
    struct slice why;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    assert_true(redis_classify(blank, 2, &arena, &ask, &why));
    assert_true(slice_is(ask.errand.touches[0].object, "a%20b%22%5C"));
    assert_false(redis_classify(none, 2, &arena, &ask, &why));
    arena_free(&arena);
}

static void
commands_come_in_pieces(void **state)
{
    const struct slice text = SLICE_LITERAL("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n");
    struct resp_reader reader = { 0 };
    const char *why;
    size_t used;

    for (size_t size = 0; size < 20; size++)
        assert_int_equal(resp_command_read(&reader, slice_first(text, size), &used, &why),
                         RESP_MORE);
    assert_int_equal(resp_command_read(&reader, text, &used, &why), RESP_OK);
    assert_int_equal(used, 20);
    assert_int_equal(reader.count, 2);
    resp_reader_clear(&reader);
    assert_int_equal(resp_command_read(&reader, slice_from(text, used), &used, &why), RESP_OK);
    resp_reader_free(&reader);
}

/* Nobody knows yet who sends it. */
static void
before_the_log_in_little_is_read(void **state)
{
    static const struct {
        const char *bytes;
        enum resp narrow, wide;
    } starts[] = {
        { "*10\r\n$4\r\n", RESP_MORE, RESP_MORE },
        { "*11\r\n", RESP_MALFORMED, RESP_MORE },
        { "*2\r\n$4\r\nAUTH\r\n$16000\r\n", RESP_MORE, RESP_MORE },
        { "*2\r\n$4\r\nAUTH\r\n$16384\r\n", RESP_MALFORMED, RESP_MORE },
        { "*2\r\n$16000000\r\n", RESP_MALFORMED, RESP_MORE },
    };

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        struct resp_reader narrow = { .narrow = true }, wide = { 0 };
        const char *why;
        size_t used;
        struct slice bytes = slice_text(starts[i].bytes);
        assert_int_equal(resp_command_read(&narrow, bytes, &used, &why), starts[i].narrow);
        assert_int_equal(resp_command_read(&wide, bytes, &used, &why), starts[i].wide);
        resp_reader_free(&narrow);
        resp_reader_free(&wide);
    }
}

static void
what_is_no_command(void **state)
{
    static const char *const bad[] = { "GET k\r\n",
                                       "*0\r\n",
                                       "*-1\r\n",
                                       "*01\r\n",
                                       "*+1\r\n",
                                       "*1\n",
                                       "*65537\r\n",
                                       "*1\r\n:1\r\n",
                                       "*1\r\n$-1\r\n",
                                       "*1\r\n$16777217\r\n",
                                       "*1\r\n$1\r\nab\r\n",
                                       "*99999999999999999999" };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct resp_reader reader = { 0 };
        const char *why = NULL;
        size_t used;
        if (resp_command_read(&reader, slice_text(bad[i]), &used, &why) != RESP_MALFORMED)
            fail_msg("%s", bad[i]);
        assert_non_null(why);
        resp_reader_free(&reader);
    }
}

static void
replies_end_where_they_end(void **state)
{
    static const struct {
        const char *bytes;
        size_t end;
        char type;
        const char *word;
    } replies[] = {
        { "+OK\r\n+next\r\n", 5, '+', "" },
        { "$-1\r\n", 5, '$', "" },
        { "$4\r\na\r\nb\r\n:1\r\n", 10, '$', "a\r\nb" },
        { "*0\r\n", 4, '*', "" },
        { "*2\r\n*1\r\n:1\r\n$7\r\nmessage\r\n+x\r\n", 25, '*', "message" },
        { "%1\r\n+a\r\n*1\r\n_\r\n", 15, '%', "" },
        { "|1\r\n+a\r\n+b\r\n:5\r\n", 16, ':', "" },
        { ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:7\r\n", 30, '>', "subscribe" },
        { "=5\r\ntxt:x\r\n", 11, '=', "txt:x" },
        /* A message within EXEC's answer is none of its elements. */
        { "*2\r\n>2\r\n+message\r\n+y\r\n:1\r\n:2\r\n+x\r\n", 30, '*', "" },
        { "*1\r\n>1\r\n*1\r\n:1\r\n:1\r\n+x\r\n", 20, '*', "" },
    };

    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        struct resp_skimmer skimmer = { 0 };
        size_t used = 0;
        if (resp_skim(&skimmer, slice_text(replies[i].bytes), &used) != SKIM_REPLY ||
            used != replies[i].end || skimmer.type != replies[i].type)
            fail_msg("%s: %zu %c", replies[i].bytes, used, skimmer.type);
        if (replies[i].word[0] != '\0')
            assert_true(slice_is(slice_of(skimmer.word, skimmer.word_size), replies[i].word));
        assert_true(resp_skim_at_rest(&skimmer));
    }
    static const char *const bad[] = { "?\r\n", "*?\r\n", "$x\r\n", "\r\n", "*99999999999\r\n" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct resp_skimmer skimmer = { 0 };
        size_t used;
        assert_int_equal(resp_skim(&skimmer, slice_text(bad[i]), &used), SKIM_MALFORMED);
    }
}

/* Whether it is passed on depends on what it is: pieces of a line must be too. */
static void
what_it_is_is_known_at_once(void **state)
{
    struct resp_skimmer skimmer = { 0 };
    size_t used;

    assert_int_equal(resp_skim(&skimmer, SLICE_LITERAL(">"), &used), SKIM_MORE);
    assert_int_equal(skimmer.type, '>');
    assert_int_equal(resp_skim(&skimmer, SLICE_LITERAL("1\r\n+x\r\n"), &used), SKIM_REPLY);
    assert_int_equal(resp_skim(&skimmer, SLICE_LITERAL("+"), &used), SKIM_MORE);
    assert_int_equal(skimmer.type, '+');
    assert_int_equal(resp_skim(&skimmer, SLICE_LITERAL("OK\r\n"), &used), SKIM_REPLY);
}

static void
too_deep_is_told_from_wrong(void **state)
{
    struct resp_skimmer deep = { 0 }, wrong = { 0 };
    enum skim skim = SKIM_MORE;
    unsigned levels = 0;
    size_t used;

    for (; skim == SKIM_MORE && levels < 100; levels++)
        skim = resp_skim(&deep, SLICE_LITERAL("*1\r\n"), &used);
    assert_int_equal(skim, SKIM_MALFORMED);
    assert_int_equal(levels, RESP_DEPTH_MAX + 1);
    assert_true(deep.deep);
    assert_int_equal(resp_skim(&wrong, SLICE_LITERAL("*x\r\n"), &used), SKIM_MALFORMED);
    assert_false(wrong.deep);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_their_keys),
        cmocka_unit_test(keys_with_blanks_and_none),
        cmocka_unit_test(commands_come_in_pieces),
        cmocka_unit_test(what_is_no_command),
        cmocka_unit_test(replies_end_where_they_end),
        cmocka_unit_test(before_the_log_in_little_is_read),
        cmocka_unit_test(what_it_is_is_known_at_once),
        cmocka_unit_test(too_deep_is_told_from_wrong),
    };

    return cmocka_run_group_tests_name("gateway/redis", tests, NULL, NULL);
}

/* test/unit/policy/facts.c - what a right allows of a request that says more of itself than
 * the triple. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "condition.h"

/* "name=text"; '!' before it: guarded; "name#12", "name+", "name-": a number, true, false. */
static struct fact
fact_of(const char *text)
{
    struct fact fact = { .guarded = text[0] == '!' };
    struct slice all = slice_text(text + fact.guarded);
    size_t end = strcspn(all.at, "=#+-");

    fact.name = slice_first(all, end);
    fact.text = slice_from(all, end + 1);
    fact.kind = all.at[end] == '='   ? FACT_TEXT
                : all.at[end] == '#' ? FACT_NUMBER
                : all.at[end] == '+' ? FACT_TRUE
                                     : FACT_FALSE;
    return fact;
}

static enum condition_answer
ask(const char *when, bool deny, const char *const *texts, const char **failed)
{
    struct condition *condition;
    struct fact facts[8];
    struct request request = { .facts = facts, .facts_known = true };
    struct fault fault = { 0 };
    json_t *json = json_loads(when, 0, NULL);

    assert_non_null(json);
    if (condition_read(json, "/when", deny, &condition, &fault) != STATUS_OK)
        fail_msg("%s: %s", when, fault.text);
    for (; texts[request.fact_count] != NULL; request.fact_count++)
        facts[request.fact_count] = fact_of(texts[request.fact_count]);
    enum condition_answer answer = condition_ask(condition, &request, 0, failed);
    condition_free(condition);
    json_decref(json);
    return answer;
}

static void
allows(void **state)
{
    static const struct {
        const char *when, *facts[6], *failed; /* NULL: it holds */
    } rows[] = {
        { "{\"image\":[\"docker.io/library/*:*\"]}", { "image=docker.io/library/nginx:1" }, NULL },
        { "{\"image\":[\"docker.io/library/*:*\"]}", { "image=evil.example/nginx:1" }, "image" },
        { "{\"image\":[\"docker.io/library/*:*\"]}",
          { "image=docker.io/library/a:1", "image=x/y:1" },
          "image" },
        { "{\"image\":[\"**\"]}", { "image=a", "!privileged=true" }, "privileged" },
        { "{\"privileged\":\"allowed\"}", { "!privileged=true" }, NULL },
        { "{\"privileged\":\"never\"}", { "!privileged=true" }, "privileged" },
        { "{\"privileged\":\"never\"}", { "image=a" }, NULL },
        { "{\"mounts\":[\"/srv/**:ro\"]}", { "!mount=/srv/a/b:ro" }, NULL },
        { "{\"mounts\":[\"/srv/**:ro\"]}", { "!mount=/srv/a:rw" }, "mounts" },
        { "{\"mounts\":[\"/srv/**\"]}", { "!mount=/srv/a:rw" }, "mounts" },
        { "{\"mounts\":[\"/srv/**:rw\"]}", { "!mount=/srv/a:ro" }, NULL },
        { "{\"mounts\":[\"/srv/**:rw\"]}", { "!mount=/etc:ro" }, "mounts" },
        { "{\"mounts\":[\"/srv/*:rw\"]}", { "!mount=/srv/a/b:ro" }, "mounts" },
        { "{\"mounts\":[\"/srv/**:rw\"]}",
          { "!mount=/srv/a:ro", "!capability=NET_ADMIN" },
          "capabilities" },
        { "{\"capabilities\":[\"NET_*\"]}", { "!capability=NET_ADMIN" }, NULL },
        { "{\"capabilities\":[\"NET_*\"]}", { "!capability=SYS_ADMIN" }, "capabilities" },
        { "{\"network\":[\"bridge\",\"app-*\"]}", { "network=app-1" }, NULL },
        { "{\"network\":[\"bridge\"]}", { "!network=host" }, "network" },
        { "{\"pid\":\"allowed\"}", { "!pid=host", "!ipc=host" }, "ipc" },
        { "{\"command\":[\"ls *\",\"cat /srv/*\"]}", { "command=ls -l /" }, NULL },
        { "{\"command\":[\"ls *\"]}", { "command=rm -rf /" }, "command" },
        { "{\"arguments\":{\"repo\":\"acme/*\"}}", { "arguments.repo=acme/x" }, NULL },
        { "{\"arguments\":{\"repo\":\"acme/*\"}}", { "arguments.repo=evil/x" }, "arguments" },
        { "{\"arguments\":{\"repo\":\"acme/*\"}}", { NULL }, "arguments" },
        { "{\"arguments\":{\"repo\":\"*\"}}", { "arguments.repo#5" }, "arguments" },
        { "{\"arguments\":{\"amount\":{\"max\":100,\"min\":0}}}",
          { "arguments.amount#100" },
          NULL },
        { "{\"arguments\":{\"amount\":{\"max\":100}}}",
          { "arguments.amount#100.01" },
          "arguments" },
        { "{\"arguments\":{\"amount\":{\"min\":0}}}", { "arguments.amount#-1" }, "arguments" },
        { "{\"arguments\":{\"amount\":{\"max\":100}}}", { "arguments.amount=5" }, "arguments" },
        { "{\"arguments\":{\"amount\":{\"max\":1e30}}}",
          { "arguments.amount#9007199254740993" },
          "arguments" },
        { "{\"arguments\":{\"dry\":true}}", { "arguments.dry+" }, NULL },
        { "{\"arguments\":{\"dry\":true}}", { "arguments.dry-" }, "arguments" },
        { "{\"arguments\":{\"mode\":[\"a\",\"b\"],\"n\":3}}",
          { "arguments.mode=b", "arguments.n#3" },
          NULL },
        { "{\"arguments\":{\"a.b\":\"x\"}}", { "arguments.a.b=x" }, NULL },
        { "{\"proof\":\"required\"}", { "!privileged=true" }, "privileged" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *failed = "";
        enum condition_answer answer = ask(rows[i].when, false, rows[i].facts, &failed);

        if ((answer == CONDITION_HOLDS) != (rows[i].failed == NULL) ||
            (rows[i].failed != NULL && strcmp(failed, rows[i].failed) != 0))
            fail_msg("%s with %s: %d, %s", rows[i].when,
                     rows[i].facts[0] == NULL ? "" : rows[i].facts[0], answer, failed);
    }
}

static void
denies(void **state)
{
    static const struct {
        const char *when, *facts[6];
        bool applies;
    } rows[] = {
        { "{\"image\":[\"evil/**\"]}", { "image=evil/x" }, true },
        { "{\"image\":[\"evil/**\"]}", { "image=good/x" }, false },
        { "{\"mounts\":[\"/etc/**:rw\"]}", { "!mount=/srv:ro", "!mount=/etc/x:ro" }, true },
        { "{\"arguments\":{\"path\":\"/etc/*\"}}", { "arguments.path=/etc/passwd" }, true },
        { "{\"arguments\":{\"path\":\"/etc/*\"}}", { "arguments.path=/srv" }, false },
        { "{\"arguments\":{\"path\":\"/etc/*\"}}", { NULL }, false },
    };
    const char *failed;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((ask(rows[i].when, true, rows[i].facts, &failed) != CONDITION_FAILS) != rows[i].applies)
            fail_msg("%s with %s", rows[i].when, rows[i].facts[0] == NULL ? "" : rows[i].facts[0]);
    }
}

/* A deny that looks at what nobody has read applies; an allow is not held up by it. */
static void
what_was_not_read(void **state)
{
    struct condition *allow, *deny;
    const struct request unread = { .facts_known = false };
    json_t *json = json_loads("{\"image\":[\"x\"]}", 0, NULL);
    const char *failed;

    assert_int_equal(condition_read(json, "", false, &allow, NULL), STATUS_OK);
    assert_int_equal(condition_read(json, "", true, &deny, NULL), STATUS_OK);
    assert_int_equal(condition_ask(allow, &unread, 0, &failed), CONDITION_HOLDS);
    assert_int_equal(condition_ask(deny, &unread, 0, &failed), CONDITION_UNKNOWN);
    condition_free(allow);
    condition_free(deny);
    json_decref(json);
}

static void
wrong_ones(void **state)
{
    static const struct {
        const char *when;
        bool deny;
    } bad[] = {
        { "{\"image\":[]}", false },
        { "{\"image\":[1]}", false },
        { "{\"image\":\"\"}", false },
        { "{\"privileged\":true}", false },
        { "{\"privileged\":\"never\"}", true },
        { "{\"network\":[\"bridge\",\"10.0.0.0/8\"]}", false },
        { "{\"arguments\":[]}", false },
        { "{\"arguments\":{}}", false },
        { "{\"arguments\":{\"a\":{}}}", false },
        { "{\"arguments\":{\"a\":{\"max\":\"x\"}}}", false },
        { "{\"arguments\":{\"a\":{\"b\":\"x\"}}}", false },
        { "{\"arguments\":{\"a\":null}}", false },
        { "{\"arguments\":{\"\":\"x\"}}", false },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *json = json_loads(bad[i].when, 0, NULL);
        struct condition *condition;
        struct fault fault = { 0 };

        if (condition_read(json, "/when", bad[i].deny, &condition, &fault) != STATUS_INVALID ||
            fault.text[0] == '\0')
            fail_msg("%s", bad[i].when);
        json_decref(json);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allows),
        cmocka_unit_test(denies),
        cmocka_unit_test(what_was_not_read),
        cmocka_unit_test(wrong_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Runs the verdict tables of test/tables: rules and verdicts that a person who
 * does not program can read and extend. http.table explains the lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "policy/decide.h"

static const char *folder;

struct table {
    const char *path;
    unsigned line, verdicts;
    struct names *names;
    struct policy *policy;
    json_t *roles, *subjects; /* until the first verdict */
    json_t *role;             /* being written; borrowed */
    struct request request;   /* what the setting lines set */
    int64_t now;
};

static const char *const refusals[] = {
    [REFUSAL_NONE] = "allow",          [REFUSAL_MISSING] = "missing", [REFUSAL_DENY] = "deny",
    [REFUSAL_CONDITION] = "condition", [REFUSAL_NETWORK] = "network", [REFUSAL_PROOF] = "proof",
    [REFUSAL_ANCESTOR] = "ancestor",   [REFUSAL_LIMIT] = "limit",
};

/* The next word of the line; empty at its end. */
static struct slice
word(struct slice *line)
{
    struct slice out = { 0 };

    *line = slice_trim(*line);
    while (line->size > 0 && !slice_next(line, ' ', &out))
        continue;
    return out;
}

static void
wrong(const struct table *table, const char *why)
{
    fail_msg("%s:%u: %s", table->path, table->line, why);
}

static void
build(struct table *table)
{
    struct policy *empty = policy_new(table->names);
    struct policy_edit *edit = NULL;
    struct fault fault = { 0 };
    const char *name;
    json_t *definition;

    assert_int_equal(policy_edit_begin(empty, &edit), STATUS_OK);
    json_object_foreach(table->roles, name, definition)
    {
        if (policy_edit_role(edit, slice_text(name), definition, &fault) != STATUS_OK)
            wrong(table, fault.text);
    }
    json_object_foreach(table->subjects, name, definition)
    {
        if (policy_edit_subject(edit, slice_text(name), definition, &fault) != STATUS_OK)
            wrong(table, fault.text);
    }
    if (policy_edit_finish(edit, &table->policy, &fault) != STATUS_OK)
        wrong(table, fault.text);
    policy_edit_free(edit);
    policy_free(empty);
}

static void
take_names(struct slice line, json_t *list)
{
    struct slice name;

    while ((name = word(&line)).size > 0)
        json_array_append_new(list, json_slice(name));
}

static void
take_role(struct table *table, struct slice line)
{
    char name[64];
    struct slice text = word(&line);

    snprintf(name, sizeof(name), "%.*s", SLICE_PRINT(text));
    table->role = json_pack("{s:[],s:[],s:[]}", "inherits", "allow", "deny");
    json_object_set_new(table->roles, name, table->role);
    if (slice_is(word(&line), "inherits"))
        take_names(line, json_object_get(table->role, "inherits"));
}

static void
take_rule(struct table *table, const char *list, struct slice line)
{
    struct slice right = word(&line);
    json_t *rule = json_pack("{s:o}", "right", json_slice(right));

    if (slice_is(word(&line), "when")) {
        json_t *when = NULL;

        if (json_read(line, &when, NULL) != STATUS_OK)
            wrong(table, "the condition is no JSON");
        json_object_set_new(rule, "when", when);
    }
    json_array_append_new(json_object_get(table->role, list), rule);
}

static void
take_subject(struct table *table, struct slice line)
{
    char name[64];
    struct slice text = word(&line);
    json_t *subject = json_pack("{s:s,s:[]}", "type", "service", "roles");

    snprintf(name, sizeof(name), "%.*s", SLICE_PRINT(text));
    take_names(line, json_object_get(subject, "roles"));
    json_object_set_new(table->subjects, name, subject);
}

static bool
take_setting(struct table *table, struct slice key, struct slice line)
{
    struct slice value = word(&line);

    if (slice_is(key, "syntax")) {
        table->request.syntax = slice_is(value, "path")  ? OBJECT_PATH
                                : slice_is(value, "sql") ? OBJECT_SQL
                                                         : OBJECT_FLAT;
    } else if (slice_is(key, "from")) {
        table->request.peer = (struct ip){ .family = IP_NONE };
        if (!slice_is(value, "unix") && ip_parse(value, &table->request.peer) != STATUS_OK)
            wrong(table, "that is no address");
    } else if (slice_is(key, "proof")) {
        table->request.proof = slice_is(value, "dpop")   ? PROOF_DPOP
                               : slice_is(value, "none") ? PROOF_NONE
                                                         : PROOF_CERTIFICATE;
    } else if (slice_is(key, "at")) {
        if (time_parse(value, &table->now) != STATUS_OK)
            wrong(table, "that is no time");
    } else if (slice_is(key, "listing")) {
        table->request.listing = slice_is(value, "yes");
    } else {
        return false;
    }
    return true;
}

static void
ask(struct table *table, struct slice subject, struct slice line)
{
    struct slice text = word(&line), verdict = word(&line), right = word(&line);
    const struct decision *decision;
    struct request request;
    struct fault fault = { 0 };
    struct arena arena;

    if (table->policy == NULL)
        build(table);
    if (request_from_right(text, table->request.syntax, &request, &fault) != STATUS_OK)
        wrong(table, fault.text);
    request.listing = table->request.listing;
    request.peer = table->request.peer;
    request.proof = table->request.proof;
    arena_init(&arena, 1 << 16);
    decision = policy_decide_subject(table->policy, names_find(table->names, subject), &request,
                                     table->now, &arena);
    if (!slice_is(verdict, refusals[decision_refusal(decision)]))
        fail_msg("%s:%u: expected %.*s, got %s (%.*s: %.*s)", table->path, table->line,
                 SLICE_PRINT(verdict), refusals[decision_refusal(decision)],
                 SLICE_PRINT(decision_right(decision)), SLICE_PRINT(decision_reason(decision)));
    if (right.size > 0 && !slice_equal(right, decision_right(decision)))
        fail_msg("%s:%u: expected %.*s to decide, it was %.*s", table->path, table->line,
                 SLICE_PRINT(right), SLICE_PRINT(decision_right(decision)));
    assert_int_equal(decision_allows(decision), decision_reason(decision).size == 0);
    arena_free(&arena);
    table->verdicts++;
}

static void
take_line(struct table *table, struct slice line)
{
    struct slice key = word(&line);

    if (key.size == 0 || key.at[0] == '#')
        return;
    if (slice_is(key, "role"))
        take_role(table, line);
    else if (slice_is(key, "allow") || slice_is(key, "deny"))
        take_rule(table, slice_is(key, "allow") ? "allow" : "deny", line);
    else if (slice_is(key, "subject"))
        take_subject(table, line);
    else if (!take_setting(table, key, line))
        ask(table, key, line);
}

static void
run(const char *name)
{
    char path[1024], line[2048];
    struct table table = {
        .path = path, .names = names_new(), .roles = json_object(), .subjects = json_object()
    };
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s can't be opened", path);
    while (fgets(line, sizeof(line), file) != NULL) {
        table.line++;
        line[strcspn(line, "\n")] = '\0';
        take_line(&table, slice_text(line));
    }
    fclose(file);
    assert_true(table.verdicts > 0);
    policy_free(table.policy);
    json_decref(table.roles);
    json_decref(table.subjects);
    names_free(table.names);
}

static void
test_http(void **unused)
{
    run("http.table");
}

static void
test_sql(void **unused)
{
    run("sql.table");
}

static void
test_flat(void **unused)
{
    run("flat.table");
}

static void
test_time(void **unused)
{
    run("time.table");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_sql),
        cmocka_unit_test(test_flat),
        cmocka_unit_test(test_time),
    };

    folder = argc > 1 ? argv[1] : "test/tables";
    return cmocka_run_group_tests_name("policy/tables", tests, NULL, NULL);
}

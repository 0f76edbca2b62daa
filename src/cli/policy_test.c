/* cli/policy_test.c - `writ policy test`: a table of verdicts, for CI.
 *
 *   policy: [policy.yaml]            # judged offline; without it the running authority is asked
 *   tests:
 *     - {subject: amara, right: "orders:GET:/v1/orders/42", expect: allow}
 *     - {subject: amara, right: "orders:DELETE:/v1/orders/42", expect: deny, network: 10.0.0.1}
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#include "base/clock.h"
#include "base/yaml.h"
#include "policy/decide.h"

struct judge {
    struct cli *cli;
    struct names *names; /* offline; NULL: the authority is asked */
    struct policy *policy;
    json_t *upstream_types; /* name to type */
    unsigned right, wrong;
};

/* --- the policy of files ---------------------------------------------------------- */

static enum status
take_file(struct judge *judge, struct policy_edit *edit, const char *path, struct fault *fault)
{
    struct yaml *yaml = NULL;
    json_t *definition;
    const char *name;
    enum status status = yaml_read_file(path, &yaml, fault);

    if (status != STATUS_OK)
        return status;
    json_object_foreach(json_object_get(yaml_root(yaml), "upstreams"), name, definition)
        json_object_set(judge->upstream_types, name, json_object_get(definition, "type"));
    json_object_foreach(json_object_get(yaml_root(yaml), "roles"), name, definition)
    {
        if (status == STATUS_OK)
            status = policy_edit_role(edit, slice_text(name), definition, fault);
    }
    json_object_foreach(json_object_get(yaml_root(yaml), "subjects"), name, definition)
    {
        if (status == STATUS_OK)
            status = policy_edit_subject(edit, slice_text(name), definition, fault);
    }
    if (status != STATUS_OK)
        fault_prefix(fault, "%s", path);
    yaml_free(yaml);
    return status;
}

static enum status
take_policy(struct judge *judge, const char *table_path, const json_t *files, struct fault *fault)
{
    struct policy *empty;
    struct policy_edit *edit = NULL;
    const char *slash = strrchr(table_path, '/');
    json_t *file;
    size_t i;
    enum status status;

    judge->names = names_new();
    judge->upstream_types = json_object();
    empty = judge->names == NULL ? NULL : policy_new(judge->names);
    status = empty == NULL ? STATUS_MEMORY : policy_edit_begin(empty, &edit);
    json_array_foreach(files, i, file)
    {
        char path[4096];
        const char *name = json_is_string(file) ? json_string_value(file) : "";

        if (name[0] == '/' || slash == NULL)
            snprintf(path, sizeof path, "%s", name);
        else
            snprintf(path, sizeof path, "%.*s/%s", (int)(slash - table_path), table_path, name);
        if (status == STATUS_OK)
            status = take_file(judge, edit, path, fault);
    }
    if (status == STATUS_OK)
        status = policy_edit_finish(edit, &judge->policy, fault);
    policy_edit_free(edit);
    policy_free(empty);
    return status;
}

/* --- one verdict ---------------------------------------------------------------------- */

static enum object_syntax
syntax_of(const struct judge *judge, const char *right)
{
    char resource[64] = { 0 };
    const char *type;

    snprintf(resource, sizeof resource, "%.*s", (int)strcspn(right, ":"), right);
    type = json_string_value(json_object_get(judge->upstream_types, resource));
    if (strcmp(resource, "writ") == 0 || (type != NULL && strcmp(type, "redis") == 0))
        return OBJECT_FLAT;
    return type != NULL && (strcmp(type, "postgres") == 0 || strcmp(type, "mysql") == 0)
               ? OBJECT_SQL
               : OBJECT_PATH;
}

/* "allow", "deny", or NULL after the fault was filled. */
static const char *
judge_offline(const struct judge *judge, const json_t *row, struct buffer *why, struct fault *fault)
{
    const char *right = text_of(row, "right"), *network = text_of(row, "network");
    name_id subject = names_find(judge->names, slice_text(text_of(row, "subject")));
    const struct decision *decision;
    struct request asked;
    struct arena arena;
    bool allowed;

    if (request_from_right(slice_text(right), syntax_of(judge, right), &asked, fault) != STATUS_OK)
        return NULL;
    if (strcmp(network, "-") != 0 && ip_parse(slice_text(network), &asked.peer) != STATUS_OK) {
        (void)fault_set(fault, STATUS_INVALID, "network: %s is no address", network);
        return NULL;
    }
    if (subject == NAME_NONE) {
        put_format(why, "there is no such subject");
        return "deny";
    }
    arena_init(&arena, 1 << 20);
    decision = policy_decide_subject(judge->policy, subject, &asked, clock_wall_ms(), &arena);
    allowed = decision_allows(decision);
    put_slice(why, allowed ? decision_right(decision) : decision_reason(decision));
    arena_free(&arena);
    return allowed ? "allow" : "deny";
}

static const char *
judge_online(const struct judge *judge, const json_t *row, struct buffer *why, struct fault *fault)
{
    json_t *body =
        json_pack("{s:s, s:s}", "subject", text_of(row, "subject"), "right", text_of(row, "right"));
    struct reply reply = { 0 };
    const char *verdict = NULL;
    bool allowed;

    if (json_is_string(json_object_get(row, "network")))
        json_object_set(body, "network", json_object_get(row, "network"));
    if (cli_call(judge->cli, "POST", "/v1/check", body, &reply, fault) == STATUS_OK) {
        allowed = strcmp(text_of(reply.body, "decision"), "allow") == 0;
        if (reply.status == 404)
            allowed = false;
        if (reply.status == 200 || reply.status == 404)
            verdict = allowed ? "allow" : "deny";
        else
            (void)fault_set(fault, STATUS_INVALID, "%s", text_of(reply.body, "detail"));
        put_text(why, reply.status == 404 ? text_of(reply.body, "detail")
                                          : text_of(reply.body, allowed ? "right" : "reason"));
    }
    reply_free(&reply);
    json_decref(body);
    return verdict;
}

static bool
judge_row(struct judge *judge, const json_t *row, size_t number, struct fault *fault)
{
    const char *expected = text_of(row, "expect"), *verdict;
    struct buffer why = { 0 };
    bool fits;

    if (strcmp(expected, "allow") != 0 && strcmp(expected, "deny") != 0) {
        (void)fault_set(fault, STATUS_INVALID, "test %zu: expect is allow or deny", number);
        return false;
    }
    verdict = judge->policy != NULL ? judge_offline(judge, row, &why, fault)
                                    : judge_online(judge, row, &why, fault);
    if (verdict == NULL) {
        fault_prefix(fault, "test %zu", number);
        buffer_free(&why);
        return false;
    }
    fits = strcmp(verdict, expected) == 0;
    judge->right += fits;
    judge->wrong += !fits;
    if (!judge->cli->json && !fits)
        printf("%sfailed%s %s %s: expected %s, got %s (%.*s)\n", tint(judge->cli, TINT_BAD),
               untint(judge->cli), text_of(row, "subject"), text_of(row, "right"), expected,
               verdict, (int)why.size, why.bytes);
    buffer_free(&why);
    return true;
}

int
policy_test_run(struct cli *cli, const struct args *args)
{
    struct judge judge = { .cli = cli };
    struct fault fault = { 0 };
    struct yaml *yaml = NULL;
    const json_t *tests, *files;
    json_t *row;
    size_t i;
    bool asked = yaml_read_file(args->words[0], &yaml, &fault) == STATUS_OK;

    tests = asked ? json_object_get(yaml_root(yaml), "tests") : NULL;
    files = asked ? json_object_get(yaml_root(yaml), "policy") : NULL;
    if (asked && !json_is_array(tests)) {
        (void)fault_set(&fault, STATUS_INVALID, "%s holds no list of tests", args->words[0]);
        asked = false;
    }
    if (asked && files != NULL)
        asked = take_policy(&judge, args->words[0], files, &fault) == STATUS_OK;
    json_array_foreach(tests, i, row) asked = asked && judge_row(&judge, row, i + 1, &fault);
    if (!asked)
        cli_tell_fault(&fault);
    else if (cli->json)
        printf("{\"passed\":%u,\"failed\":%u}\n", judge.right, judge.wrong);
    else
        printf("%u passed, %u failed\n", judge.right, judge.wrong);
    policy_free(judge.policy);
    if (judge.names != NULL)
        names_free(judge.names);
    json_decref(judge.upstream_types);
    yaml_free(yaml);
    return asked && judge.wrong == 0 ? EXIT_DONE : EXIT_REFUSED;
}

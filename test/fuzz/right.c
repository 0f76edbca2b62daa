/* fuzz/right.c - any bytes as a right and, behind a newline, as what is asked:
 * a right that is taken has the parts of its text, holds itself, and says the
 * same alone and compiled. */
#include <stdlib.h>

#include "policy/decide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_parts(const struct right *right)
{
    size_t size = right->resource.size + right->actions.size + right->object.size + 2;

    if (right->columns.size > 0)
        size += right->columns.size + 2;
    if (size != right->text.size || !right_within(right, right))
        abort();
    for (size_t i = 0; i < right->text.size; i++) {
        /* An OAuth scope and a quoted string of HTTP can hold it. */
        if (right->text.at[i] <= ' ' || right->text.at[i] == '"' || right->text.at[i] == '\\' ||
            right->text.at[i] > '~')
            abort();
    }
}

static struct policy *
policy_of(struct names *names, struct slice right)
{
    struct policy *empty = policy_new(names), *policy = NULL;
    struct policy_edit *edit = NULL;
    json_t *role = json_pack("{s:[o]}", "allow", json_slice(right));
    json_t *subject = json_pack("{s:s,s:[s]}", "type", "user", "roles", "r");

    if (policy_edit_begin(empty, &edit) != STATUS_OK ||
        policy_edit_role(edit, slice_text("r"), role, NULL) != STATUS_OK ||
        policy_edit_subject(edit, slice_text("s"), subject, NULL) != STATUS_OK ||
        policy_edit_finish(edit, &policy, NULL) != STATUS_OK)
        abort();
    policy_edit_free(edit);
    policy_free(empty);
    json_decref(role);
    json_decref(subject);
    return policy;
}

static void
check_request(const struct right *right, struct slice asked)
{
    struct names *names = names_new();
    struct policy *policy = policy_of(names, right->text);
    struct arena arena;

    arena_init(&arena, 1 << 16);
    for (enum object_syntax syntax = OBJECT_PATH; syntax <= OBJECT_FLAT; syntax++) {
        struct request request;
        const struct decision *decision;

        if (request_from_right(asked, syntax, &request, NULL) != STATUS_OK)
            continue;
        decision =
            policy_decide_subject(policy, names_find(names, slice_text("s")), &request, 0, &arena);
        if (decision_refusal(decision) == REFUSAL_LIMIT ||
            decision_allows(decision) != right_covers(right, &request))
            abort();
    }
    arena_free(&arena);
    policy_free(policy);
    names_free(names);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct slice first = slice_first(text, slice_find(text, '\n'));
    struct right right;
    struct fault fault;

    if (right_parse(first, &right, &fault) != STATUS_OK)
        return 0;
    check_parts(&right);
    check_request(&right, slice_from(text, first.size + 1));
    return 0;
}

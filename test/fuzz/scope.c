/* fuzz/scope.c - any bytes as a scope and, behind a newline, as what is asked:
 * a token with that scope may do what one of its rights covers, and no more. */
#include <stdlib.h>

#include "policy/decide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct names *names;
static struct policy *policy; /* the subject s may do everything */

static void
make_policy(void)
{
    struct policy *empty;
    struct policy_edit *edit = NULL;
    json_t *role = json_pack("{s:[s,s]}", "allow", "*:*:**", "writ:*:**");
    json_t *subject = json_pack("{s:s,s:[s]}", "type", "user", "roles", "r");

    names = names_new();
    empty = policy_new(names);
    if (policy_edit_begin(empty, &edit) != STATUS_OK ||
        policy_edit_role(edit, slice_text("r"), role, NULL) != STATUS_OK ||
        policy_edit_subject(edit, slice_text("s"), subject, NULL) != STATUS_OK ||
        policy_edit_finish(edit, &policy, NULL) != STATUS_OK)
        abort();
    policy_edit_free(edit);
    policy_free(empty);
    json_decref(role);
    json_decref(subject);
}

static bool
covered(struct slice rights, const struct request *request)
{
    struct slice text;

    while (slice_next(&rights, ' ', &text)) {
        struct right right;

        if (text.size == 0)
            continue;
        if (right_parse(text, &right, NULL) != STATUS_OK)
            abort();
        if (right_covers(&right, request))
            return true;
    }
    return false;
}

static void
check(const struct scope *scope, const struct request *request)
{
    const name_id role = names_find(names, slice_text("r"));
    const struct lineage_link link = { .subject = names_find(names, slice_text("s")),
                                       .roles = &role,
                                       .role_count = 1,
                                       .scope = scope };
    const struct lineage lineage = { .links = &link, .count = 1 };
    const struct decision *decision;
    struct arena arena;

    arena_init(&arena, 1 << 16);
    decision = policy_decide(policy, &lineage, request, 0, &arena);
    /* A search may give up, but never into an allow. */
    if (decision_refusal(decision) != REFUSAL_LIMIT &&
        decision_allows(decision) != covered(scope_text(scope), request))
        abort();
    arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct slice first = slice_first(text, slice_find(text, '\n'));
    struct scope *scope = NULL;
    struct request request;
    struct fault fault;

    if (policy == NULL)
        make_policy();
    if (scope_new(first, &scope, &fault) != STATUS_OK)
        return 0;
    for (enum object_syntax syntax = OBJECT_PATH; syntax <= OBJECT_FLAT; syntax++) {
        if (request_from_right(slice_from(text, first.size + 1), syntax, &request, NULL) ==
            STATUS_OK)
            check(scope, &request);
    }
    scope_free(scope);
    return 0;
}

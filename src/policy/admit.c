/* policy/admit.c - may a session be opened: something must be allowed in it. */
#include "glob.h"
#include "restrict.h"
#include "scope.h"

static bool
right_reaches(const struct right *right, struct slice resource)
{
    return glob_match(right->resource, resource, OBJECT_FLAT);
}

static const struct rule *
find_reaching(const struct question *question, size_t at)
{
    const struct lineage_link *link = &question->lineage->links[at];

    for (size_t i = 0; i < link->role_count; i++) {
        const struct role *role = policy_find_role(question->policy, link->roles[i]);

        if (role == NULL ||
            !subject_holds(question->policy, question->subjects[at], link->roles[i], question->now))
            continue;
        for (size_t n = 0; n < role->allow.count; n++) {
            if (right_reaches(&role->allow.rules[n]->right, question->request->resource))
                return role->allow.rules[n];
        }
    }
    return NULL;
}

static bool
list_reaches(struct slice rights, struct slice resource)
{
    struct slice text;
    struct right right;

    while (slice_next(&rights, ' ', &text)) {
        if (text.size == 0)
            continue;
        if (right_parse(text, &right, NULL) != STATUS_OK)
            return false;
        if (right_reaches(&right, resource))
            return true;
    }
    return false;
}

static bool
narrowings_reach(const struct question *question, size_t at, struct finding *out)
{
    const struct lineage_link *link = &question->lineage->links[at];

    if (link->scope != NULL &&
        !list_reaches(scope_text(link->scope), question->request->resource)) {
        *out = (struct finding){ .cause = CAUSE_SCOPE, .link = at };
        return false;
    }
    for (size_t i = 0; i < link->narrowing_count; i++) {
        if (list_reaches(link->narrowings[i], question->request->resource))
            continue;
        *out =
            (struct finding){ .cause = CAUSE_CAVEAT, .link = at, .narrowing = link->narrowings[i] };
        return false;
    }
    return true;
}

static bool
reaches(const struct question *question, const struct rule **first, struct finding *out)
{
    for (size_t i = 0; i < question->lineage->count; i++) {
        const struct rule *rule = find_reaching(question, i);

        if (rule == NULL) {
            *out = (struct finding){ .cause = CAUSE_NO_RIGHT, .link = i };
            return false;
        }
        if (i == 0)
            *first = rule;
        if (!narrowings_reach(question, i, out))
            return false;
    }
    return true;
}

const struct decision *
policy_admit(const struct policy *policy, const struct lineage *lineage,
             const struct request *request, int64_t now, struct arena *arena)
{
    struct prepared prepared;
    struct question question = { .policy = policy,
                                 .lineage = lineage,
                                 .request = request,
                                 .prepared = &prepared,
                                 .now = now,
                                 .arena = arena };
    struct finding finding = { .cause = CAUSE_LINEAGE };
    const struct rule *rule = NULL;

    if (lineage->count == 0 || lineage->count > LINEAGE_MAX)
        return explain(&question, &finding);
    finding.cause = CAUSE_MALFORMED;
    if (request_prepare(request, &prepared) != PREPARED || !subjects_act(&question, &finding) ||
        !networks_hold(&question, &finding) || !reaches(&question, &rule, &finding))
        return explain(&question, &finding);
    struct decision *decision = arena_zeroed(arena, sizeof(*decision));
    if (decision == NULL)
        return decision_without_memory();
    decision->rule = rule;
    return decision;
}

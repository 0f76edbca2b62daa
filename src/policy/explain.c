/* policy/explain.c - a refusal in words, and what would have to change. */
#include "explain.h"

static const struct decision no_memory = {
    .refusal = REFUSAL_LIMIT,
    .reason = { .at = "there is no memory left to decide", .size = 33 },
};

const struct decision *
decision_without_memory(void)
{
    return &no_memory;
}

/* "", never NULL: callers print and compare it. */
static struct slice
or_empty(struct slice text)
{
    return text.at != NULL ? text : slice_of("", 0);
}

bool
decision_allows(const struct decision *decision)
{
    return decision->refusal == REFUSAL_NONE;
}

struct slice
decision_right(const struct decision *decision)
{
    return decision->rule != NULL ? decision->rule->right.text : or_empty(decision->right);
}

struct slice
decision_role(const struct decision *decision)
{
    return decision->rule != NULL ? decision->rule->role : slice_of("", 0);
}

const json_t *
decision_when(const struct decision *decision)
{
    return decision->rule == NULL ? NULL : decision->rule->when_json;
}

struct slice
decision_reason(const struct decision *decision)
{
    return or_empty(decision->reason);
}

struct slice
decision_hint(const struct decision *decision)
{
    return or_empty(decision->hint);
}

enum refusal_kind
decision_refusal(const struct decision *decision)
{
    return decision->refusal;
}

size_t
decision_rates(const struct decision *decision, const struct rate_obligation **out)
{
    *out = decision->rates;
    return decision->rate_count;
}

size_t
decision_budgets(const struct decision *decision, const struct budget_obligation **out)
{
    *out = decision->budgets;
    return decision->budget_count;
}

void
decision_limit(const struct decision *decision, struct sql_limits *limits)
{
    sql_limits_narrow(limits, &decision->limits);
}

const struct decision *
decision_refuse(const struct decision *decision, struct slice reason, struct arena *arena)
{
    struct decision *refusal = arena_zeroed(arena, sizeof(*refusal));

    if (refusal == NULL)
        return decision_without_memory();
    *refusal = *decision;
    if (decision_allows(decision))
        refusal->refusal = REFUSAL_DENY;
    refusal->rates = NULL;
    refusal->rate_count = 0;
    refusal->budgets = NULL;
    refusal->budget_count = 0;
    refusal->reason = arena_copy(arena, reason);
    if (refusal->reason.at == NULL)
        return decision_without_memory();
    return refusal;
}

static enum refusal_kind
kind_of(const struct finding *finding)
{
    switch (finding->cause) {
    case CAUSE_LINEAGE:
    case CAUSE_MALFORMED:
    case CAUSE_TOO_LONG:
    case CAUSE_STEPS:
        return REFUSAL_LIMIT;
    case CAUSE_NO_SUBJECT:
    case CAUSE_DISABLED:
    case CAUSE_DENY:
        return REFUSAL_DENY;
    case CAUSE_NETWORK:
    case CAUSE_CAVEAT_NETWORK:
        return REFUSAL_NETWORK;
    case CAUSE_PROOF:
        return REFUSAL_PROOF;
    case CAUSE_APPROVAL:
        return REFUSAL_APPROVAL;
    case CAUSE_CONDITION:
        return finding->link > 0 ? REFUSAL_ANCESTOR : REFUSAL_CONDITION;
    case CAUSE_NO_RIGHT:
    case CAUSE_SCOPE:
    case CAUSE_CAVEAT:
        break;
    }
    return finding->link > 0 ? REFUSAL_ANCESTOR : REFUSAL_MISSING;
}

/* The exact right that the request needs. */
static struct slice
needed(const struct question *question)
{
    const struct request *request = question->request;
    struct slice object = request->object.size > 0 ? request->object : SLICE_LITERAL("-");
    bool columns = request->columns.size > 0;

    return arena_format(question->arena, "%.*s:%.*s:%.*s%s%.*s%s", SLICE_PRINT(request->resource),
                        SLICE_PRINT(request->action), SLICE_PRINT(object), columns ? "(" : "",
                        SLICE_PRINT(request->columns), columns ? ")" : "");
}

static struct slice
subject_name(const struct question *question, const struct finding *finding)
{
    return names_text(question->policy->names, question->lineage->links[finding->link].subject);
}

/* "" for the token itself, else which ancestor it is: "the ancestor ID of NAME: ". */
static struct slice
whose(const struct question *question, const struct finding *finding)
{
    if (finding->link == 0)
        return slice_of("", 0);
    return arena_format(question->arena, "the ancestor %.*s of %.*s: ",
                        SLICE_PRINT(question->lineage->links[finding->link].token),
                        SLICE_PRINT(subject_name(question, finding)));
}

/* The fact that the condition stumbled over, as far as one can be named. */
static const struct fact *
failing_fact(const struct question *question, const struct finding *finding)
{
    const struct request *request = question->request;

    for (size_t i = 0; i < request->fact_count; i++) {
        const struct fact *fact = &request->facts[i];
        const struct fact_rules one =
            finding->rule->when == NULL ? (struct fact_rules){ 0 } : finding->rule->when->facts;
        const struct request alone = { .facts = fact, .fact_count = 1, .facts_known = true };
        const char *failed;

        if (strcmp(fact_member_key(fact->name), finding->condition) == 0 &&
            !facts_hold(&one, &alone, &failed))
            return fact;
    }
    return NULL;
}

static struct slice
condition_text(const struct question *question, const struct finding *finding)
{
    char peer[IP_TEXT_MAX];
    const struct fact *fact = failing_fact(question, finding);

    if (fact != NULL)
        return arena_format(question->arena,
                            "%.*s of role %.*s covers it, but not with %.*s %.*s: a right for that "
                            "speaks of it, in when: {%s: …}",
                            SLICE_PRINT(finding->rule->right.text),
                            SLICE_PRINT(finding->rule->role), SLICE_PRINT(fact->name),
                            SLICE_PRINT(slice_first(fact->text, 200)), finding->condition);
    if (strcmp(finding->condition, "network") != 0)
        return arena_format(question->arena,
                            "%.*s of role %.*s covers it, but its condition %s does not hold",
                            SLICE_PRINT(finding->rule->right.text),
                            SLICE_PRINT(finding->rule->role), finding->condition);
    return arena_format(question->arena,
                        "%.*s of role %.*s covers it, but its condition network does not hold "
                        "for %s",
                        SLICE_PRINT(finding->rule->right.text), SLICE_PRINT(finding->rule->role),
                        ip_format(&question->request->peer, peer));
}

static struct slice
reason_text(const struct question *question, const struct finding *finding, struct slice right)
{
    struct arena *arena = question->arena;
    char peer[IP_TEXT_MAX];

    switch (finding->cause) {
    case CAUSE_LINEAGE:
        return SLICE_LITERAL("the token has too many ancestors, or there is none");
    case CAUSE_MALFORMED:
        return SLICE_LITERAL("the request is not in canonical form");
    case CAUSE_TOO_LONG:
        return SLICE_LITERAL("the request's resource, action or object is too long");
    case CAUSE_STEPS:
        return SLICE_LITERAL("matching the rights takes more steps than are allowed");
    case CAUSE_NO_SUBJECT:
        return arena_format(arena, "there is no subject %.*s any more",
                            SLICE_PRINT(subject_name(question, finding)));
    case CAUSE_DISABLED:
        return arena_format(arena, "subject %.*s is disabled",
                            SLICE_PRINT(subject_name(question, finding)));
    case CAUSE_DENY:
        return arena_format(arena, "role %.*s, which %.*s holds, denies it by %.*s",
                            SLICE_PRINT(finding->rule->role),
                            SLICE_PRINT(subject_name(question, finding)),
                            SLICE_PRINT(finding->rule->right.text));
    case CAUSE_NETWORK:
        return arena_format(arena, "the token may not be used from %s",
                            ip_format(&question->request->peer, peer));
    case CAUSE_CAVEAT_NETWORK:
        return arena_format(arena, "a caveat limits the token to %.*s, and it is used from %s",
                            SLICE_PRINT(finding->narrowing),
                            ip_format(&question->request->peer, peer));
    case CAUSE_NO_RIGHT:
        return arena_format(arena, "no right that the token has from %.*s's roles covers %.*s",
                            SLICE_PRINT(subject_name(question, finding)), SLICE_PRINT(right));
    case CAUSE_CONDITION:
        return condition_text(question, finding);
    case CAUSE_PROOF:
        return arena_format(arena, "%.*s of role %.*s covers it, but demands proof of possession",
                            SLICE_PRINT(finding->rule->right.text),
                            SLICE_PRINT(finding->rule->role));
    case CAUSE_APPROVAL:
        return arena_format(arena, "%.*s of role %.*s covers it, with an approval by %.*s",
                            SLICE_PRINT(finding->rule->right.text),
                            SLICE_PRINT(finding->rule->role),
                            SLICE_PRINT(finding->rule->when->approval.by));
    case CAUSE_SCOPE:
        return arena_format(arena, "the token's scope does not hold %.*s", SLICE_PRINT(right));
    case CAUSE_CAVEAT:
        return arena_format(arena, "a caveat narrows the token to %.*s, which does not hold %.*s",
                            SLICE_PRINT(finding->narrowing), SLICE_PRINT(right));
    }
    return SLICE_LITERAL("");
}

/* A role that the subject holds and that would allow, though it is not of the token. */
static const struct role *
other_role(const struct question *question, size_t link)
{
    const struct subject *subject = question->subjects[link];

    for (size_t i = 0; i < subject->role_count; i++) {
        const struct role *role = policy_find_role(question->policy, subject->roles[i]);

        if (role != NULL && role_allows(question, role))
            return role;
    }
    return NULL;
}

static struct slice
missing_hint(const struct question *question, const struct finding *finding, struct slice right)
{
    const struct lineage_link *link = &question->lineage->links[finding->link];
    const struct role *other = other_role(question, finding->link);
    const struct subject *subject = question->subjects[finding->link];
    struct slice role;

    if (other != NULL)
        return arena_format(question->arena, "issue the token with role %.*s",
                            SLICE_PRINT(other->definition->name));
    if (subject->role_count == 0)
        return arena_format(question->arena, "give %.*s a role that holds %.*s",
                            SLICE_PRINT(subject->name), SLICE_PRINT(right));
    role = names_text(question->policy->names, subject->roles[0]);
    for (size_t i = 0; i < link->role_count; i++) {
        if (policy_subject_holds(question->policy, link->subject, link->roles[i], question->now)) {
            role = names_text(question->policy->names, link->roles[i]);
            break;
        }
    }
    return arena_format(question->arena, "grant %.*s to role %.*s", SLICE_PRINT(right),
                        SLICE_PRINT(role));
}

static struct slice
hint_text(const struct question *question, const struct finding *finding, struct slice right)
{
    struct arena *arena = question->arena;

    switch (finding->cause) {
    case CAUSE_LINEAGE:
    case CAUSE_MALFORMED:
    case CAUSE_TOO_LONG:
    case CAUSE_STEPS:
    case CAUSE_NO_SUBJECT:
        break;
    case CAUSE_DISABLED:
        return arena_format(arena, "enable subject %.*s",
                            SLICE_PRINT(subject_name(question, finding)));
    case CAUSE_DENY:
        return arena_format(arena, "take the deny %.*s from role %.*s, or the role from %.*s",
                            SLICE_PRINT(finding->rule->right.text),
                            SLICE_PRINT(finding->rule->role),
                            SLICE_PRINT(subject_name(question, finding)));
    case CAUSE_NETWORK:
        return SLICE_LITERAL("issue the token for this network too");
    case CAUSE_CAVEAT_NETWORK:
    case CAUSE_CAVEAT:
        return SLICE_LITERAL("use the token as it was before that caveat");
    case CAUSE_NO_RIGHT:
        return missing_hint(question, finding, right);
    case CAUSE_CONDITION:
        return arena_format(arena, "change the condition %s of %.*s in role %.*s",
                            finding->condition, SLICE_PRINT(finding->rule->right.text),
                            SLICE_PRINT(finding->rule->role));
    case CAUSE_PROOF:
        return SLICE_LITERAL("bind the token to a key and prove it");
    case CAUSE_APPROVAL:
        return arena_format(arena, "somebody with role %.*s approves it",
                            SLICE_PRINT(finding->rule->when->approval.by));
    case CAUSE_SCOPE:
        return arena_format(arena, "issue the token with %.*s in its scope", SLICE_PRINT(right));
    }
    return slice_of("", 0);
}

const struct decision *
explain(const struct question *question, const struct finding *finding)
{
    struct decision *decision = arena_zeroed(question->arena, sizeof(*decision));
    struct slice who, reason;

    if (decision == NULL)
        return decision_without_memory();
    decision->refusal = kind_of(finding);
    switch (decision->refusal) {
    case REFUSAL_MISSING:
    case REFUSAL_ANCESTOR:
        decision->right = needed(question);
        break;
    default:
        decision->rule = finding->rule;
        break;
    }
    reason = reason_text(question, finding, decision->right);
    who = whose(question, finding);
    decision->hint = hint_text(question, finding, decision->right);
    decision->reason =
        arena_format(question->arena, "%.*s%.*s", SLICE_PRINT(who), SLICE_PRINT(reason));
    if (decision->reason.at == NULL)
        return decision_without_memory();
    return decision;
}

const struct approval *
decision_approval(const struct decision *decision)
{
    return decision->refusal == REFUSAL_APPROVAL ? &decision->rule->when->approval : NULL;
}

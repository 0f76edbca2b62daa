/* policy/decide.c - may it happen. */
#include "covers.h"
#include "restrict.h"
#include "scope.h"

/* The search for a right of one link that allows. */
struct allowing {
    const struct question *question;
    const struct role *role;
    const struct rule *found;
    const struct rule *obliged;    /* allows, with an obligation */
    const struct rule *unproven;   /* would allow with proof of possession */
    const struct rule *unapproved; /* would allow with an approval */
    const struct rule *failed;     /* covers, but its condition does not hold */
    const char *condition;
    bool limit;
};

static void
note_failed(struct allowing *allowing, const struct rule *rule, const char *condition)
{
    if (allowing->failed != NULL)
        return;
    allowing->failed = rule;
    allowing->condition = condition;
}

static bool
allow_found(void *context, uint32_t number, bool plain)
{
    struct allowing *allowing = context;
    const struct question *question = allowing->question;
    const struct rule *rule = allowing->role->allow.rules[number];
    const char *failed;

    if (plain && question->guarded == NULL) {
        allowing->found = rule;
        return true;
    }
    if (!question->request->listing && !columns_allow(&rule->right, question->request))
        return false;
    if (rule->when == NULL && question->guarded == NULL) {
        allowing->found = rule;
        return true;
    }
    /* What is dangerous is allowed by a right that speaks of it. */
    if (rule->when == NULL) {
        note_failed(allowing, rule, fact_member_key(question->guarded->name));
        return false;
    }
    switch (condition_ask(rule->when, question->request, question->now, &failed)) {
    case CONDITION_HOLDS:
        if (!condition_obliges(rule->when)) {
            allowing->found = rule;
            return true;
        }
        if (allowing->obliged == NULL)
            allowing->obliged = rule;
        break;
    case CONDITION_PROOF:
        if (allowing->unproven == NULL)
            allowing->unproven = rule;
        break;
    case CONDITION_APPROVAL:
        if (allowing->unapproved == NULL)
            allowing->unapproved = rule;
        break;
    case CONDITION_FAILS:
    case CONDITION_UNKNOWN:
        note_failed(allowing, rule, failed);
        break;
    }
    return false;
}

static void
search_role(struct allowing *allowing, const struct role *role)
{
    allowing->role = role;
    if (matcher_search(role->allow.matcher, allowing->question->prepared,
                       allowing->question->request->listing, allow_found, allowing,
                       NULL) == MATCH_LIMIT)
        allowing->limit = true;
}

bool
role_allows(const struct question *question, const struct role *role)
{
    struct allowing allowing = { .question = question };

    search_role(&allowing, role);
    return allowing.found != NULL || allowing.obliged != NULL;
}

struct denying {
    const struct question *question;
    const struct role *role;
    const struct rule *found;
};

static bool
deny_found(void *context, uint32_t number, bool plain)
{
    struct denying *denying = context;
    const struct rule *rule = denying->role->deny.rules[number];
    const char *failed;

    if (!columns_deny(&rule->right, denying->question->request))
        return false;
    /* What can't be evaluated applies. */
    if (rule->when != NULL && condition_ask(rule->when, denying->question->request,
                                            denying->question->now, &failed) == CONDITION_FAILS)
        return false;
    denying->found = rule;
    return true;
}

/* All current roles of the subject, chosen for the token or not. */
static bool
passes_denies(const struct question *question, size_t link, struct finding *out)
{
    const struct subject *subject = question->subjects[link];
    struct denying denying = { .question = question };

    if (link > 0 && question->subjects[link - 1] == subject)
        return true;
    for (size_t i = 0; i < subject->role_count; i++) {
        denying.role = policy_find_role(question->policy, subject->roles[i]);
        if (denying.role == NULL || denying.role->deny.matcher == NULL)
            continue;
        switch (matcher_search(denying.role->deny.matcher, question->prepared, false, deny_found,
                               &denying, NULL)) {
        case MATCH_STOPPED:
            *out = (struct finding){ .cause = CAUSE_DENY, .link = link, .rule = denying.found };
            return false;
        case MATCH_LIMIT:
            *out = (struct finding){ .cause = CAUSE_STEPS, .link = link };
            return false;
        case MATCH_NONE:
            break;
        }
    }
    return true;
}

static bool
passes_scope(const struct question *question, size_t at, struct finding *out)
{
    const struct lineage_link *link = &question->lineage->links[at];

    if (link->scope != NULL) {
        enum scope_answer answer = scope_ask(link->scope, question->request, question->prepared);

        if (answer != SCOPE_ALLOWS) {
            *out = (struct finding){ .cause = answer == SCOPE_LIMIT ? CAUSE_STEPS : CAUSE_SCOPE,
                                     .link = at };
            return false;
        }
    }
    for (size_t i = 0; i < link->narrowing_count; i++) {
        if (rights_allow(link->narrowings[i], question->request))
            continue;
        *out =
            (struct finding){ .cause = CAUSE_CAVEAT, .link = at, .narrowing = link->narrowings[i] };
        return false;
    }
    return true;
}

/* How a link's roles allow. */
enum grant {
    GRANT_NONE, /* not: see the finding */
    GRANT_FREE,
    GRANT_OBLIGED, /* with an obligation */
    /* With proof of possession, or with an approval, which is missing: see the finding. */
    GRANT_INCOMPLETE,
};

static enum grant
find_allow(const struct question *question, size_t at, const struct rule **rule,
           struct finding *out)
{
    const struct lineage_link *link = &question->lineage->links[at];
    struct allowing allowing = { .question = question };

    for (size_t i = 0; i < link->role_count && allowing.found == NULL; i++) {
        const struct role *role = policy_find_role(question->policy, link->roles[i]);

        if (role != NULL && subject_holds(question->policy, question->subjects[at], link->roles[i]))
            search_role(&allowing, role);
    }
    *rule = allowing.found != NULL ? allowing.found : allowing.obliged;
    if (*rule != NULL)
        return allowing.found != NULL ? GRANT_FREE : GRANT_OBLIGED;
    *out = (struct finding){ .cause = CAUSE_NO_RIGHT, .link = at };
    if (allowing.limit) {
        out->cause = CAUSE_STEPS;
    } else if (allowing.unapproved != NULL) {
        out->cause = CAUSE_APPROVAL;
        out->rule = allowing.unapproved;
        return GRANT_INCOMPLETE;
    } else if (allowing.unproven != NULL) {
        out->cause = CAUSE_PROOF;
        out->rule = allowing.unproven;
        return GRANT_INCOMPLETE;
    } else if (allowing.failed != NULL) {
        out->cause = CAUSE_CONDITION;
        out->rule = allowing.failed;
        out->condition = allowing.condition;
    }
    return GRANT_NONE;
}

static uint64_t
rate_key(const struct rule *rule, struct slice token)
{
    uint64_t key = slice_hash(rule->role);

    key = (key ^ slice_hash(rule->right.text)) * UINT64_C(0x9e3779b97f4a7c15);
    return (key ^ key >> 32 ^ slice_hash(token)) * UINT64_C(0xd1b54a32d192ed03);
}

static bool
add_obligations(const struct question *question, const struct rule *const *rules,
                struct decision *decision)
{
    struct rate_obligation *rates =
        arena_take(question->arena, question->lineage->count * sizeof(*rates));

    if (rates == NULL)
        return false;
    for (size_t i = 0; i < question->lineage->count; i++) {
        const struct condition *when = rules[i]->when;

        if (when == NULL)
            continue;
        sql_limits_narrow(&decision->limits, &when->limits);
        if (when->most == 0)
            continue;
        rates[decision->rate_count++] = (struct rate_obligation){
            .key = rate_key(rules[i], question->lineage->links[i].token),
            .most = when->most,
            .period_ms = when->period_ms,
        };
    }
    decision->rates = rates;
    return true;
}

static const struct decision *
allow(const struct question *question, const struct rule *const *rules, bool obliged)
{
    struct decision *decision = arena_zeroed(question->arena, sizeof(*decision));

    if (decision == NULL)
        return decision_without_memory();
    decision->rule = rules[0];
    if (obliged && !add_obligations(question, rules, decision))
        return decision_without_memory();
    return decision;
}

static bool
passes_restrictions(struct question *question, struct finding *out)
{
    if (!subjects_act(question, out))
        return false;
    for (size_t i = 0; i < question->lineage->count; i++) {
        if (!passes_denies(question, i, out))
            return false;
    }
    return networks_hold(question, out);
}

static const struct decision *
decide(struct question *question)
{
    const struct rule *rules[LINEAGE_MAX] = { NULL };
    struct finding finding, missing = { 0 };
    bool incomplete = false, obliged = false;

    if (!passes_restrictions(question, &finding))
        return explain(question, &finding);
    for (size_t i = 0; i < question->lineage->count; i++) {
        switch (find_allow(question, i, &rules[i], &finding)) {
        case GRANT_NONE:
            return explain(question, &finding);
        case GRANT_INCOMPLETE:
            /* It is asked for only when it is all that is missing; proof before approval. */
            if (!incomplete || finding.cause == CAUSE_PROOF)
                missing = finding;
            incomplete = true;
            break;
        case GRANT_OBLIGED:
            obliged = true;
            break;
        case GRANT_FREE:
            break;
        }
        if (!passes_scope(question, i, &finding))
            return explain(question, &finding);
    }
    return incomplete ? explain(question, &missing) : allow(question, rules, obliged);
}

const struct decision *
policy_decide(const struct policy *policy, const struct lineage *lineage,
              const struct request *request, int64_t now, struct arena *arena)
{
    struct prepared prepared;
    struct question question;
    struct finding finding = { .cause = CAUSE_LINEAGE };

    question.policy = policy;
    question.lineage = lineage;
    question.request = request;
    question.prepared = &prepared;
    question.now = now;
    question.arena = arena;
    question.guarded = facts_guarded(request);
    if (lineage->count == 0 || lineage->count > LINEAGE_MAX)
        return explain(&question, &finding);
    switch (request_prepare(request, &prepared)) {
    case PREPARED:
        return decide(&question);
    case PREPARED_MALFORMED:
        finding.cause = CAUSE_MALFORMED;
        break;
    case PREPARED_TOO_LONG:
        finding.cause = CAUSE_TOO_LONG;
        break;
    }
    return explain(&question, &finding);
}

const struct decision *
policy_decide_subject(const struct policy *policy, name_id id, const struct request *request,
                      int64_t now, struct arena *arena)
{
    const struct subject *subject = policy_find_subject(policy, id);
    const struct lineage_link link = { .subject = id,
                                       .roles = subject == NULL ? NULL : subject->roles,
                                       .role_count = subject == NULL ? 0 : subject->role_count };
    const struct lineage lineage = { .links = &link, .count = 1 };

    return policy_decide(policy, &lineage, request, now, arena);
}

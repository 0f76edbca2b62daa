/* policy/decide.c - may it happen. */
#include "covers.h"
#include "restrict.h"
#include "scope.h"

/* A request that more rights with limits than these cover is refused: which to hold is not
 * guessed. A list is allowed by each right of its action; it is held to these many. */
enum { OBLIGED_MAX = 16 };

/* The search for a right of one link that allows. */
struct allowing {
    const struct question *question;
    const struct role *role;
    const struct rule *found;
    const struct rule *obliged[OBLIGED_MAX]; /* allow, each with obligations */
    size_t obliged_count;
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

/* A rule may be found through each role that inherits it. */
static void
note_obliged(struct allowing *allowing, const struct rule *rule)
{
    for (size_t i = 0; i < allowing->obliged_count; i++) {
        if (allowing->obliged[i] == rule)
            return;
    }
    if (allowing->obliged_count < OBLIGED_MAX)
        allowing->obliged[allowing->obliged_count++] = rule;
    else if (!allowing->question->request->listing)
        allowing->limit = true;
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
        note_obliged(allowing, rule);
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
    return allowing.found != NULL || allowing.obliged_count > 0;
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

/* By which rights a link allows: one without limits, or all that have some. */
struct granted {
    const struct rule *rule;
    const struct rule *const *obliged; /* in the arena */
    size_t obliged_count;
};

static enum grant
grant_obliged(const struct allowing *allowing, size_t at, struct granted *out,
              struct finding *finding)
{
    size_t size = allowing->obliged_count * sizeof(const struct rule *);
    const struct rule **rules = arena_take(allowing->question->arena, size);

    /* A search that was cut short has not seen all limits. */
    *finding = (struct finding){ .cause = CAUSE_STEPS, .link = at };
    if (allowing->limit || rules == NULL)
        return GRANT_NONE;
    memcpy(rules, allowing->obliged, size);
    *out = (struct granted){ rules[0], rules, allowing->obliged_count };
    return GRANT_OBLIGED;
}

static enum grant
explain_none(const struct allowing *allowing, size_t at, struct finding *out)
{
    *out = (struct finding){ .cause = CAUSE_NO_RIGHT, .link = at };
    if (allowing->limit) {
        out->cause = CAUSE_STEPS;
    } else if (allowing->unapproved != NULL) {
        out->cause = CAUSE_APPROVAL;
        out->rule = allowing->unapproved;
        return GRANT_INCOMPLETE;
    } else if (allowing->unproven != NULL) {
        out->cause = CAUSE_PROOF;
        out->rule = allowing->unproven;
        return GRANT_INCOMPLETE;
    } else if (allowing->failed != NULL) {
        out->cause = CAUSE_CONDITION;
        out->rule = allowing->failed;
        out->condition = allowing->condition;
    }
    return GRANT_NONE;
}

static enum grant
find_allow(const struct question *question, size_t at, struct granted *granted, struct finding *out)
{
    const struct lineage_link *link = &question->lineage->links[at];
    struct allowing allowing = { .question = question };

    for (size_t i = 0; i < link->role_count && allowing.found == NULL; i++) {
        const struct role *role = policy_find_role(question->policy, link->roles[i]);

        if (role != NULL &&
            subject_holds(question->policy, question->subjects[at], link->roles[i], question->now))
            search_role(&allowing, role);
    }
    if (allowing.found != NULL) {
        *granted = (struct granted){ .rule = allowing.found };
        return GRANT_FREE;
    }
    return allowing.obliged_count > 0 ? grant_obliged(&allowing, at, granted, out)
                                      : explain_none(&allowing, at, out);
}

/* A role may have the same right twice, each with limits of its own. The upper bits are the
 * subject's: however many lines it has, they share its part of the tables. */
static uint64_t
limits_key(const struct rule *rule, const struct lineage_link *link)
{
    uint64_t key = slice_hash(rule->role);

    key = (key ^ slice_hash(rule->right.text)) * UINT64_C(0x9e3779b97f4a7c15);
    key = (key ^ key >> 32 ^ rule->when->text) * UINT64_C(0xbf58476d1ce4e5b9);
    key = (key ^ key >> 32 ^ slice_hash(link->line)) * UINT64_C(0xd1b54a32d192ed03);
    return key >> 16 | slice_hash(slice_of(&link->subject, sizeof link->subject)) << 48;
}

/* The obligations of an allow in the making. */
struct obliging {
    struct decision *decision;
    struct rate_obligation *rates;
    struct budget_obligation *budgets;
};

static void
oblige(struct obliging *out, const struct condition *when, uint64_t key)
{
    sql_limits_narrow(&out->decision->limits, &when->limits);
    if (when->most > 0)
        out->rates[out->decision->rate_count++] = (struct rate_obligation){
            .key = key,
            .most = when->most,
            .period_ms = when->period_ms,
        };
    if (budget_limits_bind(&when->budget))
        out->budgets[out->decision->budget_count++] =
            (struct budget_obligation){ .key = key, .limits = when->budget };
}

static bool
add_obligations(const struct question *question, const struct granted *granted,
                struct decision *decision)
{
    struct obliging out = { .decision = decision };
    size_t most = 0;

    for (size_t i = 0; i < question->lineage->count; i++)
        most += granted[i].obliged_count;
    out.rates = arena_take(question->arena, most * sizeof *out.rates);
    out.budgets = arena_take(question->arena, most * sizeof *out.budgets);
    if (out.rates == NULL || out.budgets == NULL)
        return false;
    for (size_t i = 0; i < question->lineage->count; i++) {
        for (size_t n = 0; n < granted[i].obliged_count; n++)
            oblige(&out, granted[i].obliged[n]->when,
                   limits_key(granted[i].obliged[n], &question->lineage->links[i]));
    }
    decision->rates = out.rates;
    decision->budgets = out.budgets;
    return true;
}

static const struct decision *
allow(const struct question *question, const struct granted *granted, bool obliged)
{
    struct decision *decision = arena_zeroed(question->arena, sizeof(*decision));

    if (decision == NULL)
        return decision_without_memory();
    decision->rule = granted[0].rule;
    if (obliged && !add_obligations(question, granted, decision))
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
    struct granted granted[LINEAGE_MAX] = { 0 };
    struct finding finding, missing = { 0 };
    bool incomplete = false, obliged = false;

    if (!passes_restrictions(question, &finding))
        return explain(question, &finding);
    for (size_t i = 0; i < question->lineage->count; i++) {
        switch (find_allow(question, i, &granted[i], &finding)) {
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
    return incomplete ? explain(question, &missing) : allow(question, granted, obliged);
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

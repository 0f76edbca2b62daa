/* gateway/errand.c - the way of a session's requests through the gate: the pipeline's
 * arrows, for each of them anew. */
#include "errand.h"

#include <stdlib.h>

#include "budget.h"

/* The session's request, for one touch of the errand. */
static struct request
request_for(const struct passage *passage, const struct errand_ask *ask,
            const struct errand_touch *touch)
{
    struct request request = passage->asked.request;

    request.action = touch->action;
    request.object = touch->object.size > 0 ? touch->object : SLICE_LITERAL("-");
    request.columns = touch->columns;
    request.where = ask->has_where;
    return request;
}

static struct errand_touch
nothing(const struct errand_ask *ask)
{
    return (struct errand_touch){ .action = ask->verb, .object = SLICE_LITERAL("-") };
}

static enum status
begin_line(struct passage *passage, const struct errand_ask *ask, const struct request *request,
           const struct finding *finding, audit_ticket *ticket)
{
    struct audit_event event = describe(passage, request, finding);

    event.statement = ask->statement;
    return audit_begin(passage->gate->journal, &event, ticket);
}

static void
refuse_line(struct passage *passage, const struct errand_ask *ask, const struct request *request,
            struct finding *finding)
{
    struct gate *gate = passage->gate;
    struct audit_outcome outcome = { .status = refusal_status(finding->refusal.kind) };
    struct audit_event event = describe(passage, request, finding);

    event.decision = AUDIT_DENY;
    event.statement = ask->statement;
    if (audit_line(gate->journal, &event, &outcome) != STATUS_OK &&
        gate->gateway->options.audit_mode == AUDIT_STRICT)
        finding_refuse_unaudited(finding);
    count_refusal(&gate->counters, finding->refusal.kind);
}

/* The lines that were begun before a later one was refused: their objects were not reached. */
static void
take_back(struct passage *passage, struct errand *errand, enum gate_refusal why)
{
    const struct errand_outcome outcome = { .status = refusal_status(why) };

    errand_end(passage, errand, &outcome);
}

/* What was decided for each touch, and what is held for all of them. */
struct deciding {
    const struct decision **decisions;
    struct budget_holds **budgets;
};

static bool
decide_all(struct passage *passage, const struct errand_ask *ask, struct arena *arena,
           struct finding *finding, struct deciding *out)
{
    for (size_t i = 0; i < ask->count; i++) {
        struct request request = request_for(passage, ask, &ask->touches[i]);

        if (!find_decision(passage, &request, arena, finding) ||
            !budgets_take(passage, finding, out->budgets) || !hold_rates(passage->gate, finding)) {
            refuse_line(passage, ask, &request, finding);
            return false;
        }
        out->decisions[i] = finding->decision;
    }
    return true;
}

static bool
begin_lines(struct passage *passage, const struct errand_ask *ask, struct finding *finding,
            const struct decision *const *decisions, struct errand *errand)
{
    for (size_t i = 0; i < ask->count; i++) {
        struct request request = request_for(passage, ask, &ask->touches[i]);
        audit_ticket *ticket = i == 0 ? &errand->ticket : &errand->more[errand->more_count];

        finding->decision = decisions[i];
        decision_limit(decisions[i], &errand->limits);
        if (begin_line(passage, ask, &request, finding, ticket) != STATUS_OK)
            return finding_refuse_unaudited(finding);
        errand->more_count += i > 0;
    }
    return true;
}

/* What touches nothing is free to everybody who may be here at all. */
static bool
begin_free(struct passage *passage, const struct errand_ask *ask, struct arena *arena,
           struct finding *finding, struct errand *errand)
{
    const struct errand_touch touch = nothing(ask);
    struct request request = request_for(passage, ask, &touch);

    if (!find_admission(passage, arena, finding)) {
        refuse_line(passage, ask, &request, finding);
        return false;
    }
    return begin_line(passage, ask, &request, finding, &errand->ticket) == STATUS_OK ||
           finding_refuse_unaudited(finding);
}

static bool
make_room(const struct errand_ask *ask, struct arena *arena, struct errand *errand,
          const struct decision ***decisions)
{
    *decisions = arena_take(arena, (ask->count + 1) * sizeof(**decisions));
    if (ask->count > 1)
        errand->more = calloc(ask->count - 1, sizeof(*errand->more));
    return *decisions != NULL && (ask->count < 2 || errand->more != NULL);
}

static bool
let_through(struct passage *passage, const struct errand_ask *ask, struct arena *arena,
            struct finding *finding, struct errand *errand)
{
    const struct decision **decisions;

    if (ask->count == 0)
        return begin_free(passage, ask, arena, finding, errand);
    if (!make_room(ask, arena, errand, &decisions))
        return finding_refuse(finding, GATE_BUSY, SLICE_LITERAL("the gateway is out of memory"));
    struct deciding deciding = { decisions, &errand->budgets };
    return decide_all(passage, ask, arena, finding, &deciding) &&
           begin_lines(passage, ask, finding, decisions, errand);
}

bool
errand_begin(struct passage *passage, const struct errand_ask *ask, struct arena *arena,
             struct errand *out, struct refusal *refusal)
{
    struct gate *gate = passage->gate;
    struct errand errand = { .began_us = lane_mono_us(gate->lane) };
    struct finding finding = { 0 };
    const struct errand_touch touch = ask->count > 0 ? ask->touches[0] : nothing(ask);
    struct request request = request_for(passage, ask, &touch);

    if (!find_credential(passage, arena, &finding) ||
        !prove(passage, &finding.credential, arena, &finding.refusal) ||
        !has_audit_room(gate, &finding)) {
        refuse_line(passage, ask, &request, &finding);
    } else if (let_through(passage, ask, arena, &finding, &errand)) {
        counter_add(&gate->counters.allowed, 1);
        *out = errand;
        return true;
    }
    take_back(passage, &errand, finding.refusal.kind);
    *refusal = finding.refusal;
    return false;
}

bool
errand_again(struct passage *passage, const struct errand_ask *ask, struct arena *arena,
             struct errand *errand, struct refusal *refusal)
{
    struct gate *gate = passage->gate;
    struct finding finding = { 0 };
    const struct errand_touch touch = ask->count > 0 ? ask->touches[0] : nothing(ask);
    struct request request = request_for(passage, ask, &touch);
    struct deciding deciding = { arena_take(arena, (ask->count + 1) * sizeof(*deciding.decisions)),
                                 &errand->budgets };
    bool known = find_credential(passage, arena, &finding) &&
                 prove(passage, &finding.credential, arena, &finding.refusal);

    if (known && deciding.decisions == NULL)
        known = finding_refuse(&finding, GATE_BUSY, SLICE_LITERAL("the gateway is out of memory"));
    if (!known)
        refuse_line(passage, ask, &request, &finding);
    if (!known || !decide_all(passage, ask, arena, &finding, &deciding)) {
        *refusal = finding.refusal;
        return false;
    }
    audit_more(gate->journal, errand->ticket);
    for (size_t i = 0; i < errand->more_count; i++)
        audit_more(gate->journal, errand->more[i]);
    counter_add(&gate->counters.allowed, 1);
    return true;
}

bool
errand_may(struct passage *passage, const struct errand_ask *ask, struct arena *arena,
           struct sql_limits *limits, struct refusal *refusal)
{
    struct finding finding = { 0 };
    const struct errand_touch touch = ask->count > 0 ? ask->touches[0] : nothing(ask);
    struct request request = request_for(passage, ask, &touch);
    bool allowed = find_credential(passage, arena, &finding) &&
                   prove(passage, &finding.credential, arena, &finding.refusal) &&
                   (ask->count > 0 || find_admission(passage, arena, &finding));

    *limits = (struct sql_limits){ 0 };
    for (size_t i = 0; i < ask->count && allowed; i++) {
        request = request_for(passage, ask, &ask->touches[i]);
        allowed = find_decision(passage, &request, arena, &finding);
        if (allowed)
            decision_limit(finding.decision, limits);
    }
    if (allowed)
        return true;
    refuse_line(passage, ask, &request, &finding);
    *refusal = finding.refusal;
    return false;
}

void
errand_refuse(struct passage *passage, const struct errand_ask *ask, struct arena *arena,
              struct refusal *refusal)
{
    struct finding finding = { 0 };
    const struct errand_touch touch = ask->count > 0 ? ask->touches[0] : nothing(ask);
    struct request request = request_for(passage, ask, &touch);

    /* Who it was; whether the token still holds is the next look's question. */
    (void)find_credential(passage, arena, &finding);
    finding.refusal = *refusal;
    refuse_line(passage, ask, &request, &finding);
    *refusal = finding.refusal;
}

static void
end_lines(struct passage *passage, const struct errand *errand,
          const struct errand_outcome *outcome)
{
    struct gate *gate = passage->gate;
    struct audit_outcome said = {
        .status = outcome->status,
        .bytes_in = outcome->bytes_in,
        .bytes_out = outcome->bytes_out,
        .duration_us = lane_mono_us(gate->lane) - errand->began_us,
    };

    audit_end(gate->journal, errand->ticket, &said);
    /* The bytes are told once. */
    said.bytes_in = said.bytes_out = 0;
    for (size_t i = 0; i < errand->more_count; i++)
        audit_end(gate->journal, errand->more[i], &said);
    budgets_spend(gate, errand->budgets, outcome->bytes_in + outcome->bytes_out);
}

void
errand_end(struct passage *passage, struct errand *errand, const struct errand_outcome *outcome)
{
    end_lines(passage, errand, outcome);
    budgets_end(passage->gate, &errand->budgets);
    free(errand->more);
    *errand = (struct errand){ 0 };
}

void
errand_end_queued(struct passage *passage, struct errand *errand,
                  const struct errand_outcome *outcome, struct budget_holds **held)
{
    end_lines(passage, errand, outcome);
    budgets_join(passage->gate, held, &errand->budgets);
    free(errand->more);
    *errand = (struct errand){ 0 };
}

void
errand_settle(struct passage *passage, struct budget_holds **held, uint64_t bytes)
{
    budgets_settle(passage->gate, held, bytes);
}

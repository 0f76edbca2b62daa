/* gateway/budget.c - holds the budgets of rights: how often, how many at once, how much; from the
 * decision to the one exit. */
#include "budget.h"

#include <stdlib.h>

/* What is under way may end, unless it takes the bytes of so many periods. */
enum { BY_FAR = 2 };

struct hold {
    struct budget budget;
    uint32_t place;
};

struct budget_holds {
    struct budget_holds *next; /* that are held together with it (budgets_join) */
    uint64_t spent;
    size_t count;
    struct hold items[];
};

static uint64_t
now_ms(const struct gate *gate)
{
    return lane_mono_us(gate->lane) / 1000;
}

static bool
refuse(struct finding *finding, enum gate_refusal kind, struct slice reason, uint64_t retry_ms)
{
    finding->refusal = (struct refusal){
        .kind = kind,
        .reason = reason,
        .right = decision_right(finding->decision),
        .retry_after_s = (uint32_t)(retry_ms / 1000 + 1),
    };
    return false;
}

static bool
refuse_spent(struct finding *finding, uint64_t retry_ms)
{
    return refuse(finding, GATE_RATE, SLICE_LITERAL("the right's max_bytes is used up for now"),
                  retry_ms);
}

/* --- how often ------------------------------------------------------------------------ */

bool
hold_rates(struct gate *gate, struct finding *finding)
{
    const struct rate_obligation *rates;
    size_t count = decision_rates(finding->decision, &rates);
    uint64_t retry_ms = 0;

    for (size_t i = 0; i < count; i++) {
        enum status status = rate_take(gate->gateway->options.rates, rates[i].key, rates[i].most,
                                       rates[i].period_ms, now_ms(gate), &retry_ms);

        if (status == STATUS_LIMIT)
            return refuse(finding, GATE_RATE,
                          SLICE_LITERAL("the right's max_rate is used up for now"), retry_ms);
        if (status != STATUS_OK)
            return refuse(finding, GATE_BUSY,
                          SLICE_LITERAL("the gateway has no room to count this right's max_rate"),
                          0);
    }
    return true;
}

/* --- how many at once, and how much ------------------------------------------------------ */

static bool
make_room(struct budget_holds **holds, size_t more)
{
    struct budget_holds *old = *holds;
    size_t count = old == NULL ? 0 : old->count;
    struct budget_holds *longer =
        realloc(old, sizeof *longer + (count + more) * sizeof longer->items[0]);

    if (longer == NULL)
        return false;
    if (old == NULL)
        *longer = (struct budget_holds){ 0 };
    *holds = longer;
    return true;
}

static const struct hold *
find(const struct budget_holds *holds, uint64_t key)
{
    for (size_t i = 0; i < holds->count; i++) {
        if (holds->items[i].budget.key == key)
            return &holds->items[i];
    }
    return NULL;
}

static bool
take(struct gate *gate, struct finding *finding, const struct budget_obligation *obligation,
     struct budget_holds *holds)
{
    struct budget_table *table = gate->gateway->options.budgets;
    struct hold *hold = &holds->items[holds->count];
    const struct hold *held = find(holds, obligation->key);
    uint64_t retry_ms = 0;

    /* What is open already counts once; its bytes must still be there. */
    if (held != NULL)
        return budget_ask(table, held->place, &held->budget, 1, now_ms(gate), &retry_ms) ==
                   STATUS_OK ||
               refuse_spent(finding, retry_ms);
    hold->budget = (struct budget){ .key = obligation->key,
                                    .most_open = obligation->limits.most_open,
                                    .most_bytes = obligation->limits.most_bytes,
                                    .period_ms = obligation->limits.period_ms };
    switch (budget_enter(table, &hold->budget, now_ms(gate), &hold->place, &retry_ms)) {
    case STATUS_OK:
        holds->count++;
        return true;
    case STATUS_LIMIT:
        return retry_ms > 0
                   ? refuse_spent(finding, retry_ms)
                   : refuse(finding, GATE_RATE,
                            SLICE_LITERAL("as many calls are open as the right's max_concurrent "
                                          "allows: let one end first"),
                            0);
    default:
        return refuse(finding, GATE_BUSY,
                      SLICE_LITERAL("the gateway has no room to count this right's budget"), 0);
    }
}

bool
budgets_take(struct passage *passage, struct finding *finding, struct budget_holds **holds)
{
    const struct budget_obligation *obligations;
    size_t count = decision_budgets(finding->decision, &obligations);

    if (count == 0)
        return true;
    if (!passage->door->carries)
        return refuse(finding, GATE_UNCHECKED,
                      SLICE_LITERAL("the right has max_concurrent or max_bytes, which can't be "
                                    "held where the request passes elsewhere"),
                      0);
    if (passage->asked.outlasts)
        return refuse(finding, GATE_UNCHECKED,
                      SLICE_LITERAL("the right has max_concurrent or max_bytes, which can't be "
                                    "held for a task: call it without"),
                      0);
    if (!make_room(holds, count))
        return refuse(finding, GATE_BUSY, SLICE_LITERAL("the gateway is out of memory"), 0);
    for (size_t i = 0; i < count; i++) {
        if (!take(passage->gate, finding, &obligations[i], *holds))
            return false;
    }
    return true;
}

void
budgets_spend(struct gate *gate, struct budget_holds *holds, uint64_t moved)
{
    struct budget_table *table = gate->gateway->options.budgets;

    if (holds == NULL || moved <= holds->spent)
        return;
    for (size_t i = 0; i < holds->count; i++)
        budget_spend(table, holds->items[i].place, &holds->items[i].budget, moved - holds->spent,
                     now_ms(gate));
    holds->spent = moved;
}

void
budgets_end(struct gate *gate, struct budget_holds **holds)
{
    if (*holds == NULL)
        return;
    for (size_t i = 0; i < (*holds)->count; i++)
        budget_leave(gate->gateway->options.budgets, (*holds)->items[i].place, now_ms(gate));
    free(*holds);
    *holds = NULL;
}

static bool
held_already(const struct budget_holds *held, uint64_t key)
{
    while (held != NULL && find(held, key) == NULL)
        held = held->next;
    return held != NULL;
}

void
budgets_join(struct gate *gate, struct budget_holds **held, struct budget_holds **more)
{
    struct budget_holds *joining = *more;
    size_t left = 0;

    if (joining == NULL)
        return;
    for (size_t i = 0; i < joining->count; i++) {
        if (held_already(*held, joining->items[i].budget.key))
            budget_leave(gate->gateway->options.budgets, joining->items[i].place, now_ms(gate));
        else
            joining->items[left++] = joining->items[i];
    }
    joining->count = left;
    joining->spent = 0;
    joining->next = *held;
    *held = joining;
    *more = NULL;
    if (left == 0) {
        *held = joining->next;
        free(joining);
    }
}

void
budgets_settle(struct gate *gate, struct budget_holds **held, uint64_t bytes)
{
    while (*held != NULL) {
        struct budget_holds *holds = *held, *next = holds->next;

        budgets_spend(gate, holds, bytes);
        budgets_end(gate, &holds);
        *held = next;
    }
}

bool
budgets_still_hold(struct passage *passage, struct refusal *why)
{
    struct gate *gate = passage->gate;
    struct budget_holds *holds = passage->budgets;
    uint64_t retry_ms;

    if (holds == NULL)
        return true;
    budgets_spend(gate, holds, passage->door->traffic(passage));
    for (size_t i = 0; i < holds->count; i++) {
        if (budget_ask(gate->gateway->options.budgets, holds->items[i].place,
                       &holds->items[i].budget, BY_FAR, now_ms(gate), &retry_ms) == STATUS_OK)
            continue;
        *why = (struct refusal){
            .kind = GATE_RATE,
            .reason = SLICE_LITERAL("it has taken twice what the right's max_bytes allows"),
        };
        return false;
    }
    return true;
}

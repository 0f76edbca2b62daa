/* gateway/recheck.c - open passages against the picture of now: what no longer
 * holds is cut, so that a revocation reaches what was let through before it. */
#include "budget.h"

typedef bool (*keeps)(struct passage *passage, struct refusal *why);

static bool
holds(struct passage *passage, struct refusal *why)
{
    return pipeline_still_holds(passage, &passage->gate->scratch, why) &&
           (passage->door->holds == NULL || passage->door->holds(passage, why));
}

static void
cut_unless(struct gate *gate, keeps keep)
{
    struct passage *next;

    for (struct passage *at = gate->open.next; at != &gate->open; at = next) {
        struct refusal why = { 0 };

        next = at->next;
        /* A claiming one is judged again when its claim is answered. */
        if (at->state != PASSAGE_OPEN)
            continue;
        if (!keep(at, &why)) {
            counter_add(&gate->counters.cut, 1);
            at->door->cut(at, &why);
        }
        arena_reset(&gate->scratch);
    }
}

void
recheck_all(struct gate *gate)
{
    cut_unless(gate, holds);
}

void
recheck_budgets(struct gate *gate)
{
    cut_unless(gate, budgets_still_hold);
}

static bool
none(struct passage *passage, struct refusal *why)
{
    *why = (struct refusal){ .kind = GATE_BUSY,
                             .reason = SLICE_LITERAL("the gateway is being stopped") };
    return false;
}

void
cut_all(struct gate *gate)
{
    cut_unless(gate, none);
}

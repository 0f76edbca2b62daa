/* gateway/recheck.c - open passages against the picture of now: what no longer
 * holds is cut, so that a revocation reaches what was let through before it. */
#include "pipeline.h"

static bool
holds(struct passage *passage)
{
    struct gate *gate = passage->gate;
    bool result = pipeline_still_holds(passage, &gate->scratch);

    arena_reset(&gate->scratch);
    return result;
}

static void
cut_unless(struct gate *gate, bool (*keep)(struct passage *passage))
{
    struct passage *next;

    for (struct passage *at = gate->open.next; at != &gate->open; at = next) {
        next = at->next;
        /* A claiming one is judged again when its claim is answered. */
        if (at->state != PASSAGE_OPEN || keep(at))
            continue;
        counter_add(&gate->counters.cut, 1);
        at->door->cut(at);
    }
}

void
recheck_all(struct gate *gate)
{
    cut_unless(gate, holds);
}

static bool
none(struct passage *passage)
{
    return false;
}

void
cut_all(struct gate *gate)
{
    cut_unless(gate, none);
}

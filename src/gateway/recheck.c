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
cut(struct passage *passage)
{
    counter_add(&passage->gate->counters.cut, 1);
    if (passage->state == PASSAGE_CLAIMING)
        passage->revoked = true;
    else
        passage->door->cut(passage);
}

static void
cut_unless(struct gate *gate, bool (*keep)(struct passage *passage))
{
    struct passage *next;

    for (struct passage *at = gate->open.next; at != &gate->open; at = next) {
        next = at->next;
        if (at->state != PASSAGE_NEW && !keep(at))
            cut(at);
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

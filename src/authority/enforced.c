/* authority/enforced.c - how long revocations take from their call until they hold: on this
 * node, and on every node of the fleet, whether somebody waits for that or not. */
#include <inttypes.h>

#include "internal.h"

#include "base/clock.h"

static const uint64_t bounds_us[] = { 1000,   2500,   5000,    10000,   25000,   50000,
                                      100000, 250000, 1000000, 2500000, 5000000, 10000000 };
_Static_assert(sizeof bounds_us / sizeof bounds_us[0] + 1 == ENFORCED_BUCKETS,
               "the last bucket is for what took longer");

static void
count(struct enforced_times *times, uint64_t took_us)
{
    size_t bucket = 0;

    while (bucket < ENFORCED_BUCKETS - 1 && took_us > bounds_us[bucket])
        bucket++;
    times->buckets[bucket]++;
    times->sum_us += took_us;
}

void
enforced_here(struct authority *authority, uint64_t started_us)
{
    struct enforced *enforced = &authority->revocations;

    count(&enforced->node, clock_mono_us() - started_us);
    if (authority->fleet == NULL || enforced->pending_count == ENFORCED_PENDING)
        return; /* a flood of revocations is known well enough by some of them */
    enforced->pending[enforced->pending_count++] =
        (struct enforced_pending){ .seq = store_seq(authority->store), .started_us = started_us };
}

bool
enforced_waits(const struct authority *authority)
{
    return authority->revocations.pending_count > 0;
}

void
enforced_look(struct authority *authority)
{
    struct enforced *enforced = &authority->revocations;
    uint64_t now = clock_mono_us();
    size_t kept = 0;

    for (size_t i = 0; i < enforced->pending_count; i++) {
        const struct enforced_pending *pending = &enforced->pending[i];

        if (fleet_enforces(authority, pending->seq))
            count(&enforced->fleet, now - pending->started_us);
        else
            enforced->pending[kept++] = *pending;
    }
    enforced->pending_count = kept;
}

static void
put_times(struct buffer *out, const char *scope, const struct enforced_times *times)
{
    static const char name[] = "writ_revocation_enforced_seconds";
    uint64_t total = 0;

    for (size_t i = 0; i < ENFORCED_BUCKETS; i++) {
        total += times->buckets[i];
        put_format(out, "%s_bucket{scope=\"%s\",le=\"", name, scope);
        if (i == ENFORCED_BUCKETS - 1)
            put_text(out, "+Inf");
        else
            put_format(out, "%g", (double)bounds_us[i] / 1e6);
        put_format(out, "\"} %" PRIu64 "\n", total);
    }
    put_format(out,
               "%s_sum{scope=\"%s\"} %.6f\n"
               "%s_count{scope=\"%s\"} %" PRIu64 "\n",
               name, scope, (double)times->sum_us / 1e6, name, scope, total);
}

void
enforced_write(const struct authority *authority, struct buffer *out)
{
    put_text(
        out,
        "# HELP writ_revocation_enforced_seconds From a revoke's call until it is durable and "
        "every lane enforces it, open sessions cut: of this node, of every node of the fleet.\n"
        "# TYPE writ_revocation_enforced_seconds histogram\n");
    put_times(out, "node", &authority->revocations.node);
    if (authority->fleet != NULL)
        put_times(out, "fleet", &authority->revocations.fleet);
}

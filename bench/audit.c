/* bench/audit.c - what one event costs the lane and the audit thread, and how long
 * a search over many takes: bench-audit [EVENTS] [DIR]. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "audit/audit.h"
#include "audit/search.h"
#include "base/clock.h"

static double
cpu_seconds(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct audit_event
event_of(unsigned i, char text[160])
{
    struct audit_event event = { .at = clock_wall_ms(),
                                 .session = i / 10,
                                 .subject_type = SLICE_LITERAL("service"),
                                 .role = SLICE_LITERAL("support"),
                                 .resource = SLICE_LITERAL("orders"),
                                 .action = SLICE_LITERAL("GET"),
                                 .right = SLICE_LITERAL("orders:GET|HEAD:/v1/orders/**"),
                                 .agent = SLICE_LITERAL("python-requests/2.31.0"),
                                 .peer = { .family = IP_V4, .bytes = { 10, 0, 0, 1 } },
                                 .peer_port = 40000,
                                 .decision = i % 100 == 0 ? AUDIT_DENY : AUDIT_ALLOW };

    event.subject = slice_of(text, (size_t)sprintf(text, "subject-%u", i % 1000));
    event.token = slice_of(text + 32, (size_t)sprintf(text + 32, "2Vh7TzKp9QxN4mLb%06u", i % 5000));
    event.object = slice_of(text + 96, (size_t)sprintf(text + 96, "/v1/orders/%u", i));
    return event;
}

/* The lane's cost is its CPU over bursts; in between the sealer catches up. */
static double
write_events(struct audit *audit, unsigned events)
{
    enum { BURST = 4096 };
    static struct audit_event burst[BURST];
    static char text[BURST][160];
    const struct audit_outcome outcome = { .status = 200, .bytes_out = 512, .duration_us = 300 };
    struct audit_journal *journal = audit_journal_of(audit, 0);
    double spent = 0;

    for (unsigned done = 0; done < events; done += BURST) {
        for (unsigned i = 0; i < BURST; i++)
            burst[i] = event_of(done + i, text[i]);
        double before = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
        for (unsigned i = 0; i < BURST; i++) {
            audit_ticket ticket;

            if (audit_begin(journal, &burst[i], &ticket) == STATUS_OK)
                audit_end(journal, ticket, &outcome);
        }
        spent += cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - before;
        audit_flush(audit);
    }
    return spent;
}

static void
search(const char *dir, const char *name, const struct audit_query *query)
{
    struct audit_effort effort;
    struct fault fault;
    json_t *found;
    double best = 1e9;

    for (unsigned i = 0; i < 3; i++) {
        double before = cpu_seconds(CLOCK_MONOTONIC), took;

        if (audit_search(dir, query, &found, &fault) != STATUS_OK) {
            fprintf(stderr, "%s\n", fault.text);
            exit(1);
        }
        took = cpu_seconds(CLOCK_MONOTONIC) - before;
        best = took < best ? took : best;
        audit_effort(&effort);
        if (i == 2)
            printf("search %-28s %8.2f ms  %zu found, %llu lines and %llu bytes read\n", name,
                   best * 1e3, json_array_size(json_object_get(found, "items")),
                   (unsigned long long)effort.lines, (unsigned long long)effort.bytes);
        json_decref(found);
    }
}

static void
searches(const char *dir)
{
    const struct audit_advice_query advice = { .subject = SLICE_LITERAL("subject-7") };
    struct fault fault;
    json_t *found;
    double before;

    search(dir, "newest", &(struct audit_query){ 0 });
    search(dir, "subject", &(struct audit_query){ .subject = SLICE_LITERAL("subject-7") });
    search(dir, "nobody", &(struct audit_query){ .subject = SLICE_LITERAL("nobody") });
    search(dir, "subject, never denied",
           &(struct audit_query){ .subject = SLICE_LITERAL("subject-7"),
                                  .decision = SLICE_LITERAL("deny") });
    search(
        dir, "token, all",
        &(struct audit_query){ .token = SLICE_LITERAL("2Vh7TzKp9QxN4mLb000007"), .limit = 10000 });
    before = cpu_seconds(CLOCK_MONOTONIC);
    if (audit_map(dir, 0, &found, &fault) == STATUS_OK)
        json_decref(found);
    printf("map    %37.2f ms\n", (cpu_seconds(CLOCK_MONOTONIC) - before) * 1e3);
    before = cpu_seconds(CLOCK_MONOTONIC);
    if (audit_advise(dir, &advice, &found, &fault) == STATUS_OK)
        json_decref(found);
    printf("advise %37.2f ms\n", (cpu_seconds(CLOCK_MONOTONIC) - before) * 1e3);
}

int
main(int argc, char **argv)
{
    unsigned events = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    char made[] = "/tmp/bench-audit-XXXXXX";
    const struct secret seed = { .bytes = { 1 } };
    struct audit_options options = { .node = "bench", .journals = 1 };
    struct audit_verdict verdict;
    struct audit_stats stats;
    uint8_t key[ED25519_PUBLIC_SIZE];
    struct signer *signer;
    struct audit *audit;
    struct fault fault;

    options.dir = argc > 2 ? argv[2] : mkdtemp(made);
    if (options.dir == NULL || signer_new(&seed, &signer) != STATUS_OK)
        return 1;
    options.signer = signer;
    signer_public(signer, key);
    if (audit_open(&options, &audit, &fault) != STATUS_OK) {
        fprintf(stderr, "%s\n", fault.text);
        return 1;
    }
    double all = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
    double mine = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
    double lane = write_events(audit, events);
    audit_flush(audit);
    mine = cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - mine;
    all = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - all;
    audit_stats(audit, &stats);
    printf("%llu events in %s, %.0f bytes each\n", (unsigned long long)stats.sealed, options.dir,
           (double)stats.bytes / (double)stats.sealed);
    printf("lane   %8.0f ns for begin and end\n", lane * 1e9 / (double)stats.sealed);
    printf("sealer %8.2f us for an event, index included\n",
           (all - mine) * 1e6 / (double)stats.sealed);
    searches(options.dir);
    audit_close(audit);
    double before = cpu_seconds(CLOCK_MONOTONIC);
    enum status status = audit_verify(options.dir, key, NULL, &verdict, &fault);
    printf("verify %37.2f ms  %s\n", (cpu_seconds(CLOCK_MONOTONIC) - before) * 1e3,
           status == STATUS_OK ? "holds" : fault.text);
    signer_free(signer);
    return status != STATUS_OK;
}

/* audit/audit.c - opens the audit, and runs the thread that seals it. */
#include "audit/audit.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "recover.h"

/* While there are lines, passes are short and many: on a core that a lane shares, a
 * pass over thousands of lines would be seen in the lane's latency. */
enum { TICK_MS = 200, BUSY_MS = 5 };

struct audit {
    char *dir, *node;
    struct log log;
    struct sealer sealer;
    struct indexer indexer;
    struct audit_journal **journals;
    unsigned journal_count;
    struct waker waker;
    audit_head_keeper keep_head;
    void *context;
    uint64_t head_kept; /* the line of the last head that was given away */

    pthread_t thread;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t done;
    uint64_t flush_wanted, flush_done;
    bool stop;

    _Atomic uint64_t sealed, segments, bytes;
    _Atomic bool failing;
};

static void
publish_stats(struct audit *audit, enum status status)
{
    bool failing = status != STATUS_OK;
    const struct log *log = &audit->log;

    if (failing != atomic_load_explicit(&audit->failing, memory_order_relaxed))
        log_write(failing ? LOG_ERROR : LOG_INFO, "audit",
                  failing ? "the audit can't be written" : "the audit is written again", "reason",
                  failing && log->error != 0 ? strerror(log->error) : status_text(status), NULL);
    atomic_store_explicit(&audit->failing, failing, memory_order_relaxed);
    atomic_store_explicit(&audit->sealed, audit->sealer.sealed, memory_order_relaxed);
    atomic_store_explicit(&audit->segments, log->closed_count + (log->written.open ? 1 : 0),
                          memory_order_relaxed);
    atomic_store_explicit(&audit->bytes, log_bytes(log), memory_order_relaxed);
}

/* Signs and syncs what was written, then tells the store how far it goes: in this
 * order, so that the store never knows more than the disk. */
static enum status
sign(struct audit *audit)
{
    enum status status = log_sign(&audit->log);
    struct audit_head head = { .seq = audit->log.written.next_seq - 1 };

    if (status != STATUS_OK || audit->keep_head == NULL || head.seq == audit->head_kept)
        return status;
    memcpy(head.hash, audit->log.written.chain, HASH_SIZE);
    audit->keep_head(audit->context, &head);
    audit->head_kept = head.seq;
    return status;
}

struct pace {
    uint64_t ticked, signed_at, retained; /* monotonic us */
};

static enum status
seal_once(struct audit *audit, struct pace *pace, enum sealer_hurry hurry)
{
    uint64_t now = clock_mono_us();
    enum status status;

    audit->sealer.tick = now - pace->ticked >= (TICK_MS - 10) * UINT64_C(1000);
    if (audit->sealer.tick)
        pace->ticked = now;
    status = sealer_pass(&audit->sealer, hurry, clock_wall_ms());
    if (status == STATUS_OK && now - pace->signed_at >= UINT64_C(1000000)) {
        status = sign(audit);
        pace->signed_at = now;
    }
    if (status == STATUS_OK && now - pace->retained >= UINT64_C(60000000)) {
        status = log_retain(&audit->log, clock_wall_ms());
        pace->retained = now;
    }
    publish_stats(audit, status);
    return status;
}

/* A lane on the same core is to wait a fifth of a millisecond for this thread, not
 * for milliseconds, and to lose no more time by it (Linux 6.12, sched_setattr(2);
 * elsewhere it changes nothing). Not nice(2): that would starve the audit under load. */
static void
take_short_turns(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } wanted = { .size = sizeof wanted, .policy = SCHED_OTHER, .runtime = 200000 };

    (void)syscall(SYS_sched_setattr, 0, &wanted, 0);
}

static void *
run(void *context)
{
    struct audit *audit = context;
    /* The first pass does all three. */
    struct pace pace = { 0 };
    uint64_t wanted, sealed = 0;
    bool stop = false;

    take_short_turns();
    while (!stop) {
        waker_sleep(&audit->waker, audit->sealer.sealed != sealed ? BUSY_MS : TICK_MS);
        sealed = audit->sealer.sealed;
        pthread_mutex_lock(&audit->lock);
        wanted = audit->flush_wanted;
        stop = audit->stop;
        pthread_mutex_unlock(&audit->lock);
        (void)seal_once(audit, &pace, wanted != audit->flush_done ? SEALER_HURRY : SEALER_PATIENT);
        pthread_mutex_lock(&audit->lock);
        audit->flush_done = wanted;
        pthread_cond_broadcast(&audit->done);
        pthread_mutex_unlock(&audit->lock);
    }
    (void)!sign(audit);
    return NULL;
}

static enum status
start(struct audit *audit)
{
    sigset_t all, before;
    int error;

    /* Signals are for the threads that handle them. With SIGXFSZ held back, a file
     * at its limit is an error of write, as a full disk is. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&audit->thread, NULL, run, audit);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return STATUS_MEMORY;
    pthread_setname_np(audit->thread, "audit");
    return STATUS_OK;
}

static void
audit_free(struct audit *audit)
{
    for (unsigned i = 0; audit->journals != NULL && i < audit->journal_count; i++)
        ring_close(audit->journals[i]);
    free(audit->journals);
    indexer_stop(&audit->indexer);
    sealer_free(&audit->sealer);
    log_free(&audit->log);
    pthread_cond_destroy(&audit->done);
    pthread_mutex_destroy(&audit->lock);
    free(audit->dir);
    free(audit->node);
    free(audit);
}

static enum status
options_check(const struct audit_options *options, struct fault *fault)
{
    size_t size = options->journal_size;

    if (options->journals == 0 || options->journals > JOURNALS_MAX)
        return fault_set(fault, STATUS_INVALID, "between 1 and %d journals are possible",
                         JOURNALS_MAX);
    if (size != 0 && (size < RING_SIZE_LEAST || (size & (size - 1)) != 0))
        return fault_set(fault, STATUS_INVALID,
                         "a journal's size is a power of two, at least %d bytes", RING_SIZE_LEAST);
    if (strlen(options->node) > SEGMENT_NODE_MAX)
        return fault_set(fault, STATUS_INVALID, "a node's name has at most %d bytes",
                         SEGMENT_NODE_MAX);
    if (mkdir(options->dir, 0700) != 0 && errno != EEXIST)
        return fault_set(fault, errno == ENOSPC ? STATUS_FULL : STATUS_IO, "%s: %s", options->dir,
                         strerror(errno));
    return STATUS_OK;
}

static enum status
recover(struct audit *audit, const struct audit_options *options, struct fault *fault)
{
    const struct log_options log_options = { .dir = audit->dir,
                                             .node = audit->node,
                                             .signer = options->signer,
                                             .retention_ms = options->retention_ms,
                                             .segment_lines = options->segment_lines,
                                             .indexer = &audit->indexer };
    size_t size = options->journal_size == 0 ? RING_SIZE_USUAL : options->journal_size;
    struct recovery *recovery;
    enum status status = recovery_open(audit->dir, &recovery, fault);

    if (status != STATUS_OK)
        return status;
    status = log_open(&log_options, recovery_visit, recovery, &audit->log, fault);
    if (status == STATUS_OK)
        status =
            recovery_run(recovery, &audit->log, size, audit->journal_count, audit->journals, fault);
    recovery_free(recovery);
    return status;
}

enum status
audit_open(const struct audit_options *options, struct audit **out, struct fault *fault)
{
    struct audit *audit;
    enum status status = options_check(options, fault);

    if (status != STATUS_OK)
        return status;
    audit = calloc(1, sizeof *audit);
    if (audit == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    audit->log.fd = audit->log.lock = -1;
    pthread_mutex_init(&audit->lock, NULL);
    pthread_cond_init(&audit->done, NULL);
    audit->keep_head = options->keep_head;
    audit->context = options->context;
    audit->journal_count = options->journals;
    audit->journals = calloc(options->journals, sizeof(struct audit_journal *));
    audit->dir = strdup(options->dir);
    audit->node = strdup(options->node);
    if (audit->journals == NULL || audit->dir == NULL || audit->node == NULL)
        status = fault_set(fault, STATUS_MEMORY, "out of memory");
    if (status == STATUS_OK && !indexer_start(&audit->indexer, audit->dir))
        status = fault_set(fault, STATUS_MEMORY, "no thread can be started");
    if (status == STATUS_OK)
        status = recover(audit, options, fault);
    for (unsigned i = 0; status == STATUS_OK && i < audit->journal_count; i++) {
        audit->journals[i]->mode = options->mode;
        audit->journals[i]->waker = &audit->waker;
    }
    if (status == STATUS_OK) {
        status = sealer_init(&audit->sealer, &audit->log, audit->journals, audit->journal_count);
        publish_stats(audit, STATUS_OK);
        if (status == STATUS_OK)
            status = start(audit);
        if (status != STATUS_OK)
            fault_set(fault, status, "the audit thread can't be started");
    }
    if (status != STATUS_OK) {
        audit_free(audit);
        return status;
    }
    *out = audit;
    return STATUS_OK;
}

struct audit_journal *
audit_journal_of(struct audit *audit, unsigned index)
{
    return index < audit->journal_count ? audit->journals[index] : NULL;
}

void
audit_flush(struct audit *audit)
{
    uint64_t wanted;

    pthread_mutex_lock(&audit->lock);
    wanted = ++audit->flush_wanted;
    while (audit->flush_done < wanted) {
        waker_wake(&audit->waker);
        pthread_cond_wait(&audit->done, &audit->lock);
    }
    pthread_mutex_unlock(&audit->lock);
}

void
audit_close(struct audit *audit)
{
    if (audit == NULL)
        return;
    pthread_mutex_lock(&audit->lock);
    audit->flush_wanted++;
    audit->stop = true;
    pthread_mutex_unlock(&audit->lock);
    waker_wake(&audit->waker);
    pthread_join(audit->thread, NULL);
    audit_free(audit);
}

void
audit_stats(const struct audit *audit, struct audit_stats *out)
{
    *out = (struct audit_stats){
        .sealed = atomic_load_explicit(&audit->sealed, memory_order_relaxed),
        .segments = atomic_load_explicit(&audit->segments, memory_order_relaxed),
        .bytes = atomic_load_explicit(&audit->bytes, memory_order_relaxed),
        .failing = atomic_load_explicit(&audit->failing, memory_order_relaxed),
    };
    for (unsigned i = 0; i < audit->journal_count; i++) {
        out->lost += atomic_load_explicit(&audit->journals[i]->lost, memory_order_relaxed);
        out->refused += atomic_load_explicit(&audit->journals[i]->refused, memory_order_relaxed);
    }
}

/* audit/sealer.c - copies lines from the journals into the log, chained. */
#include "sealer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

enum status
sealer_init(struct sealer *sealer, struct log *log, struct audit_journal **journals, unsigned count)
{
    *sealer = (struct sealer){ .log = log, .journals = journals, .journal_count = count };
    sealer->releases = malloc(SEALER_RELEASES * sizeof *sealer->releases);
    return sealer->releases == NULL ? STATUS_MEMORY : STATUS_OK;
}

void
sealer_free(struct sealer *sealer)
{
    free(sealer->releases);
    sealer->releases = NULL;
}

/* A folded line may grow until the second of its time is over. */
static int64_t
second_over(const uint8_t *frame)
{
    return (record_at(frame) / MS_SECOND + 1) * MS_SECOND;
}

static void
watch(const struct release *release)
{
    struct audit_journal *journal = release->journal;

    atomic_store_explicit(&journal->slots[release->slot].seq, release->seq, memory_order_relaxed);
    journal->watches[journal->watch_count++] = (struct watch){ .slot = release->slot,
                                                               .count = release->count,
                                                               .seq = release->seq,
                                                               .second = release->second };
}

/* The batch is written: journals let go of what it holds. For a crash in between,
 * an open line's slot knows its seq before the line may be gone, and no slot is
 * taken again while the line that had it still stands. */
static void
release_all(struct sealer *sealer)
{
    for (size_t i = 0; i < sealer->release_count; i++)
        if (sealer->releases[i].watch)
            watch(&sealer->releases[i]);
    for (unsigned i = 0; i < sealer->journal_count; i++) {
        struct audit_journal *journal = sealer->journals[i];

        atomic_store_explicit(&journal->shared->tail, journal->tail, memory_order_release);
    }
    for (size_t i = 0; i < sealer->release_count; i++)
        if (!sealer->releases[i].watch)
            ring_give_back(sealer->releases[i].journal, sealer->releases[i].slot);
    sealer->release_count = 0;
}

static void
forget_emitted(struct audit_journal *journal, bool written)
{
    size_t kept = 0;

    for (size_t i = 0; i < journal->watch_count; i++) {
        if (written && journal->watches[i].emitted)
            continue;
        journal->watches[kept] = journal->watches[i];
        journal->watches[kept++].emitted = false;
    }
    journal->watch_count = kept;
}

static enum status
flush(struct sealer *sealer)
{
    uint64_t before = sealer->log->written.next_seq;
    enum status status = log_flush(sealer->log);

    for (unsigned i = 0; i < sealer->journal_count; i++)
        forget_emitted(sealer->journals[i], status == STATUS_OK);
    if (status == STATUS_OK) {
        sealer->sealed += sealer->log->written.next_seq - before;
        release_all(sealer);
        return STATUS_OK;
    }
    sealer->release_count = 0;
    for (unsigned i = 0; i < sealer->journal_count; i++)
        sealer->journals[i]->tail =
            atomic_load_explicit(&sealer->journals[i]->shared->tail, memory_order_relaxed);
    return status;
}

/* Room for one more frame: flushes a full batch, closes a full segment. */
static enum status
make_room(struct sealer *sealer, int64_t now)
{
    enum status status = STATUS_OK;

    if (log_batch_full(sealer->log) || sealer->release_count == SEALER_RELEASES) {
        status = flush(sealer);
        if (status == STATUS_OK && log_close_due(sealer->log, now))
            status = log_close_segment(sealer->log);
    }
    return status == STATUS_OK ? log_ready(sealer->log) : status;
}

struct drain {
    struct sealer *sealer;
    struct audit_journal *journal;
    uint64_t head;
    enum sealer_hurry hurry;
    int64_t now;
};

/* May a folded line whose second this is still grow? */
static bool
fold_grows(const struct drain *drain, int64_t second)
{
    return drain->hurry != SEALER_LAST && second > drain->now;
}

enum verdict { LINE_WAITS, LINE_WHOLE, LINE_WATCHED };

/* What is to be done with a line that has a slot; completes the copied frame. */
static enum verdict
settle(const struct drain *drain, struct slot *slot, uint8_t *frame, bool patience_over,
       struct release *release)
{
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);

    switch (SLOT_KIND(state)) {
    case SLOT_ENDED:
        record_complete(frame, 1 + (uint32_t)SLOT_COUNT(state), &slot->outcome);
        return LINE_WHOLE;
    case SLOT_OPEN:
        if (!patience_over)
            return LINE_WAITS;
        record_open(frame);
        release->second = INT64_MAX;
        return LINE_WATCHED;
    case SLOT_FOLD:
        release->second = second_over(frame);
        if (!fold_grows(drain, release->second))
            state = atomic_fetch_or_explicit(&slot->state, SLOT_CLOSED, memory_order_acq_rel);
        else if (!patience_over)
            return LINE_WAITS;
        release->count = (uint32_t)SLOT_COUNT(state);
        record_complete(frame, release->count, &slot->outcome);
        return fold_grows(drain, release->second) ? LINE_WATCHED : LINE_WHOLE;
    default:
        /* Free: none that a lane began. It is kept as it stands. */
        return LINE_WHOLE;
    }
}

/* Seals the line at the tail; *waits when it is open and may still end soon. */
static enum status
take_line(const struct drain *drain, const struct line_head *line, struct slice source, bool *waits)
{
    struct audit_journal *journal = drain->journal;
    struct log *log = drain->sealer->log;
    uint8_t *frame = log_place(log);
    struct release release = { .journal = journal, .slot = line->slot, .seq = log->now.next_seq };
    bool patience_over = drain->hurry != SEALER_PATIENT || line->position < journal->patience[0];
    enum verdict verdict = LINE_WHOLE;
    enum status status;
    int64_t at;

    memcpy(frame, source.at, source.size);
    if (line->slot != SLOT_NONE)
        verdict = settle(drain, &journal->slots[line->slot], frame, patience_over, &release);
    if (verdict == LINE_WAITS) {
        *waits = true;
        return STATUS_OK;
    }
    release.watch = verdict == LINE_WATCHED;
    record_place(frame, log->now.next_seq, journal->number, line->position);
    at = record_at(frame);
    status = log_append(log, source.size, FRAME_LINE, at);
    if (status == STATUS_OK && line->slot != SLOT_NONE)
        drain->sealer->releases[drain->sealer->release_count++] = release;
    return status;
}

/* From a place that holds no sound line nothing behind it can be read either. */
static void
skip_damage(const struct drain *drain)
{
    drain->sealer->damaged++;
    log_write(LOG_ERROR, "audit", "a journal is damaged; what it held is lost", NULL);
    drain->journal->tail = drain->head;
}

static enum status
drain_lines(const struct drain *drain)
{
    struct audit_journal *journal = drain->journal;
    enum status status = STATUS_OK;
    bool waits = false;

    while (status == STATUS_OK && journal->tail < drain->head) {
        struct line_head line;
        struct slice source;

        if (!ring_line(journal, journal->tail, drain->head, &line, &source)) {
            skip_damage(drain);
            break;
        }
        if (line.slot != SLOT_PAD) {
            status = make_room(drain->sealer, drain->now);
            if (status == STATUS_OK)
                status = take_line(drain, &line, source, &waits);
            if (status != STATUS_OK || waits)
                break;
        }
        journal->tail += line.size;
    }
    return status;
}

/* The ends of lines that the log holds as open, the last counts of folds. */
static enum status
drain_ends(const struct drain *drain)
{
    struct audit_journal *journal = drain->journal;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < journal->watch_count && status == STATUS_OK; i++) {
        struct watch watch = journal->watches[i];
        struct slot *slot = &journal->slots[watch.slot];
        uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
        struct ending ending = { .seq = watch.seq, .count = 1 };

        if (SLOT_KIND(state) == SLOT_FOLD && !fold_grows(drain, watch.second)) {
            state = atomic_fetch_or_explicit(&slot->state, SLOT_CLOSED, memory_order_acq_rel);
            ending.count = (uint32_t)SLOT_COUNT(state);
        } else if (SLOT_KIND(state) == SLOT_ENDED) {
            ending.count += (uint32_t)SLOT_COUNT(state);
        } else {
            continue;
        }
        /* A flush inside reorders the watches: those of this pass that are written
         * are gone, so the walk begins again behind it. */
        size_t before = journal->watch_count;
        status = make_room(drain->sealer, drain->now);
        if (status != STATUS_OK)
            break;
        if (journal->watch_count != before) {
            i = SIZE_MAX;
            continue;
        }
        if (SLOT_KIND(state) == SLOT_ENDED || ending.count != watch.count) {
            ending.outcome = slot->outcome;
            ending_write(&ending, log_place(drain->sealer->log));
            status = log_append(drain->sealer->log, ENDING_SIZE, FRAME_END, 0);
        }
        if (status == STATUS_OK) {
            journal->watches[i].emitted = true;
            drain->sealer->releases[drain->sealer->release_count++] =
                (struct release){ .journal = journal, .slot = watch.slot };
        }
    }
    return status;
}

static enum status
drain_journal(struct sealer *sealer, struct audit_journal *journal, enum sealer_hurry hurry,
              int64_t now)
{
    struct drain drain = { .sealer = sealer, .journal = journal, .hurry = hurry, .now = now };
    enum status status;

    drain.head = atomic_load_explicit(&journal->shared->head, memory_order_acquire);
    /* Under pressure, too, no line is waited for. */
    if (hurry == SEALER_PATIENT && drain.head > journal->tail &&
        drain.head - journal->tail > (journal->mask + 1) / 4)
        drain.hurry = SEALER_HURRY;
    status = drain_ends(&drain);
    if (status == STATUS_OK)
        status = drain_lines(&drain);
    if (sealer->tick) {
        journal->patience[0] = journal->patience[1];
        journal->patience[1] = drain.head;
    }
    return status;
}

enum status
sealer_pass(struct sealer *sealer, enum sealer_hurry hurry, int64_t now)
{
    enum status status = STATUS_OK;

    for (unsigned i = 0; i < sealer->journal_count && status == STATUS_OK; i++)
        status = drain_journal(sealer, sealer->journals[i], hurry, now);
    /* Also after an error: what was batched before it is sound. */
    if (status != STATUS_OK) {
        enum status rest = flush(sealer);

        return rest == STATUS_OK ? status : rest;
    }
    status = flush(sealer);
    if (status == STATUS_OK && log_close_due(sealer->log, now))
        status = log_close_segment(sealer->log);
    return status;
}

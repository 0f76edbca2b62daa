/* audit/journal.c - the lane's side of a journal: begin, end, fold. */
#include "ring.h"

/* The lane asks for a pass of the audit thread when less than half is free. */
static bool
room_left(struct audit_journal *journal, uint64_t need)
{
    uint64_t size = journal->mask + 1, used = journal->head - journal->tail_seen;

    if (used + need > size / 2) {
        journal->tail_seen = atomic_load_explicit(&journal->shared->tail, memory_order_acquire);
        used = journal->head - journal->tail_seen;
        if (used + need > size / 2)
            waker_wake(journal->waker);
    }
    return used + need <= size;
}

static bool
slot_take(struct audit_journal *journal, uint32_t *out)
{
    /* Slots come back in order of use; the fewest are touched when those are
     * taken first. */
    if (journal->reused < atomic_load_explicit(&journal->gave_back, memory_order_acquire)) {
        *out = journal->returned[journal->reused++ % journal->slot_count];
        return true;
    }
    if (journal->fresh < journal->slot_count) {
        *out = journal->fresh++;
        return true;
    }
    waker_wake(journal->waker);
    return false;
}

static enum status
no_room(struct audit_journal *journal)
{
    if (journal->mode == AUDIT_STRICT) {
        atomic_fetch_add_explicit(&journal->refused, 1, memory_order_relaxed);
        return STATUS_FULL;
    }
    atomic_fetch_add_explicit(&journal->lost, 1, memory_order_relaxed);
    return STATUS_OK;
}

static void
write_head(struct audit_journal *journal, uint32_t size, uint32_t slot)
{
    const struct line_head head = { .position = journal->head, .size = size, .slot = slot };

    memcpy(journal->ring + (journal->head & journal->mask), &head, sizeof head);
}

/* Puts a line into the ring. first is the slot's state, SLOT_FREE for a line
 * without one. False when there is no room. */
static bool
append(struct audit_journal *journal, const struct audit_event *event,
       const struct audit_outcome *outcome, uint64_t first, uint32_t *slot_out)
{
    size_t size = record_size(event);
    uint32_t whole = (uint32_t)((LINE_HEAD_SIZE + size + 15) & ~(size_t)15), slot = SLOT_NONE;
    uint64_t to_end = journal->mask + 1 - (journal->head & journal->mask);
    uint64_t pad = whole > to_end ? to_end : 0;

    if (!room_left(journal, pad + whole))
        return false;
    if (first != SLOT_FREE && !slot_take(journal, &slot))
        return false;
    if (pad > 0) {
        write_head(journal, (uint32_t)pad, SLOT_PAD);
        journal->head += pad;
    }
    if (slot != SLOT_NONE) {
        struct slot *taken = &journal->slots[slot];

        taken->position = journal->head;
        if (outcome != NULL)
            taken->outcome = *outcome;
        /* Seen by the sealer through head, below. */
        atomic_store_explicit(&taken->state, first, memory_order_relaxed);
    }
    write_head(journal, whole, slot);
    record_write(event, outcome, journal->ring + (journal->head & journal->mask) + LINE_HEAD_SIZE,
                 size);
    journal->head += whole;
    atomic_store_explicit(&journal->shared->head, journal->head, memory_order_release);
    *slot_out = slot;
    return true;
}

enum status
audit_begin(struct audit_journal *journal, const struct audit_event *event, audit_ticket *ticket)
{
    uint32_t slot;

    if (!append(journal, event, NULL, SLOT_OPEN, &slot)) {
        enum status status = no_room(journal);

        if (status == STATUS_OK)
            *ticket = 0;
        return status;
    }
    *ticket = (audit_ticket)slot + 1;
    return STATUS_OK;
}

void
audit_end(struct audit_journal *journal, audit_ticket ticket, const struct audit_outcome *outcome)
{
    struct slot *slot;
    uint64_t state;

    if (ticket == 0 || ticket > journal->slot_count)
        return;
    slot = &journal->slots[ticket - 1];
    state = atomic_load_explicit(&slot->state, memory_order_relaxed);
    if (SLOT_KIND(state) != SLOT_OPEN)
        return;
    slot->outcome = *outcome;
    atomic_store_explicit(&slot->state, SLOT_ENDED | SLOT_COUNT(state) * SLOT_COUNT_ONE,
                          memory_order_release);
}

void
audit_more(struct audit_journal *journal, audit_ticket ticket)
{
    struct slot *slot;
    uint64_t state;

    if (ticket == 0 || ticket > journal->slot_count)
        return;
    slot = &journal->slots[ticket - 1];
    /* The lane alone changes an open one. */
    state = atomic_load_explicit(&slot->state, memory_order_relaxed);
    if (SLOT_KIND(state) == SLOT_OPEN && SLOT_COUNT(state) < FOLD_COUNT_MAX - 1)
        atomic_store_explicit(&slot->state, state + SLOT_COUNT_ONE, memory_order_relaxed);
}

static int64_t
second_of(int64_t at)
{
    return at >= 0 ? at / 1000 : (at - 999) / 1000;
}

/* Adds one to a line that stands for the same refusal, unless the sealer has
 * closed it. */
static bool
fold_into(struct audit_journal *journal, const struct fold *fold)
{
    struct slot *slot = &journal->slots[fold->slot];
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_acquire);

    if (slot->position != fold->position)
        return false;
    while (SLOT_KIND(state) == SLOT_FOLD && (state & SLOT_CLOSED) == 0 &&
           SLOT_COUNT(state) < FOLD_COUNT_MAX) {
        if (atomic_compare_exchange_weak_explicit(&slot->state, &state, state + SLOT_COUNT_ONE,
                                                  memory_order_release, memory_order_relaxed))
            return true;
    }
    return false;
}

static enum status
fold_line(struct audit_journal *journal, const struct audit_event *event,
          const struct audit_outcome *outcome)
{
    uint64_t reason = slice_hash(event->reason);
    uint64_t peer = slice_hash(slice_of(event->peer.bytes, sizeof event->peer.bytes));
    struct fold *fold = &journal->folds[(peer ^ reason) % FOLDS];
    int64_t second = second_of(event->at);
    uint32_t slot;

    if (fold->slot != SLOT_NONE && fold->second == second && fold->reason == reason &&
        ip_equal(&fold->peer, &event->peer) && fold_into(journal, fold))
        return STATUS_OK;
    if (!append(journal, event, outcome, SLOT_FOLD | SLOT_COUNT_ONE, &slot))
        return no_room(journal);
    *fold = (struct fold){ .peer = event->peer,
                           .reason = reason,
                           .second = second,
                           .position = journal->slots[slot].position,
                           .slot = slot };
    return STATUS_OK;
}

enum status
audit_line(struct audit_journal *journal, const struct audit_event *event,
           const struct audit_outcome *outcome)
{
    uint32_t slot;

    if (event->token.size == 0 && event->decision == AUDIT_DENY)
        return fold_line(journal, event, outcome);
    if (!append(journal, event, outcome, SLOT_FREE, &slot))
        return no_room(journal);
    return STATUS_OK;
}

bool
audit_ready(const struct audit_journal *journal)
{
    uint64_t tail = atomic_load_explicit(&journal->shared->tail, memory_order_acquire);
    uint64_t used = journal->head - tail;

    if (journal->mode == AUDIT_LOSSY)
        return true;
    /* A longest line, and the pad that it may need before it. */
    return used + 2 * LINE_ROOM_MAX <= journal->mask + 1 &&
           (journal->fresh < journal->slot_count ||
            journal->reused < atomic_load_explicit(&journal->gave_back, memory_order_acquire));
}

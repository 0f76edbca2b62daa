/* audit/recover.c - after a crash: seals the lines that stand in the journals and
 * not in the log, and ends those that were ended. */
#include "recover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum status
journal_path(const char *dir, unsigned number, char out[SEGMENT_PATH_MAX])
{
    int size = snprintf(out, SEGMENT_PATH_MAX, "%s/journal-%u", dir, number);

    return size > 0 && size < SEGMENT_PATH_MAX ? STATUS_OK : STATUS_TOO_LARGE;
}

/* A file that is no journal any more is kept for whoever looks into it. */
static void
set_aside(const char *path)
{
    char aside[SEGMENT_PATH_MAX + 16];

    snprintf(aside, sizeof aside, "%s.damaged", path);
    log_write(LOG_ERROR, "audit", "a journal is damaged; what it held is lost", "path", path, NULL);
    if (rename(path, aside) != 0)
        unlink(path);
}

enum status
recovery_open(const char *dir, struct recovery **out, struct fault *fault)
{
    struct recovery *recovery = calloc(1, sizeof *recovery);
    char path[SEGMENT_PATH_MAX];
    enum status status = STATUS_OK;

    if (recovery == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    recovery->dir = dir;
    for (unsigned i = 0; i < JOURNALS_MAX && status == STATUS_OK; i++) {
        status = journal_path(dir, i, path);
        if (status != STATUS_OK) {
            fault_set(fault, status, "the path of the audit is too long");
            break;
        }
        if (access(path, F_OK) != 0)
            continue;
        status = ring_open(path, (uint16_t)i, 0, &recovery->found[i], fault);
        if (status == STATUS_CORRUPT)
            set_aside(path);
        if (status == STATUS_CORRUPT || status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    if (status != STATUS_OK) {
        recovery_free(recovery);
        return status;
    }
    *out = recovery;
    return STATUS_OK;
}

void
recovery_free(struct recovery *recovery)
{
    if (recovery == NULL)
        return;
    for (unsigned i = 0; i < JOURNALS_MAX; i++)
        ring_close(recovery->found[i]);
    free(recovery->seen);
    free(recovery->ended);
    free(recovery);
}

static bool
grow(void **list, size_t used, size_t *room, size_t each)
{
    void *more;

    if (used < *room)
        return true;
    more = reallocarray(*list, *room == 0 ? 256 : 2 * *room, each);
    if (more == NULL)
        return false;
    *list = more;
    *room = *room == 0 ? 256 : 2 * *room;
    return true;
}

enum status
recovery_visit(void *context, struct slice frame, enum frame_kind kind)
{
    struct recovery *recovery = context;
    struct record record;
    struct ending ending;
    uint64_t next;

    if (kind == FRAME_END && ending_read(frame, &ending)) {
        if (!grow((void **)&recovery->ended, recovery->ended_count, &recovery->ended_room,
                  sizeof *recovery->ended))
            return STATUS_MEMORY;
        recovery->ended[recovery->ended_count++] = ending.seq;
    }
    if ((kind != FRAME_LINE && kind != FRAME_OPEN) || !record_read(frame, &record) ||
        record.journal >= JOURNALS_MAX)
        return STATUS_OK;
    next = record.position + ((LINE_HEAD_SIZE + frame.size + 15) & ~(size_t)15);
    if (next > recovery->next[record.journal])
        recovery->next[record.journal] = next;
    if (recovery->found[record.journal] == NULL ||
        record.position < atomic_load(&recovery->found[record.journal]->shared->tail))
        return STATUS_OK;
    if (!grow((void **)&recovery->seen, recovery->seen_count, &recovery->seen_room,
              sizeof *recovery->seen))
        return STATUS_MEMORY;
    recovery->seen[recovery->seen_count++] = (struct seen_line){
        .position = record.position, .seq = record.seq, .journal = record.journal, .kind = kind
    };
    return STATUS_OK;
}

static const struct seen_line *
find_seen(const struct recovery *recovery, uint16_t journal, uint64_t position)
{
    /* Few: what one batch holds. */
    for (size_t i = 0; i < recovery->seen_count; i++)
        if (recovery->seen[i].journal == journal && recovery->seen[i].position == position)
            return &recovery->seen[i];
    return NULL;
}

/* Moves the tail past lines that the log holds: a crash came between the write of
 * a batch and the release of its lines. */
static void
skip_seen(const struct recovery *recovery, struct audit_journal *journal, uint64_t head)
{
    struct line_head line;
    struct slice frame;

    while (journal->tail < head && journal->tail < recovery->next[journal->number] &&
           ring_line(journal, journal->tail, head, &line, &frame)) {
        const struct seen_line *seen = find_seen(recovery, journal->number, journal->tail);

        if (line.slot != SLOT_PAD && seen == NULL)
            break;
        if (line.slot < journal->slot_count) {
            struct slot *slot = &journal->slots[line.slot];
            uint64_t state = atomic_load(&slot->state);

            if (seen->kind == FRAME_OPEN || SLOT_KIND(state) == SLOT_FOLD)
                atomic_store(&slot->seq, seen->seq);
            else
                atomic_store(&slot->state, SLOT_FREE);
        }
        journal->tail += line.size;
    }
    atomic_store(&journal->shared->tail, journal->tail);
}

static bool
has_ended(const struct recovery *recovery, uint64_t seq)
{
    for (size_t i = recovery->ended_count; i > 0; i--)
        if (recovery->ended[i - 1] == seq)
            return true;
    return false;
}

/* Slots whose line the log holds as open are watched again. */
static void
watch_slots(const struct recovery *recovery, struct audit_journal *journal)
{
    for (uint32_t i = 0; i < journal->slot_count; i++) {
        uint64_t seq = atomic_load(&journal->slots[i].seq);
        enum slot_kind kind = SLOT_KIND(atomic_load(&journal->slots[i].state));

        if (seq == 0 || (kind != SLOT_ENDED && kind != SLOT_FOLD) || has_ended(recovery, seq))
            continue;
        journal->watches[journal->watch_count++] =
            (struct watch){ .slot = i, .seq = seq, .second = INT64_MIN };
    }
}

static enum status
seal_found(struct recovery *recovery, struct log *log, struct fault *fault)
{
    struct audit_journal *journals[JOURNALS_MAX];
    struct sealer sealer;
    unsigned count = 0;
    enum status status;

    for (unsigned i = 0; i < JOURNALS_MAX; i++) {
        struct audit_journal *journal = recovery->found[i];
        uint64_t head;

        if (journal == NULL)
            continue;
        head = atomic_load(&journal->shared->head);
        journal->tail = atomic_load(&journal->shared->tail);
        skip_seen(recovery, journal, head);
        watch_slots(recovery, journal);
        journals[count++] = journal;
    }
    if (count == 0)
        return STATUS_OK;
    status = sealer_init(&sealer, log, journals, count);
    if (status == STATUS_OK)
        status = sealer_pass(&sealer, SEALER_LAST, clock_wall_ms());
    if (status == STATUS_OK)
        status = log_sign(log);
    sealer_free(&sealer);
    return status == STATUS_OK
               ? STATUS_OK
               : fault_set(fault, status, "the lines of the last run can't be sealed: %s",
                           log->error != 0 ? strerror(log->error) : status_text(status));
}

static enum status
make_journal(struct recovery *recovery, unsigned number, size_t size, struct audit_journal **out,
             struct fault *fault)
{
    struct audit_journal *old = recovery->found[number];
    uint64_t position = recovery->next[number];
    char path[SEGMENT_PATH_MAX];
    enum status status = journal_path(recovery->dir, number, path);

    if (old != NULL) {
        uint64_t tail = atomic_load(&old->shared->tail), head = atomic_load(&old->shared->head);

        position = position > tail ? position : tail;
        position = position > head ? position : head;
    }
    if (old != NULL && old->mask + 1 == size) {
        *out = old;
        recovery->found[number] = NULL;
    } else {
        if (old != NULL && status == STATUS_OK)
            unlink(path);
        if (status == STATUS_OK)
            status = ring_open(path, (uint16_t)number, size, out, fault);
    }
    if (status == STATUS_OK)
        ring_reset(*out, position);
    return status;
}

enum status
recovery_run(struct recovery *recovery, struct log *log, size_t size, unsigned count,
             struct audit_journal **journals, struct fault *fault)
{
    char path[SEGMENT_PATH_MAX];
    enum status status = seal_found(recovery, log, fault);

    for (unsigned i = 0; i < count && status == STATUS_OK; i++)
        status = make_journal(recovery, i, size, &journals[i], fault);
    for (unsigned i = count; i < JOURNALS_MAX && status == STATUS_OK; i++)
        if (recovery->found[i] != NULL && journal_path(recovery->dir, i, path) == STATUS_OK)
            unlink(path);
    return status;
}

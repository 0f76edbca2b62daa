/* authority/approvals.c - who waits, what was said, and for how long it stands. */
#include "approvals.h"

#include <stdlib.h>

#include "base/encoding.h"
#include "crypto/random.h"

enum {
    ENTRIES_MAX = 2000, /* the oldest that are answered are forgotten */
    PENDING_MAX = 1000,
    PENDING_EACH_MAX = 20, /* of one subject */
    ENTRY_ARENA_MAX = 160 << 10,
    WORDS_MAX = 480,
};

static void
say(const struct approval_question *question, enum approval_answer answer, struct slice words)
{
    question->answered(question->context, answer, words);
}

/* To whoever follows the book. */
static void
publish(const struct approvals *approvals, const struct approval_entry *entry,
        enum approval_event event)
{
    if (approvals->told != NULL)
        approvals->told(approvals->context, entry, event);
}

/* --- the book ------------------------------------------------------------------- */

static void
forget(struct approvals *approvals, struct approval_entry *entry)
{
    *(entry->prev != NULL ? &entry->prev->next : &approvals->newest) = entry->next;
    *(entry->next != NULL ? &entry->next->prev : &approvals->oldest) = entry->prev;
    approvals->count--;
    arena_free(&entry->arena);
    free(entry);
}

static void
make_room(struct approvals *approvals, int64_t now)
{
    struct approval_entry *entry = approvals->oldest, *newer;

    for (; entry != NULL && approvals->count >= ENTRIES_MAX; entry = newer) {
        newer = entry->prev;
        if (entry->state != ENTRY_PENDING && entry->stands_until <= now)
            forget(approvals, entry);
    }
}

static bool
copy_question(struct approval_entry *entry, const struct approval_question *from)
{
    struct approval_question *to = &entry->question;
    struct slice *texts[] = { &to->token,  &to->subject, &to->chain, &to->upstream, &to->action,
                              &to->object, &to->right,   &to->agent, &to->call,     &to->by };

    *to = *from;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i]->size > 0)
            *texts[i] = arena_copy(&entry->arena, *texts[i]);
        if (texts[i]->size > 0 && texts[i]->at == NULL)
            return false;
    }
    return true;
}

static struct approval_entry *
entry_new(const struct approval_question *question, int64_t now)
{
    struct approval_entry *entry = calloc(1, sizeof *entry);
    struct buffer id = { 0 };
    uint8_t random[APPROVAL_ID_SIZE / 2];
    bool good = entry != NULL && random_bytes(random, sizeof random) == STATUS_OK;

    if (good) {
        arena_init(&entry->arena, ENTRY_ARENA_MAX);
        put_hex(&id, random, sizeof random);
        good = buffer_status(&id) == STATUS_OK && copy_question(entry, question);
    }
    if (!good) {
        if (entry != NULL)
            arena_free(&entry->arena);
        free(entry);
        buffer_free(&id);
        return NULL;
    }
    memcpy(entry->id, id.bytes, APPROVAL_ID_SIZE);
    buffer_free(&id);
    entry->asked_at = now;
    entry->until = now + question->within_ms;
    return entry;
}

/* --- asking --------------------------------------------------------------------- */

/* Of the same token, by the same right and approvers. */
static bool
is_same(const struct approval_question *a, const struct approval_question *b)
{
    return slice_equal(a->token, b->token) && slice_equal(a->right, b->right) &&
           slice_equal(a->by, b->by) && slice_equal(a->upstream, b->upstream);
}

/* It was approved for a time that is not over. */
static bool
stands(const struct approval_entry *entry, int64_t now)
{
    return entry->state == ENTRY_APPROVED && now < entry->stands_until;
}

/* Its client left, and may come again: what is asked for is a time. */
static bool
is_left(const struct approval_entry *entry)
{
    return entry->state == ENTRY_PENDING && !entry->waits;
}

static struct approval_entry *
find_same(const struct approvals *approvals, const struct approval_question *question, int64_t now)
{
    struct approval_entry *entry = approvals->newest;

    while (entry != NULL &&
           !(is_same(&entry->question, question) && (stands(entry, now) || is_left(entry))))
        entry = entry->next;
    return entry;
}

static size_t
pending_of(const struct approvals *approvals, struct slice subject)
{
    size_t count = 0;

    for (const struct approval_entry *entry = approvals->newest; entry != NULL; entry = entry->next)
        count += entry->state == ENTRY_PENDING && slice_equal(entry->question.subject, subject);
    return count;
}

/* "approved by amara (ID): reason" */
static void
tell(const struct approval_entry *entry, const struct approval_question *question)
{
    bool approved = entry->state == ENTRY_APPROVED;
    struct buffer words = { 0 };

    put_format(&words, "%s by %.*s (%s)%s%.*s", approved ? "approved" : "not approved",
               SLICE_PRINT(entry->answered_by), entry->id, entry->reason.size > 0 ? ": " : "",
               SLICE_PRINT(slice_first(entry->reason, 256)));
    say(question, approved ? ANSWER_APPROVED : ANSWER_REFUSED,
        slice_first(buffer_slice(&words), WORDS_MAX));
    buffer_free(&words);
}

static void
wait_again(struct approval_entry *entry, const struct approval_question *question)
{
    entry->question.gone = question->gone;
    entry->question.context = question->context;
    entry->question.answered = question->answered;
    entry->waits = true;
}

static void
open_entry(struct approvals *approvals, const struct approval_question *question, int64_t now)
{
    struct approval_entry *entry = entry_new(question, now);

    if (entry == NULL) {
        say(question, ANSWER_UNASKED, SLICE_LITERAL("the gateway is out of memory"));
        return;
    }
    entry->waits = true;
    entry->next = approvals->newest;
    *(entry->next != NULL ? &entry->next->prev : &approvals->oldest) = entry;
    approvals->newest = entry;
    approvals->count++;
    approvals->pending++;
    publish(approvals, entry, TOLD_REQUESTED);
}

void
approvals_ask(struct approvals *approvals, const struct approval_question *question, int64_t now)
{
    struct approval_entry *same = find_same(approvals, question, now);

    make_room(approvals, now);
    if (approvals->stopped)
        say(question, ANSWER_UNASKED, SLICE_LITERAL("this node is stopping"));
    else if (same != NULL && same->state == ENTRY_APPROVED)
        tell(same, question);
    else if (same != NULL)
        wait_again(same, question);
    else if (approvals->pending >= PENDING_MAX ||
             pending_of(approvals, question->subject) >= PENDING_EACH_MAX)
        say(question, ANSWER_UNASKED,
            SLICE_LITERAL("too many calls wait for an approval: try again later"));
    else
        open_entry(approvals, question, now);
}

struct approval_entry *
approvals_find(const struct approvals *approvals, struct slice id)
{
    struct approval_entry *entry = approvals->newest;

    while (entry != NULL && !slice_is(id, entry->id))
        entry = entry->next;
    return entry;
}

/* --- answers --------------------------------------------------------------------- */

static void
close_entry(struct approvals *approvals, struct approval_entry *entry, enum approval_state state,
            int64_t now)
{
    entry->state = state;
    entry->answered_at = now;
    approvals->pending--;
}

/* To whoever waits. */
static void
dismiss(struct approval_entry *entry, enum approval_answer answer, struct slice words)
{
    if (entry->waits)
        say(&entry->question, answer, words);
    entry->waits = false;
}

void
approvals_answer(struct approvals *approvals, struct approval_entry *entry, bool approved,
                 struct slice by, struct slice reason, int64_t now)
{
    close_entry(approvals, entry, approved ? ENTRY_APPROVED : ENTRY_REFUSED, now);
    entry->answered_by = arena_copy(&entry->arena, by);
    entry->reason = arena_copy(&entry->arena, reason);
    if (approved && entry->question.for_ms > 0)
        entry->stands_until = now + entry->question.for_ms;
    if (entry->waits)
        tell(entry, &entry->question);
    entry->waits = false;
    publish(approvals, entry, approved ? TOLD_APPROVED : TOLD_REFUSED);
}

void
approvals_withdraw(struct approvals *approvals, struct approval_entry *entry, struct slice by,
                   struct slice reason, int64_t now)
{
    entry->state = ENTRY_REFUSED;
    entry->stands_until = 0;
    entry->answered_at = now;
    entry->answered_by = arena_copy(&entry->arena, by);
    entry->reason = arena_copy(&entry->arena, reason);
    publish(approvals, entry, TOLD_WITHDRAWN);
}

static void
look(struct approvals *approvals, struct approval_entry *entry, int64_t now)
{
    if (now >= entry->until) {
        close_entry(approvals, entry, ENTRY_EXPIRED, now);
        dismiss(entry, ANSWER_REFUSED, SLICE_LITERAL("nobody approved it in time"));
        publish(approvals, entry, TOLD_EXPIRED);
    } else if (entry->waits && atomic_load(entry->question.gone)) {
        dismiss(entry, ANSWER_REFUSED, SLICE_LITERAL("the client left"));
        if (entry->question.for_ms == 0) {
            close_entry(approvals, entry, ENTRY_GONE, now);
            publish(approvals, entry, TOLD_GONE);
        }
    }
}

void
approvals_tick(struct approvals *approvals, int64_t now)
{
    for (struct approval_entry *entry = approvals->newest; entry != NULL && approvals->pending > 0;
         entry = entry->next) {
        if (entry->state == ENTRY_PENDING)
            look(approvals, entry, now);
    }
}

void
approvals_stop(struct approvals *approvals)
{
    approvals->stopped = true;
    for (struct approval_entry *entry = approvals->newest; entry != NULL; entry = entry->next)
        dismiss(entry, ANSWER_UNASKED, SLICE_LITERAL("this node is stopping"));
}

void
approvals_free(struct approvals *approvals)
{
    while (approvals->newest != NULL)
        forget(approvals, approvals->newest);
}

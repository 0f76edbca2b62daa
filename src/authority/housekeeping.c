/* authority/housekeeping.c - what happens each second: uses made durable, the
 * audit's head kept, warnings, and forgetting what is long dead. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "role_grants.h"

#include "base/clock.h"
#include "base/log.h"

enum {
    USES_IN_ONE = 2000, /* lines of one commit */
    FREE_EVERY = 10,    /* ticks */
    SWEEP_EVERY = 600,  /* ticks, from the end of one walk to the next */
    ANSWERS_EVERY = 60, /* likewise */
    HANDOVER_EVERY = 5,
    PAGE = 1000, /* tokens looked at in one tick */
};
/* A dead token stays visible (and its revocation provable) this long. */
#define REMEMBER_DEAD (30 * MS_DAY)
#define WARN_BEFORE   MS_HOUR

/* What fails now is tried again by a later tick; the commit has logged why. */
static void
commit_or_later(struct authority *authority, const struct change *changes, size_t count)
{
    enum status status = authority_commit(authority, changes, count, NULL, NULL);

    if (status != STATUS_OK)
        log_write(LOG_WARN, "authority", "housekeeping is behind", "why", status_text(status),
                  NULL);
}

/* --- the audit's head comes from the audit's thread ------------------------------ */

struct head_hand_over {
    pthread_mutex_t lock;
    struct audit_head head;
    bool fresh;
};

struct head_hand_over *
heads_new(void)
{
    struct head_hand_over *heads = calloc(1, sizeof *heads);

    if (heads != NULL)
        pthread_mutex_init(&heads->lock, NULL);
    return heads;
}

void
heads_free(struct head_hand_over *heads)
{
    if (heads != NULL)
        pthread_mutex_destroy(&heads->lock);
    free(heads);
}

void
authority_keep_head(struct authority *authority, const struct audit_head *head)
{
    struct head_hand_over *heads = authority->heads;

    pthread_mutex_lock(&heads->lock);
    heads->head = *head;
    heads->fresh = true;
    pthread_mutex_unlock(&heads->lock);
}

static bool
take_head(struct head_hand_over *heads, struct audit_head *out)
{
    bool fresh;

    pthread_mutex_lock(&heads->lock);
    fresh = heads->fresh;
    *out = heads->head;
    heads->fresh = false;
    pthread_mutex_unlock(&heads->lock);
    return fresh;
}

static void
keep_head(struct authority *authority)
{
    struct buffer body = { 0 };
    struct audit_head head;

    if (!take_head(authority->heads, &head))
        return;
    put_be64(&body, head.seq);
    put_bytes(&body, head.hash, sizeof head.hash);
    commit_or_later(authority,
                    &(struct change){ .kind = CHANGE_AUDIT_HEAD,
                                      .at = clock_wall_ms(),
                                      .name = authority->options.node,
                                      .body = buffer_slice(&body) },
                    1);
    buffer_free(&body);
}

/* --- uses ---------------------------------------------------------------------------- */

struct used {
    struct change *changes;
    size_t count, capacity;
};

static void
note_used(void *context, const struct token_id *line, uint32_t uses, int64_t last_used)
{
    struct used *used = context;

    if (used->count == used->capacity) {
        size_t capacity = used->capacity == 0 ? 64 : used->capacity * 2;
        struct change *changes = reallocarray(used->changes, capacity, sizeof *changes);
        if (changes == NULL)
            return; /* a later use notes the line again */
        used->changes = changes;
        used->capacity = capacity;
    }
    used->changes[used->count++] =
        (struct change){ .kind = CHANGE_LINE_USED, .at = last_used, .id = *line, .uses = uses };
}

static size_t
keep_uses(struct authority *authority, enum world_used_kind kind, size_t most)
{
    struct used used = { 0 };

    world_drain_used(authority->world, kind, most, note_used, &used);
    if (used.count > 0)
        commit_or_later(authority, used.changes, used.count);
    free(used.changes);
    return used.count;
}

/* A limit that a crash could lift is made durable each second. What people alone read
 * may lag by minutes: 100,000 busy tokens would else cost more than their requests. */
static void
keep_uses_now(struct authority *authority)
{
    while (keep_uses(authority, WORLD_USED_LIMITED, USES_IN_ONE) == USES_IN_ONE)
        continue;
    if (authority->ticks % FREE_EVERY == 0)
        (void)keep_uses(authority, WORLD_USED_FREE, USES_IN_ONE);
    keep_head(authority);
}

void
housekeeping_flush(struct authority *authority)
{
    keep_uses_now(authority);
    while (keep_uses(authority, WORLD_USED_FREE, USES_IN_ONE) > 0)
        continue;
}

/* --- forgetting and warning ------------------------------------------------------------ */

/* A walk through all tokens by pages of the store, a page a tick, so that a million
 * of them never hold up a revoke. A token that is issued meanwhile is not met: it is
 * young, and its key is not retired. */
struct sweep {
    struct authority *authority;
    int64_t now;
    struct buffer cursor;
    struct change forget[PAGE];
    size_t count;
    unsigned ending;          /* live tokens in use that end within the hour, without a successor */
    bool kids[UINT8_MAX + 1]; /* of tokens that are alive */
};

static int64_t
death(const struct world_token_info *info)
{
    return info->life.revoked_at < info->life.expires_at ? info->life.revoked_at
                                                         : info->life.expires_at;
}

/* A line's members go together: children refer to the line by its first. */
static bool
is_long_dead(const struct sweep *sweep, const struct world_token_info *info)
{
    struct world_token_info newest;

    return death(info) < sweep->now - REMEMBER_DEAD &&
           (!world_token(sweep->authority->world, &info->newest, sweep->now, &newest) ||
            death(&newest) < sweep->now - REMEMBER_DEAD);
}

static enum status
sweep_token(void *context, const struct store_token *token)
{
    struct sweep *sweep = context;
    struct world_token_info info;

    if (!world_token(sweep->authority->world, &token->record.id, sweep->now, &info))
        return STATUS_OK;
    if (death(&info) > sweep->now)
        sweep->kids[info.record.kid] = true;
    if (is_long_dead(sweep, &info))
        sweep->forget[sweep->count++] = (struct change){ .kind = CHANGE_TOKEN_FORGOTTEN,
                                                         .at = sweep->now,
                                                         .id = token->record.id };
    else if (info.state == TOKEN_LIVE && info.life.expires_at - sweep->now < WARN_BEFORE &&
             token_id_equal(&info.newest, &token->record.id) &&
             info.life.last_used > sweep->now - MS_DAY)
        sweep->ending++;
    return STATUS_OK;
}

static void
sweep_end(struct authority *authority)
{
    struct sweep *sweep = authority->sweep;
    char count[16];

    if (sweep->ending > 0) {
        snprintf(count, sizeof count, "%u", sweep->ending);
        log_write(LOG_WARN, "authority", "tokens in use end within the hour and were not rotated",
                  "count", count, NULL);
    }
    keys_tidy(authority, sweep->kids);
    jwt_keys_tidy(authority, sweep->now);
}

static void
sweep_free(struct authority *authority)
{
    if (authority->sweep != NULL)
        buffer_free(&authority->sweep->cursor);
    free(authority->sweep);
    authority->sweep = NULL;
}

void
housekeeping_sweep(struct authority *authority, int64_t now)
{
    struct sweep *sweep = authority->sweep;
    struct buffer next = { 0 };
    enum status status;

    if (sweep == NULL) {
        sweep = authority->sweep = calloc(1, sizeof *sweep);
        if (sweep == NULL)
            return;
        sweep->authority = authority;
    }
    sweep->now = now;
    sweep->count = 0;
    status = store_tokens(authority->store,
                          &(struct store_token_query){
                              .now = now, .cursor = buffer_slice(&sweep->cursor), .limit = PAGE },
                          sweep_token, sweep, &next);
    buffer_free(&sweep->cursor);
    sweep->cursor = next;
    if (status == STATUS_OK && sweep->count > 0)
        commit_or_later(authority, sweep->forget, sweep->count);
    if (status == STATUS_OK && sweep->cursor.size > 0)
        return;
    if (status == STATUS_OK)
        sweep_end(authority);
    else
        log_write(LOG_WARN, "authority", "housekeeping could not read the store", "why",
                  status_text(status), NULL);
    sweep_free(authority);
}

/* --- kept answers ------------------------------------------------------------------------ */

struct answers {
    struct arena texts;
    struct change forget[PAGE];
    struct slice last;
    size_t count, seen;
    int64_t now;
};

static enum status
see_answer(void *context, const struct change *answer)
{
    struct answers *answers = context;

    answers->seen++;
    answers->last = arena_copy(&answers->texts, answer->name);
    if (answers->last.at == NULL)
        return STATUS_MEMORY;
    if (answers->now - answer->at >= ANSWER_LIFE)
        answers->forget[answers->count++] = (struct change){ .kind = CHANGE_ANSWER_FORGOTTEN,
                                                             .at = answers->now,
                                                             .name = answers->last };
    return STATUS_OK;
}

bool
housekeeping_answers(struct authority *authority, int64_t now)
{
    struct answers *answers = calloc(1, sizeof *answers);
    enum status status;
    bool done;

    if (answers == NULL)
        return true;
    answers->now = now;
    arena_init(&answers->texts, 1 << 20);
    status = store_objects(authority->store, CHANGE_ANSWER_KEPT, buffer_slice(&authority->answers),
                           PAGE, see_answer, answers);
    if (status == STATUS_OK && answers->count > 0)
        commit_or_later(authority, answers->forget, answers->count);
    done = status != STATUS_OK || answers->seen < PAGE;
    buffer_clear(&authority->answers);
    if (!done)
        put_slice(&authority->answers, answers->last);
    arena_free(&answers->texts);
    free(answers);
    return done;
}

/* --- each second ------------------------------------------------------------------------ */

static void
tick(struct timer *timer)
{
    struct authority *authority = LANE_OWNER(timer, struct authority, tick);
    int64_t now = clock_wall_ms();

    timer_arm(authority->lane, timer, MS_SECOND);
    authority->ticks++;
    keep_uses_now(authority);
    approvals_tick(&authority->approvals, now);
    role_grants_tick(authority, now);
    if (authority->ticks % HANDOVER_EVERY == 0)
        handover_tick(authority, now);
    if (authority->sweep != NULL || authority->ticks % SWEEP_EVERY == 0)
        housekeeping_sweep(authority, now);
    if (authority->answers.size > 0 || authority->ticks % ANSWERS_EVERY == 0)
        (void)housekeeping_answers(authority, now);
    world_quiescent(authority->reader);
    world_reclaim(authority->world);
}

enum status
housekeeping_start(struct authority *authority)
{
    authority->tick.fire = tick;
    timer_arm(authority->lane, &authority->tick, MS_SECOND);
    return STATUS_OK;
}

void
housekeeping_stop(struct authority *authority)
{
    timer_disarm(&authority->tick);
    sweep_free(authority);
    buffer_free(&authority->answers);
}

/* authority/housekeeping.c - what happens each second: uses made durable, the
 * audit's head kept, warnings, and forgetting what is long dead. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

#include "base/clock.h"
#include "base/log.h"

enum {
    USES_IN_ONE = 2000,      /* lines of one commit */
    FORGET_EVERY = 60,       /* ticks */
    FORGET_IN_ONE = 500,
    TIDY_EVERY = 600,        /* ticks */
};
/* A dead token stays visible (and its revocation provable) this long. */
#define REMEMBER_DEAD (30 * MS_DAY)
#define WARN_BEFORE MS_HOUR

/* What fails now is tried again by a later tick; the commit has logged why. */
static void
commit_or_later(struct authority *authority, const struct change *changes, size_t count)
{
    enum status status = authority_commit(authority, changes, count, NULL, NULL);

    if (status != STATUS_OK)
        log_write(LOG_WARN, "authority", "housekeeping is behind", "why", status_text(status), NULL);
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
    used->changes[used->count++] = (struct change){
        .kind = CHANGE_LINE_USED, .at = last_used, .id = *line, .uses = uses
    };
}

void
housekeeping_flush(struct authority *authority)
{
    struct used used = { 0 };

    world_drain_used(authority->world, note_used, &used);
    for (size_t done = 0; done < used.count; done += USES_IN_ONE) {
        size_t some = used.count - done < USES_IN_ONE ? used.count - done : USES_IN_ONE;
        commit_or_later(authority, used.changes + done, some);
    }
    free(used.changes);
    keep_head(authority);
}

/* --- forgetting and warning ------------------------------------------------------------ */

struct sweep {
    struct authority *authority;
    int64_t now;
    struct change forget[FORGET_IN_ONE];
    size_t count;
    unsigned ending; /* live tokens that end within the hour, without a successor */
};

static bool
sweep_token(void *context, const struct token_id *id)
{
    struct sweep *sweep = context;
    struct world_token_info info;
    int64_t died;

    if (!world_token(sweep->authority->world, id, sweep->now, &info))
        return true;
    died = info.life.revoked_at < info.life.expires_at ? info.life.revoked_at : info.life.expires_at;
    if (died < sweep->now - REMEMBER_DEAD)
        sweep->forget[sweep->count++] = (struct change){ .kind = CHANGE_TOKEN_FORGOTTEN, .id = *id };
    else if (info.state == TOKEN_LIVE && info.life.expires_at - sweep->now < WARN_BEFORE &&
             token_id_equal(&info.newest, id) && info.life.last_used > sweep->now - MS_DAY)
        sweep->ending++;
    return sweep->count < FORGET_IN_ONE;
}

static void
sweep_tokens(struct authority *authority, int64_t now)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    char count[16];

    if (sweep == NULL)
        return;
    sweep->authority = authority;
    sweep->now = now;
    world_each_token(authority->world, sweep_token, sweep);
    if (sweep->count > 0)
        commit_or_later(authority, sweep->forget, sweep->count);
    if (sweep->ending > 0) {
        snprintf(count, sizeof count, "%u", sweep->ending);
        log_write(LOG_WARN, "authority", "tokens in use end within the hour and were not rotated",
                  "count", count, NULL);
    }
    free(sweep);
}

/* --- each second ------------------------------------------------------------------------ */

static void
tick(struct timer *timer)
{
    struct authority *authority = LANE_OWNER(timer, struct authority, tick);
    int64_t now = clock_wall_ms();

    timer_arm(authority->lane, timer, MS_SECOND);
    authority->ticks++;
    housekeeping_flush(authority);
    if (authority->ticks % FORGET_EVERY == 0)
        sweep_tokens(authority, now);
    if (authority->ticks % TIDY_EVERY == 0)
        keys_tidy(authority, now);
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
}

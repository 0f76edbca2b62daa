/* authority/commit.c - the one way a change happens: built unseen, made durable,
 * published, announced. Nothing else writes the store or the world. */
#include "internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "unpin.h"

/* Can the change end what is open or narrow what is allowed? Then lanes look at
 * their open sessions again. */
static bool
may_end_sessions(enum change_kind kind)
{
    switch (kind) {
    case CHANGE_LINE_REVOKED:
    case CHANGE_HOP_REVOKED:
    case CHANGE_TOKEN_ROTATED:
    case CHANGE_MEMBER_ENDED:
    case CHANGE_ROLE_PUT:
    case CHANGE_ROLE_DROPPED:
    case CHANGE_SUBJECT_PUT:
    case CHANGE_SUBJECT_DROPPED:
    case CHANGE_UPSTREAM_PUT:
    case CHANGE_UPSTREAM_DROPPED:
    case CHANGE_TOOL_APPROVED:
    case CHANGE_TOOL_WITHDRAWN:
        return true;
    default:
        return false;
    }
}

enum { COMMIT_TRIES = 50 };

void
commit_publish(struct authority *authority, struct world_next *next, const struct change *changes,
               size_t count)
{
    uint64_t seen = world_publish(next);
    bool announce = false;

    for (size_t i = 0; i < count; i++)
        announce = announce || may_end_sessions(changes[i].kind);
    if (announce && authority->lane != NULL) {
        authority->announced = seen;
        authority->options.ports->announce(authority->options.ports->app, seen);
    }
}

enum status
authority_commit_once(struct authority *authority, const struct change *changes, size_t count,
                      uint64_t *generation, struct fault *fault)
{
    uint64_t started = clock_mono_us(), seq;
    struct world_next *next;
    uint64_t followed = authority->counters.followed;
    enum status status;

    /* Those that wait come first. Had another node's changes to be followed for that, this one
     * was judged without them. */
    batch_commit(authority);
    if (authority->counters.followed != followed)
        return STATUS_BEHIND;
    status = world_prepare(authority->world, changes, count, &next, fault);
    if (status != STATUS_OK)
        return status;
    status = store_append(authority->store, changes, count, &seq, fault);
    if (status != STATUS_OK)
        world_abandon(next);
    if (status == STATUS_BEHIND)
        return status;
    if (status != STATUS_OK) {
        log_write(LOG_ERROR, "authority", "a change was not made: the store refused it", "why",
                  fault == NULL ? status_text(status) : fault->text, NULL);
        return status;
    }
    commit_publish(authority, next, changes, count);
    if (generation != NULL)
        *generation = authority->announced;
    authority->counters.commits++;
    authority->counters.commit_us += clock_mono_us() - started;
    return STATUS_OK;
}

/* With all that follows from the changes as things stand now. */
static enum status
commit_whole(struct authority *authority, const struct change *changes, size_t count,
             uint64_t *generation, struct fault *fault)
{
    struct unpinned whole;
    enum status status;
    size_t i = 0;

    while (i < count && changes[i].kind != CHANGE_UPSTREAM_DROPPED)
        i++;
    if (i == count)
        return authority_commit_once(authority, changes, count, generation, fault);
    status = unpinned_make(authority, changes, count, &whole);
    status = status == STATUS_OK
                 ? authority_commit_once(authority, whole.changes, whole.count, generation, fault)
                 : fault_set(fault, status, "%s", status_text(status));
    unpinned_free(&whole);
    return status;
}

/* Another node was faster: what it changed is followed, and the change judged on top of it. */
enum status
authority_commit(struct authority *authority, const struct change *changes, size_t count,
                 uint64_t *generation, struct fault *fault)
{
    enum status status = commit_whole(authority, changes, count, generation, fault);

    for (int tries = 1; status == STATUS_BEHIND && tries < COMMIT_TRIES; tries++) {
        status = fleet_follow(authority, fault);
        if (status == STATUS_OK)
            status = commit_whole(authority, changes, count, generation, fault);
    }
    return status;
}

/* --- the local operator -------------------------------------------------- */

static const char admin_definition[] = "{\"allow\":[\"writ:*:**\"]}";

bool
builtin_name(enum change_kind kind, struct slice name)
{
    if (kind == CHANGE_ROLE_PUT || kind == CHANGE_ROLE_DROPPED)
        return slice_is(name, ADMIN_ROLE);
    if (kind == CHANGE_SUBJECT_PUT || kind == CHANGE_SUBJECT_DROPPED)
        return slice_starts(name, SLICE_LITERAL("local:"));
    return false;
}

struct slice
builtin_definition(void)
{
    return slice_text(admin_definition);
}

enum status
builtin_load(struct authority *authority)
{
    return world_load(authority->world, &(struct change){ .kind = CHANGE_ROLE_PUT,
                                                          .name = SLICE_LITERAL(ADMIN_ROLE),
                                                          .body = slice_text(admin_definition) });
}

enum status
builtin_operator(struct authority *authority, unsigned uid, struct slice *name, struct arena *arena)
{
    struct slice subject = arena_format(arena, "local:%u", uid);
    struct change known = { .kind = CHANGE_SUBJECT_PUT,
                            .name = subject,
                            .body = SLICE_LITERAL("{\"type\":\"user\",\"roles\":[\"" ADMIN_ROLE
                                                  "\"]}") };
    struct subject_view view;
    struct world_next *next;
    enum status status;
    name_id id;

    if (subject.at == NULL)
        return STATUS_MEMORY;
    id = names_find(world_names(authority->world), subject);
    if (id == NAME_NONE || !policy_subject(world_policy_of(authority->world), id, &view)) {
        /* In the world alone: who may use the socket is the kernel's word, each time. */
        status = world_prepare(authority->world, &known, 1, &next, NULL);
        if (status != STATUS_OK)
            return status;
        (void)world_publish(next);
    }
    *name = subject;
    return STATUS_OK;
}

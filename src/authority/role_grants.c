/* authority/role_grants.c - roles for a time. */
#include "role_grants.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/decide.h"

#define ASKED_ACTION "roles.hold"
enum { REASON_MAX = 500, LOOK_EVERY = 10, SUBJECTS_IN_ONE = 100 };

/* --- the subject's definition --------------------------------------------------------- */

struct stored {
    struct arena *arena;
    json_t *definition;
    struct slice owner;
};

static enum status
take_stored(void *context, const struct change *object)
{
    struct stored *stored = context;

    stored->owner =
        object->owner.size > 0 ? arena_copy(stored->arena, object->owner) : slice_of(NULL, 0);
    return json_read(object->body, &stored->definition, NULL);
}

static const char *
role_of_grant(const json_t *grant)
{
    const char *role = json_string_value(json_object_get(grant, "role"));

    return role == NULL ? "" : role;
}

static int64_t
end_of_grant(const json_t *grant)
{
    const char *until = json_string_value(json_object_get(grant, "until"));
    int64_t end = 0;

    if (until == NULL || time_parse(slice_text(until), &end) != STATUS_OK)
        return 0;
    return end;
}

/* Without those that are over, and without that of the role (empty: of none). True: there was
 * one to leave out. */
static bool
drop_grants(json_t *definition, struct slice role, int64_t now)
{
    json_t *grants = json_object_get(definition, "grants");
    bool dropped = false;

    for (size_t i = json_array_size(grants); i-- > 0;) {
        const json_t *grant = json_array_get(grants, i);

        if (end_of_grant(grant) > now && !slice_is(role, role_of_grant(grant)))
            continue;
        (void)json_array_remove(grants, i);
        dropped = true;
    }
    if (json_array_size(grants) == 0)
        (void)json_object_del(definition, "grants");
    return dropped;
}

static bool
add_grant(json_t *definition, json_t *grant)
{
    json_t *grants = json_object_get(definition, "grants");

    if (grants == NULL) {
        grants = json_array();
        if (json_object_set_new(definition, "grants", grants) != 0)
            grants = NULL;
    }
    if (grants != NULL && json_array_append_new(grants, grant) == 0)
        return true;
    return false;
}

static enum status
write_subject(struct authority *authority, struct slice name, const struct stored *stored,
              uint64_t *generation, struct fault *fault)
{
    struct buffer body = { 0 };
    enum status status;

    put_json(&body, stored->definition);
    status = buffer_status(&body);
    if (status == STATUS_OK)
        status = authority_commit(authority,
                                  &(struct change){ .kind = CHANGE_SUBJECT_PUT,
                                                    .at = clock_wall_ms(),
                                                    .name = name,
                                                    .body = buffer_slice(&body),
                                                    .owner = stored->owner },
                                  1, generation, fault);
    buffer_free(&body);
    return status;
}

enum status
role_grants_carry(json_t *definition, struct slice present)
{
    json_t *was = NULL;
    enum status status = STATUS_OK;

    if (!json_is_object(definition) || json_object_get(definition, "grants") != NULL)
        return STATUS_OK;
    status = json_read(present, &was, NULL);
    if (status == STATUS_OK && json_object_get(was, "grants") != NULL &&
        json_object_set(definition, "grants", json_object_get(was, "grants")) != 0)
        status = STATUS_MEMORY;
    json_decref(was);
    return status;
}

/* --- asked for ---------------------------------------------------------------------------- */

struct wish {
    struct slice role, lasts, reason;
    int64_t for_ms;
    const struct approval *grantable;
};

static enum status
take_wish(const struct api_request *request, struct wish *out, struct fault *fault)
{
    static const char *const known[] = { "role", "for", "reason", NULL };
    enum status status = json_only(request->body, known, fault);

    if (status == STATUS_OK)
        status = json_take_string(request->body, "role", &out->role, fault);
    if (status == STATUS_OK)
        status = json_take_string(request->body, "for", &out->lasts, fault);
    if (status == STATUS_OK)
        status = json_take_string(request->body, "reason", &out->reason, fault);
    if (status == STATUS_OK && out->reason.size > REASON_MAX)
        status =
            fault_at(fault, STATUS_INVALID, "/reason", "a reason has at most %d bytes", REASON_MAX);
    return status;
}

static enum status
check_wish(struct authority *authority, const struct api_request *request, struct wish *wish,
           struct fault *fault)
{
    const struct policy *policy = world_policy_of(authority->world);
    const struct names *names = world_names(authority->world);
    name_id role = names_find(names, wish->role);
    char most[TIME_TEXT_MAX];

    wish->grantable = role == NAME_NONE ? NULL : policy_role_grantable(policy, role);
    if (wish->grantable == NULL)
        return fault_at(fault, STATUS_CONFLICT, "/role",
                        "%.*s is no role that can be asked for: its definition has no grantable",
                        SLICE_PRINT(slice_first(wish->role, 64)));
    if (builtin_name(CHANGE_SUBJECT_PUT, request->caller.subject))
        return fault_set(fault, STATUS_CONFLICT,
                         "the local operator needs no role: ask with the token of who does");
    wish->for_ms = wish->grantable->for_ms;
    if (wish->lasts.size > 0 &&
        (duration_parse(wish->lasts, &wish->for_ms) != STATUS_OK || wish->for_ms < MS_SECOND))
        return fault_at(fault, STATUS_INVALID, "/for", "for is a duration such as 2h");
    if (wish->for_ms > wish->grantable->for_ms)
        return fault_at(fault, STATUS_CONFLICT, "/for", "%.*s is given for %s at most",
                        SLICE_PRINT(wish->role), duration_format(wish->grantable->for_ms, most));
    if (policy_subject_holds(policy, names_find(names, request->caller.subject), role,
                             request->now))
        return fault_at(fault, STATUS_CONFLICT, "/role", "%.*s holds %.*s already",
                        SLICE_PRINT(request->caller.subject), SLICE_PRINT(wish->role));
    return STATUS_OK;
}

/* Nobody waits at the other end of a connection: who asked looks again. */
static void
nobody_waits(void *context, enum approval_answer answer, struct slice words)
{
    (void)context;
}

bool
role_grant_asked(const struct approval_entry *entry)
{
    return entry->question.grant_ms > 0;
}

static struct approval_entry *
find_asked(const struct authority *authority, struct slice subject, struct slice role)
{
    struct approval_entry *entry = authority->approvals.newest;

    while (entry != NULL && !(role_grant_asked(entry) && entry->state == ENTRY_PENDING &&
                              slice_equal(entry->question.subject, subject) &&
                              slice_equal(entry->question.object, role)))
        entry = entry->next;
    return entry;
}

static void
open_request(struct authority *authority, const struct api_request *request,
             const struct wish *wish)
{
    static const atomic_bool never = false;
    char lasts[TIME_TEXT_MAX];
    struct approval_question question = {
        .token = request->caller.token,
        .subject = request->caller.subject,
        .chain = request->caller.chain,
        .upstream = SLICE_LITERAL("writ"),
        .action = SLICE_LITERAL(ASKED_ACTION),
        .object = wish->role,
        .agent = request->agent,
        .peer = request->caller.peer,
        .by = wish->grantable->by,
        .within_ms = wish->grantable->within_ms,
        .grant_ms = wish->for_ms,
        .gone = &never,
        .answered = nobody_waits,
    };

    question.right =
        arena_format(request->arena, "writ:" ASKED_ACTION ":%.*s", SLICE_PRINT(wish->role));
    question.call = arena_format(request->arena, "the role %.*s for %s%s%.*s",
                                 SLICE_PRINT(wish->role), duration_format(wish->for_ms, lasts),
                                 wish->reason.size > 0 ? ": " : "", SLICE_PRINT(wish->reason));
    approvals_ask(&authority->approvals, &question, request->now);
}

enum status
api_grant_request(struct authority *authority, const struct api_request *request,
                  struct api_answer *answer, struct fault *fault)
{
    struct wish wish = { 0 };
    const struct approval_entry *entry;
    enum status status = take_wish(request, &wish, fault);

    if (status == STATUS_OK)
        status = check_wish(authority, request, &wish, fault);
    if (status != STATUS_OK)
        return status;
    if (find_asked(authority, request->caller.subject, wish.role) == NULL)
        open_request(authority, request, &wish);
    entry = find_asked(authority, request->caller.subject, wish.role);
    if (entry == NULL)
        return fault_set(fault, STATUS_FULL, "too many requests wait for an answer: try later");
    answer->status = 202;
    answer->body = approval_json(entry);
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* --- given, and taken ----------------------------------------------------------------------- */

enum status
role_grant_give(struct authority *authority, const struct approval_entry *entry,
                const struct api_request *request, uint64_t *generation, struct fault *fault)
{
    const struct approval_question *question = &entry->question;
    struct stored stored = { .arena = request->arena };
    char until[TIME_TEXT_MAX];
    json_t *grant;
    enum status status = store_object_get(authority->store, CHANGE_SUBJECT_PUT, question->subject,
                                          take_stored, &stored);

    if (status == STATUS_NOT_FOUND)
        return fault_set(fault, status, "the subject %.*s is gone", SLICE_PRINT(question->subject));
    if (status != STATUS_OK)
        return status;
    (void)drop_grants(stored.definition, question->object, request->now);
    grant = json_pack("{s:o, s:s, s:o, s:o}", "role", json_slice(question->object), "until",
                      time_format(request->now + question->grant_ms, until), "by",
                      json_slice(request->caller.subject), "reason", json_slice(question->call));
    status = add_grant(stored.definition, grant)
                 ? write_subject(authority, question->subject, &stored, generation, fault)
                 : STATUS_MEMORY;
    json_decref(stored.definition);
    return status;
}

enum status
role_grant_end(struct authority *authority, const struct role_of *what, int64_t now,
               uint64_t *generation, struct fault *fault)
{
    struct arena texts;
    struct stored stored = { .arena = &texts };
    enum status status;

    arena_init(&texts, 1 << 16);
    status =
        store_object_get(authority->store, CHANGE_SUBJECT_PUT, what->subject, take_stored, &stored);
    if (status == STATUS_OK && !drop_grants(stored.definition, what->role, now))
        status = STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = write_subject(authority, what->subject, &stored, generation, fault);
    else if (status == STATUS_NOT_FOUND)
        (void)fault_set(fault, status, "%.*s has no role %.*s for a time",
                        SLICE_PRINT(slice_first(what->subject, 64)),
                        SLICE_PRINT(slice_first(what->role, 64)));
    json_decref(stored.definition);
    arena_free(&texts);
    return status;
}

enum status
api_grant_end(struct authority *authority, const struct api_request *request,
              struct api_answer *answer, struct fault *fault)
{
    const struct role_of what = { .subject = request->params[0], .role = request->params[1] };
    enum status status =
        role_grant_end(authority, &what, request->now, &answer->wait_generation, fault);

    if (status != STATUS_OK)
        return status;
    answer->body = json_pack("{s:o, s:o, s:b}", "subject", json_slice(what.subject), "role",
                             json_slice(what.role), "ended", 1);
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* --- all of them ------------------------------------------------------------------------------ */

struct walk {
    const struct policy *policy;
    const struct names *names;
    int64_t now, next;
    name_id over[SUBJECTS_IN_ONE]; /* subjects with a grant that is over */
    size_t count;
};

static bool
look_at_subject(void *context, name_id id)
{
    struct walk *walk = context;
    struct subject_view view;
    bool over = false;

    if (!policy_subject(walk->policy, id, &view))
        return true;
    for (size_t i = 0; i < view.role_count; i++) {
        over = over || view.until[i] <= walk->now;
        if (view.until[i] > walk->now && view.until[i] < walk->next)
            walk->next = view.until[i];
    }
    if (over)
        walk->over[walk->count++] = id;
    return walk->count < SUBJECTS_IN_ONE;
}

/* What is over is no right any more in the moment of its end; that it is taken away cuts what is
 * open, on each node. */
void
role_grants_tick(struct authority *authority, int64_t now)
{
    struct walk walk = { .policy = world_policy_of(authority->world),
                         .names = world_names(authority->world),
                         .now = now,
                         .next = TIME_NEVER };

    if (authority->ticks % LOOK_EVERY != 0 && now < authority->next_grant_end)
        return;
    policy_each_granted(walk.policy, look_at_subject, &walk);
    authority->next_grant_end = walk.next;
    for (size_t i = 0; i < walk.count; i++) {
        const struct role_of what = { .subject = names_text(walk.names, walk.over[i]) };
        enum status status = role_grant_end(authority, &what, now, NULL, NULL);

        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            log_write(LOG_WARN, "authority", "a role's time is over, which can't be written yet",
                      "subject", what.subject.at, "why", status_text(status), NULL);
    }
}

struct listing {
    struct authority *authority;
    const struct api_request *request;
    json_t *items;
};

static enum status
list_subject(void *context, const struct change *object)
{
    struct listing *listing = context;
    json_t *definition, *grant;
    size_t i;

    if (json_read(object->body, &definition, NULL) != STATUS_OK)
        return STATUS_CORRUPT;
    json_array_foreach(json_object_get(definition, "grants"), i, grant)
    {
        if (end_of_grant(grant) <= listing->request->now ||
            !api_may(listing->authority, listing->request, SLICE_LITERAL("grants.read"),
                     object->name))
            continue;
        (void)json_object_set_new(grant, "subject", json_slice(object->name));
        (void)json_array_append(listing->items, grant);
    }
    json_decref(definition);
    return STATUS_OK;
}

static bool
list_granted(void *context, name_id id)
{
    struct listing *listing = context;
    struct authority *authority = listing->authority;
    struct subject_view view;

    if (policy_subject(world_policy_of(authority->world), id, &view))
        (void)!store_object_get(authority->store, CHANGE_SUBJECT_PUT, view.name, list_subject,
                                listing);
    return true;
}

enum status
api_grant_list(struct authority *authority, const struct api_request *request,
               struct api_answer *answer, struct fault *fault)
{
    struct listing listing = { .authority = authority, .request = request, .items = json_array() };

    policy_each_granted(world_policy_of(authority->world), list_granted, &listing);
    answer->body = json_pack("{s:o, s:n}", "items", listing.items, "next");
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

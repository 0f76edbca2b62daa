/* authority/role_grants.c - roles for a time. */
#include "role_grants.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "policy/decide.h"

#define ASKED_ACTION "roles.hold"
enum {
    REASON_MAX = 500,
    LOOK_EVERY = 10,
    SUBJECTS_IN_ONE = 100,
    EDIT_TRIES = 5,
    OWNER_MOST = 1 << 16,
};

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

/* How a subject's definition is changed; NOT_FOUND: there is nothing to change. */
typedef enum status (*editor)(const void *context, json_t *definition, struct fault *fault);

static enum status
edit_once(struct authority *authority, struct slice name, editor edit, const void *context,
          uint64_t *generation, struct fault *fault)
{
    struct arena texts;
    struct stored stored = { .arena = &texts };
    struct buffer body = { 0 };
    enum status status;

    arena_init(&texts, OWNER_MOST);
    status = store_object_get(authority->store, CHANGE_SUBJECT_PUT, name, take_stored, &stored);
    if (status == STATUS_OK)
        status = edit(context, stored.definition, fault);
    if (status == STATUS_OK) {
        put_json(&body, stored.definition);
        status = buffer_status(&body);
    }
    if (status == STATUS_OK)
        status = authority_commit_once(authority,
                                       &(struct change){ .kind = CHANGE_SUBJECT_PUT,
                                                         .at = clock_wall_ms(),
                                                         .name = name,
                                                         .body = buffer_slice(&body),
                                                         .owner = stored.owner },
                                       1, generation, fault);
    buffer_free(&body);
    json_decref(stored.definition);
    arena_free(&texts);
    return status;
}

/* What another node changed meanwhile is not undone: it is looked at again. */
static enum status
edit_subject(struct authority *authority, struct slice name, editor edit, const void *context,
             uint64_t *generation, struct fault *fault)
{
    enum status status = edit_once(authority, name, edit, context, generation, fault);

    for (int tries = 1; status == STATUS_BEHIND && tries < EDIT_TRIES; tries++) {
        status = fleet_follow(authority, fault);
        if (status == STATUS_OK)
            status = edit_once(authority, name, edit, context, generation, fault);
    }
    return status;
}

/* --- kept beside a definition ------------------------------------------------------------- */

enum status
role_grants_carry(json_t *definition, struct slice present, role_stays stays, void *context)
{
    const json_t *grant;
    json_t *was = NULL;
    enum status status = STATUS_OK;
    size_t i;

    if (!json_is_object(definition) || json_object_get(definition, "grants") != NULL)
        return STATUS_OK;
    status = json_read(present, &was, NULL);
    json_array_foreach(json_object_get(was, "grants"), i, grant)
    {
        if (status == STATUS_OK && end_of_grant(grant) > clock_wall_ms() &&
            stays(context, slice_text(role_of_grant(grant))) &&
            !add_grant(definition, json_deep_copy(grant)))
            status = STATUS_MEMORY;
    }
    json_decref(was);
    return status;
}

static bool
every_role(void *context, struct slice role)
{
    return true;
}

enum status
role_grants_keep(json_t *definition, struct slice present, struct fault *fault)
{
    const json_t *said = json_object_get(definition, "grants");
    json_t *was = NULL;
    enum status status;

    if (said == NULL || json_is_null(said)) {
        (void)json_object_del(definition, "grants");
        return present.size == 0 ? STATUS_OK
                                 : role_grants_carry(definition, present, every_role, NULL);
    }
    status = present.size == 0 ? STATUS_OK : json_read(present, &was, NULL);
    if (status == STATUS_OK && !json_equal(said, json_object_get(was, "grants")))
        status = fault_at(fault, STATUS_DENIED, "/grants",
                          "roles for a time are given by who their roles name: writ grant request "
                          "asks for one, and grant end takes one away");
    json_decref(was);
    return status;
}

/* --- in the audit ---------------------------------------------------------------------------- */

/* request NULL: its time was over. Before the change: without a line there is none. */
static enum status
note(struct authority *authority, const struct api_request *request, const struct role_of *what,
     struct slice action, struct slice words)
{
    struct buffer object = { 0 };
    struct audit_event event = {
        .at = clock_wall_ms(),
        .subject = what->subject,
        .resource = SLICE_LITERAL("writ"),
        .action = action,
        .statement = words,
        .decision = AUDIT_ALLOW,
    };
    enum status status;

    put_object(&object, what->subject);
    put_u8(&object, '/');
    put_object(&object, what->role);
    event.object = buffer_slice(&object);
    if (request != NULL) {
        event.subject = request->caller.subject;
        event.subject_type = request->caller.subject_type;
        event.token = request->caller.token;
        event.label = request->caller.label;
        event.chain = request->caller.chain;
        event.agent = request->agent;
        event.peer = request->caller.peer;
        event.peer_port = request->caller.peer_port;
    }
    status = buffer_status(&object);
    if (status == STATUS_OK)
        status = audit_line(authority->journal, &event, &(struct audit_outcome){ .status = 200 });
    buffer_free(&object);
    return status;
}

/* --- asked for ---------------------------------------------------------------------------- */

struct wish {
    struct slice role, lasts, reason;
    int64_t for_ms;
    const struct approval *grantable;
};

static bool
is_printable(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((uint8_t)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return false;
    return true;
}

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
    if (status == STATUS_OK && out->role.size == 0)
        status =
            fault_at(fault, STATUS_INVALID, "/role", "role must be there: which one is wanted");
    if (status == STATUS_OK && !is_printable(out->reason))
        status = fault_at(fault, STATUS_INVALID, "/reason",
                          "a reason is one line, without control characters");
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

/* The very same: on whose behalf it is asked tells who may not answer. */
static struct approval_entry *
find_asked(const struct authority *authority, const struct api_request *request,
           const struct wish *wish)
{
    struct approval_entry *entry = authority->approvals.newest;

    while (entry != NULL && !(role_grant_asked(entry) && entry->state == ENTRY_PENDING &&
                              entry->question.grant_ms == wish->for_ms &&
                              slice_equal(entry->question.subject, request->caller.subject) &&
                              slice_equal(entry->question.chain, request->caller.chain) &&
                              slice_equal(entry->question.object, wish->role)))
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
    if (find_asked(authority, request, &wish) == NULL)
        open_request(authority, request, &wish);
    entry = find_asked(authority, request, &wish);
    if (entry == NULL)
        return fault_set(fault, STATUS_FULL, "too many requests wait for an answer: try later");
    answer->status = 202;
    answer->body = approval_json(entry);
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

static bool
has_for_a_time(const struct policy *policy, name_id subject, name_id role)
{
    struct subject_view view;
    bool has = false;

    if (!policy_subject(policy, subject, &view))
        return false;
    for (size_t i = 0; i < view.role_count; i++)
        has = has || (view.roles[i] == role && view.until[i] != TIME_NEVER);
    return has;
}

/* --- given, and taken ----------------------------------------------------------------------- */

struct gift {
    const struct approval_question *question;
    struct slice by;
    int64_t now;
};

static enum status
give(const void *context, json_t *definition, struct fault *fault)
{
    const struct gift *gift = context;
    char until[TIME_TEXT_MAX];
    json_t *grant;

    if (json_is_true(json_object_get(definition, "disabled")))
        return fault_set(fault, STATUS_CONFLICT, "the subject is disabled");
    (void)drop_grants(definition, gift->question->object, gift->now);
    grant = json_pack("{s:o, s:s, s:o, s:o}", "role", json_slice(gift->question->object), "until",
                      time_format(gift->now + gift->question->grant_ms, until), "by",
                      json_slice(gift->by), "reason", json_slice(gift->question->call));
    return add_grant(definition, grant) ? STATUS_OK : STATUS_MEMORY;
}

/* A request may be a day old: what holds now counts. */
static enum status
check_gift(struct authority *authority, const struct approval_question *question,
           const struct api_request *request, struct fault *fault)
{
    const struct policy *policy = world_policy_of(authority->world);
    name_id role = names_find(world_names(authority->world), question->object);
    const struct approval *grantable =
        role == NAME_NONE ? NULL : policy_role_grantable(policy, role);
    struct world_token_info token;
    struct token_id id;
    struct hop_id hop;
    bool has_hop;

    if (grantable == NULL || grantable->for_ms < question->grant_ms)
        return fault_set(fault, STATUS_CONFLICT, "%.*s can't be asked for so long any more",
                         SLICE_PRINT(question->object));
    if (!approval_answerable(authority, request, grantable->by))
        return fault_set(fault, STATUS_DENIED,
                         "this is answered by a holder of one of the roles: %.*s",
                         SLICE_PRINT(grantable->by));
    if (token_id_parse(question->token, &id, &hop, &has_hop) != STATUS_OK ||
        !world_token(authority->world, &id, request->now, &token) || token.state != TOKEN_LIVE)
        return fault_set(fault, STATUS_CONFLICT,
                         "the token that asked for it is worth nothing by now");
    return STATUS_OK;
}

enum status
role_grant_give(struct authority *authority, const struct approval_entry *entry,
                const struct api_request *request, uint64_t *generation, struct fault *fault)
{
    const struct approval_question *question = &entry->question;
    const struct role_of what = { .subject = question->subject, .role = question->object };
    const struct gift gift = { .question = question,
                               .by = request->caller.subject,
                               .now = request->now };
    enum status status = check_gift(authority, question, request, fault);

    if (status == STATUS_OK)
        status = note(authority, request, &what, SLICE_LITERAL("roles.hold"), question->call);
    if (status == STATUS_OK)
        status = edit_subject(authority, question->subject, give, &gift, generation, fault);
    if (status == STATUS_NOT_FOUND)
        (void)fault_set(fault, status, "the subject %.*s is gone", SLICE_PRINT(question->subject));
    return status;
}

struct taking {
    struct slice role; /* empty: of those that are over alone */
    int64_t now;
};

static enum status
take_away(const void *context, json_t *definition, struct fault *fault)
{
    const struct taking *taking = context;

    return drop_grants(definition, taking->role, taking->now) ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status
role_grant_end(struct authority *authority, const struct role_of *what,
               const struct api_request *request, uint64_t *generation, struct fault *fault)
{
    const struct taking taking = { .role = what->role, .now = request->now };
    name_id role = names_find(world_names(authority->world), what->role);
    name_id subject = names_find(world_names(authority->world), what->subject);
    const struct policy *policy = world_policy_of(authority->world);
    enum status status = STATUS_NOT_FOUND;

    if (role != NAME_NONE && subject != NAME_NONE && has_for_a_time(policy, subject, role))
        status = note(authority, request, what, SLICE_LITERAL("roles.end"),
                      SLICE_LITERAL("before its time"));
    if (status == STATUS_OK)
        status = edit_subject(authority, what->subject, take_away, &taking, generation, fault);
    if (status == STATUS_NOT_FOUND)
        (void)fault_set(fault, status, "%.*s has no role %.*s for a time",
                        SLICE_PRINT(slice_first(what->subject, 64)),
                        SLICE_PRINT(slice_first(what->role, 64)));
    return status;
}

enum status
api_grant_end(struct authority *authority, const struct api_request *request,
              struct api_answer *answer, struct fault *fault)
{
    const struct role_of what = { .subject = request->params[0], .role = request->params[1] };
    enum status status = role_grant_end(authority, &what, request, &answer->wait_generation, fault);

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

static void
take_over(struct authority *authority, struct slice subject, int64_t now)
{
    const struct taking taking = { .now = now };
    const struct role_of what = { .subject = subject, .role = SLICE_LITERAL("-") };
    enum status status = edit_subject(authority, subject, take_away, &taking, NULL, NULL);

    if (status == STATUS_OK)
        status = note(authority, NULL, &what, SLICE_LITERAL("roles.end"),
                      SLICE_LITERAL("its time is over"));
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        log_write(LOG_WARN, "authority", "a role's time is over, which can't be written yet",
                  "subject", subject.at, "why", status_text(status), NULL);
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
    for (size_t i = 0; i < walk.count; i++)
        take_over(authority, names_text(walk.names, walk.over[i]), now);
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

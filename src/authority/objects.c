/* authority/objects.c - roles, subjects and upstreams through the API: one code
 * for the three kinds. */
#include "role_grants.h"

static const struct object_kind kinds[] = {
    { "upstreams", CHANGE_UPSTREAM_PUT, CHANGE_UPSTREAM_DROPPED, "upstreams.read" },
    { "roles", CHANGE_ROLE_PUT, CHANGE_ROLE_DROPPED, "roles.read" },
    { "subjects", CHANGE_SUBJECT_PUT, CHANGE_SUBJECT_DROPPED, "subjects.read" },
};

const struct object_kind *
object_kinds(size_t *count)
{
    *count = sizeof kinds / sizeof kinds[0];
    return kinds;
}

/* "/v1/KIND…": the routes hold no other. */
static const struct object_kind *
kind_of(const struct api_request *request)
{
    struct slice path = slice_from(request->path, sizeof "/v1/" - 1);
    struct slice plural = slice_first(path, slice_find(path, '/'));

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (slice_is(plural, kinds[i].plural))
            return &kinds[i];
    }
    return &kinds[0];
}

/* {"name": N, …definition, "owner": FILE or null} */
static enum status
object_json(const struct change *object, json_t **out)
{
    json_t *body;
    enum status status = json_read(object->body, &body, NULL);

    if (status != STATUS_OK)
        return STATUS_CORRUPT;
    json_object_set_new(body, "name", json_slice(object->name));
    json_object_set_new(body, "owner",
                        object->owner.size == 0 ? json_null() : json_slice(object->owner));
    *out = body;
    return STATUS_OK;
}

static enum status
take_object(void *context, const struct change *object)
{
    return object_json(object, context);
}

static enum status
not_found(const struct object_kind *kind, struct slice name, struct fault *fault)
{
    return fault_set(fault, STATUS_NOT_FOUND, "there is no %.*s named %.*s",
                     (int)strlen(kind->plural) - 1, kind->plural,
                     SLICE_PRINT(slice_first(name, 64)));
}

enum status
api_object_get(struct authority *authority, const struct api_request *request,
               struct api_answer *answer, struct fault *fault)
{
    const struct object_kind *kind = kind_of(request);
    enum status status;

    if (kind->put == CHANGE_ROLE_PUT && builtin_name(kind->put, request->params[0]))
        return object_json(&(struct change){ .name = request->params[0],
                                             .body = builtin_definition(),
                                             .owner = SLICE_LITERAL("built in") },
                           &answer->body);
    status = store_object_get(authority->store, kind->put, request->params[0], take_object,
                              &answer->body);
    return status == STATUS_NOT_FOUND ? not_found(kind, request->params[0], fault) : status;
}

struct listing {
    struct authority *authority;
    const struct api_request *request;
    const struct object_kind *kind;
    json_t *items;
    struct slice last;
    size_t seen;
};

static enum status
add_object(void *context, const struct change *object)
{
    struct listing *listing = context;
    json_t *item;
    enum status status;

    listing->seen++;
    listing->last = arena_copy(listing->request->arena, object->name);
    if (!api_may(listing->authority, listing->request, slice_text(listing->kind->read),
                 object->name))
        return STATUS_OK;
    status = object_json(object, &item);
    if (status == STATUS_OK)
        json_array_append_new(listing->items, item);
    return status;
}

enum status
api_object_list(struct authority *authority, const struct api_request *request,
                struct api_answer *answer, struct fault *fault)
{
    struct listing listing = {
        .authority = authority, .request = request, .kind = kind_of(request), .items = json_array()
    };
    struct slice limit = api_query(request, "limit");
    uint64_t number = 1000;
    enum status status;

    if (limit.at != NULL && (!slice_u64(limit, &number) || number == 0 || number > 1000)) {
        json_decref(listing.items);
        return fault_set(fault, STATUS_INVALID, "limit must be a number from 1 to 1000");
    }
    status = store_objects(authority->store, listing.kind->put, api_query(request, "cursor"),
                           (size_t)number, add_object, &listing);
    if (status != STATUS_OK) {
        json_decref(listing.items);
        return status;
    }
    answer->body = json_pack("{s:o, s:o}", "items", listing.items, "next",
                             listing.seen < number ? json_null() : json_slice(listing.last));
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* --- writing -------------------------------------------------------------------------- */

struct ownership {
    struct arena *arena;
    struct slice owner, body;
};

static enum status
take_owner(void *context, const struct change *object)
{
    struct ownership *ownership = context;

    if (object->owner.size > 0)
        ownership->owner = arena_copy(ownership->arena, object->owner);
    ownership->body = arena_copy(ownership->arena, object->body);
    return (object->owner.size > 0 && ownership->owner.at == NULL) || ownership->body.at == NULL
               ? STATUS_MEMORY
               : STATUS_OK;
}

/* What a file made is changed in the file, else its next apply would undo it. */
static enum status
may_write(struct authority *authority, const struct api_request *request,
          const struct object_kind *kind, struct slice *present, struct fault *fault)
{
    struct ownership ownership = { .arena = request->arena };
    struct slice name = request->params[0];
    enum status status;

    if (builtin_name(kind->put, name))
        return fault_set(fault, STATUS_CONFLICT, "%.*s is built in: it can't be changed",
                         SLICE_PRINT(name));
    status = store_object_get(authority->store, kind->put, name, take_owner, &ownership);
    *present = ownership.body;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK && ownership.owner.size > 0)
        return fault_set(fault, STATUS_CONFLICT,
                         "%.*s belongs to the file %.*s: change it there and apply it",
                         SLICE_PRINT(name), SLICE_PRINT(ownership.owner));
    return status;
}

static enum status
check_definition(struct authority *authority, const struct api_request *request,
                 const struct object_kind *kind, const json_t *definition, struct fault *fault)
{
    struct grant grant;
    enum status status;

    if (kind->put == CHANGE_UPSTREAM_PUT)
        return upstream_check(authority, request->params[0], definition, request->caller.local,
                              fault);
    if (kind->put == CHANGE_ROLE_PUT && !name_valid(request->params[0]))
        return fault_set(fault, STATUS_INVALID, "a role's name is [a-z0-9][a-z0-9_-]*, at most 63");
    if (kind->put == CHANGE_SUBJECT_PUT && !subject_name_valid(request->params[0]))
        return fault_set(fault, STATUS_INVALID,
                         "a subject's name is [a-z0-9][a-z0-9_.@-]*, at most 63");
    status = grant_of(authority, kind->put, request->params[0], definition, &grant);
    if (status != STATUS_OK)
        return status;
    if (kind->put == CHANGE_SUBJECT_PUT)
        status = client_check(request->params[0], definition, request->caller.local, fault);
    if (status == STATUS_OK)
        status = api_may_grant(authority, request, &grant, fault);
    grant_free(&grant);
    return status;
}

/* Roles for a time stay as they are: the caller need not hold them. The local operator may say
 * them. */
static enum status
check_subject(struct authority *authority, const struct api_request *request,
              const struct object_kind *kind, struct slice present, struct fault *fault)
{
    bool says = request->caller.local && json_object_get(request->body, "grants") != NULL;
    enum status status = says ? STATUS_OK : role_grants_keep(request->body, present, fault);
    json_t *grants;

    if (status != STATUS_OK)
        return status;
    grants = json_incref(json_object_get(request->body, "grants"));
    if (!says)
        (void)json_object_del(request->body, "grants");
    status = check_definition(authority, request, kind, request->body, fault);
    if (grants != NULL && json_object_set(request->body, "grants", grants) != 0)
        status = STATUS_MEMORY;
    json_decref(grants);
    return status;
}

enum status
api_object_put(struct authority *authority, const struct api_request *request,
               struct api_answer *answer, struct fault *fault)
{
    const struct object_kind *kind = kind_of(request);
    struct buffer body = { 0 };
    struct change change = { .kind = kind->put, .at = request->now, .name = request->params[0] };
    const json_t *name;
    struct slice present;
    enum status status = may_write(authority, request, kind, &present, fault);

    if (status != STATUS_OK)
        return status;
    if (request->body == NULL)
        return fault_set(fault, STATUS_INVALID, "the body must be the definition, a JSON object");
    /* What a GET gave may come back as it is. */
    name = json_object_get(request->body, "name");
    if (json_is_string(name) && !slice_is(request->params[0], json_string_value(name)))
        return fault_at(fault, STATUS_INVALID, "/name",
                        "the name in the body is not the one in the path");
    json_object_del(request->body, "name");
    json_object_del(request->body, "owner");
    status = kind->put == CHANGE_SUBJECT_PUT
                 ? check_subject(authority, request, kind, present, fault)
                 : check_definition(authority, request, kind, request->body, fault);
    if (status != STATUS_OK)
        return status;
    put_json(&body, request->body);
    change.body = buffer_slice(&body);
    status = buffer_status(&body);
    if (status == STATUS_OK)
        status = upstream_hosts_check(authority, &change, 1, fault);
    if (status == STATUS_OK)
        status = authority_commit(authority, &change, 1, &answer->wait_generation, fault);
    if (status == STATUS_OK) {
        answer->status = present.size > 0 ? 200 : 201;
        status = object_json(&change, &answer->body);
    }
    buffer_free(&body);
    return status;
}

enum status
api_object_drop(struct authority *authority, const struct api_request *request,
                struct api_answer *answer, struct fault *fault)
{
    const struct object_kind *kind = kind_of(request);
    struct slice present;
    enum status status = may_write(authority, request, kind, &present, fault);

    if (status == STATUS_OK && present.size == 0)
        status = not_found(kind, request->params[0], fault);
    if (status == STATUS_OK)
        status = authority_commit(
            authority,
            &(struct change){ .kind = kind->drop, .at = request->now, .name = request->params[0] },
            1, &answer->wait_generation, fault);
    if (status == STATUS_OK)
        answer->status = 204;
    return status;
}

/* gateway/docker/lists.c - reads an answer that lists and writes what may be seen of it. */
#include "lists.h"

#include <stdlib.h>

#include "../http/listing.h"
#include "../pipeline.h"
#include "base/json.h"
#include "policy/right.h"
#include "reference.h"

enum { LIST_MAX = 64 << 20, EVENT_MAX = 1 << 20, SCRATCH_MAX = 1 << 20 };

struct docker_filter {
    struct listing listing;
    const struct docker_endpoint *endpoint;
};

/* --- what may be seen ------------------------------------------------------------------ */

static bool
may_see(struct docker_filter *filter, const char *action, struct slice name,
        enum object_syntax syntax)
{
    struct buffer object = BUFFER_LIMITED(4096);
    bool may;

    put_object(&object, name);
    struct request request = {
        .resource = filter->listing.passage->asked.request.resource,
        .action = slice_text(action),
        .object = buffer_slice(&object),
        .syntax = syntax,
    };
    may = name.size > 0 && buffer_status(&object) == STATUS_OK &&
          pipeline_could(filter->listing.passage, &request, &filter->listing.scratch);
    buffer_free(&object);
    arena_reset(&filter->listing.scratch);
    return may;
}

static struct slice
json_text(const json_t *value)
{
    return slice_of(json_string_value(value), json_string_length(value));
}

/* A container has the names of its links besides its own, "/web/db". */
static bool
sees_container(struct docker_filter *filter, const json_t *item)
{
    const json_t *name;
    size_t i;

    json_array_foreach(json_object_get(item, "Names"), i, name)
    {
        struct slice text = json_text(name);

        if (slice_starts(text, SLICE_LITERAL("/")))
            text = slice_from(text, 1);
        if (slice_find(text, '/') == text.size)
            return may_see(filter, "containers.list", text, OBJECT_FLAT);
    }
    return false;
}

static bool
sees_image_named(struct docker_filter *filter, struct slice text)
{
    struct arena names;
    struct slice name;
    bool sees;

    arena_init(&names, 8192);
    sees =
        docker_reference(text, &names, &name) && may_see(filter, "images.list", name, OBJECT_PATH);
    arena_free(&names);
    return sees;
}

static bool
sees_image(struct docker_filter *filter, const json_t *item)
{
    const json_t *tags = json_object_get(item, "RepoTags"), *tag;
    size_t i;

    json_array_foreach(tags, i, tag)
    {
        if (sees_image_named(filter, json_text(tag)))
            return true;
    }
    return json_array_size(tags) == 0 &&
           may_see(filter, "images.list", json_text(json_object_get(item, "Id")), OBJECT_PATH);
}

static bool
sees_event(struct docker_filter *filter, const json_t *event)
{
    const json_t *actor = json_object_get(event, "Actor");
    struct slice type = json_text(json_object_get(event, "Type"));
    struct slice name = json_text(json_object_get(json_object_get(actor, "Attributes"), "name"));

    if (slice_is(type, "container"))
        return may_see(filter, "containers.list", name, OBJECT_FLAT);
    if (slice_is(type, "network"))
        return may_see(filter, "networks.list", name, OBJECT_FLAT);
    if (slice_is(type, "volume"))
        return may_see(filter, "volumes.list", json_text(json_object_get(actor, "ID")),
                       OBJECT_FLAT);
    return slice_is(type, "image") &&
           sees_image_named(filter, json_text(json_object_get(actor, "ID")));
}

static bool
sees(struct docker_filter *filter, const json_t *item)
{
    struct slice action = slice_text(filter->endpoint->action);

    if (slice_is(action, "containers.list"))
        return sees_container(filter, item);
    if (slice_is(action, "images.list"))
        return sees_image(filter, item);
    return may_see(filter, filter->endpoint->action, json_text(json_object_get(item, "Name")),
                   OBJECT_FLAT);
}

/* --- whole lists, and events one by one ---------------------------------------------------- */

/* {"Volumes": […]}; an error is an object, too, and passes. */
static enum status
judge_list(struct listing *listing, json_t *value, bool *passes)
{
    struct docker_filter *filter = (struct docker_filter *)listing;
    json_t *list = json_is_object(value) ? json_object_get(value, "Volumes") : value;

    for (size_t i = json_array_size(list); i > 0; i--) {
        if (!sees(filter, json_array_get(list, i - 1)))
            json_array_remove(list, i - 1);
    }
    return STATUS_OK;
}

static enum status
judge_event(struct listing *listing, json_t *value, bool *passes)
{
    *passes = sees_event((struct docker_filter *)listing, value);
    return STATUS_OK;
}

struct body_filter *
docker_filter_new(struct passage *passage, const struct docker_endpoint *endpoint)
{
    struct docker_filter *filter = calloc(1, sizeof *filter);
    bool events = slice_is(slice_text(endpoint->action), "system.events");

    if (filter == NULL)
        return NULL;
    filter->endpoint = endpoint;
    filter->listing.judge = events ? judge_event : judge_list;
    listing_begin(
        &filter->listing, passage, events ? LISTING_LINES : LISTING_WHOLE,
        (struct listing_limits){ .value = events ? EVENT_MAX : LIST_MAX, .scratch = SCRATCH_MAX });
    return &filter->listing.filter;
}

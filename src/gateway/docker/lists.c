/* gateway/docker/lists.c - reads an answer that lists and writes what may be seen of it. */
#include "lists.h"

#include <stdlib.h>

#include "../pipeline.h"
#include "base/json.h"
#include "policy/right.h"
#include "reference.h"

enum { LIST_MAX = 64 << 20, EVENT_MAX = 1 << 20, SCRATCH_MAX = 1 << 20 };

struct docker_filter {
    struct body_filter filter;
    struct passage *passage;
    const struct docker_endpoint *endpoint;
    struct buffer held; /* the list so far, or a line that is not whole */
    struct arena scratch;
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
        .resource = filter->passage->asked.request.resource,
        .action = slice_text(action),
        .object = buffer_slice(&object),
        .syntax = syntax,
    };
    may = name.size > 0 && buffer_status(&object) == STATUS_OK &&
          pipeline_could(filter->passage, &request, &filter->scratch);
    buffer_free(&object);
    arena_reset(&filter->scratch);
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

/* --- whole lists ------------------------------------------------------------------------ */

static enum status
list_feed(struct body_filter *base, struct slice in, struct buffer *out)
{
    struct docker_filter *filter = (struct docker_filter *)base;

    put_slice(&filter->held, in);
    return buffer_status(&filter->held);
}

static void
prune(struct docker_filter *filter, json_t *list)
{
    for (size_t i = json_array_size(list); i > 0; i--) {
        if (!sees(filter, json_array_get(list, i - 1)))
            json_array_remove(list, i - 1);
    }
}

static enum status
list_end(struct body_filter *base, struct buffer *out)
{
    struct docker_filter *filter = (struct docker_filter *)base;
    json_t *whole, *list;
    enum status status = json_read(buffer_slice(&filter->held), &whole, NULL);

    if (status != STATUS_OK)
        return status;
    /* {"Volumes": […]}; an error is an object, too, and passes. */
    list = json_is_object(whole) ? json_object_get(whole, "Volumes") : whole;
    prune(filter, list);
    put_json(out, whole);
    put_text(out, "\n");
    json_decref(whole);
    return buffer_status(out);
}

/* --- events, one by one -------------------------------------------------------------------- */

static enum status
event_pass(struct docker_filter *filter, struct slice line, struct buffer *out)
{
    json_t *event;

    if (slice_trim(line).size == 0)
        return STATUS_OK;
    enum status status = json_read(slice_trim(line), &event, NULL);
    if (status != STATUS_OK)
        return status;
    if (sees_event(filter, event)) {
        put_slice(out, line);
        put_text(out, "\n");
    }
    json_decref(event);
    return STATUS_OK;
}

static enum status
events_feed(struct body_filter *base, struct slice in, struct buffer *out)
{
    struct docker_filter *filter = (struct docker_filter *)base;
    enum status status = STATUS_OK;

    put_slice(&filter->held, in);
    while (status == STATUS_OK && buffer_status(&filter->held) == STATUS_OK) {
        struct slice held = buffer_slice(&filter->held);
        size_t end = slice_find(held, '\n');

        if (end == held.size)
            break;
        status = event_pass(filter, slice_first(held, end), out);
        buffer_consume(&filter->held, end + 1);
    }
    return status == STATUS_OK ? buffer_status(&filter->held) : status;
}

static enum status
events_end(struct body_filter *base, struct buffer *out)
{
    struct docker_filter *filter = (struct docker_filter *)base;

    return event_pass(filter, buffer_slice(&filter->held), out);
}

static void
filter_free(struct body_filter *base)
{
    struct docker_filter *filter = (struct docker_filter *)base;

    buffer_free(&filter->held);
    arena_free(&filter->scratch);
    free(filter);
}

struct body_filter *
docker_filter_new(struct passage *passage, const struct docker_endpoint *endpoint)
{
    struct docker_filter *filter = calloc(1, sizeof *filter);
    bool events = slice_is(slice_text(endpoint->action), "system.events");

    if (filter == NULL)
        return NULL;
    filter->filter = events ? (struct body_filter){ events_feed, events_end, filter_free }
                            : (struct body_filter){ list_feed, list_end, filter_free };
    filter->passage = passage;
    filter->endpoint = endpoint;
    filter->held.limit = events ? EVENT_MAX : LIST_MAX;
    arena_init(&filter->scratch, SCRATCH_MAX);
    return &filter->filter;
}

/* gateway/kubernetes/lists.c - reads an answer that lists and writes what may be seen of it. */
#include "lists.h"

#include <stdlib.h>

#include "../pipeline.h"
#include "base/json.h"

enum { LIST_MAX = 64 << 20, EVENT_MAX = 4 << 20, SCRATCH_MAX = 1 << 20 };

struct kube_filter {
    struct body_filter filter;
    struct passage *passage;
    const struct kube_attributes *attributes;
    struct buffer held; /* the list so far, or a line that is not whole */
    struct arena scratch;
};

/* --- what may be seen ------------------------------------------------------------------ */

static struct slice
text_of(const json_t *value)
{
    return slice_of(json_string_value(value), json_string_length(value));
}

/* By its own metadata; what has no name can't be judged, and is not seen. */
static bool
sees(struct kube_filter *filter, const json_t *object)
{
    const json_t *metadata = json_object_get(object, "metadata");
    struct slice name = text_of(json_object_get(metadata, "name"));
    struct slice namespace = text_of(json_object_get(metadata, "namespace"));
    bool may;

    if (namespace.size == 0)
    namespace = SLICE_LITERAL("-");
    else if (!kube_name_valid(namespace)) return false;
    if (!kube_name_valid(name))
        return false;
    struct request request = {
        .resource = filter->passage->asked.request.resource,
        .action = filter->attributes->action,
        .object = kube_object(filter->attributes, namespace, name, &filter->scratch),
        .syntax = OBJECT_PATH,
    };
    may = request.object.at != NULL && pipeline_could(filter->passage, &request, &filter->scratch);
    arena_reset(&filter->scratch);
    return may;
}

static bool
is_table(const json_t *object)
{
    return slice_is(text_of(json_object_get(object, "kind")), "Table");
}

/* Of a table the rows, of a list the items. An absent or null list is empty. False: it is
 * neither. */
static bool
prune(struct kube_filter *filter, json_t *whole)
{
    bool table = is_table(whole);
    json_t *list = json_object_get(whole, table ? "rows" : "items");

    if (!json_is_object(whole) || (list != NULL && !json_is_null(list) && !json_is_array(list)) ||
        (!table && !slice_ends(text_of(json_object_get(whole, "kind")), SLICE_LITERAL("List"))))
        return false;
    /* How many are left would tell of those that are not seen. */
    json_object_del(json_object_get(whole, "metadata"), "remainingItemCount");
    for (size_t i = json_array_size(list); i > 0; i--) {
        const json_t *item = json_array_get(list, i - 1);

        if (!sees(filter, table ? json_object_get(item, "object") : item))
            json_array_remove(list, i - 1);
    }
    return true;
}

/* --- whole lists ------------------------------------------------------------------------ */

static enum status
list_feed(struct body_filter *base, struct slice in, struct buffer *out)
{
    struct kube_filter *filter = (struct kube_filter *)base;

    put_slice(&filter->held, in);
    return buffer_status(&filter->held);
}

static enum status
list_end(struct body_filter *base, struct buffer *out)
{
    struct kube_filter *filter = (struct kube_filter *)base;
    json_t *whole;
    enum status status = STATUS_OK;

    if (filter->held.size == 0) /* to a HEAD */
        return STATUS_OK;
    status = json_read(buffer_slice(&filter->held), &whole, NULL);
    if (status != STATUS_OK)
        return status;
    if (prune(filter, whole)) {
        put_json(out, whole);
        put_text(out, "\n");
        status = buffer_status(out);
    } else {
        status = STATUS_INVALID;
    }
    json_decref(whole);
    return status;
}

/* --- events, one by one -------------------------------------------------------------------- */

/* {"type": …, "object": …}. The first table of a watch has the columns for all that follow. */
static enum status
event_judge(struct kube_filter *filter, json_t *event, bool *passes)
{
    struct slice type = text_of(json_object_get(event, "type"));
    json_t *object = json_object_get(event, "object");

    *passes = true;
    if (!json_is_object(object))
        return STATUS_INVALID;
    if (slice_is(type, "ERROR") && slice_is(text_of(json_object_get(object, "kind")), "Status"))
        return STATUS_OK;
    if (is_table(object)) {
        bool pruned = prune(filter, object);

        *passes = json_array_size(json_object_get(object, "rows")) > 0 ||
                  json_array_size(json_object_get(object, "columnDefinitions")) > 0;
        return pruned ? STATUS_OK : STATUS_INVALID;
    }
    /* A bookmark has a version alone. */
    *passes = slice_is(type, "BOOKMARK")
                  ? json_object_get(json_object_get(object, "metadata"), "name") == NULL
                  : sees(filter, object);
    return STATUS_OK;
}

static enum status
event_pass(struct kube_filter *filter, struct slice line, struct buffer *out)
{
    json_t *event;
    bool passes = false;

    if (slice_trim(line).size == 0)
        return STATUS_OK;
    enum status status = json_read(slice_trim(line), &event, NULL);
    if (status != STATUS_OK)
        return status;
    status = event_judge(filter, event, &passes);
    if (status == STATUS_OK && passes) {
        put_json(out, event);
        put_text(out, "\n");
    }
    json_decref(event);
    return status;
}

static enum status
events_feed(struct body_filter *base, struct slice in, struct buffer *out)
{
    struct kube_filter *filter = (struct kube_filter *)base;
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
    struct kube_filter *filter = (struct kube_filter *)base;

    return event_pass(filter, buffer_slice(&filter->held), out);
}

static void
filter_free(struct body_filter *base)
{
    struct kube_filter *filter = (struct kube_filter *)base;

    buffer_free(&filter->held);
    arena_free(&filter->scratch);
    free(filter);
}

struct body_filter *
kube_filter_new(struct passage *passage, const struct kube_attributes *attributes)
{
    struct kube_filter *filter = calloc(1, sizeof *filter);

    if (filter == NULL)
        return NULL;
    filter->filter = attributes->watch
                         ? (struct body_filter){ events_feed, events_end, filter_free }
                         : (struct body_filter){ list_feed, list_end, filter_free };
    filter->passage = passage;
    filter->attributes = attributes;
    filter->held.limit = attributes->watch ? EVENT_MAX : LIST_MAX;
    arena_init(&filter->scratch, SCRATCH_MAX);
    return &filter->filter;
}

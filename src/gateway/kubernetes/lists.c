/* gateway/kubernetes/lists.c - reads an answer that lists and writes what may be seen of it. */
#include "lists.h"

#include <stdlib.h>

#include "../http/listing.h"
#include "../pipeline.h"
#include "base/json.h"

enum { LIST_MAX = 64 << 20, EVENT_MAX = 4 << 20, SCRATCH_MAX = 1 << 20 };

struct kube_filter {
    struct listing listing;
    const struct kube_attributes *attributes;
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
    struct slice within = text_of(json_object_get(metadata, "namespace"));
    bool may;

    if ((within.size > 0 && !kube_name_valid(within)) || !kube_name_valid(name))
        return false;
    if (within.size == 0)
        within = SLICE_LITERAL("-");
    struct request request = {
        .resource = filter->listing.passage->asked.request.resource,
        .action = filter->attributes->action,
        .object = kube_object(filter->attributes, within, name, &filter->listing.scratch),
        .syntax = OBJECT_PATH,
    };
    may = request.object.at != NULL &&
          pipeline_could(filter->listing.passage, &request, &filter->listing.scratch);
    arena_reset(&filter->listing.scratch);
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

/* --- whole lists, and events one by one ------------------------------------------------------ */

static enum status
judge_list(struct listing *listing, json_t *value, bool *passes)
{
    return prune((struct kube_filter *)listing, value) ? STATUS_OK : STATUS_INVALID;
}

/* {"type": …, "object": …}. The first table of a watch has the columns for all that follow. */
static enum status
judge_event(struct listing *listing, json_t *event, bool *passes)
{
    struct kube_filter *filter = (struct kube_filter *)listing;
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

struct body_filter *
kube_filter_new(struct passage *passage, const struct kube_attributes *attributes)
{
    struct kube_filter *filter = calloc(1, sizeof *filter);

    if (filter == NULL)
        return NULL;
    filter->attributes = attributes;
    filter->listing.judge = attributes->watch ? judge_event : judge_list;
    listing_begin(&filter->listing, passage, attributes->watch ? LISTING_LINES : LISTING_WHOLE,
                  (struct listing_limits){ .value = attributes->watch ? EVENT_MAX : LIST_MAX,
                                           .scratch = SCRATCH_MAX });
    return &filter->listing.filter;
}

/* world/upstream.c - the sets of upstreams and of revoked hops: copied, changed, published. */
#include <stdlib.h>

#include "picture.h"

static void
upstream_release(struct upstream *upstream)
{
    if (upstream == NULL || --upstream->refs > 0)
        return;
    json_decref(upstream->definition);
    free(upstream);
}

void
world_upstreams_free(struct upstream_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++)
        upstream_release(set->owners[i]);
    free(set->views);
    free(set->owners);
    free(set);
}

static enum status
upstreams_room(struct upstream_set *set)
{
    size_t capacity = set->capacity == 0 ? 8 : set->capacity * 2;
    struct upstream_view *views;
    struct upstream **owners;

    if (set->count < set->capacity)
        return STATUS_OK;
    views = realloc(set->views, capacity * sizeof *views);
    if (views == NULL)
        return STATUS_MEMORY;
    set->views = views;
    owners = realloc(set->owners, capacity * sizeof(struct upstream *));
    if (owners == NULL)
        return STATUS_MEMORY;
    set->owners = owners;
    set->capacity = capacity;
    return STATUS_OK;
}

static enum status
upstreams_copy(const struct upstream_set *from, struct upstream_set **out)
{
    struct upstream_set *set = calloc(1, sizeof *set);
    enum status status = set == NULL ? STATUS_MEMORY : STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < from->count; i++) {
        status = upstreams_room(set);
        if (status == STATUS_OK) {
            set->views[set->count] = from->views[i];
            set->owners[set->count++] = from->owners[i];
            from->owners[i]->refs++;
        }
    }
    if (status != STATUS_OK) {
        world_upstreams_free(set);
        return status;
    }
    *out = set;
    return STATUS_OK;
}

static int
name_order(struct slice a, struct slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = memcmp(a.at, b.at, shorter);

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Where the name stands, or would stand. */
static size_t
place_of(const struct upstream_set *set, struct slice name, bool *there)
{
    size_t low = 0, high = set->count;

    *there = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = name_order(set->views[middle].name, name);
        if (order == 0) {
            *there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum status
upstream_new(const struct change *change, uint64_t version, struct upstream **out,
             struct fault *fault)
{
    static const char *const reserved[] = { "writ", "check", "healthz", "readyz", "metrics" };
    struct upstream *upstream;
    json_t *definition;
    struct slice type = { 0 };
    enum status status;

    if (!name_valid(change->name))
        return fault_set(fault, STATUS_INVALID, "this is no valid name");
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (slice_is(change->name, reserved[i]))
            return fault_set(fault, STATUS_INVALID, "the name is reserved");
    }
    status = json_read(change->body, &definition, fault);
    if (status != STATUS_OK)
        return status;
    status = json_is_object(definition)
                 ? json_take_string(definition, "type", &type, fault)
                 : fault_set(fault, STATUS_INVALID, "a definition is an object");
    if (status == STATUS_OK && type.size == 0)
        status = fault_at(fault, STATUS_INVALID, "/type", "an upstream needs a type");
    upstream = status == STATUS_OK ? calloc(1, sizeof *upstream + change->name.size) : NULL;
    if (upstream == NULL) {
        json_decref(definition);
        return status != STATUS_OK ? status : fault_set(fault, STATUS_MEMORY, "out of memory");
    }
    upstream->refs = 1;
    upstream->definition = definition;
    upstream->version = version;
    upstream->name_size = change->name.size;
    memcpy(upstream->name, change->name.at, change->name.size);
    *out = upstream;
    return STATUS_OK;
}

static struct upstream_view
view_of(const struct upstream *upstream)
{
    struct upstream_view view = { .name = slice_of(upstream->name, upstream->name_size),
                                  .definition = upstream->definition,
                                  .version = upstream->version };

    if (json_take_string(upstream->definition, "type", &view.type, NULL) != STATUS_OK)
        view.type = (struct slice){ 0 };
    return view;
}

static enum status
put_upstream(struct upstream_set *set, const struct change *change, uint64_t version,
             struct fault *fault)
{
    struct upstream *upstream = NULL;
    enum status status = upstreams_room(set);
    bool there;
    size_t at = place_of(set, change->name, &there);

    if (status != STATUS_OK)
        return fault_set(fault, status, "%s", status_text(status));
    status = upstream_new(change, version, &upstream, fault);
    if (status != STATUS_OK)
        return status;
    if (there) {
        upstream_release(set->owners[at]);
    } else {
        memmove(&set->views[at + 1], &set->views[at], (set->count - at) * sizeof *set->views);
        memmove(&set->owners[at + 1], &set->owners[at],
                (set->count - at) * sizeof(struct upstream *));
        set->count++;
    }
    set->owners[at] = upstream;
    set->views[at] = view_of(upstream);
    return STATUS_OK;
}

static enum status
drop_upstream(struct upstream_set *set, struct slice name, struct fault *fault)
{
    bool there;
    size_t at = place_of(set, name, &there);

    if (!there)
        return fault_set(fault, STATUS_NOT_FOUND, "no such upstream");
    upstream_release(set->owners[at]);
    set->count--;
    memmove(&set->views[at], &set->views[at + 1], (set->count - at) * sizeof *set->views);
    memmove(&set->owners[at], &set->owners[at + 1], (set->count - at) * sizeof(struct upstream *));
    return STATUS_OK;
}

enum status
world_edit_upstream(struct picture_edit *edit, const struct change *change, uint64_t version,
                    struct fault *fault)
{
    enum status status = STATUS_OK;

    if (edit->upstreams == NULL)
        status = upstreams_copy(edit->from->upstreams, &edit->upstreams);
    if (status != STATUS_OK)
        return fault_set(fault, status, "%s", status_text(status));
    edit->upstreams->generation = version;
    return change->kind == CHANGE_UPSTREAM_PUT
               ? put_upstream(edit->upstreams, change, version, fault)
               : drop_upstream(edit->upstreams, change->name, fault);
}

void
world_hops_free(struct hop_set *hops)
{
    if (hops == NULL)
        return;
    free(hops->hops);
    free(hops);
}

static int
hop_order(const void *a, const void *b)
{
    /* The id and the hop are neighbours without padding; the time does not count. */
    return memcmp(a, b, TOKEN_ID_SIZE + HOP_ID_SIZE);
}

_Static_assert(offsetof(struct revoked_hop, hop) == TOKEN_ID_SIZE, "compared as one run of bytes");

void
world_hops_sort(struct hop_set *hops)
{
    if (hops->count > 0)
        qsort(hops->hops, hops->count, sizeof *hops->hops, hop_order);
}

bool
world_hop_revoked(const struct hop_set *hops, const struct token_id *id, const struct hop_id *hop)
{
    struct revoked_hop key = { .id = *id, .hop = *hop };

    return hops->count > 0 && bsearch(&key, hops->hops, hops->count, sizeof key, hop_order) != NULL;
}

/* Those that still have to be remembered at that time. */
static enum status
hops_copy(const struct hop_set *from, int64_t now, struct hop_set **out)
{
    struct hop_set *set = calloc(1, sizeof *set);

    if (set == NULL)
        return STATUS_MEMORY;
    set->capacity = from->count + 8;
    set->hops = calloc(set->capacity, sizeof *set->hops);
    if (set->hops == NULL) {
        free(set);
        return STATUS_MEMORY;
    }
    for (size_t i = 0; i < from->count; i++) {
        if (from->hops[i].forget_at > now)
            set->hops[set->count++] = from->hops[i];
    }
    *out = set;
    return STATUS_OK;
}

enum status
world_edit_hop(struct picture_edit *edit, const struct change *change)
{
    struct hop_set *set = edit->hops;
    enum status status;

    if (set == NULL) {
        status = hops_copy(edit->from->hops, change->at, &edit->hops);
        if (status != STATUS_OK)
            return status;
        set = edit->hops;
    }
    if (set->count == set->capacity) {
        struct revoked_hop *hops = realloc(set->hops, 2 * set->capacity * sizeof *hops);
        if (hops == NULL)
            return STATUS_MEMORY;
        set->hops = hops;
        set->capacity *= 2;
    }
    set->hops[set->count++] = (struct revoked_hop){ change->id, change->hop, change->expires_at };
    return STATUS_OK;
}

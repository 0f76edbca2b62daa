/* audit/map.c - the access map: which subject reached what, with which token. */
#include <stdlib.h>

#include "audit/search.h"
#include "base/clock.h"
#include "event_json.h"
#include "gather.h"

static enum status
map_use(void *context, const struct slice text[USE_TEXTS], const struct use_count *count)
{
    const struct slice kept[USE_TEXTS] = { [USE_TOKEN] = text[USE_TOKEN],
                                           [USE_SUBJECT] = text[USE_SUBJECT],
                                           [USE_RIGHT] = text[USE_RIGHT] };

    return uses_add(context, kept, count);
}

static json_t *
item_of(const struct uses *uses, uint32_t number)
{
    const struct use_count *count = &uses->counts[number];
    struct slice text[USE_TEXTS];
    char last[TIME_TEXT_MAX];

    uses_texts(uses, number, text);
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:s}", "subject", text_json(text[USE_SUBJECT]),
                     "token", text_json(text[USE_TOKEN]), "right", text_json(text[USE_RIGHT]),
                     "allowed", (json_int_t)count->allowed, "denied", (json_int_t)count->denied,
                     "last_used", time_format(count->last, last));
}

static int
compare(struct slice a, struct slice b)
{
    int order = memcmp(a.at, b.at, a.size < b.size ? a.size : b.size);

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int
by_subject(const void *a, const void *b, void *context)
{
    struct slice x[USE_TEXTS], y[USE_TEXTS];
    int order;

    uses_texts(context, *(const uint32_t *)a, x);
    uses_texts(context, *(const uint32_t *)b, y);
    order = compare(x[USE_SUBJECT], y[USE_SUBJECT]);
    if (order == 0)
        order = compare(x[USE_TOKEN], y[USE_TOKEN]);
    return order != 0 ? order : compare(x[USE_RIGHT], y[USE_RIGHT]);
}

static enum status
map_json(struct uses *uses, json_t **out)
{
    uint32_t *order = calloc((size_t)uses->keys.count + 1, sizeof *order);
    json_t *items = json_array();
    enum status status = order == NULL || items == NULL ? STATUS_MEMORY : STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < uses->keys.count; i++)
        order[i] = i;
    if (status == STATUS_OK)
        qsort_r(order, uses->keys.count, sizeof *order, by_subject, uses);
    for (uint32_t i = 0; status == STATUS_OK && i < uses->keys.count; i++)
        if (json_array_append_new(items, item_of(uses, order[i])) != 0)
            status = STATUS_MEMORY;
    free(order);
    if (status == STATUS_OK) {
        json_t *map = json_pack("{s:O, s:n}", "items", items, "next");

        if (map == NULL)
            status = STATUS_MEMORY;
        else
            *out = map;
    }
    json_decref(items);
    return status;
}

enum status
audit_map(const char *dir, int64_t since, json_t **out, struct fault *fault)
{
    struct uses uses = { 0 };
    enum status status = gather_uses(dir, since, map_use, &uses, fault);

    if (status == STATUS_OK) {
        status = map_json(&uses, out);
        if (status != STATUS_OK)
            fault_set(fault, status, "out of memory");
    }
    uses_free(&uses);
    return status;
}

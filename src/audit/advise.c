/* audit/advise.c - the smallest rights that cover what was used. */
#include <stdlib.h>

#include "audit/search.h"
#include "gather.h"
#include "shape.h"

enum { RIGHT_MOST = 512 };

/* A pattern of a resource, and who it is for. */
struct pattern {
    uint32_t text, resource, action; /* numbers of names */
};

struct advice {
    const struct audit_advice_query *query;
    uint64_t events;
    struct intern verbs; /* resource NUL action */
    struct shapes **shapes;
    size_t room;
    struct intern rights; /* that decided a use that was allowed */
    struct intern names;
    struct pattern *patterns;
    size_t pattern_count, pattern_room;
    uint32_t resource, action; /* of the shapes that are being walked */
};

static bool
concerns(const struct audit_advice_query *query, const struct slice text[USE_TEXTS])
{
    if (query->token.size > 0)
        return slice_equal(token_base(query->token), text[USE_TOKEN]);
    if (query->subject.size > 0)
        return slice_equal(query->subject, text[USE_SUBJECT]);
    return slice_equal(query->role, text[USE_ROLE]);
}

static enum status
shapes_for(struct advice *advice, struct slice resource, struct slice action, struct shapes **out)
{
    char key[2 * AUDIT_TEXT_MAX + 1];
    uint32_t number, before = advice->verbs.count;
    enum status status;

    memcpy(key, resource.at, resource.size);
    key[resource.size] = '\0';
    memcpy(key + resource.size + 1, action.at, action.size);
    if (before == advice->room) {
        size_t room = advice->room == 0 ? 32 : 2 * advice->room;
        struct shapes **more = reallocarray(advice->shapes, room, sizeof *more);

        if (more == NULL)
            return STATUS_MEMORY;
        advice->shapes = more;
        advice->room = room;
    }
    status = intern_add(&advice->verbs, slice_of(key, resource.size + 1 + action.size), &number);
    if (status != STATUS_OK)
        return status;
    if (number == before) {
        advice->shapes[number] = NULL;
        status = shapes_new(&advice->shapes[number]);
    }
    *out = advice->shapes[number];
    return status;
}

static enum status
take_advice_use(void *context, const struct slice text[USE_TEXTS], const struct use_count *count)
{
    struct advice *advice = context;
    struct shapes *shapes;
    uint32_t ignored;
    enum status status;

    if (count->allowed == 0 || !concerns(advice->query, text))
        return STATUS_OK;
    advice->events += count->allowed;
    status = intern_add(&advice->rights, text[USE_RIGHT], &ignored);
    if (status == STATUS_OK)
        status = shapes_for(advice, text[USE_RESOURCE], text[USE_ACTION], &shapes);
    return status == STATUS_OK ? shapes_add(shapes, text[USE_OBJECT]) : status;
}

static enum status
take_pattern(void *context, struct slice text)
{
    struct advice *advice = context;
    struct pattern pattern = { .resource = advice->resource, .action = advice->action };
    enum status status = intern_add(&advice->names, text, &pattern.text);

    if (status != STATUS_OK)
        return status;
    if (advice->pattern_count == advice->pattern_room) {
        size_t room = advice->pattern_room == 0 ? 64 : 2 * advice->pattern_room;
        struct pattern *more = reallocarray(advice->patterns, room, sizeof *more);

        if (more == NULL)
            return STATUS_MEMORY;
        advice->patterns = more;
        advice->pattern_room = room;
    }
    advice->patterns[advice->pattern_count++] = pattern;
    return STATUS_OK;
}

static enum status
walk_shapes(struct advice *advice)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < advice->verbs.count && status == STATUS_OK; i++) {
        struct slice key = intern_get(&advice->verbs, i);
        struct slice resource = slice_first(key, slice_find(key, '\0'));
        struct slice action = slice_from(key, resource.size + 1);
        size_t fixed = resource.size + action.size + 2;

        status = intern_add(&advice->names, resource, &advice->resource);
        if (status == STATUS_OK)
            status = intern_add(&advice->names, action, &advice->action);
        if (status == STATUS_OK && fixed < RIGHT_MOST)
            status = shapes_each(advice->shapes[i], RIGHT_MOST - fixed, take_pattern, advice);
    }
    return status;
}

static int
compare_names(const struct advice *advice, uint32_t a, uint32_t b)
{
    struct slice x = intern_get(&advice->names, a), y = intern_get(&advice->names, b);
    int order = memcmp(x.at, y.at, x.size < y.size ? x.size : y.size);

    return order != 0 ? order : (x.size > y.size) - (x.size < y.size);
}

static int
by_place(const void *a, const void *b, void *context)
{
    const struct pattern *x = a, *y = b;
    int order = compare_names(context, x->resource, y->resource);

    if (order == 0)
        order = compare_names(context, x->text, y->text);
    return order != 0 ? order : compare_names(context, x->action, y->action);
}

/* Patterns from on to but not including to are of one resource and object: their
 * actions go into one right, or into several where one would be too long. */
static enum status
add_right(const struct advice *advice, size_t from, size_t to, json_t *rights)
{
    struct slice resource = intern_get(&advice->names, advice->patterns[from].resource);
    struct slice object = intern_get(&advice->names, advice->patterns[from].text);
    struct buffer out = BUFFER_LIMITED(4096);
    enum status status = STATUS_OK;

    for (size_t i = from; i < to && status == STATUS_OK;) {
        buffer_clear(&out);
        put_slice(&out, resource);
        for (char separator = ':'; i < to; i++, separator = '|') {
            struct slice action = intern_get(&advice->names, advice->patterns[i].action);

            if (i > from && advice->patterns[i].action == advice->patterns[i - 1].action)
                continue;
            if (separator == '|' && out.size + action.size + object.size + 2 > RIGHT_MOST)
                break;
            put_u8(&out, (uint8_t)separator);
            put_slice(&out, action);
        }
        put_u8(&out, ':');
        put_slice(&out, object);
        status = buffer_status(&out);
        if (status == STATUS_OK &&
            json_array_append_new(rights, json_slice(buffer_slice(&out))) != 0)
            status = STATUS_MEMORY;
    }
    buffer_free(&out);
    return status;
}

static enum status
add_rights(struct advice *advice, json_t *rights)
{
    enum status status = STATUS_OK;

    if (advice->pattern_count > 0)
        qsort_r(advice->patterns, advice->pattern_count, sizeof *advice->patterns, by_place,
                advice);
    for (size_t from = 0, to; from < advice->pattern_count && status == STATUS_OK; from = to) {
        const struct pattern *first = &advice->patterns[from];

        for (to = from + 1; to < advice->pattern_count &&
                            advice->patterns[to].resource == first->resource &&
                            advice->patterns[to].text == first->text;)
            to++;
        status = add_right(advice, from, to, rights);
    }
    return status;
}

static enum status
add_unused(struct advice *advice, json_t *unused)
{
    struct slice rest = advice->query->held, right;
    uint32_t before = advice->rights.count, number;

    while (slice_next(&rest, ' ', &right)) {
        enum status status;

        if (right.size == 0)
            continue;
        status = intern_add(&advice->rights, right, &number);
        /* One that was not there decided nothing; a repeated one is named once. */
        if (status == STATUS_OK && number == before) {
            before++;
            if (json_array_append_new(unused, json_slice(right)) != 0)
                status = STATUS_MEMORY;
        }
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status
advice_json(struct advice *advice, json_t **out)
{
    json_t *rights = json_array(), *unused = json_array();
    enum status status = rights == NULL || unused == NULL ? STATUS_MEMORY : walk_shapes(advice);

    if (status == STATUS_OK)
        status = add_rights(advice, rights);
    if (status == STATUS_OK)
        status = add_unused(advice, unused);
    if (status == STATUS_OK) {
        json_t *result = json_pack("{s:O, s:O, s:I}", "rights", rights, "unused", unused, "events",
                                   (json_int_t)advice->events);

        if (result == NULL)
            status = STATUS_MEMORY;
        else
            *out = result;
    }
    json_decref(rights);
    json_decref(unused);
    return status;
}

enum status
audit_advise(const char *dir, const struct audit_advice_query *query, json_t **out,
             struct fault *fault)
{
    struct advice advice = { .query = query };
    enum status status;

    if ((query->subject.size > 0) + (query->token.size > 0) + (query->role.size > 0) != 1)
        return fault_set(fault, STATUS_INVALID, "one of subject, token and role is asked for");
    status = gather_uses(dir, query->since, take_advice_use, &advice, fault);
    if (status == STATUS_OK) {
        status = advice_json(&advice, out);
        if (status != STATUS_OK)
            fault_set(fault, status, "the advice can't be made: %s", status_text(status));
    }
    for (uint32_t i = 0; i < advice.verbs.count; i++)
        shapes_free(advice.shapes[i]);
    free(advice.shapes);
    free(advice.patterns);
    intern_free(&advice.verbs);
    intern_free(&advice.rights);
    intern_free(&advice.names);
    return status;
}

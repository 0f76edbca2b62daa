/* policy/scope.c - a token's own list of rights. */
#include "scope.h"

#include <stdlib.h>

#include "covers.h"
#include "picture.h"

/* Looking at so few rights one by one costs no more than a search. */
enum { SCOPE_LIST_MAX = 8 };

struct scope {
    struct right *rights;
    size_t count;
    struct matcher *matcher; /* NULL: a short list */
    size_t size;
    char text[];
};

/* Rights are separated by one space or more, as RFC 6749 §3.3 has scopes. */
static bool
next_right(struct slice *rest, struct slice *out)
{
    while (slice_next(rest, ' ', out)) {
        if (out->size > 0)
            return true;
    }
    return false;
}

static enum status
read_rights(struct scope *scope, struct fault *fault)
{
    struct slice rest = slice_of(scope->text, scope->size), text;

    while (next_right(&rest, &text)) {
        enum status status;

        if (scope->count == SCOPE_RIGHTS_MAX)
            return fault_set(fault, STATUS_TOO_LARGE, "a scope holds at most %d rights",
                             SCOPE_RIGHTS_MAX);
        status = right_parse(text, &scope->rights[scope->count], fault);
        if (status != STATUS_OK) {
            fault_prefix(fault, "scope right \"%.*s\"", SLICE_PRINT(slice_first(text, 128)));
            return status;
        }
        scope->count++;
    }
    if (scope->count == 0)
        return fault_set(fault, STATUS_INVALID, "a scope holds at least one right");
    return STATUS_OK;
}

static enum status
compile(struct scope *scope)
{
    struct matcher_build *build = matcher_build_new(true);
    enum status status = build == NULL ? STATUS_MEMORY : STATUS_OK;

    for (size_t i = 0; i < scope->count && status == STATUS_OK; i++)
        status =
            matcher_add(build, &scope->rights[i], (uint32_t)i, scope->rights[i].columns.size == 0);
    if (status == STATUS_OK)
        status = matcher_build_finish(build, &scope->matcher);
    matcher_build_free(build);
    return status;
}

enum status
scope_new(struct slice text, struct scope **out, struct fault *fault)
{
    struct scope *scope;
    struct right *fitting;
    enum status status;

    if (text.size > SCOPE_SIZE_MAX)
        return fault_set(fault, STATUS_TOO_LARGE, "a scope has at most %d bytes", SCOPE_SIZE_MAX);
    scope = calloc(1, sizeof(*scope) + text.size + 1);
    if (scope == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    if (text.size > 0)
        memcpy(scope->text, text.at, text.size);
    scope->size = text.size;
    scope->rights = calloc(SCOPE_RIGHTS_MAX, sizeof(struct right));
    status = scope->rights == NULL ? fault_set(fault, STATUS_MEMORY, "out of memory")
                                   : read_rights(scope, fault);
    if (status == STATUS_OK && scope->count > SCOPE_LIST_MAX) {
        status = compile(scope);
        if (status != STATUS_OK)
            fault_set(fault, status, "the scope can't be compiled: %s", status_text(status));
    }
    if (status != STATUS_OK) {
        scope_free(scope);
        return status;
    }
    fitting = reallocarray(scope->rights, scope->count, sizeof(struct right));
    if (fitting != NULL)
        scope->rights = fitting;
    *out = scope;
    return STATUS_OK;
}

void
scope_free(struct scope *scope)
{
    if (scope == NULL)
        return;
    matcher_free(scope->matcher);
    free(scope->rights);
    free(scope);
}

struct slice
scope_text(const struct scope *scope)
{
    return slice_of(scope->text, scope->size);
}

struct asking {
    const struct scope *scope;
    const struct request *request;
};

static bool
right_found(void *context, uint32_t number, bool plain)
{
    const struct asking *asking = context;

    return plain || asking->request->listing ||
           columns_allow(&asking->scope->rights[number], asking->request);
}

enum scope_answer
scope_ask(const struct scope *scope, const struct request *request, const struct prepared *prepared)
{
    struct asking asking = { .scope = scope, .request = request };

    if (scope->matcher == NULL) {
        for (size_t i = 0; i < scope->count; i++) {
            if (right_covers(&scope->rights[i], request))
                return SCOPE_ALLOWS;
        }
        return SCOPE_REFUSES;
    }
    switch (
        matcher_search(scope->matcher, prepared, request->listing, right_found, &asking, NULL)) {
    case MATCH_STOPPED:
        return SCOPE_ALLOWS;
    case MATCH_LIMIT:
        return SCOPE_LIMIT;
    case MATCH_NONE:
        break;
    }
    return SCOPE_REFUSES;
}

bool
rights_allow(struct slice rights, const struct request *request)
{
    struct slice text;
    bool allows = false;

    while (next_right(&rights, &text)) {
        struct right right;

        if (right_parse(text, &right, NULL) != STATUS_OK)
            return false;
        allows |= right_covers(&right, request);
    }
    return allows;
}

/* Does one allow of the roles hold all of the right? The syntax is the upstream's,
 * which is not known here: fitting in one is enough, since a scope grants nothing
 * by itself. */
static bool
fits(const struct policy *policy, const name_id *roles, size_t role_count,
     const struct right *right)
{
    for (size_t i = 0; i < role_count; i++) {
        const struct role *role = policy_find_role(policy, roles[i]);

        for (size_t j = 0; role != NULL && j < role->allow.count; j++) {
            const struct right *wide = &role->allow.rules[j]->right;

            if (right_within_as(right, wide, OBJECT_PATH) ||
                right_within_as(right, wide, OBJECT_SQL) ||
                right_within_as(right, wide, OBJECT_FLAT))
                return true;
        }
    }
    return false;
}

enum status
policy_scope_fits(const struct policy *policy, const name_id *roles, size_t role_count,
                  struct slice scope, struct fault *fault)
{
    struct slice text;

    while (next_right(&scope, &text)) {
        struct right right;
        enum status status = right_parse(text, &right, fault);

        if (status != STATUS_OK)
            return status;
        if (!fits(policy, roles, role_count, &right))
            return fault_set(fault, STATUS_INVALID,
                             "no right of the token's roles holds all of %.*s",
                             SLICE_PRINT(slice_first(text, 400)));
    }
    return STATUS_OK;
}

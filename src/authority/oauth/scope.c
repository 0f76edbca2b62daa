/* authority/oauth/scope.c - what a token and those above it come to, as a list of rights
 * that a client can read. */
#include "oauth.h"

#include "base/clock.h"

enum {
    RIGHTS_MAX = 256,
    SCOPE_TOLD_MAX = 4096,
    COMPARISONS_MAX = 20000, /* a few milliseconds of the lane */
};

struct rights {
    struct right list[RIGHTS_MAX];
    size_t count;
};

struct meeting {
    const struct policy *policy;
    struct rights now, next, other;
    bool begun;
    bool over; /* more than is told */
    size_t comparisons;
};

static void
add(struct meeting *meeting, struct rights *to, const struct right *right)
{
    for (size_t i = 0; i < to->count; i++) {
        if (slice_equal(to->list[i].text, right->text))
            return;
    }
    if (to->count == RIGHTS_MAX)
        meeting->over = true;
    else
        to->list[to->count++] = *right;
}

static bool
within(struct meeting *meeting, const struct right *narrow, const struct right *wide)
{
    if (meeting->comparisons++ == COMPARISONS_MAX)
        meeting->over = true;
    return !meeting->over && right_within(narrow, wide);
}

/* Of each pair the narrower; a pair of which neither holds the other is left out. */
static void
meet(struct meeting *meeting)
{
    meeting->next.count = 0;
    for (size_t i = 0; i < meeting->now.count && !meeting->over; i++) {
        const struct right *one = &meeting->now.list[i];
        bool whole = false;

        for (size_t j = 0; j < meeting->other.count && !whole; j++)
            whole = within(meeting, one, &meeting->other.list[j]);
        if (whole)
            add(meeting, &meeting->next, one);
        for (size_t j = 0; j < meeting->other.count && !whole; j++) {
            if (within(meeting, &meeting->other.list[j], one))
                add(meeting, &meeting->next, &meeting->other.list[j]);
        }
    }
    if (!meeting->begun)
        meeting->next = meeting->other;
    meeting->begun = true;
    meeting->now = meeting->next;
}

static void
meet_text(struct meeting *meeting, struct slice text)
{
    struct slice word;
    struct right right;

    meeting->other.count = 0;
    while (text.size > 0 && slice_next(&text, ' ', &word)) {
        if (word.size > 0 && right_parse(word, &right, NULL) == STATUS_OK)
            add(meeting, &meeting->other, &right);
    }
    meet(meeting);
}

static bool
add_allow(void *context, const struct rule_view *rule)
{
    struct meeting *meeting = context;

    if (!rule->deny)
        add(meeting, &meeting->other, &rule->right);
    return !meeting->over;
}

/* Chosen at issue and held still. */
static size_t
held_roles(const struct policy *policy, const struct lineage_link *link,
           name_id out[TOKEN_ROLES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < link->role_count && count < TOKEN_ROLES_MAX; i++) {
        if (policy_subject_holds(policy, link->subject, link->roles[i], clock_wall_ms()))
            out[count++] = link->roles[i];
    }
    return count;
}

static void
meet_link(struct meeting *meeting, const struct lineage_link *link)
{
    name_id roles[TOKEN_ROLES_MAX];
    size_t count = held_roles(meeting->policy, link, roles);

    if (link->scope != NULL)
        meet_text(meeting, scope_text(link->scope));
    for (size_t i = 0; i < link->narrowing_count; i++)
        meet_text(meeting, link->narrowings[i]);
    meeting->other.count = 0;
    for (size_t i = 0; i < count; i++)
        policy_role_rules(meeting->policy, roles[i], add_allow, meeting);
    meet(meeting);
}

/* The right as it is at this upstream, when it is any there. */
static bool
put_at(const struct right *right, struct slice name, struct buffer *out)
{
    struct buffer text = BUFFER_LIMITED(2 * RIGHT_SIZE_MAX);
    struct right there;
    bool fits;

    put_format(&text, "%.*s%.*s", SLICE_PRINT(name),
               SLICE_PRINT(slice_from(right->text, right->resource.size)));
    fits = buffer_status(&text) == STATUS_OK &&
           right_parse(buffer_slice(&text), &there, NULL) == STATUS_OK &&
           right_within(&there, right);
    if (fits) {
        put_slice(out, buffer_slice(&text));
        put_text(out, " ");
    }
    buffer_free(&text);
    return fits;
}

static void
put_rights(const struct meeting *meeting, struct slice audience, struct buffer *out)
{
    for (size_t i = 0; i < meeting->now.count; i++) {
        struct slice rest = audience, name;

        if (audience.size == 0) {
            put_slice(out, meeting->now.list[i].text);
            put_text(out, " ");
        }
        while (rest.size > 0 && slice_next(&rest, ' ', &name))
            (void)put_at(&meeting->now.list[i], name, out);
    }
    if (out->size > 0)
        out->size--; /* the last blank */
}

bool
oauth_scope_of(struct authority *authority, const struct lineage *lineage, struct slice audience,
               struct arena *arena, struct slice *out)
{
    struct meeting *meeting = arena_zeroed(arena, sizeof *meeting);
    struct buffer text = BUFFER_LIMITED(SCOPE_TOLD_MAX + 1);
    bool told;

    if (meeting == NULL)
        return false;
    meeting->policy = world_policy_of(authority->world);
    for (size_t i = 0; i < lineage->count && !meeting->over; i++)
        meet_link(meeting, &lineage->links[i]);
    put_rights(meeting, audience, &text);
    told = !meeting->over && buffer_status(&text) == STATUS_OK;
    if (told) {
        *out = arena_copy(arena, buffer_slice(&text));
        told = out->at != NULL || text.size == 0;
    }
    buffer_free(&text);
    return told;
}

/* --- may it be given? ------------------------------------------------------------- */

static enum status
within_text(const struct right *right, struct slice wide)
{
    struct slice word;
    struct right one;

    while (wide.size > 0 && slice_next(&wide, ' ', &word)) {
        if (word.size > 0 && right_parse(word, &one, NULL) == STATUS_OK &&
            right_within(right, &one))
            return STATUS_OK;
    }
    return STATUS_INVALID;
}

static enum status
within_link(const struct policy *policy, const struct lineage_link *link, struct slice text,
            struct fault *fault)
{
    name_id roles[TOKEN_ROLES_MAX];
    size_t count = held_roles(policy, link, roles);
    enum status status = policy_scope_fits(policy, roles, count, text, fault);
    struct right right;

    if (status == STATUS_OK)
        status = right_parse(text, &right, fault);
    if (status == STATUS_OK && link->scope != NULL)
        status = within_text(&right, scope_text(link->scope));
    for (size_t i = 0; status == STATUS_OK && i < link->narrowing_count; i++)
        status = within_text(&right, link->narrowings[i]);
    return status;
}

enum status
oauth_scope_within(struct authority *authority, const struct lineage *lineage, struct slice scope,
                   struct fault *fault)
{
    const struct policy *policy = world_policy_of(authority->world);
    struct slice text;
    size_t count = 0;

    while (scope.size > 0 && slice_next(&scope, ' ', &text)) {
        if (text.size == 0)
            continue;
        if (count++ == SCOPE_RIGHTS_MAX)
            return fault_set(fault, STATUS_INVALID, "a scope holds at most %d rights",
                             SCOPE_RIGHTS_MAX);
        for (size_t i = 0; i < lineage->count; i++) {
            enum status status = within_link(policy, &lineage->links[i], text, fault);

            if (status != STATUS_OK)
                return fault_at(fault, STATUS_INVALID, "/scope",
                                "the token that this one comes from does not give %.*s",
                                SLICE_PRINT(slice_first(text, 256)));
        }
    }
    return STATUS_OK;
}

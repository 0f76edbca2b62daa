/* authority/record.c - the one way in which a new token comes to be, for the API's issue
 * and the grants of OAuth: what is asked, held against what the subject has. */
#include "internal.h"

#include "base/clock.h"
#include "crypto/random.h"

/* How many roles it holds, those that were granted included; each once, into out unless NULL. */
static size_t
held_now(const struct subject_view *view, int64_t now, name_id *out)
{
    size_t count = 0;

    for (size_t i = 0; i < view->role_count; i++) {
        bool again = false;

        for (size_t k = 0; k < i; k++)
            again = again || (view->roles[k] == view->roles[i] && now < view->until[k]);
        if (again || now >= view->until[i])
            continue;
        if (out != NULL)
            out[count] = view->roles[i];
        count++;
    }
    return count;
}

/* The roles by id, each held by the subject now; all it holds when none were named. */
static enum status
choose_roles(struct authority *authority, struct token_ask *ask, name_id *roles, size_t *count,
             struct fault *fault)
{
    const struct policy *policy = world_policy_of(authority->world);
    const struct names *names = world_names(authority->world);
    name_id subject = names_find(names, ask->subject);
    struct subject_view view;

    /* Who may act as the operator is the kernel's word at the socket, never a text's. */
    if (builtin_name(CHANGE_SUBJECT_PUT, ask->subject))
        return fault_at(
            fault, STATUS_INVALID, "/subject",
            "%.*s is the operator at the local socket and has no tokens: give a subject "
            "of the policy the role " ADMIN_ROLE,
            SLICE_PRINT(slice_first(ask->subject, 64)));
    if (subject == NAME_NONE || !policy_subject(policy, subject, &view))
        return fault_at(fault, STATUS_NOT_FOUND, "/subject",
                        "there is no subject %.*s: write it to the policy first",
                        SLICE_PRINT(slice_first(ask->subject, 64)));
    if (view.disabled)
        return fault_at(fault, STATUS_CONFLICT, "/subject", "the subject %.*s is disabled",
                        SLICE_PRINT(ask->subject));
    if (!ask->roles_given) {
        if (held_now(&view, ask->now, NULL) > TOKEN_ROLES_MAX)
            return fault_at(fault, STATUS_INVALID, "/roles",
                            "%.*s has more than %d roles: name those that the token needs",
                            SLICE_PRINT(ask->subject), TOKEN_ROLES_MAX);
        *count = ask->role_count = held_now(&view, ask->now, roles);
        for (size_t i = 0; i < *count; i++)
            ask->roles[i] = names_text(names, roles[i]);
        return STATUS_OK;
    }
    for (size_t i = 0; i < ask->role_count; i++) {
        roles[i] = names_find(names, ask->roles[i]);
        if (roles[i] == NAME_NONE || !policy_subject_holds(policy, subject, roles[i], ask->now))
            return fault_at(fault, STATUS_INVALID, "/roles", "%.*s does not hold the role %.*s",
                            SLICE_PRINT(ask->subject), SLICE_PRINT(slice_first(ask->roles[i], 64)));
    }
    *count = ask->role_count;
    return STATUS_OK;
}

/* The parent's line, live; the child's end is no later than that of its newest member. */
static enum status
under_parent(struct authority *authority, const struct token_ask *ask, struct token_record *record,
             struct fault *fault)
{
    struct world_token_info parent, above, newest;
    int64_t now = record->issued_at;
    unsigned depth = 1;

    if (!ask->has_parent)
        return STATUS_OK;
    if (!world_token(authority->world, &ask->parent, now, &parent))
        return fault_at(fault, STATUS_NOT_FOUND, "/parent",
                        "there is no token with the parent's id");
    if (parent.state != TOKEN_LIVE)
        return fault_at(fault, STATUS_CONFLICT, "/parent",
                        "the parent is %s: it can have no children",
                        token_state_name(parent.state));
    if (parent.record.purpose != PURPOSE_ACCESS)
        return fault_at(fault, STATUS_CONFLICT, "/parent",
                        "the parent is no access token: it can have no children");
    for (above = parent; !token_id_is_none(&above.record.parent_line); depth++) {
        if (depth >= TOKEN_DEPTH_MAX - 1 ||
            !world_token(authority->world, &above.record.parent_line, now, &above))
            return fault_at(fault, STATUS_INVALID, "/parent", "a lineage has at most %d tokens",
                            TOKEN_DEPTH_MAX);
    }
    if (!audience_within(record->audience, parent.record.audience))
        return fault_at(fault, STATUS_INVALID, "/audience",
                        "the parent is good at %.*s alone, and so are its children",
                        SLICE_PRINT(slice_first(parent.record.audience, 256)));
    if (record->audience.size == 0)
        record->audience = parent.record.audience;
    record->parent_line = parent.record.line;
    if (!world_token(authority->world, &parent.newest, now, &newest))
        return fault_set(fault, STATUS_INTERNAL, "the parent's line has no newest member");
    if (newest.life.expires_at < record->expires_at)
        record->expires_at = newest.life.expires_at;
    if (record->expires_at <= record->not_before)
        return fault_at(fault, STATUS_INVALID, "/not_before", "the parent has ended by then");
    return STATUS_OK;
}

static enum status
set_times(const struct authority *authority, const struct token_ask *ask,
          struct token_record *record, struct fault *fault)
{
    int64_t ttl = ask->ttl == 0 ? authority->options.settings.default_ttl_ms : ask->ttl;
    char most[TIME_TEXT_MAX];

    if (ttl > authority->options.settings.max_ttl_ms)
        return fault_at(
            fault, STATUS_INVALID, "/ttl",
            "the longest life of a token here is %s (limits.max_ttl); let it rotate instead",
            duration_format(authority->options.settings.max_ttl_ms, most));
    record->not_before = ask->not_before > record->issued_at ? ask->not_before : record->issued_at;
    if (record->not_before - record->issued_at > authority->options.settings.max_ttl_ms)
        return fault_at(fault, STATUS_INVALID, "/not_before", "not_before is too far away");
    record->expires_at = record->not_before + ttl;
    if (ask->expires_most != 0 && ask->expires_most < record->expires_at)
        record->expires_at = ask->expires_most;
    record->idle_ms = ask->idle == 0 ? TIME_NEVER : ask->idle;
    record->max_uses = ask->max_uses == 0 ? USES_UNLIMITED : (uint32_t)ask->max_uses;
    return STATUS_OK;
}

static struct slice
join_roles(struct arena *arena, const struct token_ask *ask)
{
    struct slice joined = { 0 };

    for (size_t i = 0; i < ask->role_count; i++) {
        joined = i == 0 ? arena_copy(arena, ask->roles[0])
                        : arena_format(arena, "%.*s %.*s", SLICE_PRINT(joined),
                                       SLICE_PRINT(ask->roles[i]));
        if (joined.at == NULL)
            break;
    }
    return joined;
}

static enum status
scope_fits(struct authority *authority, const struct token_ask *ask, const name_id *roles,
           size_t role_count, struct fault *fault)
{
    enum status status;

    if (ask->scope.size == 0)
        return STATUS_OK;
    status =
        policy_scope_fits(world_policy_of(authority->world), roles, role_count, ask->scope, fault);
    if (status != STATUS_OK)
        (void)fault_at(fault, status, "/scope", "invalid_scope: %s",
                       fault->text[0] == '\0' ? status_text(status) : fault->text);
    return status;
}

enum status
token_record_make(struct authority *authority, struct token_ask *ask, struct token_record *out,
                  struct fault *fault)
{
    struct token_record record = { .issued_at = ask->now,
                                   .line_started_at = ask->now,
                                   .binding = ask->binding,
                                   .subject = ask->subject,
                                   .scope = ask->scope,
                                   .networks = ask->networks,
                                   .network_count = ask->network_count,
                                   .name = ask->name,
                                   .issued_by = ask->issued_by,
                                   .audience = ask->audience,
                                   .purpose = ask->purpose };
    name_id roles[TOKEN_ROLES_MAX];
    size_t role_count = 0;
    enum status status = choose_roles(authority, ask, roles, &role_count, fault);

    if (status == STATUS_OK)
        status = scope_fits(authority, ask, roles, role_count, fault);
    if (status == STATUS_OK)
        status = audience_known(authority, ask->audience, fault);
    if (status == STATUS_OK)
        status = set_times(authority, ask, &record, fault);
    if (status == STATUS_OK)
        status = under_parent(authority, ask, &record, fault);
    if (status == STATUS_OK)
        status = random_bytes(record.id.bytes, sizeof record.id.bytes);
    record.roles = join_roles(ask->arena, ask);
    if (status == STATUS_OK && record.roles.at == NULL && ask->role_count > 0)
        status = STATUS_MEMORY;
    if (status == STATUS_OK && !keyring_newest(world_keyring(authority->world), &record.kid))
        status = fault_set(fault, STATUS_INTERNAL, "the key ring is empty");
    record.line = record.id;
    if (status == STATUS_OK)
        *out = record;
    return status;
}

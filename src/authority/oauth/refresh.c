/* authority/oauth/refresh.c - a new access token for a refresh token (RFC 6749 §6), which
 * is used up by it: its successor comes along, and whoever shows it again later ends the
 * whole family (RFC 9700 §4.14). */
#include "oauth.h"

/* An answer that was lost on its way may be asked for again: the same successor comes. */
#define REPEAT_MS (10 * MS_SECOND)

struct refreshing {
    struct oauth_call *call;
    struct credential credential;
    struct world_token_info info, newest;
    struct grant_ask ask;
};

static bool
refuse_grant(struct oauth_call *call, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_GRANT, "%s", why);
}

static enum credential_verdict
authenticate(struct refreshing *refreshing)
{
    struct oauth_call *call = refreshing->call;

    return world_authenticate_as(
        call->authority->reader,
        &(struct presented_text){ .text = form_value(&call->form, "refresh_token"),
                                  .purpose = PURPOSE_REFRESH,
                                  .now = call->request->now },
        call->request->arena, &refreshing->credential);
}

/* Known, of this client, and shown with its key: before that, what is shown changes
 * nothing, so that a copy of the text alone can't end the family either. */
static bool
may_refresh(struct refreshing *refreshing, enum credential_verdict verdict)
{
    struct oauth_call *call = refreshing->call;
    const struct token_record *record = &refreshing->info.record;

    if (verdict == CREDENTIAL_MALFORMED || verdict == CREDENTIAL_UNKNOWN ||
        verdict == CREDENTIAL_PURPOSE ||
        !world_token(call->authority->world, &refreshing->credential.id, call->request->now,
                     &refreshing->info) ||
        record->purpose != PURPOSE_REFRESH || !slice_equal(record->issued_by, call->client.name))
        return refuse_grant(call, "this is no refresh token of this client");
    call->subject_token = &refreshing->credential;
    if (refreshing->credential.id_text.size > TOKEN_ID_TEXT)
        return refuse_grant(call, "a refresh token can't be narrowed by its holder");
    if (record->binding.kind == BINDING_JKT && call->proven.kind == BINDING_NONE)
        return oauth_refuse(call, OAUTH_INVALID_DPOP_PROOF,
                            "the refresh token is bound to a key: send a DPoP proof of it");
    if (!oauth_proves(call, &record->binding))
        return refuse_grant(call, "the refresh token is bound to another key than was proven");
    return true;
}

/* The line with all that hangs on it. When it can't be made durable it lives on, and the
 * client is told to come again: then it ends. */
static bool
end_family(struct refreshing *refreshing)
{
    struct oauth_call *call = refreshing->call;
    struct change change = { .kind = CHANGE_LINE_REVOKED,
                             .at = call->request->now,
                             .id = refreshing->info.record.line };
    struct fault fault = { 0 };
    uint64_t generation;
    enum status status = authority_commit(call->authority, &change, 1, &generation, &fault);

    if (status != STATUS_OK)
        return oauth_refuse_fault(call, status, &fault);
    call->authority->counters.revoked++;
    (void)refuse_grant(call, "the refresh token was used before: it and all that came of it "
                             "are revoked");
    call->answer->wait_generation = generation;
    return false;
}

static bool
is_newest(const struct refreshing *refreshing)
{
    return token_id_equal(&refreshing->info.newest, &refreshing->info.record.id);
}

/* Its first successor is the newest still, and was made a moment ago. */
static bool
is_repeat(struct refreshing *refreshing)
{
    struct oauth_call *call = refreshing->call;

    return world_token(call->authority->world, &refreshing->info.newest, call->request->now,
                       &refreshing->newest) &&
           token_id_equal(&refreshing->newest.record.predecessor, &refreshing->info.record.id) &&
           call->request->now - refreshing->newest.record.issued_at < REPEAT_MS;
}

/* What the access token may: within the refresh token's, which stays as wide as it was. */
static bool
take_narrower(struct refreshing *refreshing)
{
    struct oauth_call *call = refreshing->call;
    const struct token_record *record = &refreshing->info.record;
    struct token_ask *token = &refreshing->ask.token;
    struct slice scope = form_value(&call->form, "scope");
    struct fault fault = { 0 };
    enum status status = STATUS_OK;

    if (scope.size > 0)
        status =
            oauth_scope_within(call->authority, &refreshing->credential.lineage, scope, &fault);
    if (status != STATUS_OK)
        return oauth_refuse_fault(call, status, &fault);
    token->scope = scope.size > 0 ? scope : record->scope;
    if (!oauth_audience(call, &token->audience))
        return false;
    if (!audience_within(token->audience, record->audience))
        return oauth_refuse(call, OAUTH_INVALID_TARGET,
                            "the refresh token is not good for all of these places");
    if (token->audience.size == 0)
        token->audience = record->audience;
    return true;
}

static bool
take_roles(struct refreshing *refreshing)
{
    struct token_ask *token = &refreshing->ask.token;
    struct slice roles = refreshing->info.record.roles, role;
    const struct authority *authority = refreshing->call->authority;
    const struct names *names = world_names(refreshing->call->authority->world);
    name_id subject = names_find(names, refreshing->info.record.subject);

    token->subject = refreshing->info.record.subject;
    token->roles_given = true;
    while (roles.size > 0 && slice_next(&roles, ' ', &role)) {
        name_id id = names_find(names, role);

        /* A role that was taken away since is simply not there any more. */
        if (id != NAME_NONE && token->role_count < TOKEN_ROLES_MAX &&
            policy_subject_holds(world_policy_of(authority->world), subject, id, token->now))
            token->roles[token->role_count++] = role;
    }
    return true;
}

static bool
make_successor(struct refreshing *refreshing)
{
    struct oauth_call *call = refreshing->call;
    struct authority *authority = call->authority;
    const struct token_record *old = &refreshing->info.record;
    struct fault fault = { 0 };
    int64_t now = call->request->now;
    enum status status = token_successor_make(
        authority, old, now, old->line_started_at + authority->options.settings.max_line_ms,
        &refreshing->ask.refresh);

    refreshing->ask.refresh_part = REFRESH_ROTATED;
    refreshing->ask.predecessor_end = now + REPEAT_MS < refreshing->info.life.expires_at
                                          ? now + REPEAT_MS
                                          : refreshing->info.life.expires_at;
    if (status != STATUS_OK)
        return oauth_refuse_fault(call, status, &fault);
    return refreshing->ask.refresh.expires_at > now ||
           refuse_grant(call, "the refresh token's time is over (limits.max_line)");
}

static bool
refresh(struct refreshing *refreshing)
{
    struct oauth_call *call = refreshing->call;
    enum credential_verdict verdict = authenticate(refreshing);

    if (!may_refresh(refreshing, verdict))
        return false;
    /* §6, RFC 9700 §4.14.2: one that has a successor and is no repeat is in two hands. */
    if (!is_newest(refreshing) && (verdict == CREDENTIAL_OK || verdict == CREDENTIAL_EXPIRED)) {
        if (verdict == CREDENTIAL_EXPIRED || !is_repeat(refreshing))
            return end_family(refreshing);
        refreshing->ask.refresh_part = REFRESH_REPEATED;
        refreshing->ask.refresh = refreshing->newest.record;
    } else if (verdict != CREDENTIAL_OK) {
        return refuse_grant(call, credential_verdict_text(verdict));
    }
    if (!take_narrower(refreshing) || !take_roles(refreshing))
        return false;
    if (refreshing->ask.refresh_part != REFRESH_REPEATED && !make_successor(refreshing))
        return false;
    refreshing->ask.token.expires_most = refreshing->ask.refresh.expires_at;
    return oauth_mint(call, &refreshing->ask);
}

bool
oauth_refresh(struct oauth_call *call)
{
    struct refreshing *refreshing = arena_zeroed(call->request->arena, sizeof *refreshing);

    if (refreshing == NULL)
        return oauth_refuse(call, OAUTH_SERVER_ERROR, "out of memory");
    refreshing->call = call;
    refreshing->ask.form = call->client.form;
    if (!call->client.refresh_token)
        return oauth_refuse(call, OAUTH_UNAUTHORIZED_CLIENT,
                            "this client may not refresh tokens: see grants of its client");
    if (form_value(&call->form, "refresh_token").size == 0)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST, "refresh_token is missing");
    return refresh(refreshing);
}

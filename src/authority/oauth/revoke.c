/* authority/oauth/revoke.c - the end of a token by its text (RFC 7009): its line, what
 * came of it, and open sessions, before the answer. Who has no business with it learns
 * nothing: the answer is 200 as well (§2.2). */
#include "oauth.h"

static bool
concerns(const struct oauth_call *call, const struct shown_token *shown)
{
    const struct token_record *record = &shown->info.record;
    struct slice who =
        call->client.name.size > 0 ? call->client.name : call->request->caller.subject;

    return (who.size > 0 &&
            (slice_equal(who, record->issued_by) || slice_equal(who, record->subject))) ||
           oauth_may(call, "tokens.revoke", record->subject);
}

/* One attenuation ends alone, with those that followed it. */
static enum status
ending(const struct oauth_call *call, const struct shown_token *shown, struct change *out)
{
    bool has_hop;
    enum status status;

    *out = (struct change){ .kind = CHANGE_LINE_REVOKED,
                            .at = call->request->now,
                            .id = shown->info.record.line };
    if (shown->credential.id_text.size <= TOKEN_ID_TEXT)
        return STATUS_OK;
    out->kind = CHANGE_HOP_REVOKED;
    out->expires_at = shown->info.record.expires_at;
    status = token_id_parse(shown->credential.id_text, &out->id, &out->hop, &has_hop);
    return status == STATUS_OK && !has_hop ? STATUS_INTERNAL : status;
}

/* A client must take a token for alive when its end is not durable (§2.2.1). */
static bool
end(struct oauth_call *call, const struct shown_token *shown)
{
    struct fault fault = { 0 };
    struct change change;
    uint64_t generation;
    enum status status = ending(call, shown, &change);

    if (status == STATUS_OK)
        status = authority_commit(call->authority, &change, 1, &generation, &fault);
    if (status != STATUS_OK)
        return oauth_refuse(call, OAUTH_TEMPORARILY_UNAVAILABLE,
                            "the token lives on: its end could not be made durable");
    call->authority->counters.revoked++;
    call->answer->wait_generation = generation;
    return true;
}

bool
oauth_revoke(struct oauth_call *call)
{
    struct shown_token *shown = arena_zeroed(call->request->arena, sizeof *shown);
    struct slice text = form_value(&call->form, "token");

    if (shown == NULL)
        return oauth_refuse(call, OAUTH_SERVER_ERROR, "out of memory");
    if (text.size == 0)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST, "token is missing");
    call->answer->status = 200;
    if (!oauth_find(call, text, shown) || !concerns(call, shown))
        return true;
    /* A second call is answered no earlier than the first. */
    call->answer->wait_generation = call->authority->announced;
    return shown->verdict == CREDENTIAL_REVOKED || end(call, shown);
}

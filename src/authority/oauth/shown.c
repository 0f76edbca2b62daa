/* authority/oauth/shown.c - a token that a call is about: found, and whose business it is. */
#include "oauth.h"

/* An access token first, then a refresh token: the hint changes nothing (RFC 7009 §2.1). */
bool
oauth_find(struct oauth_call *call, struct slice text, struct shown_token *out)
{
    struct authority *authority = call->authority;
    struct api_request *request = call->request;
    struct presented_text presented = { .text = text,
                                        .purpose = PURPOSE_ACCESS,
                                        .now = request->now };

    out->verdict =
        world_authenticate_as(authority->reader, &presented, request->arena, &out->credential);
    if (out->verdict == CREDENTIAL_PURPOSE) {
        presented.purpose = PURPOSE_REFRESH;
        out->verdict =
            world_authenticate_as(authority->reader, &presented, request->arena, &out->credential);
    }
    /* A client shows no token of its own: its line names the one that the call is about. */
    if (call->client.name.size > 0)
        call->subject_token = &out->credential;
    return out->verdict != CREDENTIAL_MALFORMED && out->verdict != CREDENTIAL_UNKNOWN &&
           out->verdict != CREDENTIAL_PURPOSE &&
           world_token(authority->world, &out->credential.id, request->now, &out->info) &&
           out->info.record.purpose != PURPOSE_CLIENT_SECRET;
}

static bool
client_may(const struct oauth_call *call, const char *action, struct slice subject)
{
    struct buffer object = { 0 };
    struct request asked = { .resource = SLICE_LITERAL("writ"),
                             .action = slice_text(action),
                             .syntax = OBJECT_FLAT,
                             .peer = call->request->caller.peer };
    const struct decision *decision;

    put_object(&object, subject);
    asked.object = arena_copy(call->request->arena, buffer_slice(&object));
    buffer_free(&object);
    decision = policy_decide_subject(world_policy_of(call->authority->world), call->client.subject,
                                     &asked, call->request->now, call->request->arena);
    return asked.object.at != NULL && decision_allows(decision);
}

bool
oauth_may(const struct oauth_call *call, const char *action, struct slice subject)
{
    if (call->client.name.size > 0)
        return client_may(call, action, subject);
    return api_may(call->authority, call->request, slice_text(action), subject);
}

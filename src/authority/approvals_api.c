/* authority/approvals_api.c - approvals through the API: looked at, and answered. */
#include "base/clock.h"
#include "role_grants.h"

static const char *const states[] = {
    [ENTRY_PENDING] = "pending", [ENTRY_APPROVED] = "approved", [ENTRY_REFUSED] = "refused",
    [ENTRY_EXPIRED] = "expired", [ENTRY_GONE] = "gone",
};

/* An unknown one has the object "-". */
struct slice
object_approval(struct authority *authority, const struct api_request *request)
{
    const struct approval_entry *entry = approvals_find(&authority->approvals, request->params[0]);

    return entry == NULL ? SLICE_LITERAL("-") : entry->question.upstream;
}

/* A client may send what is no UTF-8; it is shown nonetheless, such bytes as \xFF. */
static json_t *
escaped(struct slice text)
{
    struct buffer out = { 0 };
    json_t *json;

    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = (uint8_t)text.at[i];

        if (byte < 0x80)
            put_u8(&out, byte);
        else
            put_format(&out, "\\x%02X", byte);
    }
    json = buffer_status(&out) == STATUS_OK ? json_slice(buffer_slice(&out)) : NULL;
    buffer_free(&out);
    return json;
}

static json_t *
text_or_null(struct slice text)
{
    json_t *json = text.size == 0 ? json_null() : json_slice(text);

    return json != NULL ? json : escaped(text);
}

static json_t *
time_or_null(int64_t at)
{
    char text[TIME_TEXT_MAX];

    return at == 0 ? json_null() : json_string(time_format(at, text));
}

static json_t *
roles_json(struct slice by)
{
    json_t *roles = json_array();
    struct slice role;

    while (slice_next(&by, ' ', &role))
        json_array_append_new(roles, json_slice(role));
    return roles;
}

json_t *
approval_json(const struct approval_entry *entry)
{
    const struct approval_question *question = &entry->question;
    char peer[IP_TEXT_MAX];

    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, "
                     "s:o, s:o, s:o}",
                     "id", entry->id, "state", states[entry->state], "subject",
                     json_slice(question->subject), "chain", text_or_null(question->chain), "token",
                     text_or_null(question->token), "upstream", json_slice(question->upstream),
                     "action", json_slice(question->action), "object", json_slice(question->object),
                     "right", json_slice(question->right), "agent", text_or_null(question->agent),
                     "peer", ip_format(&question->peer, peer), "by", roles_json(question->by),
                     "asked_at", time_or_null(entry->asked_at), "expires_at",
                     time_or_null(entry->until), "stands_until", time_or_null(entry->stands_until),
                     "answered_at", time_or_null(entry->answered_at), "answered_by",
                     text_or_null(entry->answered_by), "reason", text_or_null(entry->reason));
}

json_t *
approval_json_whole(const struct approval_entry *entry)
{
    json_t *whole = approval_json(entry);

    if (json_object_set_new(whole, "call", text_or_null(entry->question.call)) == 0)
        return whole;
    json_decref(whole);
    return NULL;
}

enum status
api_approval_list(struct authority *authority, const struct api_request *request,
                  struct api_answer *answer, struct fault *fault)
{
    struct slice state = api_query(request, "state");
    json_t *items = json_array();

    for (const struct approval_entry *entry = authority->approvals.newest; entry != NULL;
         entry = entry->next) {
        if ((state.size == 0 || slice_is(state, states[entry->state])) &&
            api_may(authority, request, SLICE_LITERAL("approvals.read"), entry->question.upstream))
            json_array_append_new(items, approval_json(entry));
    }
    answer->body = json_pack("{s:o, s:n}", "items", items, "next");
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

static enum status
find(struct authority *authority, const struct api_request *request, struct approval_entry **out,
     struct fault *fault)
{
    *out = approvals_find(&authority->approvals, request->params[0]);
    return *out != NULL
               ? STATUS_OK
               : fault_set(fault, STATUS_NOT_FOUND, "this node knows of no approval with this id");
}

enum status
api_approval_show(struct authority *authority, const struct api_request *request,
                  struct api_answer *answer, struct fault *fault)
{
    struct approval_entry *entry;
    enum status status = find(authority, request, &entry, fault);

    if (status != STATUS_OK)
        return status;
    answer->body = approval_json_whole(entry);
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* --- who may answer ------------------------------------------------------------------- */

/* Nobody approves their own: not who asks, not those on whose behalf it is asked. */
static bool
is_own(const struct approval_question *question, struct slice subject)
{
    struct slice left = question->chain, link;

    if (slice_equal(question->subject, subject))
        return true;
    while (slice_next(&left, ' ', &link)) {
        size_t name = link.size - TOKEN_ID_TEXT - 1;

        if (link.size > TOKEN_ID_TEXT && slice_equal(slice_first(link, name), subject))
            return true;
    }
    return false;
}

/* A token that who asks has issued, for whatever subject, is in their hands. */
static bool
issued_by_who_asks(struct authority *authority, const struct api_request *request,
                   const struct approval_question *question)
{
    struct world_token_info info;

    return !request->caller.local &&
           world_token(authority->world, &request->caller.token_id, request->now, &info) &&
           info.record.issued_by.size > 0 && is_own(question, info.record.issued_by);
}

/* With the token that is shown: what it was not given does not count. */
bool
approval_answerable(struct authority *authority, const struct api_request *request,
                    struct slice roles)
{
    const struct lineage *lineage = &request->caller.lineage;
    struct slice role;

    while (lineage->count == 1 && slice_next(&roles, ' ', &role)) {
        name_id wanted = names_find(world_names(authority->world), role);

        for (size_t i = 0; i < lineage->links[0].role_count; i++) {
            if (lineage->links[0].roles[i] == wanted &&
                policy_subject_holds(world_policy_of(authority->world), lineage->links[0].subject,
                                     wanted, request->now))
                return true;
        }
    }
    return false;
}

static enum status
check_answerer(struct authority *authority, const struct api_request *request,
               const struct approval_entry *entry, struct fault *fault)
{
    if (is_own(&entry->question, request->caller.subject))
        return fault_set(fault, STATUS_DENIED, "nobody approves their own calls");
    if (issued_by_who_asks(authority, request, &entry->question))
        return fault_set(fault, STATUS_DENIED,
                         "this token was issued by who asks: nobody approves their own calls");
    if (request->caller.lineage.count > 1)
        return fault_set(fault, STATUS_DENIED,
                         "a token that acts for somebody else does not approve");
    if (!approval_answerable(authority, request, entry->question.by))
        return fault_set(fault, STATUS_DENIED,
                         "this is answered by a holder of one of the roles: %.*s",
                         SLICE_PRINT(entry->question.by));
    return STATUS_OK;
}

static enum status
answer_entry(struct authority *authority, const struct api_request *request, bool approved,
             struct api_answer *answer, struct fault *fault)
{
    static const char *const known[] = { "reason", NULL };
    struct slice reason = { 0 };
    struct approval_entry *entry;
    enum status status = find(authority, request, &entry, fault);

    if (status == STATUS_OK && request->body != NULL)
        status = json_only(request->body, known, fault);
    if (status == STATUS_OK && request->body != NULL)
        status = json_take_string(request->body, "reason", &reason, fault);
    if (status == STATUS_OK)
        status = check_answerer(authority, request, entry, fault);
    if (status != STATUS_OK)
        return status;
    bool stands = entry->state == ENTRY_APPROVED && entry->stands_until > request->now;
    if (entry->state == ENTRY_PENDING && approved && role_grant_asked(entry))
        status = role_grant_give(authority, entry, request, &answer->wait_generation, fault);
    if (status != STATUS_OK)
        return status;
    if (entry->state == ENTRY_PENDING)
        approvals_answer(&authority->approvals, entry, approved, request->caller.subject, reason,
                         request->now);
    else if (stands && !approved)
        approvals_withdraw(&authority->approvals, entry, request->caller.subject, reason,
                           request->now);
    else
        return fault_set(fault, STATUS_CONFLICT, "it does not wait any more: it is %s",
                         states[entry->state]);
    answer->body = approval_json(entry);
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

enum status
api_approval_approve(struct authority *authority, const struct api_request *request,
                     struct api_answer *answer, struct fault *fault)
{
    return answer_entry(authority, request, true, answer, fault);
}

enum status
api_approval_refuse(struct authority *authority, const struct api_request *request,
                    struct api_answer *answer, struct fault *fault)
{
    return answer_entry(authority, request, false, answer, fault);
}

void
authority_ask_approval(struct authority *authority, const struct approval_question *question)
{
    approvals_ask(&authority->approvals, question, clock_wall_ms());
}

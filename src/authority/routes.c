/* authority/routes.c - every path of the API, the right that it takes, and who
 * answers: one table, from which the dispatch and /openapi.json are made. */
#include "internal.h"

#include "base/encoding.h"

enum { APPLY_BODY_MAX = 64 << 20 };

static const struct route table[] = {
    { "POST", "/v1/tokens", "tokens.issue", object_body_subject, false, false, 0, api_token_issue,
      "Issue a token; its text is shown this one time" },
    { "GET", "/v1/tokens", "tokens.read", NULL, true, false, 0, api_token_list,
      "Tokens, newest first; ?subject= ?role= ?live=true ?limit= ?cursor=" },
    { "GET", "/v1/tokens/{id}", "tokens.read", object_id_subject, false, false, 0, api_token_show,
      "One token and its state" },
    { "GET", "/v1/tokens/{id}/tree", "tokens.read", object_id_subject, false, false, 0,
      api_token_tree, "Who acts for whom: the token at the top, with all that was made below it" },
    { "POST", "/v1/tokens/{id}/rotate", "tokens.rotate", object_rotate, false, false, 0,
      api_token_rotate, "A successor with the same rights; the old one lives for its grace" },
    { "DELETE", "/v1/tokens/{id}", "tokens.revoke", object_id_subject, false, false, 0,
      api_token_revoke, "Revoke a token, its line, its children; open sessions are cut" },
    { "DELETE", "/v1/tokens/{id}/{hop}", "tokens.revoke", object_id_subject, false, false, 0,
      api_hop_revoke, "Revoke one attenuation of a token" },
    { "POST", "/v1/revocations", "tokens.revoke", object_body_subject, false, false, 0,
      api_revocations, "Revoke many: by subject, role, issued_before (together they narrow)" },
    { "GET", "/v1/roles", "roles.read", NULL, true, false, 0, api_object_list, "Roles" },
    { "GET", "/v1/roles/{name}", "roles.read", object_param, false, false, 0, api_object_get,
      "One role" },
    { "PUT", "/v1/roles/{name}", "roles.write", object_param, false, false, 0, api_object_put,
      "Write a role: {inherits, allow, deny}" },
    { "DELETE", "/v1/roles/{name}", "roles.write", object_param, false, false, 0, api_object_drop,
      "Remove a role" },
    { "GET", "/v1/subjects", "subjects.read", NULL, true, false, 0, api_object_list, "Subjects" },
    { "GET", "/v1/subjects/{name}", "subjects.read", object_param, false, false, 0, api_object_get,
      "One subject" },
    { "PUT", "/v1/subjects/{name}", "subjects.write", object_param, false, false, 0, api_object_put,
      "Write a subject: {type, roles, disabled}" },
    { "DELETE", "/v1/subjects/{name}", "subjects.write", object_param, false, false, 0,
      api_object_drop, "Remove a subject; its tokens are worth nothing" },
    { "GET", "/v1/upstreams", "upstreams.read", NULL, true, false, 0, api_object_list,
      "Upstreams" },
    { "GET", "/v1/upstreams/{name}", "upstreams.read", object_param, false, false, 0,
      api_object_get, "One upstream" },
    { "PUT", "/v1/upstreams/{name}", "upstreams.write", object_param, false, false, 0,
      api_object_put, "Write an upstream: {type, url, …}" },
    { "DELETE", "/v1/upstreams/{name}", "upstreams.write", object_param, false, false, 0,
      api_object_drop, "Remove an upstream" },
    { "POST", "/v1/apply", "policy.apply", NULL, false, false, APPLY_BODY_MAX, api_apply,
      "Apply policy files: {files: [{name, text}], dry_run}" },
    { "POST", "/v1/check", "check", NULL, false, false, 0, api_check,
      "Would this be allowed, by which right, why: {token|token_id|subject, right, network}" },
    { "GET", "/v1/who-can", "check", NULL, false, false, 0, api_who_can,
      "The subjects, roles and tokens that reach ?right= (?at=)" },
    { "GET", "/v1/audit", "audit.read", NULL, false, false, 0, api_audit_search,
      "Audit lines, newest first; ?subject= ?token= ?resource= ?action= ?decision= ?since= ?until= "
      "?limit= ?cursor= ?after=" },
    { "GET", "/v1/audit/map", "audit.read", NULL, false, false, 0, api_audit_map,
      "Who reached what by which right, with counts; ?since=" },
    { "GET", "/v1/audit/verify", "audit.read", NULL, false, false, 0, api_audit_verify,
      "Recompute the audit's chain" },
    { "GET", "/v1/advice", "advice.read", NULL, false, false, 0, api_advice,
      "The smallest rights that cover what was used; ?subject= | ?token= | ?role=, ?since=" },
    { "GET", "/v1/approvals", "approvals.read", NULL, true, false, 0, api_approval_list,
      "Calls that wait for an approval on this node, and those that were answered lately; "
      "?state=" },
    { "GET", "/v1/approvals/{id}", "approvals.read", object_approval, false, false, 0,
      api_approval_show, "One of them, with the very call" },
    { "POST", "/v1/approvals/{id}/approve", "approvals.answer", object_approval, false, false, 0,
      api_approval_approve,
      "Let it pass: {reason}; by a holder of one of its roles, not by who asks" },
    { "POST", "/v1/approvals/{id}/refuse", "approvals.answer", object_approval, false, false, 0,
      api_approval_refuse, "Refuse it: {reason}" },
    { "GET", "/v1/mcp/{upstream}/tools", "mcp.read", object_param, false, false, 0, api_tool_list,
      "Tools of an MCP server as this node has seen them, and as they were approved; ?tool= with "
      "the definitions" },
    { "POST", "/v1/mcp/{upstream}/approve", "mcp.approve", object_param, false, false, 0,
      api_tool_approve, "Approve tools as they were seen: {tools: [{name, digest}]}" },
    { "POST", "/v1/mcp/{upstream}/withdraw", "mcp.withdraw", object_param, false, false, 0,
      api_tool_withdraw, "Approve them no longer: {tools: [name]}" },
    { "POST", "/v1/grants", "grants.request", object_body_role, false, false, 0, api_grant_request,
      "Ask for a role for a time: {role, for, reason}; answered as an approval is" },
    { "GET", "/v1/grants", "grants.read", NULL, true, false, 0, api_grant_list,
      "Roles that subjects have for a time now" },
    { "DELETE", "/v1/grants/{subject}/{role}", "grants.end", object_param, false, false, 0,
      api_grant_end, "Take a role away before its time is over" },
    { "GET", "/v1/sessions", "sessions.read", NULL, false, false, 0, api_session_list,
      "What is open at this node's doors now; ?subject= ?upstream=" },
    { "GET", "/v1/sessions/{id}", "sessions.read", object_param, false, false, 0, api_session_show,
      "One open session" },
    { "DELETE", "/v1/sessions/{id}", "sessions.kill", object_param, false, false, 0,
      api_session_kill, "Cut an open session; answered when it is cut" },
    { "GET", "/v1/recordings", "recordings.read", NULL, false, false, 0, api_recording_list,
      "Recorded sessions of this node, newest first; ?subject= ?upstream= ?object= ?since= ?until= "
      "?limit= ?cursor=" },
    { "GET", "/v1/recordings/{id}", "recordings.read", object_param, false, false, 0,
      api_recording_show, "One of them, read to its end: its state, length and digest" },
    { "GET", "/v1/recordings/{id}/events", "recordings.read", object_param, false, false, 0,
      api_recording_events, "What it shows, as lines of an asciicast; ?from= the `next` before" },
    { "DELETE", "/v1/recordings/{id}", "recordings.delete", object_param, false, false, 0,
      api_recording_delete, "Remove a recording before its time" },
    { "POST", "/v1/clients/{name}/secret", "clients.secret", object_param, false, false, 0,
      api_client_secret,
      "A client's secret, shown this one time; a second call rotates with overlap: {grace}" },
    { "POST", "/v1/keys/rotate", "keys.rotate", NULL, false, false, 0, api_keys_rotate,
      "A new key for new tokens; the old one verifies until its last token is gone" },
    { "POST", "/v1/backup", "backup.write", NULL, false, true, 0, api_backup,
      "A consistent copy of the store: {path}; at the local socket alone" },
    { "POST", "/v1/reload", "policy.apply", NULL, false, true, 0, api_reload,
      "Read the policy files and certificates again; at the local socket alone" },
    { "GET", "/healthz", NULL, NULL, false, false, 0, api_healthz, "The process lives" },
    { "GET", "/readyz", NULL, NULL, false, false, 0, api_readyz,
      "The node serves; else 503 says why not" },
    { "GET", "/metrics", "metrics.read", NULL, false, false, 0, api_metrics, "Prometheus metrics" },
    { "GET", "/openapi.json", NULL, NULL, false, false, 0, api_openapi, "This description" },
};

const struct route *
routes(size_t *count)
{
    *count = sizeof table / sizeof table[0];
    return table;
}

/* --- matching ---------------------------------------------------------------------- */

/* Segment by segment; a {…} takes any one segment that is not empty. */
static bool
pattern_fits(const char *pattern, struct slice path, struct slice params[API_PARAMS])
{
    struct slice left = slice_text(pattern), want, have;
    size_t count = 0;

    if (slice_ends(path, SLICE_LITERAL("/")))
        return false; /* an empty last segment, which slice_next does not tell */
    while (slice_next(&left, '/', &want)) {
        if (!slice_next(&path, '/', &have))
            return false;
        if (want.size > 0 && want.at[0] == '{') {
            if (have.size == 0 || count == API_PARAMS)
                return false;
            params[count++] = have;
        } else if (!slice_equal(want, have)) {
            return false;
        }
    }
    return !slice_next(&path, '/', &have);
}

/* RFC 3986 §2.1; strict, as a name must have one reading. */
static bool
path_decode(struct arena *arena, struct slice text, struct slice *out)
{
    char *to = arena_take(arena, text.size + 1);
    size_t size = 0;

    if (to == NULL)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.at[i];

        if (byte == '%') {
            if (text.size - i < 3 || hex_digit_value(text.at[i + 1]) < 0 ||
                hex_digit_value(text.at[i + 2]) < 0)
                return false;
            byte = (char)(hex_digit_value(text.at[i + 1]) << 4 | hex_digit_value(text.at[i + 2]));
            i += 2;
            if (byte == '\0')
                return false;
        }
        to[size++] = byte;
    }
    to[size] = '\0';
    *out = slice_of(to, size);
    return true;
}

const struct route *
route_find(struct api_request *request, bool *wrong_method, struct buffer *allow)
{
    size_t count;
    const struct route *rows = routes(&count);

    *wrong_method = false;
    for (size_t i = 0; i < count; i++) {
        struct slice params[API_PARAMS] = { 0 };

        if (!pattern_fits(rows[i].pattern, request->path, params))
            continue;
        if (slice_is(request->method, rows[i].method)) {
            for (size_t k = 0; k < API_PARAMS; k++) {
                if (!path_decode(request->arena, params[k], &request->params[k])) {
                    *wrong_method = false;
                    return NULL;
                }
            }
            return &rows[i];
        }
        put_format(allow, "%s%s", *wrong_method ? ", " : "", rows[i].method);
        *wrong_method = true;
    }
    return NULL;
}

/* --- the objects of the rights -------------------------------------------------------- */

struct slice
object_param(struct authority *authority, const struct api_request *request)
{
    return request->params[0];
}

struct slice
object_body_subject(struct authority *authority, const struct api_request *request)
{
    const json_t *subject = json_object_get(request->body, "subject");

    if (!json_is_string(subject) || json_string_length(subject) == 0)
        return SLICE_LITERAL("-");
    return slice_of(json_string_value(subject), json_string_length(subject));
}

struct slice
object_body_role(struct authority *authority, const struct api_request *request)
{
    const json_t *role = json_object_get(request->body, "role");

    if (!json_is_string(role) || json_string_length(role) == 0)
        return SLICE_LITERAL("-");
    return slice_of(json_string_value(role), json_string_length(role));
}

/* The subject of the token in the path; "-" for an unknown one. */
struct slice
object_id_subject(struct authority *authority, const struct api_request *request)
{
    struct world_token_info info;
    struct token_id id;
    struct hop_id hop;
    bool has_hop;

    if (token_id_parse(request->params[0], &id, &hop, &has_hop) != STATUS_OK ||
        !world_token(authority->world, &id, request->now, &info))
        return SLICE_LITERAL("-");
    return info.record.subject;
}

struct slice
object_rotate(struct authority *authority, const struct api_request *request)
{
    if (!request->caller.local &&
        slice_equal(slice_first(request->caller.token, TOKEN_ID_TEXT), request->params[0]))
        return SLICE_LITERAL("self");
    return object_id_subject(authority, request);
}

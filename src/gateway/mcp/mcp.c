/* gateway/mcp/mcp.c - a message to an MCP server becomes a triple, by what its body says; the
 * headers that repeat it must agree. */
#include "mcp.h"

#include "../http/target.h"
#include "../pipeline.h"
#include "answers.h"
#include "base/encoding.h"
#include "decline.h"
#include "methods.h"
#include "session.h"

enum { BODY_MAX = 4 << 20 };

/* JSON-RPC's own codes, MCP's (2026-07-28), and ours of the range left to implementations. */
enum {
    CODE_INVALID = -32600,
    CODE_NO_METHOD = -32601,
    CODE_HEADERS = -32020,
    CODE_NO_SESSION = -32001,
    CODE_FORBIDDEN = -32003,
    CODE_UNAVAILABLE = -32004,
};

struct mcp_talk {
    struct mcp_message message;
    struct slice id;      /* of the request, as it is spelled; outlives the body */
    struct slice session; /* the server's own; empty: none */
    struct token_id line; /* whose session it is */
    int code;             /* of a message that is wrong; 0: it is not */
};

static struct arena *
arena_of(const struct http_passage *http)
{
    return http_call_arena(http->call);
}

/* --- refusing ------------------------------------------------------------------------- */

static enum dialect_need
refuse_as(struct http_passage *http, enum gate_refusal kind, int code, const char *reason)
{
    struct mcp_talk *talk = http->talk->own;

    if (talk != NULL)
        talk->code = code;
    http->passage->asked.fault = (struct refusal){ .kind = kind, .reason = slice_text(reason) };
    return DIALECT_READY;
}

static enum dialect_need
refuse(struct http_passage *http, int code, const char *reason)
{
    return refuse_as(http, GATE_MALFORMED, code, reason);
}

/* --- the endpoint, the origin, the session ------------------------------------------------ */

/* "/NAME" and "/NAME" with the path of the url are the endpoint, and nothing else is. */
static bool
find_endpoint(struct http_passage *http)
{
    struct http_target_read *target = &http->target;
    struct slice prefix = http->passage->asked.upstream->prefix;
    struct slice path = target->path.object;

    if (!target->bare && !slice_is(path, "/") && !slice_equal(path, prefix))
        return refuse_as(http, GATE_UNKNOWN, CODE_INVALID,
                         "there is no MCP endpoint at this path") != DIALECT_READY;
    target->bare = true;
    return true;
}

/* "https://host:port", without the path. */
static struct slice
origin_of(struct slice url)
{
    size_t colon = slice_find(url, ':');
    struct slice rest = slice_from(url, colon + 3);

    return slice_first(url, url.size - rest.size + slice_find(rest, '/'));
}

/* A page of another site must not speak through a browser, and a name that its owner has pointed
 * here is no name of this gateway (DNS rebinding): the Host alone does not make an origin own. */
static bool
origin_is_own(const struct http_passage *http)
{
    const struct http_head *head = http_call_head(http->call);
    struct slice origin = http_head_value(head, HTTP_FIELD_ORIGIN), base;
    const char *why;

    if (http_head_field_count(head, HTTP_FIELD_ORIGIN) == 0)
        return true;
    return http_head_field_count(head, HTTP_FIELD_ORIGIN) == 1 &&
           target_base(http, arena_of(http), &base, &why) == STATUS_OK &&
           slice_equal_nocase(origin, origin_of(base));
}

/* Of a field that is no one's in particular; false: it stands there twice. */
static bool
find_field(const struct http_head *head, const char *name, struct slice *out)
{
    unsigned count = 0;

    *out = (struct slice){ 0 };
    for (unsigned i = 0; i < head->count; i++) {
        if (!slice_equal_nocase(http_field_name(head, &head->fields[i]), slice_text(name)))
            continue;
        *out = http_field_value(head, &head->fields[i]);
        count++;
    }
    return count <= 1;
}

static bool
find_line(struct http_passage *http, struct token_id *line)
{
    struct gate *gate = http->passage->gate;
    struct credential credential;

    if (world_authenticate(gate->reader, http->passage->asked.token, lane_now_ms(gate->lane),
                           arena_of(http), &credential) != CREDENTIAL_OK)
        return false;
    *line = credential.line;
    return true;
}

static struct mcp_owner
owner_of(const struct http_passage *http)
{
    const struct mcp_talk *talk = http->talk->own;

    return (struct mcp_owner){ .key = http->passage->gate->gateway->session_key.bytes,
                               .upstream = http->passage->asked.upstream->name,
                               .line = &talk->line };
}

/* Who shows no good token is refused for that, not for the session. */
static bool
open_session(struct http_passage *http)
{
    struct mcp_talk *talk = http->talk->own;
    struct slice sealed;

    if (!find_line(http, &talk->line))
        return true;
    if (!find_field(http_call_head(http->call), "Mcp-Session-Id", &sealed))
        return refuse(http, CODE_INVALID, "Mcp-Session-Id stands there twice") != DIALECT_READY;
    if (sealed.size == 0)
        return true;
    struct mcp_owner owner = owner_of(http);
    return mcp_session_open(&owner, sealed, &talk->session) ||
           refuse_as(http, GATE_UNKNOWN, CODE_NO_SESSION,
                     "there is no such session of this token: initialize anew") != DIALECT_READY;
}

/* --- headers that repeat the body (2026-07-28) ------------------------------------------------ */

/* "=?base64?…?=" holds what a header can't. */
static bool
header_equals(struct slice header, struct slice text, struct arena *arena)
{
    uint8_t *decoded;
    size_t size;

    if (slice_starts(header, SLICE_LITERAL("=?base64?")) &&
        slice_ends(header, SLICE_LITERAL("?="))) {
        header = slice_of(header.at + 9, header.size - 11);
        decoded = arena_take(arena, header.size + 1);
        if (decoded == NULL || !base64_decode(header, decoded, header.size, &size))
            return false;
        header = slice_of((const char *)decoded, size);
    }
    return slice_equal(header, text);
}

/* Versions are dates. */
static bool
is_modern(struct slice version)
{
    return version.size == 10 && memcmp(version.at, "2026-07-28", 10) >= 0;
}

static bool
headers_agree(struct http_passage *http)
{
    const struct http_head *head = http_call_head(http->call);
    const struct mcp_message *message = &((struct mcp_talk *)http->talk->own)->message;
    struct slice version, method, name;
    struct slice named = message->name.size > 0 ? message->name : message->uri;
    bool once = find_field(head, "MCP-Protocol-Version", &version) &&
                find_field(head, "Mcp-Method", &method) && find_field(head, "Mcp-Name", &name);
    bool modern = is_modern(version) && message->kind == MCP_REQUEST;

    if (once && (method.at == NULL ? !modern : slice_equal(method, message->method)) &&
        (name.at == NULL ? !modern || named.size == 0 ||
                               !(slice_is(message->method, "tools/call") ||
                                 slice_is(message->method, "resources/read") ||
                                 slice_is(message->method, "prompts/get"))
                         : header_equals(name, named, arena_of(http))))
        return true;
    return refuse(http, CODE_HEADERS, "Mcp-Method and Mcp-Name do not say what the body says") !=
           DIALECT_READY;
}

/* --- the message -------------------------------------------------------------------------- */

static bool
is_json(const struct http_head *head)
{
    struct slice type = http_head_value(head, HTTP_FIELD_CONTENT_TYPE);

    return http_head_field_count(head, HTTP_FIELD_CONTENT_TYPE) == 1 &&
           http_head_field(head, HTTP_FIELD_CONTENT_ENCODING) == NULL &&
           slice_equal_nocase(slice_trim(slice_first(type, slice_find(type, ';'))),
                              SLICE_LITERAL("application/json"));
}

static void
ask_freely(struct http_passage *http, const char *action)
{
    struct asked *asked = &http->passage->asked;

    asked->request.action = slice_text(action);
    asked->request.object = SLICE_LITERAL("-");
    asked->request.syntax = OBJECT_FLAT;
    asked->free = true;
}

static enum dialect_need
decide_on(struct http_passage *http)
{
    struct asked *asked = &http->passage->asked;
    struct mcp_talk *talk = http->talk->own;
    const struct mcp_message *message = &talk->message;
    const struct mcp_method *method;

    if (message->kind == MCP_RESPONSE) {
        ask_freely(http, "session.respond");
        return DIALECT_READY;
    }
    method = mcp_method_find(message->method, false);
    if (method == NULL && message->kind == MCP_NOTIFICATION &&
        slice_starts(message->method, SLICE_LITERAL("notifications/"))) {
        ask_freely(http, "session.notify");
        return DIALECT_READY;
    }
    if (method == NULL)
        return refuse_as(http, GATE_UNKNOWN, CODE_NO_METHOD, "this gateway knows no such method");
    /* A notification is not answered, and so must not do what a request does. */
    if (message->kind == MCP_NOTIFICATION &&
        !slice_starts(message->method, SLICE_LITERAL("notifications/")))
        return refuse(http, CODE_INVALID, "a request needs an id");
    asked->request.action = slice_text(method->action);
    asked->free = (method->flags & MCP_FREE) != 0;
    asked->outlasts = message->outlasts;
    asked->request.listing = (method->flags & MCP_LISTS) != 0;
    if (!mcp_object_of(method, message, arena_of(http), &asked->request))
        return refuse(http, CODE_INVALID, "the request does not name what it is about");
    if (asked->upstream->plan.pinned && slice_is(message->method, "tools/call")) {
        asked->tool = arena_copy(arena_of(http), message->name);
        if (asked->tool.size == 0)
            return refuse(http, CODE_INVALID, "the request does not name what it is about");
    }
    asked->request.facts_known = (method->flags & MCP_ARGUMENTS) != 0;
    asked->request.facts = message->facts;
    asked->request.fact_count = message->fact_count;
    return DIALECT_READY;
}

static enum dialect_need
next_message(struct http_passage *http)
{
    struct mcp_talk *talk = http->talk->own;
    const char *why;
    int code;

    if (!mcp_message_read(buffer_slice(&http->talk->body), arena_of(http), &talk->message, &why,
                          &code)) {
        talk->message = (struct mcp_message){ 0 };
        return refuse(http, code, why);
    }
    talk->id = arena_copy(arena_of(http), talk->message.id);
    return headers_agree(http) ? decide_on(http) : DIALECT_READY;
}

/* --- the dialect --------------------------------------------------------------------------- */

static bool
begin(struct http_passage *http)
{
    struct request *request = &http->passage->asked.request;

    http->talk->own = arena_zeroed(arena_of(http), sizeof(struct mcp_talk));
    if (http->talk->own == NULL)
        return refuse_as(http, GATE_BUSY, 0, "the gateway is out of memory") != DIALECT_READY;
    request->action = SLICE_LITERAL("-");
    request->object = SLICE_LITERAL("-");
    request->syntax = OBJECT_FLAT;
    if (!find_endpoint(http))
        return false;
    if (!origin_is_own(http))
        return refuse_as(http, GATE_DENIED, CODE_FORBIDDEN,
                         "a page of another origin may not speak here") != DIALECT_READY;
    return open_session(http);
}

static enum dialect_need
next(struct http_passage *http, struct dialect_step *step)
{
    const struct http_head *head = http_call_head(http->call);
    bool first = http->talk->own == NULL;

    if (first && !begin(http))
        return DIALECT_READY;
    if (head->method == HTTP_METHOD_GET || head->method == HTTP_METHOD_DELETE) {
        ask_freely(http, head->method == HTTP_METHOD_GET ? "session.stream" : "session.close");
        return DIALECT_READY;
    }
    if (head->method != HTTP_METHOD_POST)
        return refuse_as(http, GATE_METHOD, CODE_INVALID, "MCP takes POST, GET and DELETE");
    if (!is_json(head))
        return refuse(http, CODE_INVALID, "a message is application/json, and not encoded");
    if (!http->talk->gathered) {
        step->limit = BODY_MAX;
        return DIALECT_BODY;
    }
    return next_message(http);
}

static bool
is_session_field(struct slice name)
{
    return slice_equal_nocase(name, SLICE_LITERAL("Mcp-Session-Id"));
}

/* Origin was held against the address that the client sees; the server knows another one, and
 * would refuse what is right. */
static bool
withholds(const struct http_passage *http, struct slice name)
{
    return is_session_field(name) || slice_equal_nocase(name, SLICE_LITERAL("Origin"));
}

static void
add_fields(const struct http_passage *http, struct buffer *out)
{
    const struct mcp_talk *talk = http->talk->own;

    if (talk->session.size > 0)
        http_put_header(out, SLICE_LITERAL("Mcp-Session-Id"), talk->session);
}

static void
add_answer_fields(const struct http_passage *http, const struct http_head *head, struct buffer *out)
{
    struct mcp_owner owner = owner_of(http);
    struct slice id, sealed;

    if (!find_field(head, "Mcp-Session-Id", &id) || id.size == 0)
        return;
    sealed = mcp_session_seal(&owner, id, arena_of(http));
    if (sealed.size > 0)
        http_put_header(out, SLICE_LITERAL("Mcp-Session-Id"), sealed);
}

struct slice
mcp_session_of(const struct http_passage *http)
{
    const struct mcp_talk *talk = http->talk->own;

    return talk->session;
}

static bool
never_upgrades(const struct http_passage *http)
{
    return false;
}

/* What stands behind a type may only say what the bytes are anyway: UTF-8. */
static bool
says_utf8(struct slice parameters)
{
    struct slice value;

    parameters = slice_trim(parameters);
    if (parameters.size == 0)
        return true;
    value = slice_from(parameters, slice_find(parameters, '=') + 1);
    return slice_equal_nocase(slice_first(parameters, slice_find(parameters, '=')),
                              SLICE_LITERAL("charset")) &&
           (slice_equal_nocase(value, SLICE_LITERAL("utf-8")) ||
            slice_equal_nocase(value, SLICE_LITERAL("\"utf-8\"")));
}

/* How an answer is to be read. There are clients that go by the beginning of a type, or by one of
 * two: what is not exactly one of the two that hold messages must hold none. */
static enum mcp_framing
framing_of(const struct http_head *head)
{
    struct slice whole = http_head_value(head, HTTP_FIELD_CONTENT_TYPE);
    struct slice type = slice_trim(slice_first(whole, slice_find(whole, ';')));

    if (http_head_field_count(head, HTTP_FIELD_CONTENT_TYPE) == 1 &&
        says_utf8(slice_from(whole, slice_find(whole, ';') + 1))) {
        if (slice_equal_nocase(type, SLICE_LITERAL("text/event-stream")))
            return MCP_EVENTS;
        if (slice_equal_nocase(type, SLICE_LITERAL("application/json")))
            return MCP_JSON;
    }
    /* An error in words for people is one without them; 202 has nothing to say. */
    return head->status == 202 || head->status >= 300 ? MCP_DROPPED : MCP_NOTHING_COMES;
}

static enum status
filter(struct http_passage *http, const struct http_head *head, struct body_filter **out)
{
    enum mcp_framing framing = framing_of(head);
    bool empty =
        head->body == HTTP_BODY_NONE || (head->body == HTTP_BODY_LENGTH && head->length == 0);

    if (empty)
        return STATUS_OK;
    if (framing == MCP_NOTHING_COMES && head->body == HTTP_BODY_LENGTH)
        return STATUS_INVALID;
    *out = mcp_filter_new(http->passage, framing);
    return *out == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* Where no new token would help, the model is told in the protocol's own way. */
static unsigned
status_of(const struct mcp_talk *talk, const struct refusal *refusal)
{
    bool hopeless = refusal->kind == GATE_DENIED || refusal->kind == GATE_UNAPPROVED ||
                    refusal->kind == GATE_HELD ||
                    (refusal->kind == GATE_FORBIDDEN && refusal->right.size == 0);

    return hopeless && talk->code == 0 && talk->id.size > 0 ? 200 : refusal_status(refusal->kind);
}

static int
code_of(const struct mcp_talk *talk, const struct refusal *refusal)
{
    if (talk->code != 0)
        return talk->code;
    switch (refusal->kind) {
    case GATE_FORBIDDEN:
    case GATE_DENIED:
    case GATE_UNAPPROVED:
    case GATE_HELD:
        return CODE_FORBIDDEN;
    default:
        return CODE_UNAVAILABLE;
    }
}

static void
word(const struct http_passage *http, const struct refusal *refusal, struct wording *out)
{
    const struct mcp_talk *talk = http->talk->own;
    struct buffer detail = BUFFER_LIMITED(16384);

    /* What is wrong with the token is HTTP's to say. */
    if (talk == NULL || refusal_status(refusal->kind) == 401)
        return;
    answer_detail(&detail, refusal);
    out->status = status_of(talk, refusal);
    out->content_type = SLICE_LITERAL("application/json");
    put_text(&out->body, "{\"jsonrpc\":\"2.0\",\"id\":");
    put_slice(&out->body, talk->id.size > 0 ? talk->id : SLICE_LITERAL("null"));
    put_format(&out->body, ",\"error\":{\"code\":%d,\"message\":", code_of(talk, refusal));
    put_json_string(&out->body, buffer_slice(&detail));
    if (refusal->right.size > 0) {
        put_text(&out->body, ",\"data\":{\"right\":");
        put_json_string(&out->body, refusal->right);
        put_text(&out->body, "}");
    }
    put_text(&out->body, "}}\n");
    buffer_free(&detail);
}

const struct dialect mcp_dialect = {
    .type = UPSTREAM_MCP,
    .next = next,
    .withholds = withholds,
    .add_fields = add_fields,
    .withholds_answer = is_session_field,
    .add_answer_fields = add_answer_fields,
    .upgrades = never_upgrades,
    .filter = filter,
    .word = word,
};

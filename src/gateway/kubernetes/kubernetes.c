/* gateway/kubernetes/kubernetes.c - a request to an API server becomes a triple: what is
 * done, to which namespace/resource/name, and what its body lets run. */
#include "kubernetes.h"

#include "../http/query.h"
#include "../pipeline.h"
#include "../recorded.h"
#include "attributes.h"
#include "lists.h"
#include "protobuf.h"
#include "sessions.h"
#include "workload.h"

/* What an API server takes itself; etcd takes less. */
enum { BODY_MAX = 3 << 20, COMMAND_MAX = 65536 };

struct kube_talk {
    struct kube_attributes attributes;
    enum kube_body body;
    enum kube_form form;
    bool read; /* the body */
    struct body_facts facts;
    struct slice accept;  /* of what is filtered */
    struct slice command; /* of an exec */
};

/* --- refusing ----------------------------------------------------------------------- */

static bool
refuse_as(struct http_passage *http, enum gate_refusal kind, const char *reason)
{
    http->passage->asked.fault = (struct refusal){ .kind = kind, .reason = slice_text(reason) };
    return false;
}

static bool
refuse(struct http_passage *http, const char *reason)
{
    return refuse_as(http, GATE_MALFORMED, reason);
}

static struct arena *
arena_of(const struct http_passage *http)
{
    return http_call_arena(http->call);
}

/* --- fields --------------------------------------------------------------------------- */

static bool
starts_nocase(struct slice text, const char *prefix)
{
    struct slice start = slice_text(prefix);

    return slice_equal_nocase(slice_first(text, start.size), start);
}

/* By these a client would tell the cluster who it is. */
static bool
claims_identity(struct slice name)
{
    return starts_nocase(name, "Impersonate-") || starts_nocase(name, "X-Remote-");
}

/* client-go's other way to send a token: a subprotocol of a WebSocket. */
static bool
holds_credential(struct slice name, struct slice value)
{
    struct slice part;

    if (!slice_equal_nocase(name, SLICE_LITERAL("Sec-WebSocket-Protocol")))
        return false;
    while (slice_next(&value, ',', &part)) {
        if (starts_nocase(slice_trim(part), "base64url.bearer."))
            return true;
    }
    return false;
}

static bool
fields_judge(struct http_passage *http)
{
    const struct http_head *head = http_call_head(http->call);

    for (unsigned i = 0; i < head->count; i++) {
        struct slice name = http_field_name(head, &head->fields[i]);

        if (claims_identity(name))
            return refuse(http, "who asks is told by the token alone: no Impersonate-* and no "
                                "X-Remote-* field is let through");
        if (holds_credential(name, http_field_value(head, &head->fields[i])))
            return refuse(http, "a credential stands in Sec-WebSocket-Protocol: send the token in "
                                "Authorization alone");
    }
    return true;
}

/* --- the answer that is asked for ------------------------------------------------------- */

/* What is filtered must be JSON, and the rows of a table must say whose they are. */
static bool
ask_for_json(struct http_passage *http)
{
    struct kube_talk *talk = http->talk->own;
    struct slice accept = http_head_value(http_call_head(http->call), HTTP_FIELD_ACCEPT), include;
    struct slice first = slice_first(accept, slice_find(accept, ',')), parameter;

    talk->accept = SLICE_LITERAL("application/json");
    if (!slice_next(&first, ';', &parameter) ||
        !slice_equal_nocase(slice_trim(parameter), SLICE_LITERAL("application/json")))
        return true;
    while (slice_next(&first, ';', &parameter)) {
        if (slice_is(slice_trim(parameter), "as=Table"))
            talk->accept = SLICE_LITERAL("application/json;as=Table;v=v1;g=meta.k8s.io");
        else if (slice_is(slice_trim(parameter), "as=PartialObjectMetadataList"))
            talk->accept =
                SLICE_LITERAL("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io");
        else if (slice_is(slice_trim(parameter), "as=PartialObjectMetadata"))
            talk->accept =
                SLICE_LITERAL("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io");
    }
    switch (query_find(http->target.query, "includeObject", arena_of(http), &include)) {
    case QUERY_ABSENT:
        return true;
    case QUERY_AMBIGUOUS:
        return refuse(http, "the query says includeObject twice, or can't be read");
    case QUERY_FOUND:
        break;
    }
    if (slice_is(include, "Object"))
        return true;
    http->target.query = query_replace(http->target.query, "includeObject",
                                       SLICE_LITERAL("Metadata"), arena_of(http));
    return http->target.query.at != NULL || refuse(http, "the query is too long");
}

/* --- the triple ---------------------------------------------------------------------------- */

/* What the body makes has its name there. */
static bool
object_set(struct http_passage *http, struct slice name)
{
    struct kube_talk *talk = http->talk->own;
    struct request *request = &http->passage->asked.request;

    if (!talk->attributes.resource_request)
        return true; /* the path, as classify has it */
    request->object =
        kube_object(&talk->attributes, talk->attributes.namespace, name, arena_of(http));
    if (request->object.at != NULL)
        return true;
    request->object = SLICE_LITERAL("-");
    return refuse(http, "the path is too long");
}

static bool
stands(struct http_passage *http)
{
    struct kube_talk *talk = http->talk->own;
    struct request *request = &http->passage->asked.request;

    if (talk->attributes.option.size > 0) {
        body_fact_add(&talk->facts, "option", talk->attributes.option, true);
        request->facts_known = true;
    }
    if (talk->facts.wrong != NULL)
        return refuse(http, talk->facts.wrong);
    request->facts = talk->facts.facts;
    request->fact_count = talk->facts.count;
    return true;
}

/* Another action on the same. */
static bool
may_too(struct http_passage *http, const char *action)
{
    struct asked *asked = &http->passage->asked;
    struct request other = asked->request;

    other.action = slice_text(action);
    if (pipeline_would(http->passage, &other, arena_of(http)))
        return true;
    asked->fault = (struct refusal){
        .kind = GATE_FORBIDDEN,
        .reason = SLICE_LITERAL("the request does this as well"),
        .right = arena_format(arena_of(http), "%.*s:%s:%.*s", SLICE_PRINT(other.resource), action,
                              SLICE_PRINT(other.object)),
    };
    return false;
}

/* --- commands --------------------------------------------------------------------------------- */

/* ?command=ls&command=-l: the words in their order. */
static bool
take_command(struct http_passage *http)
{
    struct kube_talk *talk = http->talk->own;
    struct buffer line = BUFFER_LIMITED(COMMAND_MAX);
    struct slice query = http->target.query, name, value, text, container;
    bool clear = true, first = true;

    if (query_find(query, "container", arena_of(http), &container) == QUERY_AMBIGUOUS)
        return refuse(http, "the query says container twice, or can't be read");
    while (query_next(&query, arena_of(http), &name, &value, &clear)) {
        if (!slice_is(name, "command"))
            continue;
        put_text(&line, first ? "" : " ");
        put_slice(&line, value);
        first = false;
    }
    text = arena_copy(arena_of(http), buffer_slice(&line));
    if (!clear || buffer_status(&line) != STATUS_OK || (line.size > 0 && text.at == NULL))
        (void)refuse(http, "the command can't be read, or is too long to be judged");
    else if (talk->attributes.connect == KUBE_EXEC)
        body_fact_add(&talk->facts, "command", line.size > 0 ? text : slice_of("", 0), false);
    buffer_free(&line);
    talk->command = text;
    http->passage->asked.request.facts_known = true;
    return http->passage->asked.fault.kind == GATE_NOTHING;
}

/* --- bodies -------------------------------------------------------------------------------------
 */

/* Where a name stands twice, the two are one. */
static bool
names_agree(struct http_passage *http, const struct kube_named *named)
{
    const struct kube_attributes *attributes = &((struct kube_talk *)http->talk->own)->attributes;

    if (named->namespace.size > 0 && !slice_equal(named->namespace, attributes->namespace))
        return refuse(http, "the body names another namespace than the path");
    if (attributes->name.size > 0 && named->name.size > 0 && !named->generated &&
        !slice_equal(named->name, attributes->name))
        return refuse(http, "the body names another object than the path");
    return true;
}

static bool
read_json(struct http_passage *http, struct kube_named *named)
{
    struct kube_talk *talk = http->talk->own;
    struct fault fault = { 0 };
    json_t *body;

    if (json_read(buffer_slice(&http->talk->body), &body, &fault) != STATUS_OK) {
        struct slice why =
            arena_format(arena_of(http), "the body is no JSON that can be judged: %s", fault.text);
        return refuse(http, why.at != NULL ? why.at : "the body is no JSON");
    }
    /* The facts' texts live in the tree: it stays until the call's end, with the body. */
    http->talk->tree = body;
    http->passage->asked.request.facts_known = talk->body != KUBE_BODY_NAME;
    return kube_body_read(talk->body, talk->form, body, &talk->facts, named) ||
           refuse(http, talk->facts.wrong);
}

static bool
read_body(struct http_passage *http)
{
    struct kube_talk *talk = http->talk->own;
    struct kube_named named;

    talk->read = true;
    if (talk->form != KUBE_FORM_PROTOBUF) {
        if (!read_json(http, &named))
            return false;
    } else if (!kube_protobuf_read(buffer_slice(&http->talk->body), &talk->facts, &named)) {
        return refuse(http, talk->facts.wrong);
    }
    if (!names_agree(http, &named))
        return false;
    return talk->attributes.name.size > 0 || object_set(http, named.name);
}

static bool
body_begin(struct http_passage *http)
{
    struct kube_talk *talk = http->talk->own;
    const struct http_head *head = http_call_head(http->call);

    talk->form =
        kube_form_of(http_head_value(head, HTTP_FIELD_CONTENT_TYPE), talk->attributes.verb);
    talk->body = kube_body_of(&talk->attributes);
    if (http_head_field_count(head, HTTP_FIELD_CONTENT_TYPE) > 1)
        return refuse(http, "there are two Content-Type fields");
    if (talk->body == KUBE_BODY_UNREAD)
        return true;
    if (http_head_field(head, HTTP_FIELD_CONTENT_ENCODING) != NULL)
        return refuse(http, "the body is encoded: it can't be judged");
    if (talk->form == KUBE_FORM_PROTOBUF && kube_takes_protobuf(&talk->attributes))
        return true;
    return (talk->form != KUBE_FORM_UNKNOWN && talk->form != KUBE_FORM_PROTOBUF) ||
           refuse(http, "this gateway reads such a body as JSON alone: send application/json, or "
                        "a patch in JSON");
}

/* --- the dialect ------------------------------------------------------------------------------ */

static bool
begin(struct http_passage *http)
{
    const struct http_head *head = http_call_head(http->call);
    struct asked *asked = &http->passage->asked;
    struct kube_talk *talk = arena_zeroed(arena_of(http), sizeof *talk);
    const char *why = "";

    if (talk == NULL)
        return refuse_as(http, GATE_BUSY, "the gateway is out of memory");
    http->talk->own = talk;
    talk->facts.arena = arena_of(http);
    /* path_params: allow forwards what is no part of the object. */
    if (slice_find(http->target.path.forward, ';') < http->target.path.forward.size)
        return refuse(http, "the path holds a ;");
    if (!kube_attributes_find(http_head_method(head), http->target.path.object, http->target.query,
                              arena_of(http), &talk->attributes, &why))
        return refuse(http, why);
    asked->request.action = talk->attributes.action;
    asked->request.syntax = OBJECT_PATH;
    asked->request.listing = talk->attributes.listing;
    asked->free = talk->attributes.free;
    return object_set(http, talk->attributes.name) && fields_judge(http) && body_begin(http) &&
           (!talk->attributes.listing || ask_for_json(http)) &&
           (talk->attributes.connect == KUBE_NOT_CONNECTED || take_command(http));
}

static void
judge_session(struct http_passage *http)
{
    const struct kube_talk *talk = http->talk->own;
    bool now = false;
    const char *why = kube_session_refused(http, &talk->attributes, &now);

    if (why != NULL)
        (void)refuse_as(http, now ? GATE_BUSY : GATE_DENIED, why);
}

static enum dialect_need
next(struct http_passage *http, struct dialect_step *step)
{
    struct kube_talk *talk;

    if (http->talk->own == NULL && !begin(http))
        return DIALECT_READY;
    talk = http->talk->own;
    if (talk->body != KUBE_BODY_UNREAD && !http->talk->gathered) {
        step->limit = BODY_MAX;
        return DIALECT_BODY;
    }
    if (talk->body != KUBE_BODY_UNREAD && !talk->read && !read_body(http))
        return DIALECT_READY;
    /* An apply makes what is not there. */
    if (talk->form == KUBE_FORM_APPLY && !may_too(http, "create"))
        return DIALECT_READY;
    if (stands(http))
        judge_session(http);
    return DIALECT_READY;
}

static bool
upgrades(const struct http_passage *http)
{
    const struct kube_talk *talk = http->talk->own;
    struct slice to = http_head_value(http_call_head(http->call), HTTP_FIELD_UPGRADE);

    return talk != NULL &&
           (talk->attributes.connect == KUBE_EXEC || talk->attributes.connect == KUBE_ATTACH ||
            talk->attributes.connect == KUBE_PORTFORWARD) &&
           http_head_field_count(http_call_head(http->call), HTTP_FIELD_UPGRADE) == 1 &&
           (slice_equal_nocase(to, SLICE_LITERAL("SPDY/3.1")) ||
            slice_equal_nocase(to, SLICE_LITERAL("websocket")));
}

static bool
is_listing(const struct http_passage *http)
{
    const struct kube_talk *talk = http->talk->own;

    return talk != NULL && talk->attributes.listing;
}

static bool
is_session(const struct http_passage *http)
{
    const struct kube_talk *talk = http->talk->own;

    return talk != NULL &&
           (talk->attributes.connect == KUBE_EXEC || talk->attributes.connect == KUBE_ATTACH);
}

static enum status
tap(struct http_passage *http, const struct http_head *head, struct stream_tap **out)
{
    const struct kube_talk *talk = http->talk->own;

    return is_session(http) ? kube_session_tap(http, head, talk->command, out) : STATUS_OK;
}

static bool
withholds(const struct http_passage *http, struct slice name)
{
    return claims_identity(name) || (is_session(http) && passage_withholds(http->passage, name)) ||
           (is_listing(http) && slice_equal_nocase(name, SLICE_LITERAL("Accept")));
}

static void
add_fields(const struct http_passage *http, struct buffer *out)
{
    const struct kube_talk *talk = http->talk->own;

    if (is_listing(http))
        http_put_header(out, SLICE_LITERAL("Accept"), talk->accept);
    if (http->passage->asked.upstream->plan.impersonate)
        http_put_header(out, SLICE_LITERAL("Impersonate-User"), http->passage->line->subject);
}

static enum status
filter(struct http_passage *http, const struct http_head *head, struct body_filter **out)
{
    const struct kube_talk *talk = http->talk->own;

    if (!is_listing(http) || head->status / 100 != 2)
        return STATUS_OK;
    *out = kube_filter_new(http->passage, &talk->attributes);
    return *out == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* metav1.Status, whose message kubectl prints. */
static void
word(const struct http_passage *http, const struct refusal *refusal, struct wording *out)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = { { 400, "BadRequest" },       { 401, "Unauthorized" },
                    { 403, "Forbidden" },        { 404, "NotFound" },
                    { 405, "MethodNotAllowed" }, { 413, "RequestEntityTooLarge" },
                    { 429, "TooManyRequests" },  { 503, "ServiceUnavailable" },
                    { 504, "Timeout" } };
    struct buffer detail = BUFFER_LIMITED(16384);
    const char *reason = "InternalError";

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == out->status)
            reason = reasons[i].reason;
    }
    put_text(&detail, "writ: ");
    answer_detail(&detail, refusal);
    out->content_type = SLICE_LITERAL("application/json");
    put_text(&out->body, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
                         "\"status\":\"Failure\",\"message\":");
    put_json_string(&out->body, buffer_slice(&detail));
    put_format(&out->body, ",\"reason\":\"%s\",\"code\":%u}\n", reason, out->status);
    buffer_free(&detail);
}

const struct dialect kubernetes_dialect = {
    .type = UPSTREAM_KUBERNETES,
    .next = next,
    .withholds = withholds,
    .add_fields = add_fields,
    .upgrades = upgrades,
    .filter = filter,
    .tap = tap,
    .word = word,
};

/* gateway/docker/docker.c - the dialect of the Engine: which bodies are read, what upgrades, how a
 * refusal is worded. */
#include "docker.h"

#include "../http/query.h"
#include "../recorded.h"
#include "lists.h"
#include "talk.h"

enum { BODY_MAX = 1 << 20 };

/* --- bodies -------------------------------------------------------------------------------- */

static enum docker_body
body_of(const struct docker_endpoint *endpoint)
{
    struct slice action = slice_text(endpoint->action);

    if (slice_is(action, "containers.create"))
        return DOCKER_BODY_CREATE;
    if (endpoint->kind == DOCKER_EXEC)
        return DOCKER_BODY_START;
    if (slice_is(action, "containers.exec"))
        return DOCKER_BODY_EXEC;
    if (slice_is(action, "containers.update"))
        return DOCKER_BODY_UPDATE;
    if (slice_is(action, "networks.connect"))
        return DOCKER_BODY_CONNECT;
    return slice_is(action, "volumes.create") ? DOCKER_BODY_VOLUME : DOCKER_BODY_NETWORK;
}

/* False: it is refused. The name of what is made goes to talk->path.name. */
static bool
read_body(struct http_passage *http)
{
    struct docker_talk *talk = http->talk->own;
    struct fault fault = { 0 };
    struct slice name = { 0 };
    json_t *body;

    if (json_read(buffer_slice(&http->talk->body), &body, &fault) != STATUS_OK) {
        struct slice why = arena_format(docker_arena(http),
                                        "the body is no JSON that can be judged: %s", fault.text);
        (void)docker_refuse(http, why.at != NULL ? why.at : "the body is no JSON");
        return false;
    }
    bool read = docker_body_read(body_of(talk->path.endpoint), body, &talk->facts, &name);
    /* The facts' texts live in the tree: it stays until the call's end, with the body. */
    http->talk->tree = body;
    if (name.size > 0)
        talk->path.name = name;
    http->passage->asked.request.facts_known = true;
    if (!read)
        (void)docker_refuse(http, talk->facts.wrong);
    return read;
}

static bool
has_form(const struct http_head *head)
{
    struct slice type = http_head_value(head, HTTP_FIELD_CONTENT_TYPE);

    type = slice_trim(slice_first(type, slice_find(type, ';')));
    return slice_equal_nocase(type, SLICE_LITERAL("application/x-www-form-urlencoded")) ||
           slice_equal_nocase(type, SLICE_LITERAL("multipart/form-data")) ||
           http_head_field_count(head, HTTP_FIELD_CONTENT_TYPE) > 1;
}

/* --- the dialect ------------------------------------------------------------------------------ */

/* NULL: its parameters are all known. */
static const char *
strange_query(const struct http_passage *http, const struct docker_endpoint *endpoint)
{
    struct slice unknown, why;

    if (docker_query_is_known(endpoint, http->target.query, docker_arena(http), &unknown))
        return NULL;
    if (unknown.size == 0)
        return "a parameter of the query can't be read";
    why = arena_format(docker_arena(http),
                       "the query has a parameter \"%.*s\" that this gateway does not know here, "
                       "or that is spelled otherwise than the API says: what it would do can't be "
                       "judged",
                       unknown.size < 64 ? (int)unknown.size : 64, unknown.at);
    return why.at != NULL ? why.at : "the query has an unknown parameter";
}

/* Go's ParseForm takes a form in the body before the query. NULL: it can be judged. */
static const char *
ambiguous(const struct http_passage *http, const struct docker_endpoint *endpoint)
{
    const struct http_head *head = http_call_head(http->call);
    const char *why;
    bool empty =
        head->body == HTTP_BODY_NONE || (head->body == HTTP_BODY_LENGTH && head->length == 0);

    if (has_form(head))
        return "a form in the body could say otherwise than the query";
    if (!query_is_clear(http->target.query))
        return "the query holds a ;";
    if (slice_starts(((struct docker_talk *)http->talk->own)->path.name, SLICE_LITERAL("libpod/")))
        return "Podman takes such a name for its own API";
    why = strange_query(http, endpoint);
    if (why != NULL)
        return why;
    return (endpoint->flags & DOCKER_NO_BODY) != 0 && !empty ? "this request has no body" : NULL;
}

static void
ask_by(struct http_passage *http, const struct docker_endpoint *endpoint)
{
    struct asked *asked = &http->passage->asked;

    asked->request.action = slice_text(endpoint->action);
    asked->request.object = SLICE_LITERAL("-");
    asked->request.syntax = OBJECT_FLAT;
    asked->request.listing = (endpoint->flags & DOCKER_LISTS) != 0;
    asked->free = (endpoint->flags & DOCKER_FREE) != 0;
    asked->request.facts_known = endpoint->kind == DOCKER_EXEC || endpoint->kind == DOCKER_BUILD;
}

/* False: it is refused. */
static bool
begin(struct http_passage *http)
{
    struct docker_talk *talk = arena_zeroed(docker_arena(http), sizeof *talk);
    enum dialect_need refused = DIALECT_READY;
    const char *why = "";

    if (talk == NULL)
        return docker_refuse_as(http, GATE_BUSY, "the gateway is out of memory") != refused;
    http->talk->own = talk;
    talk->facts.arena = docker_arena(http);
    if (!docker_path_find(http_head_method(http_call_head(http->call)), http->target.path.object,
                          &talk->path, &why))
        return docker_refuse_as(http, GATE_DENIED, why) != refused;
    ask_by(http, talk->path.endpoint);
    if ((talk->path.endpoint->flags & DOCKER_NEVER) != 0)
        return docker_refuse_as(http, GATE_DENIED,
                                "this endpoint does more than a right could tell: it is never let "
                                "through") != refused;
    why = ambiguous(http, talk->path.endpoint);
    return why == NULL || docker_refuse(http, why) != refused;
}

static enum dialect_need
judge_session(struct http_passage *http)
{
    const struct docker_talk *talk = http->talk->own;
    bool now = false;
    const char *why = NULL;

    if ((talk->path.endpoint->flags & DOCKER_HIJACKS) != 0 &&
        http->passage->asked.fault.kind == GATE_NOTHING)
        why = docker_session_refused(http, &now);
    return why == NULL ? DIALECT_READY : docker_refuse_as(http, now ? GATE_BUSY : GATE_DENIED, why);
}

static enum dialect_need
next(struct http_passage *http, struct dialect_step *step)
{
    struct docker_talk *talk;
    enum dialect_need need;
    bool wants_body;

    if (http->talk->own == NULL && !begin(http))
        return DIALECT_READY;
    talk = http->talk->own;
    wants_body = (talk->path.endpoint->flags & DOCKER_BODY) != 0;
    if (wants_body && !http->talk->gathered) {
        step->limit = BODY_MAX;
        return DIALECT_BODY;
    }
    if (wants_body && http->talk->tree == NULL && !read_body(http))
        return DIALECT_READY;
    need = docker_next(http, step);
    return need == DIALECT_READY ? judge_session(http) : need;
}

static bool
upgrades(const struct http_passage *http)
{
    const struct docker_talk *talk = http->talk->own;
    struct slice to = http_head_value(http_call_head(http->call), HTTP_FIELD_UPGRADE);

    return talk != NULL && (talk->path.endpoint->flags & DOCKER_HIJACKS) != 0 &&
           (slice_equal_nocase(to, SLICE_LITERAL("tcp")) ||
            slice_equal_nocase(to, SLICE_LITERAL("websocket")));
}

static bool
is_resize(const struct docker_talk *talk)
{
    return slice_is(talk->path.after, "/resize");
}

static bool
withholds(const struct http_passage *http, struct slice name)
{
    return passage_withholds(http->passage, name);
}

static enum status
filter(struct http_passage *http, const struct http_head *head, struct body_filter **out)
{
    const struct docker_talk *talk = http->talk->own;
    const struct docker_endpoint *endpoint = talk->path.endpoint;

    if (is_resize(talk) && head->status / 100 == 2)
        docker_session_resized(http);
    if (head->status != 200)
        return STATUS_OK;
    if ((endpoint->flags & DOCKER_HIJACKS) != 0)
        return docker_session_filter(http, out);
    if ((endpoint->flags & DOCKER_LISTS) == 0)
        return STATUS_OK;
    *out = docker_filter_new(http->passage, endpoint);
    return *out == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* {"message": …}, which the docker command prints. */
static void
word(const struct http_passage *http, const struct refusal *refusal, struct wording *out)
{
    struct buffer detail = BUFFER_LIMITED(16384);

    put_text(&detail, "writ: ");
    answer_detail(&detail, refusal);
    out->content_type = SLICE_LITERAL("application/json");
    put_text(&out->body, "{\"message\":");
    put_json_string(&out->body, buffer_slice(&detail));
    put_text(&out->body, "}\n");
    buffer_free(&detail);
}

const struct dialect docker_dialect = {
    .type = UPSTREAM_DOCKER,
    .next = next,
    .withholds = withholds,
    .upgrades = upgrades,
    .filter = filter,
    .tap = docker_session_tap,
    .word = word,
};

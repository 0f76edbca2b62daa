/* gateway/docker/kinds.c - what the path, the query and the daemon say of a request, as a triple:
 * the endpoint's action on the container's name, whatever it was called by. */
#include "../http/query.h"
#include "../pipeline.h"
#include "policy/right.h"
#include "reference.h"
#include "talk.h"

enum { INSPECT_MAX = 8 << 20 };

/* --- refusing ----------------------------------------------------------------------- */

enum dialect_need
docker_refuse_as(struct http_passage *http, enum gate_refusal kind, const char *reason)
{
    http->passage->asked.fault = (struct refusal){ .kind = kind, .reason = slice_text(reason) };
    return DIALECT_READY;
}

enum dialect_need
docker_refuse(struct http_passage *http, const char *reason)
{
    return docker_refuse_as(http, GATE_MALFORMED, reason);
}

/* --- the triple ------------------------------------------------------------------------ */

/* In a right's spelling; "-" when there is none. False: too long. */
static bool
object_set(struct http_passage *http, struct slice name, enum object_syntax syntax)
{
    struct request *request = &http->passage->asked.request;
    struct buffer text = BUFFER_LIMITED(REQUEST_OBJECT_MAX);

    request->syntax = syntax;
    request->object = SLICE_LITERAL("-");
    if (name.size == 0)
        return true;
    put_object(&text, name);
    if (buffer_status(&text) == STATUS_OK)
        request->object = arena_copy(docker_arena(http), buffer_slice(&text));
    buffer_free(&text);
    return request->object.at != NULL;
}

enum dialect_need
docker_stands(struct http_passage *http, struct slice name, enum object_syntax syntax)
{
    struct docker_talk *talk = http->talk->own;
    struct request *request = &http->passage->asked.request;

    if (!object_set(http, name, syntax))
        return docker_refuse(http, "the name is too long");
    if (talk->facts.wrong != NULL)
        return docker_refuse(http, talk->facts.wrong);
    request->facts = talk->facts.facts;
    request->fact_count = talk->facts.count;
    return DIALECT_READY;
}

/* Another thing that the same request does. False: it is not allowed, and is refused so. */
bool
docker_may_too(struct http_passage *http, const char *action, struct slice name,
               enum object_syntax syntax)
{
    struct asked *asked = &http->passage->asked;
    struct request other = asked->request;
    struct slice object;

    if (!object_set(http, name, syntax))
        return docker_refuse(http, "the name is too long") != DIALECT_READY;
    object = asked->request.object;
    asked->request.object = other.object;
    asked->request.syntax = other.syntax;
    other.action = slice_text(action);
    other.object = object;
    other.syntax = syntax;
    other.facts = NULL;
    other.fact_count = 0;
    other.facts_known = false;
    if (pipeline_would(http->passage, &other, docker_arena(http)))
        return true;
    asked->fault = (struct refusal){
        .kind = GATE_FORBIDDEN,
        .reason = SLICE_LITERAL("the request does this as well"),
        .right = arena_format(docker_arena(http), "%.*s:%s:%.*s", SLICE_PRINT(other.resource),
                              action, SLICE_PRINT(object)),
    };
    return false;
}

/* --- what a name means ---------------------------------------------------------------------- */

static enum dialect_need
ask(struct http_passage *http, struct dialect_step *step, const char *kind, struct slice name,
    const char *behind)
{
    if (!docker_is_name(name))
        return docker_refuse(http, "this is no name or id that the Docker Engine gives");
    step->limit = INSPECT_MAX;
    step->target = arena_format(docker_arena(http), "/%s/%.*s%s", kind, SLICE_PRINT(name), behind);
    return step->target.at == NULL ? docker_refuse(http, "the name is too long") : DIALECT_ASK;
}

/* The daemon's answer about it; NULL: it is refused. */
static json_t *
told(struct http_passage *http, const struct dialect_step *step)
{
    json_t *answer = NULL;

    if (step->status == 404)
        (void)docker_refuse_as(http, GATE_UNKNOWN, "the Docker Engine knows nothing of this name");
    else if (step->status != 200 || json_read(step->answer, &answer, NULL) != STATUS_OK ||
             !json_is_object(answer))
        (void)docker_refuse_as(http, GATE_UPSTREAM,
                               "the Docker Engine does not tell what this name is");
    if (http->passage->asked.fault.kind == GATE_NOTHING)
        return answer;
    json_decref(answer);
    return NULL;
}

static struct slice
member_copy(struct http_passage *http, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_string(value)
               ? arena_copy(docker_arena(http),
                            slice_of(json_string_value(value), json_string_length(value)))
               : slice_of(NULL, 0);
}

/* The words with blanks between. at NULL: they are too long. */
static struct slice
command_of(const struct http_passage *http, const json_t *first, const json_t *words)
{
    struct buffer line = BUFFER_LIMITED(65536);
    struct slice out = { 0 };
    const json_t *word;
    size_t i;

    put_text(&line, json_is_string(first) ? json_string_value(first) : "");
    json_array_foreach(words, i, word)
        put_format(&line, " %s", json_is_string(word) ? json_string_value(word) : "");
    if (buffer_status(&line) == STATUS_OK)
        out = arena_copy(docker_arena(http), buffer_slice(&line));
    buffer_free(&line);
    return out;
}

/* What goes to the daemon is the id of what was decided on, so that no other can take its
 * place meanwhile. */
static bool
forward_as(struct http_passage *http, struct slice id)
{
    const struct docker_path *path = &((struct docker_talk *)http->talk->own)->path;

    http->target.path.forward =
        arena_format(docker_arena(http), "%.*s%.*s%.*s%.*s", SLICE_PRINT(path->version),
                     SLICE_PRINT(path->before), SLICE_PRINT(id), SLICE_PRINT(path->after));
    return http->target.path.forward.at != NULL;
}

/* What the daemon said of a container or network, with its *name and *id; NULL: it is refused. */
static json_t *
identity(struct http_passage *http, const struct dialect_step *step, struct slice *name,
         struct slice *id)
{
    json_t *answer = told(http, step);

    if (answer == NULL)
        return NULL;
    *name = member_copy(http, answer, "Name");
    *id = member_copy(http, answer, "Id");
    if (slice_starts(*name, SLICE_LITERAL("/")))
        *name = slice_from(*name, 1);
    if (docker_is_name(*id) && name->size > 0)
        return answer;
    json_decref(answer);
    (void)docker_refuse_as(http, GATE_UPSTREAM,
                           "the Docker Engine does not tell what this name is");
    return NULL;
}

static bool
take_identity(struct http_passage *http, const struct dialect_step *step, struct slice *name,
              struct slice *id)
{
    json_t *answer = identity(http, step, name, id);

    json_decref(answer);
    return answer != NULL;
}

/* --- kind by kind -------------------------------------------------------------------------- */

static enum query_found
param(struct http_passage *http, const char *name, struct slice *out)
{
    *out = slice_of("", 0);
    return query_find(http->target.query, name, docker_arena(http), out);
}

/* False: it is refused. */
bool
docker_take_param(struct http_passage *http, const char *name, struct slice *out)
{
    if (param(http, name, out) != QUERY_AMBIGUOUS)
        return true;
    (void)docker_refuse(http, "a parameter of the query stands there twice, or can't be read");
    return false;
}

static enum dialect_need
rename_too(struct http_passage *http, struct slice old)
{
    struct slice name;

    if (!docker_take_param(http, "name", &name))
        return DIALECT_READY;
    if (slice_starts(name, SLICE_LITERAL("/")))
        name = slice_from(name, 1);
    if (!docker_is_name(name))
        return docker_refuse(http, "the new name is none that the Docker Engine gives");
    if (!docker_may_too(http, "containers.rename", name, OBJECT_FLAT))
        return DIALECT_READY;
    return docker_stands(http, old, OBJECT_FLAT);
}

static enum dialect_need
next_container(struct http_passage *http, struct dialect_step *step)
{
    struct docker_talk *talk = http->talk->own;
    struct slice name, id;
    json_t *answer;

    if (step->status == 0)
        return ask(http, step, "containers", talk->path.name, "/json");
    answer = identity(http, step, &name, &id);
    if (answer == NULL)
        return DIALECT_READY;
    talk->id = id;
    talk->command =
        command_of(http, json_object_get(answer, "Path"), json_object_get(answer, "Args"));
    talk->terminal = json_is_true(json_object_get(json_object_get(answer, "Config"), "Tty"));
    json_decref(answer);
    if (!forward_as(http, id))
        return docker_refuse(http, "the name is too long");
    if (slice_is(slice_text(talk->path.endpoint->action), "containers.rename"))
        return rename_too(http, name);
    return docker_stands(http, name, OBJECT_FLAT);
}

/* What an exec runs was said when it was made, perhaps by somebody else. */
static void
take_process(struct http_passage *http, const json_t *answer)
{
    struct docker_talk *talk = http->talk->own;
    const json_t *process = json_object_get(answer, "ProcessConfig");
    struct slice user = member_copy(http, process, "user");

    talk->command = command_of(http, json_object_get(process, "entrypoint"),
                               json_object_get(process, "arguments"));
    if (talk->command.at == NULL)
        talk->facts.wrong = "the command is too long to be judged";
    body_fact_add(&talk->facts, "command", talk->command, false);
    if (user.size > 0)
        body_fact_add(&talk->facts, "user", user, false);
    if (json_is_true(json_object_get(process, "privileged")))
        body_fact_add(&talk->facts, "privileged", SLICE_LITERAL("true"), true);
}

/* Which streams it has, and in what form they will come: the body that starts it says that as
 * well, and the daemon believes the body. */
static void
take_streams(struct http_passage *http, const json_t *answer)
{
    struct docker_talk *talk = http->talk->own;
    bool made_with = json_is_true(json_object_get(json_object_get(answer, "ProcessConfig"), "tty"));
    bool errors = made_with || json_is_true(json_object_get(answer, "OpenStderr"));

    talk->terminal = made_with || json_is_true(json_object_get(http->talk->tree, "Tty"));
    talk->blind = json_is_true(json_object_get(answer, "OpenStdin")) &&
                  !(json_is_true(json_object_get(answer, "OpenStdout")) && errors);
}

static enum dialect_need
next_exec(struct http_passage *http, struct dialect_step *step)
{
    struct docker_talk *talk = http->talk->own;
    struct slice name, id;
    json_t *answer;

    if (step->status == 0)
        return ask(http, step, "exec", talk->path.name, "/json");
    if (talk->exec_container.size > 0)
        return take_identity(http, step, &name, &id) ? docker_stands(http, name, OBJECT_FLAT)
                                                     : DIALECT_READY;
    answer = told(http, step);
    if (answer == NULL)
        return DIALECT_READY;
    talk->exec_container = member_copy(http, answer, "ContainerID");
    take_process(http, answer);
    take_streams(http, answer);
    id = member_copy(http, answer, "ID");
    talk->id = id;
    json_decref(answer);
    if (!docker_is_name(id) || !forward_as(http, id))
        return docker_refuse_as(http, GATE_UPSTREAM,
                                "the Docker Engine does not tell what this is");
    return ask(http, step, "containers", talk->exec_container, "/json");
}

static enum dialect_need
next_network(struct http_passage *http, struct dialect_step *step)
{
    struct docker_talk *talk = http->talk->own;
    struct slice name, id;

    if (step->status == 0)
        return ask(http, step, "networks", talk->path.name, "");
    if (!take_identity(http, step, &name, &id))
        return DIALECT_READY;
    return forward_as(http, id) ? docker_stands(http, name, OBJECT_FLAT)
                                : docker_refuse(http, "the name is too long");
}

static enum dialect_need
next_commit(struct http_passage *http, struct dialect_step *step)
{
    struct slice container, name, id, image;

    if (!docker_take_param(http, "container", &container) ||
        !docker_take_reference(http, "repo", &image))
        return DIALECT_READY;
    if (step->status == 0)
        return ask(http, step, "containers", container, "/json");
    if (!take_identity(http, step, &name, &id))
        return DIALECT_READY;
    if (image.size > 0 && !docker_may_too(http, "images.tag", image, OBJECT_PATH))
        return DIALECT_READY;
    http->target.query = query_replace(http->target.query, "container", id, docker_arena(http));
    return http->target.query.at == NULL ? docker_refuse(http, "the query is too long")
                                         : docker_stands(http, name, OBJECT_FLAT);
}

static enum dialect_need
next_new_container(struct http_passage *http)
{
    struct slice name;

    if (!docker_take_param(http, "name", &name))
        return DIALECT_READY;
    if (slice_starts(name, SLICE_LITERAL("/")))
        name = slice_from(name, 1);
    if (name.size > 0 && !docker_is_name(name))
        return docker_refuse(http, "the name is none that the Docker Engine gives");
    return docker_stands(http, name, OBJECT_FLAT);
}

/* --- all of them ------------------------------------------------------------------ */

enum dialect_need
docker_next(struct http_passage *http, struct dialect_step *step)
{
    struct docker_talk *talk = http->talk->own;

    switch (talk->path.endpoint->kind) {
    case DOCKER_CONTAINER:
        return next_container(http, step);
    case DOCKER_EXEC:
        return next_exec(http, step);
    case DOCKER_NETWORK:
        return next_network(http, step);
    case DOCKER_IMAGE:
        return docker_next_image(http);
    case DOCKER_NEW_CONTAINER:
        return next_new_container(http);
    case DOCKER_PULL:
        return docker_next_pull(http);
    case DOCKER_BUILD:
        return docker_next_build(http);
    case DOCKER_COMMIT:
        return next_commit(http, step);
    case DOCKER_NOTHING:
    case DOCKER_VOLUME:
    case DOCKER_OTHER:
    case DOCKER_NEW_VOLUME:
    case DOCKER_NEW_NETWORK:
        break;
    }
    return docker_stands(http, talk->path.name, OBJECT_FLAT);
}

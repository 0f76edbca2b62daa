/* authority/sessions_api.c - the sessions that are open at this node's doors, through the
 * API: looked at, and ended. */
#include <stdlib.h>

#include "internal.h"

enum { SESSION_TEXTS_MAX = 64 << 10 };

/* Asked on the lane, answered by the gateway's lanes to a thread that may wait for them. */
struct looking {
    struct api_job job;
    const struct authority_ports *ports;
    struct api_answer *answer;
    struct arena texts;
    struct session_ask ask;
    struct buffer found;
    enum status status;
};

static void
looking_free(struct api_job *job)
{
    struct looking *looking = (struct looking *)job;

    buffer_free(&looking->found);
    arena_free(&looking->texts);
    free(looking);
}

static void
work_look(struct api_job *job)
{
    struct looking *looking = (struct looking *)job;

    put_u8(&looking->found, '[');
    looking->status = looking->ports->sessions(looking->ports->app, &looking->ask, &looking->found);
    put_u8(&looking->found, ']');
}

static enum status
read_found(struct looking *looking, json_t **out, struct fault *fault)
{
    if (looking->status != STATUS_OK)
        return fault_set(fault, looking->status, "the gateway's lanes have not all answered");
    return json_read(buffer_slice(&looking->found), out, fault);
}

static enum status
step_list(struct authority *authority, struct api_job *job, bool *done, struct fault *fault)
{
    struct looking *looking = (struct looking *)job;
    json_t *items = NULL;
    enum status status = read_found(looking, &items, fault);

    *done = true;
    if (status != STATUS_OK)
        return status;
    looking->answer->body = json_pack("{s:o, s:n}", "items", items, "next");
    return looking->answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* One connection may have several requests under way: the first stands for it. */
static enum status
step_one(struct authority *authority, struct api_job *job, bool *done, struct fault *fault)
{
    struct looking *looking = (struct looking *)job;
    json_t *items = NULL;
    enum status status = read_found(looking, &items, fault);

    *done = true;
    if (status != STATUS_OK)
        return status;
    json_t *first = json_incref(json_array_get(items, 0));
    json_decref(items);
    if (first == NULL)
        return fault_set(fault, STATUS_NOT_FOUND, "no session of this number is open here");
    if (looking->ask.cut)
        json_object_set_new(first, "cut", json_true());
    looking->answer->body = first;
    return STATUS_OK;
}

static enum status
looking_new(struct authority *authority, struct api_answer *answer, struct looking **out)
{
    struct looking *looking = calloc(1, sizeof *looking);

    if (looking == NULL)
        return STATUS_MEMORY;
    looking->job = (struct api_job){ .work = work_look, .step = step_list, .free = looking_free };
    looking->ports = authority->options.ports;
    looking->answer = answer;
    arena_init(&looking->texts, SESSION_TEXTS_MAX);
    *out = looking;
    return STATUS_OK;
}

enum status
api_session_list(struct authority *authority, const struct api_request *request,
                 struct api_answer *answer, struct fault *fault)
{
    struct looking *looking;
    enum status status = looking_new(authority, answer, &looking);

    if (status != STATUS_OK)
        return status;
    answer->job = &looking->job;
    looking->ask = (struct session_ask){
        .subject = arena_copy(&looking->texts, api_query(request, "subject")),
        .upstream = arena_copy(&looking->texts, api_query(request, "upstream")),
    };
    return STATUS_OK;
}

static enum status
ask_one(struct authority *authority, const struct api_request *request, struct api_answer *answer,
        bool cut, struct fault *fault)
{
    struct looking *looking;
    uint64_t id;
    enum status status;

    if (!slice_u64(request->params[0], &id) || id == 0)
        return fault_set(fault, STATUS_NOT_FOUND, "a session's id is its number in the audit");
    status = looking_new(authority, answer, &looking);
    if (status != STATUS_OK)
        return status;
    answer->job = &looking->job;
    looking->job.step = step_one;
    looking->ask = (struct session_ask){ .id = id, .cut = cut };
    return STATUS_OK;
}

enum status
api_session_show(struct authority *authority, const struct api_request *request,
                 struct api_answer *answer, struct fault *fault)
{
    return ask_one(authority, request, answer, false, fault);
}

enum status
api_session_kill(struct authority *authority, const struct api_request *request,
                 struct api_answer *answer, struct fault *fault)
{
    return ask_one(authority, request, answer, true, fault);
}

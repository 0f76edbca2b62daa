/* authority/recordings.c - recorded sessions through the API: found, looked at, removed. Files are
 * read by a thread that may wait for the disk. */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

#include "base/clock.h"
#include "record/archive.h"

enum { TEXTS_MAX = 64 << 10, LIST_DEFAULT = 50, LIST_MOST = 1000 };

struct question {
    struct api_job job;
    struct api_answer *answer;
    struct archive archive;
    struct secret master;
    struct arena texts; /* of what follows */
    struct archive_query query;
    struct archive_name name;
    uint64_t from;
    enum status status;
    struct fault fault;
    json_t *body;
};

enum status
authority_record_master(const struct authority *authority, struct secret *out)
{
    return record_master(&authority->keys.sealing, out);
}

static void
question_free(struct api_job *job)
{
    struct question *question = (struct question *)job;

    json_decref(question->body);
    arena_free(&question->texts);
    secret_wipe(&question->master, sizeof question->master);
    free(question);
}

static enum status
question_step(struct authority *authority, struct api_job *job, bool *done, struct fault *fault)
{
    struct question *question = (struct question *)job;

    *done = true;
    *fault = question->fault;
    question->answer->body = question->body;
    question->body = NULL;
    return question->status;
}

static enum status
question_new(struct authority *authority, struct api_answer *answer,
             void (*work)(struct api_job *job), struct question **out)
{
    struct question *question = calloc(1, sizeof *question);
    enum status status;

    if (question == NULL)
        return STATUS_MEMORY;
    question->job = (struct api_job){ .work = work, .step = question_step, .free = question_free };
    question->answer = answer;
    question->archive =
        (struct archive){ .dir = authority->options.recordings, .master = &question->master };
    arena_init(&question->texts, TEXTS_MAX);
    status = authority_record_master(authority, &question->master);
    if (status != STATUS_OK)
        question_free(&question->job);
    else
        *out = question;
    return status;
}

/* --- many ------------------------------------------------------------------------ */

static void
work_list(struct api_job *job)
{
    struct question *question = (struct question *)job;
    char next[ARCHIVE_NAME_MAX];
    json_t *items;

    question->status =
        archive_list(&question->archive, &question->query, &items, next, &question->fault);
    if (question->status == STATUS_OK)
        question->body = json_pack("{s:o, s:o}", "items", items, "next",
                                   next[0] == '\0' ? json_null() : json_string(next));
}

static enum status
take_time(const struct api_request *request, const char *name, int64_t *out, struct fault *fault)
{
    struct slice text = api_query(request, name);

    if (text.size == 0 || time_parse_since(text, request->now, out) == STATUS_OK)
        return STATUS_OK;
    return fault_set(fault, STATUS_INVALID, "%s must be a time, or a duration ago such as 1h",
                     name);
}

static enum status
take_session(const struct api_request *request, uint64_t *out, struct fault *fault)
{
    struct slice text = api_query(request, "session");

    if (text.size == 0 || (slice_u64(text, out) && *out != 0))
        return STATUS_OK;
    return fault_set(fault, STATUS_INVALID, "session must be a session's number in the audit");
}

static enum status
take_limit(const struct api_request *request, size_t *out, struct fault *fault)
{
    struct slice text = api_query(request, "limit");
    uint64_t limit = LIST_DEFAULT;

    if (text.size > 0 && (!slice_u64(text, &limit) || limit == 0))
        return fault_set(fault, STATUS_INVALID, "limit must be a number, 1 or more");
    *out = (size_t)(limit > LIST_MOST ? LIST_MOST : limit);
    return STATUS_OK;
}

enum status
api_recording_list(struct authority *authority, const struct api_request *request,
                   struct api_answer *answer, struct fault *fault)
{
    struct archive_query query = { 0 };
    struct question *question;
    enum status status = take_time(request, "since", &query.since, fault);

    if (status == STATUS_OK)
        status = take_time(request, "until", &query.until, fault);
    if (status == STATUS_OK)
        status = take_limit(request, &query.limit, fault);
    if (status == STATUS_OK)
        status = take_session(request, &query.session, fault);
    if (status == STATUS_OK)
        status = question_new(authority, answer, work_list, &question);
    if (status != STATUS_OK)
        return status;
    query.subject = arena_copy(&question->texts, api_query(request, "subject"));
    query.upstream = arena_copy(&question->texts, api_query(request, "upstream"));
    query.object = arena_copy(&question->texts, api_query(request, "object"));
    query.before = arena_copy(&question->texts, api_query(request, "cursor"));
    question->query = query;
    answer->job = &question->job;
    return STATUS_OK;
}

/* --- one -------------------------------------------------------------------------- */

static void
work_show(struct api_job *job)
{
    struct question *question = (struct question *)job;

    question->status =
        archive_show(&question->archive, &question->name, &question->body, &question->fault);
}

static json_t *
page_json(const struct archive_name *name, const struct archive_page *page)
{
    struct slice events = page->events.size > 0 ? buffer_slice(&page->events) : slice_of("", 0);
    char id[ARCHIVE_NAME_MAX], next[24];

    snprintf(next, sizeof next, "%llu", (unsigned long long)page->next);
    return json_pack("{s:s, s:o, s:s, s:s}", "id", archive_name_format(name, id), "events",
                     json_slice(events), "next", next, "state",
                     page->last ? archive_state_name(page->state) : "more");
}

static void
work_events(struct api_job *job)
{
    struct question *question = (struct question *)job;
    struct archive_page page = { 0 };

    question->status =
        archive_read(&question->archive, &question->name, question->from, &page, &question->fault);
    if (question->status == STATUS_OK) {
        question->body = page_json(&question->name, &page);
        question->status = question->body == NULL ? STATUS_MEMORY : STATUS_OK;
    }
    buffer_wipe_free(&page.events);
}

static void
work_delete(struct api_job *job)
{
    struct question *question = (struct question *)job;
    char id[ARCHIVE_NAME_MAX];

    question->status = archive_remove(&question->archive, &question->name, &question->fault);
    if (question->status == STATUS_OK)
        question->body =
            json_pack("{s:s, s:b}", "id", archive_name_format(&question->name, id), "removed", 1);
}

static enum status
ask_one(struct authority *authority, const struct api_request *request, struct api_answer *answer,
        void (*work)(struct api_job *job), struct fault *fault)
{
    struct question *question;
    struct archive_name name;
    enum status status;

    /* One spelling alone: the right that was decided on names it so. */
    if (!archive_name_parse(request->params[0], &name))
        return fault_set(fault, STATUS_NOT_FOUND, "a recording's id is as a list tells it");
    status = question_new(authority, answer, work, &question);
    if (status != STATUS_OK)
        return status;
    question->name = name;
    answer->job = &question->job;
    return STATUS_OK;
}

enum status
api_recording_show(struct authority *authority, const struct api_request *request,
                   struct api_answer *answer, struct fault *fault)
{
    return ask_one(authority, request, answer, work_show, fault);
}

enum status
api_recording_events(struct authority *authority, const struct api_request *request,
                     struct api_answer *answer, struct fault *fault)
{
    struct slice from = api_query(request, "from");
    uint64_t number = 0;
    enum status status;

    if (from.size > 0 && !slice_u64(from, &number))
        return fault_set(fault, STATUS_INVALID, "from is the number that `next` has given");
    status = ask_one(authority, request, answer, work_events, fault);
    if (status == STATUS_OK)
        ((struct question *)answer->job)->from = number;
    return status;
}

enum status
api_recording_delete(struct authority *authority, const struct api_request *request,
                     struct api_answer *answer, struct fault *fault)
{
    return ask_one(authority, request, answer, work_delete, fault);
}

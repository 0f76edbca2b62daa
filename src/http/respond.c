/* http/respond.c - whole answers in one write: bytes, JSON, problem documents. */
#include <stdlib.h>

#include "connection.h"

static const struct slice none = { 0 };

/* The last resort: it has nothing in it that could fail but memory. */
static void
respond_500(struct http_call *call)
{
    http_answer_begin(call, 500);
    if (http_answer_head(call, HTTP_BODY_NONE, 0, true) == STATUS_OK)
        http_answer_end(call, none);
    else
        http_call_abort(call);
}

bool
http_respond(struct http_call *call, unsigned status, const struct http_header *headers,
             size_t count, struct slice body)
{
    struct buffer *out;

    if (call->answer == ANSWER_BODY) { /* a second head can't be taken back */
        http_call_abort(call);
        return false;
    }
    out = http_answer_begin(call, status);
    http_put_headers(out, headers, count);
    http_put_date(out, lane_now_ms(http_call_lane(call)));
    if (http_answer_head(call, HTTP_BODY_LENGTH, body.size, true) != STATUS_OK) {
        respond_500(call);
        return false;
    }
    http_answer_body(call, body, true);
    http_answer_end(call, none);
    return true;
}

/* Takes the reference. */
static void
respond_document(struct http_call *call, unsigned status, json_t *document,
                 const struct http_header *headers, size_t count)
{
    char *text = document == NULL ? NULL : json_dumps(document, JSON_COMPACT);

    json_decref(document);
    if (text == NULL)
        respond_500(call);
    else
        http_respond(call, status, headers, count, slice_text(text));
    free(text);
}

void
http_respond_json(struct http_call *call, unsigned status, json_t *body)
{
    const struct http_header headers[] = {
        HTTP_HEADER("Content-Type", SLICE_LITERAL("application/json")),
        HTTP_HEADER("Cache-Control", SLICE_LITERAL("no-store")),
        HTTP_HEADER("X-Content-Type-Options", SLICE_LITERAL("nosniff")),
    };

    respond_document(call, status, body, headers, sizeof headers / sizeof *headers);
}

static json_t *
problem_document(const struct http_problem *problem)
{
    const char *title = problem->title != NULL ? problem->title : http_status_text(problem->status);
    json_t *document =
        json_pack("{s:s, s:s, s:i}", "type", problem->type != NULL ? problem->type : "about:blank",
                  "title", title, "status", (int)problem->status);

    if (document == NULL)
        return NULL;
    /* A detail that is no UTF-8 is left out: the answer is worth more than it. */
    if (problem->detail.size > 0)
        (void)json_object_set_new(document, "detail", json_slice(problem->detail));
    /* Members of the standard are not replaced by extensions. */
    if (problem->more != NULL)
        (void)json_object_update_missing(document, problem->more);
    return document;
}

void
http_respond_problem(struct http_call *call, const struct http_problem *problem)
{
    enum { HEADERS_MAX = 16 };
    struct http_header headers[HEADERS_MAX] = {
        HTTP_HEADER("Content-Type", SLICE_LITERAL("application/problem+json")),
        HTTP_HEADER("Cache-Control", SLICE_LITERAL("no-store")),
        HTTP_HEADER("X-Content-Type-Options", SLICE_LITERAL("nosniff")),
    };
    size_t count = 3;

    for (size_t i = 0; i < problem->header_count && count < HEADERS_MAX; i++)
        headers[count++] = problem->headers[i];
    respond_document(call, problem->status, problem_document(problem), headers, count);
}

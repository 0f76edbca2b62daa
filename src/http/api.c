/* http/api.c - a request with its whole body at once. */
#include "http/api.h"

#include "connection.h"

static size_t
body_max(const struct http_api *api)
{
    return api->body_max != 0 ? api->body_max : 1024 * 1024;
}

static void
on_refused(struct stream *stream, const struct http_refusal *why, void *context)
{
    const struct http_api *api = context;

    if (api->refused != NULL)
        api->refused(stream, why, api->context);
}

static void
too_long(struct http_call *call, struct http_api *api)
{
    const struct http_refusal why = { 413, "the body is too long" };

    on_refused(http_call_stream(call), &why, api);
    http_respond_problem(
        call, &(struct http_problem){ .status = why.status, .detail = slice_text(why.reason) });
}

static void
on_request(struct http_call *call, bool more, void *context)
{
    struct http_api *api = context;

    bool wanted = call->head.body != HTTP_BODY_NONE &&
                  (api->wants_body == NULL || api->wants_body(call, api->context));

    if (wanted && call->head.body == HTTP_BODY_LENGTH && call->head.length > body_max(api)) {
        too_long(call, api);
        return;
    }
    if (!wanted) {
        api->request(call, (struct slice){ 0 }, api->context);
        return;
    }
    call->collected = arena_zeroed(&call->arena, sizeof *call->collected);
    if (call->collected == NULL) {
        http_respond_problem(call, &(struct http_problem){ .status = 503 });
        return;
    }
    call->collected->limit = body_max(api);
    http_call_resume(call);
}

static void
on_body(struct http_call *call, struct slice bytes, bool more, void *context)
{
    put_slice(call->collected, bytes);
    if (buffer_status(call->collected) != STATUS_OK)
        too_long(call, context);
}

static void
on_body_end(struct http_call *call, struct slice trailers, void *context)
{
    struct http_api *api = context;

    api->request(call, buffer_slice(call->collected), api->context);
}

static void
on_gone(struct http_call *call, enum status status, void *context)
{
    struct http_api *api = context;
    bool handed = call->collected == NULL || call->told_end;

    if (handed && api->gone != NULL)
        api->gone(call, status, api->context);
}

const struct http_handler http_api_handler = {
    .request = on_request,
    .body = on_body,
    .body_end = on_body_end,
    .gone = on_gone,
    .refused = on_refused,
};

/* authority/oauth_help - a call as the endpoint makes it, without the HTTP around it. */
#include "oauth_help.h"

#include <stdio.h>
#include <string.h>

struct fixture *
oauth_fixture(void)
{
    struct fixture *f = fixture_new();

    expect(201, call(f, NULL, "PUT", "/v1/upstreams/tools",
                     "{'type': 'http', 'url': 'http://127.0.0.1:9001', 'host': 'mcp.example'}"));
    expect(201, call(f, NULL, "PUT", "/v1/subjects/nightly",
                     "{'type': 'service', 'roles': ['reader']}"));
    expect(201,
           call(f, NULL, "PUT", "/v1/subjects/copilot", "{'type': 'agent', 'roles': ['clerk']}"));
    f->authority->options.gateway_url = SLICE_LITERAL("http://gw.example:7880");
    return f;
}

struct binding
key_of(char fill)
{
    struct binding key = { .kind = BINDING_JKT };

    memset(key.thumbprint, fill, sizeof key.thumbprint);
    return key;
}

static struct oauth_client
client_of(const struct fixture *f, const struct caller *caller)
{
    struct slice name = slice_text(caller->name);

    return (struct oauth_client){
        .name = name,
        .subject = names_find(world_names(f->authority->world), name),
        .client_credentials = !caller->no_credentials,
        .token_exchange = !caller->no_exchange,
        .refresh_token = !caller->no_refresh,
        .gives_refresh = caller->gives_refresh,
        .form = caller->form,
        .ttl = caller->ttl,
    };
}

static void
answer(struct fixture *f, const struct caller *caller, oauth_handler handle, const char *body)
{
    struct api_request request = { .now = f->now, .arena = &f->arena };
    struct oauth_call *oauth;
    bool done;

    arena_reset(&f->arena);
    json_decref(f->body);
    f->body = NULL;
    f->answer = (struct api_answer){ 0 };
    f->outcome = (struct api_outcome){ 0 };
    oauth = arena_zeroed(&f->arena, sizeof *oauth);
    assert_non_null(oauth);
    request.caller.peer = f->peer;
    if (caller->token != NULL)
        call_with_token(f, &request, caller->token);
    *oauth = (struct oauth_call){ .authority = f->authority,
                                  .request = &request,
                                  .answer = &f->answer,
                                  .outcome = &f->outcome,
                                  .proven = caller->proven };
    if (caller->name != NULL)
        oauth->client = client_of(f, caller);
    assert_int_equal(form_read(slice_text(body), &f->arena, &oauth->form, NULL), STATUS_OK);
    done = handle(oauth);
    assert_int_equal(done, f->answer.status == 200);
}

unsigned
post(struct fixture *f, const struct caller *caller, oauth_handler handle, const char *format, ...)
{
    va_list arguments;
    char *body;

    va_start(arguments, format);
    assert_true(vasprintf(&body, format, arguments) >= 0);
    va_end(arguments);
    answer(f, caller, handle, body);
    free(body);
    world_quiescent(f->authority->reader);
    world_reclaim(f->world);
    assert_true(f->answer.wait_generation <= f->announced);
    f->body = f->answer.body;
    f->status = f->answer.status;
    return f->status;
}

char *
keep(const struct fixture *f, const char *member, char out[TOKEN_TEXT_MAX + 1])
{
    assert_true(text(f, member)[0] != '\0');
    assert_true(strlen(text(f, member)) <= TOKEN_TEXT_MAX);
    return strcpy(out, text(f, member));
}

void
refused(const struct fixture *f, const char *error, const char *part)
{
    if (strcmp(text(f, "error"), error) != 0 || strstr(text(f, "error_description"), part) == NULL)
        fail_msg("expected %s (%s), got %u %s: %s", error, part, f->status, text(f, "error"),
                 text(f, "error_description"));
}

void
end_token(struct fixture *f, const char *id)
{
    char path[64];

    snprintf(path, sizeof path, "/v1/tokens/%s", id);
    expect(200, call(f, NULL, "DELETE", path, NULL));
}

/* authority/fixture - opening, closing, calling. */
#include "fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit.h"
#include "http/head.h"
#include "net/lane.h"

static void
announce(void *app, uint64_t generation)
{
    struct fixture *f = app;

    assert_true(generation > f->announced);
    f->announced = generation;
    f->announcements++;
    /* Every lane obeys at once. */
    authority_enforced(f->authority, generation);
}

static void
no_metrics(void *app, struct buffer *out)
{
    put_text(out, "writ_of_the_app 1\n");
}

static bool
is_ready(void *app, struct fault *why)
{
    return true;
}

static enum status
reload(void *app, struct fault *fault)
{
    struct fixture *f = app;
    const struct authority_settings settings = f->authority->options.settings;

    return authority_reload(f->authority, &settings, fault);
}

static enum status
any_upstream(void *app, const json_t *definition, struct fault *fault)
{
    return STATUS_OK;
}

static void
keep_head(void *context, const struct audit_head *head)
{
    struct fixture *f = context;

    authority_keep_head(f->authority, head);
}

char *
fixture_path(const struct fixture *f, const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", f->dir, name);
    return out;
}

static void
open_all(struct fixture *f)
{
    static const char *const own[] = { "127.0.0.1:7800", "0.0.0.0:7880" };
    static char data[256], audit[256], files[FILES_MAX][256];
    static const char *paths[FILES_MAX];
    struct fault fault = { 0 };
    struct authority_options options = {
        .data = fixture_path(f, "data", data),
        .issuer = SLICE_LITERAL("http://127.0.0.1:7800"),
        .node = SLICE_LITERAL("n1"),
        .settings = { .policy_files = paths,
                      .policy_file_count = f->file_count,
                      .default_ttl_ms = MS_DAY,
                      .max_ttl_ms = 7 * MS_DAY,
                      .max_line_ms = 90 * MS_DAY },
        .own_addresses = own,
        .own_address_count = 2,
        .ports = &f->ports,
    };

    for (size_t i = 0; i < f->file_count; i++)
        paths[i] = fixture_path(f, f->files[i], files[i]);
    f->ports = (struct authority_ports){ .app = f,
                                         .announce = announce,
                                         .metrics = no_metrics,
                                         .ready = is_ready,
                                         .reload = reload,
                                         .check_upstream = any_upstream };
    assert_int_equal(world_new(&f->world), STATUS_OK);
    options.world = f->world;
    if (authority_open(&options, &f->authority, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    f->announced = 0;
    assert_int_equal(
        audit_open(&(struct audit_options){ .dir = fixture_path(f, "data/audit", audit),
                                            .node = "n1",
                                            .journals = 1,
                                            .journal_size = 1 << 20,
                                            .signer = authority_signer(f->authority),
                                            .keep_head = keep_head,
                                            .context = f },
                   &f->audit, &fault),
        STATUS_OK);
    assert_int_equal(lane_new(&(struct lane_options){ .name = "test" }, &f->lane), STATUS_OK);
    f->authority->lane = f->lane;
    f->authority->audit = f->audit;
    f->authority->journal = audit_journal_of(f->audit, 0);
}

static void
close_all(struct fixture *f)
{
    authority_settle(f->authority);
    audit_close(f->audit);
    housekeeping_stop(f->authority);
    authority_close(f->authority);
    lane_free(f->lane);
    world_free(f->world);
}

struct fixture *
fixture_bare(const char *const *files)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    strcpy(f->dir, "/tmp/writ-authority-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    for (; files != NULL && *files != NULL; files++)
        f->files[f->file_count++] = *files;
    arena_init(&f->arena, 4 << 20);
    f->now = clock_wall_ms();
    f->peer = (struct ip){ .family = IP_V4, .bytes = { 127, 0, 0, 1 } };
    if (f->file_count == 0)
        open_all(f);
    return f;
}

struct fixture *
fixture_new(void)
{
    struct fixture *f = fixture_bare(NULL);

    expect(201, call(f, NULL, "PUT", "/v1/upstreams/orders",
                     "{'type': 'http', 'url': 'http://127.0.0.1:9000'}"));
    expect(201, call(f, NULL, "PUT", "/v1/roles/reader", "{'allow': ['orders:GET:/v1/**']}"));
    expect(201, call(f, NULL, "PUT", "/v1/roles/clerk",
                     "{'inherits': ['reader'], 'allow': ['orders:POST:/v1/orders'],"
                     " 'deny': ['orders:*:/v1/payments/**']}"));
    expect(201,
           call(f, NULL, "PUT", "/v1/subjects/amara", "{'type': 'user', 'roles': ['reader']}"));
    expect(201, call(f, NULL, "PUT", "/v1/subjects/ben", "{'type': 'user', 'roles': ['clerk']}"));
    return f;
}

void
fixture_reopen(struct fixture *f)
{
    if (f->authority != NULL)
        close_all(f);
    open_all(f);
}

static int
remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    return remove(path);
}

void
fixture_free(struct fixture *f)
{
    if (f->authority != NULL)
        close_all(f);
    json_decref(f->body);
    arena_free(&f->arena);
    assert_int_equal(nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(f);
}

void
fixture_write(const struct fixture *f, const char *name, const char *text_)
{
    char path[256];
    FILE *file = fopen(fixture_path(f, name, path), "w");

    assert_non_null(file);
    assert_int_equal(fputs(text_, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

/* --- calling -------------------------------------------------------------------- */

static void
run_job(struct fixture *f)
{
    struct api_job *job = f->answer.job;
    struct fault fault = { 0 };
    enum status status = STATUS_OK;

    if (job->work != NULL)
        job->work(job);
    for (bool done = false; status == STATUS_OK && !done;)
        status = job->step(f->authority, job, &done, &fault);
    job->free(job);
    f->answer.job = NULL;
    if (f->answer.status == 0)
        f->answer.status = 200;
    if (status != STATUS_OK)
        api_problem(&f->answer, api_status_of(status), status_name(status), status_text(status),
                    slice_text(fault.text), NULL);
}

/* As it would stand in the head of a call. */
void
call_with_token(struct fixture *f, struct api_request *request, const char *token)
{
    static struct http_head head;
    static char bytes[HTTP_HEAD_MAX];
    struct http_refusal why;

    snprintf(bytes, sizeof bytes,
             "GET / HTTP/1.1\r\nHost: 127.0.0.1:7800\r\nAuthorization: Bearer %s\r\n\r\n", token);
    assert_int_equal(http_request_parse(slice_text(bytes), &head, &why), HTTP_PARSED);
    request->shown.head = &head;
    caller_of_token(f->authority, request);
}

static unsigned
ask(struct fixture *f, const char *token, const char *method, const char *path, struct slice body)
{
    struct api_request request = {
        .method = slice_text(method), .text = body, .now = f->now, .arena = &f->arena
    };
    struct slice whole = slice_text(path);
    size_t mark = slice_find(whole, '?');

    arena_reset(&f->arena);
    json_decref(f->body);
    f->body = NULL;
    f->answer = (struct api_answer){ 0 };
    f->outcome = (struct api_outcome){ 0 };
    request.path = slice_first(whole, mark);
    request.query = mark < whole.size ? slice_from(whole, mark + 1) : (struct slice){ 0 };
    request.idempotency_key = slice_text(f->key);
    request.caller.peer = token == NULL ? (struct ip){ .family = IP_NONE } : f->peer;
    if (token == NULL)
        caller_of_socket(f->authority, geteuid(), &f->arena, &request.caller);
    else if (token[0] != '\0')
        call_with_token(f, &request, token);
    api_handle(f->authority, &request, &f->answer, &f->outcome);
    if (f->answer.job != NULL)
        run_job(f);
    audit_end(f->authority->journal, f->outcome.ticket,
              &(struct audit_outcome){ .status = f->answer.status });
    json_decref(request.body);
    world_quiescent(f->authority->reader);
    world_reclaim(f->world);
    /* What is waited for was announced, or it would be waited for in vain. */
    assert_true(f->answer.wait_generation <= f->announced);
    f->body = f->answer.body;
    f->status = f->answer.status;
    return f->status;
}

unsigned
call(struct fixture *f, const char *token, const char *method, const char *path, const char *body)
{
    char *copy = strdup(body == NULL ? "" : body);
    unsigned status;

    assert_non_null(copy);
    for (char *at = copy; *at != '\0'; at++) {
        if (*at == '\'')
            *at = '"';
    }
    status = ask(f, token, method, path, slice_text(copy));
    free(copy);
    return status;
}

unsigned
callf(struct fixture *f, const char *token, const char *method, const char *path,
      const char *format, ...)
{
    va_list arguments;
    char *body;
    unsigned status;

    va_start(arguments, format);
    assert_true(vasprintf(&body, format, arguments) >= 0);
    va_end(arguments);
    status = call(f, token, method, path, body);
    free(body);
    return status;
}

const char *
text(const struct fixture *f, const char *member)
{
    const char *value = json_string_value(json_object_get(f->body, member));

    return value == NULL ? "" : value;
}

bool
says(const struct fixture *f, const char *part)
{
    bool found = strstr(text(f, "detail"), part) != NULL;

    if (!found)
        print_error("'%s' is not in: %s\n", part, text(f, "detail"));
    return found;
}

struct issued
issue(struct fixture *f, const char *subject, const char *more)
{
    struct issued out;

    expect(201, callf(f, NULL, "POST", "/v1/tokens", "{'subject': '%s'%s}", subject, more));
    snprintf(out.id, sizeof out.id, "%s", text(f, "id"));
    snprintf(out.token, sizeof out.token, "%s", text(f, "token"));
    assert_int_equal(strlen(out.token), TOKEN_TEXT_SIZE);
    return out;
}

enum credential_verdict
verdict(struct fixture *f, const char *token)
{
    struct credential credential;

    arena_reset(&f->arena);
    return world_authenticate(f->authority->reader, slice_text(token), f->now, &f->arena,
                              &credential);
}

bool
allowed(struct fixture *f, const char *token, const char *right)
{
    struct credential credential;
    struct request request;

    arena_reset(&f->arena);
    if (world_authenticate(f->authority->reader, slice_text(token), f->now, &f->arena,
                           &credential) != CREDENTIAL_OK)
        return false;
    assert_int_equal(request_from_right(slice_text(right), OBJECT_PATH, &request, NULL), STATUS_OK);
    request.peer = f->peer;
    return decision_allows(policy_decide(world_policy(f->authority->reader), &credential.lineage,
                                         &request, f->now, &f->arena));
}

struct issued
with_rights(struct fixture *f, const char *name, const char *allow)
{
    char path[128];

    snprintf(path, sizeof path, "/v1/roles/%s", name);
    assert_true(callf(f, NULL, "PUT", path, "{'allow': %s}", allow) < 300);
    snprintf(path, sizeof path, "/v1/subjects/%s", name);
    assert_true(callf(f, NULL, "PUT", path, "{'type': 'service', 'roles': ['%s']}", name) < 300);
    return issue(f, name, "");
}

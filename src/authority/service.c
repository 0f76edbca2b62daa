/* authority/service.c - the node about itself: health, metrics, its description,
 * its keys, a backup. */
#include <inttypes.h>

#include "internal.h"
#include "webhook.h"

#include "base/clock.h"
#include "base/log.h"

enum status
api_healthz(struct authority *authority, const struct api_request *request,
            struct api_answer *answer, struct fault *fault)
{
    answer->body = json_pack("{s:s}", "status", "ok");
    return STATUS_OK;
}

enum status
api_readyz(struct authority *authority, const struct api_request *request,
           struct api_answer *answer, struct fault *fault)
{
    struct fault why = { 0 };

    if (fleet_ready(authority, &why) &&
        authority->options.ports->ready(authority->options.ports->app, &why)) {
        answer->body = json_pack("{s:s}", "status", "ready");
        return STATUS_OK;
    }
    api_problem(answer, 503, "not_ready", "This node does not serve", slice_text(why.text), NULL);
    return STATUS_OK;
}

static void
put_metric(struct buffer *out, const char *name, const char *type, const char *help, uint64_t value)
{
    put_format(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, type, name,
               value);
}

static void
put_webhooks(struct buffer *out, struct webhook *webhook)
{
    struct webhook_stats stats;

    webhook_stats(webhook, &stats);
    put_metric(out, "writ_webhooks_sent_total", "counter",
               "Webhooks of approvals that the receiver took.", stats.sent);
    put_metric(out, "writ_webhooks_failed_total", "counter",
               "Tries to send one that the receiver did not take.", stats.failed);
    put_metric(out, "writ_webhooks_dropped_total", "counter",
               "Webhooks given up: too old, or too many.", stats.dropped);
    put_metric(out, "writ_webhooks_waiting", "gauge", "Webhooks that are yet to be sent.",
               stats.waiting);
}

enum status
api_metrics(struct authority *authority, const struct api_request *request,
            struct api_answer *answer, struct fault *fault)
{
    const struct authority_counters *counters = &authority->counters;
    struct buffer out = { 0 };

    put_metric(&out, "writ_tokens", "gauge",
               "Tokens known, dead ones that are remembered included.",
               world_token_count(authority->world));
    put_metric(&out, "writ_tokens_issued_total", "counter", "Tokens issued.", counters->issued);
    put_metric(&out, "writ_tokens_rotated_total", "counter", "Tokens rotated.", counters->rotated);
    put_metric(&out, "writ_revocations_total", "counter", "Lines and hops revoked.",
               counters->revoked);
    put_metric(&out, "writ_api_calls_total", "counter", "Calls of the API.", counters->calls);
    put_metric(&out, "writ_api_refused_total", "counter", "Calls refused for want of a right.",
               counters->refused);
    put_metric(&out, "writ_commits_total", "counter", "Durable changes.", counters->commits);
    put_format(&out,
               "# HELP writ_commit_seconds Time to make a change durable and visible.\n"
               "# TYPE writ_commit_seconds summary\n"
               "writ_commit_seconds_sum %.6f\nwrit_commit_seconds_count %" PRIu64 "\n",
               (double)counters->commit_us / 1e6, counters->commits);
    enforced_write(authority, &out);
    put_webhooks(&out, authority->webhook);
    authority->options.ports->metrics(authority->options.ports->app, &out);
    answer->text = arena_copy(request->arena, buffer_slice(&out));
    answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    buffer_free(&out);
    return answer->text.at == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* --- OpenAPI 3.1, out of the table of routes ------------------------------------------ */

static json_t *
path_parameters(struct slice pattern)
{
    json_t *list = json_array();
    struct slice segment;

    while (slice_next(&pattern, '/', &segment)) {
        if (segment.size > 2 && segment.at[0] == '{')
            json_array_append_new(
                list, json_pack("{s:o, s:s, s:b, s:{s:s}}", "name",
                                json_slice(slice_of(segment.at + 1, segment.size - 2)), "in",
                                "path", "required", 1, "schema", "type", "string"));
    }
    return list;
}

static json_t *
operation(const struct route *route)
{
    json_t *out =
        json_pack("{s:s, s:o, s:{s:{s:s}, s:{s:s}}}", "summary", route->summary, "parameters",
                  path_parameters(slice_text(route->pattern)), "responses", "2XX", "description",
                  "Done", "default", "description", "An RFC 9457 problem document");

    if (route->action != NULL) {
        json_object_set_new(out, "security", json_pack("[{s:[]}]", "token"));
        json_object_set_new(out, "x-writ-action", json_string(route->action));
    }
    if (route->local_only)
        json_object_set_new(out, "x-writ-local", json_true());
    if (strcmp(route->method, "POST") == 0 || strcmp(route->method, "PUT") == 0)
        json_object_set_new(out, "requestBody",
                            json_pack("{s:{s:{s:{s:s}}}}", "content", "application/json", "schema",
                                      "type", "object"));
    return out;
}

enum status
api_openapi(struct authority *authority, const struct api_request *request,
            struct api_answer *answer, struct fault *fault)
{
    json_t *paths = json_object();
    size_t count;
    const struct route *rows = routes(&count);

    for (size_t i = 0; i < count; i++) {
        json_t *path = json_object_get(paths, rows[i].pattern);
        char method[8] = { 0 };

        for (size_t k = 0; rows[i].method[k] != '\0' && k < sizeof method - 1; k++)
            method[k] = (char)(rows[i].method[k] + ('a' - 'A'));
        if (path == NULL) {
            path = json_object();
            json_object_set_new(paths, rows[i].pattern, path);
        }
        json_object_set_new(path, method, operation(&rows[i]));
    }
    answer->body =
        json_pack("{s:s, s:{s:s, s:s}, s:[{s:o}], s:o, s:{s:{s:{s:s, s:s}}}}", "openapi", "3.1.0",
                  "info", "title", "Writ authority", "version", WRIT_VERSION, "servers", "url",
                  json_slice(authority->options.issuer), "paths", paths, "components",
                  "securitySchemes", "token", "type", "http", "scheme", "bearer");
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* --- keys, backup, reload ----------------------------------------------------------------- */

enum status
api_keys_rotate(struct authority *authority, const struct api_request *request,
                struct api_answer *answer, struct fault *fault)
{
    uint8_t kid;
    enum status status = jwt_keys_room(authority, fault);

    if (status == STATUS_OK)
        status = keys_rotate(authority, &kid, fault);
    if (status == STATUS_OK)
        status = jwt_keys_rotate(authority, fault);
    if (status == STATUS_OK)
        answer->body = json_pack("{s:i, s:s}", "kid", (int)kid, "jwt_kid",
                                 jwt_key_active(&authority->keys)->kid);
    return status;
}

enum status
api_backup(struct authority *authority, const struct api_request *request,
           struct api_answer *answer, struct fault *fault)
{
    static const char *const known[] = { "path", NULL };
    struct slice path = { 0 };
    enum status status = json_only(request->body, known, fault);

    if (status == STATUS_OK)
        status = json_take_string(request->body, "path", &path, fault);
    if (status == STATUS_OK && (path.size == 0 || path.at[0] != '/'))
        status = fault_at(fault, STATUS_INVALID, "/path", "path must be absolute");
    if (status == STATUS_OK)
        status = store_backup(authority->store, path.at, fault);
    if (status == STATUS_OK)
        answer->body = json_pack("{s:o}", "path", json_slice(path));
    return status;
}

enum status
api_reload(struct authority *authority, const struct api_request *request,
           struct api_answer *answer, struct fault *fault)
{
    enum status status = authority->options.ports->reload(authority->options.ports->app, fault);

    if (status == STATUS_OK)
        answer->body = json_pack("{s:s}", "status", "read again");
    return status;
}

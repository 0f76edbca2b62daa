/* gateway/upstream.c - reads the definition of an upstream: what all types share, and http. */
#include "upstream_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

void
upstream_plan_free(struct upstream_plan *plan)
{
    for (size_t i = 0; i < plan->address_count; i++)
        free(plan->addresses[i]);
    free(plan->authority);
    free(plan->prefix);
    free(plan->host);
    free(plan->ca);
    free(plan->server_name);
    free(plan->cert);
    free(plan->key);
    free(plan->user);
    free(plan->password_file);
    free(plan->bearer_file);
    free(plan->database);
    *plan = (struct upstream_plan){ 0 };
}

enum status
plan_keep(struct slice text, char **out)
{
    *out = slice_strdup(text);
    return *out == NULL ? STATUS_MEMORY : STATUS_OK;
}

static bool
host_bytes_valid(struct slice host)
{
    for (size_t i = 0; i < host.size; i++) {
        char byte = host.at[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!letter && !(byte >= '0' && byte <= '9') && strchr("-._:[]", byte) == NULL)
            return false;
    }
    return host.size > 0;
}

/* "host", "host:port", "[v6]", "[v6]:port"; the port is 0 when absent. */
bool
plan_split_host(struct slice authority, struct slice *host, uint16_t *port)
{
    bool bracketed = authority.size > 0 && authority.at[0] == '[';
    size_t end = bracketed ? slice_find(authority, ']') + 1 : slice_find(authority, ':');

    if (!host_bytes_valid(authority) || end > authority.size)
        return false;
    if (end < authority.size)
        return host_port_parse(authority, host, port) == STATUS_OK && *port != 0;
    *host = bracketed ? slice_of(authority.at + 1, authority.size - 2) : authority;
    *port = 0;
    return true;
}

enum status
plan_add_address(struct upstream_plan *plan, struct slice text)
{
    enum status status;

    if (plan->address_count == UPSTREAM_ADDRESSES_MAX)
        return STATUS_LIMIT;
    status = plan_keep(text, &plan->addresses[plan->address_count]);
    plan->address_count += status == STATUS_OK;
    return status;
}

/* The url's path stands before what is forwarded, so it must be spelled canonically. */
static enum status
read_prefix(struct slice path, struct upstream_plan *plan)
{
    struct arena none; /* a path that needs memory is not canonical */
    struct path canonical;

    while (path.size > 0 && path.at[path.size - 1] == '/')
        path.size--;
    if (path.size == 0)
        return plan_keep(SLICE_LITERAL(""), &plan->prefix);
    arena_init(&none, 0);
    if (path_canonical(path, PATH_PARAMS_REFUSE, &none, &canonical) != PATH_OK)
        return STATUS_INVALID;
    return plan_keep(canonical.forward, &plan->prefix);
}

static enum status
read_network_url(struct slice rest, bool tls, struct upstream_plan *plan)
{
    struct slice authority = slice_first(rest, slice_find(rest, '/'));
    struct slice host;
    uint16_t port;

    if (!plan_split_host(authority, &host, &port))
        return STATUS_INVALID;
    char address[300];
    bool v6 = slice_find(host, ':') < host.size;
    int size = snprintf(address, sizeof(address), v6 ? "[%.*s]:%u" : "%.*s:%u", SLICE_PRINT(host),
                        port != 0 ? port
                        : tls     ? 443u
                                  : 80u);
    if (size < 0 || (size_t)size >= sizeof(address))
        return STATUS_INVALID;
    plan->tls = tls;
    enum status status = read_prefix(slice_from(rest, authority.size), plan);
    if (status == STATUS_OK)
        status = plan_keep(authority, &plan->authority);
    if (status == STATUS_OK && tls)
        status = plan_keep(host, &plan->server_name);
    if (status == STATUS_OK)
        status = plan_add_address(plan, slice_of(address, (size_t)size));
    return status;
}

static enum status
read_url(struct slice url, struct upstream_plan *plan)
{
    struct slice http = SLICE_LITERAL("http://"), https = SLICE_LITERAL("https://");
    struct slice local = SLICE_LITERAL("unix://");

    if (slice_find(url, '?') < url.size || slice_find(url, '#') < url.size ||
        slice_find(url, '@') < url.size)
        return STATUS_INVALID;
    if (slice_starts(url, http))
        return read_network_url(slice_from(url, http.size), false, plan);
    if (slice_starts(url, https))
        return read_network_url(slice_from(url, https.size), true, plan);
    if (!slice_starts(url, local))
        return STATUS_INVALID;
    char address[128];
    struct slice path = slice_from(url, local.size);
    if (path.size < 2 || path.at[0] != '/' || path.size > 107) /* sun_path */
        return STATUS_INVALID;
    int size = snprintf(address, sizeof(address), "unix:%.*s", SLICE_PRINT(path));
    enum status status = plan_keep(SLICE_LITERAL("localhost"), &plan->authority);
    if (status == STATUS_OK)
        status = plan_keep(SLICE_LITERAL(""), &plan->prefix);
    return status == STATUS_OK ? plan_add_address(plan, slice_of(address, (size_t)size)) : status;
}

enum status
plan_read_addresses(const json_t *list, struct upstream_plan *plan, struct fault *fault)
{
    size_t index;
    const json_t *item;

    if (list == NULL || json_is_null(list))
        return STATUS_OK;
    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > UPSTREAM_ADDRESSES_MAX)
        return fault_at(fault, STATUS_INVALID, "/addresses", "must be a list of 1 to %d addresses",
                        UPSTREAM_ADDRESSES_MAX);
    for (size_t i = 0; i < plan->address_count; i++)
        free(plan->addresses[i]);
    plan->address_count = 0;
    json_array_foreach(list, index, item)
    {
        char pointer[32];
        struct slice text = slice_text(json_string_value(item)), host;
        bool socket = slice_starts(text, SLICE_LITERAL("unix:/"));
        uint16_t port = 0;

        snprintf(pointer, sizeof(pointer), "/addresses/%zu", index);
        if (!socket && (!plan_split_host(text, &host, &port) || port == 0))
            return fault_at(fault, STATUS_INVALID, pointer,
                            "must be \"host:port\" or \"unix:/path\"");
        if (plan_add_address(plan, text) != STATUS_OK)
            return STATUS_MEMORY;
    }
    return STATUS_OK;
}

static enum status
take_kept(const json_t *object, const char *name, char **out, struct fault *fault)
{
    struct slice text = { 0 };
    enum status status = json_take_string(object, name, &text, fault);

    if (status != STATUS_OK || text.size == 0)
        return status;
    free(*out);
    return plan_keep(text, out);
}

enum status
plan_read_tls(const json_t *tls, struct upstream_plan *plan, struct fault *fault)
{
    static const char *const known[] = { "ca", "server_name", "cert", "key", NULL };

    if (!json_is_object(tls))
        return fault_at(fault, STATUS_INVALID, "/tls", "must be an object");
    enum status status = json_only(tls, known, fault);
    if (status == STATUS_OK)
        status = take_kept(tls, "ca", &plan->ca, fault);
    if (status == STATUS_OK)
        status = take_kept(tls, "server_name", &plan->server_name, fault);
    if (status == STATUS_OK)
        status = take_kept(tls, "cert", &plan->cert, fault);
    if (status == STATUS_OK)
        status = take_kept(tls, "key", &plan->key, fault);
    if (status == STATUS_OK && (plan->cert == NULL) != (plan->key == NULL))
        return fault_at(fault, STATUS_INVALID, "/tls", "cert and key belong together");
    return status;
}

/* TLS is what the url's scheme says; tls: tells how. */
static enum status
read_url_tls(const json_t *tls, struct upstream_plan *plan, struct fault *fault)
{
    if (tls == NULL || json_is_null(tls))
        return STATUS_OK;
    if (!plan->tls)
        return fault_at(fault, STATUS_INVALID, "/tls", "needs a url that begins with https://");
    return plan_read_tls(tls, plan, fault);
}

static enum status
read_time(const json_t *timeouts, const char *name, int64_t *ms, struct fault *fault)
{
    struct slice text = { 0 };
    char pointer[32];
    enum status status = json_take_string(timeouts, name, &text, fault);

    if (status != STATUS_OK || text.at == NULL)
        return status;
    snprintf(pointer, sizeof(pointer), "/timeouts/%s", name);
    if (duration_parse(text, ms) != STATUS_OK || *ms <= 0)
        return fault_at(fault, STATUS_INVALID, pointer, "must be a duration such as \"30s\"");
    return STATUS_OK;
}

enum status
plan_read_timeouts(const json_t *timeouts, struct upstream_plan *plan, struct fault *fault)
{
    static const char *const known[] = { "connect", "header", "idle", NULL };

    if (timeouts == NULL || json_is_null(timeouts))
        return STATUS_OK;
    if (!json_is_object(timeouts))
        return fault_at(fault, STATUS_INVALID, "/timeouts", "must be an object");
    enum status status = json_only(timeouts, known, fault);
    if (status == STATUS_OK)
        status = read_time(timeouts, "connect", &plan->connect_ms, fault);
    if (status == STATUS_OK)
        status = read_time(timeouts, "header", &plan->header_ms, fault);
    if (status == STATUS_OK)
        status = read_time(timeouts, "idle", &plan->idle_ms, fault);
    return status;
}

static enum status
read_host(const json_t *definition, struct upstream_plan *plan, struct fault *fault)
{
    struct slice host = { 0 }, name;
    uint16_t port;
    enum status status = json_take_string(definition, "host", &host, fault);

    if (status != STATUS_OK || host.at == NULL)
        return status;
    if (host.size > 255 || !plan_split_host(host, &name, &port))
        return fault_at(fault, STATUS_INVALID, "/host", "must be a host name as clients send it");
    status = plan_keep(host, &plan->host);
    for (char *at = plan->host; status == STATUS_OK && *at != '\0'; at++) {
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at | 0x20);
    }
    return status;
}

/* How the gateway itself logs in: by a token, or as a user. */
static enum status
read_login(const json_t *login, struct upstream_plan *plan, struct fault *fault)
{
    static const char *const known[] = { "bearer_file", "user", "password_file", NULL };

    if (login == NULL || json_is_null(login))
        return STATUS_OK;
    if (!json_is_object(login))
        return fault_at(fault, STATUS_INVALID, "/login",
                        "must be {bearer_file} or {user, password_file}");
    enum status status = json_only(login, known, fault);
    if (status == STATUS_OK)
        status = take_kept(login, "bearer_file", &plan->bearer_file, fault);
    if (status == STATUS_OK)
        status = take_kept(login, "user", &plan->user, fault);
    if (status == STATUS_OK)
        status = take_kept(login, "password_file", &plan->password_file, fault);
    if (status != STATUS_OK)
        return status;
    if ((plan->user == NULL) != (plan->password_file == NULL) ||
        (plan->bearer_file == NULL) == (plan->user == NULL))
        return fault_at(fault, STATUS_INVALID, "/login",
                        "is {bearer_file} alone, or {user, password_file}");
    return STATUS_OK;
}

static enum status
read_impersonate(const json_t *definition, struct upstream_plan *plan, struct fault *fault)
{
    enum status status = json_take_bool(definition, "impersonate", &plan->impersonate, fault);

    if (status == STATUS_OK && plan->impersonate && plan->type != UPSTREAM_KUBERNETES)
        return fault_at(fault, STATUS_INVALID, "/impersonate",
                        "only an upstream of the type kubernetes is told the subject so");
    return status;
}

static enum status
read_tools(const json_t *definition, struct upstream_plan *plan, struct fault *fault)
{
    struct slice tools = { 0 };
    enum status status = json_take_string(definition, "tools", &tools, fault);

    if (status != STATUS_OK || tools.at == NULL)
        return status;
    if (plan->type != UPSTREAM_MCP)
        return fault_at(fault, STATUS_INVALID, "/tools",
                        "only an upstream of the type mcp has any");
    if (!slice_is(tools, "pinned") && !slice_is(tools, "any"))
        return fault_at(fault, STATUS_INVALID, "/tools", "must be pinned or any");
    plan->pinned = slice_is(tools, "pinned");
    return STATUS_OK;
}

/* A server of standard input and output: its socket is known when its name is (routes.c). */
static enum status
read_stdio(const json_t *definition, struct upstream_plan *plan, struct fault *fault)
{
    static const char *const elsewhere[] = { "url", "addresses", "tls", "login" };
    enum status status;

    if (plan->type != UPSTREAM_MCP)
        return fault_at(fault, STATUS_INVALID, "/stdio",
                        "only an upstream of the type mcp can be started");
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        if (json_object_get(definition, elsewhere[i]) != NULL)
            return fault_at(fault, STATUS_INVALID, "/stdio", "%s does not go with stdio",
                            elsewhere[i]);
    }
    status = plan_check_stdio(json_object_get(definition, "stdio"), fault);
    if (status == STATUS_OK)
        status = plan_keep(SLICE_LITERAL("localhost"), &plan->authority);
    if (status == STATUS_OK)
        status = plan_keep(SLICE_LITERAL(""), &plan->prefix);
    plan->stdio = true;
    return status;
}

static enum status
read_place(const json_t *definition, struct upstream_plan *plan, struct fault *fault)
{
    struct slice url = { 0 };
    enum status status;

    if (json_object_get(definition, "stdio") != NULL)
        return read_stdio(definition, plan, fault);
    status = json_take_string(definition, "url", &url, fault);
    if (status != STATUS_OK)
        return status;
    if (url.at == NULL)
        return fault_at(fault, STATUS_INVALID, "/url", "is missing: an http upstream needs a url");
    status = read_url(url, plan);
    if (status != STATUS_OK)
        return fault_at(fault, status, "/url",
                        "must be http://host:port/path, https://… or unix:///path, without "
                        "user, query or fragment");
    return plan_read_addresses(json_object_get(definition, "addresses"), plan, fault);
}

static enum status
read_members(const json_t *definition, struct upstream_plan *plan, struct fault *fault)
{
    struct slice params = { 0 };
    enum status status = read_place(definition, plan, fault);

    if (status == STATUS_OK)
        status = read_url_tls(json_object_get(definition, "tls"), plan, fault);
    if (status == STATUS_OK)
        status = plan_read_timeouts(json_object_get(definition, "timeouts"), plan, fault);
    if (status == STATUS_OK)
        status = read_host(definition, plan, fault);
    if (status == STATUS_OK)
        status = json_take_bool(definition, "api_key", &plan->api_key, fault);
    if (status == STATUS_OK)
        status = read_impersonate(definition, plan, fault);
    if (status == STATUS_OK)
        status = read_tools(definition, plan, fault);
    if (status == STATUS_OK)
        status = json_take_string(definition, "path_params", &params, fault);
    if (status == STATUS_OK)
        status = read_login(json_object_get(definition, "login"), plan, fault);
    if (status != STATUS_OK || params.at == NULL)
        return status;
    if (!slice_is(params, "allow") && !slice_is(params, "refuse"))
        return fault_at(fault, STATUS_INVALID, "/path_params", "must be allow or refuse");
    plan->path_params = slice_is(params, "allow") ? PATH_PARAMS_ALLOW : PATH_PARAMS_REFUSE;
    return STATUS_OK;
}

static enum status
read_http(const json_t *definition, struct upstream_plan *out, struct fault *fault)
{
    static const char *const known[] = { "type",  "url",         "addresses", "host",
                                         "tls",   "timeouts",    "api_key",   "path_params",
                                         "login", "impersonate", "tools",     "stdio",
                                         NULL };
    enum status status = json_only(definition, known, fault);

    return status == STATUS_OK ? read_members(definition, out, fault) : status;
}

static const struct {
    const char *name;
    enum door_kind door;
} types[UPSTREAM_OTHER] = {
    [UPSTREAM_HTTP] = { "http", DOOR_HTTP },
    [UPSTREAM_DOCKER] = { "docker", DOOR_HTTP },
    [UPSTREAM_KUBERNETES] = { "kubernetes", DOOR_HTTP },
    [UPSTREAM_MCP] = { "mcp", DOOR_HTTP },
    [UPSTREAM_POSTGRES] = { "postgres", DOOR_POSTGRES },
    [UPSTREAM_REDIS] = { "redis", DOOR_REDIS },
};

enum upstream_type
upstream_type_of(struct slice name)
{
    unsigned type = 0;

    while (type < UPSTREAM_OTHER && !slice_is(name, types[type].name))
        type++;
    return (enum upstream_type)type;
}

enum door_kind
upstream_door(enum upstream_type type)
{
    return type < UPSTREAM_OTHER ? types[type].door : DOOR_KINDS;
}

/* What follows logs or waits for an end is silent for hours. */
static void
wait_longer(struct upstream_plan *plan)
{
    if (plan->type == UPSTREAM_HTTP)
        return;
    if (plan->idle_ms == 0)
        plan->idle_ms = -1;
    if (plan->header_ms == 0)
        plan->header_ms = 10 * MS_MINUTE;
}

enum status
upstream_plan_read(const json_t *definition, struct upstream_plan *out, struct fault *fault)
{
    struct slice type = { 0 };
    enum status status = json_take_string(definition, "type", &type, fault);

    *out = (struct upstream_plan){ .type = upstream_type_of(type) };
    if (status != STATUS_OK)
        return status;
    switch (upstream_door(out->type)) {
    case DOOR_HTTP:
        status = read_http(definition, out, fault);
        wait_longer(out);
        return status;
    case DOOR_POSTGRES:
    case DOOR_REDIS:
        return plan_read_session(definition, out, fault);
    case DOOR_KINDS:
        break;
    }
    return fault_at(fault, STATUS_INVALID, "/type", "no door of this gateway serves it");
}

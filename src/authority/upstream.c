/* authority/upstream.c - is this a sound definition of an upstream, and may this
 * caller write it? Files, sockets and Writ's own listeners are the traps. */
#include <ifaddrs.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

#include "base/clock.h"

static const char *const types[] = { "http",   "postgres",   "mysql", "redis",
                                     "docker", "kubernetes", "mcp",   NULL };
static const char *const members[] = { "type",     "url",      "address", "addresses",   "host",
                                       "tls",      "timeouts", "api_key", "path_params", "login",
                                       "database", "pool",     "record",  "impersonate", "tools",
                                       "stdio",    NULL };
static const char *const reserved[] = { "writ", "check", "healthz", "readyz", "metrics", NULL };

static bool
listed(const char *const *list, struct slice text)
{
    for (; *list != NULL; list++) {
        if (slice_is(text, *list))
            return true;
    }
    return false;
}

/* --- Writ's own listeners ------------------------------------------------------------ */

static bool
is_local_interface(const struct ip *ip)
{
    struct ifaddrs *list, *at;
    bool found = ip_is_loopback(ip);

    if (found || getifaddrs(&list) != 0)
        return found;
    for (at = list; at != NULL && !found; at = at->ifa_next) {
        if (at->ifa_addr != NULL) {
            struct ip own = ip_of_sockaddr(at->ifa_addr);
            found = ip_equal(&own, ip);
        }
    }
    freeifaddrs(list);
    return found;
}

static bool
is_wildcard(const struct ip *ip)
{
    static const uint8_t zero[16];

    return memcmp(ip->bytes, zero, sizeof zero) == 0;
}

/* Names that are not "localhost" are looked at when the gateway connects. */
static bool
is_own_address(const struct authority *authority, struct slice host, uint16_t port)
{
    struct ip ip, own;
    struct slice own_host;
    uint16_t own_port;

    if (slice_is(host, "localhost"))
        host = SLICE_LITERAL("127.0.0.1");
    if (ip_parse(host, &ip) != STATUS_OK)
        return false;
    for (size_t i = 0; i < authority->options.own_address_count; i++) {
        if (host_port_parse(slice_text(authority->options.own_addresses[i]), &own_host,
                            &own_port) != STATUS_OK ||
            own_port != port)
            continue;
        if (slice_is(own_host, "localhost"))
            own_host = SLICE_LITERAL("127.0.0.1");
        if (ip_parse(own_host, &own) != STATUS_OK)
            continue;
        if (ip_equal(&ip, &own) || (is_wildcard(&own) && is_local_interface(&ip)) ||
            (is_wildcard(&ip) && is_local_interface(&own)))
            return true;
    }
    return false;
}

/* The path without links and dots; of a file that is not there yet, its folder's. */
static bool
canonical(const char *path, char out[PATH_MAX])
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size;

    if (realpath(path, out) != NULL)
        return true;
    snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
             slash == NULL ? "." : path);
    if (realpath(folder, out) == NULL)
        return false;
    size = strlen(out);
    return snprintf(out + size, PATH_MAX - size, "/%s", slash == NULL ? path : slash + 1) <
           (int)(PATH_MAX - size);
}

static bool
is_own_socket(const struct authority *authority, const char *path)
{
    char theirs[PATH_MAX], ours[PATH_MAX];

    return canonical(path, theirs) && canonical(authority->socket_path, ours) &&
           strcmp(theirs, ours) == 0;
}

/* --- addresses -------------------------------------------------------------------------- */

struct source {
    const struct authority *authority;
    bool local; /* a local file or the local socket */
    struct fault *fault;
};

static enum status
check_socket(const struct source *source, struct slice path, const char *pointer)
{
    char text[108]; /* sun_path */

    if (!source->local)
        return fault_at(source->fault, STATUS_DENIED, pointer,
                        "a Unix socket can be named only in a local file or at the local socket");
    if (path.size == 0 || path.size >= sizeof text || path.at[0] != '/')
        return fault_at(source->fault, STATUS_INVALID, pointer,
                        "a Unix socket's path is absolute and shorter than 108 bytes");
    memcpy(text, path.at, path.size);
    text[path.size] = '\0';
    if (is_own_socket(source->authority, text))
        return fault_at(source->fault, STATUS_DENIED, pointer,
                        "this is Writ's own socket: an upstream can't be Writ itself");
    return STATUS_OK;
}

static enum status
check_host_port(const struct source *source, struct slice text, uint16_t default_port,
                const char *pointer)
{
    struct slice host;
    uint16_t port;

    if (host_port_parse(text, &host, &port) != STATUS_OK) {
        if (default_port == 0 || text.size == 0 || slice_find(text, ':') < text.size)
            return fault_at(source->fault, STATUS_INVALID, pointer, "'%.*s' is not host:port",
                            SLICE_PRINT(slice_first(text, 80)));
        host = text;
        port = default_port;
    }
    if (is_own_address(source->authority, host, port))
        return fault_at(source->fault, STATUS_DENIED, pointer,
                        "%.*s is an address that Writ itself listens on", SLICE_PRINT(text));
    return STATUS_OK;
}

static enum status
check_url(const struct source *source, struct slice url)
{
    struct slice rest;
    uint16_t port = 80;
    size_t slash;

    if (slice_starts(url, SLICE_LITERAL("unix://")))
        return check_socket(source, slice_from(url, 7), "/url");
    if (slice_starts(url, SLICE_LITERAL("http://"))) {
        rest = slice_from(url, 7);
    } else if (slice_starts(url, SLICE_LITERAL("https://"))) {
        rest = slice_from(url, 8);
        port = 443;
    } else {
        return fault_at(source->fault, STATUS_INVALID, "/url",
                        "url must begin with http://, https:// or unix://");
    }
    slash = slice_find(rest, '/');
    if (slice_find(rest, '@') < rest.size || slice_find(rest, '?') < rest.size ||
        slice_find(rest, '#') < rest.size)
        return fault_at(source->fault, STATUS_INVALID, "/url",
                        "url is scheme, host, port and path: no user, query or fragment");
    return check_host_port(source, slice_first(rest, slash), port, "/url");
}

static enum status
check_addresses(const struct source *source, const json_t *definition, uint16_t default_port)
{
    const json_t *list = json_object_get(definition, "addresses");
    char pointer[32];
    json_t *item;
    size_t i;

    if (list == NULL)
        return STATUS_OK;
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > 64)
        return fault_at(source->fault, STATUS_INVALID, "/addresses",
                        "addresses is a list of 1 to 64 host:port");
    json_array_foreach(list, i, item)
    {
        enum status status;

        snprintf(pointer, sizeof pointer, "/addresses/%zu", i);
        if (!json_is_string(item))
            return fault_at(source->fault, STATUS_INVALID, pointer,
                            "an address is text, host:port");
        status =
            check_host_port(source, slice_text(json_string_value(item)), default_port, pointer);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* --- the rest ------------------------------------------------------------------------------ */

bool
names_file(struct slice member)
{
    return slice_ends(member, SLICE_LITERAL("_file")) || slice_is(member, "ca") ||
           slice_is(member, "cert") || slice_is(member, "key");
}

/* Any member below that names a file of the machine. */
static enum status
check_files(const struct source *source, const json_t *level, const char *pointer)
{
    const char *name;
    json_t *value;
    char at[FAULT_POINTER_MAX];
    size_t i;

    json_array_foreach(level, i, value)
    {
        enum status status;

        snprintf(at, sizeof at, "%s/%zu", pointer, i);
        status = check_files(source, value, at);
        if (status != STATUS_OK)
            return status;
    }
    json_object_foreach((json_t *)(uintptr_t)level, name, value)
    {
        struct slice key = slice_text(name);
        enum status status = STATUS_OK;

        snprintf(at, sizeof at, "%s/%s", pointer, name);
        if (json_is_object(value) || json_is_array(value))
            status = check_files(source, value, at);
        else if (!source->local && (names_file(key) || slice_ends(key, SLICE_LITERAL("command"))))
            status = fault_at(
                source->fault, STATUS_DENIED, at,
                "%s names a file or command: only in a local file or at the local socket", name);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Whoever may write it runs commands on this machine. What it holds is the gateway's to check. */
static enum status
check_stdio(const struct source *source, const json_t *definition)
{
    if (json_object_get(definition, "stdio") == NULL || source->local)
        return STATUS_OK;
    return fault_at(source->fault, STATUS_DENIED, "/stdio",
                    "a command can be named only in a local file or at the local socket");
}

static enum status
check_timeouts(const json_t *definition, struct fault *fault)
{
    static const char *const known[] = { "connect", "header", "idle", NULL };
    const json_t *timeouts = json_object_get(definition, "timeouts");
    const char *name;
    json_t *value;
    int64_t ms;
    enum status status;

    if (timeouts == NULL)
        return STATUS_OK;
    if (!json_is_object(timeouts))
        return fault_at(fault, STATUS_INVALID, "/timeouts", "timeouts is {connect, header, idle}");
    status = json_only(timeouts, known, fault);
    if (status != STATUS_OK)
        return status;
    json_object_foreach((json_t *)(uintptr_t)timeouts, name, value)
    {
        if (!json_is_string(value) ||
            duration_parse(slice_text(json_string_value(value)), &ms) != STATUS_OK || ms <= 0)
            return fault_at(fault, STATUS_INVALID, "/timeouts",
                            "timeouts.%s must be a duration such as 5s", name);
    }
    return STATUS_OK;
}

static enum status
check_options(const json_t *definition, struct fault *fault)
{
    static const char *const tls_known[] = { "ca", "server_name", "cert", "key", NULL };
    const json_t *tls = json_object_get(definition, "tls");
    struct slice params = SLICE_LITERAL("refuse"), host = { 0 };
    bool api_key;
    enum status status = json_take_bool(definition, "api_key", &api_key, fault);

    if (status == STATUS_OK)
        status = json_take_string(definition, "path_params", &params, fault);
    if (status == STATUS_OK && !slice_is(params, "allow") && !slice_is(params, "refuse"))
        status = fault_at(fault, STATUS_INVALID, "/path_params", "path_params is allow or refuse");
    if (status == STATUS_OK)
        status = json_take_string(definition, "host", &host, fault);
    if (status == STATUS_OK && tls != NULL && !json_is_object(tls))
        status = fault_at(fault, STATUS_INVALID, "/tls", "tls is {ca, server_name}");
    if (status == STATUS_OK && tls != NULL)
        status = json_only(tls, tls_known, fault);
    if (status == STATUS_OK)
        status = check_timeouts(definition, fault);
    return status;
}

enum status
upstream_check(struct authority *authority, struct slice name, const json_t *definition,
               bool source_local, struct fault *fault)
{
    struct source source = { .authority = authority, .local = source_local, .fault = fault };
    struct slice type = { 0 }, url = { 0 }, address = { 0 };
    enum status status;

    if (!name_valid(name))
        return fault_set(fault, STATUS_INVALID,
                         "an upstream's name is [a-z0-9][a-z0-9_-]*, at most 63");
    if (listed(reserved, name))
        return fault_set(fault, STATUS_INVALID, "%.*s is a reserved name", SLICE_PRINT(name));
    if (!json_is_object(definition))
        return fault_set(fault, STATUS_INVALID, "an upstream is {type, url or address, …}");
    status = json_only(definition, members, fault);
    if (status == STATUS_OK)
        status = json_take_string(definition, "type", &type, fault);
    if (status == STATUS_OK && !listed(types, type))
        status = fault_at(fault, STATUS_INVALID, "/type",
                          "type is one of http, postgres, mysql, redis, docker, kubernetes, mcp");
    if (status == STATUS_OK)
        status = json_take_string(definition, "url", &url, fault);
    if (status == STATUS_OK)
        status = json_take_string(definition, "address", &address, fault);
    if (status == STATUS_OK)
        status = check_stdio(&source, definition);
    if (status == STATUS_OK &&
        (url.size > 0) + (address.size > 0) + (json_object_get(definition, "stdio") != NULL) != 1)
        status = fault_set(fault, STATUS_INVALID, "an upstream has a url, an address or stdio");
    if (status == STATUS_OK && slice_is(type, "http") && url.size == 0)
        status = fault_set(fault, STATUS_INVALID, "an http upstream has a url");
    if (status == STATUS_OK && url.size > 0)
        status = check_url(&source, url);
    if (status == STATUS_OK && address.size > 0)
        status = address.at[0] == '/' ? check_socket(&source, address, "/address")
                                      : check_host_port(&source, address, 0, "/address");
    if (status == STATUS_OK)
        status = check_addresses(&source, definition,
                                 slice_starts(url, SLICE_LITERAL("https")) ? 443 : 80);
    if (status == STATUS_OK)
        status = check_files(&source, definition, "");
    if (status == STATUS_OK)
        status = check_options(definition, fault);
    if (status == STATUS_OK)
        status = authority->options.ports->check_upstream(authority->options.ports->app, definition,
                                                          fault);
    return status;
}

/* --- one host, one upstream ---------------------------------------------------------------- */

struct hosts {
    json_t *by_host; /* host, small letters: the upstream that has it */
    const struct change *changes;
    size_t count;
    struct slice last;
    struct arena arena;
    size_t seen;
    struct fault *fault;
};

static enum status
take_host(struct hosts *hosts, const struct change *upstream)
{
    json_t *definition;
    struct slice host = { 0 };
    const char *taken;
    char small[256];
    enum status status = json_read(upstream->body, &definition, NULL);

    if (status != STATUS_OK)
        return STATUS_CORRUPT;
    status = json_take_string(definition, "host", &host, hosts->fault);
    if (status == STATUS_OK && host.size > 0 && host.size < sizeof small) {
        for (size_t i = 0; i < host.size; i++)
            small[i] =
                host.at[i] >= 'A' && host.at[i] <= 'Z' ? (char)(host.at[i] | 0x20) : host.at[i];
        small[host.size] = '\0';
        taken = json_string_value(json_object_get(hosts->by_host, small));
        if (taken != NULL)
            status = fault_set(hosts->fault, STATUS_CONFLICT,
                               "host %s belongs to the upstream %s: %.*s can't have it too", small,
                               taken, SLICE_PRINT(upstream->name));
        else
            json_object_set_new(hosts->by_host, small, json_slice(upstream->name));
    }
    json_decref(definition);
    return status;
}

static enum status
take_stored(void *context, const struct change *upstream)
{
    struct hosts *hosts = context;

    hosts->seen++;
    hosts->last = arena_copy(&hosts->arena, upstream->name);
    if (hosts->last.at == NULL)
        return STATUS_MEMORY;
    for (size_t i = 0; i < hosts->count; i++) {
        enum change_kind kind = hosts->changes[i].kind;
        if ((kind == CHANGE_UPSTREAM_PUT || kind == CHANGE_UPSTREAM_DROPPED) &&
            slice_equal(hosts->changes[i].name, upstream->name))
            return STATUS_OK;
    }
    return take_host(hosts, upstream);
}

enum status
upstream_hosts_check(struct authority *authority, const struct change *changes, size_t count,
                     struct fault *fault)
{
    struct hosts hosts = {
        .by_host = json_object(), .changes = changes, .count = count, .fault = fault
    };
    enum status status = STATUS_OK;
    bool touched = false;

    for (size_t i = 0; i < count; i++)
        touched = touched || changes[i].kind == CHANGE_UPSTREAM_PUT;
    arena_init(&hosts.arena, 16 << 20);
    do {
        hosts.seen = 0;
        if (touched)
            status = store_objects(authority->store, CHANGE_UPSTREAM_PUT, hosts.last, 1000,
                                   take_stored, &hosts);
    } while (status == STATUS_OK && hosts.seen == 1000);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        if (changes[i].kind == CHANGE_UPSTREAM_PUT)
            status = take_host(&hosts, &changes[i]);
    }
    arena_free(&hosts.arena);
    json_decref(hosts.by_host);
    return status;
}

/* app/config.c - writ.yaml against the table of settings; every fault is told, with
 * its place. */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/nearest.h"
#include "base/yaml.h"
#include "fetch/fetch.h"

enum { LANES_MAX = 256 };

/* One reading of one file. */
struct reading {
    const char *path;
    const char *dir; /* of the file; "" for the working directory */
    struct yaml *yaml;
    struct config *config;
    struct buffer *faults;
    bool seen[SETTING_ROWS];
    bool failed;
};

static void *
member_of(struct config *config, const struct setting *row)
{
    return (char *)config + row->offset;
}

static void WRIT_PRINTF(3, 4)
    complain(struct reading *reading, const char *pointer, const char *format, ...)
{
    struct fault fault = { 0 };
    char text[FAULT_TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)fault_at(&fault, STATUS_INVALID, pointer, "%s", text);
    yaml_locate(reading->yaml, &fault);
    put_format(reading->faults, "%s:%u:%u: %s\n", reading->path, fault.line, fault.column, text);
    reading->failed = true;
}

static char *
path_beside(const struct reading *reading, const char *path)
{
    char *joined;

    if (path[0] == '/' || reading->dir[0] == '\0')
        return strdup(path);
    if (strncmp(path, "./", 2) == 0)
        path += 2;
    return asprintf(&joined, "%s/%s", reading->dir, path) < 0 ? NULL : joined;
}

static bool
choice_valid(const char *choices, const char *text)
{
    struct slice rest = slice_text(choices), one;

    while (slice_next(&rest, '|', &one)) {
        if (slice_is(one, text))
            return true;
    }
    return false;
}

/* A scalar of the file (or a default) as the member's value; NULL or the complaint. */
static const char *
set_scalar(struct reading *reading, const struct setting *row, const char *text)
{
    void *member = member_of(reading->config, row);
    struct slice host;
    uint16_t port;

    switch (row->type) {
    case SETTING_ADDRESS:
        if (host_port_parse(slice_text(text), &host, &port) != STATUS_OK)
            return "is not an address of the form host:port";
        break;
    case SETTING_CHOICE:
        if (!choice_valid(row->choices, text))
            return "is not one of the choices";
        break;
    case SETTING_DURATION:
        return duration_parse(slice_text(text), member) == STATUS_OK && *(int64_t *)member > 0
                   ? NULL
                   : "is not a duration such as 30s, 10m, 24h or 7d";
    case SETTING_COUNT:
        if (strcmp(text, "auto") == 0)
            *(uint64_t *)member = 0;
        else if (!slice_u64(slice_text(text), member) || *(uint64_t *)member == 0 ||
                 *(uint64_t *)member > 1 << 20)
            return "is not a number from 1 to 1048576, or auto";
        return NULL;
    case SETTING_FLAG:
        if (!choice_valid("true|false", text))
            return "is not true or false";
        *(bool *)member = strcmp(text, "true") == 0;
        return NULL;
    case SETTING_TEXT:
    case SETTING_PATH:
        if (text[0] == '\0')
            return "is empty";
        break;
    case SETTING_PATHS:
    case SETTING_NAMES:
    case SETTING_NETWORKS:
        return "must be a list";
    }
    *(char **)member = row->type == SETTING_PATH ? path_beside(reading, text) : strdup(text);
    return *(char **)member == NULL ? "does not fit in memory" : NULL;
}

/* text is the list's from here on; NULL: it did not fit. */
static const char *
add_text(struct config_paths *texts, char *text)
{
    char **items =
        text == NULL ? NULL : reallocarray(texts->items, texts->count + 1, sizeof *items);

    if (items == NULL) {
        free(text);
        return "does not fit in memory";
    }
    texts->items = items;
    items[texts->count++] = text;
    return NULL;
}

static const char *
add_network(struct config_networks *networks, const char *text)
{
    struct cidr *items = reallocarray(networks->items, networks->count + 1, sizeof *items);

    if (items == NULL)
        return "does not fit in memory";
    networks->items = items;
    if (cidr_parse(slice_text(text), &items[networks->count]) != STATUS_OK)
        return "is not an address or a network such as 10.0.0.0/8";
    networks->count++;
    return NULL;
}

static void
set_list(struct reading *reading, const struct setting *row, const json_t *list,
         const char *pointer)
{
    void *member = member_of(reading->config, row);
    char at[FAULT_POINTER_MAX + 24];
    const char *wrong;
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        snprintf(at, sizeof at, "%s/%zu", pointer, i);
        if (!json_is_string(item))
            wrong = "is not text";
        else if (row->type == SETTING_PATHS)
            wrong = add_text(member, path_beside(reading, json_string_value(item)));
        else if (row->type == SETTING_NAMES)
            wrong = json_string_length(item) == 0
                        ? "is empty"
                        : add_text(member, strdup(json_string_value(item)));
        else
            wrong = add_network(member, json_string_value(item));
        if (wrong != NULL)
            complain(reading, at, "%s: entry %zu %s", row->key, i + 1, wrong);
    }
}

static void
set_row(struct reading *reading, const struct setting *row, const json_t *value,
        const char *pointer)
{
    char number[24];
    const char *wrong, *text;

    if (row->type == SETTING_PATHS || row->type == SETTING_NAMES || row->type == SETTING_NETWORKS) {
        if (json_is_array(value))
            set_list(reading, row, value, pointer);
        else
            complain(reading, pointer, "%s must be a list", row->key);
        return;
    }
    if (json_is_string(value)) {
        text = json_string_value(value);
    } else if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        text = number;
    } else if (json_is_boolean(value)) {
        text = json_is_true(value) ? "true" : "false";
    } else {
        complain(reading, pointer, "%s must be a single value", row->key);
        return;
    }
    wrong = set_scalar(reading, row, text);
    if (wrong == NULL)
        return;
    if (row->choices != NULL)
        complain(reading, pointer, "%s: %s %s (%s)", row->key, text, wrong, row->choices);
    else
        complain(reading, pointer, "%s: %s %s", row->key, text, wrong);
}

/* The row whose key it is, or -1; *inside tells whether it is a level above rows. */
static int
find_row(const char *key, bool *inside)
{
    size_t size = strlen(key);

    *inside = false;
    for (int i = 0; i < SETTING_ROWS; i++) {
        if (strcmp(settings[i].key, key) == 0)
            return i;
        if (strncmp(settings[i].key, key, size) == 0 && settings[i].key[size] == '.')
            *inside = true;
    }
    return -1;
}

/* Keys and the levels above them: "gatewy.http" is near to "gateway.http". */
static struct slice
nearest_key(const char *key)
{
    struct nearest nearest = nearest_to(slice_text(key));

    for (int i = 0; i < SETTING_ROWS; i++) {
        const char *row = settings[i].key;

        for (const char *end = strchr(row, '.'); end != NULL; end = strchr(end + 1, '.'))
            nearest_see(&nearest, slice_of(row, (size_t)(end - row)));
        nearest_see(&nearest, slice_text(row));
    }
    return nearest.best;
}

static void
read_level(struct reading *reading, const json_t *level, const char *prefix, const char *pointer)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)level, name, value)
    {
        char key[160], at[FAULT_POINTER_MAX];
        bool inside;
        int row;

        snprintf(key, sizeof key, "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".", name);
        snprintf(at, sizeof at, "%s/%s", pointer, name);
        row = find_row(key, &inside);
        if (row >= 0) {
            reading->seen[row] = true;
            if (!json_is_null(value))
                set_row(reading, &settings[row], value, at);
        } else if (!inside) {
            complain(reading, at, "unknown setting %s; the nearest known is %.*s", key,
                     SLICE_PRINT(nearest_key(key)));
        } else if (json_is_object(value)) {
            read_level(reading, value, key, at);
        } else if (!json_is_null(value)) {
            complain(reading, at, "%s holds further settings, not a value", key);
        }
    }
}

static void
set_defaults(struct reading *reading)
{
    char host[256] = "node";

    for (int i = 0; i < SETTING_ROWS; i++) {
        if (!reading->seen[i] && settings[i].initial != NULL)
            (void)set_scalar(reading, &settings[i], settings[i].initial);
    }
    if (reading->config->node == NULL) {
        (void)gethostname(host, sizeof host - 1);
        reading->config->node = strdup(host);
    }
    if (reading->config->issuer == NULL && reading->config->authority.listen != NULL &&
        asprintf(&reading->config->issuer, "%s://%s",
                 reading->config->authority.cert == NULL ? "http" : "https",
                 reading->config->authority.listen) < 0)
        reading->config->issuer = NULL;
}

static void
check_listen(struct reading *reading, const struct config_listen *listen, const char *pointer)
{
    struct slice host;
    struct ip ip;
    uint16_t port;

    if (listen->listen == NULL)
        return;
    if ((listen->cert == NULL) != (listen->key == NULL))
        complain(reading, pointer, "tls needs both cert and key");
    if (listen->cert == NULL && listen->client_cert != NULL &&
        strcmp(listen->client_cert, "none") != 0)
        complain(reading, pointer, "client_cert %s needs tls: {cert, key}", listen->client_cert);
    if (listen->cert != NULL || listen->insecure)
        return;
    if (host_port_parse(slice_text(listen->listen), &host, &port) != STATUS_OK)
        return; /* said already */
    if (slice_is(host, "localhost") || (ip_parse(host, &ip) == STATUS_OK && ip_is_loopback(&ip)))
        return;
    complain(reading, pointer,
             "%s is not a loopback address: tokens would cross the network in clear. Give it tls: "
             "{cert, key}, or say insecure: true",
             listen->listen);
}

static void
check_webhook(struct reading *reading, const struct config_webhook *webhook)
{
    struct fault fault = { 0 };

    if (webhook->url == NULL) {
        if (webhook->secret_file != NULL || webhook->ca != NULL)
            complain(reading, "/approvals/webhook", "approvals.webhook needs a url");
        return;
    }
    if (webhook->secret_file == NULL)
        complain(reading, "/approvals/webhook", "approvals.webhook needs a secret_file");
    if (fetch_check_url(webhook->url, webhook->insecure, &fault) != STATUS_OK)
        complain(reading, "/approvals/webhook/url", "approvals.webhook.url %s", fault.text);
}

static void
check_whole(struct reading *reading)
{
    const struct config *config = reading->config;

    check_listen(reading, &config->authority, "/authority/listen");
    check_listen(reading, &config->http, "/gateway/http/listen");
    check_listen(reading, &config->postgres, "/gateway/postgres/listen");
    check_listen(reading, &config->redis, "/gateway/redis/listen");
    check_webhook(reading, &config->webhook);
    if ((strcmp(config->store_type, "postgres") == 0) != (config->store_url != NULL))
        complain(reading, "/store/url",
                 "store.url belongs to store.type postgres, and it needs one");
    if (config->fleet_staleness < MS_SECOND || config->fleet_staleness > MS_MINUTE)
        complain(reading, "/fleet/staleness", "fleet.staleness is from 1s to 1m");
    if (config->lanes > LANES_MAX)
        complain(reading, "/lanes", "lanes: at most %d", LANES_MAX);
    if (config->default_ttl > config->max_ttl)
        complain(reading, "/limits/default_ttl",
                 "limits.default_ttl is longer than limits.max_ttl");
}

enum status
config_read(const char *path, struct config *out, struct buffer *faults)
{
    struct config config = { 0 };
    struct reading reading = { .path = path, .config = &config, .faults = faults };
    struct fault fault = { 0 };
    const char *slash = strrchr(path, '/');
    char *dir =
        slash == NULL ? strdup("") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    enum status status;

    if (dir == NULL)
        return STATUS_MEMORY;
    reading.dir = dir;
    status = yaml_read_file(path, &reading.yaml, &fault);
    if (status != STATUS_OK) {
        if (fault.line != 0)
            put_format(faults, "%s:%u:%u: %s\n", path, fault.line, fault.column, fault.text);
        else
            put_format(faults, "writ: %s\n", fault.text);
        goto done;
    }
    if (json_is_object(yaml_root(reading.yaml)))
        read_level(&reading, yaml_root(reading.yaml), "", "");
    else
        complain(&reading, "", "the file must hold settings, one name: value a line");
    set_defaults(&reading);
    check_whole(&reading);
    if (reading.failed) {
        status = STATUS_INVALID;
        config_free(&config);
    } else {
        *out = config;
    }
done:
    yaml_free(reading.yaml);
    free(dir);
    return status;
}

void
config_free(struct config *config)
{
    for (int i = 0; i < SETTING_ROWS; i++) {
        void *member = member_of(config, &settings[i]);

        switch (settings[i].type) {
        case SETTING_TEXT:
        case SETTING_CHOICE:
        case SETTING_PATH:
        case SETTING_ADDRESS:
            free(*(char **)member);
            break;
        case SETTING_PATHS:
        case SETTING_NAMES: {
            struct config_paths *paths = member;
            for (size_t k = 0; k < paths->count; k++)
                free(paths->items[k]);
            free(paths->items);
            break;
        }
        case SETTING_NETWORKS:
            free(((struct config_networks *)member)->items);
            break;
        case SETTING_DURATION:
        case SETTING_FLAG:
        case SETTING_COUNT:
            break;
        }
    }
    *config = (struct config){ 0 };
}

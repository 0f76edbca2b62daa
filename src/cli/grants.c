/* cli/grants.c - GRANTs for the gateway's own role at a database: no more than what the roles'
 * rights let anybody do through it. */
#include "grants.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "policy/right.h"

enum { LINES_MOST = 100000 };

/* Lines of SQL, each once. */
struct lines {
    char **items;
    size_t count;
};

struct grants {
    struct slice upstream, role;
    struct lines schemas, grants, notes;
    bool full; /* memory is out */
};

static void
add_line(struct grants *grants, struct lines *lines, const struct buffer *text)
{
    char *line = slice_strdup(buffer_slice(text));
    char **longer = realloc(lines->items, (lines->count + 1) * sizeof(*longer));

    if (longer != NULL)
        lines->items = longer;
    if (line == NULL || longer == NULL || lines->count == LINES_MOST ||
        buffer_status(text) != STATUS_OK) {
        free(line);
        grants->full = true;
        return;
    }
    lines->items[lines->count++] = line;
}

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
print_lines(struct lines *lines)
{
    if (lines->count > 0)
        qsort(lines->items, lines->count, sizeof(*lines->items), by_text);
    for (size_t i = 0; i < lines->count; i++) {
        if (i == 0 || strcmp(lines->items[i], lines->items[i - 1]) != 0)
            puts(lines->items[i]);
    }
}

static void
free_lines(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->items[i]);
    free(lines->items);
}

/* --- names ------------------------------------------------------------------------------ */

/* A name of a right, as SQL quotes it. */
static void
put_identifier(struct buffer *out, struct slice name)
{
    put_u8(out, '"');
    for (size_t i = 0; i < name.size; i++) {
        uint8_t byte = (uint8_t)name.at[i];
        if (byte == '%' && i + 2 < name.size) {
            byte =
                (uint8_t)(hex_digit_value(name.at[i + 1]) << 4 | hex_digit_value(name.at[i + 2]));
            i += 2;
        }
        if (byte == '"')
            put_u8(out, '"');
        put_u8(out, byte);
    }
    put_u8(out, '"');
}

static void
put_columns(struct buffer *out, struct slice columns)
{
    struct slice column;
    bool first = true;

    while (slice_next(&columns, ',', &column)) {
        put_text(out, first ? " (" : ", ");
        put_identifier(out, column);
        first = false;
    }
    if (!first)
        put_text(out, ")");
}

static bool
has_star(struct slice text)
{
    return slice_find(text, '*') < text.size;
}

/* --- rights ------------------------------------------------------------------------------- */

static const char *
privilege_of(struct slice action)
{
    static const char *const rows[][2] = {
        { "select", "SELECT" }, { "insert", "INSERT" },     { "update", "UPDATE" },
        { "delete", "DELETE" }, { "truncate", "TRUNCATE" }, { "call", "EXECUTE" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (slice_is(action, rows[i][0]))
            return rows[i][1];
    }
    return NULL;
}

static void
note(struct grants *grants, const struct right *right, const char *why)
{
    struct buffer text = { 0 };

    put_format(&text, "-- %.*s: %s", SLICE_PRINT(right->text), why);
    add_line(grants, &grants->notes, &text);
    buffer_free(&text);
}

static void
add_schema(struct grants *grants, struct slice schema)
{
    struct buffer text = { 0 };

    put_text(&text, "GRANT USAGE ON SCHEMA ");
    put_identifier(&text, schema);
    put_text(&text, " TO ");
    put_identifier(&text, grants->role);
    put_u8(&text, ';');
    add_line(grants, &grants->schemas, &text);
    buffer_free(&text);
}

/* Columns can be granted of what reads and writes them; DELETE and TRUNCATE have none. */
static bool
takes_columns(const char *privilege)
{
    return strcmp(privilege, "SELECT") == 0 || strcmp(privilege, "INSERT") == 0 ||
           strcmp(privilege, "UPDATE") == 0;
}

static void
add_grant(struct grants *grants, const struct right *right, const char *privilege)
{
    size_t dot = slice_find(right->object, '.');
    struct slice schema = slice_first(right->object, dot);
    struct slice name = slice_from(right->object, dot + 1);
    bool function = strcmp(privilege, "EXECUTE") == 0;
    struct buffer text = { 0 };

    if (dot == right->object.size || has_star(schema) || (has_star(name) && !slice_is(name, "*"))) {
        note(grants, right, "a pattern that GRANT has no word for: grant by hand what it means");
        return;
    }
    if (function && slice_is(schema, "pg_catalog")) {
        note(grants, right, "PostgreSQL's own: everybody has most of them");
        return;
    }
    put_format(&text, "GRANT %s", privilege);
    if (takes_columns(privilege))
        put_columns(&text, right->columns);
    if (slice_is(name, "*")) {
        put_text(&text, function ? " ON ALL ROUTINES IN SCHEMA " : " ON ALL TABLES IN SCHEMA ");
        put_identifier(&text, schema);
    } else {
        put_text(&text, function ? " ON ROUTINE " : " ON ");
        put_identifier(&text, schema);
        put_u8(&text, '.');
        put_identifier(&text, name);
    }
    put_text(&text, " TO ");
    put_identifier(&text, grants->role);
    put_u8(&text, ';');
    add_line(grants, &grants->grants, &text);
    add_schema(grants, schema);
    buffer_free(&text);
}

static void
add_right(struct grants *grants, const struct right *right)
{
    static const char *const all[] = { "SELECT", "INSERT", "UPDATE", "DELETE" };
    struct slice rest = right->actions, action;

    while (slice_next(&rest, '|', &action)) {
        const char *privilege = privilege_of(action);

        if (slice_is(action, "*")) {
            for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
                add_grant(grants, right, all[i]);
        } else if (privilege != NULL) {
            add_grant(grants, right, privilege);
        } else {
            note(grants, right, "no privilege of a table: grant by hand what it means");
        }
    }
}

/* A right, or an object with one. */
static void
read_rule(struct grants *grants, const json_t *rule)
{
    const char *text = json_is_object(rule) ? json_string_value(json_object_get(rule, "right"))
                                            : json_string_value(rule);
    char *resource;
    struct right right;

    if (text == NULL || right_parse(slice_text(text), &right, NULL) != STATUS_OK)
        return;
    resource = slice_strdup(right.resource);
    if (resource != NULL && fnmatch(resource, grants->upstream.at, 0) == 0)
        add_right(grants, &right);
    free(resource);
}

static void
read_roles(struct grants *grants, const json_t *roles)
{
    const json_t *role, *rule;
    size_t i, n;

    json_array_foreach(roles, i, role)
    {
        json_array_foreach(json_object_get(role, "allow"), n, rule) read_rule(grants, rule);
        if (json_array_size(json_object_get(role, "deny")) > 0)
            printf("-- role %s denies too: the gateway alone holds that\n",
                   json_string_value(json_object_get(role, "name")));
    }
}

/* --- the command ---------------------------------------------------------------------------- */

static int
ask_roles(struct cli *cli, struct grants *grants)
{
    char *cursor = NULL;
    int status;

    do {
        struct buffer path = { 0 };
        json_t *page = NULL;

        put_text(&path, "/v1/roles");
        put_query(&path, "cursor", cursor);
        put_u8(&path, 0);
        status = cli_ask(cli, "GET", path.bytes, NULL, &page);
        buffer_free(&path);
        free(cursor);
        cursor = NULL;
        if (status == EXIT_DONE) {
            const char *next = json_string_value(json_object_get(page, "next"));
            read_roles(grants, json_object_get(page, "items"));
            cursor = next == NULL ? NULL : strdup(next);
        }
        json_decref(page);
    } while (status == EXIT_DONE && cursor != NULL);
    return status;
}

static void
print_all(struct grants *grants)
{
    printf("-- What tokens may do at %s through the gateway, and no more, for its role there.\n"
           "-- As the owner of the tables; what the role has besides, it should lose:\n",
           grants->upstream.at);
    printf("--   REVOKE ALL ON ALL TABLES IN SCHEMA … FROM …; REVOKE CREATE ON SCHEMA … FROM …;\n");
    print_lines(&grants->schemas);
    print_lines(&grants->grants);
    print_lines(&grants->notes);
}

int
grants_print(struct cli *cli, const char *upstream)
{
    struct grants grants = { .upstream = slice_text(upstream) };
    struct buffer path = { 0 };
    json_t *definition = NULL;

    put_path(&path, "/v1/upstreams/", upstream);
    put_u8(&path, 0);
    int status = cli_ask(cli, "GET", path.bytes, NULL, &definition);
    buffer_free(&path);
    const char *user =
        json_string_value(json_object_get(json_object_get(definition, "login"), "user"));
    if (status == EXIT_DONE && user == NULL) {
        fprintf(stderr, "writ: %s names no role that the gateway logs in as (login.user)\n",
                upstream);
        status = EXIT_REFUSED;
    }
    grants.role = slice_text(user);
    if (status == EXIT_DONE)
        status = ask_roles(cli, &grants);
    if (status == EXIT_DONE && grants.full) {
        fprintf(stderr, "writ: out of memory\n");
        status = EXIT_REFUSED;
    }
    if (status == EXIT_DONE)
        print_all(&grants);
    free_lines(&grants.schemas);
    free_lines(&grants.grants);
    free_lines(&grants.notes);
    json_decref(definition);
    return status;
}

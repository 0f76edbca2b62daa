/* gateway/postgres/names.c - keeps track of what names stand for. */
#include "names.h"

#include <stdlib.h>

static void
list_clear(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct name_list){ 0 };
}

static bool
list_has(const struct name_list *list, struct slice name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (slice_is(name, list->items[i]))
            return true;
    }
    return false;
}

static enum status
list_add(struct name_list *list, struct slice name, size_t most)
{
    char **items;

    if (list_has(list, name))
        return STATUS_OK;
    if (list->count == most)
        return STATUS_LIMIT;
    items = realloc(list->items, (list->count + 1) * sizeof(*items));
    if (items == NULL)
        return STATUS_MEMORY;
    list->items = items;
    items[list->count] = slice_strdup(name);
    if (items[list->count] == NULL)
        return STATUS_MEMORY;
    list->count++;
    return STATUS_OK;
}

enum status
pg_names_add_schemas(struct pg_names *names, const struct slice *schemas, size_t count)
{
    enum status status = STATUS_OK;

    names->version++;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = list_add(&names->schemas, schemas[i], NAMES_SCHEMAS_MOST);
    return status;
}

enum status
pg_names_set_schemas(struct pg_names *names, const struct slice *schemas, size_t count)
{
    struct name_list old = names->schemas;

    names->schemas = (struct name_list){ 0 };
    enum status status = pg_names_add_schemas(names, schemas, count);
    if (status != STATUS_OK) {
        list_clear(&names->schemas);
        names->schemas = old;
        return status;
    }
    list_clear(&old);
    return STATUS_OK;
}

enum status
pg_names_add_temporary(struct pg_names *names, struct slice name)
{
    names->version++;
    return list_add(&names->temporary, name, NAMES_TEMPORARY_MOST);
}

/* One identifier, as quote_ident writes it. */
static bool
next_identifier(struct slice *rest, struct buffer *out)
{
    size_t at = 0;

    buffer_clear(out);
    if (rest->size > 0 && rest->at[0] == '"') {
        for (at = 1;; at++) {
            if (at == rest->size)
                return false;
            if (rest->at[at] == '"' && (at + 1 == rest->size || rest->at[at + 1] != '"'))
                break;
            at += rest->at[at] == '"';
            put_u8(out, (uint8_t)rest->at[at]);
        }
        at++;
    } else {
        at = slice_find(*rest, ',');
        put_slice(out, slice_first(*rest, at));
    }
    *rest = slice_from(*rest, at);
    return out->size > 0;
}

enum status
pg_names_read_path(struct pg_names *names, struct slice path)
{
    struct buffer name = BUFFER_LIMITED(1024);
    enum status status = STATUS_OK;

    names->version++;
    list_clear(&names->initial);
    while (path.size > 0 && status == STATUS_OK) {
        if (!next_identifier(&path, &name))
            status = STATUS_INVALID;
        else
            status = list_add(&names->initial, buffer_slice(&name), NAMES_SCHEMAS_MOST);
        if (path.size > 0)
            path = slice_trim(slice_from(path, 1)); /* the comma */
    }
    if (status == STATUS_OK)
        status = buffer_status(&name);
    buffer_free(&name);
    return status == STATUS_OK ? pg_names_set_initial(names) : status;
}

enum status
pg_names_begin(struct pg_names *names, struct slice path)
{
    pg_names_free(names);
    return pg_names_read_path(names, path);
}

enum status
pg_names_add_initial(struct pg_names *names)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < names->initial.count && status == STATUS_OK; i++)
        status = list_add(&names->schemas, slice_text(names->initial.items[i]), NAMES_SCHEMAS_MOST);
    return status;
}

enum status
pg_names_set_initial(struct pg_names *names)
{
    list_clear(&names->schemas);
    names->version++;
    return pg_names_add_initial(names);
}

void
pg_names_put_path(const struct pg_names *names, struct buffer *out)
{
    if (names->initial.count == 0)
        put_text(out, "''");
    for (size_t i = 0; i < names->initial.count; i++) {
        put_text(out, i == 0 ? "\"" : ", \"");
        for (const char *at = names->initial.items[i]; *at != '\0'; at++) {
            if (*at == '"')
                put_u8(out, '"');
            put_u8(out, (uint8_t)*at);
        }
        put_u8(out, '"');
    }
}

void
pg_names_free(struct pg_names *names)
{
    list_clear(&names->schemas);
    list_clear(&names->temporary);
    list_clear(&names->initial);
}

static struct slice *
slices_of(const struct name_list *list, struct arena *arena)
{
    struct slice *slices = arena_take(arena, (list->count + 1) * sizeof(*slices));

    for (size_t i = 0; i < list->count && slices != NULL; i++)
        slices[i] = slice_text(list->items[i]);
    return slices;
}

enum status
pg_names_view(const struct pg_names *names, struct arena *arena, struct sql_names *out)
{
    struct slice *schemas = slices_of(&names->schemas, arena);
    struct slice *temporary = slices_of(&names->temporary, arena);

    if (schemas == NULL || temporary == NULL)
        return STATUS_MEMORY;
    *out = (struct sql_names){
        .schemas = schemas,
        .schema_count = names->schemas.count,
        .temporary = temporary,
        .temporary_count = names->temporary.count,
        .user = names->user,
        .database = names->database,
    };
    return STATUS_OK;
}

static void
put_list(const struct name_list *list, struct buffer *out)
{
    for (size_t i = 0; i < list->count; i++)
        put_slice16(out, slice_text(list->items[i]));
    put_be16(out, 0);
}

void
pg_names_put_key(const struct pg_names *names, struct buffer *out)
{
    put_list(&names->schemas, out);
    put_list(&names->temporary, out);
    put_slice16(out, names->user);
    put_slice16(out, names->database);
}

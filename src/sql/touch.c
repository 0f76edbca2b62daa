/* sql/touch.c - names, and everything that they may stand for. */
#include "reader.h"

#include <stdlib.h>

/* --- writing objects -------------------------------------------------------------- */

static bool
is_plain(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("-_~/:@!$&'+=#", byte) != NULL);
}

/* As rights write it; a dot within a name separates nothing. */
static char *
write_name(char *at, const char *name)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *name != '\0'; name++) {
        if (is_plain(*name)) {
            *at++ = *name;
        } else {
            *at++ = '%';
            *at++ = digits[(uint8_t)*name >> 4];
            *at++ = digits[(uint8_t)*name & 15];
        }
    }
    return at;
}

static struct slice
object_of(struct reading *reading, const char *schema, const char *name)
{
    char *text = sql_take(reading, 3 * (strlen(schema) + strlen(name)) + 2);

    if (text == NULL)
        return (struct slice){ 0 };
    char *at = write_name(text, schema);
    *at++ = '.';
    at = write_name(at, name);
    return slice_of(text, (size_t)(at - text));
}

/* --- touches ------------------------------------------------------------------------- */

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "a,b", sorted. A name that can't stand in a list of columns makes it unknown: all. */
static bool
write_columns(struct reading *reading, const struct columns *columns, struct slice *out)
{
    size_t count = 0, size = 0;

    *out = (struct slice){ 0 };
    if (columns == NULL || columns->all || columns->first == NULL)
        return true;
    for (const struct column *at = columns->first; at != NULL; at = at->next) {
        count++;
        size += 3 * strlen(at->name) + 1;
    }
    const char **names = sql_take(reading, count * sizeof(*names));
    char *text = sql_take(reading, size);
    if (names == NULL || text == NULL)
        return false;
    count = 0;
    for (const struct column *at = columns->first; at != NULL; at = at->next)
        names[count++] = at->name;
    qsort(names, count, sizeof(*names), by_text);
    char *end = text;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *end++ = ',';
        end = write_name(end, names[i]);
    }
    *out = slice_of(text, (size_t)(end - text));
    return true;
}

/* The same object again: more of its columns. */
static bool
widen(struct reading *reading, struct sql_touch *touch, struct slice columns)
{
    struct slice rest = touch->columns, part, more = columns, other;
    struct columns all = { 0 };

    if (touch->columns.size == 0 || columns.size == 0) {
        touch->columns = (struct slice){ 0 };
        return true;
    }
    while (slice_next(&rest, ',', &part)) {
        struct slice name = arena_copy(reading->arena, part);
        if (name.at == NULL || !columns_add(reading, &all, name.at))
            return sql_out_of_room(reading);
    }
    while (slice_next(&more, ',', &other)) {
        struct slice name = arena_copy(reading->arena, other);
        if (name.at == NULL || !columns_add(reading, &all, name.at))
            return sql_out_of_room(reading);
    }
    size_t count = 0, size = touch->columns.size + columns.size + 1;
    for (const struct column *at = all.first; at != NULL; at = at->next)
        count++;
    const char **names = sql_take(reading, count * sizeof(*names));
    char *text = sql_take(reading, size), *end = text;
    if (names == NULL || text == NULL)
        return false;
    count = 0;
    for (const struct column *at = all.first; at != NULL; at = at->next)
        names[count++] = at->name;
    qsort(names, count, sizeof(*names), by_text);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *end++ = ',';
        memcpy(end, names[i], strlen(names[i]));
        end += strlen(names[i]);
    }
    touch->columns = slice_of(text, (size_t)(end - text));
    return true;
}

static bool
touch_add(struct reading *reading, const char *action, struct slice object, struct slice columns)
{
    if (object.at == NULL)
        return false;
    for (size_t i = 0; i < reading->touch_count; i++) {
        struct sql_touch *touch = &reading->touches[i];
        if (slice_is(touch->action, action) && slice_equal(touch->object, object))
            return widen(reading, touch, columns);
    }
    if (reading->touch_count == SQL_TOUCHES_MAX)
        return sql_refuse(reading, "54001", "the statement touches more than %d things",
                          SQL_TOUCHES_MAX);
    reading->touches[reading->touch_count++] =
        (struct sql_touch){ .action = slice_text(action), .object = object, .columns = columns };
    return true;
}

bool
touch_plain(struct reading *reading, const char *action, const char *object)
{
    char *text = sql_take(reading, 3 * strlen(object) + 1);

    if (text == NULL)
        return false;
    char *end = write_name(text, object);
    return touch_add(reading, action, slice_of(text, (size_t)(end - text)), (struct slice){ 0 });
}

/* --- what a name may stand for ---------------------------------------------------------- */

static bool
is_temporary_schema(const char *schema)
{
    return strcmp(schema, "pg_temp") == 0 || strncmp(schema, "pg_temp_", 8) == 0;
}

/* Everybody may read and call it: tools live on it. */
static bool
is_free_catalog(const char *action, const char *schema, const char *name)
{
    bool own = strcmp(schema, "pg_catalog") == 0;

    if (strcmp(action, "call") == 0)
        return own ? function_known(name) == KNOWN_FREE
                   : strcmp(schema, "information_schema") == 0 && information_function_known(name);
    if (strcmp(action, "select") != 0)
        return false;
    if (own)
        return relation_known(name) == KNOWN_FREE;
    return strcmp(schema, "information_schema") == 0 && information_known(name) == KNOWN_FREE;
}

struct naming {
    const char *action, *schema, *name;
    const struct columns *columns;
};

static bool
touch_in(struct reading *reading, const struct naming *naming, const char *schema)
{
    struct slice columns;

    if (is_free_catalog(naming->action, schema, naming->name))
        return true;
    return write_columns(reading, naming->columns, &columns) &&
           touch_add(
               reading, naming->action,
               object_of(reading, is_temporary_schema(schema) ? "pg_temp" : schema, naming->name),
               columns);
}

static bool
names_pg_catalog(const struct sql_names *names)
{
    for (size_t i = 0; i < names->schema_count; i++) {
        if (slice_is(names->schemas[i], "pg_catalog"))
            return true;
    }
    return false;
}

static bool
touch_path(struct reading *reading, const struct naming *naming)
{
    const struct sql_names *names = reading->names;

    if (names->schema_count == 0)
        return sql_refuse(reading, "3F000",
                          "\"%s\" has no schema, and the search_path is empty: write schema.name",
                          naming->name);
    for (size_t i = 0; i < names->schema_count; i++) {
        struct slice schema = arena_copy(reading->arena, names->schemas[i]);
        if (schema.at == NULL)
            return sql_out_of_room(reading);
        if (!touch_in(reading, naming, schema.at))
            return false;
    }
    return true;
}

static bool
was_temporary(const struct reading *reading, const char *name)
{
    for (size_t i = 0; i < reading->names->temporary_count; i++) {
        if (slice_is(reading->names->temporary[i], name))
            return true;
    }
    for (size_t i = 0; i < reading->temporary_count; i++) {
        if (slice_is(reading->temporary[i], name))
            return true;
    }
    return false;
}

/* All that a relation's name may stand for must be allowed: which of it is there is the
 * server's knowledge. pg_catalog comes before the path unless the path names it. */
static bool
touch_relation(struct reading *reading, const struct naming *naming)
{
    enum known known = relation_known(naming->name);
    bool hidden = was_temporary(reading, naming->name);

    if (naming->schema != NULL)
        return touch_in(reading, naming, naming->schema);
    if (hidden && !touch_in(reading, naming, "pg_temp"))
        return false;
    if (known != KNOWN_NOT && !touch_in(reading, naming, "pg_catalog"))
        return false;
    if (known != KNOWN_NOT && !names_pg_catalog(reading->names))
        return true;
    if (known == KNOWN_NOT && strncmp(naming->name, "pg_", 3) == 0 &&
        !touch_in(reading, naming, "pg_catalog"))
        return false;
    return touch_path(reading, naming);
}

bool
touch_name(struct reading *reading, const char *action, const char *schema, const char *name)
{
    const struct naming naming = { .action = action, .schema = schema, .name = name };

    return touch_relation(reading, &naming);
}

/* [database.][schema.]name */
struct parts {
    const char *schema, *name;
};

static bool
read_parts(struct reading *reading, const List *names, struct parts *out)
{
    int count = list_length(names);

    for (int i = 0; i < count; i++) {
        if (!IsA(list_nth(names, i), String))
            return sql_refuse_unknown(reading, "a name that is none");
    }
    if (count == 3 && !slice_is(reading->names->database, strVal(linitial(names))))
        return sql_refuse(reading, "0A000", "another database can't be named");
    if (count < 1 || count > 3)
        return sql_refuse_unknown(reading, "a name with so many parts");
    out->name = strVal(llast(names));
    out->schema = count > 1 ? strVal(list_nth(names, count - 2)) : NULL;
    return true;
}

bool
touch_list(struct reading *reading, const char *action, const List *names)
{
    struct parts parts;

    return read_parts(reading, names, &parts) &&
           touch_name(reading, action, parts.schema, parts.name);
}

/* Functions of pg_catalog come before others of the same arguments. */
static bool
touch_call(struct reading *reading, const struct naming *naming)
{
    enum known known = function_known(naming->name);

    lasts_call(reading, naming->schema, naming->name);
    if (naming->schema != NULL)
        return touch_in(reading, naming, naming->schema);
    if (known == KNOWN_GUARDED && !touch_in(reading, naming, "pg_catalog"))
        return false;
    if (known != KNOWN_NOT && !names_pg_catalog(reading->names))
        return true;
    if (known == KNOWN_NOT && strncmp(naming->name, "pg_", 3) == 0 &&
        !touch_in(reading, naming, "pg_catalog"))
        return false;
    return touch_path(reading, naming);
}

bool
touch_function(struct reading *reading, const List *names)
{
    struct parts parts;

    if (!read_parts(reading, names, &parts))
        return false;
    return touch_call(
        reading, &(struct naming){ .action = "call", .schema = parts.schema, .name = parts.name });
}

/* With an empty search_path there are no functions but those of pg_catalog. The fields of
 * _pg_expandarray, x and n, are in the queries of every JDBC driver. */
bool
touch_attribute(struct reading *reading, const char *name)
{
    if ((reading->names->schema_count == 0 && function_known(name) == KNOWN_NOT) ||
        strcmp(name, "x") == 0 || strcmp(name, "n") == 0)
        return true;
    return touch_call(reading, &(struct naming){ .action = "call", .name = name });
}

const char *
catalog_function(const struct reading *reading, const List *names)
{
    int count = list_length(names);
    const char *name, *schema;

    for (int i = 0; i < count; i++) {
        if (!IsA(list_nth(names, i), String))
            return NULL;
    }
    name = strVal(llast(names));
    schema = count > 1 ? strVal(list_nth(names, count - 2)) : NULL;
    if (schema == NULL)
        return function_known(name) != KNOWN_NOT && !names_pg_catalog(reading->names) ? name : NULL;
    return (strcmp(schema, "pg_catalog") == 0 && function_known(name) != KNOWN_NOT) ||
                   (strcmp(schema, "information_schema") == 0 && information_function_known(name))
               ? name
               : NULL;
}

/* --- sources ------------------------------------------------------------------------------- */

bool
columns_add(struct reading *reading, struct columns *columns, const char *name)
{
    for (const struct column *at = columns->first; at != NULL; at = at->next) {
        if (strcmp(at->name, name) == 0)
            return true;
    }
    struct column *column = sql_take(reading, sizeof(*column));
    if (column == NULL)
        return false;
    column->name = name;
    column->next = columns->first;
    columns->first = column;
    return true;
}

bool
is_temporary(const RangeVar *relation)
{
    return relation->relpersistence == RELPERSISTENCE_TEMP ||
           (relation->schemaname != NULL && is_temporary_schema(relation->schemaname));
}

struct source *
source_add(struct reading *reading, const RangeVar *relation, const char *action)
{
    struct source *source = sql_take(reading, sizeof(*source));

    if (source == NULL)
        return NULL;
    if (relation->catalogname != NULL &&
        !slice_is(reading->names->database, relation->catalogname)) {
        (void)sql_refuse(reading, "0A000", "another database can't be named");
        return NULL;
    }
    source->schema = is_temporary(relation) ? "pg_temp" : relation->schemaname;
    source->name = relation->relname;
    source->action = action;
    *reading->last_source = source;
    reading->last_source = &source->next;
    return source;
}

bool
temporary_add(struct reading *reading, const RangeVar *relation)
{
    struct slice *longer;

    if (!is_temporary(relation))
        return true;
    longer = sql_take(reading, (reading->temporary_count + 1) * sizeof(*longer));
    if (longer == NULL)
        return false;
    if (reading->temporary_count > 0)
        memcpy(longer, reading->temporary, reading->temporary_count * sizeof(*longer));
    longer[reading->temporary_count] = arena_copy(reading->arena, slice_text(relation->relname));
    if (longer[reading->temporary_count].at == NULL)
        return sql_out_of_room(reading);
    reading->temporary = longer;
    reading->temporary_count++;
    return true;
}

bool
sources_resolve(struct reading *reading)
{
    for (const struct source *at = reading->sources; at != NULL; at = at->next) {
        const struct naming naming = {
            .action = at->action, .schema = at->schema, .name = at->name, .columns = &at->columns
        };
        if (at->touched && !touch_relation(reading, &naming))
            return false;
    }
    return true;
}

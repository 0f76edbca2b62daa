/* sql/lasting.c - what a statement leaves in its session beyond its transaction: what it is
 * meant to leave, and what it may. */
#include "reader.h"

#include <stdlib.h>
#include <strings.h>

/* The first thing counts: it is the one that is told. */
void
lasts(struct reading *reading, const struct sql_lasting *lasting)
{
    if (reading->statement->lasting == NULL)
        reading->statement->lasting = lasting;
}

/* The seed of random() is no setting that a transaction's end would put back. */
void
lasts_setting(struct reading *reading, bool local, const char *name)
{
    static const struct sql_lasting setting = {
        "a setting of the session",
        "SET LOCAL in a transaction, set_config(name, value, true), or the log-in's own parameters"
    };
    static const struct sql_lasting seed = { "the seed of random()", NULL };

    if (strcasecmp(name, "seed") == 0)
        lasts(reading, &seed);
    else if (!local)
        lasts(reading, &setting);
}

/* Each name of a search_path is quoted, as the server itself writes it. */
static bool
put_value(struct buffer *out, const Node *node, bool quoted)
{
    const A_Const *value = (const A_Const *)node;

    if (!IsA(value, A_Const) || value->isnull)
        return false;
    switch (nodeTag(&value->val.node)) {
    case T_Integer:
        if (value->val.ival.ival < 0)
            put_u8(out, '-');
        put_decimal(out, (uint64_t)llabs(value->val.ival.ival));
        return true;
    case T_Float:
        put_text(out, value->val.fval.fval);
        return true;
    case T_String:
        break;
    default:
        return false;
    }
    if (quoted)
        put_u8(out, '"');
    for (const char *at = value->val.sval.sval; *at != '\0'; at++) {
        if (quoted && *at == '"')
            put_u8(out, '"');
        put_u8(out, (uint8_t)*at);
    }
    if (quoted)
        put_u8(out, '"');
    return true;
}

static struct slice
lower_copy(struct reading *reading, const char *name)
{
    size_t size = strlen(name);
    char *text = arena_take(reading->arena, size + 1);

    for (size_t i = 0; i < size && text != NULL; i++)
        text[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
    return slice_of(text, text == NULL ? 0 : size);
}

bool
keep_setting(struct reading *reading, const char *name, const List *values)
{
    struct sql_statement *statement = reading->statement;
    struct buffer text = { 0 };
    bool known = values != NIL;

    statement->setting = lower_copy(reading, name);
    for (int i = 0; i < list_length(values) && known; i++) {
        if (i > 0)
            put_text(&text, ", ");
        known = put_value(&text, list_nth(values, i), strcasecmp(name, "search_path") == 0);
    }
    if (known)
        statement->value = arena_copy(reading->arena, buffer_slice(&text));
    bool good = buffer_status(&text) == STATUS_OK && statement->setting.at != NULL &&
                (!known || statement->value.at != NULL);
    buffer_free(&text);
    return good || sql_out_of_room(reading);
}

/* --- functions --------------------------------------------------------------------------- */

void
lasts_call(struct reading *reading, const char *schema, const char *function)
{
    static const struct sql_lasting lock = { "an advisory lock of the session",
                                             "pg_advisory_xact_lock and its kin" };
    static const struct sql_lasting seed = { "the seed of random()", NULL };
    static const struct sql_lasting connection = {
        "a connection that stays open", "the functions of dblink that take a connection string"
    };
    static const struct {
        const char *name;
        const struct sql_lasting *lasting;
        bool anywhere; /* in any schema: an extension's */
    } functions[] = {
        { "pg_advisory_lock", &lock, false },
        { "pg_advisory_lock_shared", &lock, false },
        { "pg_try_advisory_lock", &lock, false },
        { "pg_try_advisory_lock_shared", &lock, false },
        { "setseed", &seed, false },
        { "dblink_connect", &connection, true },
        { "dblink_connect_u", &connection, true },
    };
    bool own = schema != NULL && strcmp(schema, "pg_catalog") != 0;

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (strcmp(functions[i].name, function) == 0 && (!own || functions[i].anywhere))
            lasts(reading, functions[i].lasting);
    }
}

/* Of pg_catalog's guarded functions those after which DISCARD ALL is enough. */
static bool
is_discarded(struct slice function)
{
    static const char *const names[] = {
        "currval",
        "lastval",
        "nextval",
        "setval",
        "pg_advisory_unlock",
        "pg_advisory_unlock_all",
        "pg_advisory_unlock_shared",
        "pg_advisory_xact_lock",
        "pg_advisory_xact_lock_shared",
        "pg_notify",
        "pg_sleep",
        "pg_sleep_for",
        "pg_sleep_until",
        "pg_try_advisory_xact_lock",
        "pg_try_advisory_xact_lock_shared",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_is(function, names[i]))
            return true;
    }
    return false;
}

static enum sql_trace
trace_of_call(struct slice object)
{
    const struct slice catalog = SLICE_LITERAL("pg_catalog.");
    struct slice name = slice_from(object, slice_find(object, '.') + 1);

    if (slice_starts(name, SLICE_LITERAL("dblink")))
        return SQL_TRACE_ANY;
    return !slice_starts(object, catalog) || is_discarded(name) ? SQL_TRACE_SESSION : SQL_TRACE_ANY;
}

/* --- the statement as a whole --------------------------------------------------------------- */

static enum sql_trace
trace_of_touch(const struct sql_touch *touch)
{
    static const char *const rows[] = { "insert", "update", "delete", "truncate" };

    if (slice_is(touch->action, "call"))
        return trace_of_call(touch->object);
    if (slice_is(touch->action, "do"))
        return SQL_TRACE_ANY;
    if (slice_is(touch->action, "ddl"))
        return SQL_TRACE_SESSION;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (slice_is(touch->action, rows[i]))
            return SQL_TRACE_ROWS;
    }
    return SQL_TRACE_NONE;
}

static enum sql_trace
trace_of_kind(enum sql_kind kind)
{
    switch (kind) {
    case SQL_RESET_PATH:
    case SQL_DISCARD:
    case SQL_DISCARD_ALL:
    case SQL_DEALLOCATE_ALL:
    case SQL_LISTEN:
    case SQL_CALL:
    case SQL_DDL:
        return SQL_TRACE_SESSION;
    case SQL_DO:
        return SQL_TRACE_ANY;
    default:
        return SQL_TRACE_NONE;
    }
}

/* Types and functions can be temporary as well: by the schema in their name. */
static bool
makes_by_name(const Node *node)
{
    switch (nodeTag(node)) {
    case T_CompositeTypeStmt:
    case T_CreateDomainStmt:
    case T_CreateEnumStmt:
    case T_CreateFunctionStmt:
    case T_CreateRangeStmt:
    case T_DefineStmt:
        return true;
    default:
        return false;
    }
}

static void
trace_temporary(struct reading *reading, const Node *node)
{
    static const struct sql_lasting table = { "a temporary table or view",
                                              "CREATE TEMPORARY TABLE … ON COMMIT DROP" };
    static const struct sql_lasting thing = { "a temporary object", NULL };

    if (reading->temporary_count > 0 && !reading->dropped)
        lasts(reading, &table);
    for (size_t i = 0; i < reading->touch_count && makes_by_name(node); i++) {
        if (slice_is(reading->touches[i].action, "ddl") &&
            slice_starts(reading->touches[i].object, SLICE_LITERAL("pg_temp.")))
            lasts(reading, &thing);
    }
}

void
trace_statement(struct reading *reading, const Node *node)
{
    struct sql_statement *statement = reading->statement;

    if (trace_of_kind(statement->kind) > statement->trace)
        statement->trace = trace_of_kind(statement->kind);
    for (size_t i = 0; i < reading->touch_count; i++) {
        enum sql_trace trace = trace_of_touch(&reading->touches[i]);
        if (trace > statement->trace)
            statement->trace = trace;
    }
    trace_temporary(reading, node);
}

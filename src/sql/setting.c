/* sql/setting.c - SET and its kin: what may be set freely, what needs a right, and what never
 * passes because the gateway reads statements by it. */
#include "reader.h"

#include <strings.h>

/* A cast to text changes nothing; others do, by cutting at least. */
static bool
is_text(const TypeName *type)
{
    return strcmp(strVal(llast(type->names)), "text") == 0 && type->typmods == NIL &&
           type->arrayBounds == NIL &&
           (list_length(type->names) == 1 ||
            strcmp(strVal(linitial(type->names)), "pg_catalog") == 0);
}

static const char *
constant_text(const Node *node)
{
    if (node != NULL && IsA(node, TypeCast) && is_text(((const TypeCast *)node)->typeName))
        node = ((const TypeCast *)node)->arg;
    if (node == NULL || !IsA(node, A_Const) || ((const A_Const *)node)->isnull ||
        nodeTag(&((const A_Const *)node)->val.node) != T_String)
        return NULL;
    return ((const A_Const *)node)->val.sval.sval;
}

/* false also for what is not certain. */
static bool
constant_true(const Node *node)
{
    if (node != NULL && IsA(node, TypeCast) && /* as the parser has it */
        strcmp(strVal(llast(((const TypeCast *)node)->typeName->names)), "bool") == 0)
        node = ((const TypeCast *)node)->arg;
    return node != NULL && IsA(node, A_Const) && !((const A_Const *)node)->isnull &&
           nodeTag(&((const A_Const *)node)->val.node) == T_Boolean &&
           ((const A_Const *)node)->val.boolval.boolval;
}

static bool
refuse_setting(struct reading *reading, const char *name)
{
    return sql_refuse(reading, "0A000",
                      "\"%.64s\" can't be set here: the gateway reads statements by it", name);
}

static bool
guard(struct reading *reading, const char *name)
{
    char lower[80];
    size_t size = strlen(name);

    if (size == 0 || size >= sizeof(lower))
        return sql_refuse(reading, "42704", "a setting has no such name");
    for (size_t i = 0; i <= size; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
    return touch_plain(reading, "set", lower);
}

/* UTF-8, or what is no encoding at all: then bytes are read as they are on both sides. */
static bool
check_encoding(struct reading *reading, const char *value)
{
    static const char *const sound[] = { "utf8", "utf-8", "unicode", "sql_ascii" };

    for (size_t i = 0; value != NULL && i < sizeof(sound) / sizeof(sound[0]); i++) {
        if (strcasecmp(sound[i], value) == 0)
            return true;
    }
    return sql_refuse(reading, "22023", "client_encoding must be UTF8: the gateway reads no other");
}

static bool
add_schema(struct reading *reading, const char *name)
{
    struct sql_statement *statement = reading->statement;
    struct slice *longer = sql_take(reading, (statement->path_count + 1) * sizeof(*longer));
    struct slice schema = slice_text(name);

    if (longer == NULL)
        return false;
    if (schema.size >= NAMEDATALEN) /* the server cuts it off */
        return sql_refuse(reading, "42622", "a schema's name in search_path is too long");
    if (strcmp(name, "$user") == 0)
        schema = reading->names->user;
    if (statement->path_count > 0)
        memcpy(longer, statement->path, statement->path_count * sizeof(*longer));
    longer[statement->path_count] = arena_copy(reading->arena, schema);
    if (longer[statement->path_count].at == NULL)
        return sql_out_of_room(reading);
    statement->path = longer;
    statement->path_count++;
    return true;
}

/* Who the session is says what "$user" is in the path; role NULL: not known. */
static bool
follow_role(struct reading *reading, const char *name, const char *role)
{
    const struct sql_names *names = reading->names;
    bool by_user = false;

    if (strcasecmp(name, "role") != 0 && strcasecmp(name, "session_authorization") != 0)
        return true;
    for (size_t i = 0; i < names->schema_count; i++)
        by_user |= slice_equal(names->schemas[i], names->user);
    if (!by_user)
        return true;
    if (role == NULL)
        return sql_refuse_unknown(reading, "such a change of the role");
    reading->statement->kind = SQL_SET_PATH;
    reading->statement->local = true;
    return add_schema(reading, role);
}

static bool
set_path(struct reading *reading, const List *values)
{
    reading->statement->kind = SQL_SET_PATH;
    for (int i = 0; i < list_length(values); i++) {
        const char *value = constant_text(list_nth(values, i));
        if (value == NULL)
            return sql_refuse_unknown(reading, "such a search_path");
        if (value[0] != '\0' && !add_schema(reading, value))
            return false;
    }
    return true;
}

/* --- set_config ---------------------------------------------------------------------------- */

static bool
is_plain(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '$';
}

/* "a, "B"": as PostgreSQL splits a search_path, of which only what is certain is taken. */
static bool
split_path(struct reading *reading, const char *text)
{
    char name[NAMEDATALEN * 4];

    while (*text != '\0') {
        size_t size = 0;
        bool quoted = *text == '"';

        text += quoted;
        while (*text != '\0' && size < sizeof(name) - 1 &&
               (quoted ? *text != '"' : *text != ',' && *text != ' ')) {
            char byte = *text++;
            if (!quoted && !is_plain(byte)) /* a blank of another kind would end the name */
                return sql_refuse_unknown(reading, "such a search_path");
            name[size++] = !quoted && byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
        }
        if (size == sizeof(name) - 1 || (quoted && *text++ != '"') || (quoted && *text == '"'))
            return sql_refuse_unknown(reading, "such a search_path");
        name[size] = '\0';
        if (size > 0 && !add_schema(reading, name))
            return false;
        while (*text == ' ')
            text++;
        if (*text != '\0' && *text++ != ',')
            return sql_refuse_unknown(reading, "such a search_path");
        while (*text == ' ')
            text++;
    }
    return true;
}

/* Not certain to happen, nor to last: the path may be this one from now on. */
bool
read_set_config(struct reading *reading, const FuncCall *call)
{
    const char *name = NULL, *value = NULL;

    reading->statement->by_value = true;
    if (list_length(call->args) == 3) {
        name = constant_text(linitial(call->args));
        value = constant_text(lsecond(call->args));
    }
    if (name == NULL || value == NULL)
        return sql_refuse(reading, "0A000", "set_config passes with literal texts alone");
    lasts_setting(reading, constant_true(lthird(call->args)), name);
    switch (setting_kind_of(name)) {
    case SETTING_FREE:
        return true;
    case SETTING_NEVER:
        return refuse_setting(reading, name);
    case SETTING_ENCODING:
        return check_encoding(reading, value);
    case SETTING_PATH:
        /* Prepared, explained or in a view it would happen when nobody looks. */
        if (!reading->plain_select)
            return sql_refuse_unknown(reading, "a change of search_path within a statement");
        reading->statement->kind = SQL_SET_PATH;
        reading->statement->local = true;
        return split_path(reading, value);
    case SETTING_GUARDED:
        break;
    }
    return guard(reading, name) && follow_role(reading, name, NULL);
}

/* --- SET ------------------------------------------------------------------------------------- */

static bool
set_value(struct reading *reading, const VariableSetStmt *statement)
{
    lasts_setting(reading, statement->is_local, statement->name);
    if (!statement->is_local && !keep_setting(reading, statement->name, statement->args))
        return false;
    switch (setting_kind_of(statement->name)) {
    case SETTING_FREE:
        return true;
    case SETTING_NEVER:
        return refuse_setting(reading, statement->name);
    case SETTING_ENCODING:
        return check_encoding(
            reading, statement->args == NIL ? NULL : constant_text(linitial(statement->args)));
    case SETTING_PATH:
        return set_path(reading, statement->args);
    case SETTING_GUARDED:
        break;
    }
    return guard(reading, statement->name) &&
           follow_role(reading, statement->name,
                       statement->args == NIL ? NULL : constant_text(linitial(statement->args)));
}

/* Back to what it was at the log-in. */
static bool
reset_value(struct reading *reading, const char *name)
{
    reading->statement->trace = SQL_TRACE_SESSION;
    if (!reading->statement->local && !keep_setting(reading, name, NIL))
        return false;
    switch (setting_kind_of(name)) {
    case SETTING_NEVER:
        return refuse_setting(reading, name);
    case SETTING_PATH:
        reading->statement->kind = SQL_RESET_PATH;
        return true;
    default:
        return true;
    }
}

bool
read_set(struct reading *reading, const VariableSetStmt *statement)
{
    reading->statement->kind = SQL_SET;
    reading->statement->local = statement->is_local;
    switch (statement->kind) {
    case VAR_SET_VALUE:
        return set_value(reading, statement);
    case VAR_SET_DEFAULT:
    case VAR_RESET:
        return reset_value(reading, statement->name);
    case VAR_RESET_ALL:
        reading->statement->kind = SQL_RESET_PATH;
        return true;
    case VAR_SET_MULTI:
        if (strcmp(statement->name, "TRANSACTION SNAPSHOT") == 0)
            return touch_plain(reading, "set", "transaction_snapshot");
        lasts_setting(reading, strcmp(statement->name, "TRANSACTION") == 0, statement->name);
        return true;
    case VAR_SET_CURRENT:
        break;
    }
    return sql_refuse_unknown(reading, "SET … FROM CURRENT");
}

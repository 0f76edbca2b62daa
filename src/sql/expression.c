/* sql/expression.c - expressions: whose columns they read, and which functions they call. */
#include "reader.h"

struct walk {
    struct reading *reading;
    struct scope *scope;
};

static bool
all_of(struct source *source)
{
    if (source == NULL)
        return true;
    source->touched = true;
    source->columns.all = true;
    return true;
}

static bool
column_of(struct reading *reading, struct source *source, const char *name)
{
    if (source == NULL)
        return true;
    source->touched = true;
    return columns_add(reading, &source->columns, name);
}

/* "*": all that this query has, not those around it. */
bool
attribute_all(struct reading *reading, struct scope *scope)
{
    for (struct range *at = scope->ranges; at != NULL; at = at->next)
        (void)all_of(at->source);
    return true;
}

/* A bare name is a column of any relation in sight, or a relation itself as a row. */
static bool
attribute_name(struct reading *reading, struct scope *scope, const char *name)
{
    for (; scope != NULL; scope = scope->outer) {
        for (struct range *at = scope->ranges; at != NULL; at = at->next) {
            if (at->source != NULL && !column_of(reading, at->source, name))
                return false;
            if (strcmp(at->alias, name) == 0)
                (void)all_of(at->source);
        }
    }
    return true;
}

static bool
is_in(const List *names, const char *name)
{
    for (int i = 0; i < list_length(names); i++) {
        const Node *at = list_nth(names, i);
        const char *text = IsA(at, String)      ? ((const String *)at)->sval
                           : IsA(at, ColumnDef) ? ((const ColumnDef *)at)->colname
                                                : "";
        if (strcmp(text, name) == 0)
            return true;
    }
    return false;
}

/* Is it certainly a column of the functions in FROM? What is none is a call: x.f is f(x). */
static bool
is_function_column(const struct reading *reading, const struct range *range, const char *column)
{
    const RangeFunction *item = range->function;
    bool named = item->alias != NULL && item->alias->colnames != NIL;
    const List *first = linitial(item->functions);

    if ((named && is_in(item->alias->colnames, column)) || is_in(item->coldeflist, column) ||
        (item->ordinality && strcmp(column, "ordinality") == 0))
        return true;
    for (int i = 0; i < list_length(item->functions); i++) {
        const List *pair = list_nth(item->functions, i);
        const FuncCall *call = linitial(pair);
        const char *name = IsA(call, FuncCall) ? catalog_function(reading, call->funcname) : NULL;
        if (is_in(lsecond(pair), column) || (name != NULL && function_has_output(name, column)))
            return true;
    }
    /* The one column of a plain function has the name of the whole. */
    const FuncCall *only = linitial(first);
    const char *name = IsA(only, FuncCall) ? catalog_function(reading, only->funcname) : NULL;
    return !named && list_length(item->functions) == 1 && name != NULL &&
           !function_has_outputs(name) && strcmp(range->alias, column) == 0;
}

/* Functions in FROM without a name may be what an unknown one leads to. */
static bool
has_nameless_function(const struct scope *scope)
{
    for (; scope != NULL; scope = scope->outer) {
        for (const struct range *at = scope->ranges; at != NULL; at = at->next) {
            if (at->function != NULL && at->alias[0] == '\0')
                return true;
        }
    }
    return false;
}

/* alias.name or alias.*; column NULL: all. The nearest query that has the alias has it. An
 * alias that nobody has may be a column of a row type. */
static bool
attribute_qualified(struct reading *reading, struct scope *scope, const char *alias,
                    const char *column)
{
    bool found = false;

    for (struct scope *in = scope; in != NULL && !found; in = in->outer) {
        for (struct range *at = in->ranges; at != NULL; at = at->next) {
            if (strcmp(at->alias, alias) != 0)
                continue;
            found = true;
            if (column == NULL)
                (void)all_of(at->source);
            else if (!column_of(reading, at->source, column) ||
                     (at->function != NULL && !is_function_column(reading, at, column) &&
                      !touch_attribute(reading, column)))
                return false;
        }
    }
    if (!found && column != NULL && has_nameless_function(scope) &&
        !touch_attribute(reading, column))
        return false;
    return found || attribute_name(reading, scope, alias);
}

static bool
read_column(struct reading *reading, const ColumnRef *reference, struct scope *scope)
{
    int count = list_length(reference->fields);
    Node *last = llast(reference->fields);
    const char *column = IsA(last, A_Star) ? NULL : strVal(last);

    for (int i = 0; i < count - 1; i++) {
        if (!IsA(list_nth(reference->fields, i), String))
            return sql_refuse_unknown(reading, "such a column reference");
    }
    if (!IsA(last, A_Star) && !IsA(last, String))
        return sql_refuse_unknown(reading, "such a column reference");
    if (count == 1)
        return column == NULL ? attribute_all(reading, scope)
                              : attribute_name(reading, scope, column);
    /* A schema before the relation's name makes it no other relation of this query. */
    return attribute_qualified(reading, scope, strVal(list_nth(reference->fields, count - 2)),
                               column);
}

static bool
is_set_config(const List *names)
{
    int count = list_length(names);

    return strcmp(strVal(llast(names)), "set_config") == 0 &&
           (count == 1 || strcmp(strVal(list_nth(names, count - 2)), "pg_catalog") == 0);
}

static bool walk_children(struct walk *walk, Node *node);

static bool
read_call(struct walk *walk, FuncCall *call)
{
    for (int i = 0; i < list_length(call->funcname); i++) {
        if (!IsA(list_nth(call->funcname, i), String))
            return sql_refuse_unknown(walk->reading, "such a function");
    }
    /* Where the path names pg_catalog, another function of that name may come before it. */
    bool known =
        !is_set_config(call->funcname) || catalog_function(walk->reading, call->funcname) == NULL
            ? touch_function(walk->reading, call->funcname)
            : true;
    return known && (!is_set_config(call->funcname) || read_set_config(walk->reading, call)) &&
           walk_children(walk, (Node *)call);
}

/* (x).name: a field of x, or a function of it, whatever x is. */
static bool
read_indirection(struct walk *walk, A_Indirection *indirection)
{
    const FuncCall *call = (const FuncCall *)indirection->arg;
    const char *function =
        IsA(call, FuncCall) ? catalog_function(walk->reading, call->funcname) : NULL;

    for (int i = 0; i < list_length(indirection->indirection); i++) {
        Node *step = list_nth(indirection->indirection, i);
        if (!IsA(step, String) ||
            (i == 0 && function != NULL && function_has_output(function, strVal(step))))
            continue;
        if (!touch_attribute(walk->reading, strVal(step)))
            return false;
    }
    return walk_children(walk, (Node *)indirection);
}

/* The walker of PostgreSQL stops at true. */
static bool
visit(Node *node, void *context)
{
    struct walk *walk = context;
    struct reading *reading = walk->reading;
    bool good;

    if (node == NULL)
        return false;
    if (!sql_enter(reading))
        return true;
    switch (nodeTag(node)) {
    case T_ColumnRef:
        good = read_column(reading, (ColumnRef *)node, walk->scope);
        break;
    case T_FuncCall:
        good = read_call(walk, (FuncCall *)node);
        break;
    case T_A_Indirection:
        good = read_indirection(walk, (A_Indirection *)node);
        break;
    case T_SubLink:
        good = read_expression(reading, ((SubLink *)node)->testexpr, walk->scope) &&
               read_query(reading, ((SubLink *)node)->subselect, walk->scope);
        break;
    case T_List:
    case T_A_Expr:
    case T_A_Indices:
    case T_A_ArrayExpr:
    case T_BoolExpr:
    case T_BooleanTest:
    case T_CaseExpr:
    case T_CoalesceExpr:
    case T_CollateClause:
    case T_GroupingFunc:
    case T_GroupingSet:
    case T_MinMaxExpr:
    case T_MultiAssignRef:
    case T_NamedArgExpr:
    case T_NullTest:
    case T_ResTarget:
    case T_RowExpr:
    case T_SortBy:
    case T_TypeCast:
    case T_TypeName:
    case T_WindowDef:
    case T_XmlExpr:
    case T_XmlSerialize:
        good = walk_children(walk, node);
        break;
    case T_A_Const:
    case T_A_Star:
    case T_BitString:
    case T_Boolean:
    case T_CurrentOfExpr:
    case T_Float:
    case T_Integer:
    case T_ParamRef:
    case T_SetToDefault:
    case T_SQLValueFunction:
    case T_String:
        good = true;
        break;
    default:
        good = sql_refuse_unknown(reading, "an expression of this kind");
        break;
    }
    sql_leave(reading);
    return !good;
}

static bool
walk_children(struct walk *walk, Node *node)
{
    return !raw_expression_tree_walker(node, visit, walk);
}

bool
read_expression(struct reading *reading, Node *node, struct scope *scope)
{
    struct walk walk = { .reading = reading, .scope = scope };

    return !visit(node, &walk);
}

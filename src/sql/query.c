/* sql/query.c - queries, and what they read and write: each relation in the scope in which it
 * is named (CTE names hide relations only where they are in force). */
#include "reader.h"

/* --- FROM --------------------------------------------------------------------------------- */

static struct range *
add_range(struct reading *reading, struct scope *scope, const char *alias, struct source *source)
{
    struct range *range = sql_take(reading, sizeof(*range));

    if (range == NULL)
        return NULL;
    range->alias = alias;
    range->source = source;
    range->next = scope->ranges;
    scope->ranges = range;
    return range;
}

static bool
is_common(const struct scope *scope, const char *name)
{
    for (; scope != NULL; scope = scope->outer) {
        for (const struct common *at = scope->commons; at != NULL; at = at->next) {
            if (strcmp(at->name, name) == 0)
                return true;
        }
    }
    return false;
}

/* An alias that renames columns makes it unknown which are read. */
static void
note_alias(struct source *source, const Alias *alias)
{
    if (alias != NULL && alias->colnames != NIL)
        source->columns.all = true;
}

static bool
read_relation(struct reading *reading, const RangeVar *relation, struct scope *scope)
{
    const char *alias = relation->alias != NULL ? relation->alias->aliasname : relation->relname;

    if (relation->schemaname == NULL && relation->catalogname == NULL &&
        is_common(scope, relation->relname))
        return add_range(reading, scope, alias, NULL) != NULL;
    struct source *source = source_add(reading, relation, "select");
    if (source == NULL)
        return false;
    source->touched = true;
    note_alias(source, relation->alias);
    return add_range(reading, scope, alias, source) != NULL;
}

/* What stands beside it is in sight only of a LATERAL one. */
static bool
read_subselect(struct reading *reading, const RangeSubselect *item, struct scope *scope)
{
    struct scope alone = { .outer = scope->outer, .commons = scope->commons };
    struct scope *outer = item->lateral ? scope : &alone;
    const char *alias = item->alias != NULL ? item->alias->aliasname : "";

    return read_query(reading, item->subquery, outer) &&
           add_range(reading, scope, alias, NULL) != NULL;
}

/* Without a name of its own it has that of its function, or one that is not known: "". */
static const char *
function_alias(const RangeFunction *item)
{
    const List *pair = linitial(item->functions);

    if (item->alias != NULL)
        return item->alias->aliasname;
    return IsA(pair, List) && IsA(linitial(pair), FuncCall)
               ? strVal(llast(((FuncCall *)linitial(pair))->funcname))
               : "";
}

static bool
read_function_item(struct reading *reading, const RangeFunction *item, struct scope *scope)
{
    struct range *range;

    for (int i = 0; i < list_length(item->functions); i++) {
        /* Each is the call, and a list of column definitions. */
        const List *pair = list_nth(item->functions, i);
        if (!IsA(pair, List) || !read_expression(reading, linitial(pair), scope))
            return !IsA(pair, List) ? sql_refuse_unknown(reading, "such a function in FROM")
                                    : false;
    }
    range = add_range(reading, scope, function_alias(item), NULL);
    if (range == NULL)
        return false;
    range->function = item;
    return true;
}

static bool
read_table_function(struct reading *reading, const RangeTableFunc *item, struct scope *scope)
{
    for (int i = 0; i < list_length(item->columns); i++) {
        const RangeTableFuncCol *column = list_nth(item->columns, i);
        if (!read_expression(reading, column->colexpr, scope) ||
            !read_expression(reading, column->coldefexpr, scope))
            return false;
    }
    return read_expression(reading, item->docexpr, scope) &&
           read_expression(reading, item->rowexpr, scope) &&
           read_expression(reading, (Node *)item->namespaces, scope) &&
           add_range(reading, scope, item->alias != NULL ? item->alias->aliasname : "", NULL) !=
               NULL;
}

/* The ranges that a join has added stand before `behind`. */
static bool
use_columns(struct reading *reading, struct scope *scope, const struct range *behind,
            const List *columns)
{
    for (struct range *at = scope->ranges; at != behind; at = at->next) {
        for (int i = 0; at->source != NULL && i < list_length(columns); i++) {
            if (!columns_add(reading, &at->source->columns, strVal(list_nth(columns, i))))
                return false;
        }
    }
    return true;
}

/* The join under a name of its own: that name leads to all that is in it. */
static bool
name_join(struct reading *reading, struct scope *scope, const struct range *behind,
          const Alias *alias)
{
    struct range *first = scope->ranges;

    for (struct range *at = first; alias != NULL && at != behind; at = at->next) {
        if (at->source != NULL)
            note_alias(at->source, alias);
        if (add_range(reading, scope, alias->aliasname, at->source) == NULL)
            return false;
    }
    return true;
}

static bool
read_join(struct reading *reading, const JoinExpr *join, struct scope *scope)
{
    const struct range *behind = scope->ranges;

    if (!read_from(reading, join->larg, scope) || !read_from(reading, join->rarg, scope))
        return false;
    for (struct range *at = scope->ranges; join->isNatural && at != behind; at = at->next) {
        if (at->source != NULL)
            at->source->columns.all = true;
    }
    return use_columns(reading, scope, behind, join->usingClause) &&
           read_expression(reading, join->quals, scope) &&
           (join->join_using_alias == NULL ||
            name_join(reading, scope, behind, join->join_using_alias)) &&
           name_join(reading, scope, behind, join->alias);
}

bool
read_from(struct reading *reading, Node *item, struct scope *scope)
{
    bool good;

    if (item == NULL)
        return true;
    if (!sql_enter(reading))
        return false;
    switch (nodeTag(item)) {
    case T_RangeVar:
        good = read_relation(reading, (RangeVar *)item, scope);
        break;
    case T_RangeSubselect:
        good = read_subselect(reading, (RangeSubselect *)item, scope);
        break;
    case T_RangeFunction:
        good = read_function_item(reading, (RangeFunction *)item, scope);
        break;
    case T_RangeTableFunc:
        good = read_table_function(reading, (RangeTableFunc *)item, scope);
        break;
    case T_RangeTableSample:
        good = read_from(reading, ((RangeTableSample *)item)->relation, scope) &&
               touch_function(reading, ((RangeTableSample *)item)->method) &&
               read_expression(reading, (Node *)((RangeTableSample *)item)->args, scope) &&
               read_expression(reading, ((RangeTableSample *)item)->repeatable, scope);
        break;
    case T_JoinExpr:
        good = read_join(reading, (JoinExpr *)item, scope);
        break;
    default:
        good = sql_refuse_unknown(reading, "such an item in FROM");
        break;
    }
    sql_leave(reading);
    return good;
}

static bool
read_from_list(struct reading *reading, const List *items, struct scope *scope)
{
    for (int i = 0; i < list_length(items); i++) {
        if (!read_from(reading, list_nth(items, i), scope))
            return false;
    }
    return true;
}

/* --- WITH ----------------------------------------------------------------------------------- */

static bool
add_common(struct reading *reading, struct scope *scope, const CommonTableExpr *expression)
{
    struct common *common = sql_take(reading, sizeof(*common));

    if (common == NULL)
        return false;
    common->name = expression->ctename;
    common->next = scope->commons;
    scope->commons = common;
    return true;
}

/* Without RECURSIVE each sees those before it; with it each sees all, itself too. */
static bool
read_with(struct reading *reading, const WithClause *with, struct scope *scope)
{
    int count = with == NULL ? 0 : list_length(with->ctes);

    for (int i = 0; i < count && with->recursive; i++) {
        if (!add_common(reading, scope, list_nth(with->ctes, i)))
            return false;
    }
    for (int i = 0; i < count; i++) {
        const CommonTableExpr *expression = list_nth(with->ctes, i);
        struct scope inner = { .outer = scope->outer, .commons = scope->commons };

        if (!is_query(expression->ctequery))
            return sql_refuse_unknown(reading, "such a query in WITH");
        if (!read_query(reading, expression->ctequery, &inner))
            return false;
        if (!with->recursive && !add_common(reading, scope, expression))
            return false;
    }
    return true;
}

/* --- SELECT ----------------------------------------------------------------------------------- */

static bool
is_output_name(const Node *node, const List *targets)
{
    const ColumnRef *reference = (const ColumnRef *)node;

    if (!IsA(node, ColumnRef) || list_length(reference->fields) != 1 ||
        !IsA(linitial(reference->fields), String))
        return false;
    for (int i = 0; i < list_length(targets); i++) {
        const ResTarget *target = list_nth(targets, i);
        if (target->name != NULL && strcmp(target->name, strVal(linitial(reference->fields))) == 0)
            return true;
    }
    return false;
}

/* A bare name in ORDER BY is an output's before it is a column's (SQL-92). */
static bool
read_order(struct reading *reading, const List *order, const List *targets, struct scope *scope)
{
    for (int i = 0; i < list_length(order); i++) {
        const SortBy *sort = list_nth(order, i);
        if (!is_output_name(sort->node, targets) && !read_expression(reading, sort->node, scope))
            return false;
    }
    return true;
}

/* FOR UPDATE and its kin lock rows, which takes the right to change them; those of queries
 * below too. */
static bool
read_locks(struct reading *reading, const SelectStmt *select, const struct source *first)
{
    if (select->lockingClause == NIL)
        return true;
    /* What is added is no select: the loop ends. */
    for (const struct source *at = first; at != NULL; at = at->next) {
        struct source *lock;

        if (strcmp(at->action, "select") != 0)
            continue;
        lock = sql_take(reading, sizeof(*lock));
        if (lock == NULL)
            return false;
        *lock = (struct source){
            .schema = at->schema, .name = at->name, .action = "update", .touched = true
        };
        *reading->last_source = lock;
        reading->last_source = &lock->next;
    }
    return true;
}

static bool
read_clauses(struct reading *reading, SelectStmt *select, struct scope *scope)
{
    return read_expression(reading, (Node *)select->targetList, scope) &&
           read_expression(reading, (Node *)select->distinctClause, scope) &&
           read_expression(reading, select->whereClause, scope) &&
           read_expression(reading, (Node *)select->groupClause, scope) &&
           read_expression(reading, select->havingClause, scope) &&
           read_expression(reading, (Node *)select->windowClause, scope) &&
           read_expression(reading, (Node *)select->valuesLists, scope);
}

static bool
read_select(struct reading *reading, SelectStmt *select, struct scope *outer)
{
    struct scope scope = { .outer = outer };
    struct source **before = reading->last_source;
    bool good = read_with(reading, select->withClause, &scope);

    if (good && select->op != SETOP_NONE)
        good = read_query(reading, (Node *)select->larg, &scope) &&
               read_query(reading, (Node *)select->rarg, &scope);
    else if (good)
        good = read_from_list(reading, select->fromClause, &scope) &&
               read_clauses(reading, select, &scope);
    return good && read_order(reading, select->sortClause, select->targetList, &scope) &&
           read_expression(reading, select->limitOffset, &scope) &&
           read_expression(reading, select->limitCount, &scope) &&
           read_locks(reading, select, *before) &&
           (select->intoClause == NULL || read_into(reading, select->intoClause));
}

/* --- INSERT, UPDATE, DELETE, MERGE ---------------------------------------------------------------
 */

static const char *
alias_of(const RangeVar *relation)
{
    return relation->alias != NULL ? relation->alias->aliasname : relation->relname;
}

/* The relation that is changed: what is read of it counts as a SELECT. */
static bool
add_target(struct reading *reading, const RangeVar *relation, struct scope *scope,
           const char *action, struct source **changed)
{
    struct source *read = source_add(reading, relation, "select");

    *changed = source_add(reading, relation, action);
    if (read == NULL || *changed == NULL)
        return false;
    (*changed)->touched = true;
    note_alias(read, relation->alias);
    return add_range(reading, scope, alias_of(relation), read) != NULL;
}

/* SET a = …, (b, c) = …, d[1] = …: the names, and what is read for them. */
static bool
read_assignments(struct reading *reading, const List *targets, struct source *changed,
                 struct scope *scope)
{
    for (int i = 0; i < list_length(targets); i++) {
        const ResTarget *target = list_nth(targets, i);
        if (target->name == NULL)
            return sql_refuse_unknown(reading, "such an assignment");
        if (!columns_add(reading, &changed->columns, target->name) ||
            !read_expression(reading, (Node *)target->indirection, scope) ||
            !read_expression(reading, target->val, scope))
            return false;
    }
    return true;
}

/* What tells whether a row is there already is read; a constraint's columns are not known. */
static bool
read_arbiter(struct reading *reading, const InferClause *infer, struct scope *scope)
{
    struct source *read = scope->ranges->source;

    if (infer->conname != NULL)
        read->touched = read->columns.all = true;
    for (int i = 0; i < list_length(infer->indexElems); i++) {
        const IndexElem *element = list_nth(infer->indexElems, i);
        if (element->name != NULL) {
            read->touched = true;
            if (!columns_add(reading, &read->columns, element->name))
                return false;
        }
        if (!read_expression(reading, element->expr, scope))
            return false;
    }
    return read_expression(reading, infer->whereClause, scope);
}

static bool
read_conflict(struct reading *reading, const InsertStmt *insert, struct scope *scope)
{
    const OnConflictClause *conflict = insert->onConflictClause;
    struct source *changed;

    if (conflict == NULL)
        return true;
    if (conflict->infer != NULL && !read_arbiter(reading, conflict->infer, scope))
        return false;
    if (conflict->action != ONCONFLICT_UPDATE)
        return true;
    changed = source_add(reading, insert->relation, "update");
    /* The row that was to be inserted counts as the table's own: defaults and triggers made it. */
    if (changed == NULL || add_range(reading, scope, "excluded", scope->ranges->source) == NULL)
        return false;
    changed->touched = true;
    return read_assignments(reading, conflict->targetList, changed, scope) &&
           read_expression(reading, conflict->whereClause, scope);
}

static bool
read_insert(struct reading *reading, InsertStmt *insert, struct scope *outer)
{
    struct scope with = { .outer = outer }, scope = { .outer = &with };
    struct source *changed;

    if (!read_with(reading, insert->withClause, &with) ||
        (insert->selectStmt != NULL && !read_query(reading, insert->selectStmt, &with)) ||
        !add_target(reading, insert->relation, &scope, "insert", &changed))
        return false;
    return read_assignments(reading, insert->cols, changed, &scope) &&
           read_conflict(reading, insert, &scope) &&
           read_expression(reading, (Node *)insert->returningList, &scope);
}

static void
note_where(struct reading *reading, const Node *where)
{
    reading->changes_rows = true;
    if (where == NULL)
        reading->unfiltered = true;
}

static bool
read_update(struct reading *reading, UpdateStmt *update, struct scope *outer)
{
    struct scope scope = { .outer = outer };
    struct source *changed;

    note_where(reading, update->whereClause);
    return read_with(reading, update->withClause, &scope) &&
           add_target(reading, update->relation, &scope, "update", &changed) &&
           read_from_list(reading, update->fromClause, &scope) &&
           read_assignments(reading, update->targetList, changed, &scope) &&
           read_expression(reading, update->whereClause, &scope) &&
           read_expression(reading, (Node *)update->returningList, &scope);
}

static bool
read_delete(struct reading *reading, DeleteStmt *delete, struct scope *outer)
{
    struct scope scope = { .outer = outer };
    struct source *changed;

    note_where(reading, delete->whereClause);
    return read_with(reading, delete->withClause, &scope) &&
           add_target(reading, delete->relation, &scope, "delete", &changed) &&
           read_from_list(reading, delete->usingClause, &scope) &&
           read_expression(reading, delete->whereClause, &scope) &&
           read_expression(reading, (Node *)delete->returningList, &scope);
}

static bool
read_merge_clause(struct reading *reading, const MergeStmt *merge, const MergeWhenClause *clause,
                  struct scope *scope)
{
    const char *action = clause->commandType == CMD_INSERT   ? "insert"
                         : clause->commandType == CMD_UPDATE ? "update"
                         : clause->commandType == CMD_DELETE ? "delete"
                                                             : NULL;
    struct source *changed = NULL;

    if (!read_expression(reading, clause->condition, scope))
        return false;
    if (action == NULL)
        return clause->commandType == CMD_NOTHING || sql_refuse_unknown(reading, "such a MERGE");
    changed = source_add(reading, merge->relation, action);
    if (changed == NULL)
        return false;
    changed->touched = true;
    return (clause->commandType == CMD_DELETE ||
            read_assignments(reading, clause->targetList, changed, scope)) &&
           read_expression(reading, (Node *)clause->values, scope);
}

/* Each row of the source is looked for in the target: both are read. */
static bool
read_merge(struct reading *reading, MergeStmt *merge, struct scope *outer)
{
    struct scope scope = { .outer = outer };
    struct source *target;

    if (!read_with(reading, merge->withClause, &scope) ||
        (target = source_add(reading, merge->relation, "select")) == NULL ||
        add_range(reading, &scope, alias_of(merge->relation), target) == NULL)
        return false;
    target->touched = true;
    if (!read_from(reading, merge->sourceRelation, &scope) ||
        !read_expression(reading, merge->joinCondition, &scope))
        return false;
    for (int i = 0; i < list_length(merge->mergeWhenClauses); i++) {
        if (!read_merge_clause(reading, merge, list_nth(merge->mergeWhenClauses, i), &scope))
            return false;
    }
    return true;
}

/* --- any of them
 * -------------------------------------------------------------------------------------- */

bool
is_query(const Node *node)
{
    switch (nodeTag(node)) {
    case T_SelectStmt:
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
        return true;
    default:
        return false;
    }
}

bool
read_query(struct reading *reading, Node *node, struct scope *outer)
{
    bool good;

    if (!sql_enter(reading))
        return false;
    switch (nodeTag(node)) {
    case T_SelectStmt:
        good = read_select(reading, (SelectStmt *)node, outer);
        break;
    case T_InsertStmt:
        good = read_insert(reading, (InsertStmt *)node, outer);
        break;
    case T_UpdateStmt:
        good = read_update(reading, (UpdateStmt *)node, outer);
        break;
    case T_DeleteStmt:
        good = read_delete(reading, (DeleteStmt *)node, outer);
        break;
    case T_MergeStmt:
        good = read_merge(reading, (MergeStmt *)node, outer);
        break;
    default:
        good = sql_refuse_unknown(reading, "such a query");
        break;
    }
    sql_leave(reading);
    return good;
}

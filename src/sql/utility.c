/* sql/utility.c - statements that are no queries, but for those that define things. */
#include "reader.h"

/* A query or another statement within this one. */
static bool
read_inner(struct reading *reading, Node *node)
{
    bool good;

    if (!sql_enter(reading))
        return false;
    good = is_query(node) ? read_query(reading, node, NULL) : read_utility(reading, node);
    sql_leave(reading);
    return good;
}

static bool
read_transaction(struct reading *reading, const TransactionStmt *statement)
{
    reading->statement->kind = SQL_TRANSACTION;
    switch (statement->kind) {
    case TRANS_STMT_BEGIN:
    case TRANS_STMT_START:
    case TRANS_STMT_COMMIT:
    case TRANS_STMT_ROLLBACK:
    case TRANS_STMT_SAVEPOINT:
    case TRANS_STMT_RELEASE:
    case TRANS_STMT_ROLLBACK_TO:
        return true;
    case TRANS_STMT_PREPARE:
    case TRANS_STMT_COMMIT_PREPARED:
    case TRANS_STMT_ROLLBACK_PREPARED:
        return touch_plain(reading, "set", "prepared_transaction");
    }
    return sql_refuse_unknown(reading, "such a transaction statement");
}

/* --- COPY --------------------------------------------------------------------------------- */

static bool
copy_columns(struct reading *reading, struct source *source, const List *names)
{
    for (int i = 0; i < list_length(names); i++) {
        if (!columns_add(reading, &source->columns, strVal(list_nth(names, i))))
            return false;
    }
    return true;
}

static bool
read_copy_relation(struct reading *reading, const CopyStmt *copy)
{
    struct source *source =
        source_add(reading, copy->relation, copy->is_from ? "insert" : "select");

    if (source == NULL)
        return false;
    source->touched = true;
    if (!copy_columns(reading, source, copy->attlist))
        return false;
    /* WHERE looks at the rows that come, before they are anybody's. */
    struct scope scope = { 0 };
    return read_expression(reading, copy->whereClause, &scope);
}

static bool
read_copy(struct reading *reading, const CopyStmt *copy)
{
    reading->statement->kind = copy->filename != NULL ? SQL_COPY_FILE
                               : copy->is_from        ? SQL_COPY_IN
                                                      : SQL_COPY_OUT;
    if (copy->is_program && !touch_plain(reading, "copy", "program"))
        return false;
    if (copy->filename != NULL && !copy->is_program && !touch_plain(reading, "copy", "file"))
        return false;
    if (copy->relation != NULL)
        return read_copy_relation(reading, copy);
    return copy->query != NULL ? read_inner(reading, copy->query)
                               : sql_refuse_unknown(reading, "such a COPY");
}

/* --- prepared statements, cursors ----------------------------------------------------------- */

static bool
keep_name(struct reading *reading, const char *name)
{
    reading->statement->name = arena_copy(reading->arena, slice_text(name));
    return reading->statement->name.at != NULL || sql_out_of_room(reading);
}

static const struct sql_lasting prepared = { "a prepared statement of SQL",
                                             "statements of the protocol, which drivers prepare" };

static bool
read_prepare(struct reading *reading, const PrepareStmt *prepare)
{
    lasts(reading, &prepared);
    if (!read_inner(reading, prepare->query))
        return false;
    if (!is_query(prepare->query))
        return sql_refuse_unknown(reading, "such a statement in PREPARE");
    reading->statement->kind = SQL_PREPARE;
    return keep_name(reading, prepare->name);
}

static bool
read_execute(struct reading *reading, const ExecuteStmt *execute)
{
    struct scope scope = { 0 };

    lasts(reading, &prepared);
    reading->statement->kind = SQL_EXECUTE;
    return keep_name(reading, execute->name) &&
           read_expression(reading, (Node *)execute->params, &scope);
}

static bool
read_deallocate(struct reading *reading, const DeallocateStmt *deallocate)
{
    if (deallocate->name != NULL)
        lasts(reading, &prepared);
    reading->statement->kind = deallocate->name == NULL ? SQL_DEALLOCATE_ALL : SQL_DEALLOCATE;
    return deallocate->name == NULL || keep_name(reading, deallocate->name);
}

static bool
read_declare(struct reading *reading, const DeclareCursorStmt *declare)
{
    static const struct sql_lasting cursor = { "a cursor WITH HOLD",
                                               "a cursor within a transaction" };

    if ((declare->options & CURSOR_OPT_HOLD) != 0)
        lasts(reading, &cursor);
    if (!read_inner(reading, declare->query))
        return false;
    reading->statement->kind = SQL_DECLARE;
    return keep_name(reading, declare->portalname);
}

static bool
read_fetch(struct reading *reading, const FetchStmt *fetch)
{
    reading->statement->kind = SQL_FETCH;
    return keep_name(reading, fetch->portalname);
}

/* --- DO, CALL ----------------------------------------------------------------------------------
 */

static bool
read_do(struct reading *reading)
{
    reading->statement->kind = SQL_DO;
    return touch_plain(reading, "do", "-");
}

static bool
read_procedure(struct reading *reading, const CallStmt *call)
{
    struct scope scope = { 0 };

    reading->statement->kind = SQL_CALL;
    return read_expression(reading, (Node *)call->funccall, &scope);
}

/* --- the rest -----------------------------------------------------------------------------------
 */

/* EXECUTE within EXPLAIN stays one: what runs is known by its name. */
static bool
read_explain(struct reading *reading, const ExplainStmt *explain)
{
    if (!read_inner(reading, explain->query))
        return false;
    if (reading->statement->kind != SQL_EXECUTE)
        reading->statement->kind = SQL_EXPLAIN;
    return true;
}

static bool
read_create_as(struct reading *reading, const CreateTableAsStmt *create)
{
    if (!read_inner(reading, create->query) || !read_into(reading, create->into))
        return false;
    if (reading->statement->kind != SQL_EXECUTE)
        reading->statement->kind = SQL_DDL;
    return true;
}

bool
read_into(struct reading *reading, const IntoClause *into)
{
    struct source *made = source_add(reading, into->rel, "ddl");

    if (made == NULL)
        return false;
    made->touched = true;
    reading->dropped = into->onCommit == ONCOMMIT_DROP;
    return temporary_add(reading, into->rel);
}

static bool
read_relations(struct reading *reading, const List *relations, const char *action)
{
    for (int i = 0; i < list_length(relations); i++) {
        struct source *source = source_add(reading, list_nth(relations, i), action);
        if (source == NULL)
            return false;
        source->touched = true;
    }
    return true;
}

static bool
read_truncate(struct reading *reading, const TruncateStmt *truncate)
{
    reading->statement->kind = SQL_TRUNCATE;
    /* CASCADE empties relations that nobody has named. */
    if (truncate->behavior == DROP_CASCADE && !touch_plain(reading, "truncate", "-"))
        return false;
    return read_relations(reading, truncate->relations, "truncate");
}

static bool
read_lock(struct reading *reading, const LockStmt *lock)
{
    reading->statement->kind = SQL_LOCK;
    return read_relations(reading, lock->relations, "lock");
}

static bool
read_channel(struct reading *reading, enum sql_kind kind, const char *action, const char *channel)
{
    static const struct sql_lasting listening = { "LISTEN", NULL };

    if (kind == SQL_LISTEN)
        lasts(reading, &listening);
    reading->statement->kind = kind;
    return channel == NULL || touch_plain(reading, action, channel);
}

static bool
read_discard(struct reading *reading, const DiscardStmt *discard)
{
    reading->statement->kind = discard->target == DISCARD_ALL ? SQL_DISCARD_ALL : SQL_DISCARD;
    return true;
}

static bool
say(struct reading *reading, enum sql_kind kind)
{
    reading->statement->kind = kind;
    return true;
}

bool
read_utility(struct reading *reading, Node *node)
{
    switch (nodeTag(node)) {
    case T_TransactionStmt:
        return read_transaction(reading, (TransactionStmt *)node);
    case T_VariableSetStmt:
        return read_set(reading, (VariableSetStmt *)node);
    case T_VariableShowStmt:
        return say(reading, SQL_SHOW);
    case T_ConstraintsSetStmt:
        return say(reading, SQL_SET);
    case T_CopyStmt:
        return read_copy(reading, (CopyStmt *)node);
    case T_PrepareStmt:
        return read_prepare(reading, (PrepareStmt *)node);
    case T_ExecuteStmt:
        return read_execute(reading, (ExecuteStmt *)node);
    case T_DeallocateStmt:
        return read_deallocate(reading, (DeallocateStmt *)node);
    case T_DeclareCursorStmt:
        return read_declare(reading, (DeclareCursorStmt *)node);
    case T_FetchStmt:
        return read_fetch(reading, (FetchStmt *)node);
    case T_ClosePortalStmt:
        return say(reading, SQL_CLOSE);
    case T_ExplainStmt:
        return read_explain(reading, (ExplainStmt *)node);
    case T_CreateTableAsStmt:
        return read_create_as(reading, (CreateTableAsStmt *)node);
    case T_TruncateStmt:
        return read_truncate(reading, (TruncateStmt *)node);
    case T_LockStmt:
        return read_lock(reading, (LockStmt *)node);
    case T_ListenStmt:
        return read_channel(reading, SQL_LISTEN, "listen", ((ListenStmt *)node)->conditionname);
    case T_UnlistenStmt:
        return say(reading, SQL_LISTEN);
    case T_NotifyStmt:
        return read_channel(reading, SQL_NOTIFY, "notify", ((NotifyStmt *)node)->conditionname);
    case T_DiscardStmt:
        return read_discard(reading, (DiscardStmt *)node);
    case T_DoStmt:
        return read_do(reading);
    case T_CallStmt:
        return read_procedure(reading, (CallStmt *)node);
    default:
        reading->statement->kind = SQL_DDL;
        return read_ddl(reading, node);
    }
}

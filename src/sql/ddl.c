/* sql/ddl.c - statements that define, change and drop things: `ddl` of the thing that is
 * named, of "-" where it has no schema. What a definition computes is read like a query. */
#include "reader.h"

static bool read_part(struct reading *reading, Node *node);

/* The expression is the definition's: its functions count, its columns are of the thing. */
static bool
read_free_expression(struct reading *reading, Node *node)
{
    struct scope scope = { 0 };

    return read_expression(reading, node, &scope);
}

static bool
define(struct reading *reading, const RangeVar *relation)
{
    struct source *source = relation == NULL ? NULL : source_add(reading, relation, "ddl");

    if (source == NULL)
        return relation == NULL && sql_refuse_unknown(reading, "a definition without a name");
    source->touched = true;
    return true;
}

static bool
read_parts(struct reading *reading, const List *parts)
{
    for (int i = 0; i < list_length(parts); i++) {
        if (!read_part(reading, list_nth(parts, i)))
            return false;
    }
    return true;
}

static bool
read_column(struct reading *reading, const ColumnDef *column)
{
    return read_free_expression(reading, column->raw_default) &&
           read_parts(reading, column->constraints);
}

static bool
read_constraint(struct reading *reading, const Constraint *constraint)
{
    if (constraint->pktable != NULL && !define(reading, constraint->pktable))
        return false;
    for (int i = 0; i < list_length(constraint->exclusions); i++) {
        const List *pair = list_nth(constraint->exclusions, i);
        if (!read_part(reading, linitial(pair)))
            return false;
    }
    return read_free_expression(reading, constraint->raw_expr) &&
           read_free_expression(reading, constraint->where_clause);
}

static bool
read_like(struct reading *reading, const TableLikeClause *like)
{
    struct source *source = source_add(reading, like->relation, "select");

    if (source == NULL)
        return false;
    source->touched = true;
    return true;
}

static bool
read_alteration(struct reading *reading, const AlterTableCmd *command)
{
    return command->def == NULL || read_part(reading, command->def);
}

static bool
read_bounds(struct reading *reading, const PartitionBoundSpec *bounds)
{
    return read_free_expression(reading, (Node *)bounds->listdatums) &&
           read_free_expression(reading, (Node *)bounds->lowerdatums) &&
           read_free_expression(reading, (Node *)bounds->upperdatums);
}

static bool
read_partition_key(struct reading *reading, const PartitionSpec *spec)
{
    for (int i = 0; spec != NULL && i < list_length(spec->partParams); i++) {
        const PartitionElem *element = list_nth(spec->partParams, i);
        if (!read_free_expression(reading, element->expr))
            return false;
    }
    return true;
}

/* A partition that is attached or taken off. */
static bool
read_partition(struct reading *reading, const PartitionCmd *command)
{
    return define(reading, command->name) &&
           (command->bound == NULL || read_bounds(reading, command->bound));
}

static bool
read_part(struct reading *reading, Node *node)
{
    bool good;

    if (!sql_enter(reading))
        return false;
    switch (nodeTag(node)) {
    case T_ColumnDef:
        good = read_column(reading, (ColumnDef *)node);
        break;
    case T_Constraint:
        good = read_constraint(reading, (Constraint *)node);
        break;
    case T_TableLikeClause:
        good = read_like(reading, (TableLikeClause *)node);
        break;
    case T_IndexElem:
        good = read_free_expression(reading, ((IndexElem *)node)->expr);
        break;
    case T_AlterTableCmd:
        good = read_alteration(reading, (AlterTableCmd *)node);
        break;
    case T_PartitionCmd:
        good = read_partition(reading, (PartitionCmd *)node);
        break;
    case T_RangeVar: /* INHERIT, OF, … */
        good = define(reading, (RangeVar *)node);
        break;
    case T_List:
        good = read_parts(reading, (List *)node);
        break;
    case T_DefElem:
    case T_Integer:
    case T_Float:
    case T_String:
    case T_Boolean:
    case T_RoleSpec:
    case T_TypeName:
    case T_ReplicaIdentityStmt:
        good = true;
        break;
    default:
        good = read_free_expression(reading, node);
        break;
    }
    sql_leave(reading);
    return good;
}

/* --- statements ------------------------------------------------------------------------------ */

static bool
create_table(struct reading *reading, const CreateStmt *create)
{
    reading->dropped = create->oncommit == ONCOMMIT_DROP;
    return define(reading, create->relation) && temporary_add(reading, create->relation) &&
           read_parts(reading, create->tableElts) && read_parts(reading, create->inhRelations) &&
           read_partition_key(reading, create->partspec) &&
           (create->partbound == NULL || read_bounds(reading, create->partbound));
}

static bool
create_view(struct reading *reading, const ViewStmt *create)
{
    return define(reading, create->view) && temporary_add(reading, create->view) &&
           is_query(create->query) && read_query(reading, create->query, NULL);
}

static bool
create_index(struct reading *reading, const IndexStmt *create)
{
    return define(reading, create->relation) && read_parts(reading, create->indexParams) &&
           read_free_expression(reading, create->whereClause);
}

static bool
create_sequence(struct reading *reading, const CreateSeqStmt *create)
{
    return define(reading, create->sequence) && temporary_add(reading, create->sequence);
}

/* A schema's own elements are statements of their own, with its name before them. */
static bool
create_schema(struct reading *reading, const CreateSchemaStmt *create)
{
    return touch_plain(reading, "ddl", "-") &&
           (create->schemaElts == NIL ||
            sql_refuse_unknown(reading, "a CREATE SCHEMA with elements"));
}

/* What it does is known to the server alone, and whoever uses it need not say so: the right
 * to define it is the right to run anything, as that to DO. */
static bool
define_code(struct reading *reading, const List *names)
{
    return touch_list(reading, "ddl", names) && touch_list(reading, "do", names);
}

static bool
create_function(struct reading *reading, const CreateFunctionStmt *create)
{
    return define_code(reading, create->funcname);
}

static bool
define_any(struct reading *reading, const DefineStmt *define)
{
    switch (define->kind) {
    case OBJECT_AGGREGATE:
    case OBJECT_OPERATOR:
    case OBJECT_TYPE:
    case OBJECT_TSPARSER:
    case OBJECT_TSTEMPLATE:
        return define_code(reading, define->defnames);
    case OBJECT_COLLATION:
    case OBJECT_TSCONFIGURATION:
    case OBJECT_TSDICTIONARY:
        return touch_list(reading, "ddl", define->defnames);
    default:
        return sql_refuse_unknown(reading, "a definition of this kind");
    }
}

static bool
create_trigger(struct reading *reading, const CreateTrigStmt *create)
{
    return define(reading, create->relation) && touch_function(reading, create->funcname) &&
           read_free_expression(reading, create->whenClause);
}

static bool
alter_table(struct reading *reading, const AlterTableStmt *alter)
{
    return define(reading, alter->relation) && read_parts(reading, alter->cmds);
}

static bool
rename_thing(struct reading *reading, const RenameStmt *rename)
{
    RangeVar renamed;

    if (rename->relation == NULL)
        return touch_plain(reading, "ddl", "-");
    if (!define(reading, rename->relation))
        return false;
    switch (rename->renameType) {
    case OBJECT_TABLE:
    case OBJECT_VIEW:
    case OBJECT_MATVIEW:
    case OBJECT_SEQUENCE:
    case OBJECT_FOREIGN_TABLE:
        renamed = *rename->relation;
        renamed.relname = rename->newname;
        return define(reading, &renamed);
    default:
        return true;
    }
}

/* --- names of any kind of thing -----------------------------------------------------------------
 */

/* What has a schema is named by a list, with its table before it where it belongs to one. */
static bool
touch_object(struct reading *reading, ObjectType type, Node *object)
{
    const List *names = (const List *)object;
    List whole;

    switch (type) {
    case OBJECT_TABLE:
    case OBJECT_VIEW:
    case OBJECT_MATVIEW:
    case OBJECT_INDEX:
    case OBJECT_SEQUENCE:
    case OBJECT_FOREIGN_TABLE:
    case OBJECT_COLLATION:
    case OBJECT_CONVERSION:
    case OBJECT_STATISTIC_EXT:
    case OBJECT_TSPARSER:
    case OBJECT_TSDICTIONARY:
    case OBJECT_TSTEMPLATE:
    case OBJECT_TSCONFIGURATION:
        return IsA(object, List) ? touch_list(reading, "ddl", names)
                                 : sql_refuse_unknown(reading, "such a name");
    case OBJECT_COLUMN:
    case OBJECT_TABCONSTRAINT:
    case OBJECT_TRIGGER:
    case OBJECT_RULE:
    case OBJECT_POLICY:
        if (!IsA(object, List) || list_length(names) < 2)
            return sql_refuse_unknown(reading, "such a name");
        whole = *names;
        whole.length--;
        return touch_list(reading, "ddl", &whole);
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
    case OBJECT_AGGREGATE:
        return IsA(object, ObjectWithArgs)
                   ? touch_list(reading, "ddl", ((ObjectWithArgs *)object)->objname)
                   : sql_refuse_unknown(reading, "such a name");
    case OBJECT_TYPE:
    case OBJECT_DOMAIN:
        return IsA(object, TypeName) ? touch_list(reading, "ddl", ((TypeName *)object)->names)
                                     : sql_refuse_unknown(reading, "such a name");
    default:
        return touch_plain(reading, "ddl", "-");
    }
}

/* CASCADE drops things that nobody has named. */
static bool
drop_things(struct reading *reading, const DropStmt *drop)
{
    if (drop->behavior == DROP_CASCADE && !touch_plain(reading, "ddl", "-"))
        return false;
    for (int i = 0; i < list_length(drop->objects); i++) {
        if (!touch_object(reading, drop->removeType, list_nth(drop->objects, i)))
            return false;
    }
    return true;
}

static bool
grant(struct reading *reading, const GrantStmt *grant)
{
    if (grant->targtype != ACL_TARGET_OBJECT)
        return touch_plain(reading, "ddl", "-");
    for (int i = 0; i < list_length(grant->objects); i++) {
        Node *object = list_nth(grant->objects, i);
        bool good = IsA(object, RangeVar)         ? define(reading, (RangeVar *)object)
                    : IsA(object, ObjectWithArgs) ? touch_object(reading, OBJECT_FUNCTION, object)
                                                  : touch_plain(reading, "ddl", "-");
        if (!good)
            return false;
    }
    return true;
}

static bool
vacuum(struct reading *reading, const VacuumStmt *vacuum)
{
    if (vacuum->rels == NIL)
        return touch_plain(reading, "ddl", "-");
    for (int i = 0; i < list_length(vacuum->rels); i++) {
        const VacuumRelation *relation = list_nth(vacuum->rels, i);
        if (!define(reading, relation->relation))
            return false;
    }
    return true;
}

static bool
define_or_all(struct reading *reading, const RangeVar *relation)
{
    return relation != NULL ? define(reading, relation) : touch_plain(reading, "ddl", "-");
}

/* Of the whole server, or of things without a schema. */
static bool
is_general(NodeTag tag)
{
    switch (tag) {
    case T_AlterDatabaseSetStmt:
    case T_AlterDatabaseStmt:
    case T_AlterDefaultPrivilegesStmt:
    case T_AlterEventTrigStmt:
    case T_AlterExtensionContentsStmt:
    case T_AlterExtensionStmt:
    case T_AlterFdwStmt:
    case T_AlterForeignServerStmt:
    case T_AlterFunctionStmt:
    case T_AlterObjectDependsStmt:
    case T_AlterObjectSchemaStmt:
    case T_AlterOpFamilyStmt:
    case T_AlterOperatorStmt:
    case T_AlterOwnerStmt:
    case T_AlterPublicationStmt:
    case T_AlterRoleSetStmt:
    case T_AlterRoleStmt:
    case T_AlterSubscriptionStmt:
    case T_AlterTSConfigurationStmt:
    case T_AlterTSDictionaryStmt:
    case T_AlterTableMoveAllStmt:
    case T_AlterTableSpaceOptionsStmt:
    case T_AlterUserMappingStmt:
    case T_CheckPointStmt:
    case T_CreateAmStmt:
    case T_CreateCastStmt:
    case T_CreateConversionStmt:
    case T_CreateEventTrigStmt:
    case T_CreateExtensionStmt:
    case T_CreateFdwStmt:
    case T_CreateForeignServerStmt:
    case T_CreateOpClassStmt:
    case T_CreateOpFamilyStmt:
    case T_CreatePLangStmt:
    case T_CreatePublicationStmt:
    case T_CreateRoleStmt:
    case T_CreateSubscriptionStmt:
    case T_CreateTableSpaceStmt:
    case T_CreateTransformStmt:
    case T_CreateUserMappingStmt:
    case T_CreatedbStmt:
    case T_DropOwnedStmt:
    case T_DropRoleStmt:
    case T_DropSubscriptionStmt:
    case T_DropTableSpaceStmt:
    case T_DropUserMappingStmt:
    case T_DropdbStmt:
    case T_GrantRoleStmt:
    case T_ImportForeignSchemaStmt:
    case T_ReassignOwnedStmt:
        return true;
    default:
        return false;
    }
}

bool
read_ddl(struct reading *reading, Node *node)
{
    static const struct sql_lasting library = { "a library that is loaded", NULL };

    switch (nodeTag(node)) {
    case T_CreateStmt:
        return create_table(reading, (CreateStmt *)node);
    case T_CreateForeignTableStmt:
        /* Its rows are whatever its server reaches. */
        return create_table(reading, &((CreateForeignTableStmt *)node)->base) &&
               touch_plain(reading, "ddl", "-");
    case T_ViewStmt:
        return create_view(reading, (ViewStmt *)node);
    case T_IndexStmt:
        return create_index(reading, (IndexStmt *)node);
    case T_CreateSeqStmt:
        return create_sequence(reading, (CreateSeqStmt *)node);
    case T_AlterSeqStmt:
        return define(reading, ((AlterSeqStmt *)node)->sequence);
    case T_CreateSchemaStmt:
        return create_schema(reading, (CreateSchemaStmt *)node);
    case T_CreateFunctionStmt:
        return create_function(reading, (CreateFunctionStmt *)node);
    case T_CreateTrigStmt:
        return create_trigger(reading, (CreateTrigStmt *)node);
    case T_CreateEnumStmt:
        return touch_list(reading, "ddl", ((CreateEnumStmt *)node)->typeName);
    case T_AlterEnumStmt:
        return touch_list(reading, "ddl", ((AlterEnumStmt *)node)->typeName);
    case T_CreateRangeStmt:
        return touch_list(reading, "ddl", ((CreateRangeStmt *)node)->typeName);
    case T_CompositeTypeStmt:
        return define(reading, ((CompositeTypeStmt *)node)->typevar);
    case T_DefineStmt:
        return define_any(reading, (DefineStmt *)node);
    case T_CreateDomainStmt:
        return touch_list(reading, "ddl", ((CreateDomainStmt *)node)->domainname) &&
               read_parts(reading, ((CreateDomainStmt *)node)->constraints);
    case T_AlterDomainStmt:
        return touch_list(reading, "ddl", ((AlterDomainStmt *)node)->typeName) &&
               (((AlterDomainStmt *)node)->def == NULL ||
                read_part(reading, ((AlterDomainStmt *)node)->def));
    case T_AlterTypeStmt:
        return touch_list(reading, "ddl", ((AlterTypeStmt *)node)->typeName);
    case T_AlterTableStmt:
        return alter_table(reading, (AlterTableStmt *)node);
    case T_CreatePolicyStmt:
        return define(reading, ((CreatePolicyStmt *)node)->table) &&
               touch_plain(reading, "ddl", "-");
    case T_AlterPolicyStmt:
        return define(reading, ((AlterPolicyStmt *)node)->table) &&
               touch_plain(reading, "ddl", "-");
    case T_RuleStmt:
        return define(reading, ((RuleStmt *)node)->relation) && touch_plain(reading, "ddl", "-");
    case T_CreateStatsStmt:
    case T_AlterStatsStmt:
        return touch_plain(reading, "ddl", "-");
    case T_RenameStmt:
        return rename_thing(reading, (RenameStmt *)node);
    case T_DropStmt:
        return drop_things(reading, (DropStmt *)node);
    case T_CommentStmt:
        return touch_object(reading, ((CommentStmt *)node)->objtype, ((CommentStmt *)node)->object);
    case T_SecLabelStmt:
        return touch_object(reading, ((SecLabelStmt *)node)->objtype,
                            ((SecLabelStmt *)node)->object);
    case T_GrantStmt:
        return grant(reading, (GrantStmt *)node);
    case T_VacuumStmt:
        return vacuum(reading, (VacuumStmt *)node);
    case T_ClusterStmt:
        return define_or_all(reading, ((ClusterStmt *)node)->relation);
    case T_ReindexStmt:
        return define_or_all(reading, ((ReindexStmt *)node)->relation);
    case T_RefreshMatViewStmt:
        return define(reading, ((RefreshMatViewStmt *)node)->relation);
    case T_AlterSystemStmt:
        return touch_plain(reading, "set", "system");
    case T_LoadStmt:
        lasts(reading, &library);
        return touch_plain(reading, "ddl", "library");
    default:
        return is_general(nodeTag(node)) ? touch_plain(reading, "ddl", "-")
                                         : sql_refuse_unknown(reading, "a statement of this kind");
    }
}

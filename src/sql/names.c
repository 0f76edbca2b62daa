/* sql/names.c - looks names up in the lists of what PostgreSQL brings. */
#include "names.h"

#include <stdlib.h>
#include <strings.h>

static int
by_name(const void *key, const void *entry)
{
    return strcmp(key, ((const struct known_name *)entry)->name);
}

static enum known
look_up(const struct known_name *table, size_t count, const char *name)
{
    const struct known_name *found = bsearch(name, table, count, sizeof(*table), by_name);

    if (found == NULL)
        return KNOWN_NOT;
    return found->free ? KNOWN_FREE : KNOWN_GUARDED;
}

enum known
function_known(const char *name)
{
    return look_up(known_functions, known_functions_count, name);
}

enum known
relation_known(const char *name)
{
    return look_up(known_relations, known_relations_count, name);
}

enum known
information_known(const char *name)
{
    static const char *const guarded[] = {
        "_pg_user_mappings",      "user_mapping_options",      "_pg_foreign_servers",
        "foreign_server_options", "_pg_foreign_data_wrappers", "foreign_data_wrapper_options",
    };

    for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
        if (strcmp(guarded[i], name) == 0)
            return KNOWN_GUARDED;
    }
    return KNOWN_FREE;
}

bool
information_function_known(const char *name)
{
    return strncmp(name, "_pg_", 4) == 0;
}

/* Rows are "function.column". */
bool
function_has_output(const char *function, const char *column)
{
    size_t size = strlen(function);

    for (size_t i = 0; i < known_outputs_count; i++) {
        const char *name = known_outputs[i].name;
        if (strncmp(name, function, size) == 0 && name[size] == '.' &&
            (column == NULL || strcmp(name + size + 1, column) == 0))
            return true;
    }
    return false;
}

bool
function_has_outputs(const char *function)
{
    return function_has_output(function, NULL);
}

static const struct {
    const char *name;
    enum setting_kind kind;
} settings[] = {
    { "search_path", SETTING_PATH },
    { "client_encoding", SETTING_ENCODING },
    { "standard_conforming_strings", SETTING_NEVER },
    { "backslash_quote", SETTING_NEVER },
    { "escape_string_warning", SETTING_FREE },
    { "transform_null_equals", SETTING_NEVER },
    { "application_name", SETTING_FREE },
    { "client_min_messages", SETTING_FREE },
    { "datestyle", SETTING_FREE },
    { "intervalstyle", SETTING_FREE },
    { "timezone", SETTING_FREE },
    { "extra_float_digits", SETTING_FREE },
    { "bytea_output", SETTING_FREE },
    { "xmloption", SETTING_FREE },
    { "xmlbinary", SETTING_FREE },
    { "lock_timeout", SETTING_FREE },
    { "idle_in_transaction_session_timeout", SETTING_FREE },
    { "idle_session_timeout", SETTING_FREE },
    { "statement_timeout", SETTING_FREE },
    { "default_transaction_isolation", SETTING_FREE },
    { "default_transaction_read_only", SETTING_FREE },
    { "default_transaction_deferrable", SETTING_FREE },
    { "transaction_isolation", SETTING_FREE },
    { "transaction_read_only", SETTING_FREE },
    { "transaction_deferrable", SETTING_FREE },
    { "lc_messages", SETTING_FREE },
    { "lc_monetary", SETTING_FREE },
    { "lc_numeric", SETTING_FREE },
    { "lc_time", SETTING_FREE },
    { "synchronize_seqscans", SETTING_FREE },
    { "row_security", SETTING_FREE },
    { "plan_cache_mode", SETTING_FREE },
    { "jit", SETTING_FREE },
    { "geqo", SETTING_FREE },
    { "check_function_bodies", SETTING_FREE },
    { "default_table_access_method", SETTING_FREE },
    { "default_tablespace", SETTING_FREE },
    { "seed", SETTING_FREE },
};

enum setting_kind
setting_kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (strcasecmp(settings[i].name, name) == 0)
            return settings[i].kind;
    }
    /* The planner's switches change how a statement runs, not what it does. */
    return strncasecmp(name, "enable_", 7) == 0 && strchr(name, '.') == NULL ? SETTING_FREE
                                                                             : SETTING_GUARDED;
}

/* sql/names.h - what PostgreSQL's own catalog has under a name. */
#ifndef WRIT_SQL_NAMES_H
#define WRIT_SQL_NAMES_H

#include "base/slice.h"

/* Of names/LIST.txt, by which these tables are made; in the order of strcmp. */
struct known_name {
    const char *name;
    bool free; /* to everybody */
};
extern const struct known_name known_functions[], known_relations[], known_outputs[];
extern const size_t known_functions_count, known_relations_count, known_outputs_count;

enum known { KNOWN_NOT, KNOWN_FREE, KNOWN_GUARDED };
enum known function_known(const char *name);
enum known relation_known(const char *name);
/* Of information_schema: those that hold options of foreign servers are guarded. */
enum known information_known(const char *name);
/* Of information_schema: what its own views and drivers call. */
bool information_function_known(const char *name);
/* The columns of a function of pg_catalog that has several, or one with a name of its own. */
bool function_has_outputs(const char *function);
bool function_has_output(const char *function, const char *column);

/* What a SET of this name means; the name in any case. */
enum setting_kind {
    SETTING_FREE,     /* of the session's own looks and times */
    SETTING_GUARDED,  /* needs set:NAME */
    SETTING_PATH,     /* search_path */
    SETTING_ENCODING, /* client_encoding */
    SETTING_NEVER,    /* the server would read statements otherwise than we do */
};
enum setting_kind setting_kind_of(const char *name);

#endif

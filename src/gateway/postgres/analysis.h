/* gateway/postgres/analysis.h - the text of a message, read once: what its statements touch,
 * ready to be asked for. Kept by names and shape (the text without its values), so that a repeated
 * one costs a look-up. */
#ifndef WRIT_GATEWAY_POSTGRES_ANALYSIS_H
#define WRIT_GATEWAY_POSTGRES_ANALYSIS_H

#include "../errand.h"
#include "../upstream.h"
#include "names.h"

/* Counted; lives as long as somebody holds it. Read-only. */
struct analysis {
    struct analysis *chain;         /* of its bucket */
    struct analysis *newer, *older; /* by last use */
    uint64_t hash;
    unsigned users; /* the table is one of them while it keeps it */
    bool kept;
    struct arena arena;
    struct slice key;   /* the names, and the text */
    struct slice text;  /* one of those that it holds for */
    struct slice names; /* those with which it was read, as bytes */
    struct sql_script script;
    const struct errand_ask *asks; /* one for each statement */
};

/* One lane's table, of those that are recorded alike: in full, each text is one of its own. */
struct analyses;

enum status analyses_new(enum record record, struct analyses **out) WRIT_MUST_USE;
void analyses_free(struct analyses *analyses); /* accepts NULL; what is held lives on */

/* A reference that the caller releases; NULL: the text is refused, *fault tells (its words
 * live until the next call). */
struct analysis *analysis_read(struct analyses *analyses, struct slice text,
                               const struct pg_names *names, struct sql_fault *fault);
/* The same with the names of now: the server looks them up anew whenever a prepared statement
 * runs. A reference as above. */
struct analysis *analysis_current(struct analyses *analyses, struct analysis *analysis,
                                  const struct pg_names *names, struct sql_fault *fault);
struct analysis *analysis_hold(struct analysis *analysis); /* the same one */
void analysis_release(struct analysis *analysis);          /* accepts NULL */

#endif

/* policy/glob.h - one pattern with '*' and '**' against one text or against a
 * narrower pattern, by state sets: no backtracking, at most text size times
 * pattern size steps. The meaning of the stars is in docs/rights.md. */
#ifndef WRIT_POLICY_GLOB_H
#define WRIT_POLICY_GLOB_H

#include "policy/right.h"

/* A pattern is at most RIGHT_SIZE_MAX bytes; a longer one matches nothing. */
bool glob_match(struct slice pattern, struct slice text, enum object_syntax syntax);
bool glob_within(struct slice narrow, struct slice wide, enum object_syntax syntax);

/* A segment that is only '**' stands for no segment too. The pattern itself
 * first, then what it becomes without those segments. */
struct glob_variant {
    char text[RIGHT_SIZE_MAX];
    size_t size;
    bool sql_only; /* a '.' was left out: it separates on SQL doors alone */
};
enum { GLOB_VARIANTS_MAX = 1 << RIGHT_DOUBLE_STARS_MAX };
size_t glob_variants(struct slice pattern, struct glob_variant out[GLOB_VARIANTS_MAX]);

#endif

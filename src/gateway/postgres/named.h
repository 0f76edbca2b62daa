/* gateway/postgres/named.h - what a session has given names to on its server: prepared
 * statements and portals, each with what was read of its text. */
#ifndef WRIT_GATEWAY_POSTGRES_NAMED_H
#define WRIT_GATEWAY_POSTGRES_NAMED_H

#include "analysis.h"

enum { NAMED_MOST = 4096 };

struct named_entry;

/* A zeroed one is empty. */
struct named {
    struct named_entry **buckets;
    size_t bucket_count, count;
};

/* NULL: there is none of this name. Borrowed. */
struct analysis *named_find(const struct named *named, struct slice name);
/* Takes a reference of its own; NULL takes the name away. *previous is what it was (NULL:
 * none), and the caller's to release. LIMIT: there are too many. */
enum status named_set(struct named *named, struct slice name, struct analysis *analysis,
                      struct analysis **previous) WRIT_MUST_USE;
void named_clear(struct named *named);

#endif

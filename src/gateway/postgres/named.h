/* gateway/postgres/named.h - what a session has given names to on its server: prepared
 * statements and portals, each with what was read of its text. */
#ifndef WRIT_GATEWAY_POSTGRES_NAMED_H
#define WRIT_GATEWAY_POSTGRES_NAMED_H

#include "analysis.h"
#include "kept.h"

enum { NAMED_MOST = 4096 };

struct named_entry;

/* What a name stands for. */
struct meaning {
    struct analysis *analysis; /* NULL: nothing */
    struct pg_kept *kept;      /* of a prepared statement where connections are shared */
};
/* Both are references. */
void meaning_release(struct meaning *meaning);

/* A zeroed one is empty. */
struct named {
    struct named_entry **buckets;
    size_t bucket_count, count;
};

/* NULL: there is none of this name. Borrowed. */
struct analysis *named_find(const struct named *named, struct slice name);
struct pg_kept *named_kept(const struct named *named, struct slice name);
/* Takes references of its own; nothing takes the name away. *previous is what it was, and the
 * caller's to release. LIMIT: there are too many. */
enum status named_set(struct named *named, struct slice name, struct meaning meaning,
                      struct meaning *previous) WRIT_MUST_USE;
/* The same for a meaning without a past. Out of room the name stands for what it stood. */
void named_put(struct named *named, struct slice name, struct meaning meaning);
void named_clear(struct named *named);

#endif

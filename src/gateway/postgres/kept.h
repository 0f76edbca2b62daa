/* gateway/postgres/kept.h - prepared statements where connections are shared: what a client
 * prepared is kept here, and what each server has of it is remembered. */
#ifndef WRIT_GATEWAY_POSTGRES_KEPT_H
#define WRIT_GATEWAY_POSTGRES_KEPT_H

#include "base/buffer.h"

/* The text and the types of one, as they stand in Parse behind the name. Counted. */
struct pg_kept;

/* One for each text that has a name: all sessions that prepare it share it, and its name at
 * the servers. A zeroed one is empty. */
enum { KEPTS_BUCKETS = 256 };
struct kepts {
    struct pg_kept *buckets[KEPTS_BUCKETS];
    uint64_t numbers; /* given so far */
};

/* References; NULL: out of memory. */
struct pg_kept *kept_named(struct kepts *kepts, struct slice body);
struct pg_kept *kept_unnamed(struct slice body);
struct pg_kept *kept_hold(struct pg_kept *kept); /* accepts NULL */
void kept_release(struct pg_kept *kept);         /* accepts NULL */

/* Its Parse, and its name at a server ("" for one without). */
enum { KEPT_NAME_SIZE = 32 };
struct slice kept_body(const struct pg_kept *kept);
struct slice kept_name(const struct pg_kept *kept, char text[KEPT_NAME_SIZE]);

/* --- at one server ------------------------------------------------------------------- */

struct prepared_entry {
    struct pg_kept *kept;
    uint64_t batch, ticket; /* of the Parse that was sent last */
    bool certain;           /* that one was answered */
};

/* A zeroed one is empty. */
struct prepared {
    struct prepared_entry *entries; /* by number, in a table of open addresses */
    size_t capacity, count;
    struct prepared_entry unnamed; /* the one statement without a name */
    uint64_t batch, tickets;
};

enum prepared_state {
    PREPARED_NOT,
    PREPARED_SENT,  /* in this batch: what comes after it in the batch fails with it */
    PREPARED_DOUBT, /* perhaps */
    PREPARED_YES,
};
enum prepared_state prepared_state(struct prepared *prepared, const struct pg_kept *kept);
/* A Parse was sent; its ticket, or 0: out of memory. */
uint64_t prepared_sent(struct prepared *prepared, struct pg_kept *kept);
/* After Sync, and before another session's first message. */
void prepared_next_batch(struct prepared *prepared);
/* What became of the Parse with this ticket. */
void prepared_done(struct prepared *prepared, const struct pg_kept *kept, uint64_t ticket);
void prepared_failed(struct prepared *prepared, const struct pg_kept *kept, uint64_t ticket);
/* A simple query takes the unnamed one away. */
void prepared_drop_unnamed(struct prepared *prepared);
/* What is sent may take all away. */
void prepared_doubt_all(struct prepared *prepared);
void prepared_clear(struct prepared *prepared);

#endif

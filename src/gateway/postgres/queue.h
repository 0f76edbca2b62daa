/* gateway/postgres/queue.h - what a server still owes a session: one entry for each message
 * that was sent and will be answered, in order. */
#ifndef WRIT_GATEWAY_POSTGRES_QUEUE_H
#define WRIT_GATEWAY_POSTGRES_QUEUE_H

#include "../errand.h"
#include "named.h"

enum { OWED_MOST = 1024 }; /* then the client waits */

enum owed_kind {
    OWED_QUERY,    /* any number of answers, then ReadyForQuery */
    OWED_PARSE,    /* ParseComplete */
    OWED_BIND,     /* BindComplete */
    OWED_DESCRIBE, /* RowDescription or NoData, behind ParameterDescription for a statement */
    OWED_EXECUTE,  /* CommandComplete, EmptyQueryResponse or PortalSuspended */
    OWED_CLOSE,    /* CloseComplete */
    OWED_SYNC,     /* ReadyForQuery */
};

struct pg_owed {
    enum owed_kind kind;
    bool own;    /* the gateway asked: the client hears nothing of the answer */
    bool failed; /* an error came for it */
    /* What the client asked is refused, and the server was given something that fails in its
     * place: this error, as a message, is told instead of the server's. Owned. */
    struct buffer refused;
    struct analysis *analysis;   /* what runs, or gets a name; a reference, or NULL */
    struct errand *errands;      /* of its statements; owned */
    unsigned errand_count, done; /* those that ended */
    unsigned statement;          /* how many of the statements of a simple query are complete */
    uint64_t rows, bytes_in, bytes_out; /* of the statement that runs now */
    uint64_t max_rows;                  /* 0: any number */
    bool over; /* it had more rows: they are dropped, and it ends with an error */
    /* PARSE, BIND: what its name stood for before, for when it never comes to pass. */
    char *name; /* owned */
    size_t name_size;
    struct meaning previous;
    struct pg_kept *kept; /* PARSE: what the server will have; a reference, or NULL */
    uint64_t ticket;      /* … by this Parse */
    bool local;           /* PARSE, CLOSE: the server was not asked, the gateway answers */
};

/* A zeroed one is empty. */
struct pg_owed_queue {
    struct pg_owed *ring;
    size_t capacity, head, count;
};

/* The new last one, zeroed but for its kind; NULL: out of memory. */
struct pg_owed *pg_owed_add(struct pg_owed_queue *queue, enum owed_kind kind);
/* The one that is answered next; NULL: nothing is owed. */
struct pg_owed *pg_owed_first(struct pg_owed_queue *queue);
struct pg_owed *pg_owed_last(struct pg_owed_queue *queue);
struct pg_owed *pg_owed_at(struct pg_owed_queue *queue, size_t index);
/* Frees what the first has; its errands have ended. */
void pg_owed_drop_first(struct pg_owed_queue *queue);
void pg_owed_drop_last(struct pg_owed_queue *queue);
void pg_owed_free(struct pg_owed_queue *queue);
bool pg_owed_name_set(struct pg_owed *owed, struct slice name);

static inline struct slice
pg_owed_name(const struct pg_owed *owed)
{
    return slice_of(owed->name, owed->name_size);
}

#endif

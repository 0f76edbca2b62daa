/* gateway/postgres/session.h - one client's session: its two streams, and what is known of
 * the server's state.
 *
 *   client --- start.c: log-in --- front.c: messages, each decided ---> server
 *   client <-- back.c: answers, matched with what is owed ------------- server */
#ifndef WRIT_GATEWAY_POSTGRES_SESSION_H
#define WRIT_GATEWAY_POSTGRES_SESSION_H

#include "../duplex.h"
#include "door.h"
#include "login.h"
#include "named.h"
#include "names.h"
#include "net/tls.h"
#include "pool.h"
#include "queue.h"
#include "reach.h"
#include "sasl.h"
#include "wire.h"

enum session_state {
    SESSION_START,    /* the client's first packets */
    SESSION_SECURING, /* its TLS handshake */
    SESSION_PASSWORD, /* its token is asked for */
    SESSION_JUDGED,   /* in the pipeline, which may wait for a claim */
    SESSION_REACHING, /* the server is dialled */
    SESSION_LOGIN,    /* the gateway logs in there */
    SESSION_SETTLING, /* the names that statements use are pinned down */
    SESSION_OPEN,
    SESSION_ENDED, /* its streams are closing */
};

/* What follows of a message that began in bytes that came before. */
enum remainder { REMAINDER_PASS, REMAINDER_DROP };

struct flow {
    struct buffer in;    /* the beginning of a message that has not come whole */
    uint32_t left;       /* bytes of the body that are still to come, … */
    enum remainder what; /* … and what becomes of them */
    uint64_t bytes;      /* read so far */
};

struct pg_session {
    struct pg_door *door;
    struct pg_session *next, *prev;
    enum session_state state;
    struct passage *passage; /* NULL: not yet, or left */
    struct duplex link;
    struct reach *reach;
    struct pg_login *login; /* the gateway's own, at the server */
    struct pg_sasl *sasl;   /* the client's, by SCRAM; NULL: it sends its token */
    struct timer patience;
    struct flow from_client, from_server;
    char *agent;          /* "psql, user amara": for the audit */
    struct buffer wanted; /* settings of the client, for the server's start-up: pairs */
    char *upstream_name;  /* as the client wrote it */
    struct buffer hello;  /* the server's settings, told when the session opens */
    uint32_t slot;
    struct cancel_key key, server_key; /* the client's, and the server's */
    struct pg_owed_queue owed;
    struct named statements, portals, cursors;
    struct pg_names names;
    char transaction; /* 'I' 'T' 'E', of the last ReadyForQuery */
    bool tls_asked;   /* SSLRequest was answered: once is enough */
    bool batch;       /* extended messages since the last Sync */
    bool skipping;    /* an error was told: what comes before Sync is dropped */
    bool server_too;  /* and the server waits for that Sync as well */
    bool waits_copy;  /* for the server to say whether a COPY begins */
    bool copying_in;
    struct analysis *path_next; /* a SET search_path that is certain once the server is ready */
    bool failed;                /* so did one */
    unsigned completed;         /* statements since the server was ready last */
    bool pin;                   /* the search_path was reset: it is set to what it is known to be */
    struct pool_seat seat;      /* where server connections are shared */
    uint64_t traffic;
};

/* session.c */
void pg_session_new(struct pg_door *door, struct stream *client);
/* Sends what the callback has made for both sides. False: the session has ended. */
bool pg_session_flush(struct pg_session *session);
/* Ends the session with a last message to the client; the audit's line gets the status.
 * The server is told to stop what it runs for it. */
struct ending {
    const char *sqlstate;
    struct slice message, hint;
    unsigned status;
};
void pg_session_fail(struct pg_session *session, const struct ending *ending);
/* In order: what was sent goes out, then both ends close. */
void pg_session_close(struct pg_session *session, unsigned status);
/* At once: nothing can be said any more. */
void pg_session_drop(struct pg_session *session, unsigned status);
/* start.c */
void pg_start_read(struct pg_session *session, struct slice bytes);
/* The client has shown this token; or what it showed is none. The slice is kept. */
void pg_start_enter(struct pg_session *session, struct slice token);
void pg_start_deny(struct pg_session *session, struct slice reason);
void pg_start_refuse(struct passage *passage, const struct refusal *refusal);
void pg_start_open(struct passage *passage, const struct decision *decision);
bool pg_start_show(const struct passage *passage, struct arena *arena, struct proof_shown *out,
                   struct refusal *refusal);

/* open.c: the gateway's own log-in at the server, until the client may ask. */
void open_server(struct pg_session *session);
/* Where connections are shared: the client may ask, with no server of its own. */
void open_let_in(struct pg_session *session);
/* Pins the search_path to the schemas that exist now, and gives it. */
extern const char open_settle[];
/* Does a server with this setting read statements as we do? */
bool open_reads_as_we_do(struct slice name, struct slice value);
void open_read(struct pg_session *session, struct slice bytes);

/* front.c, ask.c */
void pg_front_read(struct pg_session *session, struct slice bytes);
/* Goes on with what the client has sent, when what it waited for has come. */
void pg_front_resume(struct pg_session *session);

/* back.c */
void pg_back_read(struct pg_session *session, struct slice bytes);
/* Ends what is owed, for a session that ends: nothing of it will be answered. */
void pg_back_abandon(struct pg_session *session, unsigned status);

/* refuse.c: what the client is told instead, in the state in which PostgreSQL would be. */
struct pg_refused {
    const char *sqlstate;
    struct slice message, hint;
};
/* In words: "permission denied", and the right that is needed. Slices from the arena. */
struct pg_refused refused_by_gate(const struct refusal *refusal, struct arena *arena);
/* A simple query is refused; or any message of an extended batch. False: the session ended. */
bool refuse_query(struct pg_session *session, const struct pg_refused *refused);
bool refuse_message(struct pg_session *session, const struct pg_refused *refused);

/* What was read of texts like the session's. */
static inline struct analyses *
analyses_of(const struct pg_session *session)
{
    return session->door->analyses[session->passage->asked.upstream->plan.record];
}

/* decide.c: errands. Each leaves its lines in the audit, also when it refuses. */
struct decided {
    struct errand *errands; /* owned by the caller */
    unsigned count;
    struct sql_limits limits;
};
/* All statements of a text may run now, each with its line begun. */
bool decide_run(struct pg_session *session, const struct analysis *analysis, struct decided *out,
                struct pg_refused *refused);
/* All could run: for a statement that is only prepared. */
bool decide_may(struct pg_session *session, const struct analysis *analysis,
                struct pg_refused *refused);
/* Connections are shared, and it would outlive its transaction: the next session would find it.
 * False: it passes. */
bool decide_lasting(struct pg_session *session, const struct analysis *analysis,
                    struct pg_refused *refused);
/* There is no server for it. */
void decide_unserved(struct pg_session *session, struct pg_refused *refused);
/* What could not be read. */
void decide_unreadable(struct pg_session *session, const struct sql_fault *fault,
                       struct pg_refused *refused);

/* limits.c: puts the limits in force before what they are for. False: out of memory. */
bool limits_put(struct pg_session *session, const struct sql_limits *limits);

/* effects.c: what a statement changes of what the gateway knows of the session. */
/* Before it is sent: names that it may make are uncertain from now on. True: they changed, and
 * the text must be read again. */
bool effects_expect(struct pg_session *session, const struct analysis *analysis);
/* After it was done (index: which of the statements). */
void effects_done(struct pg_session *session, const struct pg_owed *owed, unsigned index);
/* After ReadyForQuery. */
void effects_ready(struct pg_session *session);

#endif

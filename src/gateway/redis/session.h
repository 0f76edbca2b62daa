/* gateway/redis/session.h - one client's session.
 *
 *   client --- start.c: log-in --- front.c: commands, each decided --> server
 *   client <-- back.c: replies, matched with what is owed ------------ server */
#ifndef WRIT_GATEWAY_REDIS_SESSION_H
#define WRIT_GATEWAY_REDIS_SESSION_H

#include "../dial.h"
#include "../duplex.h"
#include "../errand.h"
#include "../lull.h"
#include "classify.h"
#include "door.h"
#include "net/timer.h"
#include "wire.h"

struct redis_session;

/* One lane's part of the door. */
struct redis_lane {
    struct gate *gate;
    struct listener *listener;
    struct redis_session *sessions;
    size_t count;
    struct arena scratch; /* for one command */
    struct buffer to_client, to_server;
    struct lull lull;
};

/* What is answered next, in the order in which it was asked. */
enum owed_kind {
    OWED_REPLY,        /* one reply of the server */
    OWED_WORDS,        /* the gateway's own answer, when its turn comes */
    OWED_SUBSCRIBED,   /* a confirmation for each channel */
    OWED_UNSUBSCRIBED, /* of all channels of a kind: as many as there are */
    OWED_ABORT,        /* a reply, in place of which the client hears that EXEC was refused */
};

struct redis_owed {
    enum owed_kind kind;
    struct buffer words;
    struct errand errand;
    bool counted;   /* it has an errand */
    uint64_t same;  /* a digest of what it touches: the next may be the same */
    bool handed_on; /* its errand goes on with the next one's */
    bool failed;    /* an error was answered, to it or to one whose errand it went on with */
    bool queued;    /* within MULTI: it runs with EXEC */
    bool hello;     /* its answer tells which version of the protocol holds from here on */
    unsigned confirmations; /* that are still to come; 0: not known yet */
    uint64_t bytes_in, bytes_out;
};

struct redis_owed_queue {
    struct redis_owed *ring;
    size_t capacity, head, count;
};

enum session_state {
    SESSION_START,    /* nothing is known of the client */
    SESSION_JUDGED,   /* in the pipeline, which may wait for a claim */
    SESSION_REACHING, /* the server is dialled */
    SESSION_LOGIN,    /* the gateway logs in there */
    SESSION_OPEN,
    SESSION_ENDED,
};

enum { CHANNEL_KINDS = 3 }; /* channels, patterns, shard channels */

struct redis_session {
    struct redis_lane *door;
    struct redis_session *next, *prev;
    enum session_state state;
    struct passage *passage; /* NULL: not yet, or left */
    struct duplex link;
    struct dial *dial;
    struct timer patience;
    char *agent, *upstream_name;
    struct buffer hello; /* the client's HELLO, as the server is asked it; empty: it used AUTH */
    struct buffer in;    /* what the client has sent and is not taken yet */
    struct resp_reader reader;
    struct resp_skimmer skimmer;
    struct redis_owed_queue owed;
    struct redis_owed *last_asked; /* of this read: what is the same again goes on with it */
    bool multi, dirty; /* a transaction is being queued; one of its commands was refused */
    bool monitoring;   /* from now on the server talks alone */
    bool resp3;
    int64_t channels[CHANNEL_KINDS]; /* subscriptions in force */
    uint64_t bytes_in, bytes_out, traffic;
};

/* session.c */
void redis_session_new(struct redis_lane *door, struct stream *client);
bool redis_session_flush(struct redis_session *session);
/* A last word to the client, when it can be said. */
void redis_session_fail(struct redis_session *session, const char *code, struct slice message,
                        unsigned status);
void redis_session_close(struct redis_session *session, unsigned status);
void redis_session_drop(struct redis_session *session, unsigned status);

/* queue.c */
struct redis_owed *redis_owed_add(struct redis_owed_queue *queue,
                                  enum owed_kind kind); /* NULL: out of memory */
struct redis_owed *redis_owed_at(struct redis_owed_queue *queue, size_t index);
struct redis_owed *redis_owed_first(struct redis_owed_queue *queue);
void redis_owed_drop_first(struct redis_owed_queue *queue);
void redis_owed_free(struct redis_owed_queue *queue);

/* start.c */
/* True: the command belonged to the log-in, and is answered or under way. */
void redis_start_command(struct redis_session *session, const struct slice *arguments,
                         size_t count);
void redis_start_refuse(struct passage *passage, const struct refusal *refusal);
void redis_start_open(struct passage *passage, const struct decision *decision);
bool redis_start_show(const struct passage *passage, struct arena *arena, struct proof_shown *out,
                      struct refusal *refusal);
void redis_start_reply(struct redis_session *session, struct slice bytes);

/* front.c */
void redis_front_read(struct redis_session *session, struct slice bytes);
void redis_front_resume(struct redis_session *session);

/* back.c */
void redis_back_read(struct redis_session *session, struct slice bytes);
/* Says what is the gateway's own turn to say. */
void redis_back_speak(struct redis_session *session);
void redis_back_abandon(struct redis_session *session, unsigned status);

#endif

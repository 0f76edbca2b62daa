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

/* A command that was allowed and is not over. */
struct redis_kept {
    struct redis_kept *next;
    size_t size; /* of its one block, to be given back with free */
    struct errand_ask ask;
};

/* Commands of a transaction that is being queued. */
struct redis_queued {
    struct redis_kept *first, *last;
    size_t size;
};

/* Names of channels, in the order of a search tree. */
struct redis_channels {
    void *root;
    size_t size;
};

struct redis_owed {
    enum owed_kind kind;
    struct buffer words;
    struct errand errand;
    struct redis_kept *kept; /* owned: it may wait at the server; NULL: it does not */
    bool counted;            /* it has an errand */
    uint64_t same;           /* a digest of what it touches: the next may be the same */
    bool handed_on;          /* its errand goes on with the next one's */
    bool failed;   /* an error was answered, to it or to one whose errand it went on with */
    bool queued;   /* within MULTI: it runs with EXEC */
    bool last;     /* these words end the session */
    bool executes; /* EXEC or DISCARD: its answer is that of what was queued */
    bool hello;    /* its answer tells which version of the protocol holds from here on */
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
    bool deaf;       /* its client broke the protocol: it hears what it is owed, and is not heard */
    bool monitoring; /* from now on the server talks alone */
    bool tracking;   /* the server tells of keys that change */
    struct redis_queued queued;
    struct budget_holds *held; /* of commands that the server has queued */
    struct redis_channels standing[CHANNEL_KINDS];
    uint64_t judged_by, judged_us; /* what goes on: by which picture, and when */
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
/* True: the next redis_owed_add can't fail. What is in the queue may have moved. */
bool redis_owed_room(struct redis_owed_queue *queue);
struct redis_owed *redis_owed_add(struct redis_owed_queue *queue,
                                  enum owed_kind kind); /* NULL: out of memory */
struct redis_owed *redis_owed_at(struct redis_owed_queue *queue, size_t index);
struct redis_owed *redis_owed_first(struct redis_owed_queue *queue);
void redis_owed_drop_first(struct redis_owed_queue *queue);
void redis_owed_free(struct redis_owed_queue *queue);

/* What the client asks with one command. */
struct redis_request {
    const struct slice *arguments;
    size_t count;
    struct slice whole; /* its bytes */
    struct redis_ask ask;
};

/* ask.c */
/* Decides it, begins its line and passes it on. NULL: it was refused, and is answered; or the
 * session has ended. */
struct redis_owed *redis_ask(struct redis_session *session, const struct redis_request *command,
                             enum owed_kind kind);
/* Passes it on without a question. NULL: the session has ended. */
struct redis_owed *redis_pass(struct redis_session *session, const struct redis_request *command,
                              enum owed_kind kind);
/* Refused by the door itself, with its line. */
void redis_refuse(struct redis_session *session, const struct redis_request *command,
                  struct slice why);
/* The gateway's last words, when their turn comes: the session ends with them. */
void redis_part(struct redis_session *session, const char *why);
void redis_out_of_memory(struct redis_session *session);
bool redis_recorded_in_full(const struct redis_session *session);
/* A refusal as an error: its first word, and what follows it (in the arena, or borrowed). */
const char *redis_code_of(enum gate_refusal kind);
struct slice redis_words_of(const struct refusal *refusal, struct arena *arena);

/* standing.c */
struct redis_kept *redis_kept_new(const struct errand_ask *ask); /* NULL: out of memory */
void redis_queued_add(struct redis_queued *queued, struct redis_kept *kept);
void redis_queued_free(struct redis_queued *queued);
/* Are all commands of the transaction still allowed? What is not has its line. */
bool redis_queued_hold(struct redis_session *session);
/* SUBSCRIBE and its kin. False: too many names. */
bool redis_channels_fit(const struct redis_session *session, const struct redis_request *command);
/* False: out of memory. */
bool redis_channels_add(struct redis_session *session, const struct redis_request *command);
bool redis_channels_remove(struct redis_session *session, const struct redis_request *command);
/* Is all that goes on still allowed? False: *why tells, and what is not has its line. */
bool redis_standing_holds(struct redis_session *session, struct refusal *why);
void redis_standing_free(struct redis_session *session);

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
/* Says what is the gateway's own turn to say. The session may end. */
void redis_back_speak(struct redis_session *session);
void redis_back_abandon(struct redis_session *session, unsigned status);

#endif

/* bridge/inside.h - the bridge's sessions, and the calls that wait in them. */
#ifndef WRIT_BRIDGE_INSIDE_H
#define WRIT_BRIDGE_INSIDE_H

#include "bridge/bridge.h"

#include "child.h"
#include "http/api.h"
#include "lines.h"
#include "message.h"
#include "net/timer.h"

enum {
    MESSAGE_MAX = 4 << 20, /* a line of the server, a body of a client */
    SESSIONS_MAX = 64,     /* processes of the server at a time */
    PENDING_MAX = 64,      /* requests of one session that wait for an answer */
    UNTAKEN_MAX = 8 << 20, /* of messages that the server has not read yet */
    UNHEARD_MAX = 1 << 20, /* of what it says while nobody listens; then it is not read */
    NONSENSE_MAX = 64,     /* lines of a session that are no message; then it ends */
    SESSION_ID_TEXT = 32,
};

struct session;

/* One call that is answered with what the server says. In the call's arena. */
struct hearer {
    struct hearer *next;
    struct http_call *call;
    struct session *session;
    struct slice id; /* of the request; of the GET stream empty */
    bool initialize;
    bool streaming; /* the head of an event stream has gone */
};

struct bridge {
    struct bridge_options options;
    struct lane *lane;
    struct listener *listener;
    struct http_server *server;
    struct http_api api;
    struct http_handler handler;
    struct session *sessions; /* those that end, too */
    unsigned session_count;
    bool stopping, failed;
};

struct session {
    struct bridge *bridge;
    struct session *next;
    char id[SESSION_ID_TEXT + 1];
    struct child child;     /* pid 0: it has been waited for */
    unsigned open_streams;  /* of the child, until their close is told */
    bool ending;            /* nobody finds it any more */
    bool left;              /* the last who heard it left before the end */
    struct hearer *pending; /* requests, the oldest first */
    unsigned pending_count;
    struct hearer *stream; /* the GET, or NULL */
    struct hearer *full;   /* whom the server must wait for */
    struct lines said;
    struct buffer unheard; /* lines, each with its end */
    struct buffer err;     /* a line of its log that has not ended */
    unsigned err_lines;    /* since err_since */
    int64_t err_since;
    unsigned nonsense;
    struct timer idle, kill;
};

/* session.c */
struct session *session_find(const struct bridge *bridge, struct slice id);
/* NULL: there are too many, or no process can be started. */
struct session *session_new(struct bridge *bridge);
/* Whoever waits is told why; the process gets SIGTERM, and 2 s later SIGKILL. */
void session_end(struct session *session, const char *why);
/* Somebody came or left: idleness counts when nobody is there. */
void session_watch(struct session *session);
void session_read_on(struct session *session);
/* False: the session has ended, or has too much to read already. */
bool session_tell(struct session *session, struct slice message);
int64_t session_idle_ms(int64_t asked);
void sessions_child_ended(pid_t pid, void *bridge);

/* said.c: the server's lines find who hears them. */
void said_line(struct session *session, struct slice line);
void said_log(struct session *session, struct slice bytes);
void said_unheard(struct session *session); /* somebody listens now */

/* answer.c */
void answer_message(struct hearer *hearer, struct slice message); /* the last; ends the call */
void answer_event(struct hearer *hearer, struct slice message);
bool answer_stream_begin(struct hearer *hearer);
/* {"jsonrpc":"2.0","id":ID,"error":{…}}: as the last of a hearer, or of a call that never waited.
 */
void answer_failure(struct hearer *hearer, const char *why);
void refuse_call(struct http_call *call, unsigned status, int code, const char *why);
void hearer_forget(struct hearer *hearer);

#endif

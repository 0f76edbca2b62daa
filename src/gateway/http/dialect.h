/* gateway/http/dialect.h - what a protocol that is spoken over HTTP adds to the HTTP door:
 * how its requests are read, what of its answers passes, how it words a refusal. One row
 * for each type of upstream that has one. */
#ifndef WRIT_GATEWAY_HTTP_DIALECT_H
#define WRIT_GATEWAY_HTTP_DIALECT_H

#include "base/json.h"
#include "door.h"

/* What must be known before a request is a certain triple. */
enum dialect_need {
    DIALECT_READY, /* nothing more: asked->request stands, or asked->fault does */
    DIALECT_BODY,  /* the request's body, in talk->body when it asks next */
    DIALECT_ASK,   /* what the upstream says of it, to a GET of the gateway's own */
};

struct dialect_step {
    size_t limit;        /* BODY, ASK: more bytes than these are refused */
    struct slice target; /* ASK: path and query; the url's own path is put before */
    /* What came of ASK: the answer's status (0: the upstream was not asked), and its body,
     * which lives until `next` returns. */
    unsigned status;
    struct slice answer;
};

/* The body of an answer on its way to the client. Not OK: the answer is cut off. */
struct body_filter {
    enum status (*feed)(struct body_filter *filter, struct slice in, struct buffer *out);
    enum status (*end)(struct body_filter *filter, struct buffer *out);
    void (*free)(struct body_filter *filter); /* may be NULL */
    /* It can't take more yet: the upstream is to wait. May be NULL. */
    bool (*behind)(const struct body_filter *filter);
};
/* Who is behind is asked again after so long, and given up after so many times. */
enum { BEHIND_AGAIN_MS = 20, BEHIND_MOST = 500 };

/* Sees what is said through an upgraded connection, before it is passed on. */
enum tap_side { TAP_CLIENT, TAP_UPSTREAM };
struct stream_tap {
    enum status (*bytes)(struct stream_tap *tap, enum tap_side from, struct slice bytes);
    /* It can't take more yet: both sides are to wait. */
    bool (*behind)(const struct stream_tap *tap);
    void (*free)(struct stream_tap *tap);
};

/* A refusal in the protocol's own words; what stays zero is as everywhere. */
struct wording {
    unsigned status;
    struct slice content_type;
    struct buffer body;
};

struct dialect {
    enum upstream_type type;
    /* Reads what is known by now: the head (classify has done what all share: upstream,
     * credential, canonical path), talk->body, step. Pure; may be called several times. It
     * fills asked->request (action, object, syntax; not peer and proof), or asked->fault.
     * May replace target.path.forward, target.query and talk->body: what is forwarded must
     * be what was decided. Nobody without a token that has rights at this upstream makes the
     * gateway gather a body or ask. */
    enum dialect_need (*next)(struct http_passage *http, struct dialect_step *step);

    /* All below may be NULL. */

    /* This field of the request does not pass. */
    bool (*withholds)(const struct http_passage *http, struct slice name);
    /* Fields of the request that the gateway adds. */
    void (*add_fields)(const struct http_passage *http, struct buffer *out);
    /* The same of the answer. */
    bool (*withholds_answer)(struct slice name);
    void (*add_answer_fields)(const struct http_passage *http, const struct http_head *head,
                              struct buffer *out);
    /* May this request upgrade? NULL: what upgrade_passes says. */
    bool (*upgrades)(const struct http_passage *http);
    /* The answer's head came: *out stays NULL to let its body pass as it is; not OK: it must
     * be filtered and can't. An answer that is filtered has no Content-Length; one with a
     * Content-Encoding is refused. */
    enum status (*filter)(struct http_passage *http, const struct http_head *head,
                          struct body_filter **out);
    /* 101 came. *out stays NULL when nobody need look; not OK: who must can't, and the
     * connection is closed. The tap outlives the call: it owns its memory. */
    enum status (*tap)(struct http_passage *http, const struct http_head *head,
                       struct stream_tap **out);
    /* The passage may be over, and talk->body with it: what is needed here, next has copied
     * into the call's arena. */
    void (*word)(const struct http_passage *http, const struct refusal *refusal,
                 struct wording *out);
};

/* NULL: plain HTTP. */
const struct dialect *dialect_of(enum upstream_type type);

/* One request in a dialect; in the call's arena, what it owns ends with the passage. */
struct http_talk {
    const struct dialect *dialect;
    void *own; /* the dialect's part; in the arena */
    struct dialect_step step;
    struct buffer body; /* of the request, gathered; forwarded as it stands here */
    json_t *tree;       /* of the body, when the dialect reads it so; ends with the passage */
    bool gathered;      /* it is whole */
    bool gathering;     /* it is coming */
    bool admitted;      /* whoever asks has rights at this upstream */
    unsigned asks;
    size_t reserved;      /* of the lane's room for bodies */
    struct buffer answer; /* to ASK */
    struct http_exchange *asking;
    struct body_filter *filter;
    struct buffer filtered; /* what waits to go on */
    struct http_passage *passage;
    struct timer catch_up; /* the filter is behind */
    unsigned behind;       /* how often it was since */
};

#endif

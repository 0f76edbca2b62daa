/* gateway/docker/talk.h - a request to the Engine on its way to a triple: what its files share. */
#ifndef WRIT_GATEWAY_DOCKER_TALK_H
#define WRIT_GATEWAY_DOCKER_TALK_H

#include "../http/dialect.h"
#include "body.h"
#include "endpoints.h"

/* In the call's arena, as are its slices. */
struct docker_talk {
    struct docker_path path;
    struct body_facts facts;
    struct slice exec_container; /* of an exec that was asked about; empty: not yet */
    struct slice id;      /* of the exec or container, as the daemon has it; empty: unknown */
    struct slice command; /* that it runs; empty: unknown */
    bool terminal;        /* its stream is one of a terminal, not of frames */
    bool blind;           /* an exec that takes input and shows not all that comes of it */
};

static inline struct arena *
docker_arena(const struct http_passage *http)
{
    return http_call_arena(http->call);
}

/* kinds.c. These refuse, and are READY. */
enum dialect_need docker_refuse_as(struct http_passage *http, enum gate_refusal kind,
                                   const char *reason);
enum dialect_need docker_refuse(struct http_passage *http, const char *reason);
/* The decoded value; empty: there is none. False: it is refused. */
bool docker_take_param(struct http_passage *http, const char *name, struct slice *out);
/* The triple's object, with the facts; READY. */
enum dialect_need docker_stands(struct http_passage *http, struct slice name,
                                enum object_syntax syntax);
/* Another thing that the same request does. False: it is not allowed, and is refused so. */
bool docker_may_too(struct http_passage *http, const char *action, struct slice name,
                    enum object_syntax syntax);
/* The triple, by what the path names. */
enum dialect_need docker_next(struct http_passage *http, struct dialect_step *step);

/* images.c: likewise. */
enum dialect_need docker_next_image(struct http_passage *http);
enum dialect_need docker_next_pull(struct http_passage *http);
enum dialect_need docker_next_build(struct http_passage *http);
/* The repository and tag that a query names; empty: none. False: it is refused. */
bool docker_take_reference(struct http_passage *http, const char *repository, struct slice *out);

/* sessions.c: execs and attaches, recorded. */
/* Why such a session can't be let through; NULL: it can, or is refused already. *now: only at the
 * moment. */
const char *docker_session_refused(struct http_passage *http, bool *now);
/* For the dialect's hooks of the same names. */
enum status docker_session_tap(struct http_passage *http, const struct http_head *head,
                               struct stream_tap **out);
enum status docker_session_filter(struct http_passage *http, struct body_filter **out);
/* The terminal's new size was taken by the daemon. */
void docker_session_resized(struct http_passage *http);

#endif

/* fetch/fetch.h - calls that this process makes itself of other servers. Where they may lead,
 * how long they take and what comes back is bounded:
 *
 * - https, or http that stays on this machine, unless the owner says otherwise;
 * - no redirect is followed, no proxy of the environment is asked;
 * - each address that a name resolves to is looked at before it is connected to (guard.h);
 * - the server's certificate must hold for its name. */
#ifndef WRIT_FETCH_FETCH_H
#define WRIT_FETCH_FETCH_H

#include "base/buffer.h"
#include "base/fault.h"
#include "net/own.h"

struct fetcher;

/* Texts are copied, own is borrowed. */
struct fetch_options {
    const char *ca; /* authorities that servers chain to, a PEM file; NULL: those of the system */
    bool insecure;  /* http may leave this machine */
    const struct own *own; /* where this process listens */
    int64_t connect_ms;    /* most for a connection with its TLS; 0: 3 s */
    int64_t whole_ms;      /* most for a call as a whole; 0: 10 s */
};

struct fetch_request {
    const char *url;
    const char *const *fields; /* "Name: value" */
    size_t field_count;
    struct slice body;   /* .at NULL: it is a GET, else a POST */
    struct buffer *into; /* takes the answer's body, at most to its limit; NULL: ignored */
};

/* Is it a URL that a fetcher would call? INVALID, in words that follow the setting's name: "is
 * not …". Names are not resolved. */
enum status fetch_check_url(const char *url, bool insecure, struct fault *fault) WRIT_MUST_USE;

enum status fetcher_new(const struct fetch_options *options, struct fetcher **out,
                        struct fault *fault) WRIT_MUST_USE;
/* Makes one call, on the thread that asks: never a lane. OK when there was an answer, whatever
 * it says: *code is its status. DENIED: it would lead where no call may; TIMEOUT; TOO_LARGE: the
 * answer is; CRYPTO: the server could not prove its name; CLOSED: fetcher_stop; IO. The fault
 * names no part of the URL but its host and port. */
enum status fetch_call(struct fetcher *fetcher, const struct fetch_request *request, unsigned *code,
                       struct fault *fault) WRIT_MUST_USE;
/* From any thread: the call under way ends, and so does each that comes after. */
void fetcher_stop(struct fetcher *fetcher);
void fetcher_free(struct fetcher *fetcher); /* no call is under way; accepts NULL */

#endif

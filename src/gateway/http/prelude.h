/* gateway/http/prelude.h - what comes before a request in a dialect is a certain triple:
 * its body is gathered, the upstream is asked about what it names. */
#ifndef WRIT_GATEWAY_HTTP_PRELUDE_H
#define WRIT_GATEWAY_HTTP_PRELUDE_H

#include "dialect.h"

/* Ends in the pipeline, now or later. */
void prelude_begin(struct http_passage *http);

/* Members of the door's http_handler, for a passage that is still here. False: it is not,
 * and the event is the relay's. */
bool prelude_body(struct http_passage *http, struct slice bytes);
bool prelude_body_end(struct http_passage *http);
bool prelude_gone(struct http_passage *http);

/* The passage is over: gives back what the talk owns. */
void talk_free(struct gate *gate, struct http_talk *talk);

#endif

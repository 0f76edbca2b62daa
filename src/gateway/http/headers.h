/* gateway/http/headers.h - which fields pass, which are made afresh, which are
 * rewritten, in both directions. */
#ifndef WRIT_GATEWAY_HTTP_HEADERS_H
#define WRIT_GATEWAY_HTTP_HEADERS_H

#include "classify.h"
#include "dialect.h"
#include "http/write.h"

/* What the fields to the upstream are made of. */
struct request_fields {
    const struct http_head *head;
    const struct upstream *upstream;
    const struct client_view *client;
    struct ip peer;
    bool tls;                         /* the client's connection */
    bool api_key;                     /* the token came in X-Api-Key */
    bool upgrade;                     /* the Upgrade field passes */
    struct slice authorization;       /* the gateway's own log-in; empty: none */
    const struct http_passage *talks; /* in a dialect; NULL: plain HTTP */
    struct slice subject, token_id;
    uint64_t trace[3]; /* random */
};
void headers_to_upstream(struct buffer *out, const struct request_fields *fields);

/* What the gateway asks of its own. */
void headers_of_gateway(struct buffer *out, const struct upstream *upstream,
                        struct slice authorization);

/* Fields of an answer, Location and Set-Cookie as the client must see them. */
struct answer_fields {
    const struct http_head *head;
    const struct upstream *upstream;
    bool by_host; /* the client sees no "/name" */
    bool upgrade;
    const struct http_passage *talks; /* in a dialect; NULL: plain HTTP */
};
void headers_to_client(struct buffer *out, const struct answer_fields *fields);

/* A Location that leads to the upstream leads through the gateway; others pass. */
void put_location(struct buffer *out, struct slice value, const struct answer_fields *fields);
/* The cookie's Path is the one that the client sees. */
void put_cookie(struct buffer *out, struct slice value, const struct answer_fields *fields);

/* An upgrade that ends in a protocol of one purpose. To let "h2c" or "TLS" through
 * would be to let any number of undecided requests through. */
bool upgrade_passes(const struct http_head *head);

#endif

/* cli/connect.h - `writ connect` while it runs: what its port, its way to the gateway and
 * the renewing of its token share. */
#ifndef WRIT_CLI_CONNECT_H
#define WRIT_CLI_CONNECT_H

#include <pthread.h>
#include <stdatomic.h>

#include "internal.h"

#include "http/client.h"
#include "http/server.h"
#include "net/listener.h"
#include "net/tls.h"

enum { CONNECT_URL_MAX = 1024 };

/* Which door of the gateway is meant, by the URL's scheme. */
enum connect_kind { CONNECT_HTTP, CONNECT_POSTGRES, CONNECT_REDIS };

/* Where the gateway is: its URL taken apart. */
struct gateway_place {
    char url[CONNECT_URL_MAX];      /* without a slash at the end, the upstream's name behind it */
    char address[320];              /* host:port */
    struct slice authority, prefix; /* of url: for Host; the path before the request's own */
    const char *upstream;
    enum connect_kind kind;
    bool tls;
};

struct connect {
    struct cli *cli;
    struct lane *lane;
    struct gateway_place place;
    struct http_upstream *gateway;
    struct tls_client *tls;
    struct http_server *server;
    struct listener *listener;
    const char *ca;     /* PEM file; NULL: the system's */
    char listen[320];   /* "127.0.0.1:port", "unix:/path" */
    const char *socket; /* the path of it; NULL: a port */
    struct fault fault;
    enum status status;
    /* On the lane alone. */
    struct buffer token;
    char nonce[NONCE_MAX];
    int64_t nonce_at;
    char over[256]; /* why the token is worth nothing any more; "": it is */
    /* Between the renewing thread and the lane. */
    struct renewal renewal;
    pthread_t renewing;
    bool renews;
    atomic_bool stopping;
    pthread_mutex_t lock;
    struct buffer next; /* the successor, until the lane has taken it */
    char ended[256];
    struct lane_message news;
    atomic_bool telling; /* it is on its way */
};

/* passing.c: takes the local client's requests, passes them on with the token and a proof,
 * and the answers back. The context is the struct connect. */
extern const struct http_handler connect_handler;

/* session.c: a local client of a database; logs in for it, and joins the two. */
void connect_session(struct connect *connect, struct stream *client);

#endif

/* app/server.h - the program while it serves: every room it has opened, and the threads
 * that run them. Its files alone see it. */
#ifndef WRIT_APP_SERVER_H
#define WRIT_APP_SERVER_H

#include <semaphore.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "authority/authority.h"
#include "config.h"
#include "gateway/gateway.h"
#include "gateway/recording.h"
#include "launcher.h"

/* One gateway lane as the wiring sees it. */
struct worker {
    struct server *server;
    struct lane *lane;
    unsigned index;
    enum status status; /* of its start */
    struct fault fault;
    _Atomic uint64_t enforced; /* the generation that it works on */
    atomic_bool telling;       /* `told` is on its way */
    struct lane_message told;  /* to the authority's lane */
};

struct server {
    struct config *config;   /* what is in force */
    const char *config_path; /* read again on SIGHUP */
    struct world *world;
    struct authority *authority;
    struct audit *audit;
    struct rate_table *rates;
    struct budget_table *budgets;
    struct replay_table *replays;
    struct nonce_source *nonces;
    int64_t started_at;
    struct recorder *recorder; /* NULL: sessions are not recorded */
    struct recordings_keeper *keeper;
    char *recordings; /* the directory of both */
    struct gateway *gateway;
    struct gateway_ports gateway_ports;
    struct authority_ports authority_ports;
    struct lane *main; /* the authority's lane: this thread */
    struct worker *workers;
    unsigned worker_count;
    const char *own_addresses[4];      /* that the process listens on */
    struct slice gateway_addresses[2]; /* those that are not the gateway's own doors */
    char *socket_address;              /* "unix:DATA/writ.sock" */
    char *gateway_url;                 /* of the HTTP door, for resource indicators; NULL: none */
    size_t own_address_count, gateway_address_count;
    struct launcher launcher;
    struct stdio *stdio; /* servers that the launcher runs; NULL: none */
    char *stdio_dir;     /* of their sockets; NULL: none are */
    bool as_user;        /* started as root: who it becomes */
    uid_t uid;
    gid_t gid;
    sem_t started;
    struct fault fault;
    enum status status;
};

/* ports.c: what the rooms ask of each other. */
void ports_fill(struct server *server);
void ports_keep_head(void *server, const struct audit_head *head); /* an audit_head_keeper */
struct authority_settings settings_of(const struct config *config);
/* Reads the configuration and the policy files again; wrong ones change nothing. */
enum status server_reload(struct server *server, struct fault *fault) WRIT_MUST_USE;

/* rooms.c: opens them in the order in which one needs the other; close also after a
 * failed open, when the lanes have ended. */
enum status rooms_open(struct server *server, struct fault *fault) WRIT_MUST_USE;
void rooms_close(struct server *server);

/* stdio.c: servers of standard input and output, as the upstreams of the moment want them. On the
 * authority's lane, as the user that the program has become. */
enum status stdio_open(struct server *server, struct fault *fault) WRIT_MUST_USE;
void stdio_follow(struct server *server); /* there is a new picture */
void stdio_close(struct server *server);  /* none is started any more; they go on until … */
/* … rooms_close has ended the launcher. */

/* privileges.c: as root with `user` set, data is the user's from its first file on, so that
 * nothing later needs root; ports and private keys are opened as root. In this order: */
enum status act_as_user(struct server *server, struct fault *fault) WRIT_MUST_USE;
enum status act_as_root(const struct server *server, struct fault *fault) WRIT_MUST_USE;
enum status drop_privileges(const struct server *server, struct fault *fault) WRIT_MUST_USE;

#endif

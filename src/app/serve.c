/* app/serve.c - which thread runs what: the authority's lane in this one, the gateway's
 * lanes beside it, from the start to the stop. */
#include "serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "server.h"

enum { DRAIN_MS = 10000 };

/* --- signals ------------------------------------------------------------ */

static void
on_stop(struct lane *lane, int number, void *context)
{
    struct server *server = context;

    if (lane_stopping(lane))
        return;
    log_write(LOG_INFO, "app", "stopping: finishing what is open", NULL);
    gateway_drain(server->gateway, DRAIN_MS);
    for (unsigned i = 0; i < server->worker_count; i++)
        lane_stop(server->workers[i].lane, DRAIN_MS);
    stdio_close(server);
    authority_drain(server->authority);
    lane_stop(lane, DRAIN_MS);
}

static void
on_reload(struct lane *lane, int number, void *context)
{
    struct fault fault = { 0 };

    if (server_reload(context, &fault) == STATUS_OK)
        log_write(LOG_INFO, "app", "configuration read again", NULL);
    else
        log_write(LOG_ERROR, "app", "reload refused, nothing changed", "why", fault.text, NULL);
}

/* --- starting ----------------------------------------------------------- */

static void
worker_begin(struct lane *lane, void *context)
{
    struct worker *worker = context;

    worker->status = gateway_attach(worker->server->gateway, lane, worker->index, &worker->fault);
    sem_post(&worker->server->started);
}

static void
worker_turn(struct lane *lane, void *context)
{
    gateway_turn(lane);
}

static void
worker_stop(struct lane *lane, void *context)
{
    gateway_stop(lane);
}

static enum status
start_workers(struct server *server, struct fault *fault)
{
    for (unsigned i = 0; i < server->worker_count; i++) {
        struct worker *worker = &server->workers[i];
        char name[16];
        enum status status;

        snprintf(name, sizeof name, "writ-lane-%u", i % 1000);
        worker->server = server;
        worker->index = i;
        status = lane_new(
            &(struct lane_options){
                .name = name,
                .index = i,
                .ring = true,
                .hooks = { .begin = worker_begin, .turn = worker_turn, .stop = worker_stop },
                .context = worker },
            &worker->lane);
        if (status == STATUS_OK)
            status = lane_start(worker->lane);
        if (status != STATUS_OK)
            return fault_set(fault, status, "cannot start lane %u", i);
        /* One after the other: the first lane finds out whether an address is free. */
        while (sem_wait(&server->started) != 0)
            continue;
        if (worker->status != STATUS_OK) {
            *fault = worker->fault;
            return worker->status;
        }
    }
    return STATUS_OK;
}

/* --- the authority's lane -------------------------------------------------- */

static void
say_ready(const struct server *server)
{
    const struct config *config = server->config;
    const char *none = "-";

    log_write(LOG_INFO, "app", "ready", "api",
              config->authority.listen == NULL ? none : config->issuer, "http",
              config->http.listen == NULL ? none : config->http.listen, "postgres",
              config->postgres.listen == NULL ? none : config->postgres.listen, "redis",
              config->redis.listen == NULL ? none : config->redis.listen, "data", config->data,
              "version", WRIT_VERSION, NULL);
}

/* On the authority's lane, before its first turn. */
static void
main_begin(struct lane *lane, void *context)
{
    struct server *server = context;
    struct fault *fault = &server->fault;
    struct audit_journal *journal = audit_journal_of(server->audit, server->worker_count);

    server->status = start_workers(server, fault);
    if (server->status == STATUS_OK)
        server->status = authority_attach(server->authority, lane, server->audit, journal, fault);
    if (server->status == STATUS_OK)
        server->status = drop_privileges(server, fault);
    if (server->status == STATUS_OK)
        server->status = stdio_open(server, fault);
    if (server->status == STATUS_OK &&
        (lane_on_signal(lane, SIGTERM, on_stop, server) != STATUS_OK ||
         lane_on_signal(lane, SIGINT, on_stop, server) != STATUS_OK ||
         lane_on_signal(lane, SIGHUP, on_reload, server) != STATUS_OK))
        server->status = fault_set(fault, STATUS_INTERNAL, "cannot watch signals");
    if (server->status == STATUS_OK) {
        say_ready(server);
        return;
    }
    stdio_close(server);
    authority_drain(server->authority);
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (server->workers[i].lane != NULL)
            lane_stop(server->workers[i].lane, 0);
    }
    lane_stop(lane, 0);
}

static void
main_end(struct lane *lane, void *context)
{
    struct server *server = context;

    authority_detach(server->authority);
}

int
serve_run(struct config *config, const char *config_path)
{
    struct server server = { .config = config, .config_path = config_path };
    struct fault fault = { 0 };
    enum status status;

    server.worker_count = config->lanes == 0 ? lane_auto_count() : (unsigned)config->lanes;
    server.workers = calloc(server.worker_count, sizeof *server.workers);
    if (server.workers == NULL || sem_init(&server.started, 0, 0) != 0)
        return 1;
    status = rooms_open(&server, &fault);
    if (status == STATUS_OK)
        status = lane_new(&(struct lane_options){ .name = "writ",
                                                  .index = server.worker_count,
                                                  .hooks = { .begin = main_begin, .end = main_end },
                                                  .context = &server },
                          &server.main);
    if (status == STATUS_OK) {
        lane_run(server.main);
        for (unsigned i = 0; i < server.worker_count; i++) {
            if (server.workers[i].lane != NULL)
                lane_join(server.workers[i].lane);
        }
        status = server.status;
        fault = server.fault;
    }
    rooms_close(&server);
    sem_destroy(&server.started);
    if (status == STATUS_OK) {
        log_write(LOG_INFO, "app", "stopped", NULL);
        return 0;
    }
    log_write(LOG_ERROR, "app", "cannot serve", "why",
              fault.text[0] == '\0' ? status_text(status) : fault.text, NULL);
    return 1;
}

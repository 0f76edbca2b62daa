/* app/serve.c - the wiring: which room gets what, which thread runs what, and
 * the ways between the authority's lane and the gateway's. */
#include "serve.h"

#include <grp.h>
#include <pwd.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/authority.h"
#include "base/clock.h"
#include "base/log.h"
#include "gateway/gateway.h"
#include "metrics.h"

enum { DRAIN_MS = 10000, RATE_CELLS = 1 << 16, REPLAY_ENTRIES = 1 << 21 };

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
    struct replay_table *replays;
    struct nonce_source *nonces;
    int64_t started_at;
    struct gateway *gateway;
    struct gateway_ports gateway_ports;
    struct authority_ports authority_ports;
    struct lane *main; /* the authority's lane: this thread */
    struct worker *workers;
    unsigned worker_count;
    const char *own_addresses[2];      /* that the process listens on */
    struct slice gateway_addresses[2]; /* those that are not the gateway's own doors */
    char *socket_address;              /* "unix:DATA/writ.sock" */
    char *gateway_url;                 /* of the HTTP door, for resource indicators; NULL: none */
    size_t own_address_count, gateway_address_count;
    bool as_user; /* started as root: who it becomes */
    uid_t uid;
    gid_t gid;
    sem_t started;
    struct fault fault;
    enum status status;
};

/* --- between the lanes -------------------------------------------------- */

static uint64_t
enforced_everywhere(const struct server *server)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < server->worker_count; i++) {
        uint64_t seen = atomic_load(&server->workers[i].enforced);
        least = seen < least ? seen : least;
    }
    return least;
}

/* On the authority's lane. The flag falls before the count is taken, so that a
 * generation that comes in between sends a message of its own. */
static void
hear_enforced(struct lane_message *message)
{
    struct worker *worker = LANE_OWNER(message, struct worker, told);

    atomic_store(&worker->telling, false);
    authority_enforced(worker->server->authority, enforced_everywhere(worker->server));
}

/* On a worker's lane. */
static void
tell_enforced(void *app, unsigned lane_index, uint64_t generation)
{
    struct server *server = app;
    struct worker *worker = &server->workers[lane_index];

    atomic_store(&worker->enforced, generation);
    if (!atomic_exchange(&worker->telling, true)) {
        worker->told.run = hear_enforced;
        if (!lane_post(server->main, &worker->told))
            atomic_store(&worker->telling, false);
    }
}

static void
finish_claim(struct lane_message *message)
{
    struct use_claim *claim = LANE_OWNER(message, struct use_claim, message);

    claim->done(claim);
}

static void
carry_claim(struct lane_message *message)
{
    struct use_claim *claim = LANE_OWNER(message, struct use_claim, message);
    const struct server *server = claim->wiring;

    claim->status = authority_claim(server->authority, &claim->id, &claim->verdict);
    claim->message.run = finish_claim;
    /* A lane that has ended has cut its sessions: nobody waits any more. */
    (void)lane_post(claim->lane, &claim->message);
}

static void
ask_claim(void *app, struct use_claim *claim)
{
    struct server *server = app;

    claim->wiring = server;
    claim->message.run = carry_claim;
    if (lane_post(server->main, &claim->message))
        return;
    claim->status = STATUS_CLOSED;
    claim->message.run = finish_claim;
    (void)lane_post(claim->lane, &claim->message);
}

static void
announce(void *app, uint64_t generation)
{
    struct server *server = app;

    gateway_announce(server->gateway, generation);
}

static void
keep_head(void *context, const struct audit_head *head)
{
    struct server *server = context;

    authority_keep_head(server->authority, head);
}

/* --- what the authority asks of the rest -------------------------------- */

static void
write_metrics(void *app, struct buffer *out)
{
    struct server *server = app;

    metrics_write(server->gateway, server->audit, out);
}

static bool
is_ready(void *app, struct fault *why)
{
    struct server *server = app;
    struct audit_stats stats;

    audit_stats(server->audit, &stats);
    if (stats.failing) {
        (void)fault_set(why, STATUS_IO, "the audit can't be written: is the disk full?");
        return false;
    }
    if (lane_stopping(server->main)) {
        (void)fault_set(why, STATUS_CLOSED, "stopping");
        return false;
    }
    return true;
}

static enum status
check_upstream(void *app, const json_t *definition, struct fault *fault)
{
    return gateway_check_upstream(definition, fault);
}

static struct authority_settings
settings_of(const struct config *config)
{
    return (struct authority_settings){ .policy_files = (const char *const *)config->policy.items,
                                        .policy_file_count = config->policy.count,
                                        .default_ttl_ms = config->default_ttl,
                                        .max_ttl_ms = config->max_ttl,
                                        .max_line_ms = config->max_line };
}

/* A wrong configuration, or a wrong policy file, changes nothing. */
static enum status
reload(void *app, struct fault *fault)
{
    struct server *server = app;
    struct config next = { 0 };
    struct authority_settings settings;
    struct buffer text = { 0 };
    enum status status = config_read(server->config_path, &next, &text);

    if (status != STATUS_OK) {
        status =
            fault_set(fault, status, "%.*s",
                      SLICE_PRINT(slice_first(buffer_slice(&text), text.size - (text.size > 0))));
        buffer_free(&text);
        return status;
    }
    settings = settings_of(&next);
    status = authority_reload(server->authority, &settings, fault);
    gateway_reload_certificates(server->gateway);
    if (status == STATUS_OK) {
        config_restart(server->config, &next, &text);
        put_u8(&text, '\0');
        if (text.size > 1)
            log_write(LOG_WARN, "app", "these settings have changed and wait for a restart",
                      "settings", text.bytes, NULL);
        config_adopt(server->config, &next);
    }
    config_free(&next);
    buffer_free(&text);
    return status;
}

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
    authority_drain(server->authority);
    lane_stop(lane, DRAIN_MS);
}

static void
on_reload(struct lane *lane, int number, void *context)
{
    struct fault fault = { 0 };

    if (reload(context, &fault) == STATUS_OK)
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

/* --- who it runs as ------------------------------------------------------ */

/* As root with `user` set: data is the user's from its first file on, so that
 * nothing later needs root. Ports and private keys are opened as root. */
static enum status
act_as_user(struct server *server, struct fault *fault)
{
    const struct config *config = server->config;
    const struct passwd *entry;

    if (config->user == NULL || geteuid() != 0)
        return STATUS_OK;
    entry = getpwnam(config->user);
    if (entry == NULL)
        return fault_set(fault, STATUS_NOT_FOUND, "user: there is no user %s", config->user);
    server->as_user = true;
    server->uid = entry->pw_uid;
    server->gid = entry->pw_gid;
    if (mkdir(config->data, 0700) == 0 && chown(config->data, server->uid, server->gid) != 0)
        return fault_set(fault, STATUS_IO, "data: cannot give %s to %s", config->data,
                         config->user);
    if (setgroups(0, NULL) != 0 || setegid(server->gid) != 0 || seteuid(server->uid) != 0)
        return fault_set(fault, STATUS_DENIED, "user: cannot become %s", config->user);
    return STATUS_OK;
}

static enum status
act_as_root(const struct server *server, struct fault *fault)
{
    if (server->as_user && (seteuid(0) != 0 || setegid(0) != 0))
        return fault_set(fault, STATUS_DENIED, "user: cannot open ports as root");
    return STATUS_OK;
}

static enum status
drop_privileges(const struct server *server, struct fault *fault)
{
    const char *path = server->socket_address + sizeof "unix:" - 1;

    if (!server->as_user)
        return STATUS_OK;
    if (lchown(path, server->uid, server->gid) != 0 || setgid(server->gid) != 0 ||
        setuid(server->uid) != 0 || setuid(0) == 0)
        return fault_set(fault, STATUS_DENIED, "user: cannot become %s", server->config->user);
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
              config->http.listen == NULL ? none : config->http.listen, "data", config->data,
              "version", WRIT_VERSION, NULL);
    if (config->postgres.listen != NULL || config->redis.listen != NULL)
        log_write(LOG_WARN, "app", "this version has no postgres and redis doors: they stay shut",
                  NULL);
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
    if (server->status == STATUS_OK &&
        (lane_on_signal(lane, SIGTERM, on_stop, server) != STATUS_OK ||
         lane_on_signal(lane, SIGINT, on_stop, server) != STATUS_OK ||
         lane_on_signal(lane, SIGHUP, on_reload, server) != STATUS_OK))
        server->status = fault_set(fault, STATUS_INTERNAL, "cannot watch signals");
    if (server->status == STATUS_OK) {
        say_ready(server);
        return;
    }
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

static enum status
open_audit(struct server *server, struct fault *fault)
{
    const struct config *config = server->config;
    enum status status;
    char *dir;

    if (asprintf(&dir, "%s/audit", config->data) < 0)
        return STATUS_MEMORY;
    status = audit_open(
        &(struct audit_options){
            .dir = dir,
            .node = config->node,
            .mode = config->audit_mode[0] == 'l' ? AUDIT_LOSSY : AUDIT_STRICT,
            .retention_ms = config->audit_retention,
            .journals = server->worker_count + 1,
            .signer = authority_signer(server->authority),
            .keep_head = keep_head,
            .context = server,
        },
        &server->audit, fault);
    free(dir);
    return status;
}

static bool
nonce_required(const struct config *config)
{
    return strcmp(config->dpop_nonce, "required") == 0;
}

/* What clients see the HTTP door under: as configured, else where it listens. */
static enum status
name_gateway(struct server *server)
{
    const struct config_listen *http = &server->config->http;

    if (server->config->http_url != NULL)
        server->gateway_url = strdup(server->config->http_url);
    else if (http->listen == NULL)
        return STATUS_OK;
    else if (asprintf(&server->gateway_url, "%s://%s", http->cert == NULL ? "http" : "https",
                      http->listen) < 0)
        server->gateway_url = NULL;
    return server->gateway_url == NULL ? STATUS_MEMORY : STATUS_OK;
}

static enum status
open_authority(struct server *server, struct fault *fault)
{
    const struct config *config = server->config;
    enum status status = name_gateway(server);

    if (status != STATUS_OK)
        return status;
    if (config->authority.listen != NULL)
        server->own_addresses[server->own_address_count++] = config->authority.listen;
    if (config->http.listen != NULL)
        server->own_addresses[server->own_address_count++] = config->http.listen;
    server->authority_ports = (struct authority_ports){
        .app = server,
        .announce = announce,
        .metrics = write_metrics,
        .ready = is_ready,
        .reload = reload,
        .check_upstream = check_upstream,
    };
    return authority_open(
        &(struct authority_options){
            .data = config->data,
            .issuer = slice_text(config->issuer),
            .node = slice_text(config->node),
            .listen = slice_text(config->authority.listen),
            .tls_cert = config->authority.cert,
            .tls_key = config->authority.key,
            .tls_client_ca = config->authority.client_ca,
            .tls_client_cert = slice_text(config->authority.client_cert),
            .passphrase_file = config->passphrase_file,
            .settings = settings_of(config),
            .own_addresses = server->own_addresses,
            .own_address_count = server->own_address_count,
            .world = server->world,
            .ports = &server->authority_ports,
            .replays = server->replays,
            .rates = server->rates,
            .nonces = server->nonces,
            .nonce_required = nonce_required(config),
            .started_at = server->started_at,
            .gateway_url = slice_text(server->gateway_url),
            .trusted_proxies = config->trusted_proxies.items,
            .trusted_proxy_count = config->trusted_proxies.count,
            .client_calls = (uint32_t)config->client_calls,
            .address_calls = (uint32_t)config->address_calls,
        },
        &server->authority, fault);
}

static enum status
open_gateway(struct server *server, struct fault *fault)
{
    const struct config *config = server->config;
    const struct config_listen *http = &config->http;

    server->gateway_addresses[server->gateway_address_count++] = slice_text(server->socket_address);
    if (config->authority.listen != NULL)
        server->gateway_addresses[server->gateway_address_count++] =
            slice_text(config->authority.listen);
    server->gateway_ports = (struct gateway_ports){
        .app = server,
        .claim_use = ask_claim,
        .enforced = tell_enforced,
    };
    return gateway_new(
        &(struct gateway_options){
            .http = { .address = slice_text(http->listen),
                      .cert = http->cert,
                      .key = http->key,
                      .client_ca = http->client_ca,
                      .client_cert = slice_text(http->client_cert),
                      .insecure = http->insecure },
            .trusted_proxies = config->trusted_proxies.items,
            .trusted_proxy_count = config->trusted_proxies.count,
            .node = config->node,
            .issuer = slice_text(config->issuer),
            .world = server->world,
            .audit = server->audit,
            .audit_mode = config->audit_mode[0] == 'l' ? AUDIT_LOSSY : AUDIT_STRICT,
            .rates = server->rates,
            .replays = server->replays,
            .nonces = server->nonces,
            .nonce_required = nonce_required(config),
            .started_at = server->started_at,
            .http_url = slice_text(config->http_url),
            .ports = &server->gateway_ports,
            .lanes = server->worker_count,
            .connections_max = config->connections,
            .own_addresses = server->gateway_addresses,
            .own_address_count = server->gateway_address_count,
        },
        &server->gateway, fault);
}

/* Proofs of possession are remembered from now on. A node that served before may have
 * accepted some in the second that is under way, and those of clients a second ahead. */
static int64_t
remembers_from(const char *data)
{
    struct stat about;
    char *audit;
    bool served_before = true;

    if (asprintf(&audit, "%s/audit", data) >= 0) {
        served_before = stat(audit, &about) == 0;
        free(audit);
    }
    return served_before ? (clock_wall_ms() / 1000 + 2) * 1000 : 0;
}

static enum status
open_rooms(struct server *server, struct fault *fault)
{
    enum status status = world_new(&server->world);

    server->started_at = remembers_from(server->config->data);
    if (status == STATUS_OK &&
        asprintf(&server->socket_address, "unix:%s/writ.sock", server->config->data) < 0) {
        server->socket_address = NULL;
        status = STATUS_MEMORY;
    }
    if (status == STATUS_OK)
        status = act_as_user(server, fault);
    if (status == STATUS_OK)
        status = rate_table_new(RATE_CELLS, &server->rates);
    if (status == STATUS_OK)
        status = replay_table_new(REPLAY_ENTRIES, &server->replays);
    if (status == STATUS_OK)
        status = nonce_source_new(slice_text(server->config->node), &server->nonces);
    if (status == STATUS_OK)
        status = open_authority(server, fault);
    if (status == STATUS_OK)
        status = open_audit(server, fault);
    if (status == STATUS_OK)
        status = act_as_root(server, fault);
    if (status == STATUS_OK)
        status = open_gateway(server, fault);
    return status;
}

/* In the reverse order of the opening; the lanes have ended. */
static void
close_rooms(struct server *server)
{
    for (unsigned i = 0; i < server->worker_count; i++)
        lane_free(server->workers[i].lane);
    if (server->authority != NULL)
        authority_settle(server->authority);
    if (server->gateway != NULL)
        gateway_free(server->gateway);
    if (server->audit != NULL)
        audit_close(server->audit);
    if (server->authority != NULL)
        authority_close(server->authority);
    lane_free(server->main);
    rate_table_free(server->rates);
    replay_table_free(server->replays);
    nonce_source_free(server->nonces);
    if (server->world != NULL)
        world_free(server->world);
    free(server->workers);
    free(server->socket_address);
    free(server->gateway_url);
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
    status = open_rooms(&server, &fault);
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
    close_rooms(&server);
    sem_destroy(&server.started);
    if (status == STATUS_OK) {
        log_write(LOG_INFO, "app", "stopped", NULL);
        return 0;
    }
    log_write(LOG_ERROR, "app", "cannot serve", "why",
              fault.text[0] == '\0' ? status_text(status) : fault.text, NULL);
    return 1;
}

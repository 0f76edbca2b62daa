/* app/rooms.c - opens every room with what it needs of the others, and closes them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "server.h"

#define RECORDING_MOST (UINT64_C(4) << 30)
enum { RATE_CELLS = 1 << 16, BUDGET_CELLS = 1 << 16, REPLAY_ENTRIES = 1 << 21 };

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
            .journals = server->worker_count + 2, /* the authority's, the recorder's */
            .signer = authority_signer(server->authority),
            .keep_head = ports_keep_head,
            .context = server,
        },
        &server->audit, fault);
    free(dir);
    return status;
}

/* Also where none are made any more: those that were can be read. */
static enum status
name_recordings(struct server *server)
{
    const struct config *config = server->config;

    if (config->recordings_dir != NULL)
        server->recordings = strdup(config->recordings_dir);
    else if (asprintf(&server->recordings, "%s/recordings", config->data) < 0)
        server->recordings = NULL;
    return server->recordings == NULL ? STATUS_MEMORY : STATUS_OK;
}

static enum status
open_recorder(struct server *server, struct fault *fault)
{
    const struct config *config = server->config;
    struct recorder_options options = {
        .dir = server->recordings,
        .input = config->recordings_input,
        .strict = config->audit_mode[0] != 'l',
        .max_size = RECORDING_MOST,
        .journal = audit_journal_of(server->audit, server->worker_count + 1),
    };
    enum status status = STATUS_OK;

    if (config->recordings_retention > 0)
        status = recordings_keeper_open(server->recordings, config->recordings_retention,
                                        &server->keeper);
    if (status != STATUS_OK || strcmp(config->recordings_mode, "off") == 0)
        return status;
    status = authority_record_master(server->authority, &options.master);
    if (status == STATUS_OK)
        status = recorder_open(&options, &server->recorder, fault);
    secret_wipe(&options.master, sizeof options.master);
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

static void
own_listens(struct server *server, const struct config_listen *listen)
{
    if (listen->listen != NULL)
        server->own_addresses[server->own_address_count++] = listen->listen;
}

static bool
is_fleet(const struct config *config)
{
    return strcmp(config->store_type, "postgres") == 0;
}

static enum status
open_authority(struct server *server, struct fault *fault)
{
    const struct config *config = server->config;
    enum status status = name_gateway(server);

    if (status == STATUS_OK)
        status = name_recordings(server);
    if (status != STATUS_OK)
        return status;
    own_listens(server, &config->authority);
    own_listens(server, &config->http);
    own_listens(server, &config->postgres);
    own_listens(server, &config->redis);
    return authority_open(
        &(struct authority_options){
            .data = config->data,
            .recordings = server->recordings,
            .issuer = slice_text(config->issuer),
            .node = slice_text(config->node),
            .listen = slice_text(config->authority.listen),
            .tls_cert = config->authority.cert,
            .tls_key = config->authority.key,
            .tls_client_ca = config->authority.client_ca,
            .tls_client_cert = slice_text(config->authority.client_cert),
            .passphrase_file = config->passphrase_file,
            .store_url = is_fleet(config) ? config->store_url : NULL,
            .staleness_ms = config->fleet_staleness,
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
            .trusted = { config->trusted_proxies.items, config->trusted_proxies.count },
            .client_calls = (uint32_t)config->client_calls,
            .address_calls = (uint32_t)config->address_calls,
            .webhook = { .url = config->webhook.url,
                         .secret_file = config->webhook.secret_file,
                         .ca = config->webhook.ca,
                         .insecure = config->webhook.insecure },
        },
        &server->authority, fault);
}

static struct door_listen
door_of(const struct config_listen *listen)
{
    return (struct door_listen){
        .address = slice_text(listen->listen),
        .cert = listen->cert,
        .key = listen->key,
        .client_ca = listen->client_ca,
        .client_cert = slice_text(listen->client_cert),
        .insecure = listen->insecure,
    };
}

static enum status
open_gateway(struct server *server, struct fault *fault)
{
    const struct config *config = server->config;

    server->gateway_addresses[server->gateway_address_count++] = slice_text(server->socket_address);
    if (config->authority.listen != NULL)
        server->gateway_addresses[server->gateway_address_count++] =
            slice_text(config->authority.listen);
    return gateway_new(
        &(struct gateway_options){
            .doors = { [DOOR_HTTP] = door_of(&config->http),
                       [DOOR_POSTGRES] = door_of(&config->postgres),
                       [DOOR_REDIS] = door_of(&config->redis) },
            .trusted = { config->trusted_proxies.items, config->trusted_proxies.count },
            .node = config->node,
            .issuer = slice_text(config->issuer),
            .world = server->world,
            .audit = server->audit,
            .audit_mode = config->audit_mode[0] == 'l' ? AUDIT_LOSSY : AUDIT_STRICT,
            .rates = server->rates,
            .budgets = server->budgets,
            .replays = server->replays,
            .nonces = server->nonces,
            .nonce_required = nonce_required(config),
            .started_at = server->started_at,
            .http_url = slice_text(config->http_url),
            .recorder = server->recorder,
            .ports = &server->gateway_ports,
            .lanes = server->worker_count,
            .connections_max = config->connections,
            .own_addresses = server->gateway_addresses,
            .own_address_count = server->gateway_address_count,
            .stdio_dir = server->stdio_dir,
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

enum status
rooms_open(struct server *server, struct fault *fault)
{
    enum status status = world_new(&server->world);

    server->started_at = remembers_from(server->config->data);
    ports_fill(server);
    if (status == STATUS_OK &&
        asprintf(&server->socket_address, "unix:%s/writ.sock", server->config->data) < 0) {
        server->socket_address = NULL;
        status = STATUS_MEMORY;
    }
    /* Before there is a thread, a key, or another user. */
    if (status == STATUS_OK)
        status = launcher_start(server->config, &server->launcher, fault);
    if (status == STATUS_OK && server->launcher.pid != 0 &&
        asprintf(&server->stdio_dir, "%s/stdio", server->config->data) < 0) {
        server->stdio_dir = NULL;
        status = STATUS_MEMORY;
    }
    if (status == STATUS_OK)
        status = act_as_user(server, fault);
    if (status == STATUS_OK)
        status = rate_table_new(RATE_CELLS, &server->rates);
    if (status == STATUS_OK)
        status = budget_table_new(BUDGET_CELLS, &server->budgets);
    if (status == STATUS_OK)
        status = replay_table_new(REPLAY_ENTRIES, &server->replays);
    if (status == STATUS_OK)
        status = nonce_source_new(slice_text(server->config->node), &server->nonces);
    if (status == STATUS_OK)
        status = open_authority(server, fault);
    if (status == STATUS_OK)
        status = open_audit(server, fault);
    if (status == STATUS_OK)
        status = open_recorder(server, fault);
    if (status == STATUS_OK)
        status = act_as_root(server, fault);
    if (status == STATUS_OK)
        status = open_gateway(server, fault);
    /* A node of a fleet lets nothing through before it takes part. */
    if (status == STATUS_OK && is_fleet(server->config))
        gateway_lease(server->gateway, 1);
    return status;
}

/* In the reverse order of the opening; the lanes have ended. */
void
rooms_close(struct server *server)
{
    launcher_stop(&server->launcher);
    for (unsigned i = 0; i < server->worker_count; i++)
        lane_free(server->workers[i].lane);
    if (server->authority != NULL)
        authority_settle(server->authority);
    if (server->gateway != NULL)
        gateway_free(server->gateway);
    recorder_close(server->recorder);
    recordings_keeper_close(server->keeper);
    if (server->audit != NULL)
        audit_close(server->audit);
    if (server->authority != NULL)
        authority_close(server->authority);
    lane_free(server->main);
    rate_table_free(server->rates);
    budget_table_free(server->budgets);
    replay_table_free(server->replays);
    nonce_source_free(server->nonces);
    if (server->world != NULL)
        world_free(server->world);
    free(server->workers);
    free(server->socket_address);
    free(server->gateway_url);
    free(server->recordings);
    free(server->stdio_dir);
}

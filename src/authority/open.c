/* authority/open.c - from the store to a world that can be served, and back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "internal.h"
#include "webhook.h"

#include "proof/certificate.h"
#include "proof/dpop.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/lane.h"
#include "net/tls.h"

struct loading {
    struct authority *authority;
    struct fault *fault;
};

static enum status
load_one(void *context, const struct change *change)
{
    struct loading *loading = context;
    enum status status = STATUS_OK;

    if (change->kind == CHANGE_KEY_PUT)
        status = keys_take(loading->authority, change, loading->fault);
    if (status == STATUS_OK)
        status = world_load(loading->authority->world, change);
    return status;
}

static enum status
make_paths(struct authority *authority, struct fault *fault)
{
    const char *data = authority->options.data;
    struct stat about;

    if (mkdir(data, 0700) != 0 && errno != EEXIST)
        return fault_set(fault, STATUS_IO, "data: cannot make %s: %s", data, strerror(errno));
    if (stat(data, &about) != 0 || !S_ISDIR(about.st_mode))
        return fault_set(fault, STATUS_IO, "data: %s is no directory", data);
    if ((about.st_mode & 0022) != 0)
        return fault_set(fault, STATUS_DENIED,
                         "data: others may write %s; make it yours alone (chmod 700)", data);
    if (asprintf(&authority->socket_path, "%s/writ.sock", data) < 0)
        authority->socket_path = NULL;
    if (asprintf(&authority->store_path, "%s/writ.db", data) < 0)
        authority->store_path = NULL;
    return authority->socket_path == NULL || authority->store_path == NULL ? STATUS_MEMORY
                                                                           : STATUS_OK;
}

static enum status
load(struct authority *authority, struct fault *fault)
{
    struct loading loading = { .authority = authority, .fault = fault };
    enum status status = store_open(&(struct store_options){ .path = authority->store_path,
                                                             .url = authority->options.store_url },
                                    &authority->store, fault);

    if (status == STATUS_OK)
        status = fleet_open(authority, fault);
    if (status == STATUS_OK)
        status = builtin_load(authority);
    if (status == STATUS_OK)
        status = store_load(authority->store, load_one, &loading, fault);
    if (status == STATUS_OK)
        status = world_loaded(authority->world, fault);
    return status;
}

enum status
authority_open(const struct authority_options *options, struct authority **out, struct fault *fault)
{
    struct authority *authority = calloc(1, sizeof *authority);
    uint64_t started = clock_mono_us();
    char count[24], took[24];
    enum status status;

    if (authority == NULL)
        return STATUS_MEMORY;
    authority->options = *options;
    authority->world = options->world;
    authority->heads = heads_new();
    status = authority->heads == NULL ? STATUS_MEMORY : make_paths(authority, fault);
    if (status == STATUS_OK)
        status = keys_open(authority, fault);
    if (status == STATUS_OK)
        status = load(authority, fault);
    if (status == STATUS_OK)
        status = keys_ready(authority, fault);
    if (status == STATUS_OK)
        status = apply_files(authority, &authority->options.settings, false, fault);
    if (status == STATUS_OK)
        status = world_reader_new(authority->world, &authority->reader);
    if (status == STATUS_OK)
        status = dpop_verifier_new(&authority->dpop);
    if (status == STATUS_OK)
        status = certificate_prover_new(&authority->certificates);
    if (status == STATUS_OK)
        status = webhook_open(authority, fault);
    if (status != STATUS_OK) {
        if (fault->text[0] == '\0')
            (void)fault_set(fault, status, "the store can't be opened: %s", status_text(status));
        authority_close(authority);
        return status;
    }
    snprintf(count, sizeof count, "%zu", world_token_count(authority->world));
    snprintf(took, sizeof took, "%llu", (unsigned long long)(clock_mono_us() - started) / 1000);
    log_write(LOG_INFO, "authority", "store loaded", "tokens", count, "ms", took, NULL);
    *out = authority;
    return STATUS_OK;
}

const struct signer *
authority_signer(const struct authority *authority)
{
    return authority->keys.signer;
}

enum status
authority_attach(struct authority *authority, struct lane *lane, struct audit *audit,
                 struct audit_journal *journal, struct fault *fault)
{
    enum status status;

    authority->lane = lane;
    authority->audit = audit;
    authority->journal = journal;
    status = webhook_start(authority->webhook, fault);
    if (status == STATUS_OK)
        status = server_open(authority, fault);
    if (status == STATUS_OK)
        status = housekeeping_start(authority);
    if (status == STATUS_OK)
        status = fleet_start(authority);
    return status;
}

void
authority_enforced(struct authority *authority, uint64_t generation)
{
    if (generation > authority->enforced) {
        authority->enforced = generation;
        fleet_enforced(authority);
        server_enforced(authority);
    }
}

/* On top of what other nodes did meanwhile, unless they used one of the lines: that may have
 * been the last use. */
static enum status
commit_claim(struct authority *authority, const struct change *changes, size_t count)
{
    enum status status;

    authority->claim = (struct claim_watch){ .changes = changes, .count = count };
    do {
        status = authority_commit_once(authority, changes, count, NULL, NULL);
    } while (status == STATUS_BEHIND && fleet_follow(authority, NULL) == STATUS_OK &&
             !authority->claim.contested);
    authority->claim = (struct claim_watch){ 0 };
    return status;
}

/* Every line that a claim counted is durable before the upstream is opened. */
enum status
authority_claim(struct authority *authority, const struct token_id *id, enum use_verdict *verdict)
{
    struct token_id lines[TOKEN_DEPTH_MAX];
    struct change changes[TOKEN_DEPTH_MAX];
    size_t count = 0;
    int64_t now = clock_wall_ms();
    enum use_verdict answer = world_claim(authority->world, id, now, lines, &count);
    enum status status = STATUS_OK;

    for (size_t i = 0; answer == USE_TAKEN && i < count; i++) {
        struct world_token_info info;

        if (!world_token(authority->world, &lines[i], now, &info))
            return STATUS_NOT_FOUND;
        changes[i] = (struct change){
            .kind = CHANGE_LINE_USED, .at = now, .id = lines[i], .uses = info.life.uses
        };
    }
    /* When it can't be made durable the use is lost, never given twice. */
    if (answer == USE_TAKEN && count > 0)
        status = commit_claim(authority, changes, count);
    if (status == STATUS_BEHIND) {
        answer = USE_EXHAUSTED;
        status = STATUS_OK;
    }
    if (status == STATUS_OK)
        *verdict = answer;
    return status;
}

enum status
authority_reload(struct authority *authority, const struct authority_settings *settings,
                 struct fault *fault)
{
    enum status status = apply_files(authority, settings, true, fault);
    struct fault why = { 0 };

    if (authority->tls != NULL && tls_server_reload(authority->tls, &why) != STATUS_OK)
        log_write(LOG_ERROR, "authority",
                  "the API's certificate was not read again: the old one stays", "why", why.text,
                  NULL);
    if (status == STATUS_OK)
        authority->options.settings = *settings;
    return status;
}

void
authority_drain(struct authority *authority)
{
    server_drain(authority);
    approvals_stop(&authority->approvals);
    housekeeping_flush(authority);
    housekeeping_stop(authority);
    fleet_stop(authority);
}

void
authority_detach(struct authority *authority)
{
    server_detach(authority);
}

void
authority_settle(struct authority *authority)
{
    server_settle(authority);
    /* What others change while the last uses are written has nobody to be told to. */
    authority->lane = NULL;
    fleet_leave(authority);
}

void
authority_close(struct authority *authority)
{
    server_close(authority);
    approvals_free(&authority->approvals);
    webhook_close(authority->webhook);
    tools_free(&authority->tools);
    if (authority->reader != NULL)
        world_reader_free(authority->reader);
    if (authority->store != NULL) {
        housekeeping_flush(authority);
        store_close(authority->store);
    }
    fleet_free(authority->fleet);
    dpop_verifier_free(authority->dpop);
    certificate_prover_free(authority->certificates);
    keys_close(&authority->keys);
    heads_free(authority->heads);
    handover_free(&authority->handovers);
    free(authority->socket_path);
    free(authority->store_path);
    free(authority);
}

/* app/ports.c - the ways between the rooms: what the gateway's lanes and the authority's
 * ask of each other, and what the authority asks of the rest. */
#include "server.h"

#include "base/log.h"
#include "gateway/sessions.h"
#include "metrics.h"

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
finish_approval(struct lane_message *message)
{
    struct approval_ask *ask = LANE_OWNER(message, struct approval_ask, message);

    ask->done(ask);
}

static void
answer_approval(void *context, enum approval_answer answer, struct slice words)
{
    static const enum approval_verdict verdicts[] = {
        [ANSWER_APPROVED] = APPROVAL_GIVEN,
        [ANSWER_REFUSED] = APPROVAL_REFUSED,
        [ANSWER_UNASKED] = APPROVAL_UNASKED,
    };
    struct approval_ask *ask = context;

    ask->verdict = verdicts[answer];
    snprintf(ask->words, sizeof ask->words, "%.*s", SLICE_PRINT(words));
    ask->message.run = finish_approval;
    /* A lane that has ended has no passages any more. */
    (void)lane_post(ask->lane, &ask->message);
}

static void
carry_approval(struct lane_message *message)
{
    struct approval_ask *ask = LANE_OWNER(message, struct approval_ask, message);
    const struct server *server = ask->wiring;
    const struct approval_question question = {
        .token = ask->token,
        .subject = ask->subject,
        .chain = ask->chain,
        .upstream = ask->resource,
        .action = ask->action,
        .object = ask->object,
        .right = ask->right,
        .agent = ask->agent,
        .call = ask->call,
        .peer = ask->peer,
        .by = ask->wanted.by,
        .within_ms = ask->wanted.within_ms,
        .for_ms = ask->wanted.for_ms,
        .gone = &ask->gone,
        .context = ask,
        .answered = answer_approval,
    };

    authority_ask_approval(server->authority, &question);
}

static void
ask_approval(void *app, struct approval_ask *ask)
{
    struct server *server = app;

    ask->wiring = server;
    ask->message.run = carry_approval;
    if (!lane_post(server->main, &ask->message))
        answer_approval(ask, ANSWER_UNASKED, SLICE_LITERAL("this node is stopping"));
}

static void
carry_sight(struct lane_message *message)
{
    struct tool_sight *sight = LANE_OWNER(message, struct tool_sight, message);
    const struct server *server = sight->wiring;

    authority_see_tool(server->authority, &(struct tool_said){ .upstream = sight->upstream,
                                                               .tool = sight->tool,
                                                               .definition = sight->definition,
                                                               .digest = sight->digest });
    sight->done(sight);
}

static void
see_tool(void *app, struct tool_sight *sight)
{
    struct server *server = app;

    sight->wiring = server;
    sight->message.run = carry_sight;
    if (!lane_post(server->main, &sight->message))
        sight->done(sight);
}

static void
lease(void *app, uint64_t until_us)
{
    struct server *server = app;

    gateway_lease(server->gateway, until_us);
}

static void
announce(void *app, uint64_t generation)
{
    struct server *server = app;

    gateway_announce(server->gateway, generation);
    stdio_follow(server);
}

void
ports_keep_head(void *context, const struct audit_head *head)
{
    struct server *server = context;

    authority_keep_head(server->authority, head);
}

/* --- what the authority asks of the rest -------------------------------- */

static void
write_metrics(void *app, struct buffer *out)
{
    struct server *server = app;

    metrics_write(server->gateway, server->audit, server->recorder, out);
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

static enum status
look_at_sessions(void *app, const struct session_ask *ask, struct buffer *out)
{
    struct server *server = app;

    return gateway_sessions(
        server->gateway,
        &(struct session_question){
            .id = ask->id, .subject = ask->subject, .upstream = ask->upstream, .cut = ask->cut },
        out);
}

struct authority_settings
settings_of(const struct config *config)
{
    return (struct authority_settings){ .policy_files = (const char *const *)config->policy.items,
                                        .policy_file_count = config->policy.count,
                                        .default_ttl_ms = config->default_ttl,
                                        .max_ttl_ms = config->max_ttl,
                                        .max_line_ms = config->max_line };
}

/* A wrong configuration, or a wrong policy file, changes nothing. */
enum status
server_reload(struct server *server, struct fault *fault)
{
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

static enum status
reload(void *app, struct fault *fault)
{
    return server_reload(app, fault);
}

void
ports_fill(struct server *server)
{
    server->authority_ports = (struct authority_ports){
        .app = server,
        .announce = announce,
        .lease = lease,
        .metrics = write_metrics,
        .ready = is_ready,
        .reload = reload,
        .check_upstream = check_upstream,
        .sessions = look_at_sessions,
    };
    server->gateway_ports = (struct gateway_ports){
        .app = server,
        .claim_use = ask_claim,
        .ask_approval = ask_approval,
        .see_tool = see_tool,
        .enforced = tell_enforced,
    };
}

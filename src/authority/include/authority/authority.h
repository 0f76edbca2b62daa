/* authority/authority.h - the authority as the program's wiring sees it: the
 * one writer of the world and the store, the management API, the local socket. */
#ifndef WRIT_AUTHORITY_AUTHORITY_H
#define WRIT_AUTHORITY_AUTHORITY_H

#include <stdatomic.h>

#include "audit/audit.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/secret.h"
#include "http/forwarded.h"
#include "meter/rate.h"
#include "meter/replay.h"
#include "net/lane.h"
#include "proof/nonce.h"
#include "world/world.h"

struct authority;

/* Which open sessions are meant, and whether they are to be ended. */
struct session_ask {
    uint64_t id;                    /* 0: any */
    struct slice subject, upstream; /* empty: any */
    bool cut;
};

/* A request that waits for somebody's yes. Texts are borrowed for the call that asks. */
enum approval_answer {
    ANSWER_APPROVED,
    ANSWER_REFUSED, /* by somebody who may, or because nobody approved in time */
    ANSWER_UNASKED, /* too many wait, or the node is stopping */
};
struct approval_question {
    struct slice token, subject;
    struct slice chain; /* whom the token acts for: "amara/ID nightly/ID" */
    struct slice upstream, action, object, right, agent;
    struct slice call; /* the very request, for people to read */
    struct ip peer;
    struct slice by; /* roles with blanks between: a holder of one of them approves */
    int64_t within_ms;
    int64_t for_ms;          /* 0: for this call alone; else for the right, that long */
    int64_t grant_ms;        /* no call: the role `object` is asked for, for so long; else 0 */
    const atomic_bool *gone; /* set when nobody waits any more */
    void *context;
    void (*answered)(void *context, enum approval_answer answer, struct slice words);
};

/* What a server said of one of its tools, where tools are pinned. Borrowed for the call. */
enum { TOOL_DIGEST_SIZE = PIN_DIGEST_SIZE };
struct tool_said {
    struct slice upstream, tool, definition;
    const uint8_t *digest;
};

/* What the authority needs of the rest of the program. */
struct authority_ports {
    void *app;
    /* Open sessions are looked at again on every lane; the wiring calls
     * authority_enforced (on the authority's lane) when all have done so. */
    void (*announce)(void *app, uint64_t generation);
    /* The lanes may let requests through until then (clock_boot_us), on what they know. Not
     * called where the store is this node's alone. */
    void (*lease)(void *app, uint64_t until_us);
    /* Appends "name value" lines (Prometheus text format) of other rooms. */
    void (*metrics)(void *app, struct buffer *out);
    /* True when every lane serves and no room is failing; else why not. */
    bool (*ready)(void *app, struct fault *why);
    /* The configuration is to be read again (SIGHUP does the same). */
    enum status (*reload)(void *app, struct fault *fault);
    /* Can a door serve this upstream? INVALID with the member at fault. */
    enum status (*check_upstream)(void *app, const json_t *definition, struct fault *fault);
    /* Appends what was found as JSON objects, a comma between them. Called on a thread that
     * may wait. */
    enum status (*sessions)(void *app, const struct session_ask *ask, struct buffer *out);
};

/* What may change while it runs. Borrowed. */
struct authority_settings {
    const char *const *policy_files;
    size_t policy_file_count;
    int64_t default_ttl_ms, max_ttl_ms, max_line_ms;
};

/* Who is told of approvals. Borrowed. */
struct authority_webhook {
    const char *url; /* NULL: nobody */
    const char *secret_file;
    const char *ca; /* NULL: the system's */
    bool insecure;  /* http, beyond this machine */
};

struct authority_options {
    const char *data;       /* the data directory, made when absent, mode 0700 */
    const char *recordings; /* where this node's recorded sessions lie */
    struct slice issuer;    /* public URL of the API */
    struct slice node;
    struct slice listen;            /* "127.0.0.1:7800"; empty: the socket alone */
    const char *tls_cert, *tls_key; /* NULL: clear */
    const char *tls_client_ca;      /* NULL: none */
    struct slice tls_client_cert;   /* "none" "request" "require" */
    const char *passphrase_file;    /* NULL: data/key */
    const char *store_url;          /* NULL: the embedded store */
    int64_t staleness_ms;           /* how old a view a node of a fleet may act on */
    struct authority_settings settings;
    /* Every address the process listens on, "host:port": no upstream may be one. */
    const char *const *own_addresses;
    size_t own_address_count;
    struct world *world;
    const struct authority_ports *ports;
    /* Proofs of possession and limits, shared with the gateway's lanes. */
    struct replay_table *replays;
    struct rate_table *rates;
    const struct nonce_source *nonces;
    bool nonce_required;
    int64_t started_at; /* wall ms */
    /* The URL that clients see the HTTP door under, to which a resource indicator adds an
     * upstream's name (RFC 8707); empty: there is none. */
    struct slice gateway_url;
    struct trusted_proxies trusted;       /* whose forwarding fields are believed */
    uint32_t client_calls, address_calls; /* of the OAuth endpoints, a minute */
    struct authority_webhook webhook;
};

/* Opens the store, unseals or makes the keys, loads the world, applies the policy
 * files when their digest is new to this store. No thread yet. */
enum status authority_open(const struct authority_options *options, struct authority **out,
                           struct fault *fault) WRIT_MUST_USE;
/* Under what recordings are sealed (record/file.h). */
enum status authority_record_master(const struct authority *authority,
                                    struct secret *out) WRIT_MUST_USE;
const struct signer *authority_signer(const struct authority *authority);
/* The audit's kept head; callable on the audit's thread: handed over to the lane. */
void authority_keep_head(struct authority *authority, const struct audit_head *head);
/* Opens the API's listeners and data/writ.sock on the lane; called on its thread. */
enum status authority_attach(struct authority *authority, struct lane *lane, struct audit *audit,
                             struct audit_journal *journal, struct fault *fault) WRIT_MUST_USE;

/* --- on the authority's lane ------------------------------------------- */

/* All lanes enforce this generation: revokes that wait for it are answered. */
void authority_enforced(struct authority *authority, uint64_t generation);
/* A durable claim of a one-time use. *verdict is set when OK. */
enum status authority_claim(struct authority *authority, const struct token_id *id,
                            enum use_verdict *verdict) WRIT_MUST_USE;
/* Answered once, now or later. */
void authority_ask_approval(struct authority *authority, const struct approval_question *question);
/* For people, who approve it. */
void authority_see_tool(struct authority *authority, const struct tool_said *said);
/* Applies the policy files of these settings, all or nothing, and reads the
 * certificate again. When OK the settings are in force, and borrowed from then on. */
enum status authority_reload(struct authority *authority, const struct authority_settings *settings,
                             struct fault *fault) WRIT_MUST_USE;
/* Stops accepting, answers what is in hand, makes uses and the audit's head durable. */
void authority_drain(struct authority *authority);
/* In the lane's end hook: lets go of what hangs on the lane. */
void authority_detach(struct authority *authority);

/* --- when its lane has stopped ------------------------------------------- */

/* Waits for what still works on threads of its own and ends the lines of calls that
 * found no answer; before the audit is closed. */
void authority_settle(struct authority *authority);
void authority_close(struct authority *authority);

#endif

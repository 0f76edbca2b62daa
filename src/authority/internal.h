/* authority/internal.h - the authority from the inside: its one struct, the one
 * way a change happens, and the shape of an API handler. */
#ifndef WRIT_AUTHORITY_INTERNAL_H
#define WRIT_AUTHORITY_INTERNAL_H

#include <stdatomic.h>

#include "approvals.h"
#include "authority/authority.h"
#include "base/clock.h"
#include "base/json.h"
#include "change/change.h"
#include "crypto/key.h"
#include "http/api.h"
#include "http/head.h"
#include "net/timer.h"
#include "store/store.h"
#include "tools.h"

struct listener;
struct api_call;
struct dpop_verifier;
struct certificate_prover;
struct webhook;

/* --- keys (keys.c) ------------------------------------------------------ */

struct private_key;

/* One that signs JWTs. */
enum { JWT_KEYS_MAX = KEYRING_MAX, JWT_KID_SIZE = 43 };
struct jwt_key {
    char kid[JWT_KID_SIZE + 1]; /* its thumbprint */
    struct private_key *pair;
    int64_t until; /* when retired: then no token that it signed lives; TIME_NEVER: active */
};

struct keys {
    struct secret sealing;
    struct ring_key ring[KEYRING_MAX];
    size_t ring_count;
    struct jwt_key jwt[JWT_KEYS_MAX];
    size_t jwt_count;
    struct keyring_state *state; /* of the authority's thread */
    struct signer *signer;       /* of the audit */
    uint8_t signer_public[32];
};

/* Reads the sealing key (made when absent), collects KEY_PUT changes while the
 * store loads, makes the first keys of a new store. */
enum status keys_open(struct authority *authority, struct fault *fault) WRIT_MUST_USE;
enum status keys_take(struct authority *authority, const struct change *put,
                      struct fault *fault) WRIT_MUST_USE;
enum status keys_ready(struct authority *authority, struct fault *fault) WRIT_MUST_USE;
/* A new newest key; older ones verify until housekeeping drops them. */
enum status keys_rotate(struct authority *authority, uint8_t *kid,
                        struct fault *fault) WRIT_MUST_USE;
/* Drops retired keys that no live token was made with: used says which kids have one. */
void keys_tidy(struct authority *authority, const bool used[UINT8_MAX + 1]);
void keys_close(struct keys *keys);
/* The ring as it is now, seen by every lane. */
enum status keys_publish(struct authority *authority) WRIT_MUST_USE;
/* One key as the change that stores it; sealed holds the body. */
enum status keys_seal(const struct keys *keys, struct slice name, struct slice plain,
                      struct buffer *sealed, struct change *out) WRIT_MUST_USE;

/* A key that another node made, retired or dropped; keys_publish makes it count. */
enum status keys_follow(struct authority *authority, const struct change *change) WRIT_MUST_USE;

/* jwt_keys.c: "jwt/KID" of the store. */
bool jwt_key_name(struct slice name);
enum status jwt_keys_take(struct keys *keys, const struct change *put,
                          struct slice plain) WRIT_MUST_USE;
void jwt_keys_forget(struct keys *keys, struct slice name);
/* LIMIT when no further key has room. */
enum status jwt_keys_room(struct authority *authority, struct fault *fault) WRIT_MUST_USE;
/* A new active key; the one before verifies until no token of it lives. */
enum status jwt_keys_rotate(struct authority *authority, struct fault *fault) WRIT_MUST_USE;
const struct jwt_key *jwt_key_active(struct keys *keys); /* NULL before the first */
void jwt_keys_tidy(struct authority *authority, int64_t now);
void jwt_keys_close(struct keys *keys);

/* --- the authority ------------------------------------------------------ */

struct authority_counters {
    uint64_t issued, rotated, revoked, applied, calls, refused, commits, commit_us;
    uint64_t followed; /* changes that other nodes made */
};

/* How long revocations took to hold (enforced.c). */
enum { ENFORCED_BUCKETS = 13, ENFORCED_PENDING = 64 };
struct enforced_times {
    uint64_t buckets[ENFORCED_BUCKETS], sum_us;
};
struct enforced_pending {
    uint64_t seq, started_us;
};
struct enforced {
    struct enforced_times node, fleet;
    struct enforced_pending pending[ENFORCED_PENDING]; /* not everywhere yet */
    size_t pending_count;
};

/* Tokens that were rotated a while ago and live on (handover.c). */
struct handover;
struct handovers {
    struct handover *items;
    size_t count, capacity;
};

/* Uses that are being made durable, and whether another node used the same lines meanwhile. */
struct claim_watch {
    const struct change *changes;
    size_t count;
    bool contested;
};

/* Tokens that were asked for in this turn (batch.c). */
struct api_answer;
struct issuing;
enum { BATCH_MAX = 256 };
struct batch {
    struct issuing *items[BATCH_MAX];
    size_t count;
};

struct authority {
    struct authority_options options; /* borrowed texts */
    char *socket_path;
    char *store_path;
    struct store *store;
    struct world *world;
    struct world_reader *reader;
    struct keys keys;
    struct lane *lane; /* NULL: not attached yet, or the lanes have ended */
    struct audit *audit;
    struct audit_journal *journal;
    struct http_server *local, *remote; /* of the socket, of the TCP listener */
    struct http_api local_api, remote_api;
    struct listener *local_listener, *remote_listener;
    struct tls_server *tls;
    uint64_t announced;           /* the newest generation that lanes were told of */
    uint64_t enforced;            /* the generation that all lanes work on */
    atomic_uint working;          /* jobs on threads of their own */
    struct api_call *calls;       /* not answered yet: they wait for enforcement or work on */
    struct head_hand_over *heads; /* between the audit's thread and the lane */
    struct timer tick;            /* housekeeping, each second */
    struct dpop_verifier *dpop;
    struct certificate_prover *certificates;
    struct sweep *sweep;   /* under way through the tokens; NULL: none */
    struct buffer answers; /* where the walk through kept answers stands; empty: none */
    struct handovers handovers;
    struct claim_watch claim;
    struct approvals approvals;
    struct webhook *webhook; /* NULL: nobody is told of approvals */
    struct tool_book tools;
    int64_t next_grant_end; /* of a role that somebody has for a time; wall ms */
    struct fleet *fleet;    /* NULL: the store is this node's alone */
    uint64_t ticks;
    struct authority_counters counters;
    struct enforced revocations;
    struct batch batch;
    char effective_policy[128]; /* the last applied digest, hex */
};

/* --- commit.c: the one way a change happens ------------------------------ */

/* Validated and built unseen, made durable, then published; on another status
 * than OK nothing happened. Changes that may end an open session are announced
 * to the lanes; *generation (may be NULL) is what enforcement is waited for with:
 * the last that was announced. */
enum status authority_commit(struct authority *authority, const struct change *changes,
                             size_t count, uint64_t *generation, struct fault *fault) WRIT_MUST_USE;

/* As authority_commit, but BEHIND when another node was faster: for what must not be done on
 * top of a change that was not looked at. */
enum status authority_commit_once(struct authority *authority, const struct change *changes,
                                  size_t count, uint64_t *generation,
                                  struct fault *fault) WRIT_MUST_USE;
/* Makes what world_prepare built visible, and tells the lanes. */
void commit_publish(struct authority *authority, struct world_next *next,
                    const struct change *changes, size_t count);

/* --- batch.c: tokens that become durable together ------------------------------ */

/* The call is answered with the token when it is durable, together with what others ask for in
 * this turn of the lane. */
enum status batch_issue(struct authority *authority, const struct change *change,
                        struct api_answer *answer) WRIT_MUST_USE;
/* Before any other change, so that none overtakes what was judged before it. */
void batch_commit(struct authority *authority);

/* --- fleet.c: one node among several ------------------------------------------ */

struct fleet;
enum status fleet_open(struct authority *authority, struct fault *fault) WRIT_MUST_USE;
enum status fleet_start(struct authority *authority) WRIT_MUST_USE; /* on its lane */
/* No beat any more: what is open may end before the lease does. */
void fleet_stop(struct authority *authority);
/* The lanes have ended: nobody needs to wait for this node. */
void fleet_leave(struct authority *authority);
void fleet_free(struct fleet *fleet);
/* Applies what other nodes have changed. */
enum status fleet_follow(struct authority *authority, struct fault *fault) WRIT_MUST_USE;
/* world_token, also of one that another node issued a moment ago. */
bool fleet_token(struct authority *authority, const struct token_id *id, int64_t now,
                 struct world_token_info *out);
/* Every lane works on another picture than before. */
void fleet_enforced(struct authority *authority);
/* Where everything up to seq is in force, or nothing is let through: the list of nodes for the
 * answer; NULL when one can still act without it. */
json_t *fleet_confirmed(const struct authority *authority, uint64_t seq);
/* Does every node of the list that was read last enforce all up to seq, or is it fenced? */
bool fleet_enforces(const struct authority *authority, uint64_t seq);
/* server.c: somebody waits for the other nodes; what they say was looked at. */
bool server_waits_for_fleet(const struct authority *authority);
void server_fleet_seen(struct authority *authority);
bool fleet_ready(const struct authority *authority, struct fault *why);
/* The longest that all nodes take to confirm or to be fenced. */
int64_t fleet_patience_ms(const struct authority *authority);

/* The built-in role of the local operator, and its subjects. Never stored, never
 * written through the API. */
#define ADMIN_ROLE "admin"
bool builtin_name(enum change_kind kind, struct slice name);
struct slice builtin_definition(void); /* of the role */
enum status builtin_load(struct authority *authority) WRIT_MUST_USE;
/* The subject "local:UID" of a peer at the socket, made known to the world. */
enum status builtin_operator(struct authority *authority, unsigned uid, struct slice *name,
                             struct arena *arena) WRIT_MUST_USE;

/* --- API: values in, values out ------------------------------------------ */

/* prove.c: what was wrong with a proof of possession. */
enum proof_fault { PROOF_FINE, PROOF_WRONG, PROOF_NEEDS_NONCE, PROOF_BUSY };

/* What came along with a call besides its body. */
struct api_shown {
    const struct http_head *head; /* NULL: none, in a test */
    bool has_certificate;         /* of the connection, or of a terminator that is trusted */
    bool chain_trusted;           /* it leads to authority.tls.client_ca */
    uint8_t x5t[THUMBPRINT_SIZE];
    struct slice der;
};

/* Who calls, proven. */
struct api_caller {
    bool local; /* at the Unix socket */
    struct slice subject;
    struct slice subject_type;
    struct slice token;        /* id text; empty for the local operator */
    struct slice label, chain; /* as in the audit */
    struct token_id token_id;
    bool attenuated;
    const struct credential *credential; /* of a token; its use is counted when allowed */
    struct binding proven;               /* the key that this call proved */
    enum audit_proof proof;
    enum proof_fault proof_fault;
    struct slice refusal;   /* why what was shown is worth nothing; empty without a token */
    struct lineage lineage; /* what the caller may do; empty: not known */
    struct ip peer;
    uint16_t peer_port;
};

enum { API_PARAMS = 2 };

struct api_request {
    struct slice method, path, query;
    struct slice params[API_PARAMS]; /* of the route's {…}, percent-decoded */
    struct slice idempotency_key;
    struct slice agent;
    struct slice text; /* the body as it came */
    bool unclear;      /* what a trusted proxy says of the client can't be read */
    json_t *body;      /* an object, or NULL when there is none */
    struct api_shown shown;
    struct api_caller caller;
    int64_t now;
    struct arena *arena;
};

/* caller.c. What is not known stays empty; caller.refusal says why. */
void caller_of_socket(struct authority *authority, unsigned uid, struct arena *arena,
                      struct api_caller *caller);
/* The holder of a token, with the proof that a bound one needs (used up). */
void caller_of_token(struct authority *authority, struct api_request *request);
/* Is there a token that lives? Before the body is read; no proof is looked at. */
bool caller_is_likely(struct authority *authority, const struct http_head *head, int64_t now,
                      struct arena *arena);

/* prove.c: the DPoP proof of a call (RFC 9449 §4.3), used up; token: whose hash it must
 * hold, empty at the token endpoint. *why is for people. */
enum proof_fault prove_dpop(struct authority *authority, const struct api_request *request,
                            struct slice token, struct api_caller *out, const char **why);
/* What a failed proof is told (RFC 9449 §7.1, §9). */
#define DPOP_CHALLENGE(error) "DPoP realm=\"writ\", error=\"" error "\", algs=\"" DPOP_ALGS "\""
/* Does the certificate that was shown prove the key? */
bool prove_certificate(struct authority *authority, const struct api_request *request,
                       const struct binding *binding);
/* A nonce for the answer. */
void prove_nonce(struct authority *authority, int64_t now, char out[NONCE_TEXT_MAX]);

/* A long answer. work, when set, runs first, on a thread of its own, and touches
 * nothing but the job and files; then step is called on turns of the lane until *done. */
struct api_job {
    void (*work)(struct api_job *job);
    enum status (*step)(struct authority *authority, struct api_job *job, bool *done,
                        struct fault *fault);
    void (*free)(struct api_job *job);
};

struct api_answer {
    unsigned status;   /* 200 unless set */
    json_t *body;      /* owned; NULL: no body */
    struct slice text; /* instead of body: of this content type */
    const char *content_type;
    struct slice location;    /* of what was created */
    unsigned retry_after;     /* seconds; 0: not told */
    uint64_t wait_generation; /* answered when every lane enforces it; 0: at once */
    bool confirms;            /* "nodes" is added then: where it is in force */
    bool wait_fleet;          /* answered when every node enforces it, not this one alone */
    struct api_job *job;      /* owned; body is complete when it is done */
};

/* On a status other than OK the fault becomes the problem document. */
typedef enum status (*api_handler)(struct authority *authority, const struct api_request *request,
                                   struct api_answer *answer, struct fault *fault);

/* Decides, audits, dispatches. The answer's body is the caller's. Fills a problem
 * document on refusals. The outcome is audited by api_finish. */
struct api_outcome {
    audit_ticket ticket;
    const char *challenge;      /* WWW-Authenticate, for 401 and 403; NULL: none */
    struct slice allow;         /* Allow, for 405 */
    char nonce[NONCE_TEXT_MAX]; /* DPoP-Nonce; "": none */
    bool shared;                /* any page of a browser may read it (CORS) */
    bool unlined;               /* refused before its line was begun: it needs one of its own */
};
void api_handle(struct authority *authority, struct api_request *request, struct api_answer *answer,
                struct api_outcome *outcome);
/* A problem document {type, title, status, detail, …more (stolen)} as the answer. */
void api_problem(struct api_answer *answer, unsigned status, const char *kind, const char *title,
                 struct slice detail, json_t *more);
unsigned api_status_of(enum status status);
/* The fault is in a member below this pointer. */
void fault_below(struct fault *fault, const char *pointer);

/* May the caller do this as well? For handlers whose question is finer than the
 * route's right. DENIED with the right that is needed. */
enum status api_permit(struct authority *authority, const struct api_request *request,
                       struct slice action, struct slice object, struct fault *fault) WRIT_MUST_USE;
bool api_may(struct authority *authority, const struct api_request *request, struct slice action,
             struct slice object);
/* A line beside the call's own: one of several things that it does, by the same right, with
 * the object as it is named. Not OK: there is no room for it. */
enum status api_note(struct authority *authority, const struct api_request *request,
                     struct slice action, struct slice object) WRIT_MUST_USE;
/* Takes one use of the caller's token; false: there is none left. */
bool api_count_use(struct authority *authority, const struct api_request *request);
/* A query parameter, percent-decoded into the arena; .at NULL when absent. */
struct slice api_query(const struct api_request *request, const char *name);
/* What a definition would give: texts of rights, and denies as {"right", "when"?}. */
struct grant {
    json_t *allow, *deny;
    json_t *lifted; /* denies of the role as it is now that the definition leaves out */
};
/* May the caller give this? Each allow lies within the caller's own, and each deny
 * that binds the caller there goes along; or the caller may escalate. */
enum status api_may_grant(struct authority *authority, const struct api_request *request,
                          const struct grant *grant, struct fault *fault) WRIT_MUST_USE;
/* The grant of a role's or subject's definition, what it inherits included. */
enum status grant_of(struct authority *authority, enum change_kind put_kind, struct slice name,
                     const json_t *definition, struct grant *out) WRIT_MUST_USE;
void grant_free(struct grant *grant);

/* --- routes.c ------------------------------------------------------------ */

struct route {
    const char *method;
    const char *pattern; /* "/v1/tokens/{id}" */
    const char *action;  /* of the right writ:ACTION:OBJECT; NULL: open to all */
    /* The right's object; NULL: "-". In the request's arena. */
    struct slice (*object)(struct authority *authority, const struct api_request *request);
    bool listing;    /* the answer is filtered to what the caller may see */
    bool local_only; /* files and commands: 403 over HTTP */
    size_t body_max; /* 0: 1 MiB */
    api_handler handle;
    const char *summary;
};
const struct route *routes(size_t *count);
/* NULL when no path fits (or a parameter is wrongly encoded); *wrong_method when only the method is
 * wrong, with the methods that fit in allow. */
const struct route *route_find(struct api_request *request, bool *wrong_method,
                               struct buffer *allow);

/* Objects for the table. */
struct slice object_id_subject(struct authority *authority, const struct api_request *request);
struct slice object_rotate(struct authority *authority, const struct api_request *request);
struct slice object_body_subject(struct authority *authority, const struct api_request *request);
struct slice object_param(struct authority *authority, const struct api_request *request);

/* --- new tokens ------------------------------------------------------------- */

/* What a new token is to be. Zero members ask for nothing; slices are borrowed. */
struct token_ask {
    struct slice subject, scope, name;
    struct slice roles[TOKEN_ROLES_MAX];
    size_t role_count;
    bool roles_given;
    int64_t ttl, idle, not_before;
    int64_t expires_most; /* no longer than that, whatever ttl says */
    uint64_t max_uses;
    struct cidr networks[TOKEN_NETWORKS_MAX];
    size_t network_count;
    struct binding binding;
    bool has_parent;
    struct token_id parent;
    struct slice audience; /* names; empty: the parent's, else everywhere */
    enum token_purpose purpose;
    struct slice issued_by;
    int64_t now;
    struct arena *arena;
};
/* record.c: the record of a new line, not yet in any change: roles that the subject
 * holds, a scope within them, times within the limits, and all of it within the parent.
 * Who may ask for it was decided before. The fault's pointer names the member; its text
 * begins with "invalid_scope" for a scope that is too wide. Borrows from ask. */
enum status token_record_make(struct authority *authority, struct token_ask *ask,
                              struct token_record *out, struct fault *fault) WRIT_MUST_USE;

/* rotate.c: the next member of a line, not yet in any change: the same but for its id, key
 * and times. It ends with its parent, and no later than expires_most (TIME_NEVER: no bound);
 * what has no end keeps none. */
enum status token_successor_make(struct authority *authority, const struct token_record *old,
                                 int64_t now, int64_t expires_most,
                                 struct token_record *out) WRIT_MUST_USE;

/* audience.c: lists of names, where alone a token is good. */
#define AUDIENCE_API "writ"                                /* the management API */
void audience_add(struct buffer *list, struct slice name); /* once */
bool audience_within(struct slice narrow, struct slice wide);
bool audience_is_name(const struct authority *authority, struct slice name);
enum status audience_known(const struct authority *authority, struct slice list,
                           struct fault *fault) WRIT_MUST_USE;

/* --- handlers, by file ---------------------------------------------------- */

/* issue.c */
enum status api_token_issue(struct authority *, const struct api_request *, struct api_answer *,
                            struct fault *);
/* 201 with the token's members and, derived again from its id, its text. */
enum status issued_answer(struct authority *authority, const struct token_id *id, int64_t now,
                          struct api_answer *answer, struct fault *fault) WRIT_MUST_USE;
/* rotate.c */
enum status api_token_rotate(struct authority *, const struct api_request *, struct api_answer *,
                             struct fault *);
/* revoke.c */
enum status api_token_revoke(struct authority *, const struct api_request *, struct api_answer *,
                             struct fault *);
enum status api_hop_revoke(struct authority *, const struct api_request *, struct api_answer *,
                           struct fault *);
enum status api_revocations(struct authority *, const struct api_request *, struct api_answer *,
                            struct fault *);
/* tokens.c */
enum status api_token_list(struct authority *, const struct api_request *, struct api_answer *,
                           struct fault *);
enum status api_token_show(struct authority *, const struct api_request *, struct api_answer *,
                           struct fault *);
enum status api_token_tree(struct authority *, const struct api_request *, struct api_answer *,
                           struct fault *);
/* The members of the contract, the token's text excluded. Owned by the caller. */
json_t *binding_json(const struct binding *binding); /* cnf (RFC 7800); null when unbound */
json_t *token_json(const struct token_record *record, const struct token_life *life, int64_t now);
/* objects.c: roles, subjects, upstreams; the kind is in the path */
struct object_kind {
    const char *plural; /* as in paths and policy files */
    enum change_kind put, drop;
    const char *read; /* the action that lists them */
};
const struct object_kind *object_kinds(size_t *count); /* upstreams, roles, subjects */
enum status api_object_list(struct authority *, const struct api_request *, struct api_answer *,
                            struct fault *);
enum status api_object_get(struct authority *, const struct api_request *, struct api_answer *,
                           struct fault *);
enum status api_object_put(struct authority *, const struct api_request *, struct api_answer *,
                           struct fault *);
enum status api_object_drop(struct authority *, const struct api_request *, struct api_answer *,
                            struct fault *);
/* Two upstreams with one `host` would take each other's requests: CONFLICT. Looks at
 * what is there with the changes made. */
enum status upstream_hosts_check(struct authority *authority, const struct change *changes,
                                 size_t count, struct fault *fault) WRIT_MUST_USE;
/* Is it a member of a definition that names a file of the machine? */
bool names_file(struct slice member);
/* Validates one upstream's definition. source_local: it came from a local file or
 * the socket, so that it may name files and Unix sockets. */
enum status upstream_check(struct authority *authority, struct slice name, const json_t *definition,
                           bool source_local, struct fault *fault) WRIT_MUST_USE;
/* client_secret.c */
enum status api_client_secret(struct authority *, const struct api_request *, struct api_answer *,
                              struct fault *);
/* oauth/client.c: what the member "client" of a subject's definition says; source_local as
 * for an upstream. */
enum status client_check(struct slice name, const json_t *definition, bool source_local,
                         struct fault *fault) WRIT_MUST_USE;
/* apply.c */
enum status api_apply(struct authority *, const struct api_request *, struct api_answer *,
                      struct fault *);
/* At start and on reload. force: applied although this digest was seen before. */
enum status apply_files(struct authority *authority, const struct authority_settings *settings,
                        bool force, struct fault *fault) WRIT_MUST_USE;
/* check.c */
enum status api_check(struct authority *, const struct api_request *, struct api_answer *,
                      struct fault *);
enum status api_who_can(struct authority *, const struct api_request *, struct api_answer *,
                        struct fault *);
/* audit_api.c */
enum status api_audit_search(struct authority *, const struct api_request *, struct api_answer *,
                             struct fault *);
enum status api_audit_map(struct authority *, const struct api_request *, struct api_answer *,
                          struct fault *);
enum status api_advice(struct authority *, const struct api_request *, struct api_answer *,
                       struct fault *);
enum status api_audit_verify(struct authority *, const struct api_request *, struct api_answer *,
                             struct fault *);
/* approvals_api.c */
struct slice object_body_role(struct authority *authority, const struct api_request *request);
struct slice object_approval(struct authority *authority, const struct api_request *request);
enum status api_approval_list(struct authority *, const struct api_request *, struct api_answer *,
                              struct fault *);
enum status api_approval_show(struct authority *, const struct api_request *, struct api_answer *,
                              struct fault *);
enum status api_approval_approve(struct authority *, const struct api_request *,
                                 struct api_answer *, struct fault *);
enum status api_approval_refuse(struct authority *, const struct api_request *, struct api_answer *,
                                struct fault *);
/* tools_api.c */
enum status api_tool_list(struct authority *, const struct api_request *, struct api_answer *,
                          struct fault *);
enum status api_tool_approve(struct authority *, const struct api_request *, struct api_answer *,
                             struct fault *);
enum status api_tool_withdraw(struct authority *, const struct api_request *, struct api_answer *,
                              struct fault *);
/* sessions_api.c */
enum status api_session_list(struct authority *, const struct api_request *, struct api_answer *,
                             struct fault *);
enum status api_session_show(struct authority *, const struct api_request *, struct api_answer *,
                             struct fault *);
enum status api_session_kill(struct authority *, const struct api_request *, struct api_answer *,
                             struct fault *);
enum status api_grant_request(struct authority *, const struct api_request *, struct api_answer *,
                              struct fault *);
enum status api_grant_list(struct authority *, const struct api_request *, struct api_answer *,
                           struct fault *);
enum status api_grant_end(struct authority *, const struct api_request *, struct api_answer *,
                          struct fault *);
/* approvals_api.c: an entry of the book, without its call. */
json_t *approval_json(const struct approval_entry *entry);
/* Does the caller hold one of these roles, by the token that it shows alone? */
bool approval_answerable(struct authority *authority, const struct api_request *request,
                         struct slice roles);
json_t *approval_json_whole(const struct approval_entry *entry); /* with it */
enum status api_recording_list(struct authority *, const struct api_request *, struct api_answer *,
                               struct fault *);
enum status api_recording_show(struct authority *, const struct api_request *, struct api_answer *,
                               struct fault *);
enum status api_recording_events(struct authority *, const struct api_request *,
                                 struct api_answer *, struct fault *);
enum status api_recording_delete(struct authority *, const struct api_request *,
                                 struct api_answer *, struct fault *);
/* service.c: health, metrics, keys, backup, reload, openapi */
enum status api_healthz(struct authority *, const struct api_request *, struct api_answer *,
                        struct fault *);
enum status api_readyz(struct authority *, const struct api_request *, struct api_answer *,
                       struct fault *);
enum status api_metrics(struct authority *, const struct api_request *, struct api_answer *,
                        struct fault *);
enum status api_openapi(struct authority *, const struct api_request *, struct api_answer *,
                        struct fault *);
enum status api_keys_rotate(struct authority *, const struct api_request *, struct api_answer *,
                            struct fault *);
enum status api_backup(struct authority *, const struct api_request *, struct api_answer *,
                       struct fault *);
enum status api_reload(struct authority *, const struct api_request *, struct api_answer *,
                       struct fault *);

/* --- idempotency.c --------------------------------------------------------- */

#define ANSWER_LIFE (10 * MS_MINUTE)

/* Was this POST answered within the last ten minutes? OK with *id; NOT_FOUND; or
 * CONFLICT when the key came with another body. */
enum status answer_find(struct authority *authority, const struct api_request *request,
                        struct token_id *id, struct fault *fault) WRIT_MUST_USE;
/* The changes that keep it (none without a key); texts in the request's arena. */
size_t answer_changes(const struct api_request *request, const struct token_id *id,
                      struct change out[2]);

/* --- handover.c: a rotated token's last days --------------------------------- */

void handover_note(struct authority *authority, const struct change *rotated);
/* Ends those that nobody shows any more while the line is in use. */
void handover_tick(struct authority *authority, int64_t now);
void handover_free(struct handovers *list);
/* Adds "successor", or "predecessor" with its holders (by a job), to a token's answer. */
enum status handover_show(struct authority *authority, const struct world_token_info *info,
                          int64_t now, struct api_answer *answer) WRIT_MUST_USE;

/* --- enforced.c: how long revocations take to hold ----------------------------- */

/* Every lane of this node enforces one that was asked for then; its fleet is watched from now. */
void enforced_here(struct authority *authority, uint64_t started_us);
bool enforced_waits(const struct authority *authority);
void enforced_look(struct authority *authority); /* the nodes' list was read */
void enforced_write(const struct authority *authority, struct buffer *out);

/* --- server.c: HTTP around api_handle; housekeeping.c: each second ---------- */

enum status server_open(struct authority *authority, struct fault *fault) WRIT_MUST_USE;
void server_enforced(struct authority *authority);
void server_drain(struct authority *authority);
/* On the lane, after its last turn. */
void server_detach(struct authority *authority);
/* The lane has ended: no call finds an answer any more, and their lines are ended. */
void server_settle(struct authority *authority);
void server_close(struct authority *authority);
struct head_hand_over *heads_new(void);
void heads_free(struct head_hand_over *heads);
enum status housekeeping_start(struct authority *authority) WRIT_MUST_USE;
/* What a crash must not lose: uses and last-used times. */
void housekeeping_flush(struct authority *authority);
void housekeeping_stop(struct authority *authority);
/* Forgets kept answers that are too old to be given again; a page at a time, from
 * where the last call stopped. True at the end of a walk. */
bool housekeeping_answers(struct authority *authority, int64_t now);
/* One piece of the walk through all tokens: forgets the long dead, warns, and at its
 * end drops keys that are out of use. A piece costs a few milliseconds of the lane. */
void housekeeping_sweep(struct authority *authority, int64_t now);

#endif

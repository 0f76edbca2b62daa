/* world/world.h - the published picture of tokens, policy, upstreams and keys:
 * read by lanes without locks, changed by one writer (the authority thread).
 *
 * Build unseen, publish once, reclaim after every reader has passed a quiescent
 * state. What a reader got from the world is valid until its next
 * world_quiescent(); keep ids across it, never pointers. */
#ifndef WRIT_WORLD_WORLD_H
#define WRIT_WORLD_WORLD_H

#include "base/arena.h"
#include "base/fault.h"
#include "policy/decide.h"
#include "token/public.h"
#include "token/record.h"

struct world;
struct world_reader; /* one per lane, made before the lane runs */
struct change;       /* change/change.h: for the writer alone */

enum status world_new(struct world **out) WRIT_MUST_USE;
void world_free(struct world *world); /* readers are gone */

/* --- the writer ------------------------------------------------------- */

/* A next picture, built unseen. Prepare validates and compiles (a wrong role is
 * refused here, before anything is durable); publish cannot fail. Between the two
 * the caller makes the changes durable. Roles, subjects, upstreams and revoked hops of
 * a batch become visible at one moment; tokens and lines one by one during publish,
 * before its generation is told. One prepared batch at a time: INTERNAL for a second.
 * A change may refer to what an earlier one of its batch makes. NOT_FOUND for an
 * unknown token, line or parent, CONFLICT for an id in use, LIMIT for a token that is
 * too deep; changes of keys, answers and the audit's head are accepted and ignored. */
struct world_next;
enum status world_prepare(struct world *world, const struct change *changes, size_t count,
                          struct world_next **out, struct fault *fault) WRIT_MUST_USE;
/* Returns the generation from which on readers see the changes. */
uint64_t world_publish(struct world_next *next);
void world_abandon(struct world_next *next);
/* For the start: applies one change of store_load directly, in any order; the policy is
 * compiled once, by world_loaded. No reader runs yet. A world that failed to load is
 * only good for world_free. */
enum status world_load(struct world *world, const struct change *change) WRIT_MUST_USE;
enum status world_loaded(struct world *world, struct fault *fault) WRIT_MUST_USE;
/* Keys arrive unsealed, apart from changes: the ring that is published. Takes ownership. */
void world_set_keyring(struct world *world, struct keyring *ring);
const struct keyring *world_keyring(const struct world *world); /* on the writer's thread */

/* True when every reader has passed a quiescent state since that generation. */
bool world_caught_up(const struct world *world, uint64_t generation);
uint64_t world_generation(const struct world *world);
/* Frees what no reader can see any more; called by the writer now and then. */
void world_reclaim(struct world *world);

/* The writer's view of one token, its life included; false when unknown. The
 * record borrows from the world (the writer alone changes it). */
struct world_token_info {
    struct token_record record;
    struct token_life life;
    enum token_state state; /* with its lineage: a child of a revoked parent is revoked */
    struct token_id newest; /* the newest member of its line */
    int64_t member_used;    /* the last use since it has a successor, to the second; 0: none.
                             * Not durable */
};
bool world_token(const struct world *world, const struct token_id *id, int64_t now,
                 struct world_token_info *out);
size_t world_token_count(const struct world *world);
const struct policy *world_policy_of(const struct world *world); /* writer's thread */
struct names *world_names(struct world *world);
/* Every token (any order), for scans of the writer: who-can, warnings. False stops. */
typedef bool (*world_token_visitor)(void *context, const struct token_id *id);
void world_each_token(const struct world *world, world_token_visitor each, void *context);

/* Lines whose use has changed since the last drain of their kind (counts are
 * absolute), to be made durable as CHANGE_LINE_USED. */
enum world_used_kind {
    WORLD_USED_LIMITED, /* a limit of uses or an idle time hangs on it: soon */
    WORLD_USED_FREE,    /* for people only: at leisure */
    WORLD_USED_KINDS
};
typedef void (*world_used_visitor)(void *context, const struct token_id *line, uint32_t uses,
                                   int64_t last_used);
/* At most so many lines; the rest waits for the next call. */
void world_drain_used(struct world *world, enum world_used_kind kind, size_t most,
                      world_used_visitor each, void *context);

/* --- readers ----------------------------------------------------------- */

enum status world_reader_new(struct world *world, struct world_reader **out) WRIT_MUST_USE;
/* A reader that neither goes on nor is freed holds back all memory that was replaced. */
void world_reader_free(struct world_reader *reader);
/* Once per loop iteration: nothing that was read before is used after. Cheap. */
void world_quiescent(struct world_reader *reader);
uint64_t world_seen(const struct world_reader *reader); /* the generation a reader works on */

const struct policy *world_policy(const struct world_reader *reader);

struct upstream_view {
    struct slice name;
    struct slice type; /* "http" "postgres" … */
    const json_t *definition;
    uint64_t version; /* changes whenever the definition does */
};
/* All upstreams in name order; *generation changes when any does. */
const struct upstream_view *world_upstreams(const struct world_reader *reader, size_t *count,
                                            uint64_t *generation);

/* Tools of servers that are held to what was approved (CHANGE_TOOL_APPROVED). */
enum pin_state {
    PIN_NEW,     /* never approved, or not any more */
    PIN_CHANGED, /* the server said something else of it when it was last asked here */
    PIN_APPROVED,
};
enum { PIN_NAME_MAX = 576, PIN_DIGEST_SIZE = 32 }; /* of UPSTREAM/TOOL; a longer one is NEW */
enum pin_state world_pin(const struct world_reader *reader, struct slice upstream,
                         struct slice tool);
/* The server has just said this of it: every reader knows from now on. Takes no lock. */
enum pin_state world_pin_see(const struct world_reader *reader, struct slice upstream,
                             struct slice tool, const uint8_t digest[PIN_DIGEST_SIZE]);

enum credential_verdict {
    CREDENTIAL_OK,
    CREDENTIAL_MALFORMED, /* not a token of ours, or a typo: no table was touched */
    CREDENTIAL_UNKNOWN,   /* MAC wrong, or the id is not (any more) known */
    CREDENTIAL_NOT_YET,
    CREDENTIAL_EXPIRED,
    CREDENTIAL_IDLE,
    CREDENTIAL_EXHAUSTED,
    CREDENTIAL_REVOKED,
    CREDENTIAL_SUBJECT, /* a subject of the lineage is gone or disabled */
    CREDENTIAL_PURPOSE, /* good for something else than what it was shown for */
};
const char *
credential_verdict_text(enum credential_verdict verdict); /* for reasons: "the token was revoked" */

/* Who asks, proven up to possession of the key. Lives in the arena until the
 * next quiescent state. */
struct credential {
    struct token_id id, line;
    struct slice id_text; /* "ID" or "ID/HOP" of the last hop */
    struct slice label;   /* of the last labelled hop */
    struct slice chain; /* of a child: "SUBJECT/ID" of its parent, of its parent …, by a space */
    struct slice subject;
    enum subject_type subject_type;
    int64_t expires_at; /* the earliest of token, ancestors and caveats */
    struct binding
        binding; /* the key to prove; of the last validly signed caveat, else the token's */
    struct lineage lineage;
    bool counted;           /* some line of the lineage has max_uses */
    struct slice audience;  /* names, space separated, where alone it is good; empty: everywhere */
    struct slice issued_by; /* the subject that asked for it; of a grant, the client */
};

/* Is it good at the upstream of this name ("writ": the API)? */
bool credential_reaches(const struct credential *credential, struct slice name);

/* Parses, verifies the MAC, looks up, walks the lineage. *out is filled on OK, and on
 * EXHAUSTED, which is only said when all else holds: a session that was opened with
 * the last use may go on. On another verdict but MALFORMED and a wrong MAC, id,
 * id_text and subject are filled as far as they are known, for the audit (the rest
 * is zero). UNKNOWN also when the arena is full, and for a caveat that binds a bound
 * token to another key. */
enum credential_verdict world_authenticate(struct world_reader *reader, struct slice text,
                                           int64_t now, struct arena *arena,
                                           struct credential *out) WRIT_MUST_USE;
/* The same for a credential of another purpose than access. */
struct presented_text {
    struct slice text;
    enum token_purpose purpose;
    int64_t now;
};
enum credential_verdict world_authenticate_as(struct world_reader *reader,
                                              const struct presented_text *shown,
                                              struct arena *arena,
                                              struct credential *out) WRIT_MUST_USE;
/* A token's text and salt by its public part, for a log-in that proves it unseen; no table is
 * touched and nothing is said of whether there is such a token: authenticate the text then.
 * INVALID: not a public text. */
enum status world_token_secret(struct world_reader *reader, struct slice public_text,
                               struct token_secret *out) WRIT_MUST_USE;
/* A session that goes on keeps its token's text in a buffer that it wipes, and
 * authenticates again. */

enum use_verdict {
    USE_TAKEN,
    USE_EXHAUSTED,
    USE_CLAIM, /* a one-time token: must be claimed durably through the authority */
};
/* Counts one use on the token's line and every ancestor's, all or none, and
 * notes the time of use. No allocation, no lock. When an ancestor's last uses are
 * contended, a use may be refused that a moment later would pass, never the reverse.
 * EXHAUSTED also for a token that ended since it was authenticated. The credential is
 * looked up by its id again, so it may be older than a quiescent state. */
enum use_verdict world_use(struct world_reader *reader, const struct credential *credential,
                           int64_t now) WRIT_MUST_USE;
/* Notes the time of use alone: a session that goes on is not idle. */
void world_touch(struct world_reader *reader, const struct credential *credential, int64_t now);
/* For the authority's thread: the lines of the lineage with max_uses 1 that a
 * claim must make durable (as CHANGE_LINE_USED); EXHAUSTED when any is used up.
 * Counts all lines of the lineage, all or none. */
enum use_verdict world_claim(struct world *world, const struct token_id *id, int64_t now,
                             struct token_id lines[TOKEN_DEPTH_MAX], size_t *count) WRIT_MUST_USE;

#endif

/* token/record.h - what the authority knows of a token, and the rules of its
 * life (pure functions over it). */
#ifndef WRIT_TOKEN_RECORD_H
#define WRIT_TOKEN_RECORD_H

#include "base/address.h"
#include "base/clock.h"
#include "token/id.h"

enum binding_kind { BINDING_NONE, BINDING_JKT, BINDING_X5T };

/* cnf: RFC 7638 thumbprint of a key, or SHA-256 of a certificate's DER (RFC 8705). */
struct binding {
    enum binding_kind kind;
    uint8_t thumbprint[32];
};

/* What a token is good for: a request at a door or the API, a new token in exchange for
 * this one (RFC 6749 §6), or showing who the client is (§2.3). Each is worth nothing
 * where another is asked for. */
enum token_purpose { PURPOSE_ACCESS, PURPOSE_REFRESH, PURPOSE_CLIENT_SECRET };
const char *token_purpose_name(enum token_purpose purpose); /* "access" … */

#define USES_UNLIMITED UINT32_MAX
enum {
    TOKEN_NETWORKS_MAX = 16,
    TOKEN_ROLES_MAX = 32,
    TOKEN_NAME_MAX = 128,
    TOKEN_AUDIENCE_MAX = 1024,
    TOKEN_DEPTH_MAX = 16
};

/* Slices and arrays are borrowed. Times are wall ms; TIME_NEVER where none. */
struct token_record {
    struct token_id id;
    struct token_id line;        /* the first member's id; equal to id for the first */
    struct token_id parent_line; /* none: a root token */
    struct token_id predecessor; /* none: not by rotation */
    uint8_t kid;
    int64_t issued_at, not_before, expires_at;
    int64_t line_started_at;
    int64_t idle_ms;   /* TIME_NEVER: no idle expiry */
    uint32_t max_uses; /* of the line */
    struct binding binding;
    struct slice subject;
    struct slice roles; /* names, space separated */
    struct slice scope; /* rights, space separated; empty: all of the roles */
    const struct cidr *networks;
    size_t network_count;
    struct slice name;      /* for people */
    struct slice issued_by; /* the subject that asked; of a grant, the client */
    /* Names of upstreams (or "writ", the API), space separated, where alone it is good
     * (RFC 8707); empty: everywhere. */
    struct slice audience;
    enum token_purpose purpose;
};

/* The state that changes, shared by a line's members unless said otherwise. */
struct token_life {
    int64_t revoked_at; /* of the line; TIME_NEVER: alive */
    int64_t last_used;  /* of the line; 0: never */
    uint32_t uses;      /* of the line */
    int64_t expires_at; /* of this member: a rotated one dies after its grace */
};

enum token_state {
    TOKEN_LIVE,
    TOKEN_NOT_YET,
    TOKEN_EXPIRED,
    TOKEN_IDLE,
    TOKEN_EXHAUSTED,
    TOKEN_REVOKED,
};
const char *token_state_name(
    enum token_state state); /* "live" "not_yet_valid" "expired" "idle" "exhausted" "revoked" */
/* Revoked beats all else. A moment equal to expires_at is expired. */
enum token_state token_state_at(const struct token_record *record, const struct token_life *life,
                                int64_t now);

#endif

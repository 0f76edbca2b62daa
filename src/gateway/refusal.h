/* gateway/refusal.h - why a request is not let through, as a value that each door
 * words in its own protocol. */
#ifndef WRIT_GATEWAY_REFUSAL_H
#define WRIT_GATEWAY_REFUSAL_H

#include "base/slice.h"

/* code, HTTP status, name in problem documents, title */
#define REFUSAL_KIND_MAP(X)                                                                        \
    X(NOTHING, 200, "", "")                                                                        \
    X(MALFORMED, 400, "malformed-request", "The request is malformed or ambiguous")                \
    X(MISPLACED, 400, "misplaced-token", "A token stands where none belongs")                      \
    X(METHOD, 405, "method-not-allowed", "This method is never let through")                       \
    X(NO_TOKEN, 401, "token-required", "A token is required")                                      \
    X(BAD_TOKEN, 401, "invalid-token", "The token does not hold")                                  \
    X(UNPROVEN, 401, "proof-required", "The token's key must be proven")                           \
    X(PROOF, 401, "invalid-proof", "The proof of possession does not hold")                        \
    X(NONCE, 401, "use-dpop-nonce", "The proof needs a nonce of this gateway")                     \
    X(UNKNOWN, 404, "unknown-upstream", "There is nothing under this name")                        \
    X(FORBIDDEN, 403, "insufficient-scope", "A right is missing")                                  \
    X(DENIED, 403, "denied", "A deny applies")                                                     \
    X(UNAPPROVED, 403, "not-approved", "Nobody has approved it")                                   \
    X(HELD, 403, "held-back", "The tool is not as somebody approved it")                           \
    X(UNTRUSTED, 403, "untrusted-proxy", "Only trusted proxies may ask this")                      \
    X(UNCHECKED, 403, "uncheckable-request", "The question can't be answered with yes")            \
    X(LARGE, 413, "body-too-large", "The body is too large")                                       \
    X(RATE, 429, "rate-limited", "Too many requests")                                              \
    X(BUSY, 503, "unavailable", "The gateway can't take the request now")                          \
    X(UPSTREAM, 502, "upstream-failed", "The upstream could not be asked")                         \
    X(SLOW, 504, "upstream-slow", "The upstream took too long")

enum gate_refusal {
#define GATE_REFUSAL_ENUM(code, status, name, title) GATE_##code,
    REFUSAL_KIND_MAP(GATE_REFUSAL_ENUM)
#undef GATE_REFUSAL_ENUM
};

/* Slices are borrowed for as long as the request's memory. */
struct refusal {
    enum gate_refusal kind;
    struct slice reason;    /* a sentence for people, without a token's text */
    struct slice right;     /* the right that would be needed, or the deny that applies */
    uint32_t retry_after_s; /* 0: nothing to say */
};

unsigned refusal_status(enum gate_refusal kind);
const char *refusal_name(enum gate_refusal kind);
const char *refusal_title(enum gate_refusal kind);

#endif

/* audit/search.h - reading the sealed log: from its files alone, so that it
 * works on a stopped node, a copy, and while the node runs. */
#ifndef WRIT_AUDIT_SEARCH_H
#define WRIT_AUDIT_SEARCH_H

#include "base/fault.h"
#include "base/json.h"

/* Empty slices and zero times mean "any". resource, action, subject and token
 * compare whole ("token" also matches its hops). Newest first, unless told. */
struct audit_query {
    struct slice subject, token, resource, action;
    struct slice decision; /* "allow" "deny" "" */
    int64_t since, until;  /* wall ms; until 0: now */
    uint64_t before_seq;   /* only lines before it; 0: from the newest; a cursor for paging */
    uint64_t after_seq;    /* only lines after it */
    bool oldest_first;     /* for a follower: "next" is then the next call's after_seq */
    size_t limit;          /* 0: 100; at most 10,000 */
};

/* {"items": [event…], "next": CURSOR or null}; events as in the contract
 * ("seq","at","node","session","token","label","subject","subject_type","role",
 * "resource","action","object","decision","right","reason","proof","peer",
 * "agent","status","bytes_in","bytes_out","duration_us","hash", "count" for
 * folded ones). Absent texts are null. The caller owns *out. */
enum status audit_search(const char *dir, const struct audit_query *query, json_t **out,
                         struct fault *fault) WRIT_MUST_USE;

/* What the search of this thread read last; for tests and measurements. */
struct audit_effort {
    uint64_t bytes, lines;
};
void audit_effort(struct audit_effort *out);

/* Who reaches what: {"items": [{"subject","token","right","allowed","denied",
 * "last_used"}], "next": null}. */
enum status audit_map(const char *dir, int64_t since, json_t **out,
                      struct fault *fault) WRIT_MUST_USE;

/* The smallest rights that cover what was used: {"rights": [..], "unused": […],
 * "events": n}; ids in paths become '*'. One of subject, token and role is set;
 * held is the list of rights held now (to name the unused), may be empty. */
struct audit_advice_query {
    struct slice subject, token, role;
    int64_t since;
    struct slice held; /* space separated */
};
enum status audit_advise(const char *dir, const struct audit_advice_query *query, json_t **out,
                         struct fault *fault) WRIT_MUST_USE;

/* Recomputes the chain: every line's hash, every segment's link and signature,
 * and, when a head is given, that the log reaches it. OK, or CORRUPT with the
 * first line that does not hold ("line 4711 was changed", "lines 1 to 500 are
 * missing", "the log ends at 90, the store knows 120"). */
struct audit_head;
struct audit_verdict {
    uint64_t lines, first, last, segments;
    uint64_t signed_to; /* the last line that a signature covers */
    uint8_t head[32];
};
enum status audit_verify(const char *dir, const uint8_t *public_key, const struct audit_head *head,
                         struct audit_verdict *out, struct fault *fault) WRIT_MUST_USE;

#endif

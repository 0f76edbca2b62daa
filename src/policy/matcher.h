/* policy/matcher.h - many rights, compiled so that the cost of a question does
 * not grow with their number.
 *
 * A tree over the text "resource:action:object", cut into pieces of at most 16
 * bytes that end behind ':', '/', '.', '-' or '_'. A node is one cache line in one hashed
 * table, found by (parent, piece): a literal piece costs one look-up, however
 * many siblings it has. Alternatives of actions are expanded. Stars are edges;
 * a question follows all of them, each continuation of a star at each place of
 * the text at most once, so that there is nothing to backtrack. What is left of
 * an adversary's right is held by a budget of steps. */
#ifndef WRIT_POLICY_MATCHER_H
#define WRIT_POLICY_MATCHER_H

#include "policy/right.h"

enum {
    PREPARED_MAX = REQUEST_NAME_MAX + 1 + REQUEST_ACTION_MAX + 1 + REQUEST_OBJECT_MAX,
    PREPARED_PADDING = 48, /* a node's piece and tail are loaded beyond the end */
    PREPARED_WORDS = (PREPARED_MAX + PREPARED_PADDING) / 64 + 2,
    /* A question takes at most BASE + PER_BYTE * size steps, size being that of
     * "resource:action:object", else it ends as MATCH_LIMIT. */
    MATCH_STEPS_BASE = 2048,
    MATCH_STEPS_PER_BYTE = 64,
    /* Continuations of stars that one question may have open. */
    MATCH_STARS_MAX = 64,
};

/* A request as one text, checked for its form once, for any number of matchers. */
struct prepared {
    uint32_t size, resource_end, action_end; /* offsets of the colons */
    uint32_t last_separator;                 /* of the object; 0 when there is none */
    char separator;                          /* NUL: none */
    bool sql, writ;
    uint64_t cuts[PREPARED_WORDS]; /* a bit for each byte that ends a piece */
    char text[PREPARED_MAX + PREPARED_PADDING];
};

enum prepared_as {
    PREPARED,
    PREPARED_MALFORMED, /* a part is empty or not in canonical form */
    PREPARED_TOO_LONG,
};
enum prepared_as request_prepare(const struct request *request, struct prepared *out);

struct matcher;
struct matcher_build; /* one in the making */

/* NULL when out of memory. listing: also answer for the action alone. */
struct matcher_build *matcher_build_new(bool listing);
void matcher_build_free(struct matcher_build *build);
/* number is what a match reports. plain: no condition, no columns, so that no
 * other right matters once this one matches. */
enum status matcher_add(struct matcher_build *build, const struct right *right, uint32_t number,
                        bool plain) WRIT_MUST_USE;
enum { MATCHER_NUMBER_MAX = (1 << 28) - 2 };
/* The matcher keeps nothing of the rights or of build. */
enum status matcher_build_finish(struct matcher_build *build, struct matcher **out) WRIT_MUST_USE;
void matcher_free(struct matcher *matcher);         /* accepts NULL */
size_t matcher_size(const struct matcher *matcher); /* bytes */

/* Called for each right that matches, maybe more than once; true ends the search.
 * plain as it was added, so that a plain right need not be looked at. */
typedef bool (*match_visitor)(void *context, uint32_t number, bool plain);

enum match_end {
    MATCH_NONE,    /* all that match were visited */
    MATCH_STOPPED, /* the visitor had enough */
    MATCH_LIMIT,   /* the budget is used up: nothing may be concluded */
};

/* listing: visits the rights with the request's resource and action, whatever
 * the object. steps may be NULL. matcher may be NULL: no rights. */
enum match_end matcher_search(const struct matcher *matcher, const struct prepared *request,
                              bool listing, match_visitor visit, void *context, uint32_t *steps);

#endif

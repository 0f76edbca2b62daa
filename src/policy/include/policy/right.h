/* policy/right.h - one right: a pattern over resource:action:object.
 *
 *   orders:GET|HEAD:/v1/orders/ **     (without the blank)
 *
 * The grammar and its limits are in docs/rights.md. A struct right borrows the
 * text that it was parsed from. */
#ifndef WRIT_POLICY_RIGHT_H
#define WRIT_POLICY_RIGHT_H

#include "base/buffer.h"
#include "base/fault.h"
#include "policy/request.h"

enum {
    RIGHT_SIZE_MAX = 512,
    RIGHT_SEGMENTS_MAX = 32,
    RIGHT_STARS_MAX = 8,        /* '*', in the whole right */
    RIGHT_DOUBLE_STARS_MAX = 2, /* '**' */
    RIGHT_ACTIONS_MAX = 64      /* alternatives */
};

struct right {
    struct slice text;
    struct slice resource;
    struct slice actions; /* alternatives separated by '|' */
    struct slice object;  /* pattern, without the columns */
    struct slice columns; /* "id,name" of a trailing "(id,name)"; empty when absent */
};

enum status right_parse(struct slice text, struct right *out, struct fault *fault) WRIT_MUST_USE;

/* Does this right, as an allow, cover the request? A right with columns covers
 * what touches no other columns. At most the object's length times the pattern's
 * length steps; no backtracking, no allocation. */
bool right_covers(const struct right *right, const struct request *request);

/* Is everything that narrow covers covered by wide, for every syntax? May answer
 * false for an exotic pair that is in fact contained, never true wrongly. */
bool right_within(const struct right *narrow, const struct right *wide);
/* The same for one syntax, for a caller that knows the upstream's type. */
bool right_within_as(const struct right *narrow, const struct right *wide,
                     enum object_syntax syntax);

/* Appends the request as the right that exactly covers it: what a refusal names. */
void put_request_right(struct buffer *out, const struct request *request);

/* Percent-encodes every byte outside A-Za-z0-9-._~/:@!$&'+=# (DESIGN: capitals). */
void put_object(struct buffer *out, struct slice bytes);

/* Resource, role and subject names: [a-z0-9][a-z0-9_-]{0,62}; subjects also
 * allow the form "local:UID" (made by the authority alone) and '.', '@'. */
bool name_valid(struct slice name);
bool subject_name_valid(struct slice name);

#endif

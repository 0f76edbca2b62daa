/* gateway/http/path.h - one spelling for each path: what is decided is what is
 * forwarded, and what could be read in two ways is refused. */
#ifndef WRIT_GATEWAY_HTTP_PATH_H
#define WRIT_GATEWAY_HTTP_PATH_H

#include "base/arena.h"

/* code, name in verdict tables, what to tell the client */
#define PATH_MAP(X)                                                                                \
    X(OK, "ok", "")                                                                                \
    X(RELATIVE, "relative", "the path must begin with /")                                          \
    X(ESCAPE, "escape", "a % in the path must be followed by two hexadecimal digits")              \
    X(BYTE, "byte", "the path holds a byte that must be percent-encoded")                          \
    X(SEPARATOR, "separator", "the path holds an encoded / or a \\: servers read it differently")  \
    X(CONTROL, "control", "the path holds a control character")                                    \
    X(UTF8, "utf8", "the path, decoded, is not UTF-8")                                             \
    X(EMPTY, "empty", "the path holds an empty segment (//): servers read it differently")         \
    X(FRAGMENT, "fragment", "the path holds a #: a fragment is never sent")                        \
    X(CLIMBS, "climbs", "the path climbs above its root with ..")                                  \
    X(PARAMETER, "parameter",                                                                      \
      "the path holds a ; and the upstream does not say path_params: allow")                       \
    X(MEMORY, "memory", "the path is too long")

enum path_verdict {
#define PATH_ENUM(code, name, text) PATH_##code,
    PATH_MAP(PATH_ENUM)
#undef PATH_ENUM
};

const char *path_verdict_name(enum path_verdict verdict);
const char *path_verdict_text(enum path_verdict verdict);

enum path_params { PATH_PARAMS_REFUSE, PATH_PARAMS_ALLOW };

struct path {
    struct slice object;  /* canonical object text; no trailing / but for the root */
    struct slice forward; /* the same path for the wire; a trailing / is kept */
    bool dots;            /* dot segments were resolved */
};

/* raw is the path of a request target without query, beginning with "/". Both
 * results borrow from raw when it was canonical already, else from the arena.
 * *out is set on OK alone. Idempotent: the forwarded text gives the same object
 * and forwards itself. */
enum path_verdict path_canonical(struct slice raw, enum path_params params, struct arena *arena,
                                 struct path *out) WRIT_MUST_USE;

/* Is it fit to be forwarded as it is: visible ASCII, no "#"? */
bool path_query_valid(struct slice query);
/* Its escapes taken off, as servers log it; empty when it has none or is too long. */
struct slice path_query_decoded(struct slice query, struct arena *arena);

#endif

/* base/status.h - the one way in which a function says whether it worked.
 *
 * Three questions have three types: did it work (enum status), may it happen
 * (struct decision, policy/decide.h), what comes next (a state of the room that
 * owns it). A function that can explain a failure to a person takes a
 * struct fault as well and fills it. */
#ifndef WRIT_BASE_STATUS_H
#define WRIT_BASE_STATUS_H

#define WRIT_MUST_USE           __attribute__((warn_unused_result))
#define WRIT_PRINTF(nth, first) __attribute__((format(printf, nth, first)))

/* code, name for machines, text for people, class */
#define STATUS_MAP(X)                                                                              \
    X(OK, "ok", "done", FINE)                                                                      \
    X(INVALID, "invalid", "not well formed", CALLER)                                               \
    X(TOO_LARGE, "too_large", "over a size limit", CALLER)                                         \
    X(NOT_FOUND, "not_found", "no such thing", ABSENT)                                             \
    X(CONFLICT, "conflict", "in conflict with what is there", CONFLICT)                            \
    X(BEHIND, "behind", "others have changed it meanwhile", CONFLICT)                              \
    X(DENIED, "denied", "not allowed", REFUSED)                                                    \
    X(EXPIRED, "expired", "its time is over", REFUSED)                                             \
    X(LIMIT, "limit", "over a limit", BUSY)                                                        \
    X(TIMEOUT, "timeout", "took too long", BUSY)                                                   \
    X(CLOSED, "closed", "the other side closed", BROKEN)                                           \
    X(IO, "io", "input or output failed", BROKEN)                                                  \
    X(FULL, "full", "no space left", BROKEN)                                                       \
    X(CORRUPT, "corrupt", "stored data is damaged", BROKEN)                                        \
    X(NEWER, "newer", "written by a newer version", BROKEN)                                        \
    X(CRYPTO, "crypto", "a cryptographic operation failed", BROKEN)                                \
    X(MEMORY, "memory", "out of memory", BROKEN)                                                   \
    X(INTERNAL, "internal", "an error of ours", BROKEN)

enum status {
#define STATUS_ENUM(code, name, text, class) STATUS_##code,
    STATUS_MAP(STATUS_ENUM)
#undef STATUS_ENUM
};

enum status_class {
    STATUS_CLASS_FINE,     /* it worked */
    STATUS_CLASS_CALLER,   /* the input was wrong: the caller can mend it */
    STATUS_CLASS_ABSENT,   /* what was named does not exist */
    STATUS_CLASS_CONFLICT, /* it would contradict what is there */
    STATUS_CLASS_REFUSED,  /* understood and refused */
    STATUS_CLASS_BUSY,     /* the same call may work later */
    STATUS_CLASS_BROKEN,   /* nothing the caller can mend */
};

const char *status_name(enum status status);
const char *status_text(enum status status);
enum status_class status_class_of(enum status status);

#endif

/* policy/limits.h - what a right demands of the statements that it allows. */
#ifndef WRIT_POLICY_LIMITS_H
#define WRIT_POLICY_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* The SQL door holds these. */
struct sql_limits {
    bool read_only;               /* only in a transaction that can't write */
    uint64_t max_rows;            /* of one statement's answer; 0: no limit */
    int64_t statement_timeout_ms; /* 0: no limit */
};

/* What may be open at once, and what may move in a time. */
struct budget_limits {
    uint32_t most_open;  /* 0: any number */
    uint64_t most_bytes; /* in and out, in each period; 0: any number */
    uint32_t period_ms;
};

static inline bool
budget_limits_bind(const struct budget_limits *limits)
{
    return limits->most_open > 0 || limits->most_bytes > 0;
}

/* The stricter of the two, in *limits. */
static inline void
sql_limits_narrow(struct sql_limits *limits, const struct sql_limits *more)
{
    limits->read_only |= more->read_only;
    if (more->max_rows > 0 && (limits->max_rows == 0 || more->max_rows < limits->max_rows))
        limits->max_rows = more->max_rows;
    if (more->statement_timeout_ms > 0 &&
        (limits->statement_timeout_ms == 0 ||
         more->statement_timeout_ms < limits->statement_timeout_ms))
        limits->statement_timeout_ms = more->statement_timeout_ms;
}

#endif

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

#endif

/* policy/condition_budget.h - when: {max_concurrent: 4, max_bytes: 100MiB/1d}. */
#ifndef WRIT_POLICY_CONDITION_BUDGET_H
#define WRIT_POLICY_CONDITION_BUDGET_H

#include "base/json.h"
#include "policy/decide.h"

/* Faults carry `pointer`. */
enum status max_concurrent_read(const json_t *value, const char *pointer, struct budget_limits *out,
                                struct fault *fault) WRIT_MUST_USE;
enum status max_bytes_read(const json_t *value, const char *pointer, struct budget_limits *out,
                           struct fault *fault) WRIT_MUST_USE;

#endif

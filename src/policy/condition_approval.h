/* policy/condition_approval.h - when: {approval: {by: [role], within: 10m, for: once|1h}}. */
#ifndef WRIT_POLICY_CONDITION_APPROVAL_H
#define WRIT_POLICY_CONDITION_APPROVAL_H

#include "base/json.h"
#include "policy/decide.h"

/* Faults carry `pointer`. Free *out in any case. */
enum status approval_read(const json_t *value, const char *pointer, struct approval *out,
                          struct fault *fault) WRIT_MUST_USE;
/* A role's grantable: {by: [role], for: 8h}; for_ms is the most that may be asked for. */
enum status grantable_read(const json_t *value, const char *pointer, struct approval *out,
                           struct fault *fault) WRIT_MUST_USE;
void approval_free(struct approval *approval);
/* None is needed, or the request has it. */
bool approval_holds(const struct approval *approval, const struct request *request);

#endif

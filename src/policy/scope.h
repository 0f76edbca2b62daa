/* policy/scope.h - whether a list of rights allows a request. */
#ifndef WRIT_POLICY_SCOPE_H
#define WRIT_POLICY_SCOPE_H

#include "matcher.h"
#include "policy/policy.h"

enum scope_answer { SCOPE_ALLOWS, SCOPE_REFUSES, SCOPE_LIMIT };

enum scope_answer scope_ask(const struct scope *scope, const struct request *request,
                            const struct prepared *prepared);
/* A list that is read as it stands: a malformed right in it refuses. */
bool rights_allow(struct slice rights, const struct request *request);

#endif

/* policy/covers.h - the columns of SQL rights, for the rooms of the decision. */
#ifndef WRIT_POLICY_COVERS_H
#define WRIT_POLICY_COVERS_H

#include "policy/right.h"

/* An allow with columns holds for a statement that is known to touch no others. */
bool columns_allow(const struct right *right, const struct request *request);
/* A deny with columns holds unless the statement is known to touch none of them. */
bool columns_deny(const struct right *right, const struct request *request);

#endif

/* authority/role_grants.h - roles for a time: asked for by who needs one, given by a holder of the
 * roles that the role itself names, as members of the subject's definition ("grants"). A request is
 * an entry in the book of approvals; what was given is durable, and ends by itself: a decision
 * looks at its time, and housekeeping takes it away. */
#ifndef WRIT_AUTHORITY_ROLE_GRANTS_H
#define WRIT_AUTHORITY_ROLE_GRANTS_H

#include "internal.h"

/* Is this entry a request for a role? */
bool role_grant_asked(const struct approval_entry *entry);
/* Before the entry is answered. *generation: to be awaited. */
enum status role_grant_give(struct authority *authority, const struct approval_entry *entry,
                            const struct api_request *request, uint64_t *generation,
                            struct fault *fault) WRIT_MUST_USE;
/* NOT_FOUND: the subject does not have it for a time. */
struct role_of {
    struct slice subject, role;
};
enum status role_grant_end(struct authority *authority, const struct role_of *what,
                           const struct api_request *request, uint64_t *generation,
                           struct fault *fault) WRIT_MUST_USE;
/* Each second: takes away what is over. */
void role_grants_tick(struct authority *authority, int64_t now);
/* A subject's definition of a file keeps what was granted beside it, unless it says grants
 * itself: what is not over, of roles that stay. */
typedef bool (*role_stays)(void *context, struct slice role);
enum status role_grants_carry(json_t *definition, struct slice present, role_stays stays,
                              void *context) WRIT_MUST_USE;
/* The same of one that comes through the API, where grants can't be said otherwise than they are
 * (DENIED). present: as it is stored; empty: it is new. */
enum status role_grants_keep(json_t *definition, struct slice present,
                             struct fault *fault) WRIT_MUST_USE;

#endif

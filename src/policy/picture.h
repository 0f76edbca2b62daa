/* policy/picture.h - what a policy is made of, for the files of this room. */
#ifndef WRIT_POLICY_PICTURE_H
#define WRIT_POLICY_PICTURE_H

#include "role.h"

enum { SUBJECT_ROLES_MAX = 256 };

struct subject {
    struct shared shared;
    struct slice name;
    enum subject_type type;
    bool disabled;
    name_id *roles;
    int64_t *until; /* wall ms: it holds the role of that place until then; TIME_NEVER */
    size_t role_count;
};

struct policy {
    struct names *names; /* borrowed */
    struct table roles, subjects;
};

static inline const struct subject *
policy_find_subject(const struct policy *policy, name_id id)
{
    return (const struct subject *)table_get(&policy->subjects, id);
}

static inline const struct role *
policy_find_role(const struct policy *policy, name_id id)
{
    return (const struct role *)table_get(&policy->roles, id);
}

enum status subject_read(struct names *names, struct slice name, const json_t *json,
                         struct subject **out, struct fault *fault) WRIT_MUST_USE;

/* Compiles the roles that are not up to date. dropped: roles were taken away, so
 * that a missing one is a CONFLICT. */
enum status policy_link_roles(struct policy *policy, bool dropped,
                              struct fault *fault) WRIT_MUST_USE;
/* Are the roles there that it holds? */
enum status policy_check_subject(const struct policy *policy, const struct subject *subject,
                                 bool dropped, struct fault *fault) WRIT_MUST_USE;
enum status policy_check_all_subjects(struct policy *policy, bool dropped,
                                      struct fault *fault) WRIT_MUST_USE;

#endif

/* policy/role.h - one role: as it is written, and compiled with all it inherits. */
#ifndef WRIT_POLICY_ROLE_H
#define WRIT_POLICY_ROLE_H

#include "condition.h"
#include "matcher.h"
#include "shared.h"

enum { ROLE_RIGHTS_MAX = 1000000, ROLE_INHERITS_MAX = 256, ROLE_DEPTH_MAX = 32 };

struct rule {
    struct right right;
    struct condition *when;  /* owned by the definition; NULL: none */
    const json_t *when_json; /* as written, for people */
    struct slice role;       /* in which it is written */
    name_id role_id;
    bool deny;
};

/* As it is written. Shared by the compiled roles that inherit it. */
struct role_definition {
    struct shared shared;
    name_id id;
    struct slice name;
    name_id *inherits;
    size_t inherit_count;
    struct rule *rules; /* allows first */
    size_t allow_count, rule_count;
    struct approval grantable; /* by empty: it can't be asked for */
    char *texts;
    json_t *json; /* a copy, which the rules' when_json point into */
};

enum status role_read(struct names *names, struct slice name, const json_t *json,
                      struct role_definition **out, struct fault *fault) WRIT_MUST_USE;

/* A side of a compiled role: its rules by number, and what finds them. */
struct role_rules {
    const struct rule **rules;
    size_t count;
    struct matcher *matcher; /* NULL: no rules */
};

struct role {
    struct shared shared;
    struct role_definition *definition;
    struct role_definition **inherited; /* itself first; references */
    name_id *inherited_ids;             /* in the same order */
    size_t inherited_count;
    struct role_rules allow, deny;
    bool compiled;
};

/* Takes over the caller's reference to the definition, also on failure; not
 * compiled yet. NULL when memory is out. */
struct role *role_new(struct role_definition *definition);
/* all: definitions that it inherits, itself first; borrowed. */
enum status role_compile(struct role *role, struct role_definition *const *all, size_t count,
                         struct fault *fault) WRIT_MUST_USE;

static inline bool
role_is_or_inherits(const struct role *role, name_id id)
{
    for (size_t i = 0; i < role->inherited_count; i++) {
        if (role->inherited_ids[i] == id)
            return true;
    }
    return false;
}

#endif

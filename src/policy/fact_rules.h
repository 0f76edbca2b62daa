/* policy/fact_rules.h - conditions on facts, within the room. */
#ifndef WRIT_POLICY_FACT_RULES_H
#define WRIT_POLICY_FACT_RULES_H

#include "base/fault.h"
#include "base/json.h"
#include "policy/request.h"

/* What one member of `when` demands of the facts of one name. */
enum fact_demand {
    DEMAND_GLOBS,
    DEMAND_MOUNTS,
    DEMAND_NEVER,
    DEMAND_ALLOWED,
    DEMAND_RANGE,
    DEMAND_TRUTH
};

struct fact_rule {
    const char *key; /* the member's name, for reasons: static */
    char *name;      /* of the facts; owned */
    enum fact_demand demand;
    enum object_syntax syntax;
    char **globs; /* owned */
    size_t glob_count;
    double least, most; /* RANGE, both included */
    bool truth;
    bool required; /* a fact of the name must be there, when facts are known */
};

struct fact_rules {
    struct fact_rule *rules;
    size_t count;
};
void fact_rules_free(struct fact_rules *rules);

/* NULL when there is no such member: else how it is read. */
struct fact_member;
const struct fact_member *fact_member_find(struct slice name);
/* The member's name in `when` by which facts of this name are spoken of; "" when none. */
const char *fact_member_key(struct slice fact);
bool fact_member_in_deny(const struct fact_member *member); /* may it stand in a deny? */
enum status fact_rules_read(struct fact_rules *rules, const struct fact_member *member,
                            const json_t *value, const char *pointer,
                            struct fault *fault) WRIT_MUST_USE;
/* "network" names container networks when its items are no addresses. */
enum status fact_rules_read_network(struct fact_rules *rules, const json_t *value,
                                    const char *pointer, struct fault *fault) WRIT_MUST_USE;

/* Every fact is as the rules demand, and no guarded one goes unspoken of. False: *failed is
 * the member's name. */
bool facts_hold(const struct fact_rules *rules, const struct request *request, const char **failed);
/* For a deny: each rule finds a fact that it means. */
bool facts_apply(const struct fact_rules *rules, const struct request *request);
/* The first guarded fact; NULL: none. */
const struct fact *facts_guarded(const struct request *request);

#endif

/* policy/policy.h - roles and subjects, compiled: an immutable picture that any
 * thread may read, and the edits that make the next one.
 *
 * A role:    {"inherits": ["r", …], "allow": [R, …], "deny": [R, …]}
 *            "grantable": {"by": [roles], "for": "8h"}: it may be asked for, and given for
 *            as long by a holder of one of these roles.
 *            R is a right's text or {"right": text, "when": {condition…}}
 * A condition: {"network": [CIDR…], "time": {"hours": "08:00-18:00",
 *            "days": ["mon", …], "until": "2026-12-31", "zone": "+01:00"},
 *            "proof": "required", "max_rate": "10/s", "max_concurrent": 4,
 *            "max_bytes": "100MiB/1d"}; all that stand must hold.
 * A subject: {"type": "user|service|agent", "roles": [names], "disabled": bool,
 *            "grants": [{"role": name, "until": time, "by": subject, "reason": text}],
 *            "client": {…, not looked at here}}
 *
 * Names are interned once per process: a name_id stays the same in all later
 * pictures, so a token record refers to roles and subjects by id although what
 * they hold is live. */
#ifndef WRIT_POLICY_POLICY_H
#define WRIT_POLICY_POLICY_H

#include "base/json.h"
#include "policy/right.h"

typedef uint32_t name_id;
#define NAME_NONE UINT32_MAX

/* Append-only; one writer (the authority's thread), any readers through the
 * pictures that were published after. */
struct names;
struct names *names_new(void);
void names_free(struct names *names);
/* The id of the name, made when new; NAME_NONE when memory is out. */
name_id names_intern(struct names *names, struct slice name);
name_id names_find(const struct names *names, struct slice name); /* NAME_NONE: never seen */
/* NUL-terminated; lives as long as names. "" for an id that was never given. */
struct slice names_text(const struct names *names, name_id id);

struct policy;      /* a compiled picture */
struct policy_edit; /* the next one, in the making */

struct policy *policy_new(struct names *names); /* no role, no subject */
void policy_free(struct policy *policy);        /* shared roles are counted; accepts NULL */

/* Roles and subjects that an edit does not touch are shared, not recompiled. */
enum status policy_edit_begin(const struct policy *from, struct policy_edit **out) WRIT_MUST_USE;
/* A definition as above; json is borrowed. Faults carry pointers relative to the definition. */
enum status policy_edit_role(struct policy_edit *edit, struct slice name, const json_t *definition,
                             struct fault *fault) WRIT_MUST_USE;
enum status policy_edit_subject(struct policy_edit *edit, struct slice name,
                                const json_t *definition, struct fault *fault) WRIT_MUST_USE;
/* NOT_FOUND when there is none. */
enum status policy_edit_drop_role(struct policy_edit *edit, struct slice name) WRIT_MUST_USE;
enum status policy_edit_drop_subject(struct policy_edit *edit, struct slice name) WRIT_MUST_USE;
/* Links and compiles. Refuses (INVALID / CONFLICT) cycles, naming them, unknown
 * inherited roles, unknown roles of subjects, with the nearest known name. */
enum status policy_edit_finish(struct policy_edit *edit, struct policy **out,
                               struct fault *fault) WRIT_MUST_USE;
void policy_edit_free(struct policy_edit *edit); /* after finish or instead of it */

enum subject_type { SUBJECT_USER, SUBJECT_SERVICE, SUBJECT_AGENT };
const char *subject_type_name(enum subject_type type);

struct subject_view {
    struct slice name;
    enum subject_type type;
    bool disabled;
    const name_id *roles; /* what the subject holds … */
    const int64_t *until; /* … and until when, wall ms; TIME_NEVER for what was not granted */
    size_t role_count;
};

/* False when the picture has no such subject. */
bool policy_subject(const struct policy *policy, name_id subject, struct subject_view *out);
/* Who gives it to those that ask, for how long at most; NULL: it can't be asked for. */
struct approval;
const struct approval *policy_role_grantable(const struct policy *policy, name_id role);
bool policy_has_role(const struct policy *policy, name_id role);
/* Does the subject hold the role now, directly or because a role it holds inherits it? */
bool policy_subject_holds(const struct policy *policy, name_id subject, name_id role, int64_t now);

/* Calls each(rule) for every allow (and deny) of the role with what it inherits. */
struct rule_view {
    struct right right;
    name_id role; /* where it is written */
    bool deny;
    const json_t *when; /* NULL: unconditional */
};
typedef bool (*rule_visitor)(void *context, const struct rule_view *rule); /* false stops */
void policy_role_rules(const struct policy *policy, name_id role, rule_visitor each, void *context);
/* Every role and subject name of the picture, in name order. */
typedef bool (*name_visitor)(void *context, name_id id);
void policy_each_role(const struct policy *policy, name_visitor each, void *context);
void policy_each_subject(const struct policy *policy, name_visitor each, void *context);
/* Subjects that hold a role for a time, also when it is over; in no order. */
void policy_each_granted(const struct policy *policy, name_visitor each, void *context);

/* A scope: a token's own list of rights, compiled once and then immutable.
 * Small scopes stay a list, long ones are compiled. text is copied. */
struct scope;
enum { SCOPE_SIZE_MAX = 32768, SCOPE_RIGHTS_MAX = 1024 };
enum status scope_new(struct slice text, struct scope **out, struct fault *fault) WRIT_MUST_USE;
void scope_free(struct scope *scope);
struct slice scope_text(const struct scope *scope);

/* Does each right of the scope lie within one allow of these roles (of which the
 * subject holds each)? Else INVALID ... the fault names the first that does not. */
enum status policy_scope_fits(const struct policy *policy, const name_id *roles, size_t role_count,
                              struct slice scope, struct fault *fault) WRIT_MUST_USE;

#endif

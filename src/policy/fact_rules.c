/* policy/fact_rules.c - conditions on what a request says of itself. */
#include "fact_rules.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "glob.h"

enum { GLOBS_MAX = 256, RULES_MAX = 64, NUMBER_MAX = 40 };

/* --- the members of `when` --------------------------------------------------------- */

struct fact_member {
    const char *key, *fact;
    enum fact_demand demand; /* NEVER stands for the two of a switch */
    enum object_syntax syntax;
    bool in_deny;
};

static const struct fact_member members[] = {
    { "image", "image", DEMAND_GLOBS, OBJECT_PATH, true },
    { "command", "command", DEMAND_GLOBS, OBJECT_FLAT, true },
    { "mounts", "mount", DEMAND_MOUNTS, OBJECT_PATH, true },
    { "capabilities", "capability", DEMAND_GLOBS, OBJECT_FLAT, true },
    { "user", "user", DEMAND_GLOBS, OBJECT_FLAT, true },
    { "devices", "device", DEMAND_GLOBS, OBJECT_PATH, true },
    { "security_opt", "security_opt", DEMAND_GLOBS, OBJECT_FLAT, true },
    { "options", "option", DEMAND_GLOBS, OBJECT_FLAT, true },
    { "privileged", "privileged", DEMAND_NEVER, OBJECT_FLAT, false },
    { "pid", "pid", DEMAND_NEVER, OBJECT_FLAT, false },
    { "ipc", "ipc", DEMAND_NEVER, OBJECT_FLAT, false },
    { "uts", "uts", DEMAND_NEVER, OBJECT_FLAT, false },
    { "userns", "userns", DEMAND_NEVER, OBJECT_FLAT, false },
    { "cgroupns", "cgroupns", DEMAND_NEVER, OBJECT_FLAT, false },
    { "arguments", "arguments", DEMAND_RANGE, OBJECT_FLAT, true },
};
static const struct fact_member network = { "network", "network", DEMAND_GLOBS, OBJECT_FLAT, true };
enum { MEMBER_COUNT = sizeof members / sizeof members[0] };

const struct fact_member *
fact_member_find(struct slice name)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (slice_is(name, members[i].key))
            return &members[i];
    }
    return NULL;
}

const char *
fact_member_key(struct slice fact)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (slice_is(fact, members[i].fact))
            return members[i].key;
    }
    return slice_is(fact, "network") ? network.key : "";
}

bool
fact_member_in_deny(const struct fact_member *member)
{
    return member->in_deny;
}

/* --- reading ------------------------------------------------------------------------- */

static void
rule_free(struct fact_rule *rule)
{
    for (size_t i = 0; i < rule->glob_count; i++)
        free(rule->globs[i]);
    free(rule->globs);
    free(rule->name);
}

void
fact_rules_free(struct fact_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        rule_free(&rules->rules[i]);
    free(rules->rules);
    *rules = (struct fact_rules){ 0 };
}

static enum status
out_of_memory(struct fault *fault)
{
    return fault_set(fault, STATUS_MEMORY, "out of memory");
}

static enum status
add_glob(struct fact_rule *rule, const json_t *value, const char *pointer, struct fault *fault)
{
    struct slice text = { 0 };

    if (json_is_string(value))
        text = slice_of(json_string_value(value), json_string_length(value));
    if (text.size == 0 || text.size > RIGHT_SIZE_MAX || memchr(text.at, '\0', text.size) != NULL)
        return fault_at(fault, STATUS_INVALID, pointer,
                        "a pattern is a text of 1 to %d bytes in which * stands for anything",
                        RIGHT_SIZE_MAX);
    rule->globs[rule->glob_count] = slice_strdup(text);
    if (rule->globs[rule->glob_count] == NULL)
        return out_of_memory(fault);
    rule->glob_count++;
    return STATUS_OK;
}

/* One pattern, or a list of them. */
static enum status
read_globs(struct fact_rule *rule, const json_t *value, const char *pointer, struct fault *fault)
{
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    enum status status = STATUS_OK;

    if (count == 0 || count > GLOBS_MAX)
        return fault_at(fault, STATUS_INVALID, pointer, "%s is a list of 1 to %d patterns",
                        rule->key, GLOBS_MAX);
    rule->globs = calloc(count, sizeof *rule->globs);
    if (rule->globs == NULL)
        return out_of_memory(fault);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status =
            add_glob(rule, json_is_array(value) ? json_array_get(value, i) : value, pointer, fault);
    return status;
}

static enum status
read_switch(struct fact_rule *rule, const json_t *value, const char *pointer, struct fault *fault)
{
    struct slice text = slice_text(json_string_value(value));

    if (!slice_is(text, "never") && !slice_is(text, "allowed"))
        return fault_at(fault, STATUS_INVALID, pointer, "%s is \"never\" or \"allowed\"",
                        rule->key);
    rule->demand = slice_is(text, "never") ? DEMAND_NEVER : DEMAND_ALLOWED;
    return STATUS_OK;
}

static enum status
read_bound(const json_t *range, const char *name, double *out, const char *pointer,
           struct fault *fault)
{
    const json_t *value = json_object_get(range, name);

    if (value == NULL)
        return STATUS_OK;
    if (!json_is_number(value))
        return fault_at(fault, STATUS_INVALID, pointer, "%s is a number", name);
    *out = json_number_value(value);
    return STATUS_OK;
}

static enum status
read_range(struct fact_rule *rule, const json_t *value, const char *pointer, struct fault *fault)
{
    static const char *const known[] = { "min", "max", NULL };
    enum status status;

    rule->demand = DEMAND_RANGE;
    rule->least = -INFINITY;
    rule->most = INFINITY;
    if (json_is_number(value)) {
        rule->least = rule->most = json_number_value(value);
        return STATUS_OK;
    }
    if (json_object_size(value) == 0 || json_only(value, known, NULL) != STATUS_OK)
        return fault_at(fault, STATUS_INVALID, pointer,
                        "a range is {min, max}; a member of an object is named \"object.member\"");
    status = read_bound(value, "min", &rule->least, pointer, fault);
    return status == STATUS_OK ? read_bound(value, "max", &rule->most, pointer, fault) : status;
}

/* A pattern, a list of them, a range, a number, true or false. */
static enum status
read_argument(struct fact_rule *rule, const json_t *value, const char *pointer, struct fault *fault)
{
    rule->required = true;
    if (json_is_boolean(value)) {
        rule->demand = DEMAND_TRUTH;
        rule->truth = json_is_true(value);
        return STATUS_OK;
    }
    if (json_is_object(value) || json_is_number(value))
        return read_range(rule, value, pointer, fault);
    rule->demand = DEMAND_GLOBS;
    return read_globs(rule, value, pointer, fault);
}

static enum status
read_rule(struct fact_rule *rule, const struct fact_member *member, const json_t *value,
          const char *pointer, struct fault *fault)
{
    if (member->demand == DEMAND_NEVER)
        return read_switch(rule, value, pointer, fault);
    return member->demand == DEMAND_RANGE ? read_argument(rule, value, pointer, fault)
                                          : read_globs(rule, value, pointer, fault);
}

/* What was read of a rule that is wrong is freed with the rest. */
static enum status
add_rule(struct fact_rules *rules, const struct fact_member *member, const char *below,
         const json_t *value, const char *pointer, struct fault *fault)
{
    struct fact_rule *more = reallocarray(rules->rules, rules->count + 1, sizeof *more), *rule;

    if (more == NULL)
        return out_of_memory(fault);
    rules->rules = more;
    rule = &more[rules->count++];
    *rule = (struct fact_rule){ .key = member->key,
                                .demand = member->demand,
                                .syntax = member->syntax };
    if (asprintf(&rule->name, "%s%s%s", member->fact, below[0] != '\0' ? "." : "", below) < 0) {
        rule->name = NULL;
        return out_of_memory(fault);
    }
    return read_rule(rule, member, value, pointer, fault);
}

static enum status
read_arguments(struct fact_rules *rules, const struct fact_member *member, const json_t *value,
               const char *pointer, struct fault *fault)
{
    enum status status = STATUS_OK;
    char below[FAULT_POINTER_MAX];
    const char *name;
    json_t *demand;

    if (json_object_size(value) == 0 || json_object_size(value) > RULES_MAX)
        return fault_at(fault, STATUS_INVALID, pointer,
                        "arguments is an object of up to %d of them, such as {repo: \"acme/*\", "
                        "amount: {max: 100}}",
                        RULES_MAX);
    json_object_foreach((json_t *)(uintptr_t)value, name, demand)
    {
        snprintf(below, sizeof below, "%.100s/%.80s", pointer, name);
        if (status == STATUS_OK)
            status = name[0] == '\0'
                         ? fault_at(fault, STATUS_INVALID, pointer, "an argument has a name")
                         : add_rule(rules, member, name, demand, below, fault);
    }
    return status;
}

enum status
fact_rules_read(struct fact_rules *rules, const struct fact_member *member, const json_t *value,
                const char *pointer, struct fault *fault)
{
    if (member->demand == DEMAND_RANGE)
        return read_arguments(rules, member, value, pointer, fault);
    return add_rule(rules, member, "", value, pointer, fault);
}

enum status
fact_rules_read_network(struct fact_rules *rules, const json_t *value, const char *pointer,
                        struct fault *fault)
{
    return add_rule(rules, &network, "", value, pointer, fault);
}

/* --- asking ----------------------------------------------------------------------------- */

/* "/srv/x:ro" is met by patterns of :ro and of :rw; without a mode a pattern means :ro. */
static bool
mount_matches(struct slice glob, struct slice mount)
{
    struct slice ro = SLICE_LITERAL(":ro"), rw = SLICE_LITERAL(":rw");
    bool writes = slice_ends(mount, rw), may_write = slice_ends(glob, rw);

    if (writes && !may_write)
        return false;
    if (may_write || slice_ends(glob, ro))
        glob = slice_first(glob, glob.size - 3);
    return glob_match(glob, slice_first(mount, mount.size - 3), OBJECT_PATH);
}

static bool
globs_match(const struct fact_rule *rule, struct slice text)
{
    for (size_t i = 0; i < rule->glob_count; i++) {
        struct slice glob = slice_text(rule->globs[i]);

        if (rule->demand == DEMAND_MOUNTS ? mount_matches(glob, text)
                                          : glob_match(glob, text, rule->syntax))
            return true;
    }
    return false;
}

/* What a double can't tell apart is not compared: 2^53 and beyond. */
static bool
in_range(const struct fact_rule *rule, struct slice text)
{
    char digits[NUMBER_MAX + 1], *end;
    double value;

    if (text.size == 0 || text.size > NUMBER_MAX)
        return false;
    memcpy(digits, text.at, text.size);
    digits[text.size] = '\0';
    value = strtod(digits, &end);
    return *end == '\0' && fabs(value) <= 9007199254740991.0 && value >= rule->least &&
           value <= rule->most;
}

static bool
meets(const struct fact_rule *rule, const struct fact *fact)
{
    switch (rule->demand) {
    case DEMAND_NEVER:
        return false;
    case DEMAND_ALLOWED:
        return true;
    case DEMAND_RANGE:
        return fact->kind == FACT_NUMBER && in_range(rule, fact->text);
    case DEMAND_TRUTH:
        return fact->kind == (rule->truth ? FACT_TRUE : FACT_FALSE);
    case DEMAND_GLOBS:
    case DEMAND_MOUNTS:
        break;
    }
    return fact->kind == FACT_TEXT && globs_match(rule, fact->text);
}

static bool
rule_holds(const struct fact_rule *rule, const struct request *request)
{
    struct slice name = slice_text(rule->name);
    bool found = false;

    for (size_t i = 0; i < request->fact_count; i++) {
        const struct fact *fact = &request->facts[i];

        if (!slice_equal(fact->name, name))
            continue;
        if (!meets(rule, fact))
            return false;
        found = true;
    }
    return found || !rule->required;
}

static bool
speaks_of(const struct fact_rules *rules, struct slice name)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (slice_is(name, rules->rules[i].name))
            return true;
    }
    return false;
}

bool
facts_hold(const struct fact_rules *rules, const struct request *request, const char **failed)
{
    if (!request->facts_known)
        return true;
    for (size_t i = 0; i < rules->count; i++) {
        *failed = rules->rules[i].key;
        if (!rule_holds(&rules->rules[i], request))
            return false;
    }
    for (size_t i = 0; i < request->fact_count; i++) {
        const struct fact *fact = &request->facts[i];

        *failed = fact_member_key(fact->name);
        if (fact->guarded && !speaks_of(rules, fact->name))
            return false;
    }
    return true;
}

bool
facts_apply(const struct fact_rules *rules, const struct request *request)
{
    for (size_t i = 0; i < rules->count; i++) {
        struct slice name = slice_text(rules->rules[i].name);
        bool found = false;

        for (size_t j = 0; !found && j < request->fact_count; j++)
            found = slice_equal(request->facts[j].name, name) &&
                    meets(&rules->rules[i], &request->facts[j]);
        if (!found)
            return false;
    }
    return true;
}

const struct fact *
facts_guarded(const struct request *request)
{
    for (size_t i = 0; i < request->fact_count; i++) {
        if (request->facts[i].guarded)
            return &request->facts[i];
    }
    return NULL;
}

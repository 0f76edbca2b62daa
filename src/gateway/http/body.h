/* gateway/http/body.h - what a JSON body asks for, as facts for conditions to look at: the
 * parts that dialects share. Members are taken by their exact names; the first thing that
 * can't be judged is said in `wrong`. Pure. */
#ifndef WRIT_GATEWAY_HTTP_BODY_H
#define WRIT_GATEWAY_HTTP_BODY_H

#include "base/arena.h"
#include "base/json.h"
#include "policy/facts.h"

enum { BODY_FACTS_MAX = 256 };

struct body_facts {
    struct arena *arena;
    struct fact *facts;
    size_t count;
    /* Why it can't be read: a sentence; NULL: it can. */
    const char *wrong;
};

/* False, always: the first fault stands. */
bool body_wrong(struct body_facts *out, const char *why);
void body_fact_add(struct body_facts *out, const char *name, struct slice text, bool guarded);
/* "Name=text" of what has no condition of its own; guarded. */
void body_add_option(struct body_facts *out, const char *name, struct slice text);
/* The words of two lists (or texts) as one command. */
void body_add_command(struct body_facts *out, const json_t *first, const json_t *then);

/* Each of a list as "NET_ADMIN", however it is spelled; guarded. */
void body_add_capabilities(struct body_facts *out, const json_t *object, const char *member);

/* False: not an object, or with a member that is not among them. */
bool body_only(const json_t *object, const char *const *known, struct body_facts *out);
struct slice body_text(const json_t *value);
/* Absent and null are empty, NULL or false; another type is wrong. */
struct slice body_take_text(const json_t *object, const char *name, struct body_facts *out);
const json_t *body_take_list(const json_t *object, const char *name, struct body_facts *out);
const json_t *body_take_object(const json_t *object, const char *name, struct body_facts *out);
bool body_take_truth(const json_t *object, const char *name, struct body_facts *out);
/* Of a list of texts. */
struct slice body_item_text(const json_t *item, struct body_facts *out);

/* "/srv//a/../b/" is "/srv/b"; a path that climbs out of the root ends there, as the kernel
 * has it. False: not absolute. */
bool body_host_path(struct slice path, struct arena *arena, struct slice *out);

#endif

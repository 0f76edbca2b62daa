/* authority/plan.h - some policy files, compared with what is there: the changes
 * that would make it so, checked whole before one is made. */
#ifndef WRIT_AUTHORITY_PLAN_H
#define WRIT_AUTHORITY_PLAN_H

#include "internal.h"

#include "base/yaml.h"
#include "crypto/hash.h"

struct policy_file {
    struct slice name; /* absolute path: what owns what it makes */
    struct slice text;
    struct yaml *yaml;
};

/* One application of some files, in the making. Zero but for what its user fills in:
 * authority, request, files, file_count, local, fault. */
struct plan {
    struct authority *authority;
    const struct api_request *request; /* NULL at start and on reload */
    struct policy_file *files;
    size_t file_count;
    bool local; /* may name files and sockets of the machine */
    struct arena arena;
    struct change *changes;
    size_t count, capacity;
    json_t *created, *changed, *removed;
    size_t unchanged;
    struct fault *fault;
};

enum { FILE_MAX_COUNT = 64 };

/* Nothing is changed yet. On faults the text names file, line and column. */
enum status plan_make(struct plan *plan) WRIT_MUST_USE;
/* All in one commit, with the files' digests. */
enum status plan_commit(struct plan *plan, uint64_t *generation) WRIT_MUST_USE;
void plan_free(struct plan *plan);
enum status file_digest(const struct policy_file *file, char out[2 * HASH_SIZE + 1]) WRIT_MUST_USE;

#endif

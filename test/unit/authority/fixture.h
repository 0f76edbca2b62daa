/* authority/fixture.h - an authority on a real store and audit in a folder of its own,
 * called as the HTTP side calls it. */
#ifndef WRIT_TEST_AUTHORITY_FIXTURE_H
#define WRIT_TEST_AUTHORITY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "internal.h"

#include "base/clock.h"

enum { FILES_MAX = 4 };

struct fixture {
    char dir[64];
    struct world *world;
    struct authority *authority;
    struct audit *audit;
    struct lane *lane; /* never runs: what hangs on it is not used */
    struct authority_ports ports;
    const char *files[FILES_MAX];
    size_t file_count;
    uint64_t announced; /* the last generation that lanes were told of */
    unsigned announcements;
    int64_t now;        /* what calls are told, wall ms */
    struct ip peer;     /* of the next calls with a token */
    const char *key;    /* Idempotency-Key of the next calls, or NULL */
    struct arena arena; /* of the last call */
    unsigned status;    /* of its answer */
    json_t *body;       /* likewise, or NULL */
    struct api_answer answer;
    struct api_outcome outcome;
};

/* With upstream orders, roles reader, clerk (inherits reader, denied payments) and
 * subjects amara (reader), ben (clerk), made through the API. */
struct fixture *fixture_new(void);
/* Nothing in the store, policy files as given (names in the folder), NULL-terminated. */
struct fixture *fixture_bare(const char *const *files);
void fixture_free(struct fixture *f);
/* Closes and opens again what lies in the folder. */
void fixture_reopen(struct fixture *f);
void fixture_write(const struct fixture *f, const char *name, const char *text);
char *fixture_path(const struct fixture *f, const char *name, char out[256]);

/* The head of a call that shows the token, and the caller that it makes. */
void call_with_token(struct fixture *f, struct api_request *request, const char *token);
/* A call of the local operator (token NULL) or with a token's text; jobs are run to
 * their end. Returns the status; the answer stays in f until the next call. body:
 * JSON, in which ' stands for " where there is no argument that could hold one. */
unsigned call(struct fixture *f, const char *token, const char *method, const char *path,
              const char *body);
unsigned callf(struct fixture *f, const char *token, const char *method, const char *path,
               const char *format, ...) WRIT_PRINTF(5, 6);
/* Members of the last answer; "" for null and absent. */
const char *text(const struct fixture *f, const char *member);
bool says(const struct fixture *f, const char *part); /* in detail */

struct issued {
    char id[TOKEN_ID_TEXT + 1];
    char token[TOKEN_TEXT_SIZE + 1];
};
/* A token of the subject with these further members (", 'ttl': '1h'"), which must succeed. */
struct issued issue(struct fixture *f, const char *subject, const char *more);
/* What the gate would say of the text now, and whether the right is allowed. */
enum credential_verdict verdict(struct fixture *f, const char *token);
bool allowed(struct fixture *f, const char *token, const char *right);
/* A token of a new subject with exactly these rights (JSON list of a role's allow). */
struct issued with_rights(struct fixture *f, const char *name, const char *allow);

#define expect(status_, call_)                                                                     \
    do {                                                                                           \
        unsigned got_ = (call_);                                                                   \
        if (got_ != (status_))                                                                     \
            fail_msg("expected %u, got %u: %s", (unsigned)(status_), got_, text(f, "detail"));     \
    } while (0)

#endif

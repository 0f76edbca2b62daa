/* authority/oauth_help.h - a client's calls of the grants, straight behind the form. */
#ifndef WRIT_TEST_AUTHORITY_OAUTH_HELP_H
#define WRIT_TEST_AUTHORITY_OAUTH_HELP_H

#include "fixture.h"
#include "oauth/oauth.h"

/* The client that calls, with the key that it proves. */
struct caller {
    const char *name;  /* NULL: nobody authenticated as a client */
    const char *token; /* of a caller without a client */
    bool no_credentials, no_exchange, no_refresh, gives_refresh;
    enum token_form form;
    int64_t ttl;
    struct binding proven;
};

typedef bool (*oauth_handler)(struct oauth_call *call);
/* The answer stays in f until the next call, as with call(). */
unsigned post(struct fixture *f, const struct caller *caller, oauth_handler handle,
              const char *format, ...) WRIT_PRINTF(4, 5);
/* Members of the last answer, kept beyond it. */
char *keep(const struct fixture *f, const char *member, char out[TOKEN_TEXT_MAX + 1]);
/* "error" of the last answer is this, and its description holds that. */
void refused(const struct fixture *f, const char *error, const char *part);
void end_token(struct fixture *f, const char *id); /* by the operator */
struct binding key_of(char fill);                  /* a jkt of 32 such bytes */

/* fixture_new with nightly (service, reader), copilot (agent, clerk) and the gateway at
 * http://gw.example:7880. */
struct fixture *oauth_fixture(void);

#endif

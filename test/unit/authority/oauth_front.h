/* authority/oauth_front.h - calls of the OAuth endpoints as they come from a client, with
 * their head. */
#ifndef WRIT_TEST_AUTHORITY_OAUTH_FRONT_H
#define WRIT_TEST_AUTHORITY_OAUTH_FRONT_H

#include "oauth_help.h"

#include "crypto/private_key.h"

struct front {
    struct fixture *f;
    struct private_key *key, *other;
    const char *path, *type;
    struct api_shown shown; /* the certificate of the next calls */
    char nonce[NONCE_TEXT_MAX];
    char headers[HTTP_HEAD_MAX / 2]; /* of the last call */
    char form[8192];                 /* likewise */
};
struct front *front_new(void); /* with oauth_fixture */
void front_free(struct front *front);

#define expect_front(status_, call_)                                                               \
    do {                                                                                           \
        struct fixture *f = front->f;                                                              \
        expect(status_, call_);                                                                    \
    } while (0)

/* A subject of role reader with this "client"; ' stands for ". */
unsigned client_define(struct fixture *f, const char *name, const char *client);
void client_with_key(struct front *front, const char *name, const struct private_key *key);
void client_with_certificate(struct front *front, const char *name, const char *pem);
/* Made, or rotated. */
void client_secret(struct front *front, const char *name, char out[TOKEN_TEXT_MAX + 1]);

unsigned get(struct front *front, const char *method, const char *path);
unsigned post_headers(struct front *front, const char *headers, const char *form);
unsigned post_form(struct front *front, const char *format, ...) WRIT_PRINTF(2, 3);
unsigned post_basic(struct front *front, const char *name, const char *secret, const char *form);
unsigned post_proven(struct front *front, const char *url, const char *name, const char *secret,
                     const char *form);
unsigned post_bearer(struct front *front, const char *path, const char *token, const char *format,
                     ...) WRIT_PRINTF(4, 5);
/* The last call, byte by byte. */
unsigned post_again(struct front *front, const char *form);

#define ASSERTION                                                                                  \
    "&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"                \
    "&client_assertion="

/* What an assertion says; NULL and 0: left out. */
struct claim {
    const char *issuer, *subject, *audience, *jti, *kid, *alg, *typ;
    int64_t expires_at, not_before, issued_at; /* s */
    const struct private_key *key;
    bool crit;
};
struct claim claim_of(const struct front *front, const char *name); /* one that holds */
unsigned post_assertion(struct front *front, const struct claim *claim, const char *form);

void show_certificate(struct front *front, const char *pem, bool trusted);
/* The pattern with its %s replaced, each of them. */
void fill_form(char *out, size_t size, const char *pattern, const char *value);
/* Does the text stand anywhere in the audit? */
bool audit_holds(struct front *front, const char *text);

#endif

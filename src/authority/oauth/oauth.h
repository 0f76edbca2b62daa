/* authority/oauth/oauth.h - the OAuth endpoints from the inside: one call from its form
 * to its answer, and the parts that the grants share.
 *
 *   form ─► client, authenticated ─► grant ─► token, minted
 *
 * The answers are those of RFC 6749, never problem documents. Every call leaves a line
 * in the audit: writ:oauth.token:CLIENT, writ:oauth.introspect:CLIENT, … */
#ifndef WRIT_AUTHORITY_OAUTH_OAUTH_H
#define WRIT_AUTHORITY_OAUTH_OAUTH_H

#include "../internal.h"
#include "proof/certificate.h"
#include "proof/dpop.h"

enum { OAUTH_BODY_MAX = 64 * 1024, FORM_FIELDS_MAX = 64, RESOURCES_MAX = 16 };

/* --- form.c: application/x-www-form-urlencoded (RFC 6749 appendix B) ---------- */

struct form_field {
    struct slice name, value; /* decoded, in the arena */
};
struct form {
    struct form_field fields[FORM_FIELDS_MAX];
    size_t count;
};
/* INVALID for a broken escape, a NUL, bad UTF-8, too many fields, and for a name that
 * comes twice (RFC 6749 §3.2) unless it is "resource" or "audience" (RFC 8707, 8693). */
enum status form_read(struct slice body, struct arena *arena, struct form *out,
                      struct fault *fault) WRIT_MUST_USE;
/* Empty is as good as absent (§3.1). */
struct slice form_value(const struct form *form, const char *name);
size_t form_values(const struct form *form, const char *name, struct slice *out, size_t most);

/* --- client.c: a subject of the policy that may come for tokens itself -------- */

enum client_auth {
    CLIENT_SECRET, /* client_secret_basic and client_secret_post */
    CLIENT_PRIVATE_KEY_JWT,
    CLIENT_TLS,             /* tls_client_auth */
    CLIENT_SELF_SIGNED_TLS, /* self_signed_tls_client_auth */
};
enum token_form { TOKEN_FORM_OPAQUE, TOKEN_FORM_JWT };

/* subjects: nightly: {type: service, client: {auth: private_key_jwt, jwks_file: …}}
 *
 *   auth           client_secret_basic | client_secret_post | private_key_jwt |
 *                  tls_client_auth | self_signed_tls_client_auth; "client_secret" takes both
 *   jwks           the set itself, or
 *   jwks_file      a file of it (local files and the local socket alone)
 *   subject_dn | san_dns | san_uri | san_ip | san_email   exactly one, for tls_client_auth
 *   grants         [client_credentials, token_exchange, refresh_token]; absent: all
 *   token_format   opaque | jwt
 *   dpop           required: no token without a proof
 *   refresh        true: token exchange gives a refresh token along
 *   ttl            life of its access tokens; absent: limits.default_ttl */
struct oauth_client {
    struct slice name; /* client_id, the subject's name */
    name_id subject;
    enum client_auth auth;
    bool basic_only, post_only;
    struct jwks *keys; /* NULL: none */
    enum certificate_name certificate_name;
    struct slice certificate_value;
    json_t *definition; /* owned; the slices borrow from it */
    bool client_credentials, token_exchange, refresh_token;
    bool dpop_required, gives_refresh;
    enum token_form form;
    int64_t ttl; /* 0: the default */
};
/* Reads and checks the "client" member of a subject's definition; for a policy that is
 * written, and for a call. The client owns its keys: client_free. */
enum status client_read(struct slice name, const json_t *definition, bool source_local,
                        struct oauth_client *out, struct fault *fault) WRIT_MUST_USE;
void client_free(struct oauth_client *client);

/* --- one call ------------------------------------------------------------------ */

/* code, HTTP status */
#define OAUTH_ERROR_MAP(X)                                                                         \
    X(INVALID_REQUEST, "invalid_request", 400)                                                     \
    X(INVALID_CLIENT, "invalid_client", 401)                                                       \
    X(INVALID_GRANT, "invalid_grant", 400)                                                         \
    X(UNAUTHORIZED_CLIENT, "unauthorized_client", 400)                                             \
    X(UNSUPPORTED_GRANT_TYPE, "unsupported_grant_type", 400)                                       \
    X(UNSUPPORTED_TOKEN_TYPE, "unsupported_token_type", 400)                                       \
    X(INVALID_SCOPE, "invalid_scope", 400)                                                         \
    X(INVALID_TARGET, "invalid_target", 400)                                                       \
    X(INVALID_DPOP_PROOF, "invalid_dpop_proof", 400)                                               \
    X(USE_DPOP_NONCE, "use_dpop_nonce", 400)                                                       \
    X(INVALID_TOKEN, "invalid_token", 401)                                                         \
    X(ACCESS_DENIED, "access_denied", 403)                                                         \
    X(SLOW_DOWN, "slow_down", 429)                                                                 \
    X(SERVER_ERROR, "server_error", 500)                                                           \
    X(TEMPORARILY_UNAVAILABLE, "temporarily_unavailable", 503)

enum oauth_error {
#define OAUTH_ENUM(id, code, status) OAUTH_##id,
    OAUTH_ERROR_MAP(OAUTH_ENUM)
#undef OAUTH_ENUM
};

struct oauth_call {
    struct authority *authority;
    struct api_request *request;
    struct api_answer *answer;
    struct api_outcome *outcome;
    struct form form;
    struct oauth_client client; /* authenticated */
    struct binding proven;      /* the key that this call proved: DPoP's or the certificate's */
    enum audit_proof proof;
    const struct credential *subject_token; /* which the call is about; for the audit */
};

/* Makes the error the answer: {"error", "error_description"}, with the headers that
 * belong to it. The text keeps to the alphabet of RFC 6749 §5.2. Returns false, so that
 * a handler can say `return oauth_refuse(…)`. */
bool oauth_refuse(struct oauth_call *call, enum oauth_error error, const char *format, ...)
    WRIT_PRINTF(3, 4);

/* authenticate.c: exactly one method, the client's own. False: refused, with the same
 * words whatever was wrong, and for a secret in the same time whoever is named. */
bool oauth_authenticate(struct oauth_call *call);
/* The client of that name, as the policy has it now. NOT_FOUND: there is none, or it is
 * disabled or no client. */
enum status oauth_client_find(struct oauth_call *call, struct slice name) WRIT_MUST_USE;
/* assertion.c: a JWT that the client signed (RFC 7523 §3). False: it does not hold. */
bool assertion_holds(struct oauth_call *call, struct slice assertion);
/* prove.c: a DPoP proof, when one came: checked, seen for the first time; else the
 * client's certificate. Fills call->proven. False: refused. */
bool oauth_prove(struct oauth_call *call);

/* resource.c: `resource` and `audience` as names of upstreams ("" when neither came).
 * A resource is the gateway's URL with an upstream's name, and what may follow it; an
 * upstream's own host; or the issuer, for the API. */
bool oauth_audience(struct oauth_call *call, struct slice *out);
/* The other way: the claim "aud", a text or a list. NULL when memory is out. */
json_t *oauth_aud(const struct authority *authority, struct slice audience);

/* scope.c: what a lineage comes to, as rights separated by spaces: those of each link that
 * lie within what every other link gives, and at these upstreams ("" for all). False when
 * that can't be told in 4 KiB or within a bound on the work. Denies and conditions are not
 * told. */
bool oauth_scope_of(struct authority *authority, const struct lineage *lineage,
                    struct slice audience, struct arena *arena, struct slice *out);
/* INVALID, naming the first right of the scope that some link does not give whole. */
enum status oauth_scope_within(struct authority *authority, const struct lineage *lineage,
                               struct slice scope, struct fault *fault) WRIT_MUST_USE;

/* act.c: on whose behalf. The subject of the whole lineage is that of its root; whoever
 * was put between stands in "act", the newest outermost (RFC 8693 §4.1), equal neighbours
 * once. It is history: decisions go by the lineage. */
struct slice oauth_sub(const struct authority *authority, const struct lineage *lineage);
json_t *oauth_act(const struct authority *authority, const struct lineage *lineage); /* or NULL */

/* proven.c: is the key of this binding the one that the call proved? True when unbound. */
bool oauth_proves(const struct oauth_call *call, const struct binding *binding);

/* shown.c: a token that a form names, whatever it is good for but a client's secret.
 * False when it is not known; dead ones are, as far as verdict says. */
struct shown_token {
    struct credential credential;
    struct world_token_info info;
    enum credential_verdict verdict;
};
bool oauth_find(struct oauth_call *call, struct slice text, struct shown_token *out);
/* May the caller, a client or the holder of a token, do this to the subject's tokens? */
bool oauth_may(const struct oauth_call *call, const char *action, struct slice subject);

/* mint.c: one token, issued for a grant, durable, and told. */
enum refresh_part {
    REFRESH_NONE,
    REFRESH_ISSUED,   /* a first one, made here */
    REFRESH_ALONE,    /* likewise, and no access token */
    REFRESH_ROTATED,  /* grant_ask.refresh, to be made with the access token */
    REFRESH_REPEATED, /* grant_ask.refresh, which is there: its text is told again */
};
struct grant_ask {
    struct token_ask token; /* binding, issuer, times and purpose are filled in */
    enum token_form form;
    enum refresh_part refresh_part;
    struct token_record refresh;   /* the access token is a child of its line */
    int64_t predecessor_end;       /* of what refresh follows, when rotated */
    const char *issued_token_type; /* of an exchange (RFC 8693); NULL: not told */
};
bool oauth_mint(struct oauth_call *call, struct grant_ask *ask);
/* The error that a fault of a token's making comes to. */
bool oauth_refuse_fault(struct oauth_call *call, enum status status, const struct fault *fault);

#define TOKEN_TYPE_ACCESS  "urn:ietf:params:oauth:token-type:access_token"
#define TOKEN_TYPE_REFRESH "urn:ietf:params:oauth:token-type:refresh_token"
#define TOKEN_TYPE_JWT     "urn:ietf:params:oauth:token-type:jwt"

/* jwt.c: the text of a JWT access token (RFC 9068). TOO_LARGE when nobody would read it. */
enum { JWT_TOKEN_MAX = 4096 };
struct jwt_claims {
    const struct token_record *record;
    const struct lineage *lineage;
    struct slice scope; /* told; empty: left out */
};
enum status oauth_jwt(struct authority *authority, const struct jwt_claims *claims,
                      struct buffer *out) WRIT_MUST_USE;

/* Handlers: true when call->answer holds what was asked. */
bool oauth_token(struct oauth_call *call); /* token.c: by grant_type */
bool oauth_client_credentials(struct oauth_call *call);
bool oauth_exchange(struct oauth_call *call);   /* exchange.c, RFC 8693 */
bool oauth_refresh(struct oauth_call *call);    /* refresh.c, RFC 6749 §6 */
bool oauth_introspect(struct oauth_call *call); /* introspect.c, RFC 7662 */
bool oauth_revoke(struct oauth_call *call);     /* revoke.c, RFC 7009 */

/* endpoint.c: the table of paths, and the way of a call through the parts above. Knows
 * whether a path is one of OAuth's; api_handle hands those over. */
bool oauth_is_path(struct slice path);
/* Before the body is read: is it of a size and a number that are taken? A call that is not
 * wanted is answered all the same. */
bool oauth_wants_body(struct authority *authority, struct http_call *call);
void oauth_handle(struct authority *authority, struct api_request *request,
                  struct api_answer *answer, struct api_outcome *outcome);

/* metadata.c: RFC 8414, and the page that says why there is no log-in. */
void oauth_metadata(struct oauth_call *call);
void oauth_authorize_page(struct oauth_call *call);
/* jwks.c: the public halves of the keys that sign JWTs (RFC 7517). */
void oauth_jwks(struct oauth_call *call);

#endif

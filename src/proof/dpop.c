/* proof/dpop.c - a DPoP proof checked, step by step (RFC 9449 §4.3). */
#include "proof/dpop.h"

#include <stdlib.h>

#include "base/encoding.h"
#include "base/json.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/jws.h"
#include "proof/target.h"

enum { PLACES = 512, HEADER_KEPT_MAX = 1024 };

/* A client's header is the same in all its proofs: its text stands for the parsed key. */
struct known_header {
    char *text; /* NULL: the place is free */
    size_t size;
    struct public_key *key;
    struct signature_checker *checker;
    enum sign_alg alg;
};

struct dpop_verifier {
    struct known_header known[PLACES];
};

enum status
dpop_verifier_new(struct dpop_verifier **out)
{
    *out = calloc(1, sizeof **out);
    return *out == NULL ? STATUS_MEMORY : STATUS_OK;
}

static void
forget(struct known_header *known)
{
    free(known->text);
    signature_checker_free(known->checker);
    public_key_free(known->key);
    *known = (struct known_header){ 0 };
}

void
dpop_verifier_free(struct dpop_verifier *verifier)
{
    if (verifier == NULL)
        return;
    for (size_t i = 0; i < PLACES; i++)
        forget(&verifier->known[i]);
    free(verifier);
}

const char *
dpop_verdict_text(enum dpop_verdict verdict)
{
    switch (verdict) {
    case DPOP_OK:
        return "the proof holds";
    case DPOP_MALFORMED:
        return "the DPoP proof is malformed";
    case DPOP_TYPE:
        return "the DPoP proof's typ is not dpop+jwt";
    case DPOP_ALGORITHM:
        return "the DPoP proof's alg is not taken, or does not fit its key";
    case DPOP_KEY:
        return "the DPoP proof's jwk is missing, private, weak or of a kind that is not taken";
    case DPOP_SIGNATURE:
        return "the DPoP proof's signature does not hold";
    case DPOP_METHOD:
        return "the DPoP proof is for another method (htm)";
    case DPOP_TARGET:
        return "the DPoP proof is for another URL (htu)";
    case DPOP_TOO_OLD:
        return "the DPoP proof is too old (iat)";
    case DPOP_TOO_NEW:
        return "the DPoP proof is from the future (iat): is the client's clock right?";
    case DPOP_TOKEN:
        return "the DPoP proof is for another token (ath)";
    case DPOP_NONCE:
        return "the DPoP proof needs the nonce that is given here";
    }
    return "the DPoP proof does not hold";
}

/* --- the header -------------------------------------------------------------------- */

static bool
member_is(const json_t *object, const char *name, const char *text)
{
    const json_t *member = json_object_get(object, name);

    return json_is_string(member) && json_string_length(member) == strlen(text) &&
           strcmp(json_string_value(member), text) == 0;
}

static enum dpop_verdict
read_header(struct slice text, struct known_header *out)
{
    struct fault fault = { 0 };
    enum dpop_verdict verdict = DPOP_OK;
    json_t *header = NULL;
    enum status status = jws_header(text, &header, &out->alg, &fault);

    if (status != STATUS_OK)
        return strstr(fault.text, " alg") != NULL ? DPOP_ALGORITHM : DPOP_MALFORMED;
    if (!member_is(header, "typ", "dpop+jwt"))
        verdict = DPOP_TYPE;
    else if (public_key_from_jwk(json_object_get(header, "jwk"), &out->key, NULL) != STATUS_OK)
        verdict = DPOP_KEY;
    else if (signature_checker_new(out->key, out->alg, &out->checker) != STATUS_OK)
        verdict = DPOP_ALGORITHM;
    json_decref(header);
    return verdict;
}

/* The header's place, filled with it; *verdict when it is none that is taken. A header
 * that is too long to keep stands in `passing`, which the caller forgets. */
static const struct known_header *
known_of(struct dpop_verifier *verifier, struct slice text, struct known_header *passing,
         enum dpop_verdict *verdict)
{
    struct known_header *known = &verifier->known[slice_hash(text) % PLACES];

    *verdict = DPOP_OK;
    if (known->text != NULL && slice_equal(text, slice_of(known->text, known->size)))
        return known;
    *verdict = read_header(text, passing);
    if (*verdict != DPOP_OK || text.size > HEADER_KEPT_MAX)
        return passing;
    passing->text = slice_strdup(text);
    if (passing->text == NULL)
        return passing;
    passing->size = text.size;
    forget(known);
    *known = *passing;
    *passing = (struct known_header){ 0 };
    return known;
}

/* --- the payload --------------------------------------------------------------------- */

struct claims {
    struct slice jti, htm, htu, ath, nonce;
    int64_t iat; /* s */
};

static bool
take_text(const json_t *payload, const char *name, struct slice *out)
{
    const json_t *member = json_object_get(payload, name);

    if (member == NULL)
        return true;
    if (!json_is_string(member))
        return false;
    *out = slice_of(json_string_value(member), json_string_length(member));
    return true;
}

/* The slices borrow from the payload. */
static bool
take_claims(const json_t *payload, struct claims *out)
{
    const json_t *iat = json_object_get(payload, "iat");

    if (!json_is_object(payload) || !json_is_integer(iat) || json_integer_value(iat) < 0 ||
        json_integer_value(iat) > INT64_MAX / 1000)
        return false;
    out->iat = json_integer_value(iat);
    return take_text(payload, "jti", &out->jti) && take_text(payload, "htm", &out->htm) &&
           take_text(payload, "htu", &out->htu) && take_text(payload, "ath", &out->ath) &&
           take_text(payload, "nonce", &out->nonce) && out->jti.size > 0 &&
           out->jti.size <= DPOP_JTI_MAX && out->htm.size > 0 && out->htu.size > 0;
}

static bool
same_target(struct slice htu, struct slice target, struct arena *arena)
{
    struct slice ours, theirs;

    /* Spelled alike, as it nearly always is, both need no other form. */
    if (slice_equal(htu, target))
        return target_normal(target, arena, &ours) == STATUS_OK;
    return target_normal(htu, arena, &theirs) == STATUS_OK &&
           target_normal(target, arena, &ours) == STATUS_OK && slice_equal(theirs, ours);
}

static bool
same_token(struct slice ath, struct slice token)
{
    uint8_t shown[HASH_SIZE], ours[HASH_SIZE];
    size_t size;

    return base64url_decode(ath, shown, sizeof shown, &size) && size == sizeof shown &&
           hash_sha256(&token, 1, ours) == STATUS_OK && secret_equal(shown, ours, sizeof ours);
}

/* Both are looked at always: a nonce does not make an old proof young. */
static enum dpop_verdict
judge_time(const struct claims *claims, const struct dpop_expected *expected, enum nonce_age *age)
{
    int64_t iat = claims->iat * 1000;

    if (iat < expected->now - DPOP_PAST_MS)
        return DPOP_TOO_OLD;
    if (iat > expected->now + DPOP_FUTURE_MS)
        return DPOP_TOO_NEW;
    *age = nonce_check(expected->nonces, expected->place, claims->nonce, expected->now);
    if (*age == NONCE_WRONG)
        return DPOP_NONCE;
    if (*age == NONCE_NONE && (expected->nonce_required || iat < expected->started_at ||
                               iat > expected->now + DPOP_AHEAD_MS))
        return DPOP_NONCE;
    return DPOP_OK;
}

static enum dpop_verdict
judge_claims(const struct claims *claims, const struct dpop_expected *expected, struct arena *arena,
             struct dpop_proof *out)
{
    if (!slice_equal(claims->htm, expected->method))
        return DPOP_METHOD;
    if (!same_target(claims->htu, expected->target, arena))
        return DPOP_TARGET;
    if (expected->token.size > 0 && !same_token(claims->ath, expected->token))
        return DPOP_TOKEN;
    return judge_time(claims, expected, &out->nonce);
}

/* jkt has a fixed size, so that no two pairs make one text. */
static bool
replay_id_make(const struct claims *claims, struct dpop_proof *out)
{
    const struct slice parts[] = {
        SLICE_LITERAL("writ dpop"),
        slice_of(out->jkt, sizeof out->jkt),
        claims->jti,
    };
    uint8_t digest[HASH_SIZE];

    if (hash_sha256(parts, sizeof parts / sizeof parts[0], digest) != STATUS_OK)
        return false;
    memcpy(out->replay_id, digest, sizeof out->replay_id);
    /* It is taken until then, and a second more for the rounding of clocks. */
    out->replay_until = claims->iat * 1000 + DPOP_PAST_MS + 1000;
    return true;
}

static enum dpop_verdict
judge_payload(struct slice text, const struct dpop_expected *expected, struct arena *arena,
              struct dpop_proof *out)
{
    struct claims claims = { 0 };
    enum dpop_verdict verdict = DPOP_MALFORMED;
    json_t *payload;

    if (json_read(text, &payload, NULL) != STATUS_OK)
        return DPOP_MALFORMED;
    if (take_claims(payload, &claims))
        verdict = judge_claims(&claims, expected, arena, out);
    if (verdict == DPOP_OK && !replay_id_make(&claims, out))
        verdict = DPOP_MALFORMED;
    json_decref(payload);
    return verdict;
}

enum dpop_verdict
dpop_check(struct dpop_verifier *verifier, struct slice text, const struct dpop_expected *expected,
           struct arena *arena, struct dpop_proof *out)
{
    struct known_header passing = { 0 };
    const struct known_header *known;
    enum dpop_verdict verdict;
    struct jws jws;

    *out = (struct dpop_proof){ 0 };
    if (text.size > DPOP_TEXT_MAX || jws_split(text, arena, &jws) != STATUS_OK)
        return DPOP_MALFORMED;
    known = known_of(verifier, jws.header, &passing, &verdict);
    if (verdict == DPOP_OK &&
        signature_check(known->checker, jws.signed_text, jws.signature) != STATUS_OK)
        verdict = DPOP_SIGNATURE;
    if (verdict == DPOP_OK) {
        memcpy(out->jkt, public_key_thumbprint(known->key), sizeof out->jkt);
        out->alg = known->alg;
        verdict = judge_payload(jws.payload, expected, arena, out);
    }
    forget(&passing);
    return verdict;
}

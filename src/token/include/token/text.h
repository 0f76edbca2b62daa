/* token/text.h - a token as text, and its narrowing without the authority.
 *
 *   writ_  base62(version kid id mac) base62(crc32)                 75 characters after the _
 *   writa_ base62(version kid id caveats… mac) base62(crc32)        at most 2,048 in all
 *
 * mac = HMAC-SHA-256(ring key, "writ token 1" || version || kid || id); each
 * caveat replaces it: mac' = HMAC-SHA-256(mac, caveat) (macaroons, Birgisson et
 * al. 2014). Base62 is base/encoding.h's; the CRC-32 covers all text before it. */
#ifndef WRIT_TOKEN_TEXT_H
#define WRIT_TOKEN_TEXT_H

#include "base/address.h"
#include "base/buffer.h"
#include "base/fault.h"
#include "token/id.h"
#include "token/keyring.h"

enum {
    TOKEN_TEXT_BODY = 75, /* N of the published expression */
    TOKEN_TEXT_SIZE = 5 + TOKEN_TEXT_BODY,
    TOKEN_TEXT_MAX = 2048,
    TOKEN_CAVEATS_MAX = 16,
    TOKEN_BINARY_MAX = 1536
};

#define TOKEN_EXPRESSION "\\bwrit_[0-9A-Za-z]{75}\\b|\\bwrita_[0-9A-Za-z]{75,2042}\\b"

enum caveat_kind {
    CAVEAT_HOP = 1,    /* begins an attenuation: its random id */
    CAVEAT_RIGHTS,     /* a list of rights, space separated: one must cover the request */
    CAVEAT_EXPIRES,    /* be64 wall ms */
    CAVEAT_NETWORK,    /* CIDRs, space separated: the peer must be in one */
    CAVEAT_KEY,        /* jkt (32 bytes); on a token that is bound already it is refused */
    CAVEAT_LABEL,      /* UTF-8 for the audit, at most 64 bytes */
    CAVEAT_KEY_SIGNED, /* another key on a bound token, by the one now in force: see below */
};

struct private_key;

struct caveat {
    enum caveat_kind kind;
    struct slice value; /* borrows from the view */
};

/* A token taken apart, its checksum right, its caveats known and well formed;
 * the MAC not yet verified. Owns the decoded bytes. Wipe when done. */
struct token_view {
    uint8_t kid;
    bool attenuated;
    struct token_id id;
    char id_text[TOKEN_ID_TEXT + 1];
    struct caveat caveats[2 * TOKEN_CAVEATS_MAX]; /* hops stand between */
    size_t caveat_count;
    uint8_t mac[32];
    uint8_t binary[TOKEN_BINARY_MAX];
    size_t binary_size;
};

/* Cheap test for "this looks like ours" in places where no token belongs:
 * prefix, alphabet, length and checksum are right. */
bool token_text_valid(struct slice text);
/* Does such a text stand anywhere in these bytes but where `belongs` begins? */
bool token_text_stands_in(struct slice bytes, struct slice belongs);
enum status token_parse(struct slice text, struct token_view *out) WRIT_MUST_USE;
void token_view_wipe(struct token_view *view);
/* The whole chain in constant time; DENIED when it does not hold or the ring has
 * no such key (which costs the same). */
enum status token_verify(const struct token_view *view, struct keyring_state *ring) WRIT_MUST_USE;
/* Who keeps tokens in a large memory is told the id that a text claims, to ask for what it
 * will want of it while the text is read on, and again while its code is computed. */
struct token_expectant {
    void (*claimed)(const void *keeper, const struct token_id *id);
    void (*read)(const void *keeper, const struct token_id *id);
    const void *keeper;
};
/* Both in one, also for a JWT of this authority (RFC 9068), whose jti is the id. A text
 * without caveats that this ring's state verified lately is known
 * again without its MAC; the view's mac and binary are then empty. The expectant, when
 * there is one, is told of others. INVALID, DENIED. */
enum status token_recognize(struct slice text, struct keyring_state *ring,
                            const struct token_expectant *expectant,
                            struct token_view *out) WRIT_MUST_USE;
/* Derives the text of an id: at issue, and again for a repeated idempotent issue. */
enum status token_write(const struct token_id *id, uint8_t kid, struct keyring_state *ring,
                        char out[TOKEN_TEXT_SIZE + 1]) WRIT_MUST_USE;

/* A thief of the text alone must not bind it to a key of its own, so that another key on
 * a bound token stands with a signature:
 *
 *   jkt, 32 bytes || be16 size, the key now in force (public_key_pack) || signature
 *
 * by that key over "writ rebind 1" || SHA-256(all bytes of the token before this caveat,
 * the MAC left out) || jkt. in_force is the thumbprint of the key that was to be proven
 * before it; i the caveat's place. A token that is bound to a certificate (x5t) has no key
 * that could sign: it can't be bound anew offline. */
bool token_rebind_holds(const struct token_view *view, size_t i, const uint8_t in_force[32]);

/* Offline: no ring needed. Zero members ask for nothing. */
struct attenuation {
    struct slice rights;   /* space separated, each parsed and checked */
    int64_t expires_at;    /* TIME_NEVER or 0: none */
    struct slice networks; /* space separated CIDRs */
    const uint8_t *jkt;    /* 32 bytes or NULL */
    /* The key that the token is bound to, when it is: it signs the change to jkt. NULL: the
     * token is bound to none. */
    const struct private_key *signer;
    struct slice label;
};
/* Appends a hop and its caveats; *hop tells its id. out then holds a credential: free
 * it with buffer_wipe_free. DENIED for a key without its predecessor's signature on a token
 * whose caveats bind one already; whether the token was bound at its issue is not to be
 * seen here: the gate refuses. */
enum status token_attenuate(struct slice text, const struct attenuation *what, struct buffer *out,
                            struct hop_id *hop, struct fault *fault) WRIT_MUST_USE;

#endif

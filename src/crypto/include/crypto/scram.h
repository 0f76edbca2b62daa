/* crypto/scram.h - SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): a client proves
 * that it knows a password, and the server that it knows it too; it never crosses the wire.
 *
 * Both sides are of PostgreSQL's kind: the name in the messages is empty or unread, because
 * the session told it before. */
#ifndef WRIT_CRYPTO_SCRAM_H
#define WRIT_CRYPTO_SCRAM_H

#include "base/buffer.h"

/* Keys that were derived last, so that the same log-in again costs no derivation (PBKDF2 of
 * some thousand rounds). Zeroed: none. One thread's. */
struct scram_memory {
    uint8_t of[32]; /* digest of password, salt and rounds */
    uint8_t client_key[32], server_key[32];
    bool known;
};
void scram_memory_wipe(struct scram_memory *memory);

enum {
    SCRAM_ROUNDS_MAX = 200000, /* more, and the server would hold up the thread */
    SCRAM_MESSAGE_MAX = 4096,
    SCRAM_END_POINT_MAX = 64,
    SCRAM_SALT_SIZE = 16, /* of the verifiers that are made here */
    SCRAM_ROUNDS = 4096,  /* likewise; RFC 7677 §4 */
};

/* --- the client ------------------------------------------------------------------------- */

/* RFC 5802 §6. UNOFFERED: we could bind, and the server did not offer it, as far as we were
 * told: a server that did offer it then knows that somebody stands between, and refuses. */
enum scram_binding { SCRAM_UNBOUND, SCRAM_UNOFFERED, SCRAM_BOUND };

struct scram_client;

/* end_point: the tls-server-end-point data of the connection (RFC 5929 §4) for BOUND, else
 * empty. The password is taken as it is: SASLprep (RFC 4013) changes ASCII in nothing, and
 * other text is not prepared here, as PostgreSQL does not where it can't. memory is borrowed. */
enum status scram_client_new(struct slice password, enum scram_binding binding,
                             struct slice end_point, struct scram_memory *memory,
                             struct scram_client **out) WRIT_MUST_USE;
void scram_client_free(struct scram_client *client); /* wipes; accepts NULL */

/* client-first-message. */
enum status scram_client_first(struct scram_client *client, struct buffer *out) WRIT_MUST_USE;
/* From server-first-message the client-final-message. INVALID: it is malformed, asks for too
 * many rounds, or its nonce does not continue ours. */
enum status scram_client_final(struct scram_client *client, struct slice server_first,
                               struct buffer *out) WRIT_MUST_USE;
/* DENIED: the server does not know the password, or refuses ours. */
enum status scram_client_verify(struct scram_client *client,
                                struct slice server_final) WRIT_MUST_USE;

/* For tests: the nonce instead of a random one. */
void scram_client_nonce_set(struct scram_client *client, struct slice nonce);

/* --- the server ------------------------------------------------------------------------- */

/* What a server keeps of a password: with it alone nobody can log in elsewhere. */
struct scram_verifier {
    uint8_t salt[SCRAM_SALT_SIZE];
    uint32_t rounds;
    uint8_t stored_key[32], server_key[32];
};
/* Some milliseconds of work, for a thread that may wait. salt and rounds are set already. */
enum status scram_verifier_make(struct slice password, struct scram_verifier *out) WRIT_MUST_USE;
void scram_verifier_wipe(struct scram_verifier *verifier);

struct scram_server;

struct scram_server_options {
    const uint8_t *salt; /* SCRAM_SALT_SIZE bytes: the keys are wanted later */
    uint32_t rounds;
    /* Of the connection: with it both mechanisms were offered; empty: the plain one alone. */
    struct slice end_point;
    bool plus; /* the client chose SCRAM-SHA-256-PLUS */
};
enum status scram_server_new(const struct scram_server_options *options,
                             struct scram_server **out) WRIT_MUST_USE;
void scram_server_free(struct scram_server *server); /* wipes; accepts NULL */

/* From client-first-message the server-first-message. INVALID: malformed, an identity to act
 * as, an extension, or another binding than the mechanism has. DENIED: the client could bind
 * and was not told that it may (RFC 5802 §6). */
enum status scram_server_first(struct scram_server *server, struct slice client_first,
                               struct buffer *out) WRIT_MUST_USE;
/* From client-final-message the server-final-message, once. DENIED: another connection is
 * bound, or the proof is not of this password; the time tells not which. */
enum status scram_server_final(struct scram_server *server, struct slice client_final,
                               const struct scram_verifier *verifier,
                               struct buffer *out) WRIT_MUST_USE;

/* For tests: the whole nonce's second half instead of a random one. */
void scram_server_nonce_set(struct scram_server *server, struct slice nonce);

#endif

/* crypto/scram.h - SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), the client's
 * side: proves that a password is known, and that the server knows it too. */
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
};

struct scram_client;

/* end_point: the tls-server-end-point data of the connection (RFC 5929 §4), for -PLUS; empty:
 * without channel binding. The password is taken as it is: SASLprep (RFC 4013) changes ASCII
 * in nothing, and other text is not prepared here. memory is borrowed. */
enum status scram_client_new(struct slice password, struct slice end_point,
                             struct scram_memory *memory, struct scram_client **out) WRIT_MUST_USE;
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

#endif

/* authority/webhook.h - tells a receiver of what becomes of approvals, signed as Standard Webhooks
 * (https://www.standardwebhooks.com) say. Each message is sent until the receiver says 2xx, at
 * longer and longer intervals, for WEBHOOK_LIFE_MS; what waits is bounded, and is lost with the
 * process. Nobody waits for it: calls and answers go on. */
#ifndef WRIT_AUTHORITY_WEBHOOK_H
#define WRIT_AUTHORITY_WEBHOOK_H

#include "crypto/mac.h"
#include "internal.h"

#define WEBHOOK_LIFE_MS (10 * MS_MINUTE)
enum { WEBHOOK_KEY_MIN = 32, WEBHOOK_ID_SIZE = 4 + 32 };

struct webhook;

/* Reads the secret and follows the book of approvals; nothing when none is configured. */
enum status webhook_open(struct authority *authority, struct fault *fault) WRIT_MUST_USE;
enum status webhook_start(struct webhook *webhook, struct fault *fault) WRIT_MUST_USE; /* or NULL */
/* Ends what is under way; what was not sent is lost, and the log says how much. Accepts NULL. */
void webhook_close(struct webhook *webhook);

struct webhook_stats {
    uint64_t sent;    /* messages that were taken */
    uint64_t failed;  /* tries that were not */
    uint64_t dropped; /* messages given up: too old, or for want of room */
    uint64_t waiting;
};
void webhook_stats(struct webhook *webhook, struct webhook_stats *out); /* all 0 for NULL */

/* --- webhook_message.c: pure ------------------------------------------------------------- */

/* The key that a secret file's text means: base64 behind "whsec_", else the text itself without
 * line ends at its end. INVALID. The key is the caller's to wipe. */
enum status webhook_key(struct slice text, struct buffer *key, struct fault *fault) WRIT_MUST_USE;
/* "msg_" and 128 random bits; ends with a NUL. */
enum status webhook_id(char out[WEBHOOK_ID_SIZE + 1]) WRIT_MUST_USE;
enum status webhook_body(const struct approval_entry *entry, enum approval_event event,
                         const char *id, int64_t at, struct buffer *out) WRIT_MUST_USE;
/* Appends "v1,BASE64(HMAC-SHA256(key, id.timestamp.body))"; timestamp is in seconds. */
struct webhook_signed {
    struct slice id;
    int64_t timestamp;
    struct slice body;
};
enum status webhook_sign(struct mac_state *key, const struct webhook_signed *what,
                         struct buffer *out) WRIT_MUST_USE;

#endif

/* audit/event.h - one line of the audit: who asked for what, when, from where,
 * what was decided by which right, and how it ended. */
#ifndef WRIT_AUDIT_EVENT_H
#define WRIT_AUDIT_EVENT_H

#include "base/address.h"
#include "base/slice.h"

enum audit_decision { AUDIT_DENY, AUDIT_ALLOW };
enum audit_proof { AUDIT_PROOF_NONE, AUDIT_PROOF_DPOP, AUDIT_PROOF_CERTIFICATE };

/* What is known before the upstream sees a byte. Slices are borrowed during the
 * call; ones longer than AUDIT_TEXT_MAX are cut with a marker. Never a token's text. */
enum { AUDIT_TEXT_MAX = 1024, AUDIT_KEY_SIZE = 32 };

struct audit_event {
    int64_t at;         /* wall ms */
    uint64_t session;   /* the connection's number on this node */
    struct slice token; /* id text; with "/HOP" for an attenuation */
    struct slice label; /* of an attenuation */
    /* Whom it acts for: "SUBJECT/ID" of the parent, then of its parent …, by a space. */
    struct slice chain;
    struct slice subject;
    struct slice subject_type; /* "user" "service" "agent" "" */
    struct slice role;         /* where the deciding right stands */
    struct slice resource, action, object;
    struct slice right;     /* that allowed, denied, or is needed */
    struct slice reason;    /* "" on allow */
    struct slice agent;     /* User-Agent or application name */
    struct slice statement; /* SQL text; empty elsewhere */
    struct ip peer;
    uint16_t peer_port;
    enum audit_decision decision;
    enum audit_proof proof;
    const uint8_t *key; /* 32 bytes: the thumbprint of the key that was proven; NULL: none was */
};

/* How it ended. status is the protocol's own number (HTTP status). */
struct audit_outcome {
    uint32_t status;
    uint64_t bytes_in, bytes_out; /* body bytes from and to the client */
    uint64_t duration_us;
};

#endif

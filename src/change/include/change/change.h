/* change/change.h - everything that can change, and one change as bytes: what
 * the store logs, a fleet sends, and the world applies. */
#ifndef WRIT_CHANGE_CHANGE_H
#define WRIT_CHANGE_CHANGE_H

#include "base/buffer.h"
#include "base/fault.h"
#include "token/record.h"

/* kind, name; the members that count besides at (when it was made), which every kind
 * has. A kind's place in the list is its number in the bytes: new ones go to the end. */
/* clang-format off */
#define CHANGE_MAP(X)                                                                             \
    X(TOKEN_ISSUED, "token.issued")           /* token */                                         \
    X(TOKEN_ROTATED, "token.rotated")         /* token, expires_at: its predecessor's new end */  \
    X(LINE_REVOKED, "line.revoked")           /* id: the line */                                  \
    X(HOP_REVOKED, "hop.revoked")             /* id: the token, hop, expires_at: then forget it */\
    X(LINE_USED, "line.used")                 /* id: the line, uses: in all, at: last use */      \
    X(TOKEN_FORGOTTEN, "token.forgotten")     /* id: dead long enough */                          \
    X(ROLE_PUT, "role.put")                   /* name, body: JSON, owner */                       \
    X(ROLE_DROPPED, "role.dropped")           /* name */                                          \
    X(SUBJECT_PUT, "subject.put")             /* as a role */                                     \
    X(SUBJECT_DROPPED, "subject.dropped")     /* name */                                          \
    X(UPSTREAM_PUT, "upstream.put")           /* as a role */                                     \
    X(UPSTREAM_DROPPED, "upstream.dropped")   /* name */                                          \
    X(KEY_PUT, "key.put")                     /* name: mac/KID or sign/NAME, body, owner */       \
    X(KEY_DROPPED, "key.dropped")             /* name */                                          \
    X(POLICY_APPLIED, "policy.applied")       /* name: the files' digest in hex */                \
    X(AUDIT_HEAD, "audit.head")               /* name: the node, body: be64 seq, 32 bytes hash */ \
    X(ANSWER_KEPT, "answer.kept")             /* name: a digest, id: the token */                 \
    X(ANSWER_FORGOTTEN, "answer.forgotten")   /* name */                                          \
    X(MEMBER_ENDED, "member.ended")           /* id: the token, expires_at: its new, earlier end */\
    X(TOOL_APPROVED, "tool.approved")         /* name: UPSTREAM/TOOL, body, owner: who did it */  \
    X(TOOL_WITHDRAWN, "tool.withdrawn")       /* name */
/* A key's body is sealed, its owner "active" or "retired". An answer's digest is over its
 * caller, Idempotency-Key and body. A line's use never goes back. A tool's body is the digest
 * of its definition (CHANGE_TOOL_DIGEST bytes), then the definition as it was shown. */
enum { CHANGE_TOOL_DIGEST = 32 };

enum change_kind {
#define CHANGE_ENUM(kind, name) CHANGE_##kind,
    CHANGE_MAP(CHANGE_ENUM)
#undef CHANGE_ENUM
    CHANGE_KINDS
};
/* clang-format on */
const char *change_kind_name(enum change_kind kind);

/* One flat value; which members count stands in CHANGE_MAP. Slices are borrowed. */
struct change {
    enum change_kind kind;
    int64_t at;
    struct token_record token;
    struct token_id id;
    struct hop_id hop;
    int64_t expires_at;
    uint32_t uses;
    struct slice name;
    struct slice body;
    struct slice owner; /* the file that created a role, subject or upstream; empty: the API */
};

/* Bytes with a version in front; decoding refuses what it does not know whole
 * (NEWER for a later version, else CORRUPT), leaves nothing over, and borrows from the
 * input. Encoding answers INVALID for a change without its ids or over a limit; out's
 * content is then as before, else only whole after OK.
 * networks: room for TOKEN_NETWORKS_MAX entries, which the change then points at. */
enum status change_encode(const struct change *change, struct buffer *out) WRIT_MUST_USE;
enum status change_decode(struct slice bytes, struct cidr *networks,
                          struct change *out) WRIT_MUST_USE;

#endif

/* audit/audit.h - the audit of one node: its journals, the thread that seals
 * them into the chained, signed log, and the keeper of retention. */
#ifndef WRIT_AUDIT_AUDIT_H
#define WRIT_AUDIT_AUDIT_H

#include "audit/journal.h"
#include "base/fault.h"
#include "crypto/sign.h"

struct audit;

enum audit_mode { AUDIT_STRICT, AUDIT_LOSSY };

/* The newest sealed head is also kept in the store, so that a cut-off end is
 * found. Called on the audit thread, at most once a second. */
struct audit_head {
    uint64_t seq;
    uint8_t hash[32];
};
typedef void (*audit_head_keeper)(void *context, const struct audit_head *head);

struct audit_options {
    const char *dir; /* DATA/audit, made when absent, mode 0700 */
    const char *node;
    enum audit_mode mode;
    int64_t retention_ms;        /* 0: lines are kept for ever */
    unsigned journals;           /* one per lane, plus one for the authority */
    size_t journal_size;         /* bytes of each, a power of two; 0: 8 MiB */
    uint32_t segment_lines;      /* a segment closes at so many; 0: 65,536, which is the most */
    const struct signer *signer; /* borrowed; signs the head of each segment */
    audit_head_keeper keep_head; /* may be NULL */
    void *context;
};

/* A line outlives the process from audit_begin on. It is in the log's file within
 * 800 ms; the file is synced, and its head signed, once a second while there are
 * lines, so that a loss of power costs at most that second.
 *
 * CONFLICT when another process seals the same directory. Recovers what journals of a killed
 * process hold (their lines are sealed first, open ones with a null status), then starts the audit
 * thread. */
enum status audit_open(const struct audit_options *options, struct audit **out,
                       struct fault *fault) WRIT_MUST_USE;
struct audit_journal *audit_journal_of(struct audit *audit, unsigned index);
/* Blocks until all lines that were begun before the call are sealed and
 * searchable (tests, graceful stop, `audit search` straight after a request); or
 * until the write failed, which audit_stats tells. */
void audit_flush(struct audit *audit);
void audit_close(struct audit *audit); /* flushes; lanes have stopped */

struct audit_stats {
    uint64_t sealed, lost, refused; /* lines */
    uint64_t segments, bytes;
    bool failing; /* the last write failed */
};
void audit_stats(const struct audit *audit, struct audit_stats *out);

#endif

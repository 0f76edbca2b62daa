/* audit/sealer.h - one pass of the audit thread: from the journals into the log.
 *
 * The order that loses nothing and doubles nothing: copy lines into the batch,
 * write the batch, then release the journals' tails. Each line names its journal
 * and position, so that recovery tells what was written but not yet released. */
#ifndef WRIT_AUDIT_SEALER_H
#define WRIT_AUDIT_SEALER_H

#include "log.h"
#include "ring.h"

/* What is done with a slot once the batch that holds its line is written. */
struct release {
    struct audit_journal *journal;
    uint32_t slot, count;
    uint64_t seq;
    int64_t second;
    bool watch; /* the line is open, or a fold that may grow; else given back */
};

struct sealer {
    struct log *log;
    struct audit_journal **journals;
    unsigned journal_count;
    struct release *releases;
    size_t release_count;
    bool tick;        /* set by the caller when a full interval has passed since the last */
    uint64_t sealed;  /* lines written */
    uint64_t damaged; /* places where a journal held no sound line */
};

enum { SEALER_RELEASES = LOG_BATCH / LINE_FIXED };

enum status sealer_init(struct sealer *sealer, struct log *log, struct audit_journal **journals,
                        unsigned count) WRIT_MUST_USE;
void sealer_free(struct sealer *sealer);

/* HURRY: open lines are sealed open at once. LAST: and nobody writes any more, so
 * that no folded line can grow. An error leaves log and journals as they stood
 * after the last batch that was written. */
enum sealer_hurry { SEALER_PATIENT, SEALER_HURRY, SEALER_LAST };
enum status sealer_pass(struct sealer *sealer, enum sealer_hurry hurry, int64_t now) WRIT_MUST_USE;

#endif

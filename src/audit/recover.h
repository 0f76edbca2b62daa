/* audit/recover.h - what the journals of a killed process hold is sealed, once. */
#ifndef WRIT_AUDIT_RECOVER_H
#define WRIT_AUDIT_RECOVER_H

#include "sealer.h"

enum { JOURNALS_MAX = 1024 };

/* A line of the newest segment that a journal has not let go of. */
struct seen_line {
    uint64_t position, seq;
    uint16_t journal;
    enum frame_kind kind;
};

struct recovery {
    const char *dir;
    struct audit_journal *found[JOURNALS_MAX]; /* by number; NULL where there is none */
    uint64_t next[JOURNALS_MAX];               /* positions from here on are not in the log */
    struct seen_line *seen;
    uint64_t *ended; /* lines whose end stands in the newest segment */
    size_t seen_count, seen_room, ended_count, ended_room;
};

/* "DIR/journal-N" */
enum status journal_path(const char *dir, unsigned number,
                         char out[SEGMENT_PATH_MAX]) WRIT_MUST_USE;

/* Maps the journals that are there; changes nothing. */
enum status recovery_open(const char *dir, struct recovery **out,
                          struct fault *fault) WRIT_MUST_USE;
/* A log_visitor; context is the recovery. */
enum status recovery_visit(void *context, struct slice frame, enum frame_kind kind) WRIT_MUST_USE;
/* Seals what the log does not hold, then makes or remakes journals 0 to count - 1
 * of this size, and removes the others. journals gets what was made. */
enum status recovery_run(struct recovery *recovery, struct log *log, size_t size, unsigned count,
                         struct audit_journal **journals, struct fault *fault) WRIT_MUST_USE;
void recovery_free(struct recovery *recovery);

#endif

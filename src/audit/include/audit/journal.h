/* audit/journal.h - where a lane leaves its lines: a shared mapping that
 * survives the process (a kill -9 loses nothing that was begun).
 *
 * One journal per lane and thread, written by that lane alone and sealed by the
 * audit thread. No call here blocks, allocates, or makes a system call. */
#ifndef WRIT_AUDIT_JOURNAL_H
#define WRIT_AUDIT_JOURNAL_H

#include "audit/event.h"
#include "base/status.h"

struct audit_journal;

/* Names one line that is open, until it is ended. Zero names none. */
typedef uint64_t audit_ticket;

/* Copies the line into the journal. FULL when there is no room (the sealer lags
 * or the disk is full): in strict mode the caller then refuses the request, in
 * lossy mode audit_begin itself counts the loss and gives ticket 0 with OK. */
enum status audit_begin(struct audit_journal *journal, const struct audit_event *event,
                        audit_ticket *ticket) WRIT_MUST_USE;
/* Completes the line; each ticket exactly once. Ticket 0 is ignored. */
void audit_end(struct audit_journal *journal, audit_ticket ticket,
               const struct audit_outcome *outcome);
/* The open line stands for one more of the very same, of one session at one time: its count
 * grows. A crash before its end leaves it as one. */
void audit_more(struct audit_journal *journal, audit_ticket ticket);
/* A line that is complete at once. Refusals without a valid token (event->token
 * empty) are folded per peer, reason and second, with a count. */
enum status audit_line(struct audit_journal *journal, const struct audit_event *event,
                       const struct audit_outcome *outcome) WRIT_MUST_USE;
/* Would a line fit now? Asked before a request is read to its end. */
bool audit_ready(const struct audit_journal *journal);

#endif

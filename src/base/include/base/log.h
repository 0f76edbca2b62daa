/* base/log.h - structured logs on standard error: one JSON object a line
 * {"at","level","room","message", members…}, or plain text on a terminal.
 * Callers never pass a secret; nothing here sees tokens. */
#ifndef WRIT_BASE_LOG_H
#define WRIT_BASE_LOG_H

#include "base/slice.h"
#include "base/status.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level least);
/* Pairs of (const char *name, const char *value) end with NULL:
 * log_write(LOG_INFO, "store", "opened", "path", path, NULL). */
void log_write(enum log_level level, const char *room, const char *message, ...)
    __attribute__((sentinel));

#endif

/* audit/gather.h - all uses since a time: from the summaries of segments that lie
 * behind it whole, line by line from the others. */
#ifndef WRIT_AUDIT_GATHER_H
#define WRIT_AUDIT_GATHER_H

#include "base/fault.h"
#include "uses.h"

typedef enum status (*use_taker)(void *context, const struct slice text[USE_TEXTS],
                                 const struct use_count *count);
enum status gather_uses(const char *dir, int64_t since, use_taker taker, void *context,
                        struct fault *fault) WRIT_MUST_USE;

#endif

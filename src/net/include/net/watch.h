/* net/watch.h - readiness of a foreign library's socket (libpq, libcurl). */
#ifndef WRIT_NET_WATCH_H
#define WRIT_NET_WATCH_H

#include "net/lane.h"

struct watch;

enum { WATCH_READ = 1, WATCH_WRITE = 2 };

/* The descriptor stays the caller's and must stay open until watch_free. */
enum status watch_new(struct lane *lane, int descriptor,
                      void (*ready)(struct watch *watch, int events, void *context), void *context,
                      struct watch **out) WRIT_MUST_USE;
/* events 0 pauses. An error of the descriptor is reported as all that was asked for. */
enum status watch_set(struct watch *watch, int events) WRIT_MUST_USE;
void watch_free(struct watch *watch); /* in its own callback too; accepts NULL */

#endif

/* gateway/postgres/reach.h - a connection to a PostgreSQL server up to its first message:
 * dialled, and secured where the upstream wants TLS. */
#ifndef WRIT_GATEWAY_POSTGRES_REACH_H
#define WRIT_GATEWAY_POSTGRES_REACH_H

#include "../dial.h"

struct reach;

/* The upstream must be in use until done, which never runs inside the call; as dial_done. */
enum status reach_start(struct upstream *upstream, struct lane *lane, dial_done done, void *context,
                        struct reach **out) WRIT_MUST_USE;
/* done does not come any more. Not after done. */
void reach_cancel(struct reach *reach);

#endif

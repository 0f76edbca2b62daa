/* net/resolve.h - names to addresses, without holding up a lane. */
#ifndef WRIT_NET_RESOLVE_H
#define WRIT_NET_RESOLVE_H

#include "base/address.h"
#include "net/lane.h"

enum { RESOLVE_MAX = 16 };

/* ips in the resolver's order of preference, without doubles; borrowed during the
 * callback. status: OK with at least one; NOT_FOUND; TIMEOUT (may work later); IO. */
typedef void (*resolve_callback)(enum status status, const struct ip *ips, size_t count,
                                 void *context);
/* An address in text form is answered too, also later. Can't be called off: the
 * context must last until the callback, which comes unless the lane ends first. */
enum status resolve_name(struct lane *lane, struct slice name, resolve_callback callback,
                         void *context) WRIT_MUST_USE;

#endif

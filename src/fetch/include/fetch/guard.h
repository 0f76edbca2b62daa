/* fetch/guard.h - the addresses that no call of ours may lead to, whatever a name resolves to. */
#ifndef WRIT_FETCH_GUARD_H
#define WRIT_FETCH_GUARD_H

#include "net/own.h"

struct guard {
    const struct own *own; /* where this process listens; borrowed */
    bool loopback_only;    /* the call is clear, and must stay on this machine */
};

/* NULL: it may be connected to; else why not, in words that follow the address. */
const char *guard_bars(const struct guard *guard, const struct ip *ip, uint16_t port);

#endif

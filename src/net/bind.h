/* net/bind.h - a socket that listens. */
#ifndef WRIT_NET_BIND_H
#define WRIT_NET_BIND_H

#include "net/listener.h"

struct bound {
    int descriptor;
    struct ip ip; /* IP_NONE: Unix */
    uint16_t port;
    char *path; /* of a Unix socket that was made here, to be removed again */
    dev_t device;
    ino_t inode;
};

enum status bound_open(const struct listener_options *options, struct bound *out,
                       struct fault *fault) WRIT_MUST_USE;
void bound_close(struct bound *bound);

#endif

/* cli/guest.h - who may use a local port that adds a token: programs of this machine, and
 * pages of this machine. */
#ifndef WRIT_CLI_GUEST_H
#define WRIT_CLI_GUEST_H

#include "http/head.h"

bool guest_is_local(const struct http_head *head);

#endif

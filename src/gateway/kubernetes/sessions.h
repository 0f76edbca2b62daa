/* gateway/kubernetes/sessions.h - execs and attaches in pods, recorded. */
#ifndef WRIT_GATEWAY_KUBERNETES_SESSIONS_H
#define WRIT_GATEWAY_KUBERNETES_SESSIONS_H

#include "../http/dialect.h"
#include "attributes.h"

/* Why such a session can't be let through; NULL: it can. *now: only at the moment. */
const char *kube_session_refused(const struct http_passage *http,
                                 const struct kube_attributes *attributes, bool *now);
/* command: that an exec runs. *out stays NULL where it is not recorded. */
enum status kube_session_tap(struct http_passage *http, const struct http_head *head,
                             struct slice command, struct stream_tap **out) WRIT_MUST_USE;

#endif

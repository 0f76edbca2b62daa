/* gateway/kubernetes/lists.h - lists and watches, with what the token may not see left out. */
#ifndef WRIT_GATEWAY_KUBERNETES_LISTS_H
#define WRIT_GATEWAY_KUBERNETES_LISTS_H

#include "../http/dialect.h"
#include "attributes.h"

/* attributes live as long as the passage. NULL: out of memory. */
struct body_filter *kube_filter_new(struct passage *passage,
                                    const struct kube_attributes *attributes);

#endif

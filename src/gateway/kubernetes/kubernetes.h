/* gateway/kubernetes/kubernetes.h - the Kubernetes API behind the HTTP door. */
#ifndef WRIT_GATEWAY_KUBERNETES_KUBERNETES_H
#define WRIT_GATEWAY_KUBERNETES_KUBERNETES_H

#include "../http/dialect.h"

extern const struct dialect kubernetes_dialect;

#endif

/* gateway/kubernetes/protobuf.h - the name of what is made, out of a body in Kubernetes' protobuf,
 * which kubectl and other typed clients send. Pure. */
#ifndef WRIT_GATEWAY_KUBERNETES_PROTOBUF_H
#define WRIT_GATEWAY_KUBERNETES_PROTOBUF_H

#include "workload.h"

/* False: out->wrong says why. The texts of *named lie in body. Only for what KUBE_BODY_NAME says
 * of: nothing but the names is read. */
bool kube_protobuf_read(struct slice body, struct body_facts *out, struct kube_named *named);

#endif

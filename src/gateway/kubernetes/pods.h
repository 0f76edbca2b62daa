/* gateway/kubernetes/pods.h - what a pod asks for, as facts: image, commands, and all that
 * reaches beyond its own walls. Members that are unknown are refused. Pure. */
#ifndef WRIT_GATEWAY_KUBERNETES_PODS_H
#define WRIT_GATEWAY_KUBERNETES_PODS_H

#include "../http/body.h"

/* Of a pod or a template; both may be NULL. whole: it is all there will be; else it is laid
 * over what stands there already. */
void kube_pod_read(const json_t *metadata, const json_t *spec, bool whole, struct body_facts *out);

/* A name that Go would take for the known one in another case. */
void kube_no_twins(const json_t *object, const char *const *names, struct body_facts *out);

#endif

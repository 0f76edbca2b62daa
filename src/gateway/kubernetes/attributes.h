/* gateway/kubernetes/attributes.h - what a request to a Kubernetes API server is: the verb,
 * resource and name that the server itself derives from method and path (k8s.io/apiserver,
 * RequestInfo), and the right's action and object. Pure. */
#ifndef WRIT_GATEWAY_KUBERNETES_ATTRIBUTES_H
#define WRIT_GATEWAY_KUBERNETES_ATTRIBUTES_H

#include "base/arena.h"

enum kube_connect {
    KUBE_NOT_CONNECTED,
    KUBE_EXEC,
    KUBE_ATTACH,
    KUBE_PORTFORWARD,
    KUBE_PROXY, /* anything behind a node, a pod or a service */
};

struct kube_attributes {
    bool resource_request; /* false: a path such as /version; only action and object stand */
    bool free;             /* discovery: to whoever has any right at this upstream */
    bool listing;          /* list or watch: what is answered is filtered */
    bool watch;
    enum kube_connect connect;
    /* create, get, list, watch, update, patch, delete, deletecollection */
    struct slice verb;
    struct slice action; /* of the right */
    struct slice group, resource, subresource, namespace, name;
    /* Why more than the action must be allowed: "Proxy=nodes"; empty: it need not. */
    struct slice option;
};

/* path: canonical, as path_canonical gives it. False: *why says what can't be told. */
bool kube_attributes_find(struct slice method, struct slice path, struct slice query,
                          struct arena *arena, struct kube_attributes *out, const char **why);

/* One that Kubernetes gives, or the prefix of one. */
bool kube_name_valid(struct slice text);

/* namespace or -/resource[.group]/name; without a name what lists has the resource alone,
 * and anything else "-". NULL text: too long. */
struct slice kube_object(const struct kube_attributes *attributes, struct slice namespace,
                         struct slice name, struct arena *arena);

#endif

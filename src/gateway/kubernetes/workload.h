/* gateway/kubernetes/workload.h - the bodies of writes: the name that is made, and the pod
 * that a workload will run, from whole objects and from patches. Pure. */
#ifndef WRIT_GATEWAY_KUBERNETES_WORKLOAD_H
#define WRIT_GATEWAY_KUBERNETES_WORKLOAD_H

#include "../http/body.h"
#include "attributes.h"

/* Where the pod stands in it. */
enum kube_body {
    KUBE_BODY_UNREAD,   /* nothing in it changes the decision */
    KUBE_BODY_NAME,     /* the name of what is made */
    KUBE_BODY_POD,      /* metadata, spec */
    KUBE_BODY_WORKLOAD, /* spec.template */
    KUBE_BODY_CRONJOB,  /* spec.jobTemplate.spec.template */
    KUBE_BODY_TEMPLATE, /* template */
};

enum kube_form {
    KUBE_FORM_WHOLE,
    KUBE_FORM_MERGE,     /* RFC 7396 */
    KUBE_FORM_STRATEGIC, /* with directives of its own */
    KUBE_FORM_STEPS,     /* RFC 6902 */
    KUBE_FORM_APPLY,
    KUBE_FORM_PROTOBUF, /* whole; of it the names are read alone (protobuf.h) */
    KUBE_FORM_UNKNOWN,
};

enum kube_body kube_body_of(const struct kube_attributes *attributes);
/* May a body of this kind come in protobuf? Where the names alone count, of resources that are
 * Kubernetes' own: their metadata is the first field. */
bool kube_takes_protobuf(const struct kube_attributes *attributes);
/* Of a Content-Type. */
enum kube_form kube_form_of(struct slice type, struct slice verb);

/* What is made, as its body names it; a generateName is as good as the name. */
struct kube_named {
    struct slice name, namespace;
    bool generated; /* name is the beginning of it */
};

/* Of a body in JSON. False: out->wrong says why. A strategic patch's directives are taken out of
 * body. */
bool kube_body_read(enum kube_body kind, enum kube_form form, json_t *body, struct body_facts *out,
                    struct kube_named *named);

#endif

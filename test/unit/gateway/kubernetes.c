/* test/unit/gateway/kubernetes.c - what a request to an API server is, before anybody is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kubernetes/attributes.h"
#include "kubernetes/protobuf.h"
#include "kubernetes/workload.h"

static struct arena arena;

static int
set_up(void **state)
{
    arena_init(&arena, 1 << 20);
    return 0;
}

static int
tear_down(void **state)
{
    arena_free(&arena);
    return 0;
}

/* --- the table of verdicts ------------------------------------------------------------- */

/* "METHOD path?query", and "action object", with " !option" where a right must speak of it. */
static const struct {
    const char *request, *verdict; /* NULL: refused */
} verdicts[] = {
    /* what anybody reads first */
    { "GET /version", "get /version free" },
    { "GET /api", "get /api free" },
    { "GET /apis", "get /apis free" },
    { "GET /api/v1", "get /api/v1 free" },
    { "GET /apis/apps", "get /apis/apps free" },
    { "GET /apis/apps/v1", "get /apis/apps/v1 free" },
    { "GET /openapi/v2", "get /openapi/v2 free" },
    { "GET /openapi/v3/apis/apps/v1", "get /openapi/v3/apis/apps/v1 free" },
    { "GET /healthz", "get /healthz free" },
    { "GET /readyz/etcd", "get /readyz/etcd free" },
    { "GET /livez", "get /livez free" },
    { "GET /metrics", "get /metrics" },
    { "GET /logs/kube.log", "get /logs/kube.log" },
    { "GET /debug/pprof", "get /debug/pprof" },
    { "GET /.well-known/openid-configuration", "get /.well-known/openid-configuration" },
    { "POST /version", NULL },
    { "POST /api/v1", NULL },
    { "DELETE /apis/apps/v1", NULL },
    { "GET /healthzz", NULL },
    { "GET /", NULL },
    { "GET /apix/v1/pods", NULL },
    { "OPTIONS /api/v1/pods", NULL },
    { "CONNECT /api/v1/pods", NULL },
    /* verbs */
    { "GET /api/v1/namespaces/shop/pods/web", "get shop/pods/web" },
    { "HEAD /api/v1/namespaces/shop/pods/web", "get shop/pods/web" },
    { "PUT /api/v1/namespaces/shop/pods/web", "update shop/pods/web" },
    { "PATCH /api/v1/namespaces/shop/pods/web", "patch shop/pods/web" },
    { "DELETE /api/v1/namespaces/shop/pods/web", "delete shop/pods/web" },
    { "POST /api/v1/namespaces/shop/pods", "create shop/pods/-" },
    { "GET /api/v1/namespaces/shop/pods", "list shop/pods" },
    { "GET /api/v1/namespaces/shop/pods/", "list shop/pods" },
    { "HEAD /api/v1/namespaces/shop/pods", "list shop/pods" },
    { "DELETE /api/v1/namespaces/shop/pods",
      "deletecollection shop/pods/- !DeleteCollection=pods" },
    { "PUT /api/v1/namespaces/shop/pods", NULL },
    { "PATCH /api/v1/namespaces/shop/pods", NULL },
    { "POST /api/v1/namespaces/shop/pods/web", NULL },
    { "get /api/v1/namespaces/shop/pods", NULL },
    /* groups and namespaces */
    { "GET /api/v1/pods", "list -/pods" },
    { "GET /api/v1/nodes/n1", "get -/nodes/n1" },
    { "GET /apis/apps/v1/deployments", "list -/deployments.apps" },
    { "GET /apis/apps/v1/namespaces/shop/deployments/web", "get shop/deployments.apps/web" },
    { "GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
      "get -/clusterroles.rbac.authorization.k8s.io/system:node" },
    { "GET /api/v1/namespaces", "list -/namespaces" },
    { "GET /api/v1/namespaces/shop", "get -/namespaces/shop" },
    { "DELETE /api/v1/namespaces/shop", "delete -/namespaces/shop" },
    { "PUT /api/v1/namespaces/shop/finalize", "update.finalize -/namespaces/shop" },
    { "GET /api/v1/namespaces/shop/status", "get.status -/namespaces/shop" },
    { "POST /api/v1/namespaces", "create -/namespaces/-" },
    { "GET /api/v1/namespaces/shop/pods/status", "get shop/pods/status" },
    { "GET /apis/apps/v1/namespaces/-/deployments/web", NULL },
    { "GET /api/v1/namespaces/shop/pods/-", NULL },
    { "GET /api/v1/namespaces/Shop/pods/web", NULL },
    { "GET /api/v1/namespaces/a.b/pods/web", NULL },
    { "GET /api/v1/namespaces/shop/pods.apps/web", NULL },
    { "GET /api/v1/namespaces/shop/Pods/web", NULL },
    { "GET /api/v1/namespaces/shop/pods/a%2Ab", NULL },
    { "GET /api/v1/namespaces/shop/pods/a%20b", NULL },
    { "GET /api/v1/namespaces/sh%C3%B6p/pods", NULL },
    { "GET /api/V1/pods", NULL },
    { "GET /apis/Apps/v1/deployments", NULL },
    /* watches */
    { "GET /api/v1/namespaces/shop/pods?watch=true", "watch shop/pods" },
    { "GET /api/v1/namespaces/shop/pods?watch=1", "watch shop/pods" },
    { "GET /api/v1/namespaces/shop/pods?w%61tch=1", "watch shop/pods" },
    { "GET /api/v1/namespaces/shop/pods?watch=false", "list shop/pods" },
    { "GET /api/v1/namespaces/shop/pods?watch=0&limit=5", "list shop/pods" },
    { "GET /api/v1/watch/namespaces/shop/pods", "watch shop/pods" },
    { "GET /api/v1/watch/namespaces/shop/pods/web", "watch shop/pods/web" },
    { "GET /apis/apps/v1/watch/deployments", "watch -/deployments.apps" },
    { "GET /api/v1/namespaces/shop/pods?watch", NULL },
    { "GET /api/v1/namespaces/shop/pods?watch=", NULL },
    { "GET /api/v1/namespaces/shop/pods?watch=t", NULL },
    { "GET /api/v1/namespaces/shop/pods?watch=TRUE", NULL },
    { "GET /api/v1/namespaces/shop/pods?watch=0&watch=1", NULL },
    { "GET /api/v1/namespaces/shop/pods?watch=0;watch=1", NULL },
    { "GET /api/v1/namespaces/shop/pods?watch=%zz", NULL },
    { "GET /api/v1/namespaces/shop/pods/web?watch=true", NULL },
    { "POST /api/v1/namespaces/shop/pods?watch=true", NULL },
    { "DELETE /api/v1/watch/namespaces/shop/pods", NULL },
    { "GET /api/v1/watch", NULL },
    { "GET /api/v1/watch/namespaces/shop/pods/web/log", NULL },
    /* one of a list */
    { "GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Dweb", "list shop/pods/web" },
    { "GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name==web&watch=1",
      "watch shop/pods/web" },
    { "GET /api/v1/pods?fieldSelector=spec.nodeName=n1", "list -/pods" },
    { "GET /api/v1/pods?fieldSelector=metadata.name!=x", "list -/pods" },
    { "GET /api/v1/pods?fieldSelector=a&fieldSelector=b", NULL },
    /* subresources */
    { "GET /api/v1/namespaces/shop/pods/web/log", "logs shop/pods/web" },
    { "GET /api/v1/namespaces/shop/pods/web/log?follow=true", "logs shop/pods/web" },
    { "GET /api/v1/namespaces/shop/pods/web/exec?command=ls", "exec shop/pods/web" },
    { "POST /api/v1/namespaces/shop/pods/web/exec?command=ls", "exec shop/pods/web" },
    { "PUT /api/v1/namespaces/shop/pods/web/exec", NULL },
    { "POST /api/v1/namespaces/shop/pods/web/attach", "attach shop/pods/web" },
    { "GET /api/v1/namespaces/shop/pods/web/portforward", "portforward shop/pods/web" },
    { "POST /api/v1/namespaces/shop/pods/web/eviction", "evict shop/pods/web" },
    { "POST /api/v1/namespaces/shop/pods/web/binding", "bind shop/pods/web" },
    { "POST /api/v1/namespaces/shop/serviceaccounts/bot/token",
      "token shop/serviceaccounts/bot !Power=serviceaccounts" },
    { "PATCH /api/v1/namespaces/shop/pods/web/ephemeralcontainers",
      "patch.ephemeralcontainers shop/pods/web" },
    { "PUT /api/v1/namespaces/shop/pods/web/status", "update.status shop/pods/web" },
    { "GET /apis/apps/v1/namespaces/shop/deployments/web/scale",
      "get.scale shop/deployments.apps/web" },
    { "PATCH /apis/apps/v1/namespaces/shop/deployments/web/scale",
      "scale shop/deployments.apps/web" },
    { "PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/a/approval",
      "approve -/certificatesigningrequests.certificates.k8s.io/a "
      "!Power=certificatesigningrequests" },
    { "GET /api/v1/namespaces/shop/pods/web/log/more", NULL },
    { "GET /api/v1/namespaces/shop/pods/web/exec/more", NULL },
    { "GET /api/v1/namespaces/shop/pods/web/Exec", NULL },
    { "GET /apis/x.io/v1/namespaces/shop/pods/web/exec", "get.exec shop/pods.x.io/web" },
    /* what reaches anything behind it */
    { "GET /api/v1/nodes/n1/proxy/run/shop/web", "proxy -/nodes/n1 !Proxy=nodes" },
    { "POST /api/v1/nodes/n1:10250/proxy/exec", "proxy -/nodes/n1 !Proxy=nodes" },
    { "GET /api/v1/namespaces/shop/pods/web:8080/proxy/a/b/c", "proxy shop/pods/web !Proxy=pods" },
    { "GET /api/v1/namespaces/shop/services/https:web:443/proxy",
      "proxy shop/services/web !Proxy=services" },
    { "GET /api/v1/namespaces/shop/services/a:b:c:d/proxy", NULL },
    { "GET /api/v1/namespaces/shop/services/https:web:/proxy",
      "proxy shop/services/web !Proxy=services" },
    { "GET /api/v1/namespaces/shop/services/:web:/proxy", NULL },
    { "GET /api/v1/namespaces/shop/services/ftp:web:1/proxy", NULL },
    { "GET /api/v1/namespaces/shop/services/::/proxy", NULL },
    { "GET /api/v1/proxy/nodes/n1/run", NULL },
    { "GET /api/v1/proxy/namespaces/shop/pods/web", NULL },
    /* what gives power */
    { "POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
      "create -/clusterrolebindings.rbac.authorization.k8s.io/- !Power=clusterrolebindings" },
    { "PATCH /apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles/r",
      "patch shop/roles.rbac.authorization.k8s.io/r !Power=roles" },
    { "DELETE /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/v",
      "delete -/validatingwebhookconfigurations.admissionregistration.k8s.io/v "
      "!Power=validatingwebhookconfigurations" },
    { "POST /api/v1/persistentvolumes", "create -/persistentvolumes/- !Power=persistentvolumes" },
    { "GET /apis/rbac.authorization.k8s.io/v1/roles", "list -/roles.rbac.authorization.k8s.io" },
};

static void
requests_have_one_meaning(void **state)
{
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        struct slice request = slice_text(verdicts[i].request);
        struct slice method = slice_first(request, slice_find(request, ' '));
        struct slice target = slice_from(request, method.size + 1);
        struct slice path = slice_first(target, slice_find(target, '?'));
        struct kube_attributes found;
        const char *why = NULL;
        char text[512] = "refused";
        bool told = kube_attributes_find(method, path, slice_from(target, path.size + 1), &arena,
                                         &found, &why);

        if (told) {
            struct slice object = found.resource_request
                                      ? kube_object(&found, found.namespace, found.name, &arena)
                                      : path;

            snprintf(text, sizeof text, "%.*s %.*s%s%s%.*s", SLICE_PRINT(found.action),
                     SLICE_PRINT(object), found.free ? " free" : "",
                     found.option.size > 0 ? " !" : "", SLICE_PRINT(found.option));
        }
        if (told == (why != NULL) ||
            strcmp(text, verdicts[i].verdict != NULL ? verdicts[i].verdict : "refused") != 0)
            fail_msg("%s: %s (%s)", verdicts[i].request, text, why != NULL ? why : "");
    }
}

/* --- bodies -------------------------------------------------------------------------------- */

/* Facts as "name=text", a guarded one with "!", joined by blanks; NULL: refused. */
static const struct {
    enum kube_body kind;
    enum kube_form form;
    const char *body, *facts;
} bodies[] = {
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"nginx\"}]}}",
      "image=docker.io/library/nginx:latest" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"hostNetwork\":true,\"hostPID\":true,\"hostIPC\":true}}",
      "network=host! pid=host! ipc=host!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"containers\":[{\"securityContext\":{\"privileged\":true}}]}}",
      "privileged=true!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"initContainers\":[{\"securityContext\":{\"privileged\":true}}]}}",
      "privileged=true!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"ephemeralContainers\":[{\"securityContext\":{\"privileged\":true}}]}}",
      "privileged=true!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"containers\":[{\"securityContext\":{\"capabilities\":{\"add\":[\"CAP_NET_"
      "ADMIN\"]"
      "}}}]}}",
      "capability=NET_ADMIN!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/srv/../etc\"}}]}}",
      "mount=/etc:ro!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/etc\"}}],\"containers\":[{"
      "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/x\"}]}]}}",
      "mount=/etc:rw!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/etc\"}}],\"containers\":[{"
      "\"volumeMounts\":[{\"name\":\"v\",\"readOnly\":true,\"mountPath\":\"/x\"}]}]}}",
      "mount=/etc:ro!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"x\"}}]}}", NULL },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}}",
      "" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"nfs\":{}}]}}",
      "option=Volume=nfs!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"HostPath\":{}}]}}",
      "option=Volume=HostPath!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"spec\":{\"serviceAccountName\":\"admin\"}}",
      "option=ServiceAccount=admin!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"spec\":{\"serviceAccount\":\"default\"}}", "" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"spec\":{\"nodeName\":\"n1\",\"runtimeClassName\":\"r\"}}",
      "option=RuntimeClass=r! option=NodeName=n1!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"securityContext\":{\"seccompProfile\":{\"type\":\"Unconfined\"},"
      "\"sysctls\":[{\"name\":\"net.x\"}],\"runAsUser\":0}}}",
      "user=0 security_opt=seccomp=Unconfined! option=Sysctls=net.x!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"containers\":[{\"securityContext\":{\"procMount\":\"Unmasked\"}}]}}",
      "security_opt=procMount=Unmasked!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"containers\":[{\"ports\":[{\"containerPort\":80,\"hostPort\":80}]}]}}",
      "option=HostPort=80!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"metadata\":{\"annotations\":{\"container.apparmor.security.beta.kubernetes.io/a\":"
      "\"unconfined\"}}}",
      "security_opt=annotation=container.apparmor.security.beta.kubernetes.io/a!" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"containers\":[{\"command\":[\"sh\",\"-c\"],\"args\":[\"id\"],\"lifecycle\":{"
      "\"postStart\":{\"exec\":{\"command\":[\"ls\"]}}},\"livenessProbe\":{\"exec\":{\"command\":["
      "\"true\"]}}}]}}",
      "command=sh -c id command=ls command=true" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"spec\":{\"hostNetworks\":true}}", NULL },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"spec\":{\"HostNetwork\":true}}", NULL },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"Spec\":{\"hostNetwork\":true}}", NULL },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"spec\":{\"hostNetwork\":\"true\"}}", NULL },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"spec\":[]}", NULL },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "[]", NULL },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"spec\":{\"containers\":[{\"image\":\"A B\"}]}}", NULL },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"spec\":{\"containers\":[{\"privileged\":true}]}}", NULL },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE, "{\"ephemeralContainers\":[{\"image\":\"x\"}]}", NULL },
    { KUBE_BODY_WORKLOAD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"replicas\":2,\"template\":{\"spec\":{\"hostPID\":true}}}}", "pid=host!" },
    { KUBE_BODY_WORKLOAD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"Template\":{\"spec\":{\"hostPID\":true}}}}", NULL },
    { KUBE_BODY_CRONJOB, KUBE_FORM_WHOLE,
      "{\"spec\":{\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{\"hostPID\":true}}}}}}",
      "pid=host!" },
    { KUBE_BODY_CRONJOB, KUBE_FORM_WHOLE,
      "{\"spec\":{\"jobTemplate\":{\"Spec\":{\"template\":{\"spec\":{\"hostPID\":true}}}}}}",
      NULL },
    { KUBE_BODY_TEMPLATE, KUBE_FORM_WHOLE, "{\"template\":{\"spec\":{\"hostPID\":true}}}",
      "pid=host!" },
    { KUBE_BODY_NAME, KUBE_FORM_WHOLE, "{\"spec\":{\"hostNetwork\":true},\"anything\":1}", "" },
    { KUBE_BODY_NAME, KUBE_FORM_WHOLE, "{\"metadata\":{\"name\":\"a*\"}}", NULL },
    { KUBE_BODY_NAME, KUBE_FORM_WHOLE, "{\"metadata\":{\"Name\":\"a\"}}", NULL },
    /* patches */
    { KUBE_BODY_WORKLOAD, KUBE_FORM_STRATEGIC, "{\"spec\":{\"replicas\":3}}", "" },
    { KUBE_BODY_WORKLOAD, KUBE_FORM_STRATEGIC,
      "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"restartedAt\":\"now\"}}}}}", "" },
    { KUBE_BODY_WORKLOAD, KUBE_FORM_STRATEGIC,
      "{\"spec\":{\"template\":{\"spec\":{\"$setElementOrder/containers\":[{\"name\":\"a\"}],"
      "\"containers\":[{\"name\":\"a\",\"image\":\"nginx:2\"}]}}}}",
      "image=docker.io/library/nginx:2" },
    { KUBE_BODY_WORKLOAD, KUBE_FORM_STRATEGIC,
      "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"$patch\":\"delete\",\"name\":\"a\"}]}}"
      "}}",
      "" },
    { KUBE_BODY_WORKLOAD, KUBE_FORM_MERGE,
      "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"$patch\":\"delete\",\"name\":\"a\"}]}}"
      "}}",
      NULL },
    { KUBE_BODY_WORKLOAD, KUBE_FORM_STRATEGIC, "{\"spec\":{\"$patch\":\"replace\"}}", NULL },
    { KUBE_BODY_WORKLOAD, KUBE_FORM_STRATEGIC,
      "{\"spec\":{\"template\":{\"spec\":{\"$deleteFromPrimitiveList/x\":[1]}}}}", NULL },
    { KUBE_BODY_POD, KUBE_FORM_STRATEGIC,
      "{\"spec\":{\"containers\":[{\"volumeMounts\":[{\"name\":\"v\",\"readOnly\":false}]}]}}",
      NULL },
    { KUBE_BODY_POD, KUBE_FORM_STRATEGIC,
      "{\"spec\":{\"volumes\":[{\"name\":\"v\"}],\"containers\":[{\"volumeMounts\":[{\"name\":"
      "\"v\"}]}"
      "]}}",
      NULL },
    { KUBE_BODY_POD, KUBE_FORM_STRATEGIC,
      "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":null}],\"containers\":[{"
      "\"volumeMounts\":[{\"name\":\"v\"}]}]}}",
      NULL },
    { KUBE_BODY_POD, KUBE_FORM_STRATEGIC,
      "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}],\"containers\":[{"
      "\"volumeMounts\":[{\"name\":\"v\"}]}]}}",
      "" },
    { KUBE_BODY_POD, KUBE_FORM_WHOLE,
      "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}],\"ephemeralContainers\":[{"
      "\"volumeMounts\":[{\"name\":\"v\"}]}]}}",
      NULL },
    { KUBE_BODY_POD, KUBE_FORM_STRATEGIC,
      "{\"spec\":{\"securityContext\":{\"seccompProfile\":{\"localhostProfile\":\"x\"}}}}",
      "security_opt=seccomp=Localhost!" },
    { KUBE_BODY_POD, KUBE_FORM_APPLY,
      "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/a\"}}]}}",
      "mount=/a:rw!" },
    { KUBE_BODY_POD, KUBE_FORM_STEPS,
      "[{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":2}]", "" },
    { KUBE_BODY_POD, KUBE_FORM_STEPS,
      "[{\"op\":\"add\",\"path\":\"/spec/hostNetwork\",\"value\":true}]", NULL },
    { KUBE_BODY_POD, KUBE_FORM_STEPS, "[{\"op\":\"add\",\"path\":\"/spec\",\"value\":{}}]", NULL },
    { KUBE_BODY_POD, KUBE_FORM_STEPS,
      "[{\"op\":\"move\",\"from\":\"/spec/a\",\"path\":\"/spec/replicas\"}]", NULL },
    { KUBE_BODY_POD, KUBE_FORM_STEPS, "{}", NULL },
    { KUBE_BODY_POD, KUBE_FORM_UNKNOWN, "{}", NULL },
};

static void
put_facts(char *to, size_t size, const struct body_facts *facts)
{
    size_t used = 0;

    to[0] = '\0';
    for (size_t i = 0; i < facts->count && used < size; i++)
        used +=
            (size_t)snprintf(to + used, size - used, "%s%.*s=%.*s%s", i > 0 ? " " : "",
                             SLICE_PRINT(facts->facts[i].name), SLICE_PRINT(facts->facts[i].text),
                             facts->facts[i].guarded ? "!" : "");
}

static void
bodies_give_facts(void **state)
{
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct body_facts facts = { .arena = &arena };
        struct kube_named named;
        char text[1024];
        json_t *body;

        assert_int_equal(json_read(slice_text(bodies[i].body), &body, NULL), STATUS_OK);
        bool read = kube_body_read(bodies[i].kind, bodies[i].form, body, &facts, &named);
        put_facts(text, sizeof text, &facts);
        if (read != (bodies[i].facts != NULL) || (read && strcmp(text, bodies[i].facts) != 0))
            fail_msg("%s: %s", bodies[i].body, read ? text : facts.wrong);
        json_decref(body);
    }
}

static void
made_things_have_names(void **state)
{
    struct body_facts facts = { .arena = &arena };
    struct kube_named named;
    json_t *body;

    assert_int_equal(json_read(SLICE_LITERAL("{\"metadata\":{\"generateName\":\"web-\","
                                             "\"namespace\":\"shop\"}}"),
                               &body, NULL),
                     STATUS_OK);
    assert_true(kube_body_read(KUBE_BODY_NAME, KUBE_FORM_WHOLE, body, &facts, &named));
    assert_true(slice_is(named.name, "web-") && named.generated &&
                slice_is(named.namespace, "shop"));
    json_decref(body);
}

static void
bodies_are_read_where_they_count(void **state)
{
    static const struct {
        const char *method, *path;
        enum kube_body body;
    } rows[] = {
        { "POST", "/api/v1/namespaces/s/pods", KUBE_BODY_POD },
        { "PUT", "/api/v1/namespaces/s/pods/a", KUBE_BODY_POD },
        { "PATCH", "/api/v1/namespaces/s/pods/a/ephemeralcontainers", KUBE_BODY_POD },
        { "PATCH", "/api/v1/namespaces/s/pods/a/resize", KUBE_BODY_POD },
        { "PUT", "/api/v1/namespaces/s/pods/a/status", KUBE_BODY_UNREAD },
        { "POST", "/api/v1/namespaces/s/pods/a/exec", KUBE_BODY_UNREAD },
        { "POST", "/api/v1/namespaces/s/pods/a/eviction", KUBE_BODY_NAME },
        { "POST", "/api/v1/namespaces/s/configmaps", KUBE_BODY_NAME },
        { "PATCH", "/api/v1/namespaces/s/configmaps/a", KUBE_BODY_UNREAD },
        { "PATCH", "/apis/apps/v1/namespaces/s/deployments/a", KUBE_BODY_WORKLOAD },
        { "PUT", "/apis/apps/v1beta1/namespaces/s/statefulsets/a", KUBE_BODY_WORKLOAD },
        { "POST", "/apis/batch/v1/namespaces/s/cronjobs", KUBE_BODY_CRONJOB },
        { "POST", "/api/v1/namespaces/s/podtemplates", KUBE_BODY_TEMPLATE },
        { "DELETE", "/api/v1/namespaces/s/pods/a", KUBE_BODY_UNREAD },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kube_attributes found;
        const char *why;

        assert_true(kube_attributes_find(slice_text(rows[i].method), slice_text(rows[i].path),
                                         slice_of("", 0), &arena, &found, &why));
        if (kube_body_of(&found) != rows[i].body)
            fail_msg("%s %s", rows[i].method, rows[i].path);
    }
}

static void
forms_are_told_by_type(void **state)
{
    struct slice patch = SLICE_LITERAL("patch"), create = SLICE_LITERAL("create");

    assert_int_equal(kube_form_of(SLICE_LITERAL("application/json; charset=utf-8"), create),
                     KUBE_FORM_WHOLE);
    assert_int_equal(kube_form_of(SLICE_LITERAL(""), create), KUBE_FORM_WHOLE);
    assert_int_equal(kube_form_of(SLICE_LITERAL("application/yaml"), create), KUBE_FORM_UNKNOWN);
    assert_int_equal(kube_form_of(SLICE_LITERAL("application/vnd.kubernetes.protobuf"), create),
                     KUBE_FORM_PROTOBUF);
    assert_int_equal(kube_form_of(SLICE_LITERAL("application/vnd.kubernetes.protobuf"), patch),
                     KUBE_FORM_UNKNOWN);
    assert_int_equal(kube_form_of(SLICE_LITERAL("application/json"), patch), KUBE_FORM_UNKNOWN);
    assert_int_equal(kube_form_of(SLICE_LITERAL("application/merge-patch+json"), patch),
                     KUBE_FORM_MERGE);
    assert_int_equal(kube_form_of(SLICE_LITERAL("application/apply-patch+cbor"), patch),
                     KUBE_FORM_UNKNOWN);
}

/* "k8s", the envelope's fields, in them the object's, in them the metadata's. */
static const struct {
    const char *what, *body;
    size_t size;
    const char *name, *namespace; /* NULL: refused */
    bool generated;
} protobufs[] = {
#define ROW(what, body, ...)                                                                       \
    {                                                                                              \
        what, body, sizeof(body) - 1, __VA_ARGS__                                                  \
    }
    ROW("as kubectl sends it",
        "k8s\0\x0a\x0f\x0a\x02v1\x12\x09"
        "ConfigMap\x12\x1d\x0a\x13\x0a\x03"
        "cm1\x12\0\x1a\0\"\0*\0"
        "2\0"
        "8\0B\0\x12\x06\x0a\x01"
        "a\x12\x01"
        "b\x1a\0\"\0",
        "cm1", "", false),
    ROW("a generated name in a namespace", "k8s\0\x12\x0d\x0a\x0b\x12\x03we-\x1a\x04shop", "we-",
        "shop", true),
    ROW("no metadata", "k8s\0\x12\x03\x12\x01x", "", "", true),
    ROW("numbers of each kind behind",
        "k8s\0\x12\x12\x0a\x05\x0a\x03"
        "cm1\x18\xff\x01\x25"
        "abcd\x12\x01x",
        "cm1", "", false),
    ROW("nothing", "", NULL),
    ROW("no magic",
        "\x12\x07\x0a\x05\x0a\x03"
        "cm1",
        NULL),
    ROW("JSON", "{\"metadata\":{\"name\":\"cm1\"}}", NULL),
    ROW("no object", "k8s\0\x0a\x04\x0a\x02v1", NULL),
    ROW("two objects",
        "k8s\0\x12\x07\x0a\x05\x0a\x03"
        "cm1\x12\x07\x0a\x05\x0a\x03"
        "cm2",
        NULL),
    ROW("an encoding",
        "k8s\0\x12\x07\x0a\x05\x0a\x03"
        "cm1\x1a\x04gzip",
        NULL),
    ROW("metadata twice",
        "k8s\0\x12\x0e\x0a\x05\x0a\x03"
        "cm1\x0a\x05\x0a\x03"
        "cm2",
        NULL),
    ROW("a name twice",
        "k8s\0\x12\x0c\x0a\x0a\x0a\x03"
        "cm1\x0a\x03"
        "cm2",
        NULL),
    ROW("a namespace twice",
        "k8s\0\x12\x0e\x0a\x0c\x0a\x02"
        "cm\x1a\x02"
        "ns\x1a\x02"
        "no",
        NULL),
    ROW("a name that is a number", "k8s\0\x12\x04\x0a\x02\x08\x05", NULL),
    ROW("a tag longer than it need be",
        "k8s\0\x12\x0d\x0a\x0b\x0a\x03"
        "cm1\x8a\0\x03"
        "cm2",
        NULL),
    ROW("a tag that 32 bits cut",
        "k8s\0\x12\x11\x0a\x0f\x0a\x03"
        "cm1\x8a\x80\x80\x80\x80\x01\x03"
        "cm2",
        NULL),
    ROW("a length longer than it need be",
        "k8s\0\x12\x08\x0a\x06\x0a\x83\0"
        "cm1",
        NULL),
    ROW("the field 0",
        "k8s\0\x12\x09\x0a\x05\x0a\x03"
        "cm1\x02\0",
        NULL),
    ROW("a group",
        "k8s\0\x12\x09\x0a\x05\x0a\x03"
        "cm1\x13\x14",
        NULL),
    ROW("cut off",
        "k8s\0\x12\x07\x0a\x05\x0a\x03"
        "cm",
        NULL),
    ROW("longer than all", "k8s\0\x12\xff\xff\xff\xff\x0f\x0a\x05", NULL),
    ROW("a name with a slash",
        "k8s\0\x12\x07\x0a\x05\x0a\x03"
        "a/b",
        NULL),
    ROW("a name with a zero",
        "k8s\0\x12\x07\x0a\x05\x0a\x03"
        "a\0b",
        NULL),
#undef ROW
};

static void
names_are_found_in_protobuf(void **state)
{
    for (size_t i = 0; i < sizeof protobufs / sizeof protobufs[0]; i++) {
        struct body_facts facts = { .arena = &arena };
        struct kube_named named;
        bool read =
            kube_protobuf_read(slice_of(protobufs[i].body, protobufs[i].size), &facts, &named);

        if (read != (protobufs[i].name != NULL) || read != (facts.wrong == NULL) ||
            (read && (!slice_is(named.name, protobufs[i].name) ||
                      !slice_is(named.namespace, protobufs[i].namespace) ||
                      named.generated != protobufs[i].generated)))
            fail_msg("%s", protobufs[i].what);
    }
}

/* What runs pods, and what is not Kubernetes' own, is read as JSON alone. */
static void
protobuf_comes_where_names_alone_count(void **state)
{
    static const struct {
        const char *method, *path;
        bool takes;
    } rows[] = {
        { "POST", "/api/v1/namespaces/s/configmaps", true },
        { "POST", "/api/v1/namespaces/s/secrets", true },
        { "POST", "/api/v1/namespaces", true },
        { "POST", "/apis/networking.k8s.io/v1/namespaces/s/ingresses", true },
        { "POST", "/api/v1/namespaces/s/pods", false },
        { "PUT", "/api/v1/namespaces/s/pods/a", false },
        { "POST", "/apis/apps/v1/namespaces/s/deployments", false },
        { "POST", "/apis/batch/v1/namespaces/s/cronjobs", false },
        { "POST", "/api/v1/namespaces/s/podtemplates", false },
        { "POST", "/apis/example.com/v1/namespaces/s/things", false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kube_attributes found;
        const char *why;

        assert_true(kube_attributes_find(slice_text(rows[i].method), slice_text(rows[i].path),
                                         slice_of("", 0), &arena, &found, &why));
        if (kube_takes_protobuf(&found) != rows[i].takes)
            fail_msg("%s %s", rows[i].method, rows[i].path);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_have_one_meaning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bodies_give_facts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(made_things_have_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bodies_are_read_where_they_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forms_are_told_by_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_found_in_protobuf, set_up, tear_down),
        cmocka_unit_test_setup_teardown(protobuf_comes_where_names_alone_count, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* gateway/kubernetes/workload.c - from the body of a write to names and facts. */
#include "workload.h"

#include <string.h>

#include "pods.h"

enum { DEPTH_MAX = 64 };

/* --- which bodies ------------------------------------------------------------------------ */

static enum kube_body
kind_of(const struct kube_attributes *attributes)
{
    static const struct {
        const char *group, *resource;
        enum kube_body body;
    } kinds[] = {
        { "", "pods", KUBE_BODY_POD },
        { "", "podtemplates", KUBE_BODY_TEMPLATE },
        { "", "replicationcontrollers", KUBE_BODY_WORKLOAD },
        { "apps", "deployments", KUBE_BODY_WORKLOAD },
        { "apps", "daemonsets", KUBE_BODY_WORKLOAD },
        { "apps", "statefulsets", KUBE_BODY_WORKLOAD },
        { "apps", "replicasets", KUBE_BODY_WORKLOAD },
        { "extensions", "deployments", KUBE_BODY_WORKLOAD },
        { "extensions", "daemonsets", KUBE_BODY_WORKLOAD },
        { "extensions", "replicasets", KUBE_BODY_WORKLOAD },
        { "batch", "jobs", KUBE_BODY_WORKLOAD },
        { "batch", "cronjobs", KUBE_BODY_CRONJOB },
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (slice_is(attributes->group, kinds[i].group) &&
            slice_is(attributes->resource, kinds[i].resource))
            return kinds[i].body;
    }
    return KUBE_BODY_UNREAD;
}

/* Of the subresources these alone change what a pod runs. */
static bool
changes_pods(const struct kube_attributes *attributes)
{
    return attributes->subresource.size == 0 ||
           slice_is(attributes->subresource, "ephemeralcontainers") ||
           slice_is(attributes->subresource, "resize");
}

enum kube_body
kube_body_of(const struct kube_attributes *attributes)
{
    enum kube_body kind = kind_of(attributes);
    bool creates = slice_is(attributes->verb, "create");

    if (!attributes->resource_request || attributes->connect != KUBE_NOT_CONNECTED ||
        (!creates && !slice_is(attributes->verb, "update") && !slice_is(attributes->verb, "patch")))
        return KUBE_BODY_UNREAD;
    if (kind != KUBE_BODY_UNREAD && changes_pods(attributes))
        return kind;
    return creates ? KUBE_BODY_NAME : KUBE_BODY_UNREAD;
}

bool
kube_takes_protobuf(const struct kube_attributes *attributes)
{
    struct slice group = attributes->group;

    return kube_body_of(attributes) == KUBE_BODY_NAME &&
           (slice_find(group, '.') == group.size || slice_ends(group, SLICE_LITERAL(".k8s.io")));
}

enum kube_form
kube_form_of(struct slice type, struct slice verb)
{
    static const struct {
        const char *type;
        enum kube_form form;
    } patches[] = {
        { "application/merge-patch+json", KUBE_FORM_MERGE },
        { "application/strategic-merge-patch+json", KUBE_FORM_STRATEGIC },
        { "application/json-patch+json", KUBE_FORM_STEPS },
        { "application/apply-patch+yaml", KUBE_FORM_APPLY },
    };

    type = slice_trim(slice_first(type, slice_find(type, ';')));
    if (!slice_is(verb, "patch") &&
        slice_equal_nocase(type, SLICE_LITERAL("application/vnd.kubernetes.protobuf")))
        return KUBE_FORM_PROTOBUF;
    if (!slice_is(verb, "patch"))
        return type.size == 0 || slice_equal_nocase(type, SLICE_LITERAL("application/json"))
                   ? KUBE_FORM_WHOLE
                   : KUBE_FORM_UNKNOWN;
    for (size_t i = 0; i < sizeof patches / sizeof patches[0]; i++) {
        if (slice_equal_nocase(type, slice_text(patches[i].type)))
            return patches[i].form;
    }
    return KUBE_FORM_UNKNOWN;
}

/* --- the directives of strategic patches ---------------------------------------------------- */

static bool
is_order(const char *name)
{
    return strncmp(name, "$setElementOrder/", 17) == 0 || strcmp(name, "$retainKeys") == 0;
}

static bool
is_deleted(const json_t *item)
{
    return slice_is(body_text(json_object_get(item, "$patch")), "delete");
}

static void strip(json_t *value, unsigned depth, struct body_facts *out);

static void
strip_object(json_t *object, unsigned depth, struct body_facts *out)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, name, value)
    {
        if (is_order(name))
            json_object_del(object, name);
        else if (name[0] == '$')
            (void)body_wrong(out, "the patch holds a directive that can't be judged");
        else
            strip(value, depth + 1, out);
    }
}

/* Orders and deletions give nothing; what is left is read as if it were merged. */
static void
strip(json_t *value, unsigned depth, struct body_facts *out)
{
    if (depth > DEPTH_MAX) {
        (void)body_wrong(out, "the patch is nested too deeply");
        return;
    }
    if (json_is_object(value))
        strip_object(value, depth, out);
    for (size_t i = json_array_size(value); json_is_array(value) && i > 0; i--) {
        if (is_deleted(json_array_get(value, i - 1)))
            json_array_remove(value, i - 1);
        else
            strip(json_array_get(value, i - 1), depth + 1, out);
    }
}

/* --- patches in steps ------------------------------------------------------------------------- */

/* Only what no pod is changed by. */
static bool
is_harmless_step(struct slice path)
{
    static const char *const exact[] = { "/spec/replicas", "/spec/paused", "/spec/suspend", NULL };
    static const char *const below[] = { "/metadata/labels/", "/metadata/finalizers", NULL };

    for (size_t i = 0; exact[i] != NULL; i++) {
        if (slice_is(path, exact[i]))
            return true;
    }
    for (size_t i = 0; below[i] != NULL; i++) {
        if (slice_starts(path, slice_text(below[i])))
            return true;
    }
    return false;
}

static void
read_steps(const json_t *steps, struct body_facts *out)
{
    static const char *const known[] = { "op", "path", "value", NULL };
    const json_t *step;
    size_t i;

    if (!json_is_array(steps))
        (void)body_wrong(out, "a JSON patch is a list");
    json_array_foreach(steps, i, step)
    {
        if (!body_only(step, known, out))
            return;
        if (!slice_is(body_take_text(step, "op", out), "test") &&
            !is_harmless_step(body_take_text(step, "path", out)))
            (void)body_wrong(out, "a JSON patch of what runs pods may change replicas, paused, "
                                  "suspend, labels and finalizers alone: send a merge patch");
    }
}

/* --- objects ------------------------------------------------------------------------------------
 */

static const char *const object_names[] = { "metadata", "spec",       "template",
                                            "kind",     "apiVersion", NULL };

static void
read_name(const json_t *body, struct body_facts *out, struct kube_named *named)
{
    static const char *const names[] = { "name", "generateName", "namespace", "annotations", NULL };
    const json_t *metadata;

    if (!json_is_object(body)) {
        (void)body_wrong(out, "the body is no object");
        return;
    }
    kube_no_twins(body, object_names, out);
    metadata = body_take_object(body, "metadata", out);
    kube_no_twins(metadata, names, out);
    named->name = body_take_text(metadata, "name", out);
    named->namespace = body_take_text(metadata, "namespace", out);
    named->generated = named->name.size == 0;
    if (named->generated)
        named->name = body_take_text(metadata, "generateName", out);
    if (named->name.size > 0 && !kube_name_valid(named->name))
        (void)body_wrong(out, "the body holds a name that Kubernetes does not give");
}

static void
read_template(const json_t *template, bool whole, struct body_facts *out)
{
    static const char *const known[] = { "metadata", "spec", NULL };

    if (template != NULL && body_only(template, known, out))
        kube_pod_read(body_take_object(template, "metadata", out),
                      body_take_object(template, "spec", out), whole, out);
}

/* The object under a name, whose own members are spelled as the API has them. */
static const json_t *
below(const json_t *parent, const char *name, struct body_facts *out)
{
    static const char *const names[] = { "template", "jobTemplate", "spec", "metadata", NULL };
    const json_t *object = body_take_object(parent, name, out);

    kube_no_twins(object, names, out);
    return object;
}

static void
read_object(enum kube_body kind, const json_t *body, bool whole, struct body_facts *out)
{
    static const char *const known[] = { "apiVersion", "kind",     "metadata", "spec",
                                         "status",     "template", NULL };

    if (!body_only(body, known, out))
        return;
    switch (kind) {
    case KUBE_BODY_POD:
        kube_pod_read(body_take_object(body, "metadata", out), body_take_object(body, "spec", out),
                      whole, out);
        break;
    case KUBE_BODY_WORKLOAD:
        read_template(body_take_object(below(body, "spec", out), "template", out), whole, out);
        break;
    case KUBE_BODY_CRONJOB:
        read_template(body_take_object(
                          below(below(below(body, "spec", out), "jobTemplate", out), "spec", out),
                          "template", out),
                      whole, out);
        break;
    case KUBE_BODY_TEMPLATE:
        read_template(body_take_object(body, "template", out), whole, out);
        break;
    case KUBE_BODY_UNREAD:
    case KUBE_BODY_NAME:
        break;
    }
}

bool
kube_body_read(enum kube_body kind, enum kube_form form, json_t *body, struct body_facts *out,
               struct kube_named *named)
{
    *named = (struct kube_named){ .name = SLICE_LITERAL(""), .namespace = SLICE_LITERAL("") };
    if (form == KUBE_FORM_UNKNOWN || form == KUBE_FORM_PROTOBUF)
        return body_wrong(out, "this gateway reads such a body as JSON alone: send "
                               "application/json, or a patch in JSON");
    if (form == KUBE_FORM_STEPS) {
        read_steps(body, out);
        return out->wrong == NULL;
    }
    if (form == KUBE_FORM_STRATEGIC)
        strip(body, 0, out);
    read_name(body, out, named);
    if (kind != KUBE_BODY_NAME && out->wrong == NULL)
        read_object(kind, body, form == KUBE_FORM_WHOLE, out);
    return out->wrong == NULL;
}

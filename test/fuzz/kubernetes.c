/* test/fuzz/kubernetes.c - "METHOD path?query" and a body, as the Kubernetes door reads them. */
#include <stdlib.h>

#include "http/path.h"
#include "kubernetes/attributes.h"
#include "kubernetes/protobuf.h"
#include "kubernetes/workload.h"

/* What is found is whole, and its object is text that no pattern stands in. */
static void
read_attributes(struct slice line, struct arena *arena)
{
    struct slice method = slice_first(line, slice_find(line, ' '));
    struct slice target = slice_from(line, method.size + 1);
    struct slice raw = slice_first(target, slice_find(target, '?')), object;
    struct kube_attributes found;
    struct path path;
    const char *why = NULL;

    if (path_canonical(raw, PATH_PARAMS_REFUSE, arena, &path) != PATH_OK)
        return;
    if (!kube_attributes_find(method, path.object, slice_from(target, raw.size + 1), arena, &found,
                              &why)) {
        if (why == NULL)
            abort();
        return;
    }
    if (found.action.size == 0 || found.verb.size == 0)
        abort();
    if (!found.resource_request)
        return;
    object = kube_object(&found, found.namespace, found.name, arena);
    if (found.namespace.size == 0 || found.resource.size == 0 ||
        slice_find(object, '*') < object.size || slice_find(object, '%') < object.size)
        abort();
}

/* Every body that is read gives facts that can be looked at. */
static void
read_bodies(struct slice text, struct arena *arena)
{
    for (int kind = KUBE_BODY_NAME; kind <= KUBE_BODY_TEMPLATE; kind++) {
        for (int form = KUBE_FORM_WHOLE; form <= KUBE_FORM_UNKNOWN; form++) {
            struct body_facts facts = { .arena = arena };
            struct kube_named named;
            json_t *json;

            if (json_read(text, &json, NULL) != STATUS_OK)
                return;
            if (kube_body_read((enum kube_body)kind, (enum kube_form)form, json, &facts, &named) ==
                (facts.wrong != NULL))
                abort();
            for (size_t i = 0; i < facts.count; i++) {
                if (facts.facts[i].name.size == 0 ||
                    (facts.facts[i].text.at == NULL && facts.facts[i].text.size > 0))
                    abort();
            }
            json_decref(json);
        }
    }
}

/* A name that is found is one of Kubernetes', and lies in the body. */
static void
read_protobuf(struct slice body, struct arena *arena)
{
    struct body_facts facts = { .arena = arena };
    struct kube_named named;

    if (kube_protobuf_read(body, &facts, &named) == (facts.wrong != NULL))
        abort();
    if (facts.wrong == NULL && named.name.size > 0 &&
        (!kube_name_valid(named.name) || named.name.at < body.at ||
         named.name.at + named.name.size > body.at + body.size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_of((const char *)data, size);
    struct slice line = slice_first(all, slice_find(all, '\n'));
    struct arena arena;

    arena_init(&arena, 1 << 20);
    read_attributes(line, &arena);
    read_bodies(slice_from(all, line.size + 1), &arena);
    read_protobuf(slice_from(all, line.size + 1), &arena);
    arena_free(&arena);
    return 0;
}

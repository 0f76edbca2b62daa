/* test/fuzz/docker.c - "METHOD path?query" and a body, as the Docker door reads them. */
#include <stdlib.h>

#include "docker/body.h"
#include "docker/endpoints.h"
#include "docker/reference.h"
#include "http/query.h"

static void
read_names(struct slice query, struct arena *arena)
{
    struct slice value, name, again;

    if (query_find(query, "fromImage", arena, &value) == QUERY_FOUND &&
        docker_reference(value, arena, &name) &&
        (!docker_reference(name, arena, &again) || !slice_equal(name, again)))
        abort();
    if (body_host_path(query, arena, &name) &&
        (!body_host_path(name, arena, &again) || !slice_equal(name, again)))
        abort();
}

/* Every body that is read gives facts that can be looked at. */
static void
read_bodies(struct slice text, struct arena *arena)
{
    json_t *json;

    if (json_read(text, &json, NULL) != STATUS_OK)
        return;
    for (int what = DOCKER_BODY_CREATE; what <= DOCKER_BODY_CONNECT; what++) {
        struct body_facts facts = { .arena = arena };
        struct slice name;
        bool read = docker_body_read((enum docker_body)what, json, &facts, &name);

        if (read == (facts.wrong != NULL))
            abort();
        for (size_t i = 0; i < facts.count; i++) {
            if (facts.facts[i].name.size == 0 ||
                (facts.facts[i].text.at == NULL && facts.facts[i].text.size > 0))
                abort();
        }
    }
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_of((const char *)data, size);
    struct slice line = slice_first(all, slice_find(all, '\n'));
    struct slice body = slice_from(all, line.size + 1);
    struct slice method = slice_first(line, slice_find(line, ' '));
    struct slice target = slice_from(line, method.size + 1);
    struct slice path = slice_first(target, slice_find(target, '?'));
    struct docker_path found;
    struct slice unknown;
    struct arena arena;
    const char *why;

    arena_init(&arena, 1 << 20);
    if (path.size > 0 && docker_path_find(method, path, &found, &why))
        (void)docker_query_is_known(found.endpoint, slice_from(target, path.size + 1), &arena,
                                    &unknown);
    read_names(slice_from(target, path.size + 1), &arena);
    read_bodies(body, &arena);
    arena_free(&arena);
    return 0;
}

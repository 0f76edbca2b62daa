/* gateway/http/dialect.c - the table of dialects. */
#include "dialect.h"

#include "../docker/docker.h"
#include "../kubernetes/kubernetes.h"
#include "../mcp/mcp.h"

static const struct dialect *const dialects[UPSTREAM_OTHER] = {
    [UPSTREAM_DOCKER] = &docker_dialect,
    [UPSTREAM_KUBERNETES] = &kubernetes_dialect,
    [UPSTREAM_MCP] = &mcp_dialect,
};

const struct dialect *
dialect_of(enum upstream_type type)
{
    return type < UPSTREAM_OTHER ? dialects[type] : NULL;
}

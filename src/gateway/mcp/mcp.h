/* gateway/mcp/mcp.h - the Model Context Protocol over Streamable HTTP behind the HTTP door. */
#ifndef WRIT_GATEWAY_MCP_MCP_H
#define WRIT_GATEWAY_MCP_MCP_H

#include "../http/dialect.h"

extern const struct dialect mcp_dialect;

#endif

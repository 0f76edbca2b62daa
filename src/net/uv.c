/* net/uv.c - libuv's codes as ours. */
#include "lane_inside.h"

enum status
status_of_uv(int code)
{
    switch (code) {
    case 0:
        return STATUS_OK;
    case UV_EOF:
    case UV_ECANCELED:
        return STATUS_CLOSED;
    case UV_ETIMEDOUT:
        return STATUS_TIMEOUT;
    case UV_EADDRINUSE:
        return STATUS_CONFLICT;
    case UV_EACCES:
    case UV_EPERM:
        return STATUS_DENIED;
    case UV_ENOENT:
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
        return STATUS_NOT_FOUND;
    case UV_EINVAL:
    case UV_EADDRNOTAVAIL:
    case UV_ENAMETOOLONG:
        return STATUS_INVALID;
    case UV_EMFILE:
    case UV_ENFILE:
        return STATUS_LIMIT;
    case UV_ENOMEM:
    case UV_EAI_MEMORY:
        return STATUS_MEMORY;
    default:
        return STATUS_IO;
    }
}

/* net/bind.c - from the text of an address to a socket that listens on it. */
#include "bind.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"

/* A peer that vanished without a word is noticed after two minutes. */
enum { KEEP_IDLE_S = 60, KEEP_INTERVAL_S = 15, KEEP_COUNT = 4, UNIX_MODE = 0600 };

static enum status
system_fault(struct fault *fault, const char *what, const char *address)
{
    int code = errno;
    enum status status = code == EADDRINUSE                 ? STATUS_CONFLICT
                         : code == EACCES || code == EPERM  ? STATUS_DENIED
                         : code == EMFILE || code == ENFILE ? STATUS_LIMIT
                         : code == EADDRNOTAVAIL            ? STATUS_INVALID
                                                            : STATUS_IO;

    return fault_set(fault, status, "can't %s %s: %s", what, address, strerror(code));
}

static bool
set_option(int descriptor, int level, int name, int value)
{
    return setsockopt(descriptor, level, name, &value, sizeof value) == 0;
}

/* Accepted connections inherit these from the listening socket: no call for each. */
static bool
set_tcp_options(int descriptor)
{
    return set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) &&
           set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1) &&
           set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1) &&
           set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S) &&
           set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S) &&
           set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
}

static enum status
tcp_address(const char *text, struct sockaddr_storage *out, socklen_t *size, struct fault *fault)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found;
    struct slice host;
    char port_text[8], *name;
    uint16_t port;
    int code;

    if (host_port_parse(slice_text(text), &host, &port) != STATUS_OK || host.size == 0)
        return fault_set(fault, STATUS_INVALID, "\"%s\" is not host:port or unix:/path", text);
    name = slice_strdup(host);
    if (name == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    snprintf(port_text, sizeof port_text, "%u", port);
    code = getaddrinfo(name, port_text, &hints, &found);
    free(name);
    if (code != 0)
        return fault_set(fault, STATUS_INVALID, "can't resolve %s: %s", text, gai_strerror(code));
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *size = found->ai_addrlen;
    freeaddrinfo(found);
    return STATUS_OK;
}

/* SO_REUSEPORT would silently share with another program of the same user, so the
 * first lane asks once without it. */
static bool
taken(const struct sockaddr_storage *address, socklen_t size)
{
    int probe = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool in_use;

    if (probe < 0)
        return false;
    in_use = !set_option(probe, SOL_SOCKET, SO_REUSEADDR, 1) ||
             (bind(probe, (const struct sockaddr *)address, size) != 0 && errno == EADDRINUSE);
    close(probe);
    return in_use;
}

static enum status
bind_tcp(const char *text, enum listener_share share, struct bound *out, struct fault *fault)
{
    struct sockaddr_storage address;
    socklen_t size;
    enum status status = tcp_address(text, &address, &size, fault);
    int descriptor;

    if (status != STATUS_OK)
        return status;
    if (share == LISTENER_SHARED_FIRST && taken(&address, size))
        return fault_set(fault, STATUS_CONFLICT, "%s is in use", text);
    descriptor = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return system_fault(fault, "open a socket for", text);
    if (!set_tcp_options(descriptor) ||
        (share != LISTENER_ALONE && !set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1)) ||
        bind(descriptor, (struct sockaddr *)&address, size) != 0 ||
        listen(descriptor, SOMAXCONN) != 0 ||
        getsockname(descriptor, (struct sockaddr *)&address, &size) != 0) {
        status = system_fault(fault, "listen on", text);
        close(descriptor);
        return status;
    }
    out->descriptor = descriptor;
    out->ip = ip_of_sockaddr((struct sockaddr *)&address);
    out->port =
        ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&address)->sin6_port
                                            : ((struct sockaddr_in *)(void *)&address)->sin_port);
    return STATUS_OK;
}

/* Whether a socket file is a leaving of a program that has ended. */
static bool
abandoned(const struct sockaddr_un *address)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct stat found;
    bool refused;

    if (probe < 0)
        return false;
    refused = lstat(address->sun_path, &found) == 0 && S_ISSOCK(found.st_mode) &&
              connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 &&
              errno == ECONNREFUSED;
    close(probe);
    return refused;
}

static enum status
bind_unix(const char *path, unsigned mode, struct bound *out, struct fault *fault)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat made;
    enum status status;
    int descriptor;

    if (path[0] == '\0' || strlen(path) >= sizeof address.sun_path)
        return fault_set(fault, STATUS_INVALID, "a Unix socket's path has 1 to %zu bytes: \"%s\"",
                         sizeof address.sun_path - 1, path);
    strcpy(address.sun_path, path);
    if (mode == 0)
        mode = UNIX_MODE;
    if (abandoned(&address))
        unlink(path);
    descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return system_fault(fault, "open a socket for", path);
    /* Before bind: the file is never wider than it shall be, not for a moment. */
    if (fchmod(descriptor, (mode_t)mode) != 0 ||
        bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        status = system_fault(fault, "listen on", path);
        close(descriptor);
        return status;
    }
    if (chmod(path, (mode_t)mode) != 0 || stat(path, &made) != 0 ||
        listen(descriptor, SOMAXCONN) != 0) {
        status = system_fault(fault, "listen on", path);
        close(descriptor);
        unlink(path);
        return status;
    }
    out->path = strdup(path);
    out->descriptor = descriptor;
    out->device = made.st_dev;
    out->inode = made.st_ino;
    return STATUS_OK;
}

/* What is handed over must be what accept will work on, and not hold up the lane. */
static enum status
take_over(int descriptor, struct bound *out, struct fault *fault)
{
    int domain = 0, listens = 0;
    socklen_t size = sizeof domain, listens_size = sizeof listens;

    if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX ||
        getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) != 0 ||
        listens == 0)
        return fault_set(fault, STATUS_INVALID, "descriptor %d is no Unix socket that listens",
                         descriptor);
    if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0 || fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0)
        return fault_set(fault, STATUS_IO, "can't set up descriptor %d", descriptor);
    out->descriptor = descriptor;
    return STATUS_OK;
}

enum status
bound_open(const struct listener_options *options, struct bound *out, struct fault *fault)
{
    struct slice address = slice_text(options->address);

    *out = (struct bound){ .descriptor = -1 };
    if (options->descriptor != 0)
        return take_over(options->descriptor, out, fault);
    if (!slice_starts(address, SLICE_LITERAL("unix:")))
        return bind_tcp(options->address, options->share, out, fault);
    if (options->share == LISTENER_SHARED)
        return fault_set(fault, STATUS_INVALID, "a Unix socket has one listener");
    return bind_unix(options->address + strlen("unix:"), options->unix_mode, out, fault);
}

void
bound_close(struct bound *bound)
{
    struct stat found;

    if (bound->descriptor >= 0)
        close(bound->descriptor);
    bound->descriptor = -1;
    /* Not another's that took the place since. */
    if (bound->path != NULL && lstat(bound->path, &found) == 0 && found.st_dev == bound->device &&
        found.st_ino == bound->inode)
        unlink(bound->path);
    free(bound->path);
    bound->path = NULL;
}

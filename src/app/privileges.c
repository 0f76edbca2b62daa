/* app/privileges.c - who the program runs as. */
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server.h"

enum status
act_as_user(struct server *server, struct fault *fault)
{
    const struct config *config = server->config;
    const struct passwd *entry;

    if (config->user == NULL || geteuid() != 0)
        return STATUS_OK;
    entry = getpwnam(config->user);
    if (entry == NULL)
        return fault_set(fault, STATUS_NOT_FOUND, "user: there is no user %s", config->user);
    server->as_user = true;
    server->uid = entry->pw_uid;
    server->gid = entry->pw_gid;
    if (mkdir(config->data, 0700) == 0 && chown(config->data, server->uid, server->gid) != 0)
        return fault_set(fault, STATUS_IO, "data: cannot give %s to %s", config->data,
                         config->user);
    if (setgroups(0, NULL) != 0 || setegid(server->gid) != 0 || seteuid(server->uid) != 0)
        return fault_set(fault, STATUS_DENIED, "user: cannot become %s", config->user);
    return STATUS_OK;
}

enum status
act_as_root(const struct server *server, struct fault *fault)
{
    if (server->as_user && (seteuid(0) != 0 || setegid(0) != 0))
        return fault_set(fault, STATUS_DENIED, "user: cannot open ports as root");
    return STATUS_OK;
}

enum status
drop_privileges(const struct server *server, struct fault *fault)
{
    const char *path = server->socket_address + sizeof "unix:" - 1;

    if (!server->as_user)
        return STATUS_OK;
    if (lchown(path, server->uid, server->gid) != 0 || setgid(server->gid) != 0 ||
        setuid(server->uid) != 0 || setuid(0) == 0)
        return fault_set(fault, STATUS_DENIED, "user: cannot become %s", server->config->user);
    return STATUS_OK;
}

/* base/children.c - /proc/PID/task/PID/children: "123 456 ". */
#include "base/children.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEXT_MAX = 32768 };

static ssize_t
read_all(int file, char *text, size_t most)
{
    size_t size = 0;
    ssize_t got;

    while (size < most && (got = read(file, text + size, most - size)) > 0)
        size += (size_t)got;
    return (ssize_t)size;
}

bool
children_each(void (*each)(pid_t pid, void *context), void *context)
{
    char path[64], text[TEXT_MAX + 1];
    char *at = text, *end;
    int file;

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    text[read_all(file, text, TEXT_MAX)] = '\0';
    close(file);
    /* A number that was cut off is no child's: each is followed by a blank. */
    for (long pid; (pid = strtol(at, &end, 10)) > 1 && end != at && *end == ' '; at = end)
        each((pid_t)pid, context);
    return true;
}

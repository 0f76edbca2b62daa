/* record/archive_inside.h - what the archive's files share. */
#ifndef WRIT_RECORD_ARCHIVE_INSIDE_H
#define WRIT_RECORD_ARCHIVE_INSIDE_H

#include "record/archive.h"

struct archive_names {
    struct archive_name *at; /* the newest first */
    size_t count, room;
};
/* A directory that is not there is an empty one. */
enum status archive_names(const char *dir, struct archive_names *out) WRIT_MUST_USE;
void archive_names_free(struct archive_names *names);

int archive_newest_first(const void *left, const void *right); /* two names, for qsort */

int archive_open_file(const char *dir, const struct archive_name *name); /* -1: can't be */
bool archive_is_written(int fd);

#endif

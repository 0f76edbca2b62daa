/* base/file.h - a small file, read whole. */
#ifndef WRIT_BASE_FILE_H
#define WRIT_BASE_FILE_H

#include "base/buffer.h"

/* Appends what a regular file of at most `most` bytes holds. NOT_FOUND; DENIED; TOO_LARGE;
 * INVALID for what is no regular file; IO. What was read is the caller's to wipe. */
enum status file_read(const char *path, size_t most, struct buffer *out) WRIT_MUST_USE;

#endif

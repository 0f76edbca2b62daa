/* base/children.h - the processes that this one has started, or that have become its own as a
 * "child subreaper" (prctl(2)) when their parent was gone. */
#ifndef WRIT_BASE_CHILDREN_H
#define WRIT_BASE_CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

/* Each child of the process's first thread, once, dead ones that were not waited for included.
 * Of very many, the first few thousand. False: the kernel does not tell. */
bool children_each(void (*each)(pid_t pid, void *context), void *context);

#endif

/* base/serial.h - numbers for what this node opens: each is given once, also over restarts, and
 * is exact in a double, as readers of JSON make one of it. */
#ifndef WRIT_BASE_SERIAL_H
#define WRIT_BASE_SERIAL_H

#include <stdint.h>

/* From any thread. Grows. Two of a node are the same only where its clock was set back over a
 * restart. */
uint64_t serial_next(void);

#endif

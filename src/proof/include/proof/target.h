/* proof/target.h - the URL of a request in one normal form, so that two spellings of
 * one target compare equal (RFC 9449 §4.3 step 9, RFC 3986 §6.2.2 and §6.2.3). */
#ifndef WRIT_PROOF_TARGET_H
#define WRIT_PROOF_TARGET_H

#include "base/arena.h"

/* http or https, absolute: scheme and host in small letters, no default port, dot
 * segments resolved, escapes of unreserved bytes decoded, the others in capitals, an
 * empty path as "/"; query and fragment are dropped. INVALID for user info, another
 * scheme, an empty host, a byte that no URI holds, or a broken escape. */
enum status target_normal(struct slice url, struct arena *arena, struct slice *out) WRIT_MUST_USE;

#endif

/* base/json.h - JSON documents: jansson with our strictness (RFC 8259, I-JSON:
 * duplicate members refused, depth and size limited). */
#ifndef WRIT_BASE_JSON_H
#define WRIT_BASE_JSON_H

#include <jansson.h>

#include "base/buffer.h"
#include "base/fault.h"

enum { JSON_DEPTH_MAX = 64 };

/* The caller owns *out (json_decref). Nothing may be left over behind the value. */
enum status json_read(struct slice text, json_t **out, struct fault *fault) WRIT_MUST_USE;
/* Compact, members in insertion order. */
void put_json(struct buffer *out, const json_t *value);
/* The same, members in the order of their names: equal values have equal texts. */
void put_json_sorted(struct buffer *out, const json_t *value);
/* A string as a JSON string with quotes, straight into out. */
void put_json_string(struct buffer *out, struct slice text);

/* Typed members. An absent (or null) member leaves *out as it was and is OK;
 * a wrong type is INVALID with the pointer in the fault. */
enum status json_take_string(const json_t *object, const char *name, struct slice *out,
                             struct fault *fault) WRIT_MUST_USE;
enum status json_take_bool(const json_t *object, const char *name, bool *out,
                           struct fault *fault) WRIT_MUST_USE;
enum status json_take_u64(const json_t *object, const char *name, uint64_t most, uint64_t *out,
                          struct fault *fault) WRIT_MUST_USE;
/* Refuses members that are not in the NULL-terminated list, naming the first and
 * the nearest known name. */
enum status json_only(const json_t *object, const char *const *known,
                      struct fault *fault) WRIT_MUST_USE;
/* A new JSON string of a slice; NULL for a slice whose .at is NULL or no UTF-8. */
json_t *json_slice(struct slice s);

#endif

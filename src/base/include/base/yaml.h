/* base/yaml.h - YAML files as JSON trees with remembered places.
 *
 * The safe subset: no anchors, aliases, tags or several documents; duplicate
 * keys refused; bounded depth and size. Scalars: plain true/false/null and
 * integers become JSON values of that type, all else strings. */
#ifndef WRIT_BASE_YAML_H
#define WRIT_BASE_YAML_H

#include "base/json.h"

struct yaml; /* one document */

enum { YAML_SIZE_MAX = 64 << 20 };

enum status yaml_read(struct slice text, struct yaml **out, struct fault *fault) WRIT_MUST_USE;
enum status yaml_read_file(const char *path, struct yaml **out, struct fault *fault) WRIT_MUST_USE;
void yaml_free(struct yaml *yaml);
/* Borrowed; lives as long as the document. An empty file is an empty object. */
json_t *yaml_root(const struct yaml *yaml);
/* Fills fault->line and ->column from fault->pointer (the nearest known parent). */
void yaml_locate(const struct yaml *yaml, struct fault *fault);

#endif

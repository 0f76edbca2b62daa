/* audit/event_json.h - a line of the log as the contract of the outside shows it. */
#ifndef WRIT_AUDIT_EVENT_JSON_H
#define WRIT_AUDIT_EVENT_JSON_H

#include "base/json.h"
#include "record.h"

/* NULL when out of memory. */
json_t *event_json(const struct record *record, const char *node, const uint8_t hash[HASH_SIZE]);
/* A text that a peer may have made: what is no UTF-8 becomes U+FFFD. Empty: null. */
json_t *text_json(struct slice text);

#endif

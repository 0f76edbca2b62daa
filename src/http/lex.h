/* http/lex.h - the lexer's face within the room: the grammar of a head, without
 * the meaning of its fields. */
#ifndef WRIT_HTTP_LEX_H
#define WRIT_HTTP_LEX_H

#include "http/head.h"

/* The bytes from at on hold a complete head: they end with its empty line, which
 * no rule crosses, so that the lexer needs no limit. Each returns the place after
 * what it read, or NULL with *why set. head->bytes is set. */
const char *lex_request_line(const char *at, struct http_head *head, struct http_refusal *why);
const char *lex_status_line(const char *at, struct http_head *head, struct http_refusal *why);
const char *lex_fields(const char *at, const char *end, struct http_head *head,
                       struct http_refusal *why);
/* host[:port] without userinfo, as strict as DNS names, IPv4 and [IPv6] need. text
 * is followed by a byte that belongs to no host. */
bool lex_authority(struct slice text);

#endif

/* gateway/upstream_inside.h - the pieces that definitions of all types are read with. */
#ifndef WRIT_GATEWAY_UPSTREAM_INSIDE_H
#define WRIT_GATEWAY_UPSTREAM_INSIDE_H

#include "upstream.h"

/* What keeps it from being asked: for the log, and for upstream->reason. */
void upstream_note(struct upstream *upstream, const char *why);

enum status plan_keep(struct slice text, char **out) WRIT_MUST_USE;
enum status plan_add_address(struct upstream_plan *plan, struct slice text) WRIT_MUST_USE;
/* "host", "host:port", "[v6]", "[v6]:port"; the port is 0 when absent. */
bool plan_split_host(struct slice authority, struct slice *host, uint16_t *port);
/* The members of these names; absent ones leave the plan as it is. */
enum status plan_read_addresses(const json_t *list, struct upstream_plan *plan,
                                struct fault *fault) WRIT_MUST_USE;
enum status plan_read_timeouts(const json_t *timeouts, struct upstream_plan *plan,
                               struct fault *fault) WRIT_MUST_USE;
enum status plan_read_tls(const json_t *tls, struct upstream_plan *plan,
                          struct fault *fault) WRIT_MUST_USE;
/* upstream_stdio.c: the member of that name. */
enum status plan_check_stdio(const json_t *stdio, struct fault *fault) WRIT_MUST_USE;
/* upstream_session.c: types that are spoken to in sessions. */
enum status plan_read_session(const json_t *definition, struct upstream_plan *plan,
                              struct fault *fault) WRIT_MUST_USE;

#endif

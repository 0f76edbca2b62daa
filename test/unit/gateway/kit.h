/* test/unit/gateway/kit.h - a whole gate under test: a world, an audit, lanes with
 * the HTTP door, a real upstream with odd manners, and a blocking client. */
#ifndef WRIT_TEST_GATEWAY_KIT_H
#define WRIT_TEST_GATEWAY_KIT_H

#include <stdatomic.h>
#include <time.h>

#include "../world/fixture.h"
#include "audit/search.h"
#include "gateway/gateway.h"

enum { KIT_LANES = 2 };

struct kit {
    struct fixture world; /* its reader is the test's own */
    struct gateway *gateway;
    struct audit *audit;
    struct signer *signer;
    struct rate_table *rates;
    struct budget_table *budgets;
    struct gateway_ports ports;
    struct lane *lanes[KIT_LANES];
    atomic_uint started;
    atomic_uint_least64_t enforced[KIT_LANES];
    atomic_uint claims;
    atomic_bool hold_claims;
    char dir[64];
    uint16_t port, upstream_port;
};

/* Subject nightly has role support: reads and writes at orders but below /secret,
 * reads at keyed, self and dead, and one read an hour at limited. Upstreams: orders
 * and limited (the stub), keyed (the same, api_key), self (this gateway), dead
 * (nobody listens). 127.0.0.2 is a trusted proxy, 127.0.0.1 is not. */
void kit_open(struct kit *kit);
void kit_close(struct kit *kit);

/* A token of this number; max_uses 0: unlimited. */
void kit_issue(struct kit *kit, unsigned number, uint32_t max_uses, const char *scope,
               char out[TOKEN_TEXT_SIZE + 1]);
/* Publishes, announces, and waits until all lanes have enforced it. */
void kit_change(struct kit *kit, struct change change);

/* From 127.0.0.1, or from another loopback address. */
int kit_connect(const struct kit *kit);
int kit_connect_from(const struct kit *kit, const char *address);
void kit_send(int fd, const char *format, ...) WRIT_PRINTF(2, 3);
/* Until the peer ends, at most size - 1 bytes and 5 s; NUL-terminated. */
size_t kit_read_all(int fd, char *out, size_t size);
/* Until the text has come; false: the peer ended or 5 s went by. */
bool kit_read_until(int fd, const char *text, char *out, size_t size);
/* One request on a connection of its own: "$" in the text is the token. */
void kit_ask(const struct kit *kit, const char *token, const char *text, char *out, size_t size);

/* The newest line of the audit with this object; the caller owns it. NULL: none. */
json_t *kit_line(struct kit *kit, const char *object);

/* stub.c: an upstream on a thread for each connection. */
uint16_t stub_open(void);
void stub_close(void);
unsigned stub_connections(void); /* so far */

#endif

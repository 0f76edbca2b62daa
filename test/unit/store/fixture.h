/* test/unit/store/fixture.h - what the tests of the store share: a place for the
 * file, and changes made from a number. */
#ifndef WRIT_TEST_STORE_FIXTURE_H
#define WRIT_TEST_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/store.h"

extern char place[24], path[64];
/* The fleet's store is tested where the environment names a database (postgres.sh does). */
const char *store_url(void);

int place_make(void **state);
int place_clear(void **state);

/* Fails the test when it can't. */
struct store *opened(void);
void append(struct store *store, const struct change *changes, size_t count);

struct token_id id_of(uint32_t number);
uint32_t number_of(const struct token_id *id);
/* A first member: issued at 1,000,000 + number, living for a day. */
struct change issued(uint32_t number);
/* Member `number` after `predecessor` of the line that `line` began. */
struct change rotated(uint32_t number, uint32_t line, uint32_t predecessor, int64_t end);
struct change line_revoked(uint32_t line, int64_t at);
struct change line_used(uint32_t line, uint32_t uses, int64_t at);
struct change hop_revoked(uint32_t number, uint8_t hop, int64_t end);
struct change forgotten(uint32_t number);
struct change named(enum change_kind kind, const char *name, const char *body);

/* The whole of store_load as encoded changes, one behind the other. */
void load_all(struct store *store, struct buffer *out);
size_t load_count(struct store *store);

#endif

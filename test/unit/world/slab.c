/* unit/world/slab.c - many things of one size: apart, zeroed, taken again when given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "slab.h"

enum { THINGS = 40000, SIZE = 168 };

static void
all_apart(void **state)
{
    struct slab slab;
    char **things = malloc(THINGS * sizeof *things);

    slab_init(&slab, SIZE - 3);
    for (int i = 0; i < THINGS; i++) {
        static const char zero[SIZE];

        things[i] = slab_take(&slab);
        assert_non_null(things[i]);
        assert_int_equal((uintptr_t)things[i] % 16, 0);
        assert_memory_equal(things[i], zero, SIZE - 3);
        memset(things[i], i, SIZE - 3);
    }
    for (int i = 0; i < THINGS; i++) {
        assert_int_equal(things[i][0], (char)i);
        assert_int_equal(things[i][SIZE - 4], (char)i);
    }
    slab_free(&slab);
    free(things);
}

static void
taken_again(void **state)
{
    struct slab slab;
    static const char zero[SIZE];

    slab_init(&slab, SIZE);
    char *first = slab_take(&slab), *second = slab_take(&slab);
    memset(first, 1, SIZE);
    memset(second, 2, SIZE);
    slab_give(&slab, first);
    slab_give(&slab, NULL);
    assert_ptr_equal(slab_take(&slab), first);
    assert_memory_equal(first, zero, SIZE);
    assert_int_equal(second[0], 2);
    slab_give(&slab, second);
    slab_give(&slab, first);
    assert_ptr_equal(slab_take(&slab), first);
    assert_ptr_equal(slab_take(&slab), second);
    assert_ptr_not_equal(slab_take(&slab), first);
    slab_free(&slab);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_apart),
        cmocka_unit_test(taken_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

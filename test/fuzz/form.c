/* fuzz/form.c - any bytes as a form: what is read is text, named once, and what is
 * written again from it reads the same. */
#include <stdlib.h>

#include "oauth/oauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put_escaped(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        put_format(out, "%%%02X", (unsigned char)text.at[i]);
}

static void
check(const struct form *form, struct arena *arena)
{
    struct buffer again = { 0 };
    struct form *second = arena_zeroed(arena, sizeof *second);

    for (size_t i = 0; i < form->count; i++) {
        const struct form_field *field = &form->fields[i];

        if (memchr(field->name.at, '\0', field->name.size) != NULL ||
            memchr(field->value.at, '\0', field->value.size) != NULL)
            abort();
        put_escaped(&again, field->name);
        put_text(&again, "=");
        put_escaped(&again, field->value);
        put_text(&again, "&");
    }
    if (second == NULL || form_read(buffer_slice(&again), arena, second, NULL) != STATUS_OK ||
        second->count != form->count)
        abort();
    for (size_t i = 0; i < form->count; i++) {
        if (!slice_equal(form->fields[i].name, second->fields[i].name) ||
            !slice_equal(form->fields[i].value, second->fields[i].value))
            abort();
    }
    buffer_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct form *form;

    if (size > OAUTH_BODY_MAX)
        return 0;
    arena_init(&arena, 4 << 20);
    form = arena_zeroed(&arena, sizeof *form);
    if (form != NULL && form_read(slice_of(data, size), &arena, form, NULL) == STATUS_OK)
        check(form, &arena);
    arena_free(&arena);
    return 0;
}

/* authority/oauth/form.c - application/x-www-form-urlencoded, strict (RFC 6749 appendix B). */
#include "oauth.h"

#include "base/encoding.h"

/* How many bytes the sequence at the front has; 0: it is none (RFC 3629 §4). */
static size_t
utf8_sequence(struct slice s)
{
    const uint8_t *at = (const uint8_t *)s.at;
    size_t size = at[0] < 0x80                    ? 1
                  : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                  : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                  : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                  : 0;

    if (size == 0 || size > s.size)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Overlong forms, surrogates, and what lies past the last code point. */
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return size;
}

static bool
is_text(struct slice s)
{
    while (s.size > 0) {
        size_t size = utf8_sequence(s);

        if (size == 0 || s.at[0] == '\0')
            return false;
        s = slice_from(s, size);
    }
    return true;
}

static bool
decode(struct slice encoded, struct arena *arena, struct slice *out)
{
    char *bytes = arena_take(arena, encoded.size + 1);
    size_t size = 0;

    if (bytes == NULL)
        return false;
    for (size_t i = 0; i < encoded.size; i++) {
        char c = encoded.at[i];

        if (c == '%') {
            int high = i + 2 < encoded.size ? hex_digit_value(encoded.at[i + 1]) : -1;
            int low = i + 2 < encoded.size ? hex_digit_value(encoded.at[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        bytes[size++] = c;
    }
    bytes[size] = '\0';
    *out = slice_of(bytes, size);
    return is_text(*out);
}

static bool
may_repeat(struct slice name)
{
    return slice_is(name, "resource") || slice_is(name, "audience");
}

static bool
is_known(const struct form *form, struct slice name)
{
    for (size_t i = 0; i < form->count; i++) {
        if (slice_equal(form->fields[i].name, name))
            return true;
    }
    return false;
}

enum status
form_read(struct slice body, struct arena *arena, struct form *out, struct fault *fault)
{
    struct slice pair;

    out->count = 0;
    while (body.size > 0 && slice_next(&body, '&', &pair)) {
        size_t equals = slice_find(pair, '=');
        struct form_field field;

        if (pair.size == 0)
            continue;
        if (out->count == FORM_FIELDS_MAX)
            return fault_set(fault, STATUS_INVALID, "more than %d parameters", FORM_FIELDS_MAX);
        if (!decode(slice_first(pair, equals), arena, &field.name) ||
            !decode(slice_from(pair, equals + 1), arena, &field.value))
            return fault_set(fault, STATUS_INVALID,
                             "the body is no form: a broken escape, or no UTF-8");
        if (!may_repeat(field.name) && is_known(out, field.name))
            return fault_set(fault, STATUS_INVALID, "the parameter %.*s comes twice",
                             SLICE_PRINT(slice_first(field.name, 64)));
        out->fields[out->count++] = field;
    }
    return STATUS_OK;
}

struct slice
form_value(const struct form *form, const char *name)
{
    struct slice value = { 0 };

    (void)form_values(form, name, &value, 1);
    return value;
}

size_t
form_values(const struct form *form, const char *name, struct slice *out, size_t most)
{
    size_t count = 0;

    for (size_t i = 0; i < form->count && count < most; i++) {
        if (form->fields[i].value.size > 0 && slice_is(form->fields[i].name, name))
            out[count++] = form->fields[i].value;
    }
    return count;
}

/* gateway/http/body.c - from a body to facts: what the dialects share. */
#include "body.h"

#include <string.h>

/* --- facts ------------------------------------------------------------------------ */

bool
body_wrong(struct body_facts *out, const char *why)
{
    if (out->wrong == NULL)
        out->wrong = why;
    return false;
}

void
body_fact_add(struct body_facts *out, const char *name, struct slice text, bool guarded)
{
    if (out->facts == NULL)
        out->facts = arena_take(out->arena, BODY_FACTS_MAX * sizeof *out->facts);
    if (out->facts == NULL || out->count == BODY_FACTS_MAX) {
        (void)body_wrong(out, "the body asks for more than can be judged");
        return;
    }
    out->facts[out->count++] = (struct fact){
        .name = slice_text(name), .text = text, .kind = FACT_TEXT, .guarded = guarded
    };
}

/* "Name=text" of what has no condition of its own. */
void
body_add_option(struct body_facts *out, const char *name, struct slice text)
{
    struct slice option = arena_format(out->arena, "%s=%.*s", name, SLICE_PRINT(text));

    if (option.at == NULL)
        (void)body_wrong(out, "the body asks for more than can be judged");
    else
        body_fact_add(out, "option", option, true);
}

/* --- shapes ------------------------------------------------------------------------ */

bool
body_only(const json_t *object, const char *const *known, struct body_facts *out)
{
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        return body_wrong(out, "the body is not what the API says: an object is missing");
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        size_t i = 0;

        while (known[i] != NULL && strcmp(known[i], name) != 0)
            i++;
        if (known[i] == NULL) {
            struct slice why = arena_format(
                out->arena,
                "the body has a member \"%.64s\" that this gateway does not know, or that is "
                "spelled otherwise than the API says: what it would do can't be judged",
                name);
            return body_wrong(out, why.at != NULL ? why.at : "the body has an unknown member");
        }
    }
    return true;
}

struct slice
body_text(const json_t *value)
{
    return slice_of(json_string_value(value), json_string_length(value));
}

/* Absent and null are empty; another type is wrong. */
struct slice
body_take_text(const json_t *object, const char *name, struct body_facts *out)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL || json_is_null(value))
        return slice_of("", 0);
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)) {
        (void)body_wrong(out, "the body has another type than the API says where a text must be");
        return slice_of("", 0);
    }
    return body_text(value);
}

const json_t *
body_take_list(const json_t *object, const char *name, struct body_facts *out)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL || json_is_null(value))
        return NULL;
    if (!json_is_array(value))
        (void)body_wrong(out, "the body has another type than the API says where a list must be");
    return json_is_array(value) ? value : NULL;
}

const json_t *
body_take_object(const json_t *object, const char *name, struct body_facts *out)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL || json_is_null(value))
        return NULL;
    if (!json_is_object(value))
        (void)body_wrong(out,
                         "the body has another type than the API says where an object must be");
    return json_is_object(value) ? value : NULL;
}

bool
body_take_truth(const json_t *object, const char *name, struct body_facts *out)
{
    const json_t *value = json_object_get(object, name);

    if (value != NULL && !json_is_null(value) && !json_is_boolean(value))
        (void)body_wrong(out,
                         "the body has another type than the API says where true or false must be");
    return json_is_true(value);
}

/* Of a list of texts. */
struct slice
body_item_text(const json_t *item, struct body_facts *out)
{
    if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item)) {
        (void)body_wrong(out, "the body has another type than the API says in a list of texts");
        return slice_of("", 0);
    }
    return body_text(item);
}

/* --- commands ---------------------------------------------------------------------- */

/* A list of words, or one text, as Docker's strslice takes both. */
static void
put_words(struct buffer *line, const json_t *words, struct body_facts *out)
{
    size_t i;
    json_t *word;

    if (words == NULL || json_is_null(words))
        return;
    if (json_is_string(words)) {
        put_text(line, line->size > 0 ? " " : "");
        put_slice(line, body_text(words));
        return;
    }
    if (!json_is_array(words))
        (void)body_wrong(out, "the body has another type than the API says for a command");
    json_array_foreach(words, i, word)
    {
        put_text(line, line->size > 0 ? " " : "");
        put_slice(line, body_item_text(word, out));
    }
}

void
body_add_command(struct body_facts *out, const json_t *first, const json_t *then)
{
    struct buffer line = BUFFER_LIMITED(65536);
    struct slice text;

    put_words(&line, first, out);
    put_words(&line, then, out);
    text = arena_copy(out->arena, buffer_slice(&line));
    if (buffer_status(&line) != STATUS_OK || (line.size > 0 && text.at == NULL))
        (void)body_wrong(out, "the command is too long to be judged");
    body_fact_add(out, "command", line.size > 0 ? text : slice_of("", 0), false);
    buffer_free(&line);
}

/* --- capabilities ------------------------------------------------------------------------ */

/* Runtimes take CAP_NET_ADMIN and net_admin as well. */
void
body_add_capabilities(struct body_facts *out, const json_t *object, const char *member)
{
    const json_t *item;
    size_t i;

    json_array_foreach(body_take_list(object, member, out), i, item)
    {
        struct slice text = body_item_text(item, out);
        char *upper = arena_take(out->arena, text.size + 1);

        if (upper == NULL) {
            (void)body_wrong(out, "the body asks for more than can be judged");
            return;
        }
        for (size_t at = 0; at < text.size; at++) {
            char byte = text.at[at];
            upper[at] = byte >= 'a' && byte <= 'z' ? (char)(byte - 32) : byte;
        }
        text = slice_of(upper, text.size);
        if (slice_starts(text, SLICE_LITERAL("CAP_")))
            text = slice_from(text, 4);
        body_fact_add(out, "capability", text, true);
    }
}

/* --- paths of the host ------------------------------------------------------------------ */

bool
body_host_path(struct slice path, struct arena *arena, struct slice *out)
{
    char *text = arena_take(arena, path.size + 2);
    size_t size = 0;
    struct slice segment;

    if (text == NULL || path.size == 0 || path.at[0] != '/')
        return false;
    while (slice_next(&path, '/', &segment)) {
        if (segment.size == 0 || slice_is(segment, "."))
            continue;
        if (slice_is(segment, "..")) {
            while (size > 0 && text[--size] != '/')
                continue;
            continue;
        }
        text[size++] = '/';
        memcpy(text + size, segment.at, segment.size);
        size += segment.size;
    }
    if (size == 0)
        text[size++] = '/';
    *out = slice_of(text, size);
    return true;
}

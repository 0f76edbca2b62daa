/* cli/output.c - answers for people: tables, relative times, colour on a terminal
 * alone; and the one JSON document for scripts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#include "base/clock.h"

void
print_json(const json_t *value)
{
    struct buffer out = { 0 };

    put_json(&out, value);
    put_text(&out, "\n");
    fwrite(out.bytes, 1, out.size, stdout);
    buffer_wipe_free(&out);
}

const char *
tint(const struct cli *cli, enum tint which)
{
    static const char *const codes[] = { [TINT_GOOD] = "\033[32m",
                                         [TINT_BAD] = "\033[31m",
                                         [TINT_DIM] = "\033[2m",
                                         [TINT_BOLD] = "\033[1m" };

    return cli->colour ? codes[which] : "";
}

const char *
untint(const struct cli *cli)
{
    return cli->colour ? "\033[0m" : "";
}

const char *
text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text == NULL || text[0] == '\0' ? "-" : text;
}

const char *
relative(const json_t *object, const char *member, char out[32])
{
    const char *text = json_string_value(json_object_get(object, member));
    int64_t at;

    if (text == NULL || time_parse(slice_text(text), &at) != STATUS_OK)
        return "-";
    return time_relative(at, clock_wall_ms(), out);
}

const char *
plural(long long count, const char *word, char out[48])
{
    snprintf(out, 48, "%lld %s%s", count, word, count == 1 ? "" : "s");
    return out;
}

/* Characters that show nothing, or move what stands around them: zero width, the direction of
 * writing, tags, a byte order mark. */
static bool
is_hidden(unsigned code)
{
    return (code >= 0x200b && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f) || code == 0x00ad || code == 0xfeff ||
           (code >= 0xfe00 && code <= 0xfe0f) || (code >= 0xe0000 && code <= 0xe0fff);
}

/* The character of valid UTF-8 that begins here, as jansson gives it. */
static unsigned
character(const unsigned char *at, unsigned *size)
{
    unsigned code = *at;

    *size = code < 0x80 ? 1 : code < 0xe0 ? 2 : code < 0xf0 ? 3 : 4;
    if (*size > 1)
        code &= 0xffu >> (*size + 1);
    for (unsigned i = 1; i < *size; i++)
        code = code << 6 | (at[i] & 0x3f);
    return code;
}

char *
shown(const char *text)
{
    struct buffer out = { 0 };
    unsigned size;

    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at += size) {
        unsigned code = character(at, &size);

        if (code < 0x20 || (code >= 0x7f && code < 0xa0))
            put_format(&out, "\\x%02x", code);
        else if (is_hidden(code))
            put_format(&out, "\\u{%x}", code);
        else
            put_bytes(&out, at, size);
    }
    put_u8(&out, 0);
    if (buffer_status(&out) != STATUS_OK)
        abort();
    return out.bytes;
}

void
print_block(const char *text)
{
    struct slice rest = slice_text(text), line;
    struct buffer one = { 0 };

    while (slice_next(&rest, '\n', &line)) {
        char *safe;

        put_slice(&one, line);
        put_u8(&one, 0);
        safe = shown(one.bytes);
        printf("  | %s\n", safe);
        free(safe);
        buffer_clear(&one);
    }
    buffer_free(&one);
}

void
print_member(const struct cli *cli, const char *name, const char *value)
{
    char *text = shown(value);

    printf("%s%-12s%s %s\n", tint(cli, TINT_DIM), name, untint(cli), text);
    free(text);
}

bool
confirm(const char *question)
{
    char answer[8];

    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "writ: %s Say --yes to do it without a terminal.\n", question);
        return false;
    }
    fprintf(stderr, "%s [y/N] ", question);
    return fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

/* --- tables -------------------------------------------------------------------- */

enum { COLUMNS_MAX = 12 };

struct grid {
    char **cells; /* row by row, the headings first */
    size_t columns, rows, capacity;
};

struct grid *
grid_new(const char *const *headings)
{
    struct grid *table = calloc(1, sizeof *table);

    if (table == NULL)
        abort();
    while (headings[table->columns] != NULL && table->columns < COLUMNS_MAX)
        table->columns++;
    grid_row(table, headings);
    return table;
}

void
grid_row(struct grid *table, const char *const *cells)
{
    if (table->rows == table->capacity) {
        table->capacity = table->capacity == 0 ? 64 : table->capacity * 2;
        table->cells =
            reallocarray(table->cells, table->capacity * table->columns, sizeof *table->cells);
    }
    for (size_t i = 0; table->cells != NULL && i < table->columns; i++)
        table->cells[table->rows * table->columns + i] = shown(cells[i] == NULL ? "-" : cells[i]);
    if (table->cells == NULL)
        abort();
    table->rows++;
}

/* Terminal columns, not bytes: continuation bytes of UTF-8 take none. */
static size_t
width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

void
grid_print(const struct grid *table, const struct cli *cli)
{
    size_t widths[COLUMNS_MAX] = { 0 };

    for (size_t i = 0; i < table->rows * table->columns; i++) {
        size_t width = width_of(table->cells[i]);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t row = 0; row < table->rows; row++) {
        fputs(row == 0 ? tint(cli, TINT_DIM) : "", stdout);
        for (size_t i = 0; i < table->columns; i++) {
            const char *cell = table->cells[row * table->columns + i];
            bool last = i + 1 == table->columns;
            printf("%s%*s", cell, last ? 0 : (int)(widths[i] - width_of(cell)) + 2, "");
        }
        printf("%s\n", row == 0 ? untint(cli) : "");
    }
}

void
grid_free(struct grid *table)
{
    for (size_t i = 0; i < table->rows * table->columns; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

/* base/log.c - one line a message, written with one write. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

enum { LINE_MOST = 16 << 10 };

static _Atomic int least_level = LOG_INFO;

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void
log_set_level(enum log_level least)
{
    atomic_store_explicit(&least_level, least, memory_order_relaxed);
}

struct line {
    enum log_level level;
    const char *room, *message;
};

static void
put_member(struct buffer *out, const char *name, const char *value)
{
    put_u8(out, ',');
    put_json_string(out, slice_text(name));
    put_u8(out, ':');
    if (value == NULL)
        put_text(out, "null");
    else
        put_json_string(out, slice_text(value));
}

static void
put_as_json(struct buffer *out, const struct line *line, const char *at, va_list members)
{
    const char *name;

    put_format(out, "{\"at\":\"%s\"", at);
    put_member(out, "level", level_names[line->level]);
    put_member(out, "room", line->room);
    put_member(out, "message", line->message);
    while ((name = va_arg(members, const char *)) != NULL)
        put_member(out, name, va_arg(members, const char *));
    put_text(out, "}\n");
}

/* Values are quoted here too: what a peer sent may not drive the terminal. */
static void
put_as_text(struct buffer *out, const struct line *line, const char *at, va_list members)
{
    const char *name, *value;

    put_format(out, "%s %-5s %s: %s", at, level_names[line->level], line->room, line->message);
    while ((name = va_arg(members, const char *)) != NULL) {
        value = va_arg(members, const char *);
        put_format(out, " %s=", name);
        if (value == NULL)
            put_u8(out, '-');
        else
            put_json_string(out, slice_text(value));
    }
    put_u8(out, '\n');
}

static void
write_whole(struct slice text)
{
    while (text.size > 0) {
        ssize_t wrote = write(STDERR_FILENO, text.at, text.size);
        if (wrote > 0)
            text = slice_from(text, (size_t)wrote);
        else if (wrote == 0 || errno != EINTR)
            return; /* nobody to tell that the log is gone */
    }
}

void
log_write(enum log_level level, const char *room, const char *message, ...)
{
    struct line line = { level, room, message };
    struct buffer text = BUFFER_LIMITED(LINE_MOST);
    char at[TIME_TEXT_MAX];
    int saved = errno;
    va_list members;

    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return;
    time_format(clock_wall_ms(), at);
    va_start(members, message);
    if (isatty(STDERR_FILENO))
        put_as_text(&text, &line, at, members);
    else
        put_as_json(&text, &line, at, members);
    va_end(members);
    if (buffer_status(&text) != STATUS_OK) {
        /* Too long: the line without its members still says what happened. */
        buffer_clear(&text);
        put_format(&text, "{\"at\":\"%s\"", at);
        put_member(&text, "level", level_names[level]);
        put_member(&text, "room", room);
        put_member(&text, "message", message);
        put_text(&text, ",\"cut\":true}\n");
    }
    write_whole(buffer_slice(&text));
    buffer_free(&text);
    errno = saved;
}

/* app/config_show.c - the settings as they stand, what a reload makes of them, and
 * their reference. */
#include "settings.h"

#include <string.h>

#include "base/clock.h"

static void
show_value(const struct config *config, const struct setting *row, struct buffer *out)
{
    const char *member = (const char *)config + row->offset;
    char text[TIME_TEXT_MAX], network[CIDR_TEXT_MAX];
    const struct config_networks *networks;
    const struct config_paths *paths;

    switch (row->type) {
    case SETTING_DURATION:
        put_text(out, duration_format(*(const int64_t *)(const void *)member, text));
        break;
    case SETTING_FLAG:
        put_text(out, *(const bool *)(const void *)member ? "true" : "false");
        break;
    case SETTING_COUNT:
        if (*(const uint64_t *)(const void *)member == 0)
            put_text(out, "auto");
        else
            put_decimal(out, *(const uint64_t *)(const void *)member);
        break;
    case SETTING_PATHS:
    case SETTING_NAMES:
        paths = (const void *)member;
        put_text(out, "[");
        for (size_t i = 0; i < paths->count; i++)
            put_format(out, "%s%s", i == 0 ? "" : ", ", paths->items[i]);
        put_text(out, "]");
        break;
    case SETTING_NETWORKS:
        networks = (const void *)member;
        put_text(out, "[");
        for (size_t i = 0; i < networks->count; i++)
            put_format(out, "%s%s", i == 0 ? "" : ", ", cidr_format(&networks->items[i], network));
        put_text(out, "]");
        break;
    default:
        put_text(out, *(char *const *)(const void *)member == NULL
                          ? "null"
                          : *(char *const *)(const void *)member);
    }
}

void
config_adopt(struct config *config, struct config *next)
{
    const struct config_paths policy = config->policy;

    config->policy = next->policy;
    next->policy = policy;
    config->default_ttl = next->default_ttl;
    config->max_ttl = next->max_ttl;
    config->max_line = next->max_line;
}

void
config_restart(const struct config *config, const struct config *next, struct buffer *out)
{
    for (int i = 0; i < SETTING_ROWS; i++) {
        struct buffer now = { 0 }, then = { 0 };

        show_value(config, &settings[i], &now);
        show_value(next, &settings[i], &then);
        if (!settings[i].live && !slice_equal(buffer_slice(&now), buffer_slice(&then)))
            put_format(out, "%s%s", out->size == 0 ? "" : ", ", settings[i].key);
        buffer_free(&now);
        buffer_free(&then);
    }
}

/* The levels of a dotted key become nested YAML; only what differs from the row
 * before is opened again. */
static void
show_levels(const char *before, const char *key, struct buffer *out)
{
    unsigned depth = 0;
    bool same = true;
    const char *dot;

    for (const char *at = key; (dot = strchr(at, '.')) != NULL; at = dot + 1, depth++) {
        size_t size = (size_t)(dot - key) + 1;

        same = same && strncmp(before, key, size) == 0;
        if (!same)
            put_format(out, "%*s%.*s:\n", (int)depth * 2, "", (int)(dot - at), at);
    }
    dot = strrchr(key, '.');
    put_format(out, "%*s%s: ", (int)depth * 2, "", dot == NULL ? key : dot + 1);
}

void
config_show(const struct config *config, struct buffer *out)
{
    const char *before = "";

    for (int i = 0; i < SETTING_ROWS; i++) {
        show_levels(before, settings[i].key, out);
        show_value(config, &settings[i], out);
        put_format(out, "  # %s\n", settings[i].help);
        before = settings[i].key;
    }
}

void
config_reference(struct buffer *out)
{
    static const char *const kinds[] = {
        [SETTING_TEXT] = "text",           [SETTING_CHOICE] = "choice",
        [SETTING_PATH] = "path",           [SETTING_PATHS] = "list of paths",
        [SETTING_ADDRESS] = "host:port",   [SETTING_DURATION] = "duration",
        [SETTING_FLAG] = "true or false",  [SETTING_COUNT] = "number or auto",
        [SETTING_NAMES] = "list of names", [SETTING_NETWORKS] = "list of networks",
    };

    put_text(out, "| setting | type | default | meaning |\n|---|---|---|---|\n");
    for (int i = 0; i < SETTING_ROWS; i++) {
        const struct setting *row = &settings[i];

        put_format(out, "| `%s` | %s | ", row->key, kinds[row->type]);
        if (row->initial != NULL)
            put_format(out, "`%s`", row->initial);
        put_format(out, " | %s", row->help);
        if (row->choices != NULL) {
            struct slice rest = slice_text(row->choices), one;
            put_text(out, " One of");
            while (slice_next(&rest, '|', &one))
                put_format(out, " `%.*s`", SLICE_PRINT(one));
            put_text(out, ".");
        }
        put_text(out, row->live ? " Taken over on SIGHUP. |\n" : " |\n");
    }
}

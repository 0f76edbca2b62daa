/* cli/recordings.c - `writ session list --recorded`, `play`, `tail`, `delete`: sessions that were
 * recorded, or are being recorded now. */
#include "recordings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "screen.h"

enum { POLL_US = 500000, PAUSE_MOST_MS = 600000, ID_MAX = 128 };

/* --- found ------------------------------------------------------------------------ */

static void
print_items(const struct cli *cli, const json_t *items)
{
    static const char *const headings[] = { "RECORDING", "SUBJECT", "UPSTREAM", "OBJECT",
                                            "COMMAND",   "BEGAN",   "STATE",    NULL };
    struct grid *grid = grid_new(headings);
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        char when[32];
        const char *const cells[] = { text_of(item, "id"),       text_of(item, "subject"),
                                      text_of(item, "upstream"), text_of(item, "object"),
                                      text_of(item, "command"),  relative(item, "started_at", when),
                                      text_of(item, "state") };

        grid_row(grid, cells);
    }
    grid_print(grid, cli);
    grid_free(grid);
}

int
recordings_list(struct cli *cli, const struct args *args)
{
    static const char *const names[] = { "subject", "upstream", "object", "since",
                                         "until",   "limit",    "cursor" };
    struct buffer path = { 0 };
    json_t *answer;
    char option[16];

    put_text(&path, "/v1/recordings");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(option, sizeof option, "--%s", names[i]);
        put_query(&path, names[i], args_value(args, option));
    }
    put_u8(&path, 0);
    int status = cli_ask(cli, "GET", path.bytes, NULL, &answer);
    buffer_free(&path);
    if (status == EXIT_DONE && cli->json)
        print_json(answer);
    else if (status == EXIT_DONE) {
        print_items(cli, json_object_get(answer, "items"));
        if (json_is_string(json_object_get(answer, "next")))
            fprintf(stderr, "more: --cursor %s\n", text_of(answer, "next"));
    }
    json_decref(answer);
    return status;
}

/* The id; of a session's number, that of its newest recording. */
static int
find(struct cli *cli, const char *word, char id[ID_MAX])
{
    struct buffer path = { 0 };
    json_t *answer;

    snprintf(id, ID_MAX, "%s", word);
    if (strspn(word, "0123456789") != strlen(word))
        return EXIT_DONE;
    put_text(&path, "/v1/recordings?limit=1");
    put_query(&path, "session", word);
    put_u8(&path, 0);
    int status = cli_ask(cli, "GET", path.bytes, NULL, &answer);
    buffer_free(&path);
    if (status == EXIT_DONE) {
        const json_t *first = json_array_get(json_object_get(answer, "items"), 0);

        snprintf(id, ID_MAX, "%s", text_of(first, "id"));
        if (first == NULL) {
            fprintf(stderr, "writ: no session %s was recorded on this node\n", word);
            status = EXIT_REFUSED;
        }
    }
    json_decref(answer);
    return status;
}

static int
ask_one(struct cli *cli, const char *method, const char *word, json_t **out)
{
    struct buffer path = { 0 };
    char id[ID_MAX];
    int status = find(cli, word, id);

    *out = NULL;
    if (status != EXIT_DONE)
        return status;
    put_path(&path, "/v1/recordings/", id);
    put_u8(&path, 0);
    status = cli_ask(cli, method, path.bytes, NULL, out);
    buffer_free(&path);
    return status;
}

int
recording_show(struct cli *cli, const struct args *args)
{
    static const char *const members[] = { "id",         "session",  "subject", "token",  "chain",
                                           "peer",       "upstream", "action",  "object", "command",
                                           "started_at", "state",    "digest" };
    char number[32];
    json_t *recording;
    int status = ask_one(cli, "GET", args->words[0], &recording);

    if (status == EXIT_DONE && cli->json)
        print_json(recording);
    else if (status == EXIT_DONE)
        for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
            print_member(cli, members[i], text_of(recording, members[i]));
    if (status == EXIT_DONE && !cli->json) {
        snprintf(number, sizeof number, "%lld",
                 (long long)json_integer_value(json_object_get(recording, "duration_ms")));
        print_member(cli, "milliseconds", number);
        snprintf(number, sizeof number, "%lld",
                 (long long)json_integer_value(json_object_get(recording, "size")));
        print_member(cli, "bytes", number);
    }
    json_decref(recording);
    return status;
}

int
recording_delete(struct cli *cli, const struct args *args)
{
    json_t *answer;
    int status = ask_one(cli, "DELETE", args->words[0], &answer);

    if (status == EXIT_DONE && cli->json)
        print_json(answer);
    else if (status == EXIT_DONE)
        printf("removed: the recording %s\n", text_of(answer, "id"));
    json_decref(answer);
    return status;
}

/* --- shown -------------------------------------------------------------------------- */

/* One recording on its way to the terminal. */
struct show {
    bool as_cast;          /* the lines as they are, for other players */
    bool at_once;          /* without the pauses */
    double speed, longest; /* seconds; of a pause */
    double at;             /* of the event before */
    struct screen screen;
    struct buffer out;
    json_t *lines; /* -o json: of all events; NULL: they are shown */
};

static void
put_out(struct show *show)
{
    (void)!fwrite(show->out.bytes, 1, show->out.size, stdout);
    fflush(stdout);
    buffer_clear(&show->out);
}

static void
wait_until(struct show *show, double at)
{
    double pause = (at - show->at) / show->speed;

    show->at = at;
    if (show->at_once || pause <= 0)
        return;
    usleep((useconds_t)((pause < show->longest ? pause : show->longest) * 1e6));
}

static void
show_event(struct show *show, const json_t *event)
{
    const char *kind = json_string_value(json_array_get(event, 1));
    const json_t *text = json_array_get(event, 2);

    wait_until(show, json_number_value(json_array_get(event, 0)));
    if (kind == NULL || strcmp(kind, "o") != 0 || !json_is_string(text))
        return;
    screen_show(&show->screen, slice_of(json_string_value(text), json_string_length(text)),
                &show->out);
    put_out(show);
}

static void
show_line(struct show *show, struct slice line)
{
    json_t *event = NULL;

    if (show->as_cast) {
        put_slice(&show->out, line);
        put_u8(&show->out, '\n');
        put_out(show);
        return;
    }
    if (json_read(line, &event, NULL) != STATUS_OK)
        return;
    if (show->lines != NULL)
        (void)json_array_append(show->lines, event);
    else if (json_is_array(event))
        show_event(show, event);
    json_decref(event);
}

static void
show_page(struct show *show, const json_t *page)
{
    const json_t *events = json_object_get(page, "events");
    struct slice rest = slice_of(json_string_value(events), json_string_length(events)), line;

    while (slice_next(&rest, '\n', &line))
        if (line.size > 0)
            show_line(show, line);
}

enum { FOLLOW_NOT, FOLLOW };

/* The state at its end goes to *state. */
static int
show_all(struct cli *cli, const char *word, struct show *show, int follow, char state[16])
{
    char next[24] = "0", id[ID_MAX];
    int status = find(cli, word, id);

    snprintf(state, 16, "more");
    while (status == EXIT_DONE &&
           (strcmp(state, "more") == 0 || (follow == FOLLOW && strcmp(state, "recording") == 0))) {
        struct buffer path = { 0 };
        json_t *page;

        if (strcmp(state, "recording") == 0)
            usleep(POLL_US);
        put_path(&path, "/v1/recordings/", id);
        put_text(&path, "/events");
        put_query(&path, "from", next);
        put_u8(&path, 0);
        status = cli_ask(cli, "GET", path.bytes, NULL, &page);
        if (status == EXIT_DONE) {
            show_page(show, page);
            snprintf(next, sizeof next, "%s", text_of(page, "next"));
            snprintf(state, 16, "%s", text_of(page, "state"));
        }
        json_decref(page);
        buffer_free(&path);
    }
    return status;
}

static int
show_end(struct show *show, const char *state)
{
    bool whole = strcmp(state, "complete") == 0 || strcmp(state, "recording") == 0;

    if (show->lines != NULL) {
        json_t *all = json_pack("{s:s, s:O}", "state", state, "events", show->lines);

        print_json(all);
        json_decref(all);
    } else if (!show->as_cast && isatty(STDOUT_FILENO)) {
        screen_end(&show->out);
        put_out(show);
    }
    if (!whole)
        fprintf(stderr, "writ: the recording is %s: what was shown is genuine, and not all\n",
                state);
    json_decref(show->lines);
    buffer_free(&show->out);
    return whole ? EXIT_DONE : EXIT_REFUSED;
}

static bool
take_speed(const char *text, double *out)
{
    char *end;

    *out = text == NULL ? 1 : strtod(text, &end);
    if (text == NULL || (end != text && *end == '\0' && *out >= 0.1 && *out <= 1000))
        return true;
    fprintf(stderr, "writ: --speed is a number from 0.1 to 1000\n");
    return false;
}

static bool
take_pause(const char *text, double *out)
{
    int64_t ms = 2000;

    if (text != NULL && duration_parse(slice_text(text), &ms) != STATUS_OK) {
        fprintf(stderr, "writ: --pause is a duration such as 2s\n");
        return false;
    }
    *out = ms < PAUSE_MOST_MS ? (double)ms / 1000 : PAUSE_MOST_MS / 1000;
    return true;
}

int
recording_play(struct cli *cli, const struct args *args)
{
    struct show show = { .as_cast = args_value(args, "--cast") != NULL };
    char state[16];

    if (cli->json && show.as_cast) {
        fprintf(stderr, "writ: --cast and -o json are two answers: choose one\n");
        return EXIT_USAGE;
    }
    if (!take_speed(args_value(args, "--speed"), &show.speed) ||
        !take_pause(args_value(args, "--pause"), &show.longest))
        return EXIT_USAGE;
    show.lines = cli->json ? json_array() : NULL;
    int status = show_all(cli, args->words[0], &show, FOLLOW_NOT, state);
    int end = show_end(&show, status == EXIT_DONE ? state : "complete");
    return status == EXIT_DONE ? end : status;
}

int
recording_tail(struct cli *cli, const struct args *args)
{
    struct show show = { .at_once = true, .speed = 1 };
    char state[16];

    if (cli->json) {
        fprintf(stderr, "writ: tail has no end to make one document of: play -o json does\n");
        return EXIT_USAGE;
    }
    int status = show_all(cli, args->words[0], &show, FOLLOW, state);
    int end = show_end(&show, status == EXIT_DONE ? state : "complete");

    return status == EXIT_DONE ? end : status;
}

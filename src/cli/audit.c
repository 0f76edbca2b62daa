/* cli/audit.c - `writ audit …`, `writ advise`: what happened, and what of the
 * rights was needed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "grants.h"
#include "internal.h"

#include "audit/search.h"
#include "base/encoding.h"

static void
put_search(struct buffer *path, const struct args *args)
{
    static const char *const names[] = { "subject", "token", "resource", "action", "decision",
                                         "since",   "until", "limit",    "cursor" };
    char option[16];

    put_text(path, "/v1/audit");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(option, sizeof option, "--%s", names[i]);
        put_query(path, names[i], args_value(args, option));
    }
}

/* Whom it acts for: the parent's subject, and whom that one acts for. */
static void
print_actors(const struct cli *cli, const json_t *event)
{
    const json_t *link;
    size_t i;

    json_array_foreach(json_object_get(event, "chain"), i, link)
        printf(" %sfor %s%s", tint(cli, TINT_DIM), text_of(link, "subject"), untint(cli));
}

static void
print_event(const struct cli *cli, const json_t *event)
{
    bool allowed = strcmp(text_of(event, "decision"), "allow") == 0;
    const json_t *status = json_object_get(event, "status");
    char number[24] = "…";

    if (json_is_integer(status))
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(status));
    printf("%s%s%s %s%-5s%s %-3s %-12s %s:%s:%s", tint(cli, TINT_DIM), text_of(event, "at"),
           untint(cli), tint(cli, allowed ? TINT_GOOD : TINT_BAD), text_of(event, "decision"),
           untint(cli), number, text_of(event, "subject"), text_of(event, "resource"),
           text_of(event, "action"), text_of(event, "object"));
    print_actors(cli, event);
    if (!allowed && strcmp(text_of(event, "reason"), "-") != 0)
        printf("  %s%s%s", tint(cli, TINT_DIM), text_of(event, "reason"), untint(cli));
    printf("\n");
}

static int
by_time(const void *a, const void *b)
{
    const json_t *const *left = a, *const *right = b;
    int order = strcmp(text_of(*left, "at"), text_of(*right, "at"));
    json_int_t difference = json_integer_value(json_object_get(*left, "seq")) -
                            json_integer_value(json_object_get(*right, "seq"));

    return order != 0 ? order : difference < 0 ? -1 : difference > 0;
}

/* The newest last, where the prompt is. Lines are numbered as they are sealed, lane by
 * lane: a person reads them by their time. */
static void
print_events(const struct cli *cli, const json_t *items)
{
    size_t count = json_array_size(items);
    const json_t **sorted = calloc(count + 1, sizeof(const json_t *));

    for (size_t i = 0; sorted != NULL && i < count; i++)
        sorted[i] = json_array_get(items, i);
    if (sorted != NULL)
        qsort(sorted, count, sizeof(const json_t *), by_time);
    for (size_t i = 0; sorted != NULL && i < count; i++)
        print_event(cli, sorted[i]);
    free(sorted);
}

static int
search(struct cli *cli, const struct args *args)
{
    struct buffer path = { 0 };
    json_t *answer, *items;
    int status;

    put_search(&path, args);
    put_u8(&path, 0);
    status = cli_ask(cli, "GET", path.bytes, NULL, &answer);
    buffer_free(&path);
    if (status == EXIT_DONE && cli->json) {
        print_json(answer);
    } else if (status == EXIT_DONE) {
        items = json_object_get(answer, "items");
        print_events(cli, items);
        if (json_array_size(items) == 0)
            fputs("no line fits\n", stderr);
    }
    json_decref(answer);
    return status;
}

/* Follows from the newest line on, asking each half second; -o json gives one
 * document a line. */
static int
tail(struct cli *cli, const struct args *args)
{
    bool follow = args_value(args, "-f") != NULL;
    unsigned long long after = 0;
    struct buffer path = { 0 };
    json_t *answer, *items;
    int status;

    put_search(&path, args);
    put_query(&path, "limit", args_value(args, "--limit") == NULL ? "20" : NULL);
    for (bool first = true;; first = false) {
        struct buffer page = { 0 };

        if (first) {
            put_slice(&page, buffer_slice(&path));
        } else {
            char number[24];
            put_search(&page, args);
            snprintf(number, sizeof number, "%llu", after);
            put_query(&page, "after", number);
        }
        put_u8(&page, 0);
        status = cli_ask(cli, "GET", page.bytes, NULL, &answer);
        buffer_free(&page);
        items = json_object_get(answer, "items");
        for (size_t i = 0; status == EXIT_DONE && i < json_array_size(items); i++) {
            const json_t *event = json_array_get(items, first ? json_array_size(items) - 1 - i : i);
            json_int_t seq = json_integer_value(json_object_get(event, "seq"));
            after = (unsigned long long)seq > after ? (unsigned long long)seq : after;
            if (cli->json)
                print_json(event);
            else
                print_event(cli, event);
        }
        json_decref(answer);
        fflush(stdout);
        /* A reader that has gone (| head) ends it. */
        if (!follow || status != EXIT_DONE || ferror(stdout))
            break;
        usleep(500000);
    }
    buffer_free(&path);
    return status;
}

/* --- verify ------------------------------------------------------------------------ */

/* The data directory is where the socket would be. */
static char *
beside_socket(const struct cli *cli, const char *name)
{
    const char *slash = strrchr(cli->socket, '/');
    char *path;

    if (asprintf(&path, "%.*s%s", slash == NULL ? 0 : (int)(slash - cli->socket) + 1, cli->socket,
                 name) < 0)
        return NULL;
    return path;
}

static bool
read_public_key(const char *path, uint8_t key[32])
{
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    char text[65] = { 0 };
    bool read = file != NULL && fread(text, 1, 64, file) == 64;

    if (file != NULL)
        fclose(file);
    return read && hex_decode(slice_of(text, 64), key, 32);
}

/* When no authority runs: the files alone. What the store knows of the log's end is
 * then not compared, and that is said. */
static json_t *
verify_files(const struct cli *cli, struct fault *fault)
{
    char *key_path = beside_socket(cli, "audit.pub"), *dir = beside_socket(cli, "audit");
    struct audit_verdict verdict = { 0 };
    json_t *answer = NULL;
    uint8_t key[32];
    enum status status;

    if (dir == NULL || !read_public_key(key_path, key)) {
        (void)fault_set(fault, STATUS_NOT_FOUND, "no authority at %s, and no audit.pub beside it",
                        cli->socket);
    } else {
        status = audit_verify(dir, key, NULL, &verdict, fault);
        if (status == STATUS_OK || status == STATUS_CORRUPT)
            answer = json_pack(
                "{s:b, s:I, s:I, s:I, s:I, s:b, s:o}", "holds", status == STATUS_OK, "lines",
                (json_int_t)verdict.lines, "first", (json_int_t)verdict.first, "last",
                (json_int_t)verdict.last, "segments", (json_int_t)verdict.segments, "head_compared",
                false, "reason", status == STATUS_OK ? json_null() : json_string(fault->text));
    }
    free(key_path);
    free(dir);
    return answer;
}

static void
print_chain(const struct cli *cli, const json_t *answer, bool running)
{
    char lines[48], segments[48];

    if (json_is_true(json_object_get(answer, "holds")))
        printf(
            "%sthe chain holds%s: %s in %s\n", tint(cli, TINT_GOOD), untint(cli),
            plural(json_integer_value(json_object_get(answer, "lines")), "line", lines),
            plural(json_integer_value(json_object_get(answer, "segments")), "segment", segments));
    else
        printf("%sthe chain does not hold%s: %s\n", tint(cli, TINT_BAD), untint(cli),
               text_of(answer, "reason"));
    if (!running)
        fputs("no authority is running: the files were read as they are, and whether lines are "
              "missing at "
              "their end was not compared with the store\n",
              stderr);
}

static int
verify(struct cli *cli, const struct args *args)
{
    struct reply reply = { 0 };
    struct fault fault = { 0 };
    json_t *answer = NULL;
    int status = EXIT_DONE;
    bool running = cli_call(cli, "GET", "/v1/audit/verify", NULL, &reply, &fault) == STATUS_OK;

    if (!running) {
        if (cli->url == NULL)
            answer = verify_files(cli, &fault);
        if (answer == NULL)
            cli_tell_fault(&fault);
    } else if (reply.status == 200) {
        answer = json_incref(reply.body);
    } else {
        cli_tell_problem(cli, &reply);
    }
    if (answer == NULL || !json_is_true(json_object_get(answer, "holds")))
        status = EXIT_REFUSED;
    if (answer != NULL && cli->json)
        print_json(answer);
    else if (answer != NULL)
        print_chain(cli, answer, running);
    json_decref(answer);
    reply_free(&reply);
    return status;
}

static int
map(struct cli *cli, const struct args *args)
{
    static const char *const headings[] = { "SUBJECT", "TOKEN", "RIGHT", "ALLOWED",
                                            "DENIED",  "LAST",  NULL };
    struct buffer path = { 0 };
    struct grid *table;
    json_t *answer, *item;
    size_t i;
    int status;

    put_text(&path, "/v1/audit/map");
    put_query(&path, "since", args_value(args, "--since"));
    put_u8(&path, 0);
    status = cli_ask(cli, "GET", path.bytes, NULL, &answer);
    buffer_free(&path);
    if (status != EXIT_DONE)
        return status;
    if (cli->json) {
        print_json(answer);
        json_decref(answer);
        return status;
    }
    table = grid_new(headings);
    json_array_foreach(json_object_get(answer, "items"), i, item)
    {
        char allowed[24], denied[24], when[32];
        const char *cells[] = { text_of(item, "subject"),
                                text_of(item, "token"),
                                text_of(item, "right"),
                                allowed,
                                denied,
                                relative(item, "last_used", when) };
        snprintf(allowed, sizeof allowed, "%lld",
                 (long long)json_integer_value(json_object_get(item, "allowed")));
        snprintf(denied, sizeof denied, "%lld",
                 (long long)json_integer_value(json_object_get(item, "denied")));
        grid_row(table, cells);
    }
    grid_print(table, cli);
    grid_free(table);
    json_decref(answer);
    return status;
}

static int
advise(struct cli *cli, const struct args *args)
{
    const char *upstream = args_value(args, "--upstream");
    struct buffer path = { 0 };
    json_t *answer, *item;
    size_t i;
    int status;

    if ((upstream != NULL) != (args_value(args, "--sql") != NULL)) {
        fprintf(stderr, "writ: --upstream and --sql belong together\n");
        return EXIT_USAGE;
    }
    if (upstream != NULL)
        return grants_print(cli, upstream);
    put_text(&path, "/v1/advice");
    put_query(&path, "subject", args_value(args, "--subject"));
    put_query(&path, "token", args_value(args, "--token"));
    put_query(&path, "role", args_value(args, "--role"));
    put_query(&path, "since", args_value(args, "--since"));
    put_u8(&path, 0);
    status = cli_ask(cli, "GET", path.bytes, NULL, &answer);
    buffer_free(&path);
    if (status == EXIT_DONE && cli->json) {
        print_json(answer);
    } else if (status == EXIT_DONE) {
        printf("%s# what was used needs no more than this%s\n", tint(cli, TINT_DIM), untint(cli));
        puts("allow:");
        json_array_foreach(json_object_get(answer, "rights"), i, item)
            printf("  - %s\n", json_string_value(item));
        if (json_array_size(json_object_get(answer, "unused")) > 0)
            printf("%s# held, never used:%s\n", tint(cli, TINT_DIM), untint(cli));
        json_array_foreach(json_object_get(answer, "unused"), i, item)
            printf("%s#   %s%s\n", tint(cli, TINT_DIM), json_string_value(item), untint(cli));
    }
    json_decref(answer);
    return status;
}

#define SEARCH_OPTIONS                                                                             \
    { "--subject", "S", "of this subject" }, { "--token", "ID", "of this token, its hops too" },   \
        { "--resource", "R", "of this upstream; writ for the authority itself" },                  \
        { "--action", "A", "of this action" }, { "--decision", "allow|deny", "of this decision" }, \
        { "--since", "T", "from a time, or a duration ago, on" },                                  \
        { "--until", "T", "up to a time, or a duration ago" },                                     \
    {                                                                                              \
        "--limit", "N", "at most so many (100)"                                                    \
    }

static const struct option search_options[] = { SEARCH_OPTIONS,
                                                { "--cursor", "C", "the next page" },
                                                { NULL, NULL, NULL } };
static const struct option tail_options[] = { { "-f", NULL, "go on with new lines" },
                                              SEARCH_OPTIONS,
                                              { NULL, NULL, NULL } };
static const struct option map_options[] = {
    { "--since", "T", "from a time, or a duration ago, on" },
    { NULL, NULL, NULL },
};
static const struct option advise_options[] = {
    { "--subject", "S", "of this subject" },
    { "--token", "ID", "of this token" },
    { "--role", "R", "of this role" },
    { "--since", "T", "from what was used since" },
    { "--upstream", "NAME", "of all roles at this database" },
    { "--sql", NULL, "with --upstream: as GRANTs for the gateway's role there" },
    { NULL, NULL, NULL },
};

const struct command audit_commands[] = {
    { "audit search", "", 0, 0, search_options, "Who did what, when, by which right.",
      "  writ audit search --subject amara --since 1h\n  writ audit search --decision deny -o "
      "json\n",
      search },
    { "audit tail", "", 0, 0, tail_options, "The newest lines; -f goes on.", NULL, tail },
    { "audit verify", "", 0, 0, NULL,
      "Recompute the chain; names the first line that does not hold.", NULL, verify },
    { "audit map", "", 0, 0, map_options, "Subject, token and right, with counts and last use.",
      NULL, map },
    { "advise", "", 0, 0, advise_options, "The smallest rights that cover what was used.",
      "  writ advise --subject amara --since 30d\n"
      "  writ advise --upstream warehouse --sql | psql shop\n",
      advise },
    { NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};

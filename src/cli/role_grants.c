/* cli/role_grants.c - `writ grant`: a role for a time, asked for, given, and taken away. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

enum { POLL_US = 1000000 };

static int
look(struct cli *cli, const char *id, json_t **out)
{
    struct buffer path = { 0 };

    put_path(&path, "/v1/approvals/", id);
    put_u8(&path, 0);
    int status = cli_ask(cli, "GET", path.bytes, NULL, out);
    buffer_free(&path);
    return status;
}

/* Until somebody has answered. */
static int
wait_for(struct cli *cli, json_t **entry)
{
    int status = EXIT_DONE;

    while (status == EXIT_DONE && strcmp(text_of(*entry, "state"), "pending") == 0) {
        char id[64];

        usleep(POLL_US);
        snprintf(id, sizeof id, "%s", text_of(*entry, "id"));
        json_decref(*entry);
        status = look(cli, id, entry);
    }
    return status;
}

static int
tell_request(const struct cli *cli, const json_t *entry)
{
    const char *state = text_of(entry, "state"), *id = text_of(entry, "id");
    bool waits = strcmp(state, "pending") == 0, given = strcmp(state, "approved") == 0;

    if (cli->json)
        print_json(entry);
    else if (waits)
        printf(
            "asked: the role %s, request %s\nA holder of %s answers with: writ grant approve %s\n",
            text_of(entry, "object"), id,
            json_string_value(json_array_get(json_object_get(entry, "by"), 0)), id);
    else if (given)
        printf("%s by %s: the role %s is in the tokens that you get from now on\n", state,
               text_of(entry, "answered_by"), text_of(entry, "object"));
    else {
        printf("%s by %s:\n", state, text_of(entry, "answered_by"));
        print_block(text_of(entry, "reason"));
    }
    return waits || given ? EXIT_DONE : EXIT_REFUSED;
}

static int
request(struct cli *cli, const struct args *args)
{
    const char *lasts = args_value(args, "--for"), *reason = args_value(args, "--reason");
    json_t *body = json_pack("{s:s}", "role", args->words[0]), *entry;
    int status;

    if (lasts != NULL)
        json_object_set_new(body, "for", json_string(lasts));
    if (reason != NULL)
        json_object_set_new(body, "reason", json_string(reason));
    status = cli_ask(cli, "POST", "/v1/grants", body, &entry);
    if (status == EXIT_DONE && args_value(args, "--wait") != NULL)
        status = wait_for(cli, &entry);
    if (status == EXIT_DONE)
        status = tell_request(cli, entry);
    json_decref(entry);
    return status;
}

static int
answer(struct cli *cli, const struct args *args, const char *what)
{
    const char *reason = args_value(args, "--reason");
    struct buffer path = { 0 };
    json_t *body = json_object(), *entry;

    if (reason != NULL)
        json_object_set_new(body, "reason", json_string(reason));
    put_path(&path, "/v1/approvals/", args->words[0]);
    put_format(&path, "/%s", what);
    put_u8(&path, 0);
    int status = cli_ask(cli, "POST", path.bytes, body, &entry);
    if (status == EXIT_DONE && cli->json)
        print_json(entry);
    else if (status == EXIT_DONE)
        printf("%s: the role %s of %s\n", text_of(entry, "state"), text_of(entry, "object"),
               text_of(entry, "subject"));
    json_decref(entry);
    buffer_free(&path);
    return status;
}

static int
approve(struct cli *cli, const struct args *args)
{
    return answer(cli, args, "approve");
}

static int
refuse(struct cli *cli, const struct args *args)
{
    return answer(cli, args, "refuse");
}

static int
list(struct cli *cli, const struct args *args)
{
    static const char *const headings[] = { "SUBJECT", "ROLE", "UNTIL", "BY", NULL };
    const json_t *item;
    json_t *all;
    size_t i;
    int status = cli_ask(cli, "GET", "/v1/grants", NULL, &all);

    if (status == EXIT_DONE && cli->json) {
        print_json(all);
    } else if (status == EXIT_DONE) {
        struct grid *grid = grid_new(headings);

        json_array_foreach(json_object_get(all, "items"), i, item)
        {
            char when[32];
            const char *const cells[] = { text_of(item, "subject"), text_of(item, "role"),
                                          relative(item, "until", when), text_of(item, "by") };

            grid_row(grid, cells);
        }
        grid_print(grid, cli);
        grid_free(grid);
    }
    json_decref(all);
    return status;
}

static int
end(struct cli *cli, const struct args *args)
{
    struct buffer path = { 0 };
    json_t *ended;

    put_path(&path, "/v1/grants/", args->words[0]);
    put_path(&path, "/", args->words[1]);
    put_u8(&path, 0);
    int status = cli_ask(cli, "DELETE", path.bytes, NULL, &ended);
    buffer_free(&path);
    if (status == EXIT_DONE && cli->json)
        print_json(ended);
    else if (status == EXIT_DONE)
        printf("ended: the role %s of %s, in force on every lane\n", args->words[1],
               args->words[0]);
    json_decref(ended);
    return status;
}

static const struct option request_options[] = {
    { "--for", "T", "how long; what the role allows at most when absent" },
    { "--reason", "TEXT", "for who answers, and for the audit" },
    { "--wait", NULL, "wait until somebody has answered" },
    { NULL, NULL, NULL },
};

static const struct option answer_options[] = {
    { "--reason", "TEXT", "kept, and told to who asked" },
    { NULL, NULL, NULL },
};

const struct command role_grant_commands[] = {
    { "grant request", "ROLE", 1, 1, request_options,
      "Ask for a role for a time; a role says by 'grantable' who gives it.",
      "  writ grant request oncall --for 2h --reason 'the payment queue is stuck' --wait\n",
      request },
    { "grant approve", "ID", 1, 1, answer_options,
      "Give it; by a holder of one of the roles that it asks for.", NULL, approve },
    { "grant refuse", "ID", 1, 1, answer_options, "Refuse it.", NULL, refuse },
    { "grant list", "", 0, 0, NULL, "Who has which role for a time now.", NULL, list },
    { "grant end", "SUBJECT ROLE", 2, 2, NULL, "Take one away before its time is over.",
      "  writ grant end amara oncall\n", end },
    { NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};

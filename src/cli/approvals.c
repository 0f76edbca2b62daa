/* cli/approvals.c - `writ approvals`: calls that wait for somebody's yes, and the answer. */
#include <stdio.h>

#include "internal.h"

static int
list(struct cli *cli, const struct args *args)
{
    static const char *const headings[] = { "ID",    "SUBJECT", "UPSTREAM", "ACTION", "OBJECT",
                                            "STATE", "ASKED",   "BY",       NULL };
    struct buffer path = { 0 };
    const json_t *item;
    json_t *answer;
    size_t i;

    put_text(&path, "/v1/approvals");
    if (args_value(args, "--all") == NULL)
        put_query(&path, "state", "pending");
    put_u8(&path, 0);
    int status = cli_ask(cli, "GET", path.bytes, NULL, &answer);
    buffer_free(&path);
    if (status == EXIT_DONE && cli->json) {
        print_json(answer);
    } else if (status == EXIT_DONE) {
        struct grid *grid = grid_new(headings);

        json_array_foreach(json_object_get(answer, "items"), i, item)
        {
            char when[32];
            const char *const cells[] = { text_of(item, "id"),
                                          text_of(item, "subject"),
                                          text_of(item, "upstream"),
                                          text_of(item, "action"),
                                          text_of(item, "object"),
                                          text_of(item, "state"),
                                          relative(item, "asked_at", when),
                                          json_string_value(
                                              json_array_get(json_object_get(item, "by"), 0)) };

            grid_row(grid, cells);
        }
        grid_print(grid, cli);
        grid_free(grid);
    }
    json_decref(answer);
    return status;
}

static int
ask_one(struct cli *cli, const char *id, const char *what, const char *reason, json_t **out)
{
    struct buffer path = { 0 };
    json_t *body = what == NULL ? NULL : json_object();

    put_path(&path, "/v1/approvals/", id);
    if (what != NULL)
        put_format(&path, "/%s", what);
    put_u8(&path, 0);
    if (reason != NULL)
        json_object_set_new(body, "reason", json_string(reason));
    int status = cli_ask(cli, what == NULL ? "GET" : "POST", path.bytes, body, out);
    buffer_free(&path);
    return status;
}

static int
show(struct cli *cli, const struct args *args)
{
    static const char *const members[] = { "id",          "state",       "subject",     "chain",
                                           "token",       "upstream",    "action",      "object",
                                           "right",       "agent",       "peer",        "asked_at",
                                           "expires_at",  "answered_by", "answered_at", "reason",
                                           "stands_until" };
    json_t *entry, *role;
    size_t i;
    int status = ask_one(cli, args->words[0], NULL, NULL, &entry);

    if (status == EXIT_DONE && cli->json) {
        print_json(entry);
    } else if (status == EXIT_DONE) {
        for (i = 0; i < sizeof members / sizeof members[0]; i++)
            print_member(cli, members[i], text_of(entry, members[i]));
        json_array_foreach(json_object_get(entry, "by"), i, role)
            print_member(cli, i == 0 ? "asks for" : "or", json_string_value(role));
        printf("\n");
        print_block(text_of(entry, "call"));
    }
    json_decref(entry);
    return status;
}

static int
answer(struct cli *cli, const struct args *args, const char *what, const char *done)
{
    json_t *entry;
    int status = ask_one(cli, args->words[0], what, args_value(args, "--reason"), &entry);

    if (status == EXIT_DONE && cli->json)
        print_json(entry);
    else if (status == EXIT_DONE)
        printf("%s: %s:%s:%s of %s\n", done, text_of(entry, "upstream"), text_of(entry, "action"),
               text_of(entry, "object"), text_of(entry, "subject"));
    json_decref(entry);
    return status;
}

static int
approve(struct cli *cli, const struct args *args)
{
    return answer(cli, args, "approve", "approved");
}

static int
refuse(struct cli *cli, const struct args *args)
{
    return answer(cli, args, "refuse", "refused");
}

static const struct option list_options[] = {
    { "--all", NULL, "also those that were answered lately" },
    { NULL, NULL, NULL },
};

static const struct option answer_options[] = {
    { "--reason", "TEXT", "kept in the audit, and told to who asked" },
    { NULL, NULL, NULL },
};

const struct command approval_commands[] = {
    { "approvals list", "", 0, 0, list_options, "Calls that wait for somebody's yes.",
      "  writ approvals list\n", list },
    { "approvals show", "ID", 1, 1, NULL, "One of them, with the very call.", NULL, show },
    { "approvals approve", "ID", 1, 1, answer_options,
      "Let it pass; by a holder of one of the roles that it asks for.", NULL, approve },
    { "approvals refuse", "ID", 1, 1, answer_options,
      "Refuse it; or withdraw what was approved for a time.", NULL, refuse },
    { NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};

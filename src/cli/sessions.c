/* cli/sessions.c - `writ session`: what is open at the doors now, and its end. */
#include <stdio.h>

#include "recordings.h"

/* By the option, or by one that open sessions don't have. */
static bool
asks_for_recordings(const struct args *args)
{
    static const char *const options[] = { "--recorded", "--object", "--since",
                                           "--until",    "--limit",  "--cursor" };
    bool asks = false;

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        asks = asks || args_value(args, options[i]) != NULL;
    return asks;
}

static int
list(struct cli *cli, const struct args *args)
{
    static const char *const headings[] = { "SESSION", "SUBJECT", "UPSTREAM", "ACTION",
                                            "OBJECT",  "PEER",    "OPENED",   NULL };
    struct buffer path = { 0 };
    const json_t *item;
    json_t *answer;
    size_t i;

    if (asks_for_recordings(args))
        return recordings_list(cli, args);
    put_text(&path, "/v1/sessions");
    put_query(&path, "subject", args_value(args, "--subject"));
    put_query(&path, "upstream", args_value(args, "--upstream"));
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
                                          text_of(item, "peer"),
                                          relative(item, "opened_at", when) };

            grid_row(grid, cells);
        }
        grid_print(grid, cli);
        grid_free(grid);
    }
    json_decref(answer);
    return status;
}

static int
ask_one(struct cli *cli, const char *method, const char *id, json_t **out)
{
    struct buffer path = { 0 };

    put_path(&path, "/v1/sessions/", id);
    put_u8(&path, 0);
    int status = cli_ask(cli, method, path.bytes, NULL, out);
    buffer_free(&path);
    return status;
}

static int
show(struct cli *cli, const struct args *args)
{
    static const char *const members[] = { "id",   "subject",  "token",     "chain",
                                           "door", "upstream", "action",    "object",
                                           "peer", "agent",    "opened_at", "node" };
    json_t *session;

    if (args_value(args, "--recorded") != NULL)
        return recording_show(cli, args);
    int status = ask_one(cli, "GET", args->words[0], &session);
    if (status == EXIT_DONE && cli->json)
        print_json(session);
    else if (status == EXIT_DONE)
        for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
            print_member(cli, members[i], text_of(session, members[i]));
    json_decref(session);
    return status;
}

static int
kill_session(struct cli *cli, const struct args *args)
{
    json_t *session;
    int status = ask_one(cli, "DELETE", args->words[0], &session);

    if (status == EXIT_DONE && cli->json)
        print_json(session);
    else if (status == EXIT_DONE)
        printf("cut: the session %s of %s at %s\n", text_of(session, "id"),
               text_of(session, "subject"), text_of(session, "upstream"));
    json_decref(session);
    return status;
}

static const struct option list_options[] = {
    { "--subject", "S", "only this subject's" },
    { "--upstream", "NAME", "only those at this upstream" },
    { "--recorded", NULL, "those that were recorded; implied by the options below" },
    { "--object", "NAME", "only those of this container" },
    { "--since", "T", "begun since: a time, or a duration ago" },
    { "--until", "T", "begun before" },
    { "--limit", "N", "at most so many (50)" },
    { "--cursor", "C", "the next page: what the one before has told" },
    { NULL, NULL, NULL },
};

static const struct option show_options[] = {
    { "--recorded", NULL, "one that was recorded: read to its end, with its digest" },
    { NULL, NULL, NULL },
};

static const struct option play_options[] = {
    { "--speed", "N", "so many times as fast" },
    { "--pause", "T", "no pause is longer (2s)" },
    { "--cast", NULL, "the asciicast itself, for asciinema and its like" },
    { NULL, NULL, NULL },
};

const struct command session_commands[] = {
    { "session list", "", 0, 0, list_options, "What is open at this node's doors now.",
      "  writ session list --upstream warehouse\n"
      "  writ session list --recorded --subject amara --since 7d\n",
      list },
    { "session show", "ID", 1, 1, show_options, "One open session, or one that was recorded.", NULL,
      show },
    { "session play", "ID", 1, 1, play_options,
      "Show a recorded session, by its id or its session's number.",
      "  writ session play 1795900000000-7355608064000001-5e0c91aa --speed 2\n"
      "  writ session play 7355608064000001 --cast > session.cast\n",
      recording_play },
    { "session tail", "ID", 1, 1, NULL, "Show a session that is being recorded, and follow it.",
      NULL, recording_tail },
    { "session delete", "ID", 1, 1, NULL, "Remove a recording before its retention ends.", NULL,
      recording_delete },
    { "session kill", "ID", 1, 1, NULL,
      "Cut a session now; its token lives on (revoke it to keep its holder out).", NULL,
      kill_session },
    { NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};

/* cli/node.c - the node itself: its version, keys, backup, reload, and help. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static int
version(struct cli *cli, const struct args *args)
{
    if (cli->json)
        printf("{\"version\":\"%s\"}\n", WRIT_VERSION);
    else
        puts("writ " WRIT_VERSION);
    return EXIT_DONE;
}

static int
say(struct cli *cli, int status, json_t *answer, const char *text)
{
    if (status == EXIT_DONE && cli->json)
        print_json(answer);
    else if (status == EXIT_DONE)
        puts(text);
    json_decref(answer);
    return status;
}

static int
keys_rotate(struct cli *cli, const struct args *args)
{
    json_t *answer;
    int status = cli_ask(cli, "POST", "/v1/keys/rotate", json_object(), &answer);

    return say(cli, status, answer,
               "new tokens have a new key; the old one goes with its last token");
}

static int
reload(struct cli *cli, const struct args *args)
{
    json_t *answer;
    int status = cli_ask(cli, "POST", "/v1/reload", json_object(), &answer);

    return say(cli, status, answer, "policy files and certificates were read again");
}

static int
backup(struct cli *cli, const struct args *args)
{
    char here[PATH_MAX], path[2 * PATH_MAX];
    json_t *answer;
    int status;

    if (args->words[0][0] == '/' || realpath(".", here) == NULL)
        snprintf(path, sizeof path, "%s", args->words[0]);
    else
        snprintf(path, sizeof path, "%s/%s", here, args->words[0]);
    status = cli_ask(cli, "POST", "/v1/backup", json_pack("{s:s}", "path", path), &answer);
    return say(cli, status, answer,
               "done: the copy is consistent and holds no key that opens it (keep data/key apart)");
}

static int
help(struct cli *cli, const struct args *args)
{
    return args_value(args, "--all") != NULL ? help_print_all() : help_print(stdout);
}

static int
completion(struct cli *cli, const struct args *args)
{
    return complete_print(args->words[0]);
}

static const struct option help_options[] = {
    { "--all", NULL, "each command with its options and examples" },
    { NULL, NULL, NULL },
};

const struct command node_commands[] = {
    { "keys rotate", "", 0, 0, NULL, "A new key for new tokens.", NULL, keys_rotate },
    { "backup", "FILE", 1, 1, NULL, "A consistent copy of the store while it runs.",
      "  writ backup /var/backups/writ.db\n", backup },
    { "reload", "", 0, 0, NULL, "Read policy files and certificates again.", NULL, reload },
    { "completion", "bash|zsh|fish", 1, 1, NULL, "Shell completion.",
      "  source <(writ completion bash)\n", completion },
    { "version", "", 0, 0, NULL, "The version.", NULL, version },
    { "help", "", 0, 0, help_options, "All commands.", NULL, help },
    { NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};

/* cli/cli.c - finds the command in the tables and runs it; help and completion
 * are made of the same tables. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#include "base/nearest.h"
#include "crypto/private_key.h"

const struct command *const *
command_groups(size_t *count)
{
    static const struct command *const groups[] = {
        token_commands, policy_commands,     audit_commands, session_commands, approval_commands,
        mcp_commands,   role_grant_commands, proof_commands, bench_commands,   node_commands
    };

    *count = sizeof groups / sizeof groups[0];
    return groups;
}

/* Do the words of the command's name stand first? How many they are, or 0. */
static int
name_fits(const char *name, int argc, char **argv)
{
    struct slice rest = slice_text(name), word;
    int count = 0;

    while (slice_next(&rest, ' ', &word)) {
        if (count == argc || !slice_is(word, argv[count]))
            return 0;
        count++;
    }
    return count;
}

static const struct command *
find_command(int argc, char **argv, int *words)
{
    size_t groups;
    const struct command *const *group = command_groups(&groups);

    for (size_t i = 0; i < groups; i++) {
        for (const struct command *command = group[i]; command->name != NULL; command++) {
            *words = name_fits(command->name, argc, argv);
            if (*words > 0)
                return command;
        }
    }
    return NULL;
}

static bool
wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

/* "writ token" alone, or a command that does not exist: what there is, near it. */
static int
unknown(int argc, char **argv)
{
    const char *first = argc > 0 ? argv[0] : "";
    size_t groups, size = strlen(first);
    const struct command *const *group = command_groups(&groups);
    struct nearest nearest = nearest_to(slice_text(first));
    bool listed = false;

    for (size_t i = 0; i < groups; i++) {
        for (const struct command *command = group[i]; command->name != NULL; command++) {
            nearest_see(&nearest,
                        slice_first(slice_text(command->name), strcspn(command->name, " ")));
            if (size == 0 || strncmp(command->name, first, size) != 0 || command->name[size] != ' ')
                continue;
            if (!listed && argc > 1)
                fprintf(stderr, "writ: unknown command '%s %s'; there are\n", first, argv[1]);
            fprintf(stderr, "  writ %-20s %s\n", command->name, command->help);
            listed = true;
        }
    }
    if (!listed) {
        fprintf(stderr, "writ: unknown command '%s'", first);
        if (nearest_found(&nearest))
            fprintf(stderr, "; did you mean %.*s?", SLICE_PRINT(nearest.best));
        fputs("\n  writ help lists them\n", stderr);
    }
    return EXIT_USAGE;
}

int
cli_main(int argc, char **argv)
{
    static char version_word[] = "version";
    struct cli cli = { 0 };
    struct args args;
    struct fault fault = { 0 };
    const struct command *command;
    int words, status;

    argc--;
    argv++;
    if (argc == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
        return help_print(argc == 0 ? stderr : stdout) == EXIT_DONE && argc > 0 ? EXIT_DONE
                                                                                : EXIT_USAGE;
    if (strcmp(argv[0], "--version") == 0)
        argv[0] = version_word;
    command = find_command(argc, argv, &words);
    if (command == NULL)
        return unknown(argc, argv);
    if (wants_help(command->passes_on && argc > words ? 1 : argc - words, argv + words)) {
        args_usage(command, stdout);
        args_common(stdout);
        args_examples(command, stdout);
        return EXIT_DONE;
    }
    if (!args_parse(command, argc - words, argv + words, &args))
        return EXIT_USAGE;
    if (cli_connect(&cli, &args, &fault) != STATUS_OK) {
        cli_tell_fault(&fault);
        return EXIT_USAGE;
    }
    status = command->run(&cli, &args);
    free(cli.socket);
    private_key_free(cli.key);
    /* Only `can` tells "could not ask" from "refused". */
    return status == EXIT_NOT_ASKED && strcmp(command->name, "can") != 0 ? EXIT_REFUSED : status;
}

/* --- help and completion -------------------------------------------------------------- */

int
help_print(FILE *to)
{
    size_t groups;
    const struct command *const *group = command_groups(&groups);

    fputs("writ - API tokens with exact rights, and the gateway that enforces them\n\n"
          "  writ serve                       Run the authority and the gateway.\n"
          "  writ config show                 The settings in force.\n\n",
          to);
    for (size_t i = 0; i < groups; i++) {
        for (const struct command *command = group[i]; command->name != NULL; command++) {
            char usage[64];
            snprintf(usage, sizeof usage, "%s %s", command->name, command->words);
            fprintf(to, "  writ %-27s %s\n", usage, command->help);
        }
        fputs("\n", to);
    }
    fputs("Each has --help with examples; -o json prints one JSON document and nothing else.\n",
          to);
    return EXIT_DONE;
}

int
help_print_all(void)
{
    size_t groups;
    const struct command *const *group = command_groups(&groups);

    for (size_t i = 0; i < groups; i++) {
        for (const struct command *command = group[i]; command->name != NULL; command++) {
            args_usage(command, stdout);
            args_examples(command, stdout);
            puts("");
        }
    }
    args_common(stdout);
    return EXIT_DONE;
}

/* Words after which the given first word may come, one list per first word. */
static void
print_words(const char *separator)
{
    size_t groups;
    const struct command *const *group = command_groups(&groups);
    const char *last = "";
    size_t last_size = 0;

    printf("serve%sconfig", separator);
    for (size_t i = 0; i < groups; i++) {
        for (const struct command *command = group[i]; command->name != NULL; command++) {
            size_t size = strcspn(command->name, " ");
            if (size != last_size || strncmp(last, command->name, size) != 0)
                printf("%s%.*s", separator, (int)size, command->name);
            last = command->name;
            last_size = size;
        }
    }
}

/* For each command of two words: before FIRST between SECOND after, a line. */
static void
print_seconds(const char *before, const char *between, const char *after)
{
    size_t groups;
    const struct command *const *group = command_groups(&groups);

    for (size_t i = 0; i < groups; i++) {
        for (const struct command *command = group[i]; command->name != NULL; command++) {
            size_t size = strcspn(command->name, " ");
            if (command->name[size] == ' ')
                printf("%s%.*s%s%s%s\n", before, (int)size, command->name, between,
                       command->name + size + 1, after);
        }
    }
}

int
complete_print(const char *shell)
{
    if (strcmp(shell, "bash") == 0) {
        fputs("_writ() {\n  local word=${COMP_WORDS[COMP_CWORD]}\n"
              "  if [ \"$COMP_CWORD\" = 1 ]; then COMPREPLY=($(compgen -W \"",
              stdout);
        print_words(" ");
        fputs("\" -- \"$word\")); return; fi\n  local second=\n", stdout);
        print_seconds("  [ \"${COMP_WORDS[1]}\" = '", "' ] && second+=' ", "'");
        fputs("  if [ \"$COMP_CWORD\" = 2 ] && [ -n \"$second\" ]; then "
              "COMPREPLY=($(compgen -W \"$second\" -- \"$word\")); return; fi\n"
              "  COMPREPLY=($(compgen -f -- \"$word\"))\n}\ncomplete -F _writ writ\n",
              stdout);
        return EXIT_DONE;
    }
    if (strcmp(shell, "zsh") == 0) {
        fputs("#compdef writ\n_writ() {\n  if (( CURRENT == 2 )); then compadd ", stdout);
        print_words(" ");
        fputs("; return; fi\n", stdout);
        print_seconds("  [[ $CURRENT == 3 && ${words[2]} == '", "' ]] && compadd ", "");
        fputs("  (( CURRENT > 3 )) && _files\n}\ncompdef _writ writ\n", stdout);
        return EXIT_DONE;
    }
    if (strcmp(shell, "fish") == 0) {
        fputs("complete -c writ -n __fish_use_subcommand -f -a '", stdout);
        print_words(" ");
        fputs("'\n", stdout);
        print_seconds("complete -c writ -n '__fish_seen_subcommand_from ", "' -f -a '", "'");
        return EXIT_DONE;
    }
    fprintf(stderr, "writ completion: bash, zsh or fish\n");
    return EXIT_USAGE;
}

/* cli/args.c - command lines against a table of options. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

#include "base/nearest.h"

const struct option common_options[] = {
    { "-o", "json", "one JSON document on standard output, nothing else" },
    { "--config", "FILE",
      "the configuration whose data directory holds the socket (writ.yaml, else "
      "/etc/writ/writ.yaml)" },
    { "--socket", "PATH", "the authority's socket" },
    { "--url", "URL", "ask over HTTP instead, with the token in WRIT_TOKEN" },
    { "--key", "FILE|URI", "the key that the token is bound to; else WRIT_KEY" },
    { NULL, NULL, NULL },
};

const char *
args_next(const struct args *args, const char *name, size_t *at)
{
    while (*at < args->count) {
        size_t i = (*at)++;
        if (strcmp(args->names[i], name) == 0)
            return args->values[i];
    }
    return NULL;
}

const char *
args_value(const struct args *args, const char *name)
{
    size_t at = 0;

    return args_next(args, name, &at);
}

static const struct option *
find_option(const struct option *list, const char *name, size_t size)
{
    for (; list != NULL && list->name != NULL; list++) {
        if (strlen(list->name) == size && strncmp(list->name, name, size) == 0)
            return list;
    }
    return NULL;
}

static bool
complain(const struct command *command, const char *what, const char *which)
{
    fprintf(stderr, "writ %s: %s %s\n", command->name, what, which);
    args_usage(command, stderr);
    return false;
}

static bool
unknown_option(const struct command *command, struct slice name)
{
    const struct option *const lists[] = { command->options, common_options };
    struct nearest nearest = nearest_to(name);

    for (size_t i = 0; i < 2; i++) {
        for (const struct option *option = lists[i]; option != NULL && option->name != NULL;
             option++)
            nearest_see(&nearest, slice_text(option->name));
    }
    fprintf(stderr, "writ %s: unknown option %.*s", command->name, SLICE_PRINT(name));
    if (nearest_found(&nearest))
        fprintf(stderr, "; did you mean %.*s?", SLICE_PRINT(nearest.best));
    fprintf(stderr, "\n  writ %s --help lists them\n", command->name);
    return false;
}

bool
args_parse(const struct command *command, int argc, char **argv, struct args *out)
{
    bool only_words = false;

    *out = (struct args){ 0 };
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i], *equals = strchr(word, '=');
        size_t size = equals == NULL || word[1] != '-' ? strlen(word) : (size_t)(equals - word);
        const struct option *option;

        if (out->count == ARGS_MAX || out->word_count == ARGS_MAX)
            return complain(command, "too many arguments from", word);
        if (only_words || word[0] != '-' || word[1] == '\0') {
            out->words[out->word_count++] = word;
            only_words = only_words || command->passes_on;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_words = true;
            continue;
        }
        option = find_option(command->options, word, size);
        if (option == NULL)
            option = find_option(common_options, word, size);
        if (option == NULL && command->passes_on) {
            only_words = true;
            out->words[out->word_count++] = word;
            continue;
        }
        if (option == NULL)
            return unknown_option(command, slice_of(word, size));
        out->names[out->count] = option->name;
        if (option->value == NULL)
            out->values[out->count++] = "";
        else if (word[size] == '=')
            out->values[out->count++] = word + size + 1;
        else if (i + 1 < argc)
            out->values[out->count++] = argv[++i];
        else
            return complain(command, "a value is missing after", word);
    }
    if (out->word_count < command->least)
        return complain(command, "missing:", command->words);
    if (out->word_count > command->most)
        return complain(command, "one argument too many:", out->words[command->most]);
    return true;
}

static void
print_options(const struct option *list, FILE *to)
{
    for (; list != NULL && list->name != NULL; list++) {
        char both[48];
        snprintf(both, sizeof both, "%s %s", list->name, list->value == NULL ? "" : list->value);
        fprintf(to, "  %-24s %s\n", both, list->help);
    }
}

void
args_usage(const struct command *command, FILE *to)
{
    fprintf(to, "usage: writ %s%s%s [option…]\n       %s\n", command->name,
            command->words[0] == '\0' ? "" : " ", command->words, command->help);
    if (command->options != NULL && command->options->name != NULL) {
        fputs("\noptions:\n", to);
        print_options(command->options, to);
    }
}

void
args_examples(const struct command *command, FILE *to)
{
    if (command->examples != NULL)
        fprintf(to, "\nexamples:\n%s", command->examples);
}

void
args_common(FILE *to)
{
    fputs("\neverywhere:\n", to);
    print_options(common_options, to);
}

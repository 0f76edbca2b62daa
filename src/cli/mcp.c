/* cli/mcp.c - `writ mcp`: the tools of an MCP server as they were seen, and their approval. */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

#include "base/encoding.h"

/* Of 16 digits a server could find two definitions that share them. */
enum { DIGEST_HEX = 64, DIGEST_SHOWN = 32, BATCH = 64 };

/* "/v1/mcp/NAME/WHAT" */
static int
ask(struct cli *cli, const char *upstream, const char *what, json_t *body, json_t **out)
{
    struct buffer path = { 0 };

    put_path(&path, "/v1/mcp/", upstream);
    put_text(&path, what);
    put_u8(&path, 0);
    int status = cli_ask(cli, body == NULL ? "GET" : "POST", path.bytes, body, out);
    buffer_free(&path);
    return status;
}

/* --- looking ------------------------------------------------------------------------- */

static bool
is_state(const json_t *item, const char *state)
{
    return strcmp(text_of(item, "state"), state) == 0;
}

/* What of it is now, else what was approved. */
static const json_t *
seen_of(const json_t *item)
{
    const json_t *seen = json_object_get(item, "seen");

    return json_is_object(seen) ? seen : json_object_get(item, "approved");
}

static void
print_tool(const struct cli *cli, const json_t *item)
{
    const json_t *seen = seen_of(item), *approved = json_object_get(item, "approved");
    enum tint tone = is_state(item, "approved") ? TINT_GOOD : TINT_BAD;
    char when[32], *name = shown(text_of(item, "name"));

    printf("%s%s%s  %s%s%s  @%.*s  seen %s\n", tint(cli, TINT_BOLD), name, untint(cli),
           tint(cli, tone), text_of(item, "state"), untint(cli), DIGEST_SHOWN,
           text_of(seen, "digest"), relative(json_object_get(item, "seen"), "at", when));
    free(name);
    if (is_state(item, "changed")) {
        printf("  was:\n");
        print_block(text_of(approved, "description"));
        printf("  now:\n");
    }
    print_block(text_of(seen, "description"));
}

static void
print_definition(const char *title, const json_t *of)
{
    /* As ASCII: nothing in it can be hidden. */
    char *text = json_dumps(json_object_get(of, "definition"),
                            JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENSURE_ASCII);

    if (text != NULL)
        printf("\n%s:\n%s\n", title, text);
    free(text);
}

static void
print_whole(const json_t *item)
{
    if (json_is_object(json_object_get(item, "approved")))
        print_definition("as it was approved", json_object_get(item, "approved"));
    if (!is_state(item, "approved"))
        print_definition("as it is now", json_object_get(item, "seen"));
}

static int
tools(struct cli *cli, const struct args *args)
{
    bool one = args->word_count > 1;
    struct buffer what = { 0 };
    const json_t *item;
    json_t *answer;
    size_t i;

    put_text(&what, "/tools");
    if (one)
        put_query(&what, "tool", args->words[1]);
    put_u8(&what, 0);
    int status = ask(cli, args->words[0], what.bytes, NULL, &answer);
    buffer_free(&what);
    if (status == EXIT_DONE && cli->json) {
        print_json(answer);
    } else if (status == EXIT_DONE) {
        json_array_foreach(json_object_get(answer, "items"), i, item)
        {
            print_tool(cli, item);
            if (one)
                print_whole(item);
        }
        if (!json_is_true(json_object_get(answer, "pinned")))
            puts("its tools are not pinned: all that it has may be used");
        else if (json_array_size(json_object_get(answer, "items")) == 0)
            puts("nothing was seen of it yet: let a client list its tools");
    }
    json_decref(answer);
    return status;
}

/* --- approving ------------------------------------------------------------------------ */

/* "TOOL" or "TOOL@DIGEST", whose digest may be cut short to what is shown. */
static struct slice
split(const char *word, struct slice *digest)
{
    struct slice text = slice_text(word);
    size_t at = text.size;

    while (at > 0 && text.at[at - 1] != '@')
        at--;
    *digest = at > 0 ? slice_from(text, at) : (struct slice){ 0 };
    if (digest->size < DIGEST_SHOWN || digest->size > DIGEST_HEX)
        *digest = (struct slice){ 0 };
    for (size_t i = 0; i < digest->size; i++) {
        if (hex_digit_value(digest->at[i]) < 0)
            *digest = (struct slice){ 0 };
    }
    return digest->size > 0 ? slice_first(text, at - 1) : text;
}

static const json_t *
find(const json_t *items, struct slice name)
{
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        if (slice_is(name, text_of(item, "name")))
            return item;
    }
    return NULL;
}

static void
choose(json_t *chosen, const json_t *item)
{
    json_array_append_new(chosen, json_pack("{s:s, s:s}", "name", text_of(item, "name"), "digest",
                                            text_of(json_object_get(item, "seen"), "digest")));
}

/* False: it has told why. */
static bool
choose_word(json_t *chosen, const json_t *items, const char *word)
{
    struct slice digest, name = split(word, &digest);
    const json_t *item = find(items, name), *seen = json_object_get(item, "seen");

    if (!json_is_object(seen)) {
        fprintf(stderr, "writ: no tool %.*s was seen there\n", SLICE_PRINT(name));
        return false;
    }
    if (!slice_starts(slice_text(text_of(seen, "digest")), digest)) {
        fprintf(stderr, "writ: the server says something else of %.*s by now: look at it again\n",
                SLICE_PRINT(name));
        return false;
    }
    choose(chosen, item);
    return true;
}

static bool
choose_all(json_t *chosen, const json_t *items, const struct args *args)
{
    const json_t *item;
    size_t i;

    if (args_value(args, "--all") == NULL) {
        for (i = 1; i < args->word_count; i++) {
            if (!choose_word(chosen, items, args->words[i]))
                return false;
        }
        return true;
    }
    json_array_foreach(items, i, item)
    {
        if (!is_state(item, "approved"))
            choose(chosen, item);
    }
    return true;
}

static void
print_approved(const struct cli *cli, const json_t *items, const json_t *names)
{
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        const json_t *item = find(items, slice_text(json_string_value(name)));
        char *text = shown(json_string_value(name));

        printf("approved %s%s%s\n", tint(cli, TINT_BOLD), text, untint(cli));
        print_block(text_of(json_object_get(item, "seen"), "description"));
        free(text);
    }
}

/* In calls of so many, each of them whole or not at all. */
static int
approve_chosen(struct cli *cli, const char *upstream, json_t *chosen, json_t *done)
{
    int status = EXIT_DONE;

    while (status == EXIT_DONE && json_array_size(chosen) > 0) {
        json_t *some = json_array(), *body, *answer;

        for (size_t i = 0; i < BATCH && json_array_size(chosen) > 0; i++) {
            json_array_append(some, json_array_get(chosen, 0));
            json_array_remove(chosen, 0);
        }
        body = json_pack("{s:o}", "tools", some);
        status = ask(cli, upstream, "/approve", body, &answer);
        if (status == EXIT_DONE)
            json_array_extend(done, json_object_get(answer, "approved"));
        json_decref(answer);
    }
    return status;
}

static int
approve(struct cli *cli, const struct args *args)
{
    json_t *answer, *chosen = json_array(), *done = json_array();
    const json_t *items;
    int status;

    if ((args->word_count > 1) == (args_value(args, "--all") != NULL)) {
        fprintf(stderr, "writ: name the tools, or say --all\n");
        json_decref(chosen);
        json_decref(done);
        return EXIT_USAGE;
    }
    status = ask(cli, args->words[0], "/tools", NULL, &answer);
    items = json_object_get(answer, "items");
    if (status == EXIT_DONE && !choose_all(chosen, items, args))
        status = EXIT_REFUSED;
    if (status == EXIT_DONE)
        status = approve_chosen(cli, args->words[0], chosen, done);
    if (cli->json && status == EXIT_DONE) {
        json_t *out = json_pack("{s:O}", "approved", done);
        print_json(out);
        json_decref(out);
    } else if (status == EXIT_DONE) {
        print_approved(cli, items, done);
    }
    json_decref(answer);
    json_decref(chosen);
    json_decref(done);
    return status;
}

static int
withdraw(struct cli *cli, const struct args *args)
{
    json_t *names = json_array(), *body, *answer;

    for (size_t i = 1; i < args->word_count; i++)
        json_array_append_new(names, json_string(args->words[i]));
    body = json_pack("{s:o}", "tools", names);
    int status = ask(cli, args->words[0], "/withdraw", body, &answer);
    if (status == EXIT_DONE && cli->json)
        print_json(answer);
    else if (status == EXIT_DONE)
        printf("withdrawn: %zu\n", json_array_size(json_object_get(answer, "withdrawn")));
    json_decref(answer);
    return status;
}

static const struct option approve_options[] = {
    { "--all", NULL, "all that are new or changed, as they are seen now" },
    { NULL, NULL, NULL },
};

const struct command mcp_commands[] = {
    { "mcp tools", "NAME [TOOL]", 1, 2, NULL,
      "The tools of an MCP server: approved, changed or new; of one, its whole definition.",
      "  writ mcp tools github\n  writ mcp tools github search_issues\n", tools },
    { "mcp approve", "NAME [TOOL[@DIGEST]]…", 1, ARGS_MAX, approve_options,
      "Approve tools as they were seen; with the digest that was shown, that definition or none.",
      "  writ mcp approve github search_issues@3f1c0a9be2d45c77f0c19d6a2b8e4471\n  writ mcp "
      "approve github --all\n",
      approve },
    { "mcp withdraw", "NAME TOOL…", 2, ARGS_MAX, NULL,
      "Approve tools no longer; calls under way are cut.",
      "  writ mcp withdraw github search_issues\n", withdraw },
    { NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};

/* cli/tree.c - `writ token tree`: who acts for whom. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

enum { DEPTH_MAX = 32, INDENT = 3 };

/* One token; the one that was asked for is marked. */
static void
print_node(const struct cli *cli, const json_t *node, const char *asked)
{
    const char *state = text_of(node, "state"), *name = text_of(node, "name");
    bool live = strcmp(state, "live") == 0;
    char when[32];

    if (json_object_get(node, "id") == NULL) {
        printf("%s(a token that you may not read)%s %s\n", tint(cli, TINT_DIM), untint(cli), state);
        return;
    }
    printf("%s%s%s %s  %s%s%s", tint(cli, TINT_BOLD), text_of(node, "subject"), untint(cli),
           text_of(node, "id"), tint(cli, live ? TINT_GOOD : TINT_BAD), state, untint(cli));
    if (live)
        printf(", ends %s", relative(node, "expires_at", when));
    if (json_is_object(json_object_get(node, "cnf")))
        printf(", bound to a key");
    if (strcmp(name, "-") != 0)
        printf("  %s%s%s", tint(cli, TINT_DIM), name, untint(cli));
    printf("%s\n", strcmp(text_of(node, "id"), asked) == 0 ? "  <" : "");
}

static void
print_below(const struct cli *cli, const json_t *node, const char *asked, unsigned depth)
{
    const json_t *child;
    size_t i;

    print_node(cli, node, asked);
    if (depth == DEPTH_MAX)
        return;
    json_array_foreach(json_object_get(node, "children"), i, child)
    {
        printf("%*s", (int)(INDENT * (depth + 1)), "└─ ");
        print_below(cli, child, asked, depth + 1);
    }
}

int
token_tree(struct cli *cli, const struct args *args)
{
    struct buffer path = { 0 };
    json_t *tree;

    put_path(&path, "/v1/tokens/", args->words[0]);
    put_text(&path, "/tree");
    put_u8(&path, 0);
    int status = cli_ask(cli, "GET", path.bytes, NULL, &tree);
    buffer_free(&path);
    if (status == EXIT_DONE && cli->json)
        print_json(tree);
    else if (status == EXIT_DONE)
        print_below(cli, tree, args->words[0], 0);
    json_decref(tree);
    return status;
}

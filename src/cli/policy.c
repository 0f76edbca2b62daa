/* cli/policy.c - policy: applying files, asking what is allowed, the objects. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#include "token/text.h"

/* --- apply --------------------------------------------------------------------- */

static json_t *
file_json(const char *path)
{
    struct buffer text = BUFFER_LIMITED(64 << 20);
    FILE *file = fopen(path, "re");
    char *whole = realpath(path, NULL);
    json_t *out = NULL;
    size_t size = 1;

    while (file != NULL && size > 0) {
        char *room = buffer_room(&text, 65536);
        size = room == NULL ? 0 : fread(room, 1, 65536, file);
        buffer_added(&text, size);
    }
    if (file != NULL && buffer_status(&text) == STATUS_OK)
        out = json_pack("{s:s, s:o}", "name", whole == NULL ? path : whole, "text",
                        text.size == 0 ? json_string("") : json_slice(buffer_slice(&text)));
    if (out == NULL)
        fprintf(stderr, "writ: cannot read %s (is it there, and UTF-8?)\n", path);
    if (file != NULL)
        fclose(file);
    free(whole);
    buffer_free(&text);
    return out;
}

static void
print_changes(const struct cli *cli, const json_t *answer, const char *member, const char *sign,
              enum tint colour)
{
    json_t *name;
    size_t i;

    json_array_foreach(json_object_get(answer, member), i, name)
        printf("  %s%s %s%s\n", tint(cli, colour), sign, json_string_value(name), untint(cli));
}

static int
apply(struct cli *cli, const struct args *args)
{
    bool dry_run = args_value(args, "--dry-run") != NULL;
    json_t *files = json_array(), *answer;
    const char *path;
    size_t at = 0;
    int status;

    while ((path = args_next(args, "-f", &at)) != NULL) {
        json_t *file = file_json(path);
        if (file == NULL) {
            json_decref(files);
            return EXIT_REFUSED;
        }
        json_array_append_new(files, file);
    }
    if (json_array_size(files) == 0) {
        json_decref(files);
        fputs("writ apply: -f FILE is missing\n", stderr);
        return EXIT_USAGE;
    }
    status = cli_ask(cli, "POST", "/v1/apply",
                     json_pack("{s:o, s:b}", "files", files, "dry_run", dry_run), &answer);
    if (status == EXIT_DONE && cli->json) {
        print_json(answer);
    } else if (status == EXIT_DONE) {
        print_changes(cli, answer, "created", "+", TINT_GOOD);
        print_changes(cli, answer, "changed", "~", TINT_BOLD);
        print_changes(cli, answer, "removed", "-", TINT_BAD);
        printf("%s%zu created, %zu changed, %zu removed, %lld unchanged\n",
               dry_run ? "would be: " : "", json_array_size(json_object_get(answer, "created")),
               json_array_size(json_object_get(answer, "changed")),
               json_array_size(json_object_get(answer, "removed")),
               (long long)json_integer_value(json_object_get(answer, "unchanged")));
    }
    json_decref(answer);
    return status;
}

/* --- can, who-can -------------------------------------------------------------------- */

static const char *
take_subject_of(const char *word, char token[TOKEN_TEXT_MAX + 3])
{
    if (strcmp(word, "-") == 0) {
        if (fgets(token, TOKEN_TEXT_MAX + 3, stdin) == NULL)
            token[0] = '\0';
        token[strcspn(token, "\r\n")] = '\0';
        return token;
    }
    return word;
}

/* Of the right: what it demands, and what is counted. */
static void
print_conditions(const struct cli *cli, const json_t *when)
{
    struct buffer text = { 0 };

    put_json(&text, when);
    put_u8(&text, '\0');
    if (buffer_status(&text) == STATUS_OK)
        print_member(cli, "when", (const char *)text.bytes);
    buffer_free(&text);
}

static void
print_verdict(const struct cli *cli, const json_t *answer, bool allowed)
{
    const char *right = text_of(answer, "right"), *role = text_of(answer, "role");

    printf("%s%s%s\n", tint(cli, allowed ? TINT_GOOD : TINT_BAD), allowed ? "allowed" : "refused",
           untint(cli));
    if (strcmp(right, "-") != 0)
        print_member(cli, allowed ? "by" : "right", right);
    if (strcmp(role, "-") != 0)
        print_member(cli, "role", role);
    if (json_is_object(json_object_get(answer, "when")))
        print_conditions(cli, json_object_get(answer, "when"));
    if (strcmp(text_of(answer, "reason"), "-") != 0)
        print_member(cli, "why", text_of(answer, "reason"));
    if (strcmp(text_of(answer, "hint"), "-") != 0)
        print_member(cli, "to allow it", text_of(answer, "hint"));
}

static int
can(struct cli *cli, const struct args *args)
{
    char token[TOKEN_TEXT_MAX + 3];
    const char *who = take_subject_of(args->words[0], token);
    bool is_text = strncmp(who, "writ", 4) == 0 && strchr(who, '_') != NULL;
    json_t *body, *answer;
    const char *verdict;
    bool allowed;
    int status;

    body = json_pack("{s:s, s:s}", is_text ? "token" : "token_id", who, "right", args->words[1]);
    if (args_value(args, "--network") != NULL)
        json_object_set_new(body, "network", json_string(args_value(args, "--network")));
    status = cli_ask(cli, "POST", "/v1/check", body, &answer);
    secret_wipe(token, sizeof token);
    if (status != EXIT_DONE)
        return EXIT_NOT_ASKED;
    verdict = json_string_value(json_object_get(answer, "decision"));
    allowed = verdict != NULL && strcmp(verdict, "allow") == 0;
    if (cli->json)
        print_json(answer);
    else
        print_verdict(cli, answer, allowed);
    json_decref(answer);
    return allowed ? EXIT_DONE : EXIT_REFUSED;
}

static void
print_reach(const struct cli *cli, const json_t *answer, const char *member,
            const char *const *columns)
{
    struct grid *table;
    json_t *item;
    size_t i;

    if (json_array_size(json_object_get(answer, member)) == 0)
        return;
    table = grid_new(columns);
    json_array_foreach(json_object_get(answer, member), i, item)
    {
        const char *cells[4] = { 0 };
        for (size_t k = 0; columns[k] != NULL; k++)
            cells[k] = text_of(item, columns[k]);
        grid_row(table, cells);
    }
    grid_print(table, cli);
    grid_free(table);
    printf("\n");
}

static int
who_can(struct cli *cli, const struct args *args)
{
    static const char *const subject_columns[] = { "subject", "right", "role", NULL };
    static const char *const role_columns[] = { "role", "right", NULL };
    static const char *const token_columns[] = { "token", "subject", "right", NULL };
    struct buffer path = { 0 };
    json_t *answer;
    int status;

    put_text(&path, "/v1/who-can");
    put_query(&path, "right", args->words[0]);
    put_query(&path, "at", args_value(args, "--at"));
    put_u8(&path, 0);
    status = cli_ask(cli, "GET", path.bytes, NULL, &answer);
    buffer_free(&path);
    if (status == EXIT_DONE && cli->json) {
        print_json(answer);
    } else if (status == EXIT_DONE) {
        print_reach(cli, answer, "subjects", subject_columns);
        print_reach(cli, answer, "roles", role_columns);
        print_reach(cli, answer, "tokens", token_columns);
        char subjects[48], roles[48], tokens[48];

        printf(
            "%s, %s, %s%s\n",
            plural((long long)json_array_size(json_object_get(answer, "subjects")), "subject",
                   subjects),
            plural((long long)json_array_size(json_object_get(answer, "roles")), "role", roles),
            plural((long long)json_array_size(json_object_get(answer, "tokens")), "token", tokens),
            json_is_true(json_object_get(answer, "cut")) ? " (cut: there are more)" : "");
    }
    json_decref(answer);
    return status;
}

/* --- roles, subjects, upstreams ---------------------------------------------------------- */

static int
show_object(struct cli *cli, const char *kind, const struct args *args)
{
    struct buffer path = { 0 };
    char *text;
    json_t *answer, *item;
    size_t i;
    int status;

    put_format(&path, "/v1/%s", kind);
    if (args->word_count > 0)
        put_path(&path, "/", args->words[0]);
    put_u8(&path, 0);
    status = cli_ask(cli, "GET", path.bytes, NULL, &answer);
    buffer_free(&path);
    if (status == EXIT_DONE && cli->json) {
        print_json(answer);
    } else if (status == EXIT_DONE && args->word_count == 0) {
        json_array_foreach(json_object_get(answer, "items"), i, item) puts(text_of(item, "name"));
    } else if (status == EXIT_DONE) {
        text = json_dumps(answer, JSON_INDENT(2));
        puts(text == NULL ? "" : text);
        free(text);
    }
    json_decref(answer);
    return status;
}

static int
show_role(struct cli *cli, const struct args *args)
{
    return show_object(cli, "roles", args);
}

static int
show_subject(struct cli *cli, const struct args *args)
{
    return show_object(cli, "subjects", args);
}

static int
show_upstream(struct cli *cli, const struct args *args)
{
    return show_object(cli, "upstreams", args);
}

static const struct option apply_options[] = {
    { "-f", "FILE", "a policy file; again for more" },
    { "--dry-run", NULL, "show the difference, change nothing" },
    { NULL, NULL, NULL },
};
static const struct option can_options[] = {
    { "--network", "IP", "as if the request came from there" },
    { NULL, NULL, NULL },
};
static const struct option who_can_options[] = {
    { "--at", "TIME", "as of this time" },
    { NULL, NULL, NULL },
};

const struct command policy_commands[] = {
    { "apply", "", 0, 0, apply_options, "Make the policy what the files say: all or nothing.",
      "  writ apply -f policy.yaml --dry-run\n  writ apply -f policy.yaml\n", apply },
    { "can", "TOKEN|ID|- RIGHT", 2, 2, can_options,
      "Would it be allowed, by which right, and why? Exits 0 allowed, 1 refused, 3 not asked.",
      "  writ can 4FnU0yZqTjqsJ3b1mXvK2e orders:DELETE:/v1/orders/42\n", can },
    { "who-can", "RIGHT", 1, 1, who_can_options, "The subjects, roles and tokens that reach it.",
      "  writ who-can orders:DELETE:/v1/orders/42\n", who_can },
    { "policy test", "FILE", 1, 1, NULL,
      "A table of subject, right and expected verdict against a policy; for CI.",
      "  writ policy test access.yaml\n", policy_test_run },
    { "role", "[NAME]", 0, 1, NULL, "The roles, or one.", NULL, show_role },
    { "subject", "[NAME]", 0, 1, NULL, "The subjects, or one.", NULL, show_subject },
    { "upstream", "[NAME]", 0, 1, NULL, "The upstreams, or one.", NULL, show_upstream },
    { NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};

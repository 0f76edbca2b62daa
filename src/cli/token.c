/* cli/token.c - `writ token …`: the life of tokens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token_offline.h"

#include "base/clock.h"
#include "base/encoding.h"
#include "token/public.h"

/* --- issue ------------------------------------------------------------------- */

static void
set_text(json_t *body, const char *member, const char *value)
{
    if (value != NULL)
        json_object_set_new(body, member, json_string(value));
}

static void
set_list(json_t *body, const char *member, const struct args *args, const char *option)
{
    json_t *list = NULL;
    const char *value;
    size_t at = 0;

    while ((value = args_next(args, option, &at)) != NULL) {
        if (list == NULL) {
            list = json_array();
            json_object_set_new(body, member, list);
        }
        json_array_append_new(list, json_string(value));
    }
}

/* Rights of several --scope options, joined as OAuth joins them. */
static void
set_scope(json_t *body, const struct args *args)
{
    struct buffer scope = { 0 };
    const char *value;
    size_t at = 0;

    while ((value = args_next(args, "--scope", &at)) != NULL)
        put_format(&scope, "%s%s", scope.size == 0 ? "" : " ", value);
    if (scope.size > 0)
        json_object_set_new(body, "scope", json_slice(buffer_slice(&scope)));
    buffer_free(&scope);
}

static bool
set_uses(json_t *body, const struct args *args)
{
    const char *text = args_value(args, "--max-uses");
    uint64_t uses;

    if (text == NULL)
        return true;
    if (!slice_u64(slice_text(text), &uses) || uses == 0 || uses > INT64_MAX) {
        fprintf(stderr, "writ: --max-uses: '%s' is no number above 0\n", text);
        return false;
    }
    json_object_set_new(body, "max_uses", json_integer((json_int_t)uses));
    return true;
}

/* --bind-jkt, --bind-jwk or --bind-cert: at most one. */
static int
set_binding(json_t *body, const struct args *args)
{
    const char *jkt = args_value(args, "--bind-jkt"), *jwk = args_value(args, "--bind-jwk");
    const char *cert = args_value(args, "--bind-cert");
    struct buffer thumbprint = { 0 };
    struct fault fault = { 0 };
    enum status status = STATUS_OK;

    if ((jkt != NULL) + (jwk != NULL) + (cert != NULL) > 1) {
        fputs("writ token issue: one of --bind-jkt, --bind-jwk and --bind-cert\n", stderr);
        return EXIT_USAGE;
    }
    if (jkt != NULL)
        put_text(&thumbprint, jkt);
    else if (jwk != NULL)
        status = binding_of_key(jwk, &thumbprint, &fault);
    else if (cert != NULL)
        status = binding_of_certificate(cert, &thumbprint, &fault);
    if (status != STATUS_OK)
        cli_tell_fault(&fault);
    else if (thumbprint.size > 0)
        json_object_set_new(body, "cnf",
                            json_pack("{s:o}", cert != NULL ? "x5t#S256" : "jkt",
                                      json_slice(buffer_slice(&thumbprint))));
    buffer_free(&thumbprint);
    return status == STATUS_OK ? EXIT_DONE : EXIT_REFUSED;
}

static void
print_issued(const struct cli *cli, const json_t *token)
{
    char when[32];
    size_t i;
    json_t *role;

    printf("%s\n\n", json_string_value(json_object_get(token, "token")));
    print_member(cli, "id", text_of(token, "id"));
    print_member(cli, "subject", text_of(token, "subject"));
    printf("%s%-12s%s", tint(cli, TINT_DIM), "roles", untint(cli));
    json_array_foreach(json_object_get(token, "roles"), i, role)
        printf(" %s", json_string_value(role));
    printf("\n");
    if (strcmp(text_of(token, "scope"), "-") != 0)
        print_member(cli, "scope", text_of(token, "scope"));
    print_member(cli, "expires", relative(token, "expires_at", when));
    fprintf(stderr, "%sThis is the only time the token is shown.%s\n", tint(cli, TINT_DIM),
            untint(cli));
}

static int
issue(struct cli *cli, const struct args *args)
{
    json_t *body = json_object(), *token;
    int status;

    if (args_value(args, "--subject") == NULL) {
        json_decref(body);
        fputs("writ token issue: --subject S is missing: whose token is it?\n", stderr);
        return EXIT_USAGE;
    }
    if (!set_uses(body, args)) {
        json_decref(body);
        return EXIT_USAGE;
    }
    set_text(body, "subject", args_value(args, "--subject"));
    set_text(body, "ttl", args_value(args, "--ttl"));
    set_text(body, "idle", args_value(args, "--idle"));
    set_text(body, "parent", args_value(args, "--parent"));
    set_text(body, "name", args_value(args, "--name"));
    set_text(body, "not_before", args_value(args, "--not-before"));
    set_list(body, "roles", args, "--role");
    set_list(body, "networks", args, "--network");
    set_list(body, "audience", args, "--audience");
    set_scope(body, args);
    status = set_binding(body, args);
    if (status != EXIT_DONE) {
        json_decref(body);
        return status;
    }
    status = cli_ask(cli, "POST", "/v1/tokens", body, &token);
    if (status == EXIT_DONE && cli->json)
        print_json(token);
    else if (status == EXIT_DONE)
        print_issued(cli, token);
    json_decref(token);
    return status;
}

/* --- list, show -------------------------------------------------------------------- */

static const char *
state_tint(const struct cli *cli, const char *state)
{
    return tint(cli, strcmp(state, "live") == 0 ? TINT_GOOD : TINT_BAD);
}

static int
list(struct cli *cli, const struct args *args)
{
    static const char *const headings[] = { "ID",     "SUBJECT", "STATE",     "NAME",
                                            "ISSUED", "EXPIRES", "LAST USED", NULL };
    struct buffer path = { 0 };
    struct grid *table;
    json_t *page, *item;
    size_t i;
    int status;

    put_text(&path, "/v1/tokens");
    put_query(&path, "subject", args_value(args, "--subject"));
    put_query(&path, "role", args_value(args, "--role"));
    put_query(&path, "live", args_value(args, "--live") == NULL ? NULL : "true");
    put_query(&path, "limit", args_value(args, "--limit"));
    put_query(&path, "cursor", args_value(args, "--cursor"));
    put_u8(&path, 0);
    status = cli_ask(cli, "GET", path.bytes, NULL, &page);
    buffer_free(&path);
    if (status != EXIT_DONE)
        return status;
    if (cli->json) {
        print_json(page);
        json_decref(page);
        return status;
    }
    table = grid_new(headings);
    json_array_foreach(json_object_get(page, "items"), i, item)
    {
        char issued[32], expires[32], used[32];
        const char *cells[] = { text_of(item, "id"),
                                text_of(item, "subject"),
                                text_of(item, "state"),
                                text_of(item, "name"),
                                relative(item, "issued_at", issued),
                                relative(item, "expires_at", expires),
                                relative(item, "last_used_at", used) };
        grid_row(table, cells);
    }
    grid_print(table, cli);
    grid_free(table);
    if (json_is_string(json_object_get(page, "next")))
        printf("%smore: --cursor %s%s\n", tint(cli, TINT_DIM), text_of(page, "next"), untint(cli));
    json_decref(page);
    return status;
}

/* Who still shows the token before this one. */
static void
print_predecessor(const struct cli *cli, const json_t *token)
{
    const json_t *old = json_object_get(token, "predecessor");
    const json_t *holder;
    char when[32], line[160];
    size_t i;

    if (!json_is_object(old))
        return;
    snprintf(line, sizeof line, "%s, ends %s", text_of(old, "id"),
             relative(old, "expires_at", when));
    print_member(cli, "predecessor", line);
    json_array_foreach(json_object_get(old, "holders"), i, holder)
    {
        snprintf(line, sizeof line, "%s (%.80s), %s", text_of(holder, "peer"),
                 text_of(holder, "agent"), relative(holder, "last_used", when));
        print_member(cli, i == 0 ? "still used by" : "", line);
    }
}

static void
print_words(const struct cli *cli, const json_t *token, const char *member)
{
    const json_t *word;
    struct buffer line = { 0 };
    size_t i;

    json_array_foreach(json_object_get(token, member), i, word)
        put_format(&line, "%s%s", i == 0 ? "" : " ", json_string_value(word));
    put_u8(&line, '\0');
    if (line.size > 1)
        print_member(cli, member, line.bytes);
    buffer_free(&line);
}

static void
print_token(const struct cli *cli, const json_t *token)
{
    static const char *const texts[] = { "id",     "subject",      "name", "scope",    "parent",
                                         "newest", "rotated_from", "idle", "issued_by" };
    static const char *const times[] = { "issued_at", "not_before", "expires_at", "revoked_at",
                                         "last_used_at" };
    char when[32], line[96];

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(text_of(token, texts[i]), "-") != 0)
            print_member(cli, texts[i], text_of(token, texts[i]));
    }
    printf("%s%-12s%s %s%s%s\n", tint(cli, TINT_DIM), "state", untint(cli),
           state_tint(cli, text_of(token, "state")), text_of(token, "state"), untint(cli));
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        if (strcmp(text_of(token, times[i]), "-") == 0)
            continue;
        snprintf(line, sizeof line, "%s (%s)", relative(token, times[i], when),
                 text_of(token, times[i]));
        print_member(cli, times[i], line);
    }
    snprintf(line, sizeof line, "%lld",
             (long long)json_integer_value(json_object_get(token, "uses")));
    print_member(cli, "uses", line);
    if (json_is_object(json_object_get(token, "cnf")))
        print_member(cli, "bound to",
                     json_object_get(json_object_get(token, "cnf"), "jkt") != NULL
                         ? "a key (jkt)"
                         : "a certificate");
    print_words(cli, token, "audience");
    if (strcmp(text_of(token, "purpose"), "access") != 0)
        print_member(cli, "purpose", text_of(token, "purpose"));
    print_predecessor(cli, token);
}

static int
show(struct cli *cli, const struct args *args)
{
    struct buffer path = { 0 };
    json_t *token;
    int status;

    put_path(&path, "/v1/tokens/", args->words[0]);
    put_u8(&path, 0);
    status = cli_ask(cli, "GET", path.bytes, NULL, &token);
    buffer_free(&path);
    if (status == EXIT_DONE && cli->json)
        print_json(token);
    else if (status == EXIT_DONE)
        print_token(cli, token);
    json_decref(token);
    return status;
}

/* --- rotate, revoke ------------------------------------------------------------------ */

static int
rotate(struct cli *cli, const struct args *args)
{
    json_t *body = json_object(), *token;
    struct buffer path = { 0 };
    char when[32];
    int status;

    set_text(body, "grace", args_value(args, "--grace"));
    put_path(&path, "/v1/tokens/", args->words[0]);
    put_text(&path, "/rotate");
    put_u8(&path, 0);
    status = cli_ask(cli, "POST", path.bytes, body, &token);
    buffer_free(&path);
    if (status == EXIT_DONE && cli->json) {
        print_json(token);
    } else if (status == EXIT_DONE) {
        print_issued(cli, token);
        printf("%s%-12s%s ends %s\n", tint(cli, TINT_DIM), "predecessor", untint(cli),
               relative(json_object_get(token, "predecessor"), "expires_at", when));
    }
    json_decref(token);
    return status;
}

static int
print_revoked(const struct cli *cli, int status, json_t *answer)
{
    if (status == EXIT_DONE && cli->json)
        print_json(answer);
    else if (status == EXIT_DONE)
        printf("%srevoked %lld%s, in force since %s on %zu node%s\n", tint(cli, TINT_GOOD),
               (long long)json_integer_value(json_object_get(answer, "revoked")), untint(cli),
               text_of(answer, "effective_at"), json_array_size(json_object_get(answer, "nodes")),
               json_array_size(json_object_get(answer, "nodes")) == 1 ? "" : "s");
    json_decref(answer);
    return status;
}

static int
revoke_many(struct cli *cli, const struct args *args)
{
    const char *subject = args_value(args, "--subject"), *role = args_value(args, "--role");
    const char *before = args_value(args, "--issued-before");
    char question[512];
    json_t *body = json_object(), *answer;
    int status;

    snprintf(question, sizeof question, "Revoke every live token%s%s%s%s%s%s?",
             subject != NULL ? " of " : "", subject != NULL ? subject : "",
             role != NULL ? " with the role " : "", role != NULL ? role : "",
             before != NULL ? " issued before " : "", before != NULL ? before : "");
    if (args_value(args, "--yes") == NULL && !confirm(question)) {
        json_decref(body);
        return EXIT_REFUSED;
    }
    set_text(body, "subject", subject);
    set_text(body, "role", role);
    set_text(body, "issued_before", before);
    status = cli_ask(cli, "POST", "/v1/revocations", body, &answer);
    return print_revoked(cli, status, answer);
}

static int
revoke(struct cli *cli, const struct args *args)
{
    bool many = args_value(args, "--subject") != NULL || args_value(args, "--role") != NULL ||
                args_value(args, "--issued-before") != NULL;
    struct buffer path = { 0 };
    json_t *answer;
    int status;

    if (many == (args->word_count == 1)) {
        fputs("writ token revoke: name one ID, or say which: --subject, --role, --issued-before\n",
              stderr);
        return EXIT_USAGE;
    }
    if (many)
        return revoke_many(cli, args);
    put_path(&path, "/v1/tokens/", args->words[0]);
    put_query(&path, "wait", args_value(args, "--wait") == NULL ? NULL : "fleet");
    put_u8(&path, 0);
    status = cli_ask(cli, "DELETE", path.bytes, NULL, &answer);
    buffer_free(&path);
    return print_revoked(cli, status, answer);
}

/* --- the table ---------------------------------------------------------------------------- */

static const struct option issue_options[] = {
    { "--subject", "S", "whose token it is" },
    { "--role", "R", "one of the subject's roles; again for more; all of them when absent" },
    { "--scope", "RIGHT", "narrow to this right; again for more" },
    { "--ttl", "1h", "its life; limits.default_ttl when absent" },
    { "--idle", "15m", "ends when unused for so long" },
    { "--max-uses", "N", "ends after N uses; 1 is a one-time token" },
    { "--network", "CIDR", "only from this network; again for more" },
    { "--not-before", "TIME", "worth nothing before" },
    { "--bind-jkt", "T", "bound to the key with this RFC 7638 thumbprint" },
    { "--bind-jwk", "FILE", "bound to the key in this file: a JWK, or PEM" },
    { "--bind-cert", "FILE", "bound to this certificate (PEM)" },
    { "--audience", "NAME", "good at this upstream alone; again for more" },
    { "--parent", "ID", "a child: never more than its parent, ends with it" },
    { "--name", "TEXT", "for people" },
    { NULL, NULL, NULL },
};
static const struct option list_options[] = {
    { "--subject", "S", "of this subject" }, { "--role", "R", "with this role" },
    { "--live", NULL, "only live ones" },    { "--limit", "N", "at most so many (100)" },
    { "--cursor", "C", "the next page" },    { NULL, NULL, NULL },
};
static const struct option rotate_options[] = {
    { "--grace", "10m", "how long the old one lives on" },
    { NULL, NULL, NULL },
};
static const struct option revoke_options[] = {
    { "--wait", NULL, "until every live node has confirmed it" },
    { "--subject", "S", "every live token of this subject" },
    { "--role", "R", "every live token with this role" },
    { "--issued-before", "T", "every live token issued before a time, or a duration ago" },
    { "--yes", NULL, "don't ask" },
    { NULL, NULL, NULL },
};
static const struct option attenuate_options[] = {
    { "--scope", "RIGHT", "narrow to this right; again for more" },
    { "--ttl", "T", "an earlier end" },
    { "--network", "CIDR", "only from this network; again for more" },
    { "--bind-jkt", "T", "bound to the next holder's key; --key signs when it is bound already" },
    { "--label", "TEXT", "for the audit" },
    { NULL, NULL, NULL },
};

const struct command token_commands[] = {
    { "token issue", "", 0, 0, issue_options, "Issue a token; its text is shown this one time.",
      "  writ token issue --subject amara --ttl 8h\n"
      "  writ token issue --subject nightly --scope 'orders:GET:/v1/orders/**' --max-uses 1 -o "
      "json\n",
      issue },
    { "token list", "", 0, 0, list_options, "Tokens, newest first.",
      "  writ token list --subject amara --live\n", list },
    { "token show", "ID", 1, 1, NULL, "One token and its state.", NULL, show },
    { "token tree", "ID", 1, 1, NULL,
      "Who acts for whom: the tokens that this one was made from, and those made from it.", NULL,
      token_tree },
    { "token rotate", "ID", 1, 1, rotate_options,
      "A successor with the same rights; the old one lives for its grace.", NULL, rotate },
    { "token revoke", "[ID | ID/HOP]", 0, 1, revoke_options,
      "End a token, its line, its children and what is open with it.",
      "  writ token revoke 4FnU0yZqTjqsJ3b1mXvK2e\n"
      "  writ token revoke --subject amara --yes\n"
      "  writ token revoke --issued-before 7d\n",
      revoke },
    { "token attenuate", "", 0, 0, attenuate_options,
      "Narrow a token offline: read on standard input, printed anew.",
      "  echo $TOKEN | writ token attenuate --scope orders:GET:/v1/orders/42 --ttl 10m\n",
      offline_attenuate },
    { "token public", "", 0, 0, NULL,
      "The part of a token that may be told: a user's name where SCRAM proves the rest.",
      "  echo $TOKEN | writ token public\n", offline_tell_public },
    { "token check", "", 0, 0, NULL, "Is this text a Writ token? Offline, on standard input.", NULL,
      offline_check_text },
    { "token expression", "", 0, 0, NULL, "The regular expression for secret scanners.", NULL,
      offline_expression },
    { NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};

/* cli/token_offline.c - what can be done with a token's text without asking anyone. */
#include "token_offline.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "token/public.h"

static bool
read_token(char *out, size_t capacity)
{
    struct slice line;

    if (fgets(out, (int)capacity, stdin) == NULL)
        return false;
    line = slice_trim(slice_first(slice_text(out), strcspn(out, "\r\n")));
    memmove(out, line.at, line.size);
    out[line.size] = '\0';
    return line.size > 0;
}

static void
join(const struct args *args, const char *option, struct buffer *out)
{
    const char *value;
    size_t at = 0;

    while ((value = args_next(args, option, &at)) != NULL)
        put_format(out, "%s%s", out->size == 0 ? "" : " ", value);
}

static int
wrong_value(const char *option, const char *value)
{
    fprintf(stderr, "writ token attenuate: %s: '%s' is not well formed\n", option, value);
    return EXIT_USAGE;
}

static void
print_attenuated(const struct cli *cli, struct slice token, const struct hop_id *hop)
{
    struct token_view view;
    char id[TOKEN_ID_TEXT + 1], hop_text[HOP_ID_TEXT + 1] = { 0 };

    if (!cli->json) {
        printf("%.*s\n", SLICE_PRINT(token));
        return;
    }
    if (token_parse(token, &view) != STATUS_OK)
        return;
    base62_encode(hop->bytes, sizeof hop->bytes, hop_text);
    json_t *out = json_pack("{s:o, s:s, s:s, s:i}", "token", json_slice(token), "id",
                            token_id_format(&view.id, id), "hop", hop_text, "caveats",
                            (int)view.caveat_count);
    print_json(out);
    json_decref(out);
    token_view_wipe(&view);
}

int
offline_attenuate(struct cli *cli, const struct args *args)
{
    const char *ttl = args_value(args, "--ttl"), *jkt = args_value(args, "--bind-jkt");
    struct attenuation what = { .expires_at = TIME_NEVER,
                                .label = slice_text(args_value(args, "--label")) };
    struct buffer rights = { 0 }, networks = { 0 }, out = { 0 };
    struct fault fault = { 0 };
    char token[TOKEN_TEXT_MAX + 3];
    uint8_t thumbprint[32];
    struct hop_id hop;
    size_t size;
    int64_t life;
    enum status status;

    if (ttl != NULL && duration_parse(slice_text(ttl), &life) != STATUS_OK)
        return wrong_value("--ttl", ttl);
    if (ttl != NULL)
        what.expires_at = clock_wall_ms() + life;
    if (jkt != NULL &&
        (!base64url_decode(slice_text(jkt), thumbprint, sizeof thumbprint, &size) || size != 32))
        return wrong_value("--bind-jkt", jkt);
    what.jkt = jkt == NULL ? NULL : thumbprint;
    /* Of the environment's key nobody said that the token is bound to it. */
    what.signer = args_value(args, "--key") == NULL ? NULL : cli->key;
    if (!read_token(token, sizeof token)) {
        fputs("writ token attenuate: the token is read on standard input\n", stderr);
        return EXIT_USAGE;
    }
    join(args, "--scope", &rights);
    join(args, "--network", &networks);
    what.rights = buffer_slice(&rights);
    what.networks = buffer_slice(&networks);
    status = token_attenuate(slice_text(token), &what, &out, &hop, &fault);
    if (status == STATUS_OK)
        print_attenuated(cli, buffer_slice(&out), &hop);
    else
        cli_tell_fault(&fault);
    secret_wipe(token, sizeof token);
    buffer_free(&rights);
    buffer_free(&networks);
    buffer_wipe_free(&out);
    return status == STATUS_OK ? EXIT_DONE : EXIT_REFUSED;
}

int
offline_tell_public(struct cli *cli, const struct args *args)
{
    struct buffer out = { 0 };
    char token[TOKEN_TEXT_MAX + 3];

    if (!read_token(token, sizeof token)) {
        fputs("writ token public: the token is read on standard input\n", stderr);
        return EXIT_USAGE;
    }
    enum status status = token_public_write(slice_text(token), &out);
    secret_wipe(token, sizeof token);
    if (status == STATUS_OK && cli->json) {
        json_t *json = json_pack("{s:o}", "public", json_slice(buffer_slice(&out)));
        print_json(json);
        json_decref(json);
    } else if (status == STATUS_OK) {
        printf("%.*s\n", SLICE_PRINT(buffer_slice(&out)));
    } else {
        fputs("this is no token of Writ, or it is damaged\n", stderr);
    }
    buffer_free(&out);
    return status == STATUS_OK ? EXIT_DONE : EXIT_REFUSED;
}

int
offline_check_text(struct cli *cli, const struct args *args)
{
    char token[TOKEN_TEXT_MAX + 3];
    bool valid;

    if (!read_token(token, sizeof token)) {
        fputs("writ token check: the token is read on standard input\n", stderr);
        return EXIT_USAGE;
    }
    valid = token_text_valid(slice_text(token));
    secret_wipe(token, sizeof token);
    if (cli->json)
        printf("{\"valid\":%s}\n", valid ? "true" : "false");
    else
        puts(valid ? "a Writ token by its form and checksum (whether it lives, only the authority "
                     "knows)"
                   : "not a Writ token: prefix, length or checksum is wrong");
    return valid ? EXIT_DONE : EXIT_REFUSED;
}

int
offline_expression(struct cli *cli, const struct args *args)
{
    if (cli->json)
        printf("{\"expression\":\"\\\\bwrit_[0-9A-Za-z]{%d}\\\\b|\\\\bwrita_[0-9A-Za-z]{%d,2042}"
               "\\\\b\"}\n",
               TOKEN_TEXT_BODY, TOKEN_TEXT_BODY);
    else
        puts(TOKEN_EXPRESSION);
    return EXIT_DONE;
}

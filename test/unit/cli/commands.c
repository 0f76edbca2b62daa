/* cli/commands - command lines, tables, thumbprints, and verdict tables offline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "internal.h"

static char dir[64];
static char output[65536]; /* of the last captured call: standard output, then error */

static int
set_up(void **state)
{
    strcpy(dir, "/tmp/writ-cli-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static const char *
write_file(const char *name, const char *text)
{
    static char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

static int
tear_down(void **state)
{
    char command[96];

    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* Runs a command line with both streams into output; the exit status. */
static int
writ(const char *line)
{
    char copy[512], *words[32] = { 0 }, *rest;
    int kept[2] = { dup(1), dup(2) }, count = 1, status;
    FILE *file = tmpfile();
    size_t size;

    assert_non_null(file);
    snprintf(copy, sizeof copy, "%s", line);
    words[0] = copy + sizeof copy - 1; /* "" */
    copy[sizeof copy - 1] = '\0';
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    fflush(NULL);
    dup2(fileno(file), 1);
    dup2(fileno(file), 2);
    status = cli_main(count, words);
    fflush(NULL);
    dup2(kept[0], 1);
    dup2(kept[1], 2);
    close(kept[0]);
    close(kept[1]);
    rewind(file);
    size = fread(output, 1, sizeof output - 1, file);
    output[size] = '\0';
    fclose(file);
    return status;
}

#define says(part)                                                                                 \
    do {                                                                                           \
        if (strstr(output, (part)) == NULL)                                                        \
            fail_msg("'%s' is not in: %s", (part), output);                                        \
    } while (0)

static void
usage(void **state)
{
    assert_int_equal(writ(""), EXIT_USAGE);
    says("writ token issue");
    assert_int_equal(writ("--help"), EXIT_DONE);
    assert_int_equal(writ("help"), EXIT_DONE);
    assert_int_equal(writ("--version"), EXIT_DONE);
    says("writ " WRIT_VERSION);
    assert_int_equal(writ("version -o json"), EXIT_DONE);
    assert_string_equal(output, "{\"version\":\"" WRIT_VERSION "\"}\n");
    assert_int_equal(writ("tokn list"), EXIT_USAGE);
    says("did you mean token?");
    assert_int_equal(writ("token isue"), EXIT_USAGE);
    says("unknown command 'token isue'");
    says("writ token issue");
    assert_int_equal(writ("token"), EXIT_USAGE);
    assert_int_equal(writ("token issue --help"), EXIT_DONE);
    says("examples:");
    assert_int_equal(writ("token list --subjct=amara"), EXIT_USAGE);
    says("did you mean --subject?");
    assert_int_equal(writ("token list --subject"), EXIT_USAGE);
    says("value is missing after --subject");
    assert_int_equal(writ("token show"), EXIT_USAGE);
    says("missing: ID");
    assert_int_equal(writ("token show a b"), EXIT_USAGE);
    says("one argument too many: b");
    assert_int_equal(writ("token list -o yaml"), EXIT_USAGE);
    says("only json is known");
    assert_int_equal(writ("token issue"), EXIT_USAGE);
    says("--subject");
    assert_int_equal(writ("token issue --subject a --max-uses none"), EXIT_USAGE);
    assert_int_equal(writ("token revoke"), EXIT_USAGE);
    assert_int_equal(writ("token revoke ID --subject a"), EXIT_USAGE);
    assert_int_equal(writ("can ID"), EXIT_USAGE);
}

static void
nobody_there(void **state)
{
    assert_int_equal(writ("token list --socket /nowhere.sock"), EXIT_REFUSED);
    says("no authority at /nowhere.sock");
    says("--config FILE");
    assert_int_equal(writ("can ID orders:GET:/x --socket /nowhere.sock"), EXIT_NOT_ASKED);
    assert_int_equal(writ("audit verify --socket /nowhere/writ.sock"), EXIT_REFUSED);
    says("no audit.pub beside it");
    assert_int_equal(writ("token list --config /nowhere.yaml"), EXIT_USAGE);
    unsetenv("WRIT_TOKEN");
    assert_int_equal(writ("token list --url http://127.0.0.1:1"), EXIT_USAGE);
    says("WRIT_TOKEN");
    /* What is no token never goes into a request's head. */
    setenv("WRIT_TOKEN", "writ_x\r\nHost: evil", 1);
    assert_int_equal(writ("token list --url http://127.0.0.1:1"), EXIT_USAGE);
    says("no Writ token");
    unsetenv("WRIT_TOKEN");
}

static void
arguments(void **state)
{
    static const struct option options[] = { { "--role", "R", "" },
                                             { "--yes", NULL, "" },
                                             { NULL, NULL, NULL } };
    static const struct command command = { "try", "A B", 0, 3, options, "", NULL, NULL };
    static char a[] = "one", b[] = "--role=x=y", c[] = "--yes", d[] = "--role", e[] = "-2",
                f[] = "--", g[] = "--role", h[] = "-";
    char *argv[] = { a, b, c, d, e, h, f, g };
    struct args args;
    size_t at = 0;

    assert_true(args_parse(&command, 8, argv, &args));
    assert_int_equal(args.word_count, 3);
    assert_string_equal(args.words[0], "one");
    assert_string_equal(args.words[1], "-");
    assert_string_equal(args.words[2], "--role");
    assert_string_equal(args_value(&args, "--yes"), "");
    assert_string_equal(args_next(&args, "--role", &at), "x=y");
    assert_string_equal(args_next(&args, "--role", &at), "-2");
    assert_null(args_next(&args, "--role", &at));
    assert_null(args_value(&args, "-o"));
}

static void
words_are_encoded(void **state)
{
    struct buffer path = { 0 };

    put_path(&path, "/v1/tokens/", "a b/c\r\nDELETE ?x=%2f\xc3\xa9");
    put_query(&path, "q", "1&2=3");
    put_query(&path, "none", NULL);
    put_query(&path, "r", "orders:GET:/v1/**");
    put_u8(&path, '\0');
    assert_string_equal(path.bytes, "/v1/tokens/a%20b/c%0D%0ADELETE%20%3Fx%3D%252f%C3%A9"
                                    "?q=1%262%3D3&r=orders:GET:/v1/%2A%2A");
    buffer_free(&path);
}

static void
tables(void **state)
{
    static const char *const headings[] = { "ID", "NAME", "LAST", NULL };
    static const char *const one[] = { "a", "Zoë", "now" }, *const two[] = { "bbbb", NULL, "x" };
    struct cli cli = { 0 };
    struct grid *table = grid_new(headings);
    FILE *file = tmpfile();
    int kept = dup(1);
    size_t size;

    assert_non_null(file);
    grid_row(table, one);
    grid_row(table, two);
    fflush(stdout);
    dup2(fileno(file), 1);
    grid_print(table, &cli);
    fflush(stdout);
    dup2(kept, 1);
    close(kept);
    rewind(file);
    size = fread(output, 1, sizeof output - 1, file);
    output[size] = '\0';
    fclose(file);
    grid_free(table);
    assert_string_equal(output, "ID    NAME  LAST\na     Zoë   now\nbbbb  -     x\n");
}

static void
plurals(void **state)
{
    char text[48];

    assert_string_equal(plural(1, "line", text), "1 line");
    assert_string_equal(plural(0, "line", text), "0 lines");
}

/* RFC 7638 §3.1, and what is no key. */
static void
jwk(void **state)
{
    static const char key[] =
        "{\"kty\":\"RSA\",\"n\":"
        "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR"
        "1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-"
        "65YGjQR0_FDW2QvzqY3"
        "68QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
        "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPk"
        "sINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\","
        "\"kid\":\"2011-04-29\"}";
    struct buffer out = { 0 };
    struct fault fault = { 0 };

    assert_int_equal(binding_of_key(write_file("key.jwk", key), &out, &fault), STATUS_OK);
    put_u8(&out, '\0');
    assert_string_equal(out.bytes, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    buffer_clear(&out);
    assert_int_not_equal(binding_of_key("/nowhere", &out, &fault), STATUS_OK);
    assert_int_not_equal(
        binding_of_key(write_file("key.jwk", "{\"kty\":\"oct\",\"k\":\"x\"}"), &out, &fault),
        STATUS_OK);
    assert_int_not_equal(
        binding_of_key(write_file("key.jwk", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"a\"}"),
                       &out, &fault),
        STATUS_OK);
    assert_non_null(strstr(fault.text, "\"x\""));
    assert_int_not_equal(binding_of_key(write_file("key.jwk", "nonsense"), &out, &fault),
                         STATUS_OK);
    assert_int_equal(out.size, 0);
    buffer_free(&out);
}

static void
certificate(void **state)
{
    static const char pem[] = "text before\n"
                              "-----BEGIN CERTIFICATE-----\n"
                              "MIIBdTCCARugAwIBAgIUHLgxwOdKnIJQ4cf79ChhaAuXGe4wCgYIKoZIzj0EAwIw\n"
                              "DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjYyMzUwNDVaGA8yMTI2MTEwMjIzNTA0\n"
                              "NVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJP+\n"
                              "ihsEOG3ZfLTqNKQBNm/SWGrXpycXNVpVBlBZYTN+1rIPWbxcpbqUHAwX5niEHBrJ\n"
                              "W8eGbWhS3z48K9xFJOmjUzBRMB0GA1UdDgQWBBSdPymbpZYZqVHJscz27LIxPk8/\n"
                              "STAfBgNVHSMEGDAWgBSdPymbpZYZqVHJscz27LIxPk8/STAPBgNVHRMBAf8EBTAD\n"
                              "AQH/MAoGCCqGSM49BAMCA0gAMEUCIBHgqlwSZk1hPBslAZ6V0s5ouQvccAJFjXKV\n"
                              "Qt58iAbjAiEAu6N7J6sebaHSr3kTk+Sxao9ZU2CCtHeFSjrvNxM7VGI=\n"
                              "-----END CERTIFICATE-----\n";
    struct buffer out = { 0 };
    struct fault fault = { 0 };

    assert_int_equal(binding_of_certificate(write_file("c.pem", pem), &out, &fault), STATUS_OK);
    put_u8(&out, '\0');
    assert_string_equal(out.bytes, "O1skjch4CBJpy5uwDJqu9CeI1CAVrEVpR4h9SojECLw");
    buffer_clear(&out);
    assert_int_not_equal(
        binding_of_certificate(write_file("c.pem", "-----BEGIN CERTIFICATE-----\nAAEC\n"), &out,
                               &fault),
        STATUS_OK);
    assert_int_not_equal(
        binding_of_certificate(write_file("c.pem", "-----BEGIN CERTIFICATE-----\n*\n"
                                                   "-----END CERTIFICATE-----\n"),
                               &out, &fault),
        STATUS_OK);
    buffer_free(&out);
}

/* --- policy test ------------------------------------------------------------------------ */

static int
policy_test(const char *table)
{
    char line[256];

    snprintf(line, sizeof line, "policy test %s", write_file("table.yaml", table));
    return writ(line);
}

static void
verdict_tables(void **state)
{
    write_file("policy.yaml",
               "upstreams:\n"
               "  orders: {type: http, url: \"http://h\"}\n"
               "  shop: {type: postgres, address: \"h:1\"}\n"
               "roles:\n"
               "  reader:\n"
               "    allow:\n"
               "      - orders:GET:/v1/*\n"
               "      - {right: \"orders:DELETE:/v1/*\", when: {network: [10.0.0.0/8]}}\n"
               "      - shop:select:public.*\n"
               "subjects:\n"
               "  amara: {type: user, roles: [reader]}\n");
    assert_int_equal(
        policy_test("policy: [policy.yaml]\ntests:\n"
                    "  - {subject: amara, right: \"orders:GET:/v1/7\", expect: allow}\n"
                    "  - {subject: amara, right: \"orders:GET:/v1/7/8\", expect: deny}\n"
                    "  - {subject: amara, right: \"shop:select:public.a/b\", expect: allow}\n"
                    "  - {subject: amara, right: \"orders:DELETE:/v1/7\", expect: allow, network: "
                    "10.1.1.1}\n"
                    "  - {subject: amara, right: \"orders:DELETE:/v1/7\", expect: deny, network: "
                    "11.1.1.1}\n"
                    "  - {subject: nobody, right: \"orders:GET:/v1/7\", expect: deny}\n"),
        EXIT_DONE);
    says("6 passed, 0 failed");
    assert_int_equal(
        policy_test("policy: [policy.yaml]\ntests:\n"
                    "  - {subject: amara, right: \"orders:PUT:/v1/7\", expect: allow}\n"),
        EXIT_REFUSED);
    says("expected allow, got deny");
    says("0 passed, 1 failed");
    assert_int_equal(
        policy_test("policy: [policy.yaml]\ntests:\n"
                    "  - {subject: amara, right: \"orders:PUT:/v1/7\", expect: maybe}\n"),
        EXIT_REFUSED);
    says("test 1: expect is allow or deny");
    assert_int_equal(
        policy_test("policy: [policy.yaml]\ntests:\n"
                    "  - {subject: amara, right: \"orders:PUT:/v1/*\", expect: deny}\n"),
        EXIT_REFUSED);
    says("test 1");
    assert_int_equal(policy_test("policy: [gone.yaml]\ntests: []\n"), EXIT_REFUSED);
    says("gone.yaml");
    assert_int_equal(policy_test("tests: {}\n"), EXIT_REFUSED);
    assert_int_equal(policy_test("policy: [policy.yaml]\ntests: [5]\n"), EXIT_REFUSED);
}

static void
completions(void **state)
{
    assert_int_equal(writ("completion bash"), EXIT_DONE);
    says("attenuate");
    says("complete -F _writ writ");
    assert_int_equal(writ("completion zsh"), EXIT_DONE);
    says("#compdef writ");
    assert_int_equal(writ("completion fish"), EXIT_DONE);
    says("who-can");
    assert_int_equal(writ("completion powershell"), EXIT_USAGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(arguments),
        cmocka_unit_test(tables),
        cmocka_unit_test(words_are_encoded),
        cmocka_unit_test(plurals),
        cmocka_unit_test(jwk),
        cmocka_unit_test(certificate),
        cmocka_unit_test(verdict_tables),
        cmocka_unit_test(completions),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

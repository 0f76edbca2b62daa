/* cli/curl.c - `writ curl`: curl itself, with the token and a proof that nobody sees in
 * the list of processes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

enum { HEADS_MAX = 65536 };

/* --- curl's own command line ------------------------------------------------------ */

/* Short options of curl that take a value; the rest are flags. */
static const char with_value[] = "AbcCdDeEFhHKmoPQrtTuUwxXyYz";

/* Long options that take none and may stand before a URL. */
static const char *const long_flags[] = {
    "--get",          "--head",           "--silent",
    "--show-error",   "--verbose",        "--include",
    "--location",     "--fail",           "--insecure",
    "--compressed",   "--globoff",        "--no-buffer",
    "--http1.1",      "--fail-with-body", "--no-progress-meter",
    "--remote-name",  "--ipv4",           "--ipv6",
    "--raw",          "--path-as-is",     "--progress-bar",
    "--no-keepalive",
};

static bool
is_flag(const char *word)
{
    for (size_t i = 0; i < sizeof long_flags / sizeof long_flags[0]; i++) {
        if (strcmp(word, long_flags[i]) == 0)
            return true;
    }
    return false;
}

static bool
is_data(const char *option)
{
    return strncmp(option, "--data", 6) == 0 || strncmp(option, "--form", 6) == 0 ||
           strcmp(option, "--json") == 0 || strcmp(option, "-d") == 0 || strcmp(option, "-F") == 0;
}

/* What one option says of the method. */
static void
note_option(struct curl_call *call, const char *option, const char *value, bool *get)
{
    if (strcmp(option, "-X") == 0 || strcmp(option, "--request") == 0)
        call->method = value;
    else if (strcmp(option, "-G") == 0 || strcmp(option, "--get") == 0)
        *get = true;
    else if (call->method != NULL)
        return;
    else if (strcmp(option, "-I") == 0 || strcmp(option, "--head") == 0)
        call->method = "HEAD";
    else if (strcmp(option, "-T") == 0 || strcmp(option, "--upload-file") == 0)
        call->method = "PUT";
    else if (is_data(option) && !*get)
        call->method = "POST";
}

static bool
note_url(struct curl_call *call, const char *url)
{
    if (call->url != NULL)
        return false;
    call->url = url;
    return true;
}

/* "-sXPOST" is -s and -X with the value POST. True: the next word is its value. */
static bool
note_short(struct curl_call *call, const char *word, const char *next, bool *get)
{
    for (const char *at = word + 1; *at != '\0'; at++) {
        char option[3] = { '-', *at, '\0' };
        bool takes = strchr(with_value, *at) != NULL;

        call->quiet = call->quiet || *at == 's' || *at == '#';
        note_option(call, option, takes && at[1] != '\0' ? at + 1 : next, get);
        if (takes)
            return at[1] == '\0';
    }
    return false;
}

bool
curl_read(const struct args *args, struct curl_call *out)
{
    bool get = false;

    *out = (struct curl_call){ 0 };
    for (size_t i = 0; i < args->word_count; i++) {
        const char *word = args->words[i];
        const char *next = i + 1 < args->word_count ? args->words[i + 1] : "";

        if (word[0] != '-' || word[1] == '\0') {
            if (!note_url(out, word))
                return false;
        } else if (strcmp(word, "--url") == 0) {
            if (!note_url(out, next))
                return false;
            i++;
        } else if (word[1] == '-') {
            bool flag = is_flag(word);

            out->quiet =
                out->quiet || strcmp(word, "--silent") == 0 || strcmp(word, "--progress-bar") == 0;
            note_option(out, word, next, &get);
            i += flag ? 0 : 1;
        } else if (note_short(out, word, next, &get)) {
            i++;
        }
    }
    if (get && (out->method == NULL || strcmp(out->method, "POST") == 0))
        out->method = "GET";
    if (out->method == NULL)
        out->method = "GET";
    return out->url != NULL;
}

/* --- running it -------------------------------------------------------------------- */

/* A file in memory that a child may read as /dev/fd/N. */
static int
memory_file(const char *name, struct slice text)
{
    int file = memfd_create(name, 0);

    if (file >= 0 &&
        (write(file, text.at, text.size) != (ssize_t)text.size || lseek(file, 0, SEEK_SET) != 0)) {
        close(file);
        file = -1;
    }
    return file;
}

/* The fields as curl's -H @file takes them: one on a line. */
static int
header_file(const struct credentials *who, const struct curl_call *call)
{
    struct buffer fields = { 0 }, lines = { 0 };
    int file = -1;

    if (put_credentials(&fields, who,
                        &(struct request_line){ .method = slice_text(call->method),
                                                .url = slice_text(call->url) }) == STATUS_OK) {
        for (size_t i = 0; i < fields.size; i++) {
            if (fields.bytes[i] != '\r')
                put_u8(&lines, (uint8_t)fields.bytes[i]);
        }
        file = memory_file("writ-headers", buffer_slice(&lines));
    }
    buffer_wipe_free(&fields);
    buffer_wipe_free(&lines);
    return file;
}

struct run {
    const struct args *args;
    const struct curl_call *call;
    int headers, heads; /* files in memory: what is sent, what came */
    int output;         /* the pipe's end that curl writes to */
};

static void
become_curl(const struct run *run)
{
    char headers[64], heads[64], *argv[ARGS_MAX + 8];
    size_t count = 0;

    snprintf(headers, sizeof headers, "@/dev/fd/%d", run->headers);
    snprintf(heads, sizeof heads, "/dev/fd/%d", run->heads);
    argv[count++] = (char *)(uintptr_t) "curl";
    argv[count++] = (char *)(uintptr_t) "-H";
    argv[count++] = headers;
    argv[count++] = (char *)(uintptr_t) "-D";
    argv[count++] = heads;
    if (!run->call->quiet)
        argv[count++] = (char *)(uintptr_t) "--no-progress-meter";
    for (size_t i = 0; i < run->args->word_count; i++)
        argv[count++] = (char *)(uintptr_t)run->args->words[i];
    argv[count] = NULL;
    if (dup2(run->output, STDOUT_FILENO) < 0)
        _exit(127);
    execvp("curl", argv);
    fprintf(stderr, "writ curl: cannot run curl: %s\n", strerror(errno));
    _exit(127);
}

/* The nonce of the last head that came, when that is what the server asked for. */
static bool
asks_for_nonce(int heads, char nonce[NONCE_MAX])
{
    static char text[HEADS_MAX];
    ssize_t size = pread(heads, text, sizeof text - 1, 0);
    char *at, *last = NULL;
    size_t length;

    if (size <= 0)
        return false;
    text[size] = '\0';
    for (at = strstr(text, "HTTP/"); at != NULL; at = strstr(at + 1, "\nHTTP/"))
        last = at;
    if (last == NULL || strstr(last, "use_dpop_nonce") == NULL)
        return false;
    at = strcasestr(last, "\ndpop-nonce:");
    if (at == NULL)
        return false;
    at += strlen("\ndpop-nonce:");
    at += strspn(at, " \t");
    length = strcspn(at, " \t\r\n");
    if (length == 0 || length >= NONCE_MAX)
        return false;
    memcpy(nonce, at, length);
    nonce[length] = '\0';
    return true;
}

/* Passes on what curl writes, but for the body of an answer that only asks for a nonce. */
static bool
pass_on(int from, int heads, char nonce[NONCE_MAX])
{
    char bytes[65536];
    bool first = true, swallow = false;
    ssize_t got;

    while ((got = read(from, bytes, sizeof bytes)) > 0) {
        if (first)
            swallow = asks_for_nonce(heads, nonce);
        first = false;
        if (!swallow && fwrite(bytes, 1, (size_t)got, stdout) != (size_t)got)
            break;
        fflush(stdout);
    }
    return swallow || (first && asks_for_nonce(heads, nonce));
}

/* One run of curl; *again when the server wants its nonce. */
static int
run_curl(const struct args *args, const struct curl_call *call, const struct credentials *who,
         char nonce[NONCE_MAX], bool *again)
{
    struct run run = { .args = args,
                       .call = call,
                       .headers = header_file(who, call),
                       .heads = memory_file("writ-heads", (struct slice){ 0 }) };
    int ends[2] = { -1, -1 }, status = 127 << 8;
    pid_t child = -1;

    if (run.headers >= 0 && run.heads >= 0 && pipe(ends) == 0) {
        run.output = ends[1];
        fflush(stdout);
        child = fork();
        if (child == 0) {
            close(ends[0]);
            become_curl(&run);
        }
        close(ends[1]);
        *again = child > 0 && pass_on(ends[0], run.heads, nonce);
        close(ends[0]);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        fputs("writ curl: cannot run curl\n", stderr);
    close(run.headers);
    close(run.heads);
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_REFUSED;
}

int
curl_run(struct cli *cli, const struct args *args)
{
    struct curl_call call;
    struct buffer token = { 0 };
    struct fault fault = { 0 };
    char nonce[NONCE_MAX] = "";
    bool again = false;
    int status;

    if (!curl_read(args, &call)) {
        fputs("writ curl: exactly one URL is needed\n", stderr);
        return EXIT_USAGE;
    }
    if (read_credential(args, &token, &fault) != STATUS_OK) {
        cli_tell_fault(&fault);
        buffer_wipe_free(&token);
        return EXIT_USAGE;
    }
    struct credentials who = { .token = buffer_slice(&token), .key = cli->key };
    status = run_curl(args, &call, &who, nonce, &again);
    if (again && cli->key != NULL) {
        who.nonce = slice_text(nonce);
        status = run_curl(args, &call, &who, nonce, &again);
    }
    buffer_wipe_free(&token);
    return status;
}

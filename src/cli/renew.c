/* cli/renew.c - a token rotates itself before it ends; the file that holds it is never
 * half written, and never anybody else's to read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

#include "base/clock.h"
#include "base/encoding.h"
#include "crypto/random.h"
#include "token/text.h"

enum { RETRY_MIN_MS = 1000, RETRY_MAX_MS = 60000 };

int64_t
renewal_due(int64_t issued_at, int64_t expires_at)
{
    int64_t life = expires_at - issued_at;
    uint32_t random = 0;

    if (random_bytes(&random, sizeof random) != STATUS_OK)
        random = 0;
    return issued_at + life / 3 * 2 + (int64_t)(random % 1000) * (life / 10) / 1000;
}

/* --- the files ------------------------------------------------------------------- */

static enum status
write_whole(const char *path, struct slice text, struct fault *fault)
{
    char *temporary;
    bool fine = false;
    int file;

    if (asprintf(&temporary, "%s.new", path) < 0)
        return STATUS_MEMORY;
    /* One that lies there already may be open elsewhere: it is left behind. */
    (void)unlink(temporary);
    file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0) {
        fine = fchmod(file, 0600) == 0 && write(file, text.at, text.size) == (ssize_t)text.size &&
               fsync(file) == 0;
        fine = close(file) == 0 && fine;
    }
    fine = fine && rename(temporary, path) == 0;
    if (!fine)
        (void)fault_set(fault, STATUS_IO, "cannot write %s: %s", path, strerror(errno));
    free(temporary);
    return fine ? STATUS_OK : STATUS_IO;
}

/* Beside the token: what its text does not tell. */
static char *
state_path(const struct renewal *renewal)
{
    char *path;

    return asprintf(&path, "%s.json", renewal->file) < 0 ? NULL : path;
}

static void
read_times(struct renewal *renewal, const json_t *state)
{
    const char *issued = json_string_value(json_object_get(state, "issued_at"));
    const char *expires = json_string_value(json_object_get(state, "expires_at"));

    if (issued == NULL || expires == NULL ||
        time_parse(slice_text(issued), &renewal->issued_at) != STATUS_OK ||
        time_parse(slice_text(expires), &renewal->expires_at) != STATUS_OK)
        renewal->issued_at = renewal->expires_at = 0;
}

static void
read_state(struct renewal *renewal)
{
    char *path = state_path(renewal), text[1024];
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    json_t *state = NULL;
    const char *id;

    if (file != NULL) {
        size_t size = fread(text, 1, sizeof text, file);
        fclose(file);
        if (json_read(slice_trim(slice_of(text, size)), &state, NULL) != STATUS_OK)
            state = NULL;
    }
    id = json_string_value(json_object_get(state, "id"));
    if (id != NULL && strcmp(id, renewal->id) == 0)
        read_times(renewal, state);
    json_decref(state);
    free(path);
}

static void
write_state(const struct renewal *renewal, const json_t *token)
{
    json_t *state = json_pack("{s:O?, s:O?, s:O?}", "id", json_object_get(token, "id"), "issued_at",
                              json_object_get(token, "issued_at"), "expires_at",
                              json_object_get(token, "expires_at"));
    struct buffer text = { 0 };
    struct fault fault = { 0 };
    char *path = state_path(renewal);

    put_json(&text, state);
    put_u8(&text, '\n');
    if (path != NULL && write_whole(path, buffer_slice(&text), &fault) != STATUS_OK)
        cli_tell_fault(&fault);
    buffer_free(&text);
    json_decref(state);
    free(path);
}

/* --- opened ----------------------------------------------------------------------- */

static enum status
read_id(struct renewal *renewal, struct fault *fault)
{
    struct token_view view;

    if (token_parse(buffer_slice(&renewal->token), &view) != STATUS_OK)
        return fault_set(fault, STATUS_INVALID, "%s holds no Writ token", renewal->file);
    if (view.attenuated) {
        token_view_wipe(&view);
        return fault_set(fault, STATUS_INVALID,
                         "%s holds a narrowed token, which can't rotate itself: that would take "
                         "its caveats off",
                         renewal->file);
    }
    snprintf(renewal->id, sizeof renewal->id, "%s", view.id_text);
    token_view_wipe(&view);
    return STATUS_OK;
}

/* The key of a repeated call: the same successor is told again when its answer was lost. */
static void
next_attempt(struct renewal *renewal)
{
    uint8_t random[16] = { 0 };
    struct buffer text = { 0 };

    if (random_bytes(random, sizeof random) == STATUS_OK)
        put_base64url(&text, random, sizeof random);
    snprintf(renewal->attempt, sizeof renewal->attempt, "renew-%.*s",
             SLICE_PRINT(buffer_slice(&text)));
    buffer_free(&text);
}

enum status
renewal_open(struct renewal *renewal, struct cli *cli, const struct args *args, struct fault *fault)
{
    enum status status;

    *renewal = (struct renewal){ .cli = cli,
                                 .file = args_value(args, "--token-file"),
                                 .hook = args_value(args, "--hook") };
    if (renewal->file == NULL)
        return fault_set(fault, STATUS_INVALID, "--token-file FILE is needed: it holds the token");
    status = read_credential(args, &renewal->token, fault);
    if (status == STATUS_OK)
        status = read_id(renewal, fault);
    if (status != STATUS_OK)
        return status;
    read_state(renewal);
    /* How long a token lives that nobody wrote down, its rotation tells. */
    if (renewal->expires_at != 0)
        renewal->due_at = renewal_due(renewal->issued_at, renewal->expires_at);
    next_attempt(renewal);
    return STATUS_OK;
}

void
renewal_close(struct renewal *renewal)
{
    buffer_wipe_free(&renewal->token);
}

/* --- renewed ------------------------------------------------------------------------ */

static void
run_hook(const struct renewal *renewal)
{
    pid_t child;
    int status = 0;

    if (renewal->hook == NULL)
        return;
    child = fork();
    if (child == 0) {
        (void)setenv("WRIT_TOKEN_FILE", renewal->file, 1);
        (void)unsetenv("WRIT_TOKEN");
        execl("/bin/sh", "sh", "-c", renewal->hook, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
        fprintf(stderr, "writ: the hook failed: %s\n", renewal->hook);
}

static enum renewed
take_successor(struct renewal *renewal, const json_t *token)
{
    const char *text = json_string_value(json_object_get(token, "token"));
    struct buffer line = { 0 };
    struct fault fault = { 0 };
    enum status status;

    if (text == NULL)
        return RENEW_LATER;
    put_format(&line, "%s\n", text);
    status = write_whole(renewal->file, buffer_slice(&line), &fault);
    buffer_wipe_free(&line);
    /* The old one lives for its grace: the next try gets the same successor. */
    if (status != STATUS_OK) {
        cli_tell_fault(&fault);
        return RENEW_LATER;
    }
    buffer_clear(&renewal->token);
    put_text(&renewal->token, text);
    snprintf(renewal->id, sizeof renewal->id, "%s", text_of(token, "id"));
    read_times(renewal, token);
    write_state(renewal, token);
    next_attempt(renewal);
    run_hook(renewal);
    return RENEWED;
}

static enum renewed
judge(struct renewal *renewal, const struct reply *reply)
{
    const char *detail = json_string_value(json_object_get(reply->body, "detail"));

    if (reply->status == 201)
        return take_successor(renewal, reply->body);
    if (reply->status >= 500 || reply->status == 429) {
        fprintf(stderr, "writ: the token was not renewed yet: %s\n",
                detail == NULL ? "the authority is busy" : detail);
        return RENEW_LATER;
    }
    fprintf(stderr, "writ: the token can't be renewed: %s\n", detail == NULL ? "refused" : detail);
    if (reply->status == 403)
        fputs("  it needs the right writ:tokens.rotate:self, in a role and in its scope\n", stderr);
    return RENEW_NEVER;
}

/* Wait longer each time, up to a minute. */
static void
put_off(struct renewal *renewal, int64_t now)
{
    int64_t wait = RETRY_MIN_MS << (renewal->failures < 6 ? renewal->failures : 6);

    renewal->failures++;
    renewal->due_at = now + (wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS);
}

enum renewed
renewal_step(struct renewal *renewal, int64_t now)
{
    char path[128], *token;
    struct reply reply = { 0 };
    struct fault fault = { 0 };
    enum renewed result = RENEW_LATER;

    if (now < renewal->due_at)
        return NOT_YET;
    token = slice_strdup(buffer_slice(&renewal->token));
    if (token == NULL)
        return RENEW_LATER;
    snprintf(path, sizeof path, "/v1/tokens/%s/rotate", renewal->id);
    renewal->cli->token = token;
    renewal->cli->repeat_key = renewal->attempt;
    if (cli_call(renewal->cli, "POST", path, NULL, &reply, &fault) == STATUS_OK)
        result = judge(renewal, &reply);
    else
        cli_tell_fault(&fault);
    renewal->cli->token = NULL;
    reply_free(&reply);
    secret_wipe(token, strlen(token));
    free(token);
    if (result == RENEWED) {
        renewal->failures = 0;
        renewal->due_at = renewal_due(renewal->issued_at, renewal->expires_at);
    } else {
        put_off(renewal, now);
    }
    return result;
}

/* cli/credentials.c - a token as the fields of a request. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#include "base/clock.h"
#include "base/secret.h"
#include "proof/dpop.h"

enum { TOKEN_FILE_MAX = 8192 };

enum status
put_credentials(struct buffer *out, const struct credentials *who, const struct request_line *line)
{
    enum status status;

    if (who->key == NULL) {
        put_format(out, "Authorization: Bearer %.*s\r\n", SLICE_PRINT(who->token));
        return buffer_status(out);
    }
    put_format(out, "Authorization: DPoP %.*s\r\nDPoP: ", SLICE_PRINT(who->token));
    status = dpop_make(who->key,
                       &(struct dpop_claims){ .method = line->method,
                                              .url = line->url,
                                              .token = who->token,
                                              .nonce = who->nonce,
                                              .now = clock_wall_ms() },
                       out);
    put_text(out, "\r\n");
    return status == STATUS_OK ? buffer_status(out) : status;
}

static enum status
read_file(const char *path, struct buffer *out, struct fault *fault)
{
    FILE *file = fopen(path, "re");
    char text[TOKEN_FILE_MAX];
    size_t size;

    if (file == NULL)
        return fault_set(fault, STATUS_NOT_FOUND, "cannot read the token file %s: %s", path,
                         strerror(errno));
    size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    put_slice(out, slice_trim(slice_of(text, strcspn(text, "\r\n"))));
    secret_wipe(text, sizeof text);
    return buffer_status(out);
}

enum status
read_credential(const struct args *args, struct buffer *out, struct fault *fault)
{
    const char *path = args_value(args, "--token-file"), *token = getenv("WRIT_TOKEN");
    enum status status = STATUS_OK;

    if (path != NULL)
        status = read_file(path, out, fault);
    else if (token != NULL)
        put_slice(out, slice_trim(slice_text(token)));
    if (status == STATUS_OK && out->size == 0)
        status = fault_set(fault, STATUS_INVALID,
                           "there is no token: set WRIT_TOKEN, or name a --token-file");
    return status;
}

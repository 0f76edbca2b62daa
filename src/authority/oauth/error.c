/* authority/oauth/error.c - a refusal as RFC 6749 §5.2 writes it. */
#include "oauth.h"

#include <stdio.h>

enum { DESCRIPTION_MAX = 512 };

static const struct {
    const char *code;
    unsigned status;
} errors[] = {
#define OAUTH_ROW(id, code, status) { code, status },
    OAUTH_ERROR_MAP(OAUTH_ROW)
#undef OAUTH_ROW
};

/* %x20-21 / %x23-5B / %x5D-7E (§5.2): no quote, no backslash, no byte of another alphabet. */
static void
keep_alphabet(char *text)
{
    char *to = text;

    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;

        if (c == '"')
            *to++ = '\'';
        else if (c == '\\')
            *to++ = '/';
        else if (c >= 0x20 && c < 0x7f)
            *to++ = (char)c;
        else if (c < 0x80)
            *to++ = ' ';
        else if (c >= 0xc0) /* one for each character */
            *to++ = '?';
    }
    *to = '\0';
}

bool
oauth_refuse(struct oauth_call *call, enum oauth_error error, const char *format, ...)
{
    char description[DESCRIPTION_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(description, sizeof description, format, arguments);
    va_end(arguments);
    keep_alphabet(description);
    if (token_text_stands_in(slice_text(description), (struct slice){ 0 }))
        snprintf(description, sizeof description,
                 "a token or secret stands in a parameter where none belongs");
    json_decref(call->answer->body);
    *call->answer = (struct api_answer){ .status = errors[error].status };
    call->answer->body =
        json_pack("{s:s, s:s}", "error", errors[error].code, "error_description", description);
    /* For who tried Basic (§5.2); others would take it for a reason to ask a person. */
    if (error == OAUTH_INVALID_CLIENT && call->request != NULL &&
        call->request->shown.head != NULL &&
        http_head_field(call->request->shown.head, HTTP_FIELD_AUTHORIZATION) != NULL)
        call->outcome->challenge = "Basic realm=\"writ\"";
    else if (error == OAUTH_INVALID_TOKEN)
        call->outcome->challenge = "Bearer realm=\"writ\", error=\"invalid_token\"";
    if (error == OAUTH_TEMPORARILY_UNAVAILABLE)
        call->answer->retry_after = 1;
    else if (error == OAUTH_SLOW_DOWN)
        call->answer->retry_after = 60;
    call->authority->counters.refused++;
    return false;
}

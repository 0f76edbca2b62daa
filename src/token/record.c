/* token/record.c - the rules of a token's life. */
#include "token/record.h"

const char *
token_purpose_name(enum token_purpose purpose)
{
    switch (purpose) {
    case PURPOSE_ACCESS:
        return "access";
    case PURPOSE_REFRESH:
        return "refresh";
    case PURPOSE_CLIENT_SECRET:
        return "client_secret";
    }
    return "unknown";
}

const char *
token_state_name(enum token_state state)
{
    switch (state) {
    case TOKEN_LIVE:
        return "live";
    case TOKEN_NOT_YET:
        return "not_yet_valid";
    case TOKEN_EXPIRED:
        return "expired";
    case TOKEN_IDLE:
        return "idle";
    case TOKEN_EXHAUSTED:
        return "exhausted";
    case TOKEN_REVOKED:
        return "revoked";
    }
    return "unknown";
}

static bool
is_idle(const struct token_record *record, const struct token_life *life, int64_t now)
{
    /* A successor that nobody has used yet starts its idle time at its own issue. */
    int64_t since = life->last_used > record->issued_at ? life->last_used : record->issued_at;

    return record->idle_ms != TIME_NEVER && now > since && now - since >= record->idle_ms;
}

enum token_state
token_state_at(const struct token_record *record, const struct token_life *life, int64_t now)
{
    if (life->revoked_at != TIME_NEVER)
        return TOKEN_REVOKED;
    if (now >= life->expires_at)
        return TOKEN_EXPIRED;
    if (now < record->not_before)
        return TOKEN_NOT_YET;
    if (is_idle(record, life, now))
        return TOKEN_IDLE;
    /* Last, so that "exhausted" means that all else still holds: a session that was
     * opened with the last use goes on. */
    if (record->max_uses != USES_UNLIMITED && life->uses >= record->max_uses)
        return TOKEN_EXHAUSTED;
    return TOKEN_LIVE;
}

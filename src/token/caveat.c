/* token/caveat.c - reads caveats and judges their form; refuses what it does not know. */
#include "caveat.h"

#include "base/clock.h"
#include "policy/right.h"

/* Every word of a list with exactly one space between; an empty list is none. */
static bool
words_valid(struct slice list, bool (*valid)(struct slice word, struct fault *fault),
            struct fault *fault)
{
    for (;;) {
        size_t size = slice_find(list, ' ');

        if (size == 0) {
            fault_set(fault, STATUS_INVALID, "entries are separated by exactly one space");
            return false;
        }
        if (!valid(slice_first(list, size), fault))
            return false;
        if (size == list.size)
            return true;
        list = slice_from(list, size + 1);
    }
}

static bool
right_valid(struct slice word, struct fault *fault)
{
    struct right right;

    return right_parse(word, &right, fault) == STATUS_OK;
}

static bool
network_valid(struct slice word, struct fault *fault)
{
    struct cidr cidr;

    if (cidr_parse(word, &cidr) == STATUS_OK)
        return true;
    fault_set(fault, STATUS_INVALID, "\"%.*s\" is no network in CIDR form", SLICE_PRINT(word));
    return false;
}

static bool
expiry_valid(struct slice value)
{
    struct cursor in = cursor_over(value);
    uint64_t at;

    /* The largest time means "never", which is said by leaving the caveat out. */
    return take_be64(&in, &at) && cursor_left(&in) == 0 && at > 0 && at < TIME_NEVER;
}

/* How many bytes of UTF-8 (RFC 3629) follow this first one; -1 when none may begin so. */
static int
utf8_tail(uint8_t first)
{
    if (first < 0x80)
        return 0;
    if (first >= 0xc2 && first <= 0xdf)
        return 1;
    if (first >= 0xe0 && first <= 0xef)
        return 2;
    if (first >= 0xf0 && first <= 0xf4)
        return 3;
    return -1;
}

/* No control characters (they would reach terminals and logs), no overlong forms,
 * no surrogates. */
static bool
label_text_valid(struct slice value)
{
    struct cursor in = cursor_over(value);
    uint8_t first, next;

    while (take_u8(&in, &first)) {
        int tail = utf8_tail(first);
        uint32_t point = tail <= 0 ? first : first & (0x3fu >> tail);

        if (tail < 0)
            return false;
        for (int i = 0; i < tail; i++) {
            if (!take_u8(&in, &next) || (next & 0xc0) != 0x80)
                return false;
            point = point << 6 | (next & 0x3f);
        }
        if ((tail == 2 && point < 0x800) || (tail == 3 && point < 0x10000) || point > 0x10ffff ||
            (point >= 0xd800 && point <= 0xdfff) || point < 0x20 || (point >= 0x7f && point < 0xa0))
            return false;
    }
    return true;
}

bool
caveat_valid(uint8_t kind, struct slice value, struct fault *fault)
{
    switch (kind) {
    case CAVEAT_HOP:
        return value.size == HOP_ID_SIZE;
    case CAVEAT_RIGHTS:
        return words_valid(value, right_valid, fault);
    case CAVEAT_EXPIRES:
        if (expiry_valid(value))
            return true;
        fault_set(fault, STATUS_INVALID, "the expiry is no time");
        return false;
    case CAVEAT_NETWORK:
        return words_valid(value, network_valid, fault);
    case CAVEAT_KEY:
        return value.size == CAVEAT_JKT_SIZE;
    case CAVEAT_LABEL:
        if (value.size > 0 && value.size <= CAVEAT_LABEL_MAX && label_text_valid(value))
            return true;
        fault_set(fault, STATUS_INVALID,
                  "a label is 1 to %d bytes of UTF-8 without control characters", CAVEAT_LABEL_MAX);
        return false;
    case CAVEAT_KEY_SIGNED: {
        struct rebind rebind;
        return rebind_read(value, &rebind);
    }
    default:
        return false;
    }
}

struct slice
caveat_bytes(const struct caveat *caveat)
{
    return slice_of(caveat->value.at - CAVEAT_HEAD_SIZE, caveat->value.size + CAVEAT_HEAD_SIZE);
}

static bool
hop_is_new(const struct token_view *view, struct slice hop)
{
    for (size_t i = 0; i < view->caveat_count; i++) {
        if (view->caveats[i].kind == CAVEAT_HOP && slice_equal(view->caveats[i].value, hop))
            return false;
    }
    return true;
}

/* May a caveat of this kind follow what was read so far? The kinds ascend within a
 * hop, so an empty hop is one that follows another at once. */
static bool
may_follow(const struct token_view *view, uint8_t kind)
{
    uint8_t last =
        view->caveat_count == 0 ? 0 : (uint8_t)view->caveats[view->caveat_count - 1].kind;

    if (kind == CAVEAT_HOP)
        return last != CAVEAT_HOP;
    return last != 0 && kind > last;
}

enum status
caveats_read(struct slice bytes, struct token_view *out)
{
    struct cursor in = cursor_over(bytes);
    size_t hops = 0, keys = 0;

    out->caveat_count = 0;
    while (cursor_left(&in) > 0) {
        struct slice value;
        uint8_t kind;

        if (!take_u8(&in, &kind) || !take_slice16(&in, &value) || !may_follow(out, kind) ||
            !caveat_valid(kind, value, NULL))
            return STATUS_INVALID;
        if (kind == CAVEAT_HOP) {
            if (!hop_is_new(out, value))
                return STATUS_INVALID;
            hops++;
        }
        /* The first key needs nobody's leave, each later one that of the one before. */
        keys += kind == CAVEAT_KEY || kind == CAVEAT_KEY_SIGNED;
        if (kind == CAVEAT_KEY && keys > 1)
            return STATUS_INVALID;
        if (hops > TOKEN_CAVEATS_MAX || out->caveat_count + 1 - hops > TOKEN_CAVEATS_MAX)
            return STATUS_INVALID;
        out->caveats[out->caveat_count++] = (struct caveat){ .kind = kind, .value = value };
    }
    if (out->caveat_count == 0 || out->caveats[out->caveat_count - 1].kind == CAVEAT_HOP)
        return STATUS_INVALID;
    return STATUS_OK;
}

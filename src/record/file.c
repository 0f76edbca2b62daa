/* record/file.c - chunks of a recording, sealed and opened. */
#include "record/file.h"

#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "crypto/seal.h"

#define MAGIC        "WRITREC\x01"
#define MASTER_LABEL "writ recordings v1"
#define KEY_LABEL    "writ recording key"
#define CHUNK_LABEL  "writ recording chunk"

enum {
    MAGIC_SIZE = sizeof MAGIC - 1,
    SEALED_KEY_SIZE = SECRET_SIZE + SEAL_OVERHEAD,
    HEAD_SIZE = MAGIC_SIZE + RECORD_ID_SIZE + SEALED_KEY_SIZE,
    CONTEXT_MOST = 64,
};

_Static_assert((int)MAC_SIZE == (int)SECRET_SIZE, "one block of HKDF is a key");

enum status
record_master(const struct secret *sealing, struct secret *out)
{
    const struct slice parts[] = { SLICE_LITERAL(MASTER_LABEL), SLICE_LITERAL("\x01") };

    return mac_once(sealing->bytes, sizeof sealing->bytes, parts, 2, out->bytes);
}

/* --- contexts --------------------------------------------------------------- */

struct context {
    uint8_t bytes[CONTEXT_MOST];
    size_t size;
};

static void
add(struct context *context, const void *bytes, size_t size)
{
    memcpy(context->bytes + context->size, bytes, size);
    context->size += size;
}

static struct context
context_of_key(const struct record_id *id)
{
    struct context context = { .size = 0 };

    add(&context, KEY_LABEL, sizeof KEY_LABEL - 1);
    add(&context, MAGIC, MAGIC_SIZE);
    add(&context, id->bytes, sizeof id->bytes);
    return context;
}

static struct context
context_of_chunk(const struct record_id *id, uint64_t number, uint8_t kind)
{
    struct context context = { .size = 0 };
    uint8_t counted[8];

    for (unsigned i = 0; i < sizeof counted; i++)
        counted[i] = (uint8_t)(number >> (56 - 8 * i));
    add(&context, CHUNK_LABEL, sizeof CHUNK_LABEL - 1);
    add(&context, id->bytes, sizeof id->bytes);
    add(&context, counted, sizeof counted);
    add(&context, &kind, 1);
    return context;
}

static struct slice
context_slice(const struct context *context)
{
    return slice_of(context->bytes, context->size);
}

/* ABOUT is the first, and the first alone. */
static bool
stands_here(uint64_t number, uint8_t kind)
{
    return number == 0 ? kind == RECORD_ABOUT : kind == RECORD_EVENTS || kind == RECORD_END;
}

static enum status
digest_on(uint8_t digest[RECORD_DIGEST_SIZE], struct slice chunk)
{
    const struct slice parts[] = { slice_of(digest, RECORD_DIGEST_SIZE), chunk };

    return hash_sha256(parts, 2, digest);
}

/* --- writing ---------------------------------------------------------------- */

enum status
record_begin(struct record_writer *writer, const struct secret *master, struct buffer *out)
{
    struct record_writer made = { .next = 0 };
    struct context context;
    enum status status = random_bytes(made.id.bytes, sizeof made.id.bytes);

    if (status == STATUS_OK)
        status = random_bytes(made.key.bytes, sizeof made.key.bytes);
    context = context_of_key(&made.id);
    put_bytes(out, MAGIC, MAGIC_SIZE);
    put_bytes(out, made.id.bytes, sizeof made.id.bytes);
    if (status == STATUS_OK)
        status = seal(master, context_slice(&context),
                      slice_of(made.key.bytes, sizeof made.key.bytes), out);
    if (status == STATUS_OK)
        status = buffer_status(out);
    if (status == STATUS_OK) {
        struct slice head = slice_from(buffer_slice(out), out->size - HEAD_SIZE);

        status = hash_sha256(&head, 1, made.digest);
    }
    if (status == STATUS_OK)
        *writer = made;
    record_writer_wipe(&made);
    return status;
}

enum status
record_put(struct record_writer *writer, enum record_kind kind, struct slice plain,
           struct buffer *out)
{
    struct context context = context_of_chunk(&writer->id, writer->next, (uint8_t)kind);
    size_t before = out->size;
    enum status status;

    if (writer->ended || !stands_here(writer->next, (uint8_t)kind))
        return STATUS_INVALID;
    if (plain.size > RECORD_CHUNK_MOST)
        return STATUS_TOO_LARGE;
    put_be32(out, (uint32_t)(plain.size + SEAL_OVERHEAD));
    put_u8(out, (uint8_t)kind);
    status = seal(&writer->key, context_slice(&context), plain, out);
    if (status == STATUS_OK)
        status = buffer_status(out);
    if (status == STATUS_OK)
        status = digest_on(writer->digest, slice_from(buffer_slice(out), before));
    /* A chunk that failed halfway has no place that another could take. */
    writer->ended = status != STATUS_OK || kind == RECORD_END;
    writer->next++;
    return status;
}

void
record_writer_wipe(struct record_writer *writer)
{
    secret_wipe(writer, sizeof *writer);
}

/* --- reading ---------------------------------------------------------------- */

static enum record_read
wrong(struct record_reader *reader)
{
    reader->wrong = true;
    return RECORD_WRONG;
}

static enum record_read
read_head(struct record_reader *reader, struct cursor *in)
{
    struct slice magic = slice_of(in->at, cursor_left(in)), id, sealed;
    struct buffer key = BUFFER_LIMITED(SECRET_SIZE);
    struct context context;
    bool fine;

    /* What is no recording is told at once, however short it is. */
    if (!slice_starts(SLICE_LITERAL(MAGIC), slice_first(magic, MAGIC_SIZE)))
        return wrong(reader);
    if (cursor_left(in) < HEAD_SIZE || !take_bytes(in, MAGIC_SIZE, &magic) ||
        !take_bytes(in, RECORD_ID_SIZE, &id) || !take_bytes(in, SEALED_KEY_SIZE, &sealed))
        return RECORD_MORE;
    memcpy(reader->id.bytes, id.at, sizeof reader->id.bytes);
    context = context_of_key(&reader->id);
    fine = unseal(reader->master, context_slice(&context), sealed, &key) == STATUS_OK &&
           key.size == SECRET_SIZE;
    if (fine)
        memcpy(reader->key.bytes, key.bytes, SECRET_SIZE);
    buffer_wipe_free(&key);
    magic = slice_of(magic.at, HEAD_SIZE);
    fine = fine && hash_sha256(&magic, 1, reader->digest) == STATUS_OK;
    reader->opened = fine;
    return fine ? RECORD_CHUNK : wrong(reader);
}

static bool
may_be_chunk(const struct record_reader *reader, uint32_t size, uint8_t kind)
{
    return size >= SEAL_OVERHEAD && size <= RECORD_CHUNK_MOST + SEAL_OVERHEAD &&
           stands_here(reader->next, kind);
}

static enum record_read
read_chunk(struct record_reader *reader, struct cursor *in, enum record_kind *kind,
           struct buffer *plain)
{
    struct context context;
    const uint8_t *chunk = in->at;
    struct slice sealed;
    uint32_t size;
    uint8_t byte;

    if (!take_be32(in, &size) || !take_u8(in, &byte))
        return RECORD_MORE;
    /* Before its bytes are waited for: a big claim is refused now. */
    if (!may_be_chunk(reader, size, byte))
        return wrong(reader);
    if (!take_bytes(in, size, &sealed))
        return RECORD_MORE;
    context = context_of_chunk(&reader->id, reader->next, byte);
    if (unseal(&reader->key, context_slice(&context), sealed, plain) != STATUS_OK ||
        digest_on(reader->digest, slice_of(chunk, (size_t)(in->at - chunk))) != STATUS_OK)
        return wrong(reader);
    reader->next++;
    reader->ended = byte == RECORD_END;
    *kind = (enum record_kind)byte;
    return RECORD_CHUNK;
}

enum record_read
record_next(struct record_reader *reader, struct slice in, size_t *used, enum record_kind *kind,
            struct buffer *plain)
{
    struct cursor at = cursor_over(in);
    enum record_read read = RECORD_CHUNK;

    *used = 0;
    if (reader->wrong)
        return RECORD_WRONG;
    if (reader->ended)
        return in.size == 0 ? RECORD_DONE : wrong(reader);
    /* A head without a whole chunk behind it is read again when more has come. */
    if (!reader->opened)
        read = read_head(reader, &at);
    else if (reader->next == 0 && !take_bytes(&at, HEAD_SIZE, &(struct slice){ 0 }))
        return RECORD_MORE;
    if (read == RECORD_CHUNK)
        read = read_chunk(reader, &at, kind, plain);
    if (read == RECORD_CHUNK)
        *used = in.size - cursor_left(&at);
    return read;
}

enum record_read
record_skip(struct record_reader *reader, struct slice head, size_t *size)
{
    struct cursor at = cursor_over(head);
    uint32_t sealed;
    uint8_t kind;

    if (reader->wrong || reader->next == 0)
        return wrong(reader);
    if (!take_be32(&at, &sealed) || !take_u8(&at, &kind))
        return RECORD_MORE;
    if (!may_be_chunk(reader, sealed, kind))
        return wrong(reader);
    reader->next++;
    reader->ended = kind == RECORD_END;
    *size = RECORD_CHUNK_HEAD + sealed;
    return RECORD_CHUNK;
}

void
record_reader_wipe(struct record_reader *reader)
{
    secret_wipe(reader, sizeof *reader);
}

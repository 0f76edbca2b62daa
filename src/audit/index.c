/* audit/index.c - looks terms up in a segment's index, reading a few pages. */
#include "index.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encoding.h"
#include "bytes.h"
#include "uses.h"

static const char index_magic[8] = "WRITIDX1";
enum { AT_SECTIONS = 88, SECTION_SIZE = 24, AT_CRC = INDEX_HEADER - 4 };

uint64_t
index_hash(struct slice text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ (uint8_t)text.at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

struct slice
index_text(const struct record *record, enum index_field field)
{
    switch (field) {
    case FIELD_TOKEN:
        return token_base(record->event.token);
    case FIELD_SUBJECT:
        return record->event.subject;
    case FIELD_RESOURCE:
        return record->event.resource;
    case FIELD_ACTION:
        return record->event.action;
    default:
        return record->event.decision == AUDIT_ALLOW ? SLICE_LITERAL("allow")
                                                     : SLICE_LITERAL("deny");
    }
}

void
index_header_write(const struct index_header *header, uint8_t to[INDEX_HEADER])
{
    memset(to, 0, INDEX_HEADER);
    memcpy(to, index_magic, sizeof index_magic);
    store64(to + 8, header->number);
    store64(to + 16, header->first);
    store32(to + 24, header->lines);
    store32(to + 28, header->ends);
    store64(to + 32, (uint64_t)header->min_at);
    store64(to + 40, (uint64_t)header->max_at);
    memcpy(to + 48, header->closing, HASH_SIZE);
    store64(to + 80, header->segment_size);
    for (unsigned i = 0; i < SECTION_COUNT; i++) {
        uint8_t *at = to + AT_SECTIONS + i * SECTION_SIZE;

        store64(at, header->section[i].offset);
        store64(at + 8, header->section[i].size);
        store32(at + 16, header->section[i].crc);
    }
    store32(to + AT_CRC, crc32_of(slice_of(to, AT_CRC)));
}

/* Do the sections lie in the file, and are they as long as what they hold? */
static bool
sections_fit(const struct index_header *header, uint64_t size)
{
    const struct index_span *section = header->section;

    for (unsigned i = 0; i < SECTION_COUNT; i++)
        if (section[i].offset > size || section[i].size > size - section[i].offset)
            return false;
    for (unsigned i = 0; i < FIELD_COUNT; i++)
        if (section[SECTION_DIRECTORY + i].size % 8 != 0 ||
            section[SECTION_PAGES + i].size != section[SECTION_DIRECTORY + i].size / 8 * INDEX_PAGE)
            return false;
    return header->lines <= SEGMENT_LINES_MAX &&
           section[SECTION_OFFSETS].size == (uint64_t)header->lines * 4 &&
           section[SECTION_ENDS].size == (uint64_t)header->ends * INDEX_END;
}

bool
index_header_read(const uint8_t from[INDEX_HEADER], uint64_t file_size, struct index_header *out)
{
    struct index_header header;

    if (memcmp(from, index_magic, sizeof index_magic) != 0 ||
        load32(from + AT_CRC) != crc32_of(slice_of(from, AT_CRC)))
        return false;
    header = (struct index_header){ .number = load64(from + 8),
                                    .first = load64(from + 16),
                                    .segment_size = load64(from + 80),
                                    .lines = load32(from + 24),
                                    .ends = load32(from + 28),
                                    .min_at = (int64_t)load64(from + 32),
                                    .max_at = (int64_t)load64(from + 40) };
    memcpy(header.closing, from + 48, HASH_SIZE);
    for (unsigned i = 0; i < SECTION_COUNT; i++) {
        const uint8_t *at = from + AT_SECTIONS + i * SECTION_SIZE;

        header.section[i] = (struct index_span){ .offset = load64(at),
                                                 .size = load64(at + 8),
                                                 .crc = load32(at + 16) };
    }
    if (!sections_fit(&header, file_size))
        return false;
    *out = header;
    return true;
}

enum status
index_open(const char *dir, const struct segment *segment, const uint8_t closing[HASH_SIZE],
           struct index *out)
{
    struct index index = { .fd = -1 };
    char path[SEGMENT_PATH_MAX];
    uint8_t bytes[INDEX_HEADER];
    struct stat stat;
    enum status status = segment_path(dir, segment->header.number, "idx", path);

    if (status != STATUS_OK)
        return status;
    index.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (index.fd < 0)
        return STATUS_NOT_FOUND;
    status = fstat(index.fd, &stat) != 0 ? STATUS_IO : read_at(index.fd, bytes, sizeof bytes, 0);
    if (status == STATUS_OK && (!index_header_read(bytes, (uint64_t)stat.st_size, &index.header) ||
                                index.header.number != segment->header.number ||
                                index.header.first != segment->header.first ||
                                index.header.segment_size != segment->size ||
                                memcmp(index.header.closing, closing, HASH_SIZE) != 0))
        status = STATUS_CORRUPT;
    if (status != STATUS_OK) {
        close(index.fd);
        return status;
    }
    index.read = INDEX_HEADER;
    *out = index;
    return STATUS_OK;
}

void
index_close(struct index *index)
{
    if (index->fd >= 0)
        close(index->fd);
    index->fd = -1;
}

/* Part of a section into fresh memory; crc 0 with size 0 is fine. */
static enum status
load(struct index *index, enum index_section section, uint64_t from, uint64_t size, char **out)
{
    const struct index_span *span = &index->header.section[section];
    char *bytes;
    enum status status;

    if (from > span->size || size > span->size - from)
        return STATUS_CORRUPT;
    bytes = malloc(size + 1);
    if (bytes == NULL)
        return STATUS_MEMORY;
    status = read_at(index->fd, bytes, size, span->offset + from);
    if (status != STATUS_OK) {
        free(bytes);
        return status;
    }
    index->read += size;
    *out = bytes;
    return STATUS_OK;
}

static enum status
load_section(struct index *index, enum index_section section, char **out)
{
    const struct index_span *span = &index->header.section[section];
    char *bytes;
    enum status status = load(index, section, 0, span->size, &bytes);

    if (status != STATUS_OK)
        return status;
    if (crc32_of(slice_of(bytes, span->size)) != span->crc) {
        free(bytes);
        return STATUS_CORRUPT;
    }
    *out = bytes;
    return STATUS_OK;
}

/* The page on which the hash stands, if it stands anywhere. */
static enum status
find_page(struct index *index, enum index_field field, uint64_t hash, size_t *page)
{
    size_t low = 0, high = index->header.section[SECTION_DIRECTORY + field].size / 8;
    char *directory;
    enum status status = load_section(index, SECTION_DIRECTORY + field, &directory);

    if (status != STATUS_OK)
        return status;
    /* The last page whose first hash is not above. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (load64((const uint8_t *)directory + 8 * middle) <= hash)
            low = middle + 1;
        else
            high = middle;
    }
    free(directory);
    if (low == 0)
        return STATUS_NOT_FOUND;
    *page = low - 1;
    return STATUS_OK;
}

struct term {
    uint32_t first, count, crc;
};

static enum status
find_on_page(struct index *index, enum index_field field, size_t page, uint64_t hash,
             struct term *out)
{
    char *bytes;
    const uint8_t *at;
    uint32_t count;
    enum status status =
        load(index, SECTION_PAGES + field, (uint64_t)page * INDEX_PAGE, INDEX_PAGE, &bytes);

    if (status != STATUS_OK)
        return status;
    at = (const uint8_t *)bytes;
    count = load32(at);
    if (count > INDEX_PER_PAGE ||
        crc32_of(slice_of(bytes + INDEX_PAGE_HEAD, INDEX_PAGE - INDEX_PAGE_HEAD)) !=
            load32(at + 4)) {
        free(bytes);
        return STATUS_CORRUPT;
    }
    status = STATUS_NOT_FOUND;
    for (uint32_t low = 0, high = count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        const uint8_t *entry = at + INDEX_PAGE_HEAD + (size_t)middle * INDEX_ENTRY;
        uint64_t found = load64(entry);

        if (found == hash) {
            *out = (struct term){ .first = load32(entry + 8),
                                  .count = load32(entry + 12),
                                  .crc = load32(entry + 16) };
            status = STATUS_OK;
            break;
        }
        if (found < hash)
            low = middle + 1;
        else
            high = middle;
    }
    free(bytes);
    return status;
}

static enum status
load_postings(struct index *index, const struct term *term, uint16_t **places)
{
    char *bytes;
    uint16_t *out;
    enum status status =
        load(index, SECTION_POSTINGS, (uint64_t)term->first * 2, (uint64_t)term->count * 2, &bytes);

    if (status != STATUS_OK)
        return status;
    out = calloc(term->count + 1, sizeof *out);
    if (out == NULL)
        status = STATUS_MEMORY;
    else if (crc32_of(slice_of(bytes, (size_t)term->count * 2)) != term->crc)
        status = STATUS_CORRUPT;
    for (uint32_t i = 0; status == STATUS_OK && i < term->count; i++) {
        out[i] = load16((const uint8_t *)bytes + 2 * (size_t)i);
        if (out[i] >= index->header.lines || (i > 0 && out[i] <= out[i - 1]))
            status = STATUS_CORRUPT;
    }
    free(bytes);
    if (status != STATUS_OK) {
        free(out);
        return status;
    }
    *places = out;
    return STATUS_OK;
}

enum status
index_find(struct index *index, enum index_field field, struct slice text, uint16_t **places,
           size_t *count)
{
    uint64_t hash = index_hash(text);
    struct term term;
    size_t page;
    enum status status = find_page(index, field, hash, &page);

    if (status == STATUS_OK)
        status = find_on_page(index, field, page, hash, &term);
    if (status == STATUS_OK)
        status = load_postings(index, &term, places);
    if (status == STATUS_OK) {
        *count = term.count;
    } else if (status == STATUS_NOT_FOUND) {
        *places = NULL;
        *count = 0;
        return STATUS_OK;
    }
    return status;
}

enum status
index_offset(struct index *index, uint32_t place, uint32_t *offset)
{
    uint8_t bytes[4];
    enum status status;

    if (place >= index->header.lines)
        return STATUS_CORRUPT;
    status = read_at(index->fd, bytes, sizeof bytes,
                     index->header.section[SECTION_OFFSETS].offset + (uint64_t)place * 4);
    if (status == STATUS_OK)
        *offset = load32(bytes);
    index->read += sizeof bytes;
    return status;
}

enum status
index_ends(struct index *index, struct end_place **ends, size_t *count)
{
    char *bytes;
    struct end_place *out;
    enum status status = load_section(index, SECTION_ENDS, &bytes);

    if (status != STATUS_OK)
        return status;
    out = calloc((size_t)index->header.ends + 1, sizeof *out);
    if (out == NULL) {
        free(bytes);
        return STATUS_MEMORY;
    }
    for (uint32_t i = 0; i < index->header.ends; i++) {
        const uint8_t *at = (const uint8_t *)bytes + (size_t)i * INDEX_END;

        out[i] = (struct end_place){ .seq = load64(at), .offset = load32(at + 8) };
    }
    free(bytes);
    *ends = out;
    *count = index->header.ends;
    return STATUS_OK;
}

enum status
index_uses(struct index *index, char **bytes, size_t *size)
{
    *size = (size_t)index->header.section[SECTION_USES].size;
    return load_section(index, SECTION_USES, bytes);
}

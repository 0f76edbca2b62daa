/* audit/index.h - what makes a closed segment quick to search: where each line
 * stands, which lines have a given subject, token, resource, action or decision,
 * and what was used (uses.h). A derived file: the log is the truth, and a missing
 * or damaged index is made anew.
 *
 *     NNNNNN.idx = header:512, sections
 *     OFFSETS    u32 for each line
 *     ENDS       (seq:u64 offset:u32 0:u32), by seq
 *     DIRECTORY  per field: the first hash of each page, u64
 *     PAGES      per field: pages of 4 KiB: count:u32 crc:u32, then by hash
 *                (hash:u64 first:u32 count:u32 crc:u32 0:u32)
 *     POSTINGS   u16 places of lines, ascending for each term
 *     USES       uses.h
 *
 * A term is known by a hash alone: a line that comes with a look-up is still
 * compared with what was asked. */
#ifndef WRIT_AUDIT_INDEX_H
#define WRIT_AUDIT_INDEX_H

#include "segment.h"

enum index_field {
    FIELD_TOKEN, /* without the hop */
    FIELD_SUBJECT,
    FIELD_RESOURCE,
    FIELD_ACTION,
    FIELD_DECISION,
    FIELD_COUNT
};

enum index_section {
    SECTION_OFFSETS,
    SECTION_ENDS,
    SECTION_DIRECTORY,
    SECTION_PAGES = SECTION_DIRECTORY + FIELD_COUNT,
    SECTION_POSTINGS = SECTION_PAGES + FIELD_COUNT,
    SECTION_USES,
    SECTION_COUNT
};

enum {
    INDEX_HEADER = 512,
    INDEX_PAGE = 4096,
    INDEX_PAGE_HEAD = 8,
    INDEX_ENTRY = 24,
    INDEX_PER_PAGE = (INDEX_PAGE - INDEX_PAGE_HEAD) / INDEX_ENTRY,
    INDEX_END = 16
};

struct index_span {
    uint64_t offset, size;
    uint32_t crc;
};

struct index_header {
    uint64_t number, first, segment_size;
    uint32_t lines, ends;
    int64_t min_at, max_at;
    uint8_t closing[HASH_SIZE];
    struct index_span section[SECTION_COUNT];
};

struct end_place {
    uint64_t seq, offset;
};

struct index {
    int fd;
    struct index_header header;
    uint64_t read; /* bytes, for measurements */
};

/* FNV-1a, 64 bit: the same in every process. */
uint64_t index_hash(struct slice text);
/* The field of a line as it is indexed. */
struct slice index_text(const struct record *record, enum index_field field);

/* Makes the index of a closed segment, in one step of rename. */
enum status index_build(const char *dir, uint64_t number, struct fault *fault) WRIT_MUST_USE;

void index_header_write(const struct index_header *header, uint8_t to[INDEX_HEADER]);
/* Also false when sections do not lie in a file of this size. */
bool index_header_read(const uint8_t from[INDEX_HEADER], uint64_t file_size,
                       struct index_header *out);

/* OK when the index is that of this closed segment; else NOT_FOUND or CORRUPT. */
enum status index_open(const char *dir, const struct segment *segment,
                       const uint8_t closing[HASH_SIZE], struct index *out) WRIT_MUST_USE;
void index_close(struct index *index);

/* The places of the lines with this term, ascending; the caller frees *places.
 * Nothing there: OK and *count 0. CORRUPT when the index is damaged. */
enum status index_find(struct index *index, enum index_field field, struct slice text,
                       uint16_t **places, size_t *count) WRIT_MUST_USE;
enum status index_offset(struct index *index, uint32_t place, uint32_t *offset) WRIT_MUST_USE;
/* All ends, by seq; the caller frees *ends. */
enum status index_ends(struct index *index, struct end_place **ends, size_t *count) WRIT_MUST_USE;
/* The section of uses; the caller frees *bytes. */
enum status index_uses(struct index *index, char **bytes, size_t *size) WRIT_MUST_USE;

#endif

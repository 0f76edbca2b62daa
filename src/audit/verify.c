/* audit/verify.c - recomputes the chain over all segments and names the first line
 * that does not hold. */
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/search.h"
#include "segment.h"

struct verify {
    const uint8_t *key;
    const struct audit_head *head;
    bool head_met;
    uint64_t next; /* the seq of the next line */
    uint64_t segment;
    uint8_t chain[HASH_SIZE];
    uint8_t closing[HASH_SIZE]; /* of the segment before */
    uint64_t lines, first, signed_to;
    /* what retention says that it removed; the newest note counts */
    bool noted;
    struct seal_frame note;
    /* what is missing before the oldest segment */
    bool cut;
    uint64_t cut_segment, cut_last;
    uint8_t cut_closing[HASH_SIZE];
    struct fault *fault;
};

static enum status
corrupt_line(struct verify *verify)
{
    return fault_set(verify->fault, STATUS_CORRUPT, "line %llu was changed (segment %llu)",
                     (unsigned long long)verify->next, (unsigned long long)verify->segment);
}

/* The head in the store names a line and the chain at some frame behind it. */
static void
meet_head(struct verify *verify)
{
    if (verify->head != NULL && verify->head->seq == verify->next - 1 &&
        memcmp(verify->head->hash, verify->chain, HASH_SIZE) == 0)
        verify->head_met = true;
}

static enum status
check_line(struct verify *verify, struct slice frame)
{
    struct record record;

    if (!record_read(frame, &record) || record.seq != verify->next)
        return corrupt_line(verify);
    if (verify->lines == 0)
        verify->first = record.seq;
    verify->next++;
    verify->lines++;
    return STATUS_OK;
}

static enum status
check_seal(struct verify *verify, const struct segment *segment, struct slice frame,
           const uint8_t before[HASH_SIZE])
{
    uint8_t message[SEAL_MESSAGE_SIZE];
    struct seal_frame seal;
    bool of_segment;

    if (!seal_read(frame, &seal))
        return corrupt_line(verify);
    seal_message((const uint8_t *)frame.at, message);
    if (ed25519_verify(verify->key, slice_of(message, sizeof message), seal.signature) != STATUS_OK)
        return fault_set(verify->fault, STATUS_CORRUPT,
                         "segment %llu is not signed by this key (behind line %llu)",
                         (unsigned long long)verify->segment,
                         (unsigned long long)(verify->next - 1));
    of_segment = seal.segment == verify->segment && seal.first == segment->header.first &&
                 seal.last == verify->next - 1 && memcmp(seal.chain, before, HASH_SIZE) == 0 &&
                 memcmp(seal.previous, segment->header.previous, HASH_SIZE) == 0;
    if (seal.kind == FRAME_NOTE) {
        if (seal.segment >= verify->segment || seal.last >= verify->next)
            return corrupt_line(verify);
        if (!verify->noted || seal.segment > verify->note.segment)
            verify->note = seal;
        verify->noted = true;
    } else if (!of_segment) {
        return corrupt_line(verify);
    }
    verify->signed_to = verify->next - 1;
    return STATUS_OK;
}

static enum status
check_frame(struct verify *verify, const struct segment *segment, const struct scan *scan)
{
    uint8_t before[HASH_SIZE];
    struct ending ending;
    enum status status;

    memcpy(before, verify->chain, HASH_SIZE);
    status = chain_next(verify->chain, scan->frame);
    if (status != STATUS_OK)
        return fault_set(verify->fault, status, "a hash can't be computed");
    if (memcmp(verify->chain, scan->hash, HASH_SIZE) != 0)
        return corrupt_line(verify);
    if (scan->kind == FRAME_LINE || scan->kind == FRAME_OPEN)
        status = check_line(verify, scan->frame);
    else if (scan->kind == FRAME_END)
        status = ending_read(scan->frame, &ending) && ending.seq < verify->next
                     ? STATUS_OK
                     : corrupt_line(verify);
    else
        status = check_seal(verify, segment, scan->frame, before);
    if (status == STATUS_OK)
        meet_head(verify);
    return status;
}

/* newest: a node may be writing to it, so it need not be closed. */
static enum status
check_frames(struct verify *verify, const struct segment *segment, bool newest)
{
    struct scan scan;
    enum scan_step step = SCAN_END;
    bool closed = false;
    enum status status = scan_open(&scan, segment);

    if (status != STATUS_OK)
        return fault_set(verify->fault, status, "out of memory");
    while (status == STATUS_OK && (step = scan_next(&scan)) == SCAN_FRAME) {
        status = closed ? corrupt_line(verify) : check_frame(verify, segment, &scan);
        closed = scan.kind == FRAME_FOOTER;
    }
    scan_close(&scan);
    if (status != STATUS_OK)
        return status;
    if (step == SCAN_FAILED)
        return fault_set(verify->fault, STATUS_IO, "segment %llu can't be read",
                         (unsigned long long)verify->segment);
    if (step == SCAN_MALFORMED || (step == SCAN_TORN && !newest))
        return corrupt_line(verify);
    if (!closed && !newest)
        return fault_set(
            verify->fault, STATUS_CORRUPT, "segment %llu ends at line %llu without its signature",
            (unsigned long long)verify->segment, (unsigned long long)(verify->next - 1));
    return STATUS_OK;
}

/* Does the segment follow on the one before? */
static enum status
check_link(struct verify *verify, const struct segment *segment, bool oldest)
{
    const struct segment_header *header = &segment->header;

    if (oldest && header->number > 1) {
        verify->cut = true;
        verify->cut_segment = header->number - 1;
        verify->cut_last = header->first - 1;
        memcpy(verify->cut_closing, header->previous, HASH_SIZE);
        verify->next = header->first;
        return STATUS_OK;
    }
    if (header->number != verify->segment + 1 && header->first > verify->next)
        return fault_set(verify->fault, STATUS_CORRUPT, "lines %llu to %llu are missing",
                         (unsigned long long)verify->next, (unsigned long long)header->first - 1);
    if (header->number != verify->segment + 1 || header->first != verify->next ||
        memcmp(header->previous, verify->closing, HASH_SIZE) != 0)
        return fault_set(verify->fault, STATUS_CORRUPT,
                         "segment %llu does not follow on the one before (line %llu)",
                         (unsigned long long)header->number, (unsigned long long)verify->next);
    return STATUS_OK;
}

static enum status
check_segment(struct verify *verify, const char *dir, uint64_t number, bool oldest, bool newest)
{
    struct segment segment;
    enum status status = segment_open(dir, number, &segment, verify->fault);

    /* A newest file without a whole header is a beginning that holds nothing. */
    if (newest && !oldest && status == STATUS_CORRUPT)
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    status = check_link(verify, &segment, oldest);
    verify->segment = number;
    if (status == STATUS_OK &&
        segment_chain_start(segment.header_bytes, verify->chain) != STATUS_OK)
        status = fault_set(verify->fault, STATUS_CRYPTO, "a hash can't be computed");
    if (status == STATUS_OK) {
        meet_head(verify);
        status = check_frames(verify, &segment, newest);
    }
    memcpy(verify->closing, verify->chain, HASH_SIZE);
    segment_close(&segment);
    return status;
}

/* The oldest segments may be missing as far as the newest note says, no further:
 * retention notes first and removes then, oldest first. */
static enum status
check_cut(struct verify *verify)
{
    const struct seal_frame *note = &verify->note;

    if (!verify->cut)
        return STATUS_OK;
    if (verify->noted && (note->segment > verify->cut_segment ||
                          (note->segment == verify->cut_segment && note->last == verify->cut_last &&
                           memcmp(note->chain, verify->cut_closing, HASH_SIZE) == 0)))
        return STATUS_OK;
    return fault_set(verify->fault, STATUS_CORRUPT, "lines %llu to %llu are missing",
                     (unsigned long long)(verify->noted ? note->last + 1 : 1),
                     (unsigned long long)verify->cut_last);
}

static enum status
check_head(const struct verify *verify)
{
    const struct audit_head *head = verify->head;

    if (head == NULL || head->seq == 0 || verify->head_met)
        return STATUS_OK;
    if (head->seq > verify->next - 1)
        return fault_set(verify->fault, STATUS_CORRUPT,
                         "the log ends at %llu, the store knows %llu",
                         (unsigned long long)(verify->next - 1), (unsigned long long)head->seq);
    return fault_set(verify->fault, STATUS_CORRUPT,
                     "the log is not the one whose head the store knows (line %llu)",
                     (unsigned long long)head->seq);
}

enum status
audit_verify(const char *dir, const uint8_t *public_key, const struct audit_head *head,
             struct audit_verdict *out, struct fault *fault)
{
    struct verify verify = { .key = public_key, .head = head, .next = 1, .fault = fault };
    uint64_t *numbers = NULL;
    size_t count = 0;
    enum status status = segment_list(dir, &numbers, &count, fault);

    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = check_segment(&verify, dir, numbers[i], i == 0, i + 1 == count);
    free(numbers);
    if (status == STATUS_OK)
        status = check_cut(&verify);
    if (status == STATUS_OK)
        status = check_head(&verify);
    if (status != STATUS_OK)
        return status;
    *out = (struct audit_verdict){ .lines = verify.lines,
                                   .first = verify.first,
                                   .last = verify.lines == 0 ? 0 : verify.next - 1,
                                   .segments = count,
                                   .signed_to = verify.signed_to };
    memcpy(out->head, verify.chain, HASH_SIZE);
    return STATUS_OK;
}

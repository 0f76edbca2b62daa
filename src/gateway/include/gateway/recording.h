/* gateway/recording.h - what a session shows, recorded: a lane hands over what passes, one
 * thread seals it and writes it. A lane never waits for the disk.
 *
 * A file of record/archive.h, mode 0600, in a directory of mode 0700; record/file.h says what is in
 * it. ABOUT is the JSON of recording_about; the texts of the EVENTS are whole lines, and joined
 * they are an asciicast. What passed is in the file within a second; a crash costs that second.
 * When it ends, the audit gets a line of it, with the file's digest. */
#ifndef WRIT_GATEWAY_RECORDING_H
#define WRIT_GATEWAY_RECORDING_H

#include "audit/journal.h"
#include "base/fault.h"
#include "base/secret.h"
#include "record/cast.h"

struct recorder;
struct recording;

struct recorder_options {
    const char *dir; /* made when absent */
    struct secret master;
    bool input;           /* what the client sends is recorded too: passwords are typed there */
    bool strict;          /* what can't be recorded must not go on */
    uint64_t max_size;    /* of one recording; 0: none. Reached: it can't be written any more */
    int64_t retention_ms; /* 0: kept for ever */
    struct audit_journal *journal; /* the recorder's alone; NULL: no lines */
};

enum status recorder_open(const struct recorder_options *options, struct recorder **out,
                          struct fault *fault) WRIT_MUST_USE;
/* Writes what was handed over. Lanes have stopped; what was not ended has no proper end. */
void recorder_close(struct recorder *recorder);

struct recorder_stats {
    uint64_t begun, ended, failed; /* recordings */
};
void recorder_stats(const struct recorder *recorder, struct recorder_stats *out);

/* Texts are borrowed for the call. */
struct recording_about {
    uint64_t session; /* its number in the audit */
    struct slice token, subject, chain, upstream, action, object, command, peer;
    /* What a change of the terminal's size is told by, when that comes in another connection;
     * empty: it does not. */
    struct slice key;
    unsigned width, height; /* 0: not known */
    int64_t started_at;     /* wall ms */
    uint64_t now_us;        /* of the clock that the events are told by */
};

/* --- on the session's lane ------------------------------------------------------------------ */

/* *out may be NULL with OK: it can't be recorded, which is counted, and goes on. */
enum status recording_begin(struct recorder *recorder, const struct recording_about *about,
                            struct recording **out) WRIT_MUST_USE;
/* Not OK: the session must be cut. All accept NULL. */
enum status recording_output(struct recording *recording, uint64_t now_us, enum cast_stream stream,
                             struct slice bytes) WRIT_MUST_USE;
enum status recording_input(struct recording *recording, uint64_t now_us,
                            struct slice bytes) WRIT_MUST_USE;
enum status recording_resize(struct recording *recording, uint64_t now_us, unsigned width,
                             unsigned height) WRIT_MUST_USE;
/* The same, of all that have this key; from any lane. */
void recorder_resize(struct recorder *recorder, struct slice key, uint64_t now_us, unsigned width,
                     unsigned height);
/* The recording is gone for the lane. */
void recording_end(struct recording *recording, uint64_t now_us);

#endif

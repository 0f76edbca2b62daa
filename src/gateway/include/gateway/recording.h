/* gateway/recording.h - what a session shows, recorded: a lane hands over what passes, one
 * thread seals it and writes it. A lane never waits for the disk: where the thread is behind, the
 * session's output waits.
 *
 * A file of record/archive.h, mode 0600, in a directory of mode 0700; record/file.h says what is in
 * it. ABOUT is the JSON of recording_about; the texts of the EVENTS are whole lines, and joined
 * they are an asciicast. What was handed over is written, whatever comes after it; it is in the
 * file within a second, while the disk keeps up. When it ends, the audit gets a line of it, with
 * the file's digest. */
#ifndef WRIT_GATEWAY_RECORDING_H
#define WRIT_GATEWAY_RECORDING_H

#include "audit/journal.h"
#include "base/fault.h"
#include "base/secret.h"
#include "record/cast.h"

struct recorder;
struct recording;

struct recorder_options {
    const char *dir; /* made when absent; must be the process's alone */
    struct secret master;
    bool input;        /* what the client sends is recorded too: passwords are typed there */
    bool strict;       /* what can't be recorded must not go on */
    uint64_t max_size; /* of one recording; 0: none. Reached: it can't be written any more */
    struct audit_journal *journal; /* the recorder's alone; NULL: no lines */
};

enum status recorder_open(const struct recorder_options *options, struct recorder **out,
                          struct fault *fault) WRIT_MUST_USE;
/* Writes what was handed over. Lanes have stopped: what goes on ends here. */
void recorder_close(struct recorder *recorder);

struct recorder_stats {
    uint64_t begun, ended, failed; /* recordings */
};
void recorder_stats(const struct recorder *recorder, struct recorder_stats *out);

/* Removes what is older than it is to be kept, now and each hour, on a thread of its own. */
struct recordings_keeper;
enum status recordings_keeper_open(const char *dir, int64_t retention_ms,
                                   struct recordings_keeper **out) WRIT_MUST_USE;
void recordings_keeper_close(struct recordings_keeper *keeper); /* accepts NULL */

/* Texts are borrowed for the call. */
struct recording_about {
    uint64_t session; /* its number in the audit */
    struct slice token, subject, subject_type, chain, upstream, action, object, command;
    struct ip peer;
    /* What a change of the terminal's size is told by, when that comes in another connection;
     * empty: it does not. */
    struct slice key;
    unsigned width, height; /* 0: not known */
    int64_t started_at;     /* wall ms */
    uint64_t now_us;        /* of clock_mono_us, as all below */
};

/* --- on the session's lane ------------------------------------------------------------------ */

/* Is what sessions show being written now? False: one that must be recorded had better not
 * begin. Always true where it need not be. */
bool recorder_takes(const struct recorder *recorder, uint64_t now_us);
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
/* Too much waits for the disk: more should wait where it comes from. */
bool recording_behind(const struct recording *recording);
/* The same, of all that have this key; from any lane. */
void recorder_resize(struct recorder *recorder, struct slice key, uint64_t now_us, unsigned width,
                     unsigned height);
/* The recording is gone for the lane. */
void recording_end(struct recording *recording, uint64_t now_us);

#endif

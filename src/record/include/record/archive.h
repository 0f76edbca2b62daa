/* record/archive.h - the recordings of a node: one file each in one directory, found by name or
 * by the session's number, and read in parts. What blocks on the disk; for threads that may. */
#ifndef WRIT_RECORD_ARCHIVE_H
#define WRIT_RECORD_ARCHIVE_H

#include "base/fault.h"
#include "base/json.h"
#include "record/file.h"

/* "1795900000000-7355608064000001-5e0c91aa": when it began (wall ms), its session's number in the
 * audit, and a mark of its own, so that several of one session differ. Sorts by time. */
struct archive_name {
    int64_t started_at;
    uint64_t session;
    uint8_t mark[4];
};
enum { ARCHIVE_NAME_MAX = 64 };
const char *archive_name_format(const struct archive_name *name, char out[ARCHIVE_NAME_MAX]);
/* As archive_name_format writes it, and no other way. */
bool archive_name_parse(struct slice text, struct archive_name *out);

/* The file of a new recording, 0600. It is locked while the descriptor is open: whoever reads it
 * then knows that it is being written. */
enum status archive_create(const char *dir, const struct archive_name *name, int *fd) WRIT_MUST_USE;
/* Removes what began before then and is not being written; says how many. */
unsigned archive_expire(const char *dir, int64_t before);

struct archive {
    const char *dir;
    const struct secret *master;
};

/* Newest first. Texts are compared whole; empty: any. */
struct archive_query {
    struct slice subject, upstream, object;
    uint64_t session;     /* 0: any */
    int64_t since, until; /* when it began; 0: any time */
    struct slice before;  /* a name: only older ones; empty: from the newest */
    size_t limit;         /* most that are told */
};
/* States are told by each file's last piece: what was altered before it, archive_show finds.
 * *items: an array. *next: the name that the next page is before; empty: there is none. INVALID:
 * before is no name. What can't be opened is told with the state "altered". */
enum status archive_list(const struct archive *archive, const struct archive_query *query,
                         json_t **items, char next[ARCHIVE_NAME_MAX],
                         struct fault *fault) WRIT_MUST_USE;

/* Reads all of it: state, duration, digest. */
enum status archive_show(const struct archive *archive, const struct archive_name *name,
                         json_t **out, struct fault *fault) WRIT_MUST_USE;

enum archive_state {
    ARCHIVE_COMPLETE,
    ARCHIVE_RECORDING, /* more will come */
    ARCHIVE_CUT_OFF,   /* its end is missing */
    ARCHIVE_ALTERED,
};
const char *archive_state_name(enum archive_state state);

struct archive_page {
    struct buffer events;     /* lines of the asciicast, whole ones */
    uint64_t next;            /* where the next page begins */
    bool last;                /* nothing stands behind it now */
    enum archive_state state; /* when last */
};
/* From chunk `from` on, 0 for the start, some 256 KiB. The page's buffer is the caller's. */
enum status archive_read(const struct archive *archive, const struct archive_name *name,
                         uint64_t from, struct archive_page *page,
                         struct fault *fault) WRIT_MUST_USE;
/* CONFLICT: it is being written. */
enum status archive_remove(const struct archive *archive, const struct archive_name *name,
                           struct fault *fault) WRIT_MUST_USE;

#endif

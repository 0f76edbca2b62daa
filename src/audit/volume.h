/* audit/volume.h - one segment as a reader meets it: with its index when it is
 * closed, and read from end to end when it is the newest. */
#ifndef WRIT_AUDIT_VOLUME_H
#define WRIT_AUDIT_VOLUME_H

#include "index.h"

struct volume {
    uint64_t number;
    bool opened, gone; /* gone: removed by retention meanwhile */
    bool closed, indexed;
    struct segment segment;
    struct seal_frame footer;
    struct index index;
    struct end_place *ends; /* by seq; NULL until asked for */
    size_t end_count;
    bool ends_known;
    uint64_t read; /* bytes of frames, for measurements */
};

/* All segments of a directory, oldest first; opened when they are needed. */
struct shelf {
    const char *dir;
    struct volume *volume;
    size_t count;
};

enum status shelf_open(const char *dir, struct shelf *shelf, struct fault *fault) WRIT_MUST_USE;
void shelf_close(struct shelf *shelf);
uint64_t shelf_read(const struct shelf *shelf); /* bytes */
/* NULL in *out when it is gone. Makes a missing or damaged index anew where the
 * directory can be written. */
enum status shelf_volume(struct shelf *shelf, size_t at, struct volume **out,
                         struct fault *fault) WRIT_MUST_USE;
/* An index that turned out damaged: away with it, and a new one. */
enum status volume_reindex(struct shelf *shelf, struct volume *volume) WRIT_MUST_USE;

/* Reads all frames of a volume. */
typedef enum status (*volume_visitor)(void *context, const struct scan *scan);
enum status volume_scan(struct volume *volume, volume_visitor visitor, void *context) WRIT_MUST_USE;
/* The end of the line, if the log holds one in this volume or a newer one (the
 * next alone when near). *found says so. */
enum status shelf_end(struct shelf *shelf, size_t at, uint64_t seq, bool near, struct ending *out,
                      bool *found) WRIT_MUST_USE;

#endif

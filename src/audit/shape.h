/* audit/shape.h - the shape of an object: the segments of its path that look like
 * ids become '*'; and the smallest set of patterns over many shapes.
 *
 * The audit does not know the doors, so an object is parted at '/' if it has one,
 * else at ':', else at '.'. Each star stands for one whole part, and covers it
 * under every door's rules: a star runs at least as far as to the next of these. */
#ifndef WRIT_AUDIT_SHAPE_H
#define WRIT_AUDIT_SHAPE_H

#include "base/buffer.h"
#include "record.h"

char shape_separator(struct slice object);
/* Digits, a UUID, a date, a long hexadecimal or random looking word. */
bool shape_is_id(struct slice part);
/* The shape is never longer than the object; out holds what it needs. */
struct slice shape_of(struct slice object, char out[AUDIT_TEXT_MAX]);

/* Gathers shapes of the objects of one resource and action. */
struct shapes;
enum {
    SHAPES_FAN_MAX = 24, /* more different names at one place become '*' */
    SHAPES_DEPTHS = 3    /* with ends at so many different depths, "**" */
};

enum status shapes_new(struct shapes **out) WRIT_MUST_USE;
void shapes_free(struct shapes *shapes);
enum status shapes_add(struct shapes *shapes, struct slice shape) WRIT_MUST_USE;
/* Calls with each pattern, valid as the object of a right of at most room bytes. */
typedef enum status (*shapes_taker)(void *context, struct slice pattern);
enum status shapes_each(const struct shapes *shapes, size_t room, shapes_taker taker,
                        void *context) WRIT_MUST_USE;

#endif

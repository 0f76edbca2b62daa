/* base/nearest.c - "did you mean": the edit distance between short names. */
#include "base/nearest.h"

enum { NAME_MAX_COMPARED = 64 };

static size_t
distance(struct slice a, struct slice b)
{
    size_t row[NAME_MAX_COMPARED + 1];

    for (size_t j = 0; j <= b.size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t change = diagonal + (a.at[i - 1] != b.at[j - 1]);
            size_t other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = change < other ? change : other;
        }
    }
    return row[b.size];
}

struct nearest
nearest_to(struct slice name)
{
    return (struct nearest){ .name = name, .distance = SIZE_MAX };
}

void
nearest_see(struct nearest *nearest, struct slice candidate)
{
    size_t found;

    if (candidate.size > NAME_MAX_COMPARED || nearest->name.size > NAME_MAX_COMPARED)
        return;
    found = distance(nearest->name, candidate);
    if (found < nearest->distance) {
        nearest->distance = found;
        nearest->best = candidate;
    }
}

bool
nearest_found(const struct nearest *nearest)
{
    return nearest->distance <= 1 + nearest->name.size / 3;
}

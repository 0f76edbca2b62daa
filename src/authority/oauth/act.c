/* authority/oauth/act.c - on whose behalf a token is used, as its lineage tells it. */
#include "oauth.h"

static struct slice
subject_of(const struct authority *authority, const struct lineage *lineage, size_t i)
{
    return names_text(world_names(authority->world), lineage->links[i].subject);
}

struct slice
oauth_sub(const struct authority *authority, const struct lineage *lineage)
{
    return lineage->count == 0 ? (struct slice){ 0 }
                               : subject_of(authority, lineage, lineage->count - 1);
}

/* From the root to the presented token, so that the newest ends outermost. */
json_t *
oauth_act(const struct authority *authority, const struct lineage *lineage)
{
    json_t *act = NULL;

    for (size_t i = lineage->count; i > 1; i--) {
        json_t *actor;

        if (lineage->links[i - 2].subject == lineage->links[i - 1].subject)
            continue;
        actor = json_object();
        json_object_set_new(actor, "sub", json_slice(subject_of(authority, lineage, i - 2)));
        if (act != NULL)
            json_object_set_new(actor, "act", act);
        act = actor;
    }
    return act;
}

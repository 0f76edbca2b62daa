/* policy/restrict.c - what holds a token back whatever its rights are: subjects that are
 * gone, and the networks that it is tied to. */
#include "restrict.h"

bool
subject_holds(const struct policy *policy, const struct subject *subject, name_id role, int64_t now)
{
    for (size_t i = 0; i < subject->role_count; i++) {
        if (subject->roles[i] == role && now < subject->until[i])
            return true;
    }
    for (size_t i = 0; i < subject->role_count; i++) {
        const struct role *held = policy_find_role(policy, subject->roles[i]);

        if (held != NULL && now < subject->until[i] && role_is_or_inherits(held, role))
            return true;
    }
    return false;
}

bool
subjects_act(struct question *question, struct finding *out)
{
    const struct lineage *lineage = question->lineage;

    for (size_t i = 0; i < lineage->count; i++) {
        const struct subject *subject =
            policy_find_subject(question->policy, lineage->links[i].subject);

        question->subjects[i] = subject;
        if (subject == NULL || subject->disabled) {
            *out = (struct finding){ .cause = subject == NULL ? CAUSE_NO_SUBJECT : CAUSE_DISABLED,
                                     .link = i };
            return false;
        }
    }
    return true;
}

static bool
in_caveat_networks(struct slice networks, const struct ip *peer)
{
    struct slice text;
    bool inside = false;

    while (slice_next(&networks, ' ', &text)) {
        struct cidr cidr;

        if (text.size == 0)
            continue;
        if (cidr_parse(text, &cidr) != STATUS_OK)
            return false;
        inside |= cidr_contains(&cidr, peer);
    }
    return inside;
}

static bool
passes_networks(const struct question *question, size_t at, struct finding *out)
{
    const struct lineage_link *link = &question->lineage->links[at];
    const struct ip *peer = &question->request->peer;
    bool inside = link->network_count == 0;

    for (size_t i = 0; i < link->network_count && !inside; i++)
        inside = cidr_contains(&link->networks[i], peer);
    if (!inside) {
        *out = (struct finding){ .cause = CAUSE_NETWORK, .link = at };
        return false;
    }
    for (size_t i = 0; i < link->caveat_network_count; i++) {
        if (in_caveat_networks(link->caveat_networks[i], peer))
            continue;
        *out = (struct finding){ .cause = CAUSE_CAVEAT_NETWORK,
                                 .link = at,
                                 .narrowing = link->caveat_networks[i] };
        return false;
    }
    return true;
}

bool
networks_hold(const struct question *question, struct finding *out)
{
    for (size_t i = 0; i < question->lineage->count; i++) {
        if (!passes_networks(question, i, out))
            return false;
    }
    return true;
}

/* gateway/approval.h - a request that somebody else must approve: it waits where it is, with
 * its bytes, so that what is approved is what passes. */
#ifndef WRIT_GATEWAY_APPROVAL_H
#define WRIT_GATEWAY_APPROVAL_H

#include "pipeline_inside.h"

/* The finding is a refusal. True: an approval would change it and is asked for; the passage
 * enters the pipeline again, or is refused, when the answer is there. */
bool approval_wait(struct passage *passage, const struct finding *finding);
/* Nobody waits for the answer any more: the passage ends by it all the same. */
void approval_forsake(struct passage *passage);
/* Who approved it, for the audit; empty: nobody had to. */
struct slice approval_words(const struct passage *passage);
/* The passage is over. */
void approval_end(struct passage *passage);

#endif

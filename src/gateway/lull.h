/* gateway/lull.h - the audit's journal is full for a moment: sessions wait rather than be
 * refused. Their clients are held back by it, as by any slow reader. */
#ifndef WRIT_GATEWAY_LULL_H
#define WRIT_GATEWAY_LULL_H

#include "gate.h"

/* One for each door on a lane. */
struct lull {
    struct gate *gate;
    struct timer timer;
    uint64_t since_us;               /* 0: there is room */
    void (*over)(struct lull *lull); /* asked to go on with what waits */
};

void lull_init(struct lull *lull, struct gate *gate, void (*over)(struct lull *lull));
/* Must what is asked now wait? Then `over` comes. A journal that stays full for long is a
 * fault: nothing waits for it any more, and what is asked is refused. */
bool lull_holds(struct lull *lull);
void lull_end(struct lull *lull);

#endif

/* docs/model/revocation.pml - a confirmed revocation is enforced: the fleet's protocol of
 * beats, leases, the change log and the nodes' list (src/authority/fleet.c), as a model that
 * spin searches to its end. `make model` runs it; docs/fleet.md says what it leaves out.
 *
 * One token, one revocation. NODES nodes may let the token through; one more, the revoker,
 * commits the revocation and confirms it. Any node may start at any time, stand still for any
 * time between any two steps, lose what it sends or the answer, crash, or stop in order. A node
 * that starts again is another node: it has a new id and a new row.
 *
 * Each WITHOUT_… takes one thing out that the safety rests on; spin must find what follows.
 *   WITHOUT_SENDING   the lease counts from the answer to the beat, not from before it
 *   WITHOUT_MARGIN    nothing is added for a clock that runs slow
 *   WITHOUT_ORDER     the look comes before the beat
 *   WITHOUT_LANES     a beat tells what the node has read, not what its lanes enforce
 *   WITHOUT_STAYING   a node leaves the list while its lanes still finish what is open
 *   WITHOUT_BEATS     a node is fenced though it has beaten since it was looked at
 * NEVER_… claims that something can't be reached which must be: a proof of nothing is easy. */

#ifndef NODES
#define NODES 2
#endif
#ifndef LEASE
#define LEASE 1 /* ticks; fleet.staleness */
#endif
#ifdef WITHOUT_MARGIN
#define MARGIN 0
#else
#define MARGIN 1 /* MARGIN_MS: as much as a clock may lose in a lease */
#endif

/* --- the shared store: every statement is one step ---------------------------------------- */

bool committed;          /* the revocation stands in the log */
bool listed[NODES];      /* the node's row is there */
bool told[NODES];        /* row.seq: it has confirmed the revocation */
bool moved[NODES];       /* row.beats is another than the revoker saw last */
bool fenced[NODES];      /* row.fenced */

/* --- a node ---------------------------------------------------------------------------------- */

mtype = { OUT, IDLE, SENT, WRITTEN, STOPPING, GONE };

mtype at[NODES] = OUT;
bool knows[NODES];       /* it has read the revocation from the log */
bool enforces[NODES];    /* all its lanes work on that picture, and have cut what is open */
bool waiting[NODES];     /* a lease waits for the lanes to enforce what was read with it */
byte age[NODES];         /* ticks since the time that this lease counts from */
byte left[NODES];        /* ticks until the lease that the lanes have is over */
bool lost_age[NODES], lost_left[NODES]; /* its clock has lost its tick of that lease */
bool late[NODES];        /* a beat that was given up, and may yet reach the store */

/* The revoker's memory of the others, on its own clock. */
bool saw[NODES];         /* in the list, when it looked last */
byte still[NODES];       /* ticks for which the beats have not moved */
bool confirmed;

/* Some lane would let the token through, or leaves a session of it open. */
#define ACTS(i) (left[i] > 0 && !enforces[i])

/* A lease is being made, and has not come to nothing yet. */
#define MAKES(i) ((waiting[i] || at[i] == SENT || at[i] == WRITTEN) && !enforces[i])

inline write_beat(i)
{
    /* Like any insert or update of one row: whole, whenever it arrives. */
    listed[i] = true;
    moved[i] = !confirmed;
    fenced[i] = false;
}

inline look(i)
{
    knows[i] = committed;
}

/* What a beat says is enforced. */
inline tell(i)
{
#ifdef WITHOUT_LANES
    told[i] = told[i] || knows[i];
#else
    told[i] = told[i] || (knows[i] && enforces[i]);
#endif
}

/* What it can't do any more, it can do with or without a lease: none is counted further. */
inline enforce(i)
{
    enforces[i] = true;
    left[i] = 0;
    lost_left[i] = false;
}

inline forget_lease(i)
{ /* one that is being made */
    waiting[i] = false;
    age[i] = 0;
    lost_age[i] = false;
}

inline end(i)
{
    at[i] = GONE;
    forget_lease(i);
    left[i] = 0;
    lost_left[i] = false;
    knows[i] = false;
    enforces[i] = false;
}

proctype Node(byte i)
{
    do
    /* It starts: what the store holds is loaded; nothing is let through before a lease. */
    :: d_step { at[i] == OUT -> at[i] = IDLE; look(i); enforces[i] = knows[i]; }

    /* A beat: the time is taken, the beat is sent. */
    :: d_step { at[i] == IDLE -> at[i] = SENT; forget_lease(i);
#ifdef WITHOUT_ORDER
            look(i);
#endif
        }
    /* It arrives, and is answered. */
    :: d_step { at[i] == SENT -> at[i] = WRITTEN; write_beat(i); tell(i); }
    /* It arrives, the answer does not; or nothing arrives; or it arrives some time. */
    :: d_step { at[i] == SENT -> at[i] = IDLE; write_beat(i); tell(i); forget_lease(i); }
    :: d_step { at[i] == SENT -> at[i] = IDLE; forget_lease(i); }
    :: d_step { at[i] == SENT && !late[i] -> at[i] = IDLE; late[i] = true; forget_lease(i); }
    :: d_step { late[i] -> late[i] = false; write_beat(i); }
    /* The look that makes the lease. */
    :: d_step { at[i] == WRITTEN -> at[i] = IDLE; waiting[i] = true;
#ifndef WITHOUT_ORDER
            look(i);
#endif
#ifdef WITHOUT_SENDING
            age[i] = 0;
#endif
        }
    :: d_step { at[i] == WRITTEN -> at[i] = IDLE; forget_lease(i); }

    /* A notification came: it looks without a beat, and without a lease. */
    :: d_step { at[i] == IDLE && committed && !knows[i] -> look(i); }

    /* The lanes, at their own pace; what they enforce prolongs the lease and is told. */
    :: d_step { knows[i] && !enforces[i] && at[i] != OUT && at[i] != GONE -> enforce(i); }
    :: d_step { at[i] == IDLE && waiting[i] && (enforces[i] || !knows[i]) ->
            if
            :: !enforces[i] && LEASE - age[i] > left[i] -> left[i] = LEASE - age[i]; lost_left[i] = lost_age[i];
            :: else
            fi;
            forget_lease(i);
        }
    :: d_step { at[i] == IDLE && enforces[i] && listed[i] && !told[i] -> told[i] = true; }

    /* It crashes, or stops in order: no beat any more, the lanes finish what is open. */
    :: d_step { at[i] != OUT && at[i] != GONE -> end(i); }
    :: d_step { at[i] == IDLE -> at[i] = STOPPING; forget_lease(i);
#ifdef WITHOUT_STAYING
            listed[i] = false;
#endif
        }
    :: d_step { at[i] == STOPPING -> end(i); listed[i] = false; }
    od
}

/* --- who revokes ------------------------------------------------------------------------------ */

byte n;
bool all;

/* The list is read in one statement; what is concluded, is concluded of it alone. */
inline look_at_nodes()
{
    all = true;
    n = 0;
    do
    :: n < NODES ->
        if
        :: listed[n] && (moved[n] || !saw[n]) -> still[n] = 0; moved[n] = false;
        :: else
        fi;
        saw[n] = listed[n];
        all = all && (!listed[n] || told[n] || fenced[n]);
        n++;
    :: else -> break
    od;
    n = 0;
}

/* It looks no more. */
inline forget_nodes()
{
    do
    :: n < NODES -> saw[n] = false; still[n] = 0; moved[n] = false; n++;
    :: else -> break
    od;
    n = 0;
}

proctype Revoker()
{
    byte i;

    do
    :: d_step { !committed -> committed = true; }
    /* Also before: earlier revocations made it look. */
    :: d_step { !confirmed -> look_at_nodes();
            confirmed = committed && all;
            all = false;
            if
            :: confirmed -> forget_nodes();
            :: else
            fi
        }
    :: !confirmed ->
        i = 0;
        do
        :: i < NODES - 1 -> i++
        :: break
        od;
        if
        :: saw[i] && still[i] >= LEASE + MARGIN ->
            /* The store fences it unless it has beaten since. */
            d_step {
#ifdef WITHOUT_BEATS
                listed[i] -> fenced[i] = true;
#else
                if
                :: listed[i] && !moved[i] -> fenced[i] = true;
                :: else
                fi;
#endif
            }
        :: else
        fi;
        i = 0
    od
}

/* --- time ------------------------------------------------------------------------------------- */

/* A clock that may lose one tick in a lease. */
inline age_lease(i)
{
    if
    :: MAKES(i) && age[i] < LEASE -> age[i]++;
    :: MAKES(i) && !lost_age[i] -> lost_age[i] = true;
    :: else
    fi
}

inline use_lease(i)
{
    if
    :: left[i] > 0 -> left[i]--;
    :: left[i] > 0 && !lost_left[i] -> lost_left[i] = true;
    :: else
    fi;
    if
    :: left[i] == 0 -> lost_left[i] = false;
    :: else
    fi
}

inline count_still(i)
{
    if
    :: saw[i] && still[i] < LEASE + MARGIN -> still[i]++;
    :: else
    fi
}

/* A tick passes for all at once. */
proctype Clock()
{
    byte i;

    do
    :: atomic {
            i = 0;
            do
            :: i < NODES -> age_lease(i); use_lease(i); count_still(i); i++;
            :: else -> break
            od;
            i = 0
        }
    od
}

/* --- what must hold --------------------------------------------------------------------------- */

#if NODES == 1
#define ANY_ACTS ACTS(0)
#elif NODES == 2
#define ANY_ACTS (ACTS(0) || ACTS(1))
#define ANY_FENCED (fenced[0] || fenced[1])
#else
#define ANY_ACTS (ACTS(0) || ACTS(1) || ACTS(2))
#define ANY_FENCED (fenced[0] || fenced[1] || fenced[2])
#endif

#if defined(NEVER_APPLIED)
#define WRONG (confirmed && told[0] && !fenced[0] && at[0] == IDLE)
#elif defined(NEVER_FENCED)
#define WRONG (confirmed && fenced[0] && at[0] == SENT)
#elif defined(NEVER_LEFT)
#define WRONG (confirmed && !listed[0] && at[0] == GONE && !late[0])
#else
#define WRONG (confirmed && ANY_ACTS)
#endif

active proctype Monitor()
{
    atomic { WRONG -> assert(false) }
}

init {
    atomic {
        run Clock();
        run Revoker();
        run Node(0);
#if NODES > 1
        run Node(1);
#endif
#if NODES > 2
        run Node(2);
#endif
    }
}

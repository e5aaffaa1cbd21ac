/* The first process of a parked box while all it does is simple: it makes the box from a tape of system
 * calls, keeps a spare, and runs one order of the host at a time in it. It is a copy of an interpreter that
 * runs no Python, so it copies hardly a page of it. Whatever else a host asks for, it returns to Python with
 * all it has: sandlot/guest/init.py has the same structures and says what they mean.
 *
 * It trusts the host, which sends whole frames of its own; what comes out of the box it counts and passes on,
 * and never reads.
 */
#ifndef SANDLOT_INIT_H
#define SANDLOT_INIT_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

enum { IN, OUT, COMPLAINTS, REPORT };                       /* descriptors of the box's first process */
enum { MOST_GIVEN = 16, WORDS = 7, TAPS = 3 };
enum { ROOM_IN = 196608, ROOM_OUT = 131072, MOST_CLAIM = 16384, MOST_READY = 4096 };
enum { MAX_PAYLOAD = 65536, INITIAL_CREDIT = 262144, HEADER = 9 };

/* What `sandlot_box_birth` returns in the processes that it makes. */
enum { BORN_SPARE = -1000001, BORN_AGENT = -1000002, LEAST_ERROR = -1000000 };

struct call {
    long words[WORDS];
    long foretold;
};

struct answer {
    const unsigned char *bytes;
    long length;
};

struct tape {
    const struct call *calls;
    long count;
    const struct answer *answers; /* filled with zeros by the calls, or something is wrong */
    long answer_count;
};

struct text {
    const char *bytes;
    long length;
};

struct mould {
    long clone_flags;
    long tid_at;            /* where the C library keeps the thread id */
    struct tape making;     /* from a new process with descriptors 0 to 3 to a box */
    struct tape enclosing;  /* the walls of a spare that do not wait for its order */
    struct tape confining;  /* those that do, but for the resource limits */
    struct tape settling;   /* the agent's late walls, when a box is claimed */
    struct tape widening;   /* before that, when another workspace was mounted in it */
    struct text hello;      /* what the host says first */
    struct text answer;     /* what it is told: this, the spare's walls, and `answer_end` */
    struct text answer_end;
    struct text enclosed;   /* names of the walls of `enclosing` */
    long stands_alone;      /* whether a payload has the wall `session` */
    long is_limited;        /* whether it has the wall `rlimits` */
    long held_first;        /* descriptors that a spare keeps for its late walls */
    long held_count;
};

struct box {
    long waiting, go; /* the box begins when its zygote has written to the pipe */
    long given[MOST_GIVEN];
    long given_count;
    long pidfd;
};

/* Where the ends of a payload's pipes stand in the first process: from 220 on those of the spare and of what it
 * becomes, from 230 on those of a command that was started by exec. */
enum { OF_SPARE = 220, OF_EXEC = 230, ASIDE = 240 };
enum { ORDERS, REPORTS, STDIN, STDOUT, STDERR, VALUE, PIPES };

/* What a payload said before its program began. Of a spare a line first, its processor time in microseconds and
 * its walls as JSON; of any a complaint, when it could not begin. */
struct heard {
    long length;
    char bytes[MOST_READY];
};

struct spare {
    long pid; /* 0: there is none */
    struct heard heard;
};

struct tap {
    long is_open;
    uint64_t keep, drop; /* bytes to pass on, and to drop after them before it is a flood */
    uint64_t kept, dropped;
};

enum verdict { BY_NOBODY, BY_SELF, BY_TIMEOUT, BY_ORDER };
enum reason { NO_REASON, KILLED, OUTPUT_LIMIT };

struct run {
    long stream; /* 0: nothing runs */
    long pid;    /* 0: it is dead */
    long base;   /* where the ends of its pipes stand */
    long is_told, is_dead, is_ending, is_over, is_last, is_failed;
    long by, reason;
    long status;
    long window;
    double begun, seconds, timeout; /* timeout below 0: none */
    double grace_until, patience_until, words_until;
    double main_cpu, spare_cpu, strangers_cpu;
    long main_peak, strangers_peak;
    struct tap taps[TAPS];
    long is_exec;      /* what kind of text the order has */
    const char *order; /* as it came */
    long order_length;
    const char *unsent; /* what the spare has not taken yet */
    long unsent_length;
    struct heard heard;
};

/* All there is; Python takes it over from here. */
struct init {
    long is_greeted, is_moved, is_claimed;
    long latest, commands;
    struct spare spare;
    struct run run;
    double flush_at;
    long in_begin, in_end;
    long out_begin, out_end;
    long claim_length, message_length;
    char claim[MOST_CLAIM];
    char message[MOST_CLAIM + MAX_PAYLOAD + 8]; /* to the spare: claim, order */
    char in[ROOM_IN];
    char out[ROOM_OUT];
};

extern struct init init_state;
extern struct sigaction usual_interrupt;

/* birth.c */
void complain(const char *what, int error);
int play(const struct tape *tape, long *failed);

/* payload.c */
int payload_pipes(long base, int far[PIPES]);              /* 0 or errno, with nothing open then */
void payload_close(int ends[PIPES]);
void payload_restore_signals(void);
int payload_take_ends(const struct mould *mould, const int far[PIPES]);
int payload_stand_alone(const struct mould *mould);
int payload_confine(const struct mould *mould, struct text claim); /* the walls that waited for the order */

/* spare.c */
long spare_start(const struct mould *mould); /* 0, -errno, or what to return to Python in the spare */
long spare_await(void);                      /* 0 when it is ready */
void spare_lost(void);                       /* it died while it waited */
double heard_cpu(const struct heard *heard);
struct text heard_walls(const struct heard *heard);

/* exec.c */
int exec_start(const struct mould *mould, struct text order, long *pid); /* 0, or errno */

/* channel.c */
struct frame {
    int kind;
    long stream, length;
    char *payload;
};
enum kind { HELLO = 1, OPEN = 2, INPUT, INPUT_END, SOURCE, SOURCE_END, OUTPUT, ERROUT, VALUED, EVENT, DONE,
            CREDIT, SIGNAL, RESIZE, CANCEL, CLAIM, MOVED, ORDER, KINDS };
void channel_read(void);
int channel_next(struct frame *frame); /* the frame at the head of what was read */
void channel_taken(const struct frame *frame);
void channel_put(int kind, long stream, const char *payload, long length);
char *channel_room(long *room); /* where the payload of the next frame may be read to */
void channel_flush(void);

/* run.c */
int run_begin(const struct mould *mould, const struct frame *order, long *child);
void run_credit(const struct frame *frame);
void run_discard(void);
void run_step(void);          /* after each wait: what is due, what has ended */
void run_tap(int tap);        /* its pipe has something */
void run_listen(void);        /* the spare reports */
void run_feed(void);          /* the spare may take more of its order */
void run_reap(void);          /* a child changed its state */
double run_due(void);         /* the next instant at which `run_step` has something to do */

/* taps.c */
int tap_wants(int tap); /* whether its pipe is to be read now */
int tap_pass_on(int tap); /* read it once; whether more may be there */
void tap_close(int tap);
void tap_drain(int is_late);

double now(void);

#endif

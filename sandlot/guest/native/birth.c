/* From the clone to a box that stands, and the wait for what its host says. */
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum { FAILED = 1, PROTOCOL_BROKEN = 3 };
enum { AT_IN = TAPS, AT_OUT, AT_ORDERS, AT_REPORTS };
enum { DEAF = 32768 }; /* so much waits for the host: no more of its requests are read */

struct init init_state;
struct sigaction usual_interrupt; /* what the interpreter does about it, for spares */

double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void complain(const char *what, int error) {
    char line[512];
    const char *why = error ? strerror(error) : "";
    size_t length = (size_t)snprintf(line, sizeof line, "sandlot init: %s%s%s\n", what, error ? ": " : "", why);
    if (write(COMPLAINTS, line, length < sizeof line ? length : sizeof line) < 0) {
        return; /* nobody listens any more */
    }
}

static _Noreturn void give_up(const char *what, int error, int status) {
    complain(what, error);
    _exit(status);
}

int play(const struct tape *tape, long *failed) {
    for (long i = 0; i < tape->count; i++) {
        const long *words = tape->calls[i].words;
        if (syscall(words[0], words[1], words[2], words[3], words[4], words[5], words[6]) !=
            tape->calls[i].foretold) {
            *failed = i;
            return errno ? errno : EPROTO;
        }
    }
    for (long i = 0; i < tape->answer_count; i++) {
        for (long j = 0; j < tape->answers[i].length; j++) {
            if (tape->answers[i].bytes[j]) {
                *failed = tape->count;
                return EPERM;
            }
        }
    }
    return 0;
}

static void played(const struct tape *tape, const char *what) {
    long failed = 0;
    int error = play(tape, &failed);
    if (error) {
        char text[128];
        snprintf(text, sizeof text, "%s: system call %ld of its tape (number %ld) is not as foretold", what,
                 failed, failed < tape->count ? tape->calls[failed].words[0] : -1L);
        give_up(text, error, PROTOCOL_BROKEN);
    }
}

static void enter_groups(const struct box *box) {
    for (long i = REPORT + 1; i < box->given_count; i++) {
        if (write((int)box->given[i], "0", 1) != 1) {
            give_up("the control group cannot be entered", errno, FAILED);
        }
        close((int)box->given[i]);
    }
}

static void take_descriptors(const struct box *box) {
    for (int i = IN; i <= REPORT; i++) {
        int made = i < REPORT ? dup2((int)box->given[i], i) : dup3((int)box->given[i], i, O_CLOEXEC);
        if (made < 0) {
            give_up("a descriptor cannot be placed", errno, FAILED);
        }
    }
    if (syscall(SYS_close_range, REPORT + 1, ~0U, 0)) {
        give_up("descriptors cannot be closed", errno, FAILED);
    }
}

static void noticed(int number) {
    (void)number; /* that ppoll(2) was interrupted is all that is wanted */
}

static void guard_signals(void) {
    /* No other signal reaches the first process of a pid namespace without a handler (pid_namespaces(7)),
     * and an interpreter has one for SIGINT. */
    struct sigaction ignored = {.sa_handler = SIG_IGN}, woken = {.sa_handler = noticed};
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    sigaction(SIGINT, &ignored, &usual_interrupt);
    sigaction(SIGCHLD, &woken, NULL);
}

static void unguard_children(void) {
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t nothing;
    sigemptyset(&nothing);
    sigaction(SIGCHLD, &usual, NULL);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
}

static void furnish(const struct mould *mould, const struct box *box) {
    char sign = 0;
    close((int)box->go);
    if (read((int)box->waiting, &sign, 1) != 1 || sign != '+') {
        _exit(FAILED);
    }
    dup2((int)box->given[COMPLAINTS], COMPLAINTS); /* what goes wrong from here on is told there */
    enter_groups(box);
    take_descriptors(box);
    umask(022);
    if (chdir("/") || (getsid(0) != getpid() && setsid() < 0)) {
        give_up("the box cannot begin", errno, FAILED);
    }
    played(&mould->making, "the box cannot be made");
    guard_signals();
}

static void greet(const struct mould *mould, const struct frame *frame) {
    struct text walls = heard_walls(&init_state.spare.heard);
    char answer[3 * MOST_READY];
    if (frame->kind != HELLO || frame->length != mould->hello.length ||
        memcmp(frame->payload, mould->hello.bytes, (size_t)frame->length)) {
        give_up("the box was parked with other walls than the host asks for", 0, PROTOCOL_BROKEN);
    }
    int length = snprintf(answer, sizeof answer, "%.*s%.*s%.*s", (int)mould->answer.length, mould->answer.bytes,
                          (int)walls.length, walls.bytes, (int)mould->answer_end.length,
                          mould->answer_end.bytes);
    if (length >= (int)sizeof answer) {
        give_up("the names of its walls are too long", 0, PROTOCOL_BROKEN);
    }
    init_state.is_greeted = 1;
    channel_put(HELLO, 0, answer, length);
    channel_flush();
}

/* Do what a frame of the host says: 0, or what to return to Python. */
static long obey(const struct mould *mould, const struct frame *frame) {
    struct init *init = &init_state;
    if (!init->is_greeted) {
        greet(mould, frame);
    } else if (frame->kind == MOVED && !init->is_claimed) {
        init->is_moved = 1;
    } else if (frame->kind == CLAIM && !init->is_claimed && frame->length < MOST_CLAIM) {
        memcpy(init->claim, frame->payload, (size_t)frame->length);
        init->claim_length = frame->length;
        init->is_claimed = 1;
        if (init->is_moved) {
            played(&mould->widening, "the box is refused");
        }
        played(&mould->settling, "the box is refused");
    } else if (frame->kind == ORDER && init->is_claimed && !init->run.stream && frame->stream % 2 &&
               frame->stream > init->latest) {
        long child = 0;
        if (!run_begin(mould, frame, &child)) {
            return BORN_AGENT;
        }
        if (child) {
            return child;
        }
    } else if (frame->stream && frame->stream == init->run.stream && frame->kind == CREDIT) {
        run_credit(frame);
    } else if (frame->stream && frame->stream == init->run.stream && frame->kind == CANCEL) {
        run_discard();
    } else if (frame->kind == ORDER || frame->stream == 0 || frame->stream == init->run.stream ||
               frame->stream > init->latest) {
        return BORN_AGENT;
    } /* else it is about something that is over, and the host does not know yet */
    channel_taken(frame);
    return 0;
}

static void await(void) {
    struct init *init = &init_state;
    struct pollfd watched[4 + TAPS];
    int what[4 + TAPS], count = 0;
    if (init->out_end - init->out_begin < DEAF && init->in_end - init->in_begin < ROOM_IN) {
        what[count] = AT_IN;
        watched[count++] = (struct pollfd){.fd = IN, .events = POLLIN};
    }
    if (init->out_end > init->out_begin) {
        what[count] = AT_OUT;
        watched[count++] = (struct pollfd){.fd = OUT, .events = init->flush_at > 0 ? 0 : POLLOUT};
    }
    if (init->run.stream && init->run.unsent_length) {
        what[count] = AT_ORDERS;
        watched[count++] = (struct pollfd){.fd = (int)init->run.base + ORDERS, .events = POLLOUT};
    }
    if (init->run.stream && !init->run.is_told) {
        what[count] = AT_REPORTS;
        watched[count++] = (struct pollfd){.fd = (int)init->run.base + REPORTS, .events = POLLIN};
    }
    for (int tap = 0; init->run.stream && tap < TAPS; tap++) {
        if (tap_wants(tap)) {
            what[count] = tap;
            watched[count++] = (struct pollfd){.fd = (int)init->run.base + STDOUT + tap, .events = POLLIN};
        }
    }
    double due = run_due();
    if (init->flush_at > 0 && (due < 0 || init->flush_at < due)) {
        due = init->flush_at;
    }
    double left = due < 0 ? 0 : due - now();
    left = left < 0 ? 0 : left > 3600 ? 3600 : left;
    struct timespec patience = {.tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
    sigset_t open;
    sigemptyset(&open);
    if (ppoll(watched, (nfds_t)count, due < 0 ? NULL : &patience, &open) < 0) {
        count = 0;
    }
    run_reap();
    for (int i = 0; i < count; i++) {
        if (!watched[i].revents) {
            continue;
        }
        switch (what[i]) {
        case AT_IN: channel_read(); break;
        case AT_OUT: channel_flush(); break;
        case AT_ORDERS: run_feed(); break;
        case AT_REPORTS: run_listen(); break;
        default: run_tap(what[i]);
        }
    }
}

/* Whether what runs, if anything does, can go on in Python now: not between two states that it does not know. */
static int is_ripe(void) {
    const struct run *run = &init_state.run;
    return !run->stream || run->is_over || (run->is_told && !run->is_failed && !run->is_dead && run->by == BY_NOBODY);
}

static long serve(const struct mould *mould) {
    struct init *init = &init_state;
    for (;;) {
        struct frame frame;
        while (init->out_end - init->out_begin < DEAF && channel_next(&frame)) {
            long result = obey(mould, &frame);
            if (result == BORN_AGENT && !is_ripe()) {
                break;
            }
            if (result) {
                return result;
            }
        }
        run_step();
        if (!init->run.stream && !init->spare.pid && !init->run.is_last && init->is_claimed) {
            long child = spare_start(mould);
            if (child < LEAST_ERROR) {
                return child;
            } /* without room for one now, the next order tries again, and says why not */
        }
        if (init->flush_at > 0 && init->flush_at <= now()) {
            channel_flush();
        }
        await();
    }
}

/* Make a box: the pid of its first process, or -errno; BORN_... in the processes that it makes. */
EXPORT long sandlot_box_birth(const struct mould *mould, struct box *box) {
    int pidfd = -1;
    uint64_t arguments[11] = {(uint64_t)mould->clone_flags, (uint64_t)(uintptr_t)&pidfd, (uint64_t)mould->tid_at};
    long pid = syscall(SYS_clone3, arguments, sizeof arguments);
    if (pid) {
        box->pidfd = pidfd;
        return pid < 0 ? -errno : pid;
    }
    furnish(mould, box);
    long child = spare_start(mould);
    if (child < LEAST_ERROR) {
        return child;
    }
    if (child < 0) {
        give_up("the box is refused: no spare", (int)-child, PROTOCOL_BROKEN);
    }
    if (spare_await()) {
        give_up("the box is refused: its spare is not behind its walls", 0, PROTOCOL_BROKEN);
    }
    if (write(REPORT, "+", 1) != 1) {
        _exit(FAILED);
    }
    close(REPORT);
    fcntl(IN, F_SETFL, fcntl(IN, F_GETFL) | O_NONBLOCK);
    fcntl(OUT, F_SETFL, fcntl(OUT, F_GETFL) | O_NONBLOCK);
    long result = serve(mould);
    if (result == BORN_AGENT) {
        unguard_children();
    }
    return result;
}

EXPORT struct init *sandlot_init_state(void) {
    return &init_state;
}

/* So that both sides can see that they mean the same. */
EXPORT long sandlot_init_sizes(void) {
    return (long)(sizeof(struct mould) + sizeof(struct box) * 1000 + sizeof(struct init) * 1000000);
}

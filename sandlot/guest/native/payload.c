/* What every payload of the first process begins with: its pipes, its signals, its standing. */
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum { FIRST = 1 };

/* A payload's own descriptors; guest.payload, guest.spare and guest.handler name them too. */
enum { OWN_STDIN, OWN_STDOUT, OWN_STDERR, OWN_REPORTS, OWN_ORDERS, OWN_VALUE };

static const struct {
    const char *name;
    int number;
} limits[] = {
    {"as", RLIMIT_AS},         {"core", RLIMIT_CORE},       {"cpu", RLIMIT_CPU},       {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},   {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},     {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},   {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO}, {"rttime", RLIMIT_RTTIME},   {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

static const struct {
    int near, own, near_reads;
} pipes[PIPES] = {
    {STDIN, OWN_STDIN, 0},     {STDOUT, OWN_STDOUT, 1}, {STDERR, OWN_STDERR, 1},
    {REPORTS, OWN_REPORTS, 1}, {ORDERS, OWN_ORDERS, 0}, {VALUE, OWN_VALUE, 1},
};

static void abandon(long base, const int far[PIPES], int count) {
    for (int i = 0; i < count; i++) {
        close(far[i]);
        close((int)base + pipes[i].near);
    }
}

int payload_pipes(long base, int far[PIPES]) {
    for (int i = 0; i < PIPES; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC)) {
            int error = errno;
            abandon(base, far, i);
            return error;
        }
        int near = ends[!pipes[i].near_reads], place = (int)base + pipes[i].near;
        far[i] = ends[pipes[i].near_reads];
        int made = dup3(near, place, O_CLOEXEC), error = errno;
        close(near);
        if (made < 0) { /* fewer descriptors are allowed than it numbers */
            close(far[i]);
            abandon(base, far, i);
            return error;
        }
        fcntl(place, F_SETFL, fcntl(place, F_GETFL) | O_NONBLOCK);
    }
    return 0;
}

void payload_close(int ends[PIPES]) {
    for (int i = 0; i < PIPES; i++) {
        close(ends[i]);
    }
}

void payload_restore_signals(void) {
    sigset_t nothing;
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigemptyset(&nothing);
    sigaction(SIGCHLD, &usual, NULL);
    sigaction(SIGINT, &usual_interrupt, NULL);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
}

int payload_take_ends(const struct mould *mould, const int far[PIPES]) {
    /* Out of the way first: none of them may be in the place of another. */
    unsigned first = OWN_VALUE + 1;
    for (int i = 0; i < PIPES; i++) {
        if (dup3(far[i], ASIDE + i, O_CLOEXEC) < 0) {
            return errno;
        }
    }
    for (int i = 0; i < PIPES; i++) {
        if (dup3(ASIDE + i, pipes[i].own, pipes[i].own > OWN_STDERR ? O_CLOEXEC : 0) < 0) {
            return errno;
        }
    }
    if (mould->held_count) {
        if (syscall(SYS_close_range, first, (unsigned)mould->held_first - 1, 0)) {
            return errno;
        }
        first = (unsigned)(mould->held_first + mould->held_count);
    }
    return syscall(SYS_close_range, first, ~0U, 0) ? errno : 0;
}

int payload_stand_alone(const struct mould *mould) {
    if (!mould->stands_alone) {
        return 0;
    }
    if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)) {
        return errno;
    }
    return getppid() == FIRST ? 0 : ESRCH;
}

static int lower(const char *name, size_t length, rlim_t value) {
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rlimit now;
        if (strlen(limits[i].name) != length || memcmp(limits[i].name, name, length)) {
            continue;
        }
        if (getrlimit(limits[i].number, &now)) {
            return errno;
        }
        now.rlim_cur = now.rlim_max = now.rlim_max == RLIM_INFINITY || value < now.rlim_max ? value : now.rlim_max;
        return setrlimit(limits[i].number, &now) ? errno : 0;
    }
    return EINVAL;
}

/* The terms of the claim are lines of a name and a number; core files are always off. */
static int lower_all(struct text claim) {
    const char *at = claim.bytes, *end = at + claim.length;
    int error = lower("core", 4, 0);
    while (!error && at < end) {
        const char *line = memchr(at, '\n', (size_t)(end - at)), *space = memchr(at, ' ', (size_t)(end - at));
        if (!line || !space || space > line) {
            return EPROTO;
        }
        error = lower(at, (size_t)(space - at), strtoull(space + 1, NULL, 10));
        at = line + 1;
    }
    return error ? error : lower("core", 4, 0);
}

int payload_confine(const struct mould *mould, struct text claim) {
    long failed = 0;
    int error = mould->is_limited ? lower_all(claim) : 0;
    error = error ? error : play(&mould->confining, &failed);
    if (!error && mould->held_count &&
        syscall(SYS_close_range, (unsigned)mould->held_first, (unsigned)(mould->held_first + mould->held_count - 1),
                0)) {
        error = errno;
    }
    return error;
}

/* The spare: a clone behind its walls that waits for an order. In Python it is sandlot.guest.spare. */
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif

enum { OWN_REPORTS = 3, OWN_ORDERS, NOT_STARTED = 70 };
enum { CHILD_CLEARTID = 0x200000, CHILD_SETTID = 0x1000000 };

static _Noreturn void refuse(const struct mould *mould, int error) {
    char line[512];
    int named = (int)(mould->enclosed.length < 256 ? mould->enclosed.length : 256);
    int length = snprintf(line, sizeof line, "{\"code\":\"failed\",\"message\":\"wall %.*s: %s\"}", named,
                          mould->enclosed.bytes, strerror(error));
    if (write(OWN_REPORTS, line, (size_t)length) < 0) {
        _exit(NOT_STARTED);
    }
    _exit(NOT_STARTED);
}

static long become(const struct mould *mould, const int far[PIPES]) {
    long failed = 0;
    payload_restore_signals();
    int error = payload_take_ends(mould, far);
    error = error ? error : payload_stand_alone(mould);
    error = error ? error : play(&mould->enclosing, &failed);
    if (error) {
        refuse(mould, error);
    }
    return BORN_SPARE;
}

long spare_start(const struct mould *mould) {
    struct spare *spare = &init_state.spare;
    int far[PIPES];
    int error = payload_pipes(OF_SPARE, far);
    if (error) {
        return -error;
    }
    uint64_t arguments[11] = {CHILD_CLEARTID | CHILD_SETTID, 0, (uint64_t)mould->tid_at, 0, SIGCHLD};
    long pid = syscall(SYS_clone3, arguments, sizeof arguments);
    if (pid == 0) {
        return become(mould, far);
    }
    error = errno;
    payload_close(far);
    spare->pid = pid;
    spare->heard.length = 0;
    if (pid < 0) {
        spare_lost();
        return -error;
    }
    return 0;
}

void spare_lost(void) {
    init_state.spare.pid = 0;
    for (int end = 0; end < PIPES; end++) {
        close(OF_SPARE + end);
    }
}

long spare_await(void) {
    struct heard *heard = &init_state.spare.heard;
    int reports = OF_SPARE + REPORTS;
    fcntl(reports, F_SETFL, fcntl(reports, F_GETFL) & ~O_NONBLOCK);
    while (!memchr(heard->bytes, '\n', (size_t)heard->length) && heard->length < MOST_READY) {
        ssize_t length = read(reports, heard->bytes + heard->length, (size_t)(MOST_READY - heard->length));
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length <= 0) {
            break;
        }
        heard->length += length;
    }
    fcntl(reports, F_SETFL, fcntl(reports, F_GETFL) | O_NONBLOCK);
    if (heard_walls(heard).length) {
        return 0;
    }
    return write(COMPLAINTS, heard->bytes, (size_t)heard->length) < 0 ? EIO : EPERM;
}

double heard_cpu(const struct heard *heard) {
    double microseconds = 0;
    for (long i = 0; i < heard->length && heard->bytes[i] >= '0' && heard->bytes[i] <= '9'; i++) {
        microseconds = microseconds * 10 + (heard->bytes[i] - '0');
    }
    return microseconds / 1e6;
}

struct text heard_walls(const struct heard *heard) {
    const char *end = memchr(heard->bytes, '\n', (size_t)heard->length);
    const char *space = memchr(heard->bytes, ' ', (size_t)heard->length);
    struct text nothing = {"", 0};
    if (!end || !space || space > end || heard->bytes[0] < '0' || heard->bytes[0] > '9') {
        return nothing;
    }
    struct text walls = {space + 1, end - space - 1};
    return walls;
}

/* Read to the end into a place of *room* bytes, or into another that is large enough. */
static size_t read_message(const struct mould *mould, char **place, size_t room) {
    size_t length = 0;
    for (;;) {
        ssize_t more = read(OWN_ORDERS, *place + length, room - length);
        if (more < 0 && errno == EINTR) {
            continue;
        }
        if (more <= 0) {
            return length;
        }
        length += (size_t)more;
        if (length == room) {
            char *larger = malloc(room * 2);
            if (!larger) {
                refuse(mould, ENOMEM);
            }
            memcpy(larger, *place, length);
            *place = larger; /* the smaller one goes with the process */
            room *= 2;
        }
    }
}

/* Wait for the order, in a spare that is ready, and put up the walls that waited for it: its text. Without an
 * order the process ends. */
EXPORT void sandlot_spare_wait(const struct mould *mould, struct text *order) {
    static char usual[MOST_CLAIM + MAX_PAYLOAD];
    char *message = usual;
    size_t length = read_message(mould, &message, sizeof usual);
    struct text claim = {message, 0};
    if (!length) {
        _exit(0);
    }
    close(OWN_ORDERS);
    /* Lines, an empty one, the text. */
    const char *empty = *message == '\n' ? message : memmem(message, length, "\n\n", 2);
    if (!empty) {
        refuse(mould, EPROTO);
    }
    claim.length = empty == message ? 0 : empty + 1 - message;
    int error = payload_confine(mould, claim);
    if (error) {
        refuse(mould, error);
    }
    order->bytes = message + claim.length + 1;
    order->length = (long)length - claim.length - 1;
}

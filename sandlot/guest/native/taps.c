/* The outputs of the command under way: passed on as credit allows, counted against their limits. */
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <unistd.h>

enum { TAIL = 2097152 }; /* bytes read after the end: twice what the largest pipe of an ordinary user holds */

static const int kind_of[TAPS] = {OUTPUT, ERROUT, VALUED};

static int end_of(int tap) {
    return (int)init_state.run.base + STDOUT + tap;
}

void tap_close(int tap) {
    if (init_state.run.taps[tap].is_open) {
        init_state.run.taps[tap].is_open = 0;
        close(end_of(tap));
    }
}

int tap_wants(int tap) {
    const struct run *run = &init_state.run;
    const struct tap *each = &run->taps[tap];
    if (!each->is_open || !run->is_told || run->is_over) {
        return 0; /* before the start is told no output is; after the end `tap_drain` reads */
    }
    long room = run->window;
    channel_room(&room);
    return each->kept >= each->keep || room > 0;
}

int tap_pass_on(int tap) {
    struct run *run = &init_state.run;
    struct tap *each = &run->taps[tap];
    static char dropped[16384];
    long room = run->window < MAX_PAYLOAD ? run->window : MAX_PAYLOAD;
    char *place = channel_room(&room);
    int is_spent = each->kept >= each->keep;
    if (!is_spent && room <= 0) {
        return 0;
    }
    ssize_t length = is_spent ? read(end_of(tap), dropped, sizeof dropped) : read(end_of(tap), place, (size_t)room);
    if (length < 0 && (errno == EINTR || errno == EAGAIN)) {
        if (errno == EAGAIN && run->is_over) {
            tap_close(tap); /* somebody outside holds the other end, and has nothing to say here */
        }
        return errno == EINTR;
    }
    if (length <= 0) {
        tap_close(tap);
        return 0;
    }
    uint64_t left = each->keep - each->kept, taken = (uint64_t)length < left ? (uint64_t)length : left;
    each->kept += taken;
    each->dropped += (uint64_t)length - taken;
    if (taken) {
        run->window -= (long)taken;
        channel_put(kind_of[tap], run->stream, place, (long)taken);
        channel_flush();
    }
    return 1;
}

void tap_drain(int is_late) {
    struct run *run = &init_state.run;
    for (int tap = 0; tap < TAPS; tap++) {
        struct tap *each = &run->taps[tap];
        for (uint64_t before = each->kept + each->dropped; each->is_open && tap_pass_on(tap);) {
            if (each->kept + each->dropped - before > TAIL) {
                tap_close(tap);
            }
        }
        if (is_late && each->is_open) {
            each->dropped++;
            tap_close(tap);
        }
    }
}

/* One order under way: what its pipes say within its limits, and the end of everything that descends from it.
 *
 * It does what guest.attended, guest.process and guest.taps do together, for a command that has no input.
 */
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ORDER_HEADER = 33, LAST = 1, EXEC = 2 };

static const double GRACE = 0.1;       /* that what outlives the main process has to end by itself */
static const double PATIENCE = 2.0;    /* to kill the rest, then the host must end the box */
static const double LAST_WORDS = 0.05; /* after the deadline, for output that waits for credit */
static const double PAUSE = 0.002;
static const double MOMENT = 0.001;    /* a start is told with what follows it at once */

static uint64_t number(const char *bytes) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | (unsigned char)bytes[i];
    }
    return value;
}

/* The text of the order, behind the terms of the claim and the line's end between them. */
static struct text compose(const struct frame *order) {
    struct init *init = &init_state;
    struct text text = {init->message + init->claim_length + 1, order->length - ORDER_HEADER};
    memcpy(init->message, init->claim, (size_t)init->claim_length);
    init->message[init->claim_length] = '\n';
    memcpy(init->message + init->claim_length + 1, order->payload + ORDER_HEADER, (size_t)text.length);
    init->message_length = init->claim_length + 1 + text.length;
    return text;
}

static void take_spare(struct run *run) {
    struct spare *spare = &init_state.spare;
    run->pid = spare->pid;
    run->base = OF_SPARE;
    run->heard = spare->heard;
    run->unsent = init_state.message;
    run->unsent_length = init_state.message_length;
    spare->pid = 0;
}

/* Begin with the header of an ORDER: microseconds of time (all ones: no timeout), bytes kept of an output, bytes
 * dropped before it is a flood, bytes of a value (0: it returns none), flags. */
static void begin(struct run *run, const struct frame *order) {
    uint64_t timeout = number(order->payload), value = number(order->payload + 24);
    memset(run, 0, sizeof *run - sizeof run->heard);
    run->timeout = timeout == UINT64_MAX ? -1 : (double)timeout / 1e6;
    run->is_last = order->payload[ORDER_HEADER - 1] & LAST;
    run->is_exec = order->payload[ORDER_HEADER - 1] & EXEC;
    run->heard.length = 0;
    run->window = INITIAL_CREDIT;
    run->begun = now();
    for (int tap = 0; tap < TAPS; tap++) {
        run->taps[tap] = (struct tap){.is_open = 1, .drop = number(order->payload + 16)};
        run->taps[tap].keep = tap < TAPS - 1 ? number(order->payload + 8) : value;
    }
}

int run_begin(const struct mould *mould, const struct frame *order, long *child) {
    struct init *init = &init_state;
    struct run *run = &init->run;
    if (order->length < ORDER_HEADER) {
        return 0;
    }
    int is_exec = order->payload[ORDER_HEADER - 1] & EXEC;
    long made = is_exec || init->spare.pid ? 0 : spare_start(mould);
    if (made < LEAST_ERROR) {
        *child = made;
        return 1;
    }
    if (made < 0) {
        return 0; /* Python says why not */
    }
    begin(run, order);
    struct text text = compose(order);
    run->order = text.bytes;
    run->order_length = text.length;
    if (!is_exec) {
        take_spare(run);
    } else if (exec_start(mould, text, &run->pid)) {
        return 0;
    } else {
        run->base = OF_EXEC;
        close(OF_EXEC + ORDERS);
    }
    run->stream = init->latest = order->stream;
    init->commands++;
    close((int)run->base + STDIN);
    if (!run->taps[TAPS - 1].keep) {
        tap_close(TAPS - 1);
    }
    run_feed();
    return 1;
}

void run_feed(void) {
    struct run *run = &init_state.run;
    if (!run->unsent_length) {
        return;
    }
    while (run->unsent_length) {
        ssize_t length = write((int)run->base + ORDERS, run->unsent, (size_t)run->unsent_length);
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length < 0 && errno == EAGAIN) {
            return;
        }
        if (length < 0) {
            run->unsent_length = 0; /* it is dead, and its end is on its way */
            break;
        }
        run->unsent += length;
        run->unsent_length -= length;
    }
    close((int)run->base + ORDERS);
}

void run_credit(const struct frame *frame) {
    struct run *run = &init_state.run;
    long amount = 0;
    for (int i = 0; i < 4 && frame->length == 4; i++) {
        amount = amount << 8 | (unsigned char)frame->payload[i];
    }
    run->window += amount;
    if (run->window > INITIAL_CREDIT) {
        complain("the host broke the protocol: more credit than was spent", 0);
        _exit(3);
    }
}

static void signal_main(int signal) {
    long pid = init_state.run.pid;
    if (getpgid((pid_t)pid) == pid) {
        kill((pid_t)-pid, signal);
    } else {
        kill((pid_t)pid, signal);
    }
}

static void end_rest(void) {
    struct run *run = &init_state.run;
    if (!run->is_ending) {
        run->is_ending = 1;
        run->patience_until = now() + PATIENCE;
        run->grace_until = 0;
    }
    kill(-1, SIGKILL); /* all of this pid namespace but its first process, at once: no bomb outruns it */
}

static void end(enum verdict by, enum reason reason) {
    struct run *run = &init_state.run;
    if (run->is_over) {
        return;
    }
    if (run->by == BY_NOBODY) {
        run->by = by;
        run->reason = reason;
    }
    if (run->is_dead) {
        end_rest();
    } else {
        signal_main(SIGKILL);
    }
}

void run_discard(void) {
    end(BY_ORDER, KILLED);
    for (int tap = 0; tap < TAPS; tap++) {
        tap_close(tap);
    }
}

static void tell_start(void) {
    struct init *init = &init_state;
    char told[128];
    int length = snprintf(told, sizeof told, "{\"event\":\"started\",\"process\":\"%ld\",\"pid\":%ld}",
                          init->commands, init->run.pid);
    channel_put(EVENT, init->run.stream, told, length);
    init->flush_at = now() + MOMENT;
}

void run_listen(void) {
    struct run *run = &init_state.run;
    struct heard *heard = &run->heard;
    int reports = (int)run->base + REPORTS;
    if (run->is_told) {
        return;
    }
    for (;;) {
        ssize_t length = read(reports, heard->bytes + heard->length, (size_t)(MOST_READY - heard->length));
        if (length > 0) {
            heard->length += length;
        } else if (length == 0 || (errno != EINTR && errno != EAGAIN)) {
            break;
        } else if (errno == EAGAIN) {
            return;
        }
    }
    close(reports);
    run->is_told = 1;
    struct text walls = heard_walls(heard);
    run->spare_cpu = heard_cpu(heard);
    run->is_failed = heard->length > (walls.length ? walls.bytes + walls.length + 1 - heard->bytes : 0);
    if (!run->is_failed && (walls.length || run->is_exec)) {
        tell_start();
    }
}

void run_tap(int tap) {
    if (init_state.run.taps[tap].is_open) {
        tap_pass_on(tap);
        if (init_state.run.taps[tap].dropped > init_state.run.taps[tap].drop) {
            end(BY_ORDER, OUTPUT_LIMIT);
        }
    }
}

static void died(int status, const struct rusage *usage) {
    struct run *run = &init_state.run;
    if (!run->is_told) {
        run_listen(); /* it was quick: its silence is on record before its end */
    }
    run->is_dead = 1;
    run->status = status;
    run->seconds = now() - run->begun;
    run->main_peak = usage->ru_maxrss * 1024;
    run->main_cpu = (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
                    (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
    run->pid = 0;
}

/* Whether any child is left but the spare. */
static int any_but_spare(void) {
    static char listed[64];
    int file = init_state.spare.pid ? open("/proc/self/task/1/children", O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) {
        return 1;
    }
    ssize_t length = read(file, listed, sizeof listed - 1);
    close(file);
    listed[length > 0 ? length : 0] = 0;
    char *end = listed;
    return length <= 0 || strtol(listed, &end, 10) != init_state.spare.pid || strspn(end, " ") != strlen(end);
}

/* Reap all who are dead; whether any is left that is to end with the command. */
static int reap(void) {
    struct init *init = &init_state;
    struct run *run = &init->run;
    for (;;) {
        int status;
        struct rusage usage;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        if (pid < 0 && errno == EINTR) {
            continue;
        }
        if (pid <= 0) {
            return pid == 0 && (run->pid || run->is_ending || any_but_spare()); /* an end spares nobody */
        }
        if (pid == run->pid && run->stream) {
            died(status, &usage);
        } else if (pid == init->spare.pid) {
            spare_lost(); /* killed while it waited: the next order gets another one */
        } else {
            run->strangers_cpu += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                                  (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
            if (usage.ru_maxrss * 1024 > run->strangers_peak) {
                run->strangers_peak = usage.ru_maxrss * 1024;
            }
        }
    }
}

static void settle(int any_left) {
    struct run *run = &init_state.run;
    if (!any_left || (run->is_ending && now() >= run->patience_until)) {
        run->is_over = 1;
        if (run->timeout >= 0) {
            run->words_until = run->begun + run->timeout;
            run->words_until = (run->words_until < now() ? now() : run->words_until) + LAST_WORDS;
        }
    } else if (run->is_ending || run->by != BY_NOBODY) {
        if (run->by != BY_SELF || run->is_ending || now() >= run->grace_until) {
            end_rest();
        }
    } else {
        run->by = BY_SELF;
        run->grace_until = now() + GRACE;
    }
}

void run_reap(void) {
    struct run *run = &init_state.run;
    int any_left = reap();
    if (run->stream && run->is_dead && !run->is_over) {
        if (run->by == BY_NOBODY && !any_left) {
            run->by = BY_SELF;
        }
        settle(any_left);
    }
}

static const char *reason(void) {
    const struct run *run = &init_state.run;
    if (run->by == BY_TIMEOUT) {
        return "timeout";
    }
    if (run->by == BY_ORDER) {
        return run->reason == OUTPUT_LIMIT ? "output_limit" : "killed";
    }
    return WIFSIGNALED(run->status) ? "signalled" : "exited";
}

static const char *code(char *text, size_t size, int is_told, int value) {
    snprintf(text, size, "%d", value);
    return is_told ? text : "null";
}

static void tell_end(void) {
    struct init *init = &init_state;
    struct run *run = &init->run;
    char told[MOST_READY + 64], exit_code[16], signal[16];
    struct text walls = heard_walls(&run->heard);
    const char *complaint = walls.length ? walls.bytes + walls.length + 1 : run->heard.bytes;
    int is_signalled = WIFSIGNALED(run->status);
    double cpu = run->main_cpu + run->strangers_cpu - run->spare_cpu;
    int length;
    if (run->is_failed && run->heard.length == MOST_READY) {
        length = snprintf(told, sizeof told, "{\"error\":{\"code\":\"failed\",\"message\":\"%s\"}}",
                          "the command cannot start, and its complaint is too long");
    } else if (run->is_failed) {
        length = snprintf(told, sizeof told, "{\"error\":%.*s}",
                          (int)(run->heard.bytes + run->heard.length - complaint), complaint);
    } else {
        length = snprintf(
            told, sizeof told,
            "{\"ok\":{\"reason\":\"%s\",\"exit_code\":%s,\"signal\":%s,\"truncated\":{\"stdout\":%s,\"stderr\":%s},"
            "\"cpu_seconds\":%.6f,\"memory_peak\":%ld,\"duration\":%.6f}}",
            reason(), code(exit_code, sizeof exit_code, !is_signalled, WEXITSTATUS(run->status)),
            code(signal, sizeof signal, is_signalled, WTERMSIG(run->status)),
            run->taps[0].dropped ? "true" : "false", run->taps[1].dropped ? "true" : "false",
            cpu > 0 ? cpu : 0.0, run->main_peak > run->strangers_peak ? run->main_peak : run->strangers_peak,
            run->seconds);
    }
    channel_put(DONE, run->stream, told, length);
    channel_flush();
    if (run->unsent_length) {
        run->unsent_length = 0;
        close((int)run->base + ORDERS);
    }
    run->stream = 0;
}

void run_step(void) {
    struct run *run = &init_state.run;
    if (!run->stream) {
        return;
    }
    if (run->by == BY_NOBODY && run->timeout >= 0 && now() >= run->begun + run->timeout) {
        end(BY_TIMEOUT, NO_REASON);
    }
    if (run->is_dead && !run->is_over) {
        run_reap();
    }
    if (run->is_over) {
        tap_drain(run->words_until > 0 && now() >= run->words_until);
        if (!run->taps[0].is_open && !run->taps[1].is_open && !run->taps[2].is_open) {
            tell_end();
        }
    }
}

double run_due(void) {
    const struct run *run = &init_state.run;
    if (!run->stream) {
        return -1;
    }
    if (run->is_over) {
        return run->words_until > 0 ? run->words_until : -1;
    }
    if (run->is_ending) {
        return now() + PAUSE;
    }
    if (run->is_dead) {
        return run->grace_until;
    }
    return run->timeout >= 0 && run->by == BY_NOBODY ? run->begun + run->timeout : -1;
}

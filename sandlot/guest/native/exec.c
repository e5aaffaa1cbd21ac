/* A command that is a program of its own: by vfork(2), so that nothing is copied before it is executed. */
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OWN_REPORTS = 3, OWN_STDERR = 2, NOT_STARTED = 70, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };
enum { MOST_WORDS = MAX_PAYLOAD / 2 + 2, LONGEST_PATH = 4096 };

/* The text of an order to execute: texts that end with NUL, the directory, how many words, the words, the
 * variables. Pointers into it, behind which NULL stands. */
struct command {
    const char *directory;
    char **words, **variables;
};

static char *pointers[MOST_WORDS];

static int understand(struct text order, struct command *command) {
    const char *end = order.bytes + order.length, *at = order.bytes;
    long count = 0, wanted = -1;
    command->directory = at;
    command->variables = NULL;
    for (long place = 0; at < end; place++) {
        const char *next = memchr(at, 0, (size_t)(end - at));
        if (!next || count + 2 >= MOST_WORDS) {
            return EPROTO;
        }
        if (place == 1) {
            wanted = strtol(at, NULL, 10);
        } else if (place > 1) {
            if (place == 2 + wanted) {
                pointers[count++] = NULL;
                command->variables = pointers + count;
            }
            pointers[count++] = (char *)at;
        }
        at = next + 1;
    }
    if (wanted < 1 || count < wanted) {
        return EPROTO;
    }
    if (!command->variables) {
        pointers[count++] = NULL;
        command->variables = pointers + count;
    }
    pointers[count] = NULL;
    command->words = pointers;
    return 0;
}

static _Noreturn void refuse(const char *code, const char *what, int error) {
    char line[512];
    int length = snprintf(line, sizeof line, "{\"code\":\"%s\",\"message\":\"%s: %s\"}", code, what, strerror(error));
    if (write(OWN_REPORTS, line, (size_t)length) < 0) {
        _exit(NOT_STARTED);
    }
    _exit(NOT_STARTED);
}

static const char *code_of(int error) {
    switch (error) {
    case ENOENT: return "not_found";
    case ENOTDIR: return "not_directory";
    case EACCES: case EPERM: return "permission_denied";
    case ELOOP: return "path_escape";
    case ENAMETOOLONG: case EINVAL: return "invalid";
    default: return "failed";
    }
}

static const char *path_of(char **variables) {
    for (; *variables; variables++) {
        if (!strncmp(*variables, "PATH=", 5)) {
            return *variables + 5;
        }
    }
    return "/bin:/usr/bin"; /* os.defpath */
}

static void attempt(const char *file, const struct command *command) {
    static char *script[MOST_WORDS];
    execve(file, command->words, command->variables);
    if (errno != ENOEXEC) {
        return;
    }
    /* A script without `#!`, as execvp(3). */
    long count = 0;
    script[count++] = "/bin/sh";
    script[count++] = (char *)file;
    for (char **word = command->words + 1; *word; word++) {
        script[count++] = *word;
    }
    script[count] = NULL;
    execve("/bin/sh", script, command->variables);
}

/* As a shell does: PATH of the command's own environment, exit 127 or 126 with a line on stderr. */
static _Noreturn void execute(const struct command *command) {
    static char file[LONGEST_PATH + MAX_PAYLOAD];
    const char *name = command->words[0], *path = path_of(command->variables), *why = "not found";
    int status = NOT_FOUND, is_plain = strchr(name, '/') != NULL;
    for (int is_more = *name != 0; is_more;) {
        const char *end = strchrnul(path, ':');
        int length = (int)(end - path) < LONGEST_PATH ? (int)(end - path) : 0;
        snprintf(file, sizeof file, "%.*s%s%s", is_plain ? 0 : length, path,
                 is_plain ? "" : length ? "/" : "./", name);
        is_more = !is_plain && *end;
        path = end + 1;
        attempt(file, command);
        if (errno != ENOENT && errno != ENOTDIR) {
            status = NOT_EXECUTABLE;
            why = strerror(errno);
            if (errno != EACCES) {
                break; /* only a refusal lets it look further */
            }
        }
    }
    /* Less than any pipe holds: the first process waits for this one, and reads nothing meanwhile. */
    dprintf(OWN_STDERR, "%.3000s: %s\n", name, why);
    _exit(status);
}

static _Noreturn void become(const struct mould *mould, const int far[PIPES], const struct command *command) {
    long failed = 0;
    struct sigaction usual = {.sa_handler = SIG_DFL};
    payload_restore_signals();
    sigaction(SIGINT, &usual, NULL);
    sigaction(SIGPIPE, &usual, NULL);
    sigaction(SIGXFSZ, &usual, NULL);
    int error = payload_take_ends(mould, far);
    error = error ? error : payload_stand_alone(mould);
    error = error ? error : play(&mould->enclosing, &failed);
    struct text claim = {init_state.claim, init_state.claim_length};
    error = error ? error : payload_confine(mould, claim);
    if (error) {
        refuse("failed", "a wall could not be put up", error);
    }
    if (chdir(command->directory)) {
        refuse(code_of(errno), "the command cannot start in its directory", errno);
    }
    execute(command);
}

int exec_start(const struct mould *mould, struct text order, long *pid) {
    struct command command;
    int far[PIPES];
    int error = understand(order, &command);
    error = error ? error : payload_pipes(OF_EXEC, far);
    if (error) {
        return error;
    }
    pid_t made = vfork();
    if (made == 0) {
        become(mould, far, &command);
    }
    error = errno;
    payload_close(far);
    if (made < 0) {
        for (int end = 0; end < PIPES; end++) {
            close(OF_EXEC + end);
        }
        return error;
    }
    *pid = made;
    return 0;
}

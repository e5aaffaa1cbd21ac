/* The link's frames, as sandlot.wire.frames has them: 4 bytes length, 1 kind, 4 stream, big endian. */
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PROTOCOL_BROKEN = 3 };

static long big_endian(const char *bytes) {
    const unsigned char *each = (const unsigned char *)bytes;
    return (long)((uint32_t)each[0] << 24 | (uint32_t)each[1] << 16 | (uint32_t)each[2] << 8 | each[3]);
}

static void to_big_endian(char *bytes, long value) {
    for (int i = 3; i >= 0; i--, value >>= 8) {
        bytes[i] = (char)(value & 0xff);
    }
}

void channel_read(void) {
    struct init *init = &init_state;
    if (init->in_begin == init->in_end) {
        init->in_begin = init->in_end = 0;
    } else if (init->in_end == ROOM_IN) {
        memmove(init->in, init->in + init->in_begin, (size_t)(init->in_end - init->in_begin));
        init->in_end -= init->in_begin;
        init->in_begin = 0;
    }
    ssize_t length = read(IN, init->in + init->in_end, (size_t)(ROOM_IN - init->in_end));
    if (length == 0) {
        _exit(init->in_begin == init->in_end ? 0 : PROTOCOL_BROKEN); /* and with it all in its pid namespace */
    }
    if (length > 0) {
        init->in_end += length;
    }
}

int channel_next(struct frame *frame) {
    struct init *init = &init_state;
    char *head = init->in + init->in_begin;
    if (init->in_end - init->in_begin < HEADER) {
        return 0;
    }
    frame->length = big_endian(head);
    frame->kind = head[4];
    frame->stream = big_endian(head + 5);
    frame->payload = head + HEADER;
    if (frame->length > MAX_PAYLOAD || frame->kind <= 0 || frame->kind >= KINDS) {
        complain("the host broke the protocol: a frame of no kind, or too long", 0);
        _exit(PROTOCOL_BROKEN);
    }
    return init->in_end - init->in_begin >= HEADER + frame->length;
}

void channel_taken(const struct frame *frame) {
    init_state.in_begin += HEADER + frame->length;
}

static char *begin_frame(int kind, long stream, long length) {
    struct init *init = &init_state;
    if (init->out_begin == init->out_end) {
        init->out_begin = init->out_end = 0;
    }
    char *head = init->out + init->out_end;
    to_big_endian(head, length);
    head[4] = (char)kind;
    to_big_endian(head + 5, stream);
    init->out_end += HEADER + length;
    return head + HEADER;
}

void channel_put(int kind, long stream, const char *payload, long length) {
    struct init *init = &init_state;
    if (init->out_begin && init->out_end + HEADER + length > ROOM_OUT) {
        memmove(init->out, init->out + init->out_begin, (size_t)(init->out_end - init->out_begin));
        init->out_end -= init->out_begin;
        init->out_begin = 0;
    }
    if (init->out_end + HEADER + length > ROOM_OUT) {
        complain("more waits for the host than there is room for", 0); /* it reads requests only while little does */
        _exit(PROTOCOL_BROKEN);
    }
    char *place = begin_frame(kind, stream, length);
    if (payload != place) {
        memcpy(place, payload, (size_t)length);
    }
}

char *channel_room(long *room) {
    /* Output is read only while little waits: what follows it must fit behind it. */
    struct init *init = &init_state;
    if (init->out_begin == init->out_end) {
        init->out_begin = init->out_end = 0;
    }
    *room = init->out_end > MAX_PAYLOAD / 4 ? 0 : *room;
    return init->out + init->out_end + HEADER;
}

void channel_flush(void) {
    struct init *init = &init_state;
    init->flush_at = 0;
    while (init->out_begin < init->out_end) {
        ssize_t length = write(OUT, init->out + init->out_begin, (size_t)(init->out_end - init->out_begin));
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length < 0 && errno == EAGAIN) {
            return;
        }
        if (length < 0) {
            _exit(0); /* nobody reads: the host is gone */
        }
        init->out_begin += length;
    }
}

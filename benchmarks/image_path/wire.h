/* Wire: as much of HTTP/1.1 as the fake upstream and the load generator share. Neither looks at a body's content. */
#ifndef WIRE_H
#define WIRE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 16384

/* Where a message's body stands: bytes still to come, or the place within a chunked one. */
struct body {
    int chunked;
    int64_t left;      /* of the body, or of the current chunk's data */
    int state;         /* chunked: 0 size line, 1 data, 2 line end after data, 3 trailer, 4 over */
    int64_t size;      /* the size line read so far */
    int in_extension;  /* behind the semicolon of a size line */
    int line;          /* characters of the current trailer line */
};

static inline double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void die(const char *what) {
    perror(what);
    exit(1);
}

/* The value of a header in a head that ends with a zero byte, or NULL. The name is given with its colon. */
static inline const char *header(const char *head, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) == 0) {
            const char *value = line + 2 + length;
            while (*value == ' ') value++;
            return value;
        }
    }
    return NULL;
}

static inline void body_begin(struct body *body, const char *head) {
    memset(body, 0, sizeof *body);
    const char *encoding = header(head, "transfer-encoding:"), *length = header(head, "content-length:");
    if (encoding && strncasecmp(encoding, "chunked", 7) == 0)
        body->chunked = 1;
    else
        body->left = length ? atoll(length) : 0;
}

static inline int body_over(const struct body *body) {
    return body->chunked ? body->state == 4 : body->left == 0;
}

static inline int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes bytes of a body; how many of them belonged to it. */
static inline size_t body_take(struct body *body, const char *data, size_t length) {
    size_t at = 0;
    if (!body->chunked) {
        at = (int64_t)length < body->left ? length : (size_t)body->left;
        body->left -= (int64_t)at;
        return at;
    }
    while (at < length && body->state != 4) {
        if (body->state == 1) {
            size_t step = length - at;
            if ((int64_t)step > body->left) step = (size_t)body->left;
            body->left -= (int64_t)step;
            at += step;
            if (body->left == 0) body->state = 2;
            continue;
        }
        char c = data[at++];
        if (body->state == 0) {
            if (c == '\n') {
                body->left = body->size;
                body->state = body->size ? 1 : 3;
                body->size = body->in_extension = body->line = 0;
            } else if (hex(c) >= 0 && !body->in_extension) {
                body->size = body->size * 16 + hex(c);
            } else if (c != '\r') {
                body->in_extension = 1;
            }
        } else if (body->state == 2) {
            if (c == '\n') body->state = 0;
        } else if (c == '\n') {
            if (body->line == 0) body->state = 4;
            body->line = 0;
        } else if (c != '\r') {
            body->line++;
        }
    }
    return at;
}

static inline int plain_socket(void) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static inline struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static inline void watch(int poll, int fd, void *of, uint32_t events, int how) {
    struct epoll_event event = {.events = events, .data.ptr = of};
    if (epoll_ctl(poll, how, fd, &event)) die("epoll_ctl");
}

#endif

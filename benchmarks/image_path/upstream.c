/* Upstream: answers as four vendors do, from memory, after a delay; keeps next to no time of its own.

   upstream PORT FOLDER

   The folder holds the answers, named KIND-SIZE (gemini-4k, openai-small, ...). Which size and which delay are meant
   stands in the prompt, as size=NAME and delay=MILLISECONDS, or in the path where there is no prompt. GET /_stats tells
   how many requests came and how many were open at once, and begins to count anew. */
#include "wire.h"
#include <dirent.h>
#include <sys/uio.h>

#define EDGE 65536 /* bytes kept of each end of a request: its head and its prompt are in one of them */
#define MAX_ANSWERS 64

struct answer {
    char name[64];
    const char *type;
    char *data;
    size_t length;
};

struct connection {
    int fd, answering;
    size_t kept;        /* bytes in `first`, head included */
    size_t head_length; /* 0 until the head is whole */
    size_t tail;        /* bytes in `last` */
    struct body body;
    char head[512];
    size_t head_at, head_size;
    const struct answer *answer;
    size_t answer_at;
    double due;
    struct connection *before, *after; /* among those that wait, the soonest first */
    char *first, *last;
};

static struct answer answers[MAX_ANSWERS];
static int answer_count, poll_fd;
static struct connection *soonest, *latest;
static long arrived, open_now, open_most;
static struct answer stats = {.type = "application/json"};
static char stats_text[128];
static char scratch[262144];

static void load(const char *folder) {
    DIR *listing = opendir(folder);
    if (!listing) die(folder);
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (entry->d_name[0] == '.' || answer_count == MAX_ANSWERS) continue;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        struct answer *each = &answers[answer_count++];
        snprintf(each->name, sizeof each->name, "%.63s", entry->d_name);
        each->type = strncmp(entry->d_name, "media-", 6) ? "application/json" : "image/png";
        int fd = open(path, O_RDONLY);
        struct stat known;
        if (fd < 0 || fstat(fd, &known)) die(path);
        each->data = malloc((size_t)known.st_size + 1);
        for (ssize_t got; (got = read(fd, each->data + each->length, (size_t)known.st_size - each->length)) > 0;)
            each->length += (size_t)got;
        close(fd);
    }
    closedir(listing);
}

static const struct answer *find(const char *kind, const char *size) {
    char name[64];
    size_t length = strcspn(size, " \"/\\,?.:;&\r\n");
    snprintf(name, sizeof name, "%s-%.*s", kind, (int)(length < 32 ? length : 32), size);
    for (int each = 0; each < answer_count; each++)
        if (strcmp(answers[each].name, name) == 0) return &answers[each];
    return NULL;
}

/* What stands behind `word` in either end of the request, or NULL. */
static const char *said(const struct connection *c, const char *word) {
    char *found = memmem(c->first, c->kept, word, strlen(word));
    if (!found && c->tail) found = memmem(c->last, c->tail, word, strlen(word));
    return found ? found + strlen(word) : NULL;
}

static const struct answer *choose(const struct connection *c) {
    const char *path = strchr(c->first, ' '), *size = said(c, "size="), *job;
    if (!path) return NULL;
    char line[1024];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(path + 1, " \r\n"), path + 1);
    if (strncmp(line, "/_stats", 7) == 0) {
        stats.length = (size_t)snprintf(stats_text, sizeof stats_text, "{\"arrived\":%ld,\"most\":%ld}\n", arrived - 1, open_most);
        stats.data = stats_text;
        arrived = 0;
        open_most = open_now = 0;
        return &stats;
    }
    if ((job = strstr(line, "/media/"))) return find("media", job + 7);
    if ((job = strstr(line, "/requests/")))
        return strstr(line, "/status") ? find("falstatus", job + 10) : find("falresult", job + 10);
    if (!size) size = "small";
    if (strstr(line, ":generateContent")) return find("gemini", size);
    if (strstr(line, "/images/")) return find("openai", size);
    if (strstr(line, "/predictions")) return find("replicate", size);
    return find("falsubmit", size);
}

static void unlink_waiting(struct connection *c) {
    if (c->before) c->before->after = c->after; else if (soonest == c) soonest = c->after;
    if (c->after) c->after->before = c->before; else if (latest == c) latest = c->before;
    c->before = c->after = NULL;
    c->due = 0;
}

static void link_waiting(struct connection *c, double due) {
    struct connection *place = latest;
    c->due = due;
    while (place && place->due > due) place = place->before;
    c->before = place;
    c->after = place ? place->after : soonest;
    if (c->after) c->after->before = c; else latest = c;
    if (place) place->after = c; else soonest = c;
}

static void drop(struct connection *c) {
    if (c->due > 0) unlink_waiting(c);
    if (c->answering) open_now--;
    close(c->fd);
    free(c->first);
    free(c->last);
    free(c);
}

static void again(struct connection *c) {
    c->kept = c->head_length = c->tail = c->head_at = c->head_size = c->answer_at = 0;
    if (open_now > 0 && c->answering) open_now--;
    c->answering = 0;
    c->answer = NULL;
}

/* 0: the connection is gone. */
static int send_some(struct connection *c) {
    while (c->head_at < c->head_size || c->answer_at < c->answer->length) {
        struct iovec parts[2] = {{c->head + c->head_at, c->head_size - c->head_at},
                                 {c->answer->data + c->answer_at, c->answer->length - c->answer_at}};
        ssize_t sent = writev(c->fd, parts, 2);
        if (sent < 0 && errno == EAGAIN) {
            watch(poll_fd, c->fd, c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            return 1;
        }
        if (sent < 0) {
            drop(c);
            return 0;
        }
        size_t of_head = (size_t)sent < parts[0].iov_len ? (size_t)sent : parts[0].iov_len;
        c->head_at += of_head;
        c->answer_at += (size_t)sent - of_head;
    }
    watch(poll_fd, c->fd, c, EPOLLIN, EPOLL_CTL_MOD);
    again(c);
    return 1;
}

static int answer(struct connection *c) {
    static const struct answer nothing = {.type = "application/json", .data = "{}", .length = 2};
    const struct answer *found = choose(c);
    const char *delay = said(c, "delay=");
    int created = found && strncmp(found->name, "replicate", 9) == 0;
    c->answer = found ? found : &nothing;
    c->head_size = (size_t)snprintf(
        c->head, sizeof c->head, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
        !found ? "404 Not Found" : created ? "201 Created" : "200 OK", c->answer->type, c->answer->length);
    double seconds = delay ? atof(delay) / 1000 : 0;
    if (seconds > 0) {
        link_waiting(c, now_s() + seconds);
        return 1;
    }
    return send_some(c);
}

static void keep_tail(struct connection *c, const char *data, size_t length) {
    if (length >= EDGE) {
        memcpy(c->last, data + length - EDGE, EDGE);
        c->tail = EDGE;
        return;
    }
    if (c->tail + length > EDGE) {
        size_t out = c->tail + length - EDGE;
        memmove(c->last, c->last + out, c->tail - out);
        c->tail -= out;
    }
    memcpy(c->last + c->tail, data, length);
    c->tail += length;
}

static void receive(struct connection *c) {
    for (;;) {
        ssize_t got = read(c->fd, scratch, sizeof scratch);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0 || c->answer) { /* gone, or a request before the answer to the one before, which nobody sends */
            drop(c);
            return;
        }
        size_t length = (size_t)got, before = c->kept, room = EDGE - before;
        memcpy(c->first + before, scratch, length < room ? length : room);
        c->kept += length < room ? length : room;
        c->first[c->kept] = 0;
        size_t skipped = 0;
        if (!c->head_length) {
            char *end = strstr(c->first, "\r\n\r\n");
            if (!end) continue;
            c->head_length = (size_t)(end - c->first) + 4;
            skipped = c->head_length - before;
            end[2] = 0;
            body_begin(&c->body, c->first);
            end[2] = '\r';
        }
        body_take(&c->body, scratch + skipped, length - skipped);
        if (length > room) {
            if (!c->last) c->last = malloc(EDGE);
            keep_tail(c, scratch, length);
        }
        if (body_over(&c->body)) {
            c->answering = 1;
            arrived++;
            if (++open_now > open_most) open_most = open_now;
            answer(c);
            return;
        }
    }
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    signal(SIGPIPE, SIG_IGN);
    load(arguments[2]);
    int one = 1, listener = plain_socket();
    struct sockaddr_in address = loopback(atoi(arguments[1]));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 8192)) die("listen");
    poll_fd = epoll_create1(0);
    watch(poll_fd, listener, NULL, EPOLLIN, EPOLL_CTL_ADD);
    struct epoll_event events[256];
    for (;;) {
        double wait = soonest ? (soonest->due - now_s()) * 1000 : -1;
        int ready = epoll_wait(poll_fd, events, 256, !soonest ? -1 : wait <= 0 ? 0 : (int)wait + 1);
        for (int each = 0; each < ready; each++) {
            struct connection *c = events[each].data.ptr;
            if (!c) {
                int fd;
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                    c = calloc(1, sizeof *c);
                    c->fd = fd;
                    c->first = malloc(EDGE + 1);
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    watch(poll_fd, fd, c, EPOLLIN, EPOLL_CTL_ADD);
                }
            } else if (events[each].events & EPOLLOUT) {
                send_some(c);
            } else {
                receive(c);
            }
        }
        for (double at = now_s(); soonest && soonest->due <= at;) {
            struct connection *c = soonest;
            unlink_waiting(c);
            send_some(c);
        }
    }
}

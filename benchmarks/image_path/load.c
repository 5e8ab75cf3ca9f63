/* Load: sends one request many times, reads the answers, keeps none of them, and tells what it saw as JSON.

   load PORT REQUEST COUNT [open=N] [rate=R] [read=B] [probe=FILE] [every=MS] [limit=S] [least=N]

   REQUEST is a file with a whole HTTP/1.1 request. `open`: requests open at once, each sent when the one before it on its
   connection is answered. `rate` instead: requests a second, whether or not earlier ones are answered; latency then
   counts from when a request was due. `read`: bytes a second that each client reads at most. `probe`: a request that is
   sent every `every` milliseconds on a connection of its own until all is over, but never before the one before it
   was answered. `limit`: seconds after which what is
   unanswered has failed. `least`: bytes below which an answer is none. */
#include "wire.h"
#include <math.h>
#include <poll.h>

#define SCRATCH 262144
#define STATUSES 600
#define MOST_PROBES 1000000
#define TURN 1048576 /* bytes read from one client before the others have their turn */
#define TICK_S 0.01 /* between two looks at the slow readers */

struct client {
    int fd, busy, probing;
    size_t sent;
    size_t head_size;
    int head_over, status, keeps;
    struct body body;
    int64_t received, taken;
    double due, since;
    struct client *next;
    char head[HEAD_MAX];
};

struct request {
    char *data;
    size_t length;
};

static int poll_fd, port;
static struct request asked, probed;
static long count, sent_off, answered, good, lost, probes, statuses[STATUSES];
static double *took, *probe_took, read_rate, probe_every, rate, least;
static int64_t bytes;
static struct client *idle, **slow;
static int slow_count, closed_loop;
static char scratch[SCRATCH];

static struct request file(const char *path) {
    struct request read_in = {0};
    struct stat known;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &known)) die(path);
    read_in.data = malloc((size_t)known.st_size + 1);
    for (ssize_t got; (got = read(fd, read_in.data + read_in.length, (size_t)known.st_size - read_in.length)) > 0;)
        read_in.length += (size_t)got;
    close(fd);
    return read_in;
}

static void start(struct client *c, double due);

static void close_client(struct client *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

static void over(struct client *c, int failed) {
    double seconds = now_s() - c->due;
    c->busy = 0;
    if (failed || !c->keeps) close_client(c);
    if (c->probing) {
        /* One that took long stands for those that would have been sent meanwhile, each later by `every`. */
        for (; !failed && seconds > 0 && probes < MOST_PROBES; seconds -= probe_every) probe_took[probes++] = seconds;
        return;
    }
    took[answered++] = seconds;
    bytes += c->taken;
    if (failed) lost++;
    else statuses[c->status < STATUSES && c->status > 0 ? c->status : 0]++;
    if (!failed && c->status == 200 && (double)c->taken >= least) good++;
    if (closed_loop && sent_off < count) {
        start(c, now_s());
        return;
    }
    c->next = idle;
    idle = c;
}

static void send_more(struct client *c) {
    const struct request *of = c->probing ? &probed : &asked;
    while (c->sent < of->length) {
        ssize_t done = write(c->fd, of->data + c->sent, of->length - c->sent);
        if (done < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
        if (done < 0) {
            over(c, 1);
            return;
        }
        c->sent += (size_t)done;
    }
    watch(poll_fd, c->fd, c, read_rate > 0 && !c->probing ? 0 : EPOLLIN, EPOLL_CTL_MOD);
}

static void start(struct client *c, double due) {
    c->busy = 1;
    c->due = due;
    c->since = now_s();
    c->sent = c->head_size = 0;
    c->head_over = c->status = 0;
    c->received = c->taken = 0;
    if (!c->probing) sent_off++;
    if (c->fd < 0) {
        struct sockaddr_in address = loopback(port);
        int small = 65536;
        c->fd = plain_socket();
        if (read_rate > 0 && !c->probing) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
            over(c, 1);
            return;
        }
        watch(poll_fd, c->fd, c, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
        return;
    }
    watch(poll_fd, c->fd, c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

/* How many bytes this client may read just now. */
static size_t allowance(const struct client *c) {
    if (read_rate <= 0 || c->probing) return SCRATCH;
    double may = (now_s() - c->since) * read_rate - (double)c->received;
    return may <= 0 ? 0 : may > SCRATCH ? SCRATCH : (size_t)may;
}

static void read_more(struct client *c) {
    for (int64_t until = c->received + TURN; c->received < until;) {
        size_t may = allowance(c), used = 0;
        if (!c->busy && !may) may = 1;
        if (!may) return;
        ssize_t got = read(c->fd, scratch, may);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            if (c->busy) over(c, 1); else close_client(c);
            return;
        }
        if (!c->busy) {
            close_client(c);
            return;
        }
        if (c->received == 0) c->since = now_s(); /* a slow reader's time begins with the first byte */
        c->received += got;
        if (!c->head_over) {
            size_t room = HEAD_MAX - 1 - c->head_size, before = c->head_size;
            size_t kept = (size_t)got < room ? (size_t)got : room;
            memcpy(c->head + before, scratch, kept);
            c->head_size += kept;
            c->head[c->head_size] = 0;
            char *end = strstr(c->head, "\r\n\r\n");
            if (!end) continue;
            c->head_over = 1;
            used = (size_t)(end - c->head) + 4 - before;
            end[2] = 0;
            c->status = atoi(c->head + 9);
            const char *connection = header(c->head, "connection:");
            c->keeps = !(connection && strncasecmp(connection, "close", 5) == 0);
            body_begin(&c->body, c->head);
        }
        c->taken += (int64_t)body_take(&c->body, scratch + used, (size_t)got - used);
        if (body_over(&c->body)) {
            over(c, 0);
            return;
        }
    }
}

static int upwards(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return a < b ? -1 : a > b;
}

static double quantile(double *of, long size, double share) {
    if (!size) return 0;
    long place = (long)(share * (double)size);
    return of[place < size ? place : size - 1] * 1000;
}

static void tell(double seconds) {
    for (long each = answered; each < count; each++) took[each] = seconds; /* unanswered: at least as long as all of it */
    qsort(took, (size_t)count, sizeof *took, upwards);
    qsort(probe_took, (size_t)probes, sizeof *probe_took, upwards);
    printf("{\"asked\":%ld,\"answered\":%ld,\"good\":%ld,\"lost\":%ld,\"seconds\":%.6f,\"bytes\":%lld,", sent_off, answered,
           good, lost, seconds, (long long)bytes);
    printf("\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"max_ms\":%.4f,", quantile(took, count, 0.5),
           quantile(took, count, 0.99), quantile(took, count, 1));
    printf("\"probes\":%ld,\"probe_p50_ms\":%.4f,\"probe_p99_ms\":%.4f,\"probe_max_ms\":%.4f,\"statuses\":{", probes,
           quantile(probe_took, probes, 0.5), quantile(probe_took, probes, 0.99), quantile(probe_took, probes, 1));
    const char *between = "";
    for (int status = 0; status < STATUSES; status++)
        if (statuses[status]) {
            printf("%s\"%d\":%ld", between, status, statuses[status]);
            between = ",";
        }
    printf("}}\n");
}

static struct client *new_client(void) {
    struct client *c = calloc(1, sizeof *c);
    if (!c) die("calloc");
    c->fd = -1;
    if (read_rate > 0) slow[slow_count++] = c;
    return c;
}

int main(int arguments, char **given) {
    if (arguments < 4) return 2;
    signal(SIGPIPE, SIG_IGN);
    port = atoi(given[1]);
    asked = file(given[2]);
    count = atol(given[3]);
    long open_at_once = 1;
    double limit = 300;
    const char *probe_file = NULL;
    for (int each = 4; each < arguments; each++) {
        char *value = strchr(given[each], '=');
        if (!value) return 2;
        *value++ = 0;
        if (!strcmp(given[each], "open")) open_at_once = atol(value);
        else if (!strcmp(given[each], "rate")) rate = atof(value);
        else if (!strcmp(given[each], "read")) read_rate = atof(value);
        else if (!strcmp(given[each], "probe")) probe_file = value;
        else if (!strcmp(given[each], "every")) probe_every = atof(value) / 1000;
        else if (!strcmp(given[each], "limit")) limit = atof(value);
        else if (!strcmp(given[each], "least")) least = atof(value);
        else return 2;
    }
    took = calloc((size_t)count + 1, sizeof *took);
    slow = calloc((size_t)count + 1, sizeof *slow);
    probe_took = calloc(MOST_PROBES, sizeof *probe_took);
    poll_fd = epoll_create1(0);
    closed_loop = rate <= 0;
    double begun = now_s(), next_probe = begun;
    struct client *probe = NULL;
    if (probe_file) {
        probed = file(probe_file);
        probe = calloc(1, sizeof *probe);
        probe->fd = -1;
        probe->probing = 1;
    }
    for (long each = 0; closed_loop && each < open_at_once && each < count; each++) start(new_client(), begun);
    struct epoll_event events[512];
    while (answered < count && now_s() - begun < limit) {
        double at = now_s(), until = begun + limit;
        while (!closed_loop && sent_off < count && begun + (double)sent_off / rate <= at) {
            struct client *c = idle;
            if (c) idle = c->next; else c = new_client();
            start(c, begun + (double)sent_off / rate);
        }
        if (!closed_loop && sent_off < count) until = begun + (double)sent_off / rate;
        if (probe && !probe->busy && next_probe <= at) {
            start(probe, at);
            next_probe = at + probe_every;
        }
        if (probe && !probe->busy && next_probe < until) until = next_probe;
        if (slow_count && at + TICK_S < until) until = at + TICK_S;
        double wait = (until - now_s()) * 1000;
        struct pollfd any = {.fd = poll_fd, .events = POLLIN};
        struct timespec rest = {(time_t)(wait / 1000), (long)(fmod(wait, 1000) * 1e6)};
        if (wait > 0) ppoll(&any, 1, &rest, NULL); /* epoll_wait rounds to a millisecond, which is what is measured */
        int ready = epoll_wait(poll_fd, events, 512, 0);
        for (int each = 0; each < ready; each++) {
            struct client *c = events[each].data.ptr;
            if ((events[each].events & EPOLLOUT) && c->fd >= 0) send_more(c);
            else if (c->fd >= 0) read_more(c);
        }
        for (int each = 0; each < slow_count; each++)
            if (slow[each]->fd >= 0 && slow[each]->busy && slow[each]->sent == asked.length) read_more(slow[each]);
    }
    tell(now_s() - begun);
    return 0;
}

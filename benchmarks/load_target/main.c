// load_target [--address A] [--port N] [--cpus A,B] [--spin-us N] [--cert FILE --key FILE] [--latency-ms N --sigma N]
//             [--stall-share N --stall-ms N] [--error-share N]
// Listens on loopback or the given address, prints its port, serves until its stdin ends or it gets SIGTERM. The last
// three pairs are the weather: see weather.h.
#define _GNU_SOURCE
#include "weather.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORKERS 64
#define EVENTS 256

static struct worker workers[MAX_WORKERS];
static int worker_count, listener;
static uint64_t spin_ns;

#ifdef WITH_TLS
static SSL_CTX *tls;

static void load_tls(const char *certificate, const char *key) {
    tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(tls, 0);
    /* The service chooses, as S3's endpoints do (s2n's policies: AES-128 first); else every client would get what its
     * own library happens to name first. */
    SSL_CTX_set_options(tls, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
    if (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 || SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "load_target: no usable certificate in %s and key in %s\n", certificate, key);
        exit(2);
    }
}
#endif

void collect_counters(struct counters *sum, bool reset_peak) {
    memset(sum, 0, sizeof *sum);
    for (int i = 0; i < worker_count; i++) {
        struct counters *one = &workers[i].counters;
        uint64_t *to = (uint64_t *)sum, *from = (uint64_t *)one;
        for (size_t j = 0; j < sizeof *sum / sizeof *to; j++) to[j] += from[j];
        if (reset_peak) one->peak = one->open;
    }
}

static void accept_one(struct worker *worker) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) abort();
    connection->fd = fd;
#ifdef WITH_TLS
    if (tls) {
        connection->ssl = SSL_new(tls);
        SSL_set_fd(connection->ssl, fd);
        SSL_set_accept_state(connection->ssl);
        connection->is_handshaking = true;
    }
#endif
    worker->counters.connections++;
    if (++worker->counters.open > worker->counters.peak) worker->counters.peak = worker->counters.open;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void drop(struct worker *worker, struct connection *connection) {
#ifdef WITH_TLS
    if (connection->ssl) SSL_free(connection->ssl);
#endif
    close(connection->fd);
    worker->counters.open--;
    connection->ssl = NULL;
    if (connection->state == WAITING) connection->is_gone = true;
    else connection_free(connection);
}

// The next events. Polls for a while before it sleeps: waking a sleeping thread on another CPU costs the process that
// sends the request several microseconds, most of all in a virtual machine, and that is no work of the client's.
static int wait_for_events(struct worker *worker, struct epoll_event *events) {
    int count = epoll_wait(worker->epoll, events, EVENTS, 0);
    int patience_ms = waiting_ms(worker);
    for (uint64_t end = count ? 0 : now_ns() + spin_ns; !count && patience_ms && now_ns() < end; patience_ms = waiting_ms(worker))
        count = epoll_wait(worker->epoll, events, EVENTS, 0);
    return count || !patience_ms ? count : epoll_wait(worker->epoll, events, EVENTS, patience_ms);
}

static void *serve(void *argument) {
    struct worker *worker = argument;
    struct epoll_event events[EVENTS];
    if (worker->cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(worker->cpu, &set);
        if (pthread_setaffinity_np(pthread_self(), sizeof set, &set)) fprintf(stderr, "load_target: no CPU %d\n", worker->cpu);
    }
    for (;;) {
        int count = wait_for_events(worker, events);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection) {
                accept_one(worker);
                continue;
            }
            bool stays = connection->state == WAITING ? false : connection->state == REPLYING ? connection_writable(worker, connection)
                                                                                             : connection_readable(worker, connection);
            if (!stays) drop(worker, connection);
        }
        for (struct connection *connection; (connection = waiting_take(worker));) {
            if (connection->is_gone) connection_free(connection);
            else if (!connection_due(worker, connection)) drop(worker, connection);
        }
    }
    return NULL;
}

static void start_worker(int cpu) {
    struct worker *worker = &workers[worker_count++];
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = NULL};
    worker->cpu = cpu;
    worker->random = 0x9E3779B97F4A7C15ull * worker_count;
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->scratch = malloc(SCRATCH);
    if (worker->epoll < 0 || !worker->scratch || epoll_ctl(worker->epoll, EPOLL_CTL_ADD, listener, &event)) {
        perror("load_target");
        exit(1);
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, worker)) abort();
}

static int listen_on(const char *where, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, where, &address.sin_addr) != 1) {
        fprintf(stderr, "load_target: not an address: %s\n", where);
        exit(2);
    }
    socklen_t size = sizeof address;
    int one = 1;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
        getsockname(listener, (struct sockaddr *)&address, &size)) {
        perror("load_target");
        exit(1);
    }
    return ntohs(address.sin_port);
}

int main(int count, char **words) {
    static const struct option options[] = {{"port", 1, NULL, 'p'}, {"cpus", 1, NULL, 'c'}, {"spin-us", 1, NULL, 's'}, {"cert", 1, NULL, 't'},
                                            {"key", 1, NULL, 'k'}, {"address", 1, NULL, 'a'}, {"latency-ms", 1, NULL, 'l'}, {"sigma", 1, NULL, 'g'},
                                            {"stall-share", 1, NULL, 'S'}, {"stall-ms", 1, NULL, 'M'}, {"error-share", 1, NULL, 'e'}, {NULL, 0, NULL, 0}};
    const char *cpus = "-1", *certificate = NULL, *key = NULL, *address = "127.0.0.1";
    int port = 0;
    for (int option; (option = getopt_long(count, words, "", options, NULL)) != -1;) {
        if (option == 'p') port = atoi(optarg);
        else if (option == 'c') cpus = optarg;
        else if (option == 's') spin_ns = atoll(optarg) * 1000;
        else if (option == 't') certificate = optarg;
        else if (option == 'k') key = optarg;
        else if (option == 'a') address = optarg;
        else if (option == 'l') weather.latency_ms = atof(optarg);
        else if (option == 'g') weather.sigma = atof(optarg);
        else if (option == 'S') weather.stall_share = atof(optarg);
        else if (option == 'M') weather.stall_ms = atof(optarg);
        else if (option == 'e') weather.error_share = atof(optarg);
        else return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (certificate && key) {
#ifdef WITH_TLS
        load_tls(certificate, key);
#else
        fprintf(stderr, "load_target: built without TLS\n");
        return 2;
#endif
    }
    make_pattern();
    port = listen_on(address, port);
    char *list = strdup(cpus), *rest = list;
    for (char *word; (word = strsep(&rest, ",")) && worker_count < MAX_WORKERS;) start_worker(atoi(word));
    printf("%d\n", port);
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {}
    return 0;
}

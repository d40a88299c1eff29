// One connection of the load target: bytes in, replies out.
#ifndef CONNECTION_H
#define CONNECTION_H

#include "target.h"

struct worker {
    int epoll;
    int cpu;                   // where it runs, or -1
    struct counters counters;
    char *scratch;             // SCRATCH bytes to read into
    struct reply reply;        // built here, sent at once if the socket takes it
    uint64_t random;           // of the weather
    struct connection **waiting; // for the time at which their replies are due; see weather.c
    size_t waiting_count, waiting_room;
};

struct connection {
    int fd;
    SSL *ssl;
    bool is_handshaking, is_closing;
    enum { IN_HEAD, IN_BODY, REPLYING, WAITING } state; // WAITING: the reply is made and not due yet
    bool is_gone;              // dropped while it waited: to be freed when it is due
    uint64_t due;
    struct reply held;         // input that has to wait: a part of a head, or what came behind a request
    struct reply head;         // the head of the request whose body is under way
    struct reply body;         // that body, where the answer depends on it
    uint64_t body_left;
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER } chunk;
    uint64_t chunk_line;       // length of the chunk's line so far
    struct request request;
    struct reply rest;         // what the socket did not take at once
    size_t rest_at;
};

// All return false when the connection is to be closed.
bool connection_due(struct worker *worker, struct connection *connection);
bool connection_readable(struct worker *worker, struct connection *connection);
bool connection_writable(struct worker *worker, struct connection *connection);
void connection_free(struct connection *connection);

#endif

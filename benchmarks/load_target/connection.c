// One connection: reads requests, discards their bodies, sends replies. Non-blocking, level-triggered.
#define _GNU_SOURCE
#include "connection.h"
#include "weather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define INLINE_BODY (256 << 10) // up to this size a body is copied to the socket, above it the pages are lent
#define BURST (4 << 20)         // bytes sent before other connections have their turn
#define READS_AT_ONCE 64

enum progress { DONE, BLOCKED, BROKEN };

static bool take(struct worker *worker, struct connection *connection, const char *data, size_t size);

static bool is_reading(const struct connection *connection) { return connection->state < REPLYING; }

static void watch(struct worker *worker, struct connection *connection, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    epoll_ctl(worker->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

// --- the socket

#ifdef WITH_TLS
static enum progress blocked_or_broken(struct connection *connection, int result) {
    int error = SSL_get_error(connection->ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? BLOCKED : BROKEN;
}
#endif

static ssize_t read_some(struct connection *connection, char *data, size_t size, enum progress *progress) {
    *progress = DONE;
#ifdef WITH_TLS
    if (connection->ssl) {
        int got = SSL_read(connection->ssl, data, size);
        if (got <= 0) *progress = blocked_or_broken(connection, got);
        return got;
    }
#endif
    // A body that nobody looks at is dropped by the kernel.
    bool drops = connection->state == IN_BODY && !connection->request.is_chunked && !wants_body(&connection->request);
    if (drops) size = connection->body_left < (8 << 20) ? connection->body_left : 8 << 20;
    ssize_t got = recv(connection->fd, data, size, drops ? MSG_TRUNC : 0);
    if (got <= 0) *progress = got < 0 && errno == EAGAIN ? BLOCKED : BROKEN;
    return got;
}

static ssize_t write_plain(struct connection *connection, const struct reply *reply, size_t at) {
    size_t synth = reply->synth_left;
    if (synth > INLINE_BODY) {
        if (at < reply->size) return send(connection->fd, reply->text + at, reply->size - at, MSG_NOSIGNAL | MSG_MORE);
        off_t offset = reply->synth_at % PERIOD;
        return sendfile(connection->fd, pattern_fd, &offset, synth < PERIOD ? synth : PERIOD);
    }
    struct iovec pieces[2] = {
        {reply->text + at, reply->size - at}, {pattern + reply->synth_at % PERIOD, synth < PERIOD ? synth : PERIOD}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = synth ? 2 : 1};
    return sendmsg(connection->fd, &message, MSG_NOSIGNAL);
}

static ssize_t write_some(struct connection *connection, const struct reply *reply, size_t at, enum progress *progress) {
    *progress = DONE;
#ifdef WITH_TLS
    if (connection->ssl) {
        char record[16 << 10];
        size_t head = reply->size - at, size = head;
        const char *from = reply->text + at;
        if (!head) {
            from = (const char *)pattern + reply->synth_at % PERIOD;
            size = reply->synth_left < INLINE_BODY ? reply->synth_left : INLINE_BODY;
        } else if (head < sizeof record && reply->synth_left) { // head and body in one record
            size_t body = sizeof record - head;
            if (reply->synth_left < body) body = reply->synth_left;
            memcpy(record, from, head);
            memcpy(record + head, pattern + reply->synth_at % PERIOD, body);
            from = record;
            size = head + body;
        }
        int put = SSL_write(connection->ssl, from, size);
        if (put <= 0) *progress = blocked_or_broken(connection, put);
        return put;
    }
#endif
    ssize_t put = write_plain(connection, reply, at);
    if (put < 0) *progress = errno == EAGAIN ? BLOCKED : BROKEN;
    return put;
}

// Send what is left of `reply` after its first `*at` bytes of text.
static enum progress push(struct worker *worker, struct connection *connection, struct reply *reply, size_t *at) {
    for (size_t burst = 0; *at < reply->size || reply->synth_left;) {
        enum progress progress;
        ssize_t put = write_some(connection, reply, *at, &progress);
        if (progress != DONE) return progress;
        worker->counters.bytes_out += put;
        size_t text = reply->size - *at < (size_t)put ? reply->size - *at : (size_t)put;
        *at += text;
        reply->synth_at += put - text;
        reply->synth_left -= put - text;
        burst += put;
        if (burst > BURST && reply->synth_left) return BLOCKED; // level-triggered: it goes on at the next turn
    }
    return DONE;
}

// --- requests

// Keep what is left of `reply` after its first `at` bytes of text.
static void keep_rest(struct connection *connection, const struct reply *reply, size_t at) {
    connection->rest.size = 0;
    put_text(&connection->rest, reply->text + at, reply->size - at);
    connection->rest.synth_at = reply->synth_at;
    connection->rest.synth_left = reply->synth_left;
    connection->rest_at = 0;
}

static bool send_reply(struct worker *worker, struct connection *connection) {
    struct reply *reply = &worker->reply;
    size_t at = 0;
    connection->is_closing = connection->is_closing || connection->request.is_last;
    uint64_t delay = connection->request.operation == OP_OTHER ? 0 : weather_delay(worker);
    if (delay) {
        keep_rest(connection, reply, 0);
        connection->state = WAITING;
        connection->due = now_ns() + delay;
        waiting_add(worker, connection);
        watch(worker, connection, 0);
        return true;
    }
    enum progress progress = push(worker, connection, reply, &at);
    if (progress == BROKEN) return false;
    if (progress == DONE) {
        connection->state = IN_HEAD;
        return !connection->is_closing;
    }
    keep_rest(connection, reply, at);
    connection->state = REPLYING;
    watch(worker, connection, EPOLLOUT);
    return true;
}

static bool finish_request(struct worker *worker, struct connection *connection) {
    if (connection->head.size) { // the texts of the request point to memory that is gone
        parse_request(&connection->request, connection->head.text, connection->head.size);
        connection->head.size = 0;
    }
    worker->counters.requests[connection->request.operation]++;
    worker->reply.size = worker->reply.synth_left = 0;
    if (connection->request.operation != OP_OTHER && weather_refuses(worker)) answer_slow_down(&worker->reply, &connection->request);
    else answer(&worker->reply, &connection->request, (struct text){connection->body.text, connection->body.size});
    connection->body.size = 0;
    return send_reply(worker, connection);
}

// The bytes of `data` that belong to a chunked body; `*ended` is set with its last.
static size_t take_chunks(struct connection *connection, const char *data, size_t size, bool *ended) {
    size_t at = 0;
    while (at < size && !*ended) {
        if (connection->chunk == CHUNK_DATA) {
            size_t piece = size - at < connection->body_left ? size - at : connection->body_left;
            at += piece;
            connection->body_left -= piece;
            if (!connection->body_left) connection->chunk = CHUNK_END;
            continue;
        }
        char byte = data[at++];
        if (byte != '\n') {
            if (byte == '\r') continue;
            int digit = byte >= '0' && byte <= '9' ? byte - '0' : (byte | 32) >= 'a' && (byte | 32) <= 'f' ? (byte | 32) - 'a' + 10 : -1;
            if (connection->chunk == CHUNK_SIZE && digit >= 0) connection->body_left = connection->body_left * 16 + digit;
            connection->chunk_line++;
        } else if (connection->chunk == CHUNK_SIZE) {
            connection->chunk = connection->body_left ? CHUNK_DATA : CHUNK_TRAILER;
            connection->chunk_line = 0;
        } else if (connection->chunk == CHUNK_END) {
            connection->chunk = CHUNK_SIZE;
            connection->chunk_line = 0;
        } else {
            *ended = connection->chunk_line == 0;
            connection->chunk_line = 0;
        }
    }
    return at;
}

static size_t take_body(struct connection *connection, const char *data, size_t size, bool *ended) {
    if (connection->request.is_chunked) return take_chunks(connection, data, size, ended);
    size_t piece = size < connection->body_left ? size : connection->body_left;
    if (wants_body(&connection->request)) put_text(&connection->body, data, piece);
    connection->body_left -= piece;
    *ended = !connection->body_left;
    return piece;
}

static void begin_body(struct connection *connection) {
    connection->state = IN_BODY;
    connection->body_left = connection->request.is_chunked ? 0 : connection->request.length;
    connection->chunk = CHUNK_SIZE;
    connection->chunk_line = 0;
}

static bool send_continue(struct connection *connection) {
    static const struct reply interim = {.text = "HTTP/1.1 100 Continue\r\n\r\n", .size = 25};
    enum progress progress;
    return write_some(connection, &interim, 0, &progress) == 25; // an idle socket takes 25 bytes
}

// Take one request, or a piece of it, from the front of `data`; how many bytes were used, 0 for none, -1 for an end.
static ssize_t take_request(struct worker *worker, struct connection *connection, const char *data, size_t size) {
    size_t used = 0;
    bool ended = false;
    if (connection->state == IN_HEAD) {
        const char *end = memmem(data, size, "\r\n\r\n", 4);
        if (!end) return size < MAX_HEAD ? 0 : -1;
        used = end + 4 - data;
        if (!parse_request(&connection->request, data, used)) {
            worker->counters.errors++;
            return -1;
        }
        begin_body(connection);
        ended = !connection->request.is_chunked && !connection->body_left;
        if (!ended) used += take_body(connection, data + used, size - used, &ended);
        if (!ended) {
            connection->head.size = 0;
            put_text(&connection->head, data, end + 4 - data);
            if (connection->request.expects_continue && !send_continue(connection)) return -1;
        }
    } else {
        used = take_body(connection, data, size, &ended);
    }
    if (ended && !finish_request(worker, connection)) return -1;
    return used;
}

static bool take(struct worker *worker, struct connection *connection, const char *data, size_t size) {
    char *own = NULL;
    if (connection->held.size) {
        put_text(&connection->held, data, size);
        own = connection->held.text;
        data = own;
        size = connection->held.size;
        connection->held = (struct reply){0};
    }
    ssize_t used = 0;
    while (size && is_reading(connection) && (used = take_request(worker, connection, data, size)) > 0) {
        data += used;
        size -= used;
    }
    if (used >= 0 && size) put_text(&connection->held, data, size);
    free(own);
    return used >= 0;
}

// --- what the loop calls

bool connection_readable(struct worker *worker, struct connection *connection) {
#ifdef WITH_TLS
    if (connection->is_handshaking) {
        int result = SSL_accept(connection->ssl);
        if (result <= 0) return blocked_or_broken(connection, result) == BLOCKED;
        connection->is_handshaking = false;
    }
#endif
    for (int reads = 0;; reads++) {
        enum progress progress;
        ssize_t got = read_some(connection, worker->scratch, SCRATCH, &progress);
        if (progress != DONE) return progress == BLOCKED;
        worker->counters.bytes_in += got;
        if (!take(worker, connection, worker->scratch, got)) return false;
#ifdef WITH_TLS
        // What the TLS layer holds already, no event will tell of.
        if (connection->ssl && is_reading(connection) && (reads < READS_AT_ONCE || SSL_pending(connection->ssl)))
            continue;
#endif
        return true;
    }
}

bool connection_due(struct worker *worker, struct connection *connection) {
    connection->state = REPLYING;
    watch(worker, connection, EPOLLOUT);
    return connection_writable(worker, connection);
}

bool connection_writable(struct worker *worker, struct connection *connection) {
    enum progress progress = push(worker, connection, &connection->rest, &connection->rest_at);
    if (progress != DONE) return progress == BLOCKED;
    if (connection->is_closing) return false;
    connection->state = IN_HEAD;
    watch(worker, connection, EPOLLIN);
    if (connection->held.size && !take(worker, connection, "", 0)) return false;
    return !is_reading(connection) || !connection->ssl || connection_readable(worker, connection);
}

void connection_free(struct connection *connection) {
    free(connection->held.text);
    free(connection->head.text);
    free(connection->body.text);
    free(connection->rest.text);
    free(connection);
}

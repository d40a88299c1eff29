// The S3 load target: answers like a service and does next to nothing, so that what is measured is the client.
//
// Bodies of uploads are discarded in the kernel; bodies of downloads are pieces of one fixed pattern. Nobody is
// authenticated and nothing is stored. Only path-style requests: /bucket/key.
//
// Objects that exist: synth/SIZE/COUNT/DDDD/NNNNNNN.bin, for every NNNNNNN below COUNT, with DDDD = NNNNNNN / 1000.
// Each has SIZE bytes, those of the pattern from its start.
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef WITH_TLS
#include <openssl/ssl.h>
#else
typedef void SSL;
#endif

#define PERIOD 1048573u     // bytes after which the pattern starts again: a prime, so that misplaced ranges differ
#define SCRATCH (512 << 10) // bytes read at once
#define MAX_HEAD (64 << 10)

enum operation {
    OP_PUT, OP_GET, OP_HEAD, OP_LIST, OP_DELETE, OP_DELETE_MANY, OP_CREATE, OP_PART, OP_COMPLETE, OP_ABORT, OP_COPY,
    OP_OTHER, OP_COUNT
};

extern const char *const operation_names[OP_COUNT];

struct counters {
    uint64_t requests[OP_COUNT];
    uint64_t connections, open, peak, bytes_in, bytes_out, errors;
};

struct text { const char *at; size_t size; };

// What is kept of a request's head. Texts point into the head, which is gone when the body has been discarded: what the
// answer needs then is copied to `echo` and `checksum_xml` at once.
struct request {
    struct text method, bucket, key, query;
    uint64_t length;
    bool is_chunked, expects_continue, is_last, wants_checksum, is_copy;
    bool has_range;
    int64_t first, last;          // of the range; last -1: to the end, first -1: the last `last` bytes
    enum operation operation;
    char echo[512];               // header lines to send back
    char checksum_xml[256];       // the same, for CompleteMultipartUpload
};

// What is sent: `text` first, then `synth_left` bytes of the pattern from `synth_at`.
struct reply {
    char *text;
    size_t size, capacity;
    uint64_t synth_at, synth_left;
};

// --- checksums.c: the pattern and its checksums
extern unsigned char pattern[2 * PERIOD];
extern int pattern_fd;            // the same bytes as a file, for sendfile
void make_pattern(void);
// Base64 of the checksums of the first `size` bytes.
void checksums_of(uint64_t size, char crc32c[16], char crc64nvme[24]);

// --- answers.c: from a request to a reply
struct text parameter(struct text query, const char *name);
void put(struct reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
void put_text(struct reply *reply, const char *at, size_t size);
bool parse_request(struct request *request, const char *head, size_t size);
bool wants_body(const struct request *request);
void answer(struct reply *reply, const struct request *request, struct text body);
void answer_slow_down(struct reply *reply, const struct request *request);
void answer_xml(struct reply *reply, int status, const char *headers, const char *body, size_t size);

// --- listing.c: the objects that exist
bool synth_object(struct text key, uint64_t *size);
void answer_listing(struct reply *reply, const struct request *request);

// --- main.c
void collect_counters(struct counters *sum, bool reset_peak);

#endif

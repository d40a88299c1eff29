// From a request's head (and small body) to its reply.
#define _GNU_SOURCE
#include "target.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define UPLOAD_ID "VXBsb2FkSUQtb2YtdGhlLWxvYWQtdGFyZ2V0"
#define CONSTANT_ETAG "9b2cf535f27731c974343645a3985328"

const char *const operation_names[OP_COUNT] = {
    "PutObject", "GetObject", "HeadObject", "ListObjectsV2", "DeleteObject", "DeleteObjects", "CreateMultipartUpload",
    "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload", "CopyObject", "Other",
};

static bool is(struct text text, const char *word) {
    return text.size == strlen(word) && !strncasecmp(text.at, word, text.size);
}

static bool starts(struct text text, const char *word) {
    return text.size >= strlen(word) && !strncasecmp(text.at, word, strlen(word));
}

// --- writing

void put_text(struct reply *reply, const char *at, size_t size) {
    if (reply->capacity - reply->size <= size) {
        reply->capacity = (reply->capacity + size) * 2 + 4096;
        reply->text = realloc(reply->text, reply->capacity);
        if (!reply->text) abort();
    }
    memcpy(reply->text + reply->size, at, size);
    reply->size += size;
}

void put(struct reply *reply, const char *format, ...) {
    char line[8192];
    va_list values;
    va_start(values, format);
    int size = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    put_text(reply, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
}

// What every reply of the real service begins with, made anew once a second.
static void put_start(struct reply *reply, int status) {
    static __thread time_t made;
    static __thread char common[512];
    static __thread size_t common_size;
    time_t now = time(NULL);
    if (now != made) {
        struct tm parts;
        char date[64];
        gmtime_r(&now, &parts);
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        common_size = snprintf(common, sizeof common,
            "x-amz-id-2: Qk9VTkRFRCBieSBub3RoaW5nLCB0aGlzIHRhcmdldCBhbnN3ZXJzIHF1aWNrbHkgYW5kIGtlZXBzIG5vdGhpbmc=\r\n"
            "x-amz-request-id: 5KJ2M0N4P8Q6R1ST\r\nDate: %s\r\nServer: AmazonS3\r\n", date);
        made = now;
    }
    put_text(reply, "HTTP/1.1 ", 9);
    static const char *const reasons[] = {"200 OK\r\n", "204 No Content\r\n", "206 Partial Content\r\n", "404 Not Found\r\n",
                                          "416 Range Not Satisfiable\r\n", "501 Not Implemented\r\n",
                                          "503 Slow Down\r\n"};
    static const int statuses[] = {200, 204, 206, 404, 416, 501, 503};
    for (int i = 0; i < 7; i++)
        if (statuses[i] == status) put_text(reply, reasons[i], strlen(reasons[i]));
    put_text(reply, common, common_size);
}

void answer_xml(struct reply *reply, int status, const char *headers, const char *body, size_t size) {
    put_start(reply, status);
    put(reply, "%sContent-Type: application/xml\r\nContent-Length: %zu\r\n\r\n", headers, size);
    put_text(reply, body, size);
}

static void answer_error(struct reply *reply, const struct request *request, int status, const char *code) {
    char body[256];
    int size = snprintf(body, sizeof body,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", code, code);
    if (request->operation == OP_HEAD) {
        put_start(reply, status);
        put(reply, "Content-Length: 0\r\n\r\n");
    } else {
        answer_xml(reply, status, "", body, size);
    }
}

void answer_slow_down(struct reply *reply, const struct request *request) { answer_error(reply, request, 503, "SlowDown"); }

// --- reading

struct text parameter(struct text query, const char *name) {
    const char *at = query.at, *end = query.at + query.size;
    size_t name_size = strlen(name);
    while (at < end) {
        const char *next = memchr(at, '&', end - at), *stop = next ? next : end, *equals = memchr(at, '=', stop - at);
        const char *name_end = equals ? equals : stop;
        if ((size_t)(name_end - at) == name_size && !memcmp(at, name, name_size)) {
            const char *value = equals ? equals + 1 : stop;
            return (struct text){value, stop - value};
        }
        at = next ? next + 1 : end;
    }
    return (struct text){NULL, 0};
}

static bool has(const struct request *request, const char *name) { return parameter(request->query, name).at != NULL; }

static void keep_checksum(struct request *request, struct text name, struct text value) {
    size_t used = strlen(request->echo);
    snprintf(request->echo + used, sizeof request->echo - used, "%.*s: %.*s\r\n", (int)name.size, name.at, (int)value.size,
             value.at);
    static const char *const elements[][2] = {
        {"x-amz-checksum-crc32", "ChecksumCRC32"}, {"x-amz-checksum-crc32c", "ChecksumCRC32C"},
        {"x-amz-checksum-crc64nvme", "ChecksumCRC64NVME"}, {"x-amz-checksum-sha1", "ChecksumSHA1"},
        {"x-amz-checksum-sha256", "ChecksumSHA256"}, {"x-amz-checksum-type", "ChecksumType"},
    };
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (is(name, elements[i][0])) {
            used = strlen(request->checksum_xml);
            snprintf(request->checksum_xml + used, sizeof request->checksum_xml - used, "<%s>%.*s</%s>", elements[i][1],
                     (int)value.size, value.at, elements[i][1]);
        }
}

static void read_range(struct request *request, struct text value) {
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)value.size, value.at);
    if (strncmp(text, "bytes=", 6) || strchr(text, ',')) return;
    char *dash = strchr(text + 6, '-');
    if (!dash) return;
    request->has_range = true;
    request->first = dash == text + 6 ? -1 : strtoll(text + 6, NULL, 10);
    request->last = dash[1] ? strtoll(dash + 1, NULL, 10) : -1;
}

static void read_field(struct request *request, struct text name, struct text value) {
    switch (name.at[0] | 32) {
    case 'c':
        if (is(name, "content-length")) request->length = strtoull(value.at, NULL, 10);
        else if (is(name, "connection")) request->is_last = is(value, "close");
        break;
    case 'e':
        if (is(name, "expect")) request->expects_continue = true;
        break;
    case 'r':
        if (is(name, "range")) read_range(request, value);
        break;
    case 't':
        if (is(name, "transfer-encoding")) request->is_chunked = is(value, "chunked");
        break;
    case 'x':
        if (is(name, "x-amz-checksum-mode")) request->wants_checksum = true;
        else if (starts(name, "x-amz-checksum-")) keep_checksum(request, name, value);
        else if (is(name, "x-amz-copy-source")) request->is_copy = true;
        break;
    default:
        break;
    }
}

static enum operation operation_of(const struct request *request) {
    if (is(request->method, "PUT")) {
        if (!request->key.size) return OP_OTHER;
        if (request->is_copy) return OP_COPY;
        return has(request, "partNumber") ? OP_PART : OP_PUT;
    }
    if (is(request->method, "GET")) return request->key.size ? OP_GET : has(request, "list-type") ? OP_LIST : OP_OTHER;
    if (is(request->method, "HEAD")) return OP_HEAD;
    if (is(request->method, "POST")) {
        if (has(request, "delete")) return OP_DELETE_MANY;
        return has(request, "uploads") ? OP_CREATE : has(request, "uploadId") ? OP_COMPLETE : OP_OTHER;
    }
    if (is(request->method, "DELETE")) return has(request, "uploadId") ? OP_ABORT : request->key.size ? OP_DELETE : OP_OTHER;
    return OP_OTHER;
}

static struct text up_to(const char **at, const char *end, const char *stops) {
    const char *start = *at;
    while (*at < end && !strchr(stops, **at)) ++*at;
    return (struct text){start, *at - start};
}

bool parse_request(struct request *request, const char *head, size_t size) {
    const char *at = head, *end = head + size;
    memset(request, 0, offsetof(struct request, echo));
    request->echo[0] = request->checksum_xml[0] = 0;
    request->method = up_to(&at, end, " \r");
    if (at == end || *at++ != ' ' || at == end || *at++ != '/') return false;
    request->bucket = up_to(&at, end, "/? \r");
    if (at < end && *at == '/') at++;
    request->key = up_to(&at, end, "? \r");
    if (at < end && *at == '?') at++;
    request->query = up_to(&at, end, " \r");
    at = memchr(at, '\n', end - at);
    while (at && ++at < end && *at != '\r') {
        const char *stop = memchr(at, '\r', end - at), *colon = stop ? memchr(at, ':', stop - at) : NULL;
        if (!colon) return false;
        const char *value = colon + 1;
        while (value < stop && *value == ' ') value++;
        read_field(request, (struct text){at, colon - at}, (struct text){value, stop - value});
        at = stop + 1;
        if (at >= end || *at != '\n') return false;
    }
    request->operation = operation_of(request);
    return at != NULL;
}

// Whether the answer depends on the request's body; the others' is discarded.
bool wants_body(const struct request *request) { return request->operation == OP_DELETE_MANY; }

// --- answers

static void answer_stored(struct reply *reply, const struct request *request) {
    put_start(reply, 200);
    put_text(reply, request->echo, strlen(request->echo));
    static const char rest[] = "ETag: \"" CONSTANT_ETAG "\"\r\nx-amz-server-side-encryption: AES256\r\nContent-Length: 0\r\n\r\n";
    put_text(reply, rest, sizeof rest - 1);
}

static void answer_object(struct reply *reply, const struct request *request) {
    uint64_t size, first = 0, length;
    if (!request->key.size) {
        put_start(reply, 200);
        put(reply, "x-amz-bucket-region: us-east-1\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    if (!synth_object(request->key, &size)) return answer_error(reply, request, 404, "NoSuchKey");
    length = size;
    if (request->has_range) {
        uint64_t last = request->last < 0 || (uint64_t)request->last >= size ? size - 1 : (uint64_t)request->last;
        first = request->first;
        if (request->first < 0) {
            first = (uint64_t)request->last > size ? 0 : size - request->last;
            last = size - 1;
        }
        if (first >= size || last < first) return answer_error(reply, request, 416, "InvalidRange");
        length = last - first + 1;
        put_start(reply, 206);
        put(reply, "Content-Range: bytes %llu-%llu/%llu\r\n", (unsigned long long)first, (unsigned long long)last,
            (unsigned long long)size);
    } else {
        put_start(reply, 200);
        if (request->wants_checksum && !memmem(request->bucket.at, request->bucket.size, "plain", 5)) {
            char crc32c[16], crc64nvme[24];
            checksums_of(size, crc32c, crc64nvme);
            bool is_64 = memmem(request->bucket.at, request->bucket.size, "crc64nvme", 9) != NULL;
            put(reply, "x-amz-checksum-%s: %s\r\nx-amz-checksum-type: FULL_OBJECT\r\n", is_64 ? "crc64nvme" : "crc32c",
                is_64 ? crc64nvme : crc32c);
        }
    }
    put(reply,
        "Last-Modified: Sat, 03 Feb 2024 04:05:06 GMT\r\nETag: \"d41d8cd98f00b204e9800998ecf8427e-1\"\r\n"
        "x-amz-server-side-encryption: AES256\r\nAccept-Ranges: bytes\r\nContent-Type: binary/octet-stream\r\n"
        "Content-Length: %llu\r\n\r\n", (unsigned long long)length);
    if (request->operation == OP_GET) {
        reply->synth_at = first;
        reply->synth_left = length;
    }
}

static void answer_multipart(struct reply *reply, const struct request *request) {
    static __thread struct reply xml;
    xml.size = 0;
    put(&xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    if (request->operation == OP_CREATE) {
        put(&xml, "<InitiateMultipartUploadResult><Bucket>%.*s</Bucket><Key>", (int)request->bucket.size, request->bucket.at);
        put_text(&xml, request->key.at, request->key.size);
        put(&xml, "</Key><UploadId>" UPLOAD_ID "</UploadId></InitiateMultipartUploadResult>");
    } else {
        put(&xml, "<CompleteMultipartUploadResult><Location>http://localhost/</Location><Bucket>%.*s</Bucket><Key>",
            (int)request->bucket.size, request->bucket.at);
        put_text(&xml, request->key.at, request->key.size);
        put(&xml, "</Key><ETag>&quot;" CONSTANT_ETAG "-2&quot;</ETag>%s</CompleteMultipartUploadResult>",
            request->checksum_xml);
    }
    answer_xml(reply, 200, request->echo, xml.text, xml.size);
}

static void answer_deletes(struct reply *reply, struct text body) {
    static __thread struct reply xml;
    xml.size = 0;
    put(&xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteResult>");
    const char *at = body.at, *end = body.at + body.size;
    if (!memmem(at, body.size, "<Quiet>true", 11))
        while ((at = memmem(at, end - at, "<Key>", 5))) {
            const char *stop = memmem(at, end - at, "</Key>", 6);
            if (!stop) break;
            put_text(&xml, "<Deleted>", 9);
            put_text(&xml, at, stop + 6 - at);
            put_text(&xml, "</Deleted>", 10);
            at = stop;
        }
    put(&xml, "</DeleteResult>");
    answer_xml(reply, 200, "", xml.text, xml.size);
}

static void answer_counters(struct reply *reply, const struct request *request) {
    struct counters sum;
    char body[2048];
    collect_counters(&sum, has(request, "reset"));
    int size = snprintf(body, sizeof body,
        "{\"connections\":%llu,\"open\":%llu,\"peak\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu,\"errors\":%llu",
        (unsigned long long)sum.connections, (unsigned long long)sum.open, (unsigned long long)sum.peak,
        (unsigned long long)sum.bytes_in, (unsigned long long)sum.bytes_out, (unsigned long long)sum.errors);
    for (int i = 0; i < OP_COUNT; i++)
        size += snprintf(body + size, sizeof body - size, ",\"%s\":%llu", operation_names[i],
                         (unsigned long long)sum.requests[i]);
    size += snprintf(body + size, sizeof body - size, "}\n");
    put_start(reply, 200);
    put(reply, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", size);
    put_text(reply, body, size);
}

static void answer_other(struct reply *reply, const struct request *request) {
    static const char location[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint/>";
    static const char uploads[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                  "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";
    if (is(request->bucket, "__stats")) answer_counters(reply, request);
    else if (has(request, "location")) answer_xml(reply, 200, "", location, sizeof location - 1);
    else if (has(request, "uploads")) answer_xml(reply, 200, "", uploads, sizeof uploads - 1);
    else if (is(request->method, "PUT")) answer_stored(reply, request);
    else answer_error(reply, request, 501, "NotImplemented");
}

void answer(struct reply *reply, const struct request *request, struct text body) {
    static const char copied[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CopyObjectResult><ETag>&quot;" CONSTANT_ETAG
                                 "&quot;</ETag><LastModified>2024-02-03T04:05:06.000Z</LastModified></CopyObjectResult>";
    switch (request->operation) {
    case OP_PUT: case OP_PART: answer_stored(reply, request); break;
    case OP_GET: case OP_HEAD: answer_object(reply, request); break;
    case OP_LIST: answer_listing(reply, request); break;
    case OP_CREATE: case OP_COMPLETE: answer_multipart(reply, request); break;
    case OP_COPY: answer_xml(reply, 200, "", copied, sizeof copied - 1); break;
    case OP_DELETE_MANY: answer_deletes(reply, body); break;
    case OP_DELETE: case OP_ABORT:
        put_start(reply, 204);
        put(reply, "\r\n");
        break;
    default: answer_other(reply, request); break;
    }
}

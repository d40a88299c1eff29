// Which objects exist, and ListObjectsV2 over them.
#define _GNU_SOURCE
#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PAGE 1000
#define NAME_SIZE 16 // "DDDD/NNNNNNN.bin"

struct tree { struct text root; uint64_t size, count; }; // root: "synth/SIZE/COUNT/", a piece of the text it was found in

static bool read_number(const char **at, const char *end, uint64_t *number) {
    const char *start = *at;
    uint64_t value = 0;
    while (*at < end && **at >= '0' && **at <= '9' && *at - start < 18) value = value * 10 + (*(*at)++ - '0');
    *number = value;
    return *at > start;
}

static bool find_tree(struct text key, struct tree *tree) {
    const char *at = key.at + 6, *end = key.at + key.size;
    if (key.size < 6 || memcmp(key.at, "synth/", 6)) return false;
    if (!read_number(&at, end, &tree->size) || at == end || *at++ != '/') return false;
    if (!read_number(&at, end, &tree->count) || at == end || *at++ != '/') return false;
    tree->root = (struct text){key.at, at - key.at};
    return tree->count <= 10000000 && tree->root.size < 64;
}

static void name_of(uint64_t number, char name[NAME_SIZE + 1]) {
    memcpy(name, "0000/0000000.bin", NAME_SIZE + 1);
    uint64_t directory = number / 1000;
    for (int i = 3; i >= 0; i--, directory /= 10) name[i] = '0' + directory % 10;
    for (int i = 11; i >= 5; i--, number /= 10) name[i] = '0' + number % 10;
}

bool synth_object(struct text key, uint64_t *size) {
    struct tree tree;
    if (!find_tree(key, &tree) || key.size != tree.root.size + NAME_SIZE) return false;
    const char *at = key.at + tree.root.size + 5;
    uint64_t number;
    char name[NAME_SIZE + 1];
    if (!read_number(&at, key.at + key.size, &number) || number >= tree.count) return false;
    name_of(number, name);
    *size = tree.size;
    return !memcmp(name, key.at + tree.root.size, NAME_SIZE);
}

static size_t decode(struct text value, char *out, size_t room) {
    size_t size = 0;
    for (size_t i = 0; i < value.size && size + 1 < room; i++) {
        char byte = value.at[i];
        if (byte == '%' && i + 2 < value.size) {
            char digits[3] = {value.at[i + 1], value.at[i + 2], 0};
            byte = strtol(digits, NULL, 16);
            i += 2;
        } else if (byte == '+') {
            byte = ' ';
        }
        out[size++] = byte;
    }
    out[size] = 0;
    return size;
}

// The first number whose name is not before `rest` (after it and all that begins with it, where `beyond`).
static uint64_t bound(const struct tree *tree, const char *rest, size_t size, bool beyond) {
    uint64_t low = 0, high = tree->count;
    char name[NAME_SIZE + 1];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        name_of(middle, name);
        int order = memcmp(name, rest, size < NAME_SIZE ? size : NAME_SIZE);
        if (!order && size > NAME_SIZE) order = -1;
        if (order < 0 || (beyond && !order)) low = middle + 1;
        else high = middle;
    }
    return low;
}

// An entry with room for the name at `name_at`: the same for all of a tree.
static size_t make_entry(const struct tree *tree, const char *algorithm, char *entry, size_t room, size_t *name_at) {
    *name_at = strlen("<Contents><Key>") + tree->root.size;
    return snprintf(entry, room,
        "<Contents><Key>%.*s0000/0000000.bin</Key><LastModified>2024-02-03T04:05:06.000Z</LastModified>"
        "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e-1&quot;</ETag><ChecksumAlgorithm>%s</ChecksumAlgorithm>"
        "<ChecksumType>FULL_OBJECT</ChecksumType><Size>%llu</Size><StorageClass>STANDARD</StorageClass></Contents>",
        (int)tree->root.size, tree->root.at, algorithm, (unsigned long long)tree->size);
}

// Entries (or with a delimiter the prefixes) of numbers `from` to `to`, a page at most; where the next page begins.
static uint64_t put_page(struct reply *reply, const struct tree *tree, uint64_t from, uint64_t to, bool folds, int most,
                         int *count, const char *algorithm) {
    char name[NAME_SIZE + 1], entry[1024];
    size_t name_at, entry_size = make_entry(tree, algorithm, entry, sizeof entry, &name_at);
    while (from < to && *count < most) {
        name_of(from, name);
        if (folds) {
            put(reply, "<CommonPrefixes><Prefix>%.*s%.5s</Prefix></CommonPrefixes>", (int)tree->root.size, tree->root.at,
                name);
            from = (from / 1000 + 1) * 1000;
        } else {
            memcpy(entry + name_at, name, NAME_SIZE);
            put_text(reply, entry, entry_size);
            from++;
        }
        ++*count;
    }
    return from < to ? from : to;
}

void answer_listing(struct reply *reply, const struct request *request) {
    static __thread struct reply page;
    char prefix[2048], text[64], after[2048];
    struct tree tree = {0};
    size_t prefix_size = decode(parameter(request->query, "prefix"), prefix, sizeof prefix);
    bool has_delimiter = parameter(request->query, "delimiter").size > 0;
    decode(parameter(request->query, "max-keys"), text, sizeof text);
    int most = *text ? atoi(text) : MAX_PAGE, count = 0;
    if (most > MAX_PAGE || most < 0) most = MAX_PAGE;
    uint64_t next = 0, end = 0;
    page.size = 0;
    if (find_tree((struct text){prefix, prefix_size}, &tree)) {
        const char *rest = prefix + tree.root.size;
        size_t rest_size = prefix_size - tree.root.size;
        uint64_t from = bound(&tree, rest, rest_size, false);
        end = rest_size ? bound(&tree, rest, rest_size, true) : tree.count;
        size_t after_size = decode(parameter(request->query, "start-after"), after, sizeof after);
        if (after_size > tree.root.size && !memcmp(after, prefix, tree.root.size)) {
            // What begins with it and is longer comes after it.
            bool is_whole = after_size - tree.root.size == NAME_SIZE;
            uint64_t later = bound(&tree, after + tree.root.size, after_size - tree.root.size, is_whole);
            if (later > from) from = later;
        }
        if (decode(parameter(request->query, "continuation-token"), text, sizeof text)) from = strtoull(text, NULL, 10);
        bool folds = has_delimiter && rest_size < 5;
        const char *algorithm = memmem(request->bucket.at, request->bucket.size, "crc64nvme", 9) ? "CRC64NVME" : "CRC32C";
        next = put_page(&page, &tree, from, end, folds, most, &count, algorithm);
    }
    bool is_truncated = next < end;
    static __thread struct reply whole;
    whole.size = 0;
    put(&whole,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Name>%.*s</Name><Prefix>%s</Prefix><KeyCount>%d</KeyCount><MaxKeys>%d</MaxKeys>",
        (int)request->bucket.size, request->bucket.at, tree.size || tree.count ? prefix : "", count, most);
    if (has_delimiter) put(&whole, "<Delimiter>/</Delimiter>");
    if (parameter(request->query, "encoding-type").size) put(&whole, "<EncodingType>url</EncodingType>");
    if (is_truncated) put(&whole, "<NextContinuationToken>%llu</NextContinuationToken>", (unsigned long long)next);
    put(&whole, "<IsTruncated>%s</IsTruncated>", is_truncated ? "true" : "false");
    put_text(&whole, page.text, page.size);
    put(&whole, "</ListBucketResult>");
    answer_xml(reply, 200, "", whole.text, whole.size);
}

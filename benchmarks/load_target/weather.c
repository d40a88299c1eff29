// Delays and refusals, and the queue of replies that wait: a binary heap by the time at which each is due.
#define _GNU_SOURCE
#include "weather.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

struct weather weather;

uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

// A number in (0, 1): xorshift64*, seeded by the worker, so that a run meets the same weather as the one before.
static double uniform(struct worker *worker) {
    worker->random ^= worker->random >> 12;
    worker->random ^= worker->random << 25;
    worker->random ^= worker->random >> 27;
    return ((worker->random * 0x2545F4914F6CDD1Dull >> 11) + 0.5) / 9007199254740992.0;
}

bool weather_refuses(struct worker *worker) { return weather.error_share > 0 && uniform(worker) < weather.error_share; }

uint64_t weather_delay(struct worker *worker) {
    if (weather.stall_share > 0 && uniform(worker) < weather.stall_share) return weather.stall_ms * 1e6;
    if (weather.latency_ms <= 0) return 0;
    double normal = sqrt(-2 * log(uniform(worker))) * cos(2 * M_PI * uniform(worker));
    return weather.latency_ms * exp(weather.sigma * normal) * 1e6;
}

void waiting_add(struct worker *worker, struct connection *connection) {
    if (worker->waiting_count == worker->waiting_room) {
        worker->waiting_room = worker->waiting_room * 2 + 64;
        worker->waiting = realloc(worker->waiting, worker->waiting_room * sizeof *worker->waiting);
        if (!worker->waiting) abort();
    }
    size_t at = worker->waiting_count++;
    while (at && worker->waiting[(at - 1) / 2]->due > connection->due) {
        worker->waiting[at] = worker->waiting[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    worker->waiting[at] = connection;
}

struct connection *waiting_take(struct worker *worker) {
    if (!worker->waiting_count || worker->waiting[0]->due > now_ns()) return NULL;
    struct connection *first = worker->waiting[0], *last = worker->waiting[--worker->waiting_count];
    size_t at = 0, count = worker->waiting_count;
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && worker->waiting[child + 1]->due < worker->waiting[child]->due) child++;
        if (worker->waiting[child]->due >= last->due) break;
        worker->waiting[at] = worker->waiting[child];
    }
    if (count) worker->waiting[at] = last;
    return first;
}

int waiting_ms(const struct worker *worker) {
    if (!worker->waiting_count) return -1;
    uint64_t now = now_ns(), due = worker->waiting[0]->due;
    return due > now ? (due - now) / 1000000 + 1 : 0;
}

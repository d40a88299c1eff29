// Bad weather: what a service far away does to its clients. Off unless it is asked for.
#ifndef WEATHER_H
#define WEATHER_H

#include "connection.h"

struct weather {
    double latency_ms, sigma;    // replies come so late: the median, and the standard deviation of the logarithm
    double stall_share, stall_ms; // this share of them comes so late instead
    double error_share;          // this share of requests is answered 503
};

extern struct weather weather;

uint64_t now_ns(void);
// Whether the next request shall be refused; no delay is added to what this says.
bool weather_refuses(struct worker *worker);
// How long the next reply shall wait, in nanoseconds.
uint64_t weather_delay(struct worker *worker);
// Let the connection wait until its `due`.
void waiting_add(struct worker *worker, struct connection *connection);
// A connection that has waited for long enough, or NULL.
struct connection *waiting_take(struct worker *worker);
// Milliseconds until there is one, rounded up; -1: nobody waits.
int waiting_ms(const struct worker *worker);

#endif

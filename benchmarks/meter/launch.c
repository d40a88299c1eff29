// launch REPORT_FD CPUS COMMAND...: runs a command and measures it with all its descendants.
//
// A process of its own, because ru_maxrss begins at what the process that called exec had, and a Python runner has more
// than some of the clients. It is the reaper of orphans, so that no descendant's CPU is lost: what a process does not
// wait for comes here. Writes one line of JSON to REPORT_FD.
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval value) { return value.tv_sec + value.tv_usec / 1e6; }

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int count, char **words) {
    if (count < 4) return 2;
    int report = atoi(words[1]);
    if (words[2][0] != '-') {
        cpu_set_t set;
        CPU_ZERO(&set);
        for (char *word, *rest = words[2]; (word = strsep(&rest, ","));) CPU_SET(atoi(word), &set);
        if (sched_setaffinity(0, sizeof set, &set)) return 2;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    double start = now(), end = 0;
    pid_t child = fork();
    if (child < 0) return 2;
    if (!child) {
        close(report);
        execvp(words[3], words + 3);
        perror(words[3]);
        _exit(127);
    }
    int status = 0, orphans = 0;
    long peak = 0;
    for (;;) {
        int one;
        struct rusage usage;
        pid_t pid = wait4(-1, &one, 0, &usage);
        if (pid < 0 && errno == EINTR) continue;
        if (pid < 0) break;
        if (usage.ru_maxrss > peak) peak = usage.ru_maxrss;
        if (pid == child) {
            status = one;
            end = now();
        } else {
            orphans++;
        }
    }
    struct rusage all;
    getrusage(RUSAGE_CHILDREN, &all);
    dprintf(report,
        "{\"status\":%d,\"wall_s\":%.6f,\"user_s\":%.6f,\"system_s\":%.6f,\"peak_rss_kib\":%ld,\"orphans\":%d,"
        "\"switches\":%ld,\"preemptions\":%ld,\"faults\":%ld}\n",
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), end - start, seconds(all.ru_utime),
        seconds(all.ru_stime), peak, orphans, all.ru_nvcsw, all.ru_nivcsw, all.ru_minflt);
    return 0;
}

// How long steps take on the host, and what of them. One step in TIMED_EVERY is timed phase by phase; exchanges are
// timed as a whole in each, for how long ranks wait is in no step as it is in another. In one step of PARTED_EVERY the
// ranks wait for each other before they exchange, which costs as much as an exchange.
#include <math.h>
#include <time.h>

static double seconds() {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// The processor's own clock, which is read in a third of the time; how long a tick is, the other one tells.
static int64 ticks() {
#if defined(__x86_64__)
    return (int64)__builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    int64 now;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(now));
    return now;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1000000000 * (int64)now.tv_sec + now.tv_nsec;
#endif
}

// What reading the clock costs: about a tenth of a small network's step.
static double clock_seconds() {
    double least = 1.0;
    for (int k = 0; k < 50; ++k) {
        const double start = seconds(), spent = seconds() - start;
        least = spent < least ? spent : least;
    }
    return least;
}
static const double clock_cost = clock_seconds();

// A clock that is read at the end of each of several parts, or never: where `sums` are null.
struct Laps {
    double* sums;
    double before;
    explicit Laps(double* const parts) : sums(parts), before(parts ? seconds() : 0.0) {}
    void end(const int part) {
        if (!sums) return;
        const double now = seconds(), spent = now - before - clock_cost;
        sums[part] += spent > 0.0 ? spent : 0.0;
        before = now;
    }
};

// An exchange that was told apart into parts. One transfer in which another rank was interrupted must not stand for all
// those that are not timed: hence their geometric mean.
static void count_parts(StepTimes& times) {
    times.log_transfer += log(times.parts[TRANSFER] > 1e-9 ? times.parts[TRANSFER] : 1e-9);
    times.accept += times.parts[ACCEPT];
    times.parted_exchanges += 1;
    for (double& part : times.parts) part = 0.0;
}

// A step took so long: one more between two edges. What is below all of them, or above, counts with the outermost.
static void count_cycle(StepTimes& times, const double spent) {
    int first = 0, behind = N_CYCLES;
    while (behind - first > 1) {
        const int middle = (first + behind) / 2;
        (1e6 * spent < CYCLE_EDGES_US[middle] ? behind : first) = middle;
    }
    times.cycles[first] += 1;
}

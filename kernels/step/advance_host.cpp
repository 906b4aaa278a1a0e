// The schedule on the host: one call runs the steps up to `until`, or until something halts it. Compiled with kernels.
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#if defined(HPCSNN_EMULATED_THREADS)
template <class Kernel> static void launch(Kernel kernel, Network* net) {
#pragma omp parallel for num_threads(HPCSNN_EMULATED_THREADS) schedule(static, 1)
    for (int thread = 0; thread < HPCSNN_EMULATED_THREADS; ++thread) {
        emulated_thread = thread;
        kernel(net);
    }
}
#define LAUNCH(kernel) launch(kernel, net)
#else
#define LAUNCH(kernel) kernel(net)
#endif

static double seconds() {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
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

// An MPI handle is an int in MPICH and a pointer in Open MPI: the same call through either.
typedef int (*AllgatherInt)(const void*, int, int, void*, int, int, int);
typedef int (*AllgatherPointer)(const void*, int, void*, void*, int, void*, void*);

static int allgather(const Exchange& e, const void* send, const int count, void* receive) {
    if (e.handle_bytes == 4)
        return ((AllgatherInt)e.allgather)(send, count, (int)e.datatype, receive, count, (int)e.datatype,
                                           (int)e.communicator);
    return ((AllgatherPointer)e.allgather)(send, count, (void*)e.datatype, receive, count, (void*)e.datatype,
                                           (void*)e.communicator);
}

// All ranks swap the spikes of the interval that ends with this step: a block of fixed size each, [how many are left,
// spikes ...], and as many more rounds as the fullest rank needs.
static void exchange_spikes(Network* net) {
    if (net->control->halt) return;
    Exchange& e = net->exchange;
    const int first_step = net->control->step + 1 - e.interval;
    const int total = *e.send_count;
    int sent = 0;
    for (bool more = true; more;) {
        const int left = total - sent, n = left < e.block ? left : e.block;
        e.send_block[0] = (uint32)left;
        memcpy(e.send_block + 1, e.send + sent, (size_t)n * sizeof(uint32));
        if (allgather(e, e.send_block, e.block + 1, e.receive_block) != 0) {
            halt(net->control, EXCHANGE_FAILED, 0, 0, 0);
            return;
        }
        sent += n;
        more = false;
        for (int rank = 0; rank < e.n_ranks; ++rank) {
            const uint32* box = e.receive_block + (size_t)rank * (e.block + 1);
            const int there = (int)box[0];
            more |= there > e.block;
            if (rank == e.rank) continue;
            for (int k = 0; k < (there < e.block ? there : e.block); ++k) accept(net, box[1 + k], first_step);
        }
        *e.rounds += 1;
    }
    *e.send_count = 0;
}

// What a snippet of a user's may do to the process: a whole number divided by zero. Whoever is not in a step here is
// none of our business, and goes to whoever was asked before.
static thread_local sigjmp_buf* way_out = nullptr;
static struct sigaction asked_before[2];

static void trapped(const int signal_number) {
    if (way_out) siglongjmp(*way_out, signal_number);
    const struct sigaction& before = asked_before[signal_number == SIGFPE ? 0 : 1];
    if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN && !(before.sa_flags & SA_SIGINFO))
        before.sa_handler(signal_number);
    else
        sigaction(signal_number, &before, nullptr);
}

static bool set_traps() {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = trapped;
    return sigaction(SIGFPE, &action, &asked_before[0]) == 0 && sigaction(SIGILL, &action, &asked_before[1]) == 0;
}

// One step in `sampled_every` is timed, phase by phase; clocks would cost more than a small network's step.
static __attribute__((noinline)) int steps(Network* net, const int until, double* phase_seconds,
                                           const int sampled_every) {
    Control& control = *net->control;
    int first_stage = control.stage;
    control.stage = 0;
//% for trigger in triggers
    const int every_{{ trigger.name }} = net->{{ trigger.every }};
    const int left_{{ trigger.name }} = every_{{ trigger.name }} - control.step % every_{{ trigger.name }};
//% if trigger.at_start
    int until_{{ trigger.name }} = 1 + left_{{ trigger.name }} % every_{{ trigger.name }};
//% else
    int until_{{ trigger.name }} = left_{{ trigger.name }};
//% endif
//% endfor
    static const double clock_cost = clock_seconds();
    int until_sample = sampled_every - control.step % sampled_every;  // however a run is cut
    while (control.step < until) {
        const bool timed = --until_sample == 0;
        double before = 0.0;
        if (timed) {
            until_sample = sampled_every;
            before = seconds();
        }
//% for trigger in triggers
        const bool due_{{ trigger.name }} = --until_{{ trigger.name }} == 0;
        if (due_{{ trigger.name }}) until_{{ trigger.name }} = every_{{ trigger.name }};
//% endfor
//% for stage in stages
        if ({{ "due_" ~ stage.trigger ~ " && " if stage.trigger }}first_stage <= {{ loop.index0 }}) {{ stage.call }};
//% if stage.ends_phase
        if (timed) {
            const double now = seconds(), spent = now - before - clock_cost;
            phase_seconds[{{ stage.phase_index }}] += spent > 0.0 ? spent : 0.0;
            before = now;
        }
//% endif
//% endfor
        if (control.halt) return control.halt;
        first_stage = 0;
    }
    return RUNNING;
}

extern "C" int advance(Network* net, const int until, double* phase_seconds, const int sampled_every) {
    check_values(net);  // whoever loads a library into the process may have set the processor's modes
    if (net->control->halt) return net->control->halt;
    static const bool set = set_traps();
    (void)set;
    sigjmp_buf here;
    const int signal_number = sigsetjmp(here, 1);
    if (signal_number) {
        way_out = nullptr;
        halt(net->control, TRAPPED, 0, 0, signal_number);
        return net->control->halt;
    }
    way_out = &here;
    const int reason = steps(net, until, phase_seconds, sampled_every);
    way_out = nullptr;
    return reason;
}

//% for kernel in setup_kernels
extern "C" void run_{{ kernel }}(Network* net) { LAUNCH({{ kernel }}); }
//% endfor

#if defined(HPCSNN_EMULATED_THREADS)
//% for kernel in stage_kernels
extern "C" void run_{{ kernel }}(Network* net) { LAUNCH({{ kernel }}); }
//% endfor
#endif

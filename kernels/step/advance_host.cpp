// The schedule on the host: one call runs the steps up to `until`, or until something halts it. Compiled with kernels.
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
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

// What a snippet of a user's may do to the process: divide a whole number by zero, leave arrays or the stack. Whoever
// is not in a kernel here is none of our business, and goes to whoever was asked before.
constexpr int SIGNALS[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS};
constexpr int N_SIGNALS = 4;
// Volatile: nobody but a handler reads it, which a compiler does not see.
static thread_local sigjmp_buf* volatile way_out = nullptr;
static struct sigaction asked_before[N_SIGNALS];

static void trapped(const int signal_number) {
    if (way_out) siglongjmp(*way_out, signal_number);
    int which = 0;
    while (which < N_SIGNALS - 1 && SIGNALS[which] != signal_number) ++which;
    const struct sigaction& before = asked_before[which];
    if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN && !(before.sa_flags & SA_SIGINFO))
        before.sa_handler(signal_number);
    else
        sigaction(signal_number, &before, nullptr);
}

static bool set_traps() {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = trapped;
    action.sa_flags = SA_ONSTACK;
    for (int which = 0; which < N_SIGNALS; ++which) sigaction(SIGNALS[which], &action, &asked_before[which]);
    return true;
}

// Where a handler runs if a snippet has used up the stack; a thread has it until it ends.
struct HandlersStack {
    void* memory = nullptr;
    HandlersStack() {
        stack_t stack;
        if (sigaltstack(nullptr, &stack) != 0 || !(stack.ss_flags & SS_DISABLE)) return;
        memset(&stack, 0, sizeof stack);
        stack.ss_size = 1 << 16;
        memory = stack.ss_sp = malloc(stack.ss_size);
        if (memory) sigaltstack(&stack, nullptr);
    }
    ~HandlersStack() {
        if (!memory) return;
        stack_t none;
        memset(&none, 0, sizeof none);
        none.ss_flags = SS_DISABLE;
        sigaltstack(&none, nullptr);
        free(memory);
    }
};

// Once for all kernels: a handler that was asked before itself would never end.
static void get_ready() {
    static const bool traps = set_traps();
    static thread_local const HandlersStack stack;
    (void)traps;
    (void)stack;
}

// The number of the signal that ended `work`; 0 if it came to its end.
template <class Work> static __attribute__((noinline)) int guarded(const Work& work) {
    get_ready();
    sigjmp_buf here;
    const int signal_number = sigsetjmp(here, 1);
    if (signal_number) {
        way_out = nullptr;
        return signal_number;
    }
    way_out = &here;
    asm volatile("" ::: "memory");
    work();
    asm volatile("" ::: "memory");
    way_out = nullptr;
    return 0;
}

// An MPI handle is an int in MPICH and a pointer in Open MPI: the same call through either.
typedef int (*AllgatherInt)(const void*, int, int, void*, int, int, int);
typedef int (*AllgatherPointer)(const void*, int, void*, void*, int, void*, void*);

static int allgather(const Exchange& e, const void* send, const int count, void* receive) {
    sigjmp_buf* const out = way_out;
    way_out = nullptr;  // what goes wrong in MPI is no snippet's
    int result;
    if (e.handle_bytes == 4)
        result = ((AllgatherInt)e.allgather)(send, count, (int)e.datatype, receive, count, (int)e.datatype,
                                             (int)e.communicator);
    else
        result = ((AllgatherPointer)e.allgather)(send, count, (void*)e.datatype, receive, count, (void*)e.datatype,
                                                 (void*)e.communicator);
    way_out = out;
    return result;
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

// One step in `sampled_every` is timed, phase by phase; clocks would cost more than a small network's step.
// `running` is the stage that runs, for whoever is thrown out of it.
static __attribute__((noinline)) int steps(Network* net, const int until, double* phase_seconds,
                                           const int sampled_every, volatile int* running) {
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
        if ({{ "due_" ~ stage.trigger ~ " && " if stage.trigger }}first_stage <= {{ loop.index0 }}) {
            *running = {{ loop.index0 }};
            {{ stage.call }};
        }
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
    volatile int running = 0;
    volatile int reason = RUNNING;
    const int signal_number = guarded([&] { reason = steps(net, until, phase_seconds, sampled_every, &running); });
    if (signal_number == 0) return reason;
    Control& control = *net->control;
    control.halt = TRAPPED;
    control.stage = running;
    control.neuron = signal_number;
    return control.halt;
}

//% for kernel in setup_kernels
extern "C" int run_{{ kernel }}(Network* net) {
    return guarded([&] { LAUNCH({{ kernel }}); });
}
//% endfor

#if defined(HPCSNN_EMULATED_THREADS)
//% for kernel in stage_kernels
extern "C" void run_{{ kernel }}(Network* net) { LAUNCH({{ kernel }}); }
//% endfor
#endif

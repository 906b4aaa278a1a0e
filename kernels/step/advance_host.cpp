// The schedule on the host: one call runs the steps up to `until`, or until something halts it. Compiled with kernels.
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

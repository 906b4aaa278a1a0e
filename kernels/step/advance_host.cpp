// The schedule on the host: one call runs the steps up to `until`, or until something halts it. Compiled with kernels.

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

// How long exchanges take; now and then, in the same steps on all ranks, where the time of one went.
static void timed_send(Network* net, StepTimes* times) {
    if (net->control->halt) return;
    times->parted = (net->control->step + 1) % PARTED_EVERY == 0;
    const int64 before = ticks();
    send_spikes(net, Laps(times->parted ? times->parts : nullptr));
    times->exchange_ticks += ticks() - before;
    times->exchanges += 1;
}

// What has been sent is accepted whatever has halted since.
static void timed_accept(Network* net, StepTimes* times) {
    if (!*net->exchange.under_way) return;
    const int64 before = ticks();
    accept_spikes(net, Laps(times->parted ? times->parts : nullptr));
    times->exchange_ticks += ticks() - before;
    if (times->parted) count_parts(*times);
}

// `running` is the stage that runs, for whoever is thrown out of it.
static __attribute__((noinline)) int steps(Network* net, const int until, StepTimes* times, volatile int* running) {
    Control& control = *net->control;
    int first_stage = control.stage;
    control.stage = 0;
//% for trigger in triggers
    const int every_{{ trigger.name }} = net->{{ trigger.every }};
    const int left_{{ trigger.name }} = every_{{ trigger.name }} - control.step % every_{{ trigger.name }};
//% if trigger.behind
    int until_{{ trigger.name }} = 1 + (left_{{ trigger.name }} + net->{{ trigger.behind }}) % every_{{ trigger.name }};
//% elif trigger.at_start
    int until_{{ trigger.name }} = 1 + left_{{ trigger.name }} % every_{{ trigger.name }};
//% else
    int until_{{ trigger.name }} = left_{{ trigger.name }};
//% endif
//% endfor
    int until_timed = TIMED_EVERY - control.step % TIMED_EVERY;
    while (control.step < until) {
        const bool timed = --until_timed == 0;
        if (timed) until_timed = TIMED_EVERY;
        Laps laps(timed ? times->phases : nullptr);
        const double began = laps.before;
//% for trigger in triggers
        const bool due_{{ trigger.name }} = --until_{{ trigger.name }} == 0;
        if (due_{{ trigger.name }}) until_{{ trigger.name }} = every_{{ trigger.name }};
//% endfor
//% for stage in stages
//% if stage.repeats and stage.begins_repeats
        for (int turn = 0; due_{{ stage.trigger }} && turn < net->{{ stage.repeats }}; ++turn) {
//% endif
        if ({{ "due_" ~ stage.trigger ~ " && " if stage.trigger }}first_stage <= {{ loop.index0 }}) {
            *running = {{ loop.index0 }};
            {{ stage.call }};
        }
//% if stage.repeats and stage.ends_repeats
        }
//% endif
//% if stage.ends_phase
        laps.end({{ stage.phase_index }});
//% endif
//% endfor
        if (timed) times->cut_short += laps.before - began;
        if (control.halt) return control.halt;
        if (timed) {
            count_cycle(*times, times->cut_short);
            times->cut_short = 0.0;
        }
        first_stage = 0;
    }
    return RUNNING;
}

extern "C" int advance(Network* net, const int until, StepTimes* times) {
    check_values(net);  // whoever loads a library into the process may have set the processor's modes
    if (net->control->halt) return net->control->halt;
    volatile int running = 0;
    volatile int reason = RUNNING;
    const double began = seconds();
    const int64 before = ticks();
    const int signal_number = guarded([&] { reason = steps(net, until, times, &running); });
//% if shared
    timed_accept(net, times);  // whoever looks at the state finds nothing under way
//% endif
    const int64 passed = ticks() - before;
    if (passed > 0) times->exchange += (seconds() - began) * (double)times->exchange_ticks / (double)passed;
    times->exchange_ticks = 0;
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

// Seconds of an exchange of nothing, over `n` of them: all ranks make as many. What is counted, and what is not sent
// yet, stays as it was.
extern "C" double time_exchanges(Network* net, const int n) {
    Exchange& e = net->exchange;
    const int waiting = *e.send_count;
    const int64 rounds = *e.rounds;
    int64 sent[SPIKES + 1];
    memcpy(sent, e.sent, sizeof sent);
    *e.send_count = 0;
    const double start = seconds();
    for (int k = 0; k < n; ++k) {
        send_spikes(net, Laps(nullptr));
        accept_spikes(net, Laps(nullptr));
    }
    const double spent = seconds() - start;
    *e.send_count = waiting;
    *e.rounds = rounds;
    memcpy(e.sent, sent, sizeof sent);
    return spent / n;
}

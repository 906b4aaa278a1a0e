// A sample begins: nothing is left of the one before, unless its state is carried on. Then its spikes are played, and
// all spikes remembered by neuron.
//% for population in populations
{%- set name = population.name %}
{%- set never = "never" if population.windowed else "sample_steps" %}
{%- set recorded_steps = "n_steps + 1" if population.windowed else "n_steps" %}  {#- with the one behind a window #}
KERNEL begin_sample_{{ name }}(Network* net) {
    const Control& control = *net->control;
    if (control.halt || control.step % net->learning.sample_steps) return;
    auto& population = net->population_{{ name }};
    auto& learner = net->learning.population_{{ name }};
    const int n_neurons = population.n_simulated;
//% if not population.carried
    for (int slot = thread_first(); slot <= population.ring_mask; slot += thread_stride()) {
        population.own_count[slot] = 0;
        population.remote_count[slot] = 0;
    }
//% endif
//% if population.remembers
    const int n_known = population.slot_size;  // of all replicas
    for (int neuron = thread_first(); neuron < n_known; neuron += thread_stride()) {
        learner.n_spikes[neuron] = 0;
        learner.first_step[neuron] = net->learning.{{ never }};  // what never comes adds what is there: 0
//% if population.windowed and not population.is_source
        if (!net->learning.replays) learner.n_spikes_of_sample[neuron] = 0;
//% endif
    }
    if (thread_first() == 0) *learner.most_spikes = 0;
//% if population.counts
    // What stands before the first step stays 0.
    int* spiked = learner.spiked + (int64)net->learning.ahead * n_neurons;
    const int64 n_counts = (int64)net->learning.sample_steps * n_neurons;
    for (int64 at = thread_first(); at < n_counts; at += thread_stride()) spiked[at] = 0;
//% endif
//% endif
//% if not population.carried
//% for variable in population.begins
    for (int neuron = thread_first(); neuron < n_neurons; neuron += thread_stride())
        population.state_{{ variable.name }}[neuron] = learner.begins_{{ variable.name }};
//% endfor
//% endif
//% if population.is_readout
    const int n_scores = net->learning.outputs_stride * net->learning.replicas;
    for (int k = thread_first(); k < n_scores; k += thread_stride()) net->learning.scores[k] = 0.0f;
//% endif
//% for projection in ([] if population.carried else population.incoming)
    {
        auto& projection = net->projection_{{ projection.name }};
//% if projection.input_ring
        const int64 n_inputs = ((int64)projection.input_mask + 1) * n_neurons;
//% else
        const int64 n_inputs = n_neurons;
//% endif
        for (int64 at = thread_first(); at < n_inputs; at += thread_stride()) projection.input[at] = 0;
//% for variable in projection.receptor.state
        for (int neuron = thread_first(); neuron < n_neurons; neuron += thread_stride())
            projection.receptor_state_{{ variable.name }}[neuron] = {{ variable.begins }};
//% endfor
    }
//% endfor
    (void)learner;
    (void)n_neurons;
}

//% if population.is_source
KERNEL play_{{ name }}(Network* net) {
    if (net->control->halt) return;
    auto& population = net->population_{{ name }};
    const auto& learning = net->learning;
    const Playing now = playing(*net);
    for (int replica = team_first(); replica < now.n_replicas; replica += team_stride()) {
        const int64 sample = now.first_sample + replica;
        const int* event_at = learning.event_at + sample * learning.sample_steps + now.step;
        const int first = replica * population.n_own, end = event_at[1];
        for (int event = event_at[0] + lane(); event < end; event += LANES)
            emit(net, population, first + learning.event_neuron[event]);
    }
}

//% endif
//% if population.remembers
KERNEL remember_{{ name }}(Network* net) {
    const Control& control = *net->control;
    if (control.halt) return;
    const auto& population = net->population_{{ name }};
    auto& learner = net->learning.population_{{ name }};
//% if population.windowed
    const int n_steps = net->learning.window_steps, step = control.step % net->learning.sample_steps % n_steps;
//% else
    const int n_steps = net->learning.sample_steps, step = control.step % n_steps;
//% endif
    const int slot = control.step & population.ring_mask;
    const int n_spikes = population.own_count[slot] + population.remote_count[slot];
    for (int spike = thread_first(); spike < n_spikes; spike += thread_stride()) {
        const int neuron = spiking(population, slot, spike);
//% if population.windowed
//% if not population.is_source
        if (!net->learning.replays) ++learner.n_spikes_of_sample[neuron];
//% endif
        if (!net->learning.records) continue;
//% endif
        const int earlier = learner.n_spikes[neuron]++;
        learner.spike_steps[(int64)neuron * n_steps + earlier] = step;
        if (earlier == 0) learner.first_step[neuron] = step;
//% if population.counts
        atomic_add(&learner.spiked[(int64)(net->learning.ahead + step) * population.n_own + neuron], 1);
//% endif
        // Whoever comes last of racing threads: it is more than 1 if any neuron has more than one.
        if (earlier >= *learner.most_spikes) *learner.most_spikes = earlier + 1;
    }
//% for record in population.records
    if (net->learning.{{ "records" if population.windowed else "learns" }}) {
        const int n_neurons = population.n_own, n_groups = (n_neurons + TOGETHER - 1) / TOGETHER;
        const int64 n_values = values_of(n_neurons, {{ recorded_steps }});
        for (int item = thread_first(); item < n_groups * net->learning.replicas; item += thread_stride()) {
            const int replica = replica_of(item, n_groups), first = (item - replica * n_groups) * TOGETHER;
            const float* now = population.state_{{ record.variable }} + replica * n_neurons + first;
            float* kept = learner.{{ record.array }} + replica * n_values + first_value(first, {{ recorded_steps }}) +
                          (int64)step * SIDE_BY_SIDE;
            const int n = n_neurons - first < TOGETHER ? n_neurons - first : TOGETHER;
            for (int k = 0; k < n; ++k) kept[k] = now[k];
        }
    }
//% endfor
}

//% endif
//% endfor

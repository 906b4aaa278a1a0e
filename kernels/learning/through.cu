// A sample step by step, from its last one, where gradients go back through synapses between hidden neurons: what
// targets have made of the steps behind it is there for all sources.
KERNEL go_back(Network* net) {
    const auto& learning = net->learning;
    if (net->control->halt || !learning.learns || (net->control->step + 1) % learning.sample_steps) return;
    int* step = learning.step_back;
    if (thread_first() == 0) *step = (*step == 0 ? learning.sample_steps : *step) - 1;
}

//% for population in populations
{%- set name = population.name %}
{%- set rule = population.rule %}
// Over the synapses onto hidden neurons the sum of weight times what an amount that arrives would change, where it
// counts. In whole numbers: the order of outgoing lists is not the same everywhere.
SELDOM_KERNEL through_{{ name }}(Network* net) {
    const auto& learning = net->learning;
    if (net->control->halt || !learning.learns || (net->control->step + 1) % learning.sample_steps) return;
    const auto& learner = learning.population_{{ name }};
    const int step = *learning.step_back, n_steps = learning.sample_steps, n_ahead = n_steps + learning.ahead;
    const int n_neurons = net->population_{{ name }}.n_own, n_items = n_neurons * playing(*net).n_replicas;
    for (int item = team_first(); item < n_items; item += team_stride()) {
        const int replica = replica_of(item, n_neurons), neuron = item - replica * n_neurons;
        const int64 value = replica * values_of(n_neurons, n_steps) + first_value(neuron, n_steps);
        const bool counts = learner.psi[value + (int64)step * SIDE_BY_SIDE] != 0.0f
//% if rule.wants.spiked
            || is_among(learner.spike_steps + (int64)item * n_steps, learner.n_spikes[item], step)
//% endif
            ;
        if (!counts) continue;
//% for through in rule.through
        int64 {{ through }} = 0;
//% endfor
//% for projection in population.onto_hidden
        {
            const auto& projection = net->projection_{{ projection.name }};
            const auto& trained = learning.projection_{{ projection.name }};
            const int n_targets = net->population_{{ projection.target }}.n_own;
            const float unit = learner.through_scale * GRADIENT_UNIT / projection.input_scale;
            const int* back = {{ projection.back_of }}.back + replica * values_of(n_targets, n_ahead) +
                              (int64)(step + trained.shift) * SIDE_BY_SIDE;
            const int64 begin = (int64)neuron << projection.outgoing_shift;
            for (int entry = lane(); entry < projection.outgoing_count[neuron]; entry += LANES) {
                const int at = projection.outgoing[begin + entry], target = at >> projection.row_shift;
                const int64 arrival = first_value(target, n_ahead)
//% if projection.delays
                    + (int64)projection.synapse_delay_steps[at] * SIDE_BY_SIDE
//% endif
                    ;
                const float amount = trained.amount[begin + entry];
                through += (int64)whole_amount(amount * (float)back[arrival], unit);
//% if "through_later" in rule.through
                through_later += (int64)whole_amount(amount * (float)back[arrival + SIDE_BY_SIDE], unit);
//% endif
            }
        }
//% endfor
        const int64 own = replica * values_of(n_neurons, 1) + neuron;
//% for through in rule.through
        if ({{ through }} != 0) atomic_add(&learner.{{ through }}[own], {{ through }});
//% endfor
    }
}

//% endfor

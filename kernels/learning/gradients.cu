// What each spike adds to the gradients of its synapses: the target's, in the step of its arrival. Nobody else writes
// there, so that each synapse adds up for itself.
{%- set name = projection.name %}
SELDOM_KERNEL gradient_{{ name }}(Network* net) {
    const Control& control = *net->control;
    if (control.halt || !net->learning.learns || (control.step + 1) % net->learning.sample_steps) return;
    const auto& projection = net->projection_{{ name }};
    auto& trained = net->learning.projection_{{ name }};
    const auto& senders = net->learning.population_{{ projection.source }};
    const int n_targets = net->population_{{ projection.target }}.n_own, row_shift = projection.row_shift;
    const int n_sources = net->population_{{ projection.source }}.n_known;
    const int n_steps = net->learning.sample_steps, n_ahead = n_steps + net->learning.ahead;
    const int* source_of = projection.source;
    const bool again = *senders.most_spikes > 1;
    const int n_playing = playing(*net).n_replicas;
    // A synapse has the same thread for all replicas.
    for (int replica = 0; replica < n_playing; ++replica) {
        const int* back_of = net->learning.population_{{ projection.target }}.back +
                             replica * values_of(n_targets, n_ahead) + (int64)trained.shift * SIDE_BY_SIDE;
        const int* first_step = senders.first_step + replica * n_sources;
        const int* n_spikes_of = senders.n_spikes + replica * n_sources;
        const int* steps_of = senders.spike_steps + (int64)replica * n_sources * n_steps;
        for (int first = team_first() * TOGETHER; first < n_targets; first += team_stride() * TOGETHER) {
            const int* back = back_of + first_value(first, n_ahead);
            const int n = n_targets - first < TOGETHER ? n_targets - first : TOGETHER;
            int n_synapses = 0;
            for (int k = 0; k < n; ++k) n_synapses += projection.in_degree[first + k];
            if (TOGETHER > 1 && n_synapses > 2 * n_sources) {
                // Nearly every source has several of these targets: each spike once for all of them.
                for (int source = 0; source < n_sources; ++source) {
                    const int n_spikes = n_spikes_of[source];
                    int64* sums = trained.sums + source * SIDE_BY_SIDE;
                    int64 sum[TOGETHER] = {};
                    const int* steps = steps_of + (int64)source * n_steps;
                    for (int spike = 0; spike < n_spikes; ++spike) {
                        const int* at = back + (int64)steps[spike] * SIDE_BY_SIDE;
                        for (int k = 0; k < TOGETHER; ++k) sum[k] += at[k];
                    }
                    for (int k = 0; k < TOGETHER; ++k) sums[k] = sum[k];
                }
                for (int k = 0; k < n; ++k) {
                    const int64 row = (int64)(first + k) << row_shift;
                    const int64* sums = trained.sums + k;
                    int64* gradient = trained.gradient + trained.first_gradient[first + k];
                    INDEPENDENT_ITERATIONS
                    for (int at = 0; at < projection.in_degree[first + k]; ++at)
                        gradient[at] += sums[source_of[row + at] * SIDE_BY_SIDE];
                }
                continue;
            }
            for (int k = 0; k < n; ++k) {
                const int64 row = (int64)(first + k) << row_shift;
                const int* own = back + k;
                int64* gradient = trained.gradient + trained.first_gradient[first + k];
                const int in_degree = projection.in_degree[first + k];
                INDEPENDENT_ITERATIONS
                for (int at = lane(); at < in_degree; at += LANES)
                    gradient[at] += own[first_step[source_of[row + at]] * SIDE_BY_SIDE];
                if (!again) continue;
                for (int at = lane(); at < in_degree; at += LANES) {
                    const int source = source_of[row + at], n_spikes = n_spikes_of[source];
                    const int* steps = steps_of + (int64)source * n_steps;
                    int64 sum = 0;
                    for (int spike = 1; spike < n_spikes; ++spike) sum += own[(int64)steps[spike] * SIDE_BY_SIDE];
                    gradient[at] += sum;
                }
            }
        }
    }
}

// Weights as amounts of input, side by side for each source: nothing changes them while a batch is played. A float
// holds an amount as it holds the weight, in half the bytes of the sum that it is added to. What rewiring has left
// vacant in the lists is closed up here, so that spikes of the batch meet synapses alone.
KERNEL freeze_{{ name }}(Network* net) {
    if (net->control->halt) return;
    auto& projection = net->projection_{{ name }};
    auto& trained = net->learning.projection_{{ name }};
    auto& source_population = net->population_{{ projection.source }};
    const float input_scale = projection.input_scale, input_limit = projection.input_limit;
    for (int source = thread_first(); source < source_population.n_known; source += thread_stride()) {
        int* outgoing = projection.outgoing + ((int64)source << projection.outgoing_shift);
        float* amount = trained.amount + ((int64)source << projection.outgoing_shift);
        int n_outgoing = 0, first_target = 0;
        bool is_run = true;
        for (int entry = 0; entry < projection.outgoing_count[source]; ++entry) {
            const int at = outgoing[entry];
            if (at < 0) continue;
            const float weight = projection.synapse_weight[at];
            if (!(weight <= input_limit && weight >= -input_limit)) {  // not a number is neither
                const int post_id = net->population_{{ projection.target }}.global_id[at >> projection.row_shift];
                if (halt(net->control, OUTGROWN, 0, {{ projection.index }}, post_id)) {
                    net->control->place = source_population.known_id[source];
                    net->control->amount_bits = bits_of(weight);
                }
                return;
            }
            amount[n_outgoing] = whole_amount(weight, input_scale);
            const int target = at >> projection.row_shift;
            first_target = n_outgoing ? first_target : target;
            is_run &= target == first_target + n_outgoing;
            if (n_outgoing < entry) {
                outgoing[n_outgoing] = at;
                projection.entry[at] = n_outgoing;
            }
            ++n_outgoing;
        }
        projection.outgoing_count[source] = n_outgoing;
        trained.run_of_targets[source] = is_run ? first_target : -1;
    }
}

KERNEL deliver_{{ name }}(Network* net) {
    if (net->control->halt) return;
    const auto& projection = net->projection_{{ name }};
    const auto& source_population = net->population_{{ projection.source }};
    const auto& trained = net->learning.projection_{{ name }};
    const int slot = (net->control->step - projection.delay_steps) & source_population.ring_mask;
    const int n_spikes = source_population.own_count[slot] + source_population.remote_count[slot];
    const int row_shift = projection.row_shift, outgoing_shift = projection.outgoing_shift;
    const int n_targets = net->population_{{ projection.target }}.n_own;
    for (int spike = team_first(); spike < n_spikes; spike += team_stride()) {
        const int index = spiking(source_population, slot, spike);
        const int replica = replica_of(index, source_population.n_own);
        const int source = index - replica * source_population.n_own, n_outgoing = projection.outgoing_count[source];
        {{ projection.input_type }}* input = projection.input + (int64)replica * n_targets;
        const int* outgoing = projection.outgoing + ((int64)source << outgoing_shift);
        const float* amounts = trained.amount + ((int64)source << outgoing_shift);
        const int first = trained.run_of_targets[source];
        if (first >= 0) {  // as where all are connected
            INDEPENDENT_ITERATIONS
            for (int entry = lane(); entry < n_outgoing; entry += LANES)
                atomic_add(&input[first + entry], ({{ projection.input_type }})amounts[entry]);
            continue;
        }
        for (int entry = lane(); entry < n_outgoing; entry += LANES)
            atomic_add(&input[outgoing[entry] >> row_shift], ({{ projection.input_type }})amounts[entry]);
    }
}

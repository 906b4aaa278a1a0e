// What spikes bring while a batch is played: weights as amounts of input, side by side for each source, since nothing
// changes them meanwhile. A float holds an amount as it holds the weight, in half the bytes of the sum that it is added
// to. What rewiring has left vacant in the lists is closed up, so that spikes of the batch meet synapses alone.
{%- set name = projection.name %}
KERNEL freeze_{{ name }}(Network* net) {
    if (net->control->halt) return;
    auto& projection = net->projection_{{ name }};
    auto& trained = net->learning.projection_{{ name }};
    auto& source_population = net->population_{{ projection.source }};
    const float input_scale = projection.input_scale, input_limit = projection.input_limit;
    for (int source = thread_first(); source < source_population.n_known; source += thread_stride()) {
        int* outgoing = projection.outgoing + ((int64)source << projection.outgoing_shift);
        float* amount = trained.amount + ((int64)source << projection.outgoing_shift);
        int n_outgoing = 0;
//% if not projection.delays
        int first_target = 0;
        bool is_run = true;
//% endif
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
            amount[n_outgoing] = (float)({{ projection.input_type }})whole_amount(weight, input_scale);
//% if not projection.delays
            const int target = at >> projection.row_shift;
            first_target = n_outgoing ? first_target : target;
            is_run &= target == first_target + n_outgoing;
//% endif
            if (n_outgoing < entry) {
                outgoing[n_outgoing] = at;
                projection.entry[at] = n_outgoing;
            }
            ++n_outgoing;
        }
        projection.outgoing_count[source] = n_outgoing;
//% if not projection.delays
        trained.run_of_targets[source] = is_run ? first_target : -1;
//% endif
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
//% if projection.delays
    // Where in the ring of input it arrives that a synapse with no delay at all would bring.
    const uint32 sent = (uint32)(net->control->step - projection.delay_steps), input_mask = projection.input_mask;
    const int64 n_inputs = net->population_{{ projection.target }}.n_simulated;
    const int* delay_steps_of = projection.synapse_delay_steps;
//% endif
    for (int spike = team_first(); spike < n_spikes; spike += team_stride()) {
        const int index = spiking(source_population, slot, spike);
        const int replica = replica_of(index, source_population.n_known);
        const int source = index - replica * source_population.n_known, n_outgoing = projection.outgoing_count[source];
        {{ projection.input_type }}* input = projection.input + (int64)replica * n_targets;
        const int* outgoing = projection.outgoing + ((int64)source << outgoing_shift);
        const float* amounts = trained.amount + ((int64)source << outgoing_shift);
//% if projection.delays
        for (int entry = lane(); entry < n_outgoing; entry += LANES) {
            const int at = outgoing[entry];
            const int64 arrival = (sent + (uint32)delay_steps_of[at]) & input_mask;
            atomic_add(&input[arrival * n_inputs + (at >> row_shift)], ({{ projection.input_type }})amounts[entry]);
        }
//% else
        const int first = trained.run_of_targets[source];
        if (first >= 0) {  // as where all are connected
            INDEPENDENT_ITERATIONS
            for (int entry = lane(); entry < n_outgoing; entry += LANES)
                atomic_add(&input[first + entry], {{ projection.sum_of_whole }}(amounts[entry]));
            continue;
        }
        for (int entry = lane(); entry < n_outgoing; entry += LANES)
            atomic_add(&input[outgoing[entry] >> row_shift], ({{ projection.input_type }})amounts[entry]);
//% endif
    }
}

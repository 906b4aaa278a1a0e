// What spikes bring while a batch is played: weights as amounts of input, side by side for each source, since nothing
// changes them meanwhile.
{%- set name = projection.name %}
KERNEL freeze_{{ name }}(Network* net) {
    if (net->control->halt) return;
    const auto& projection = net->projection_{{ name }};
    auto& trained = net->learning.projection_{{ name }};
    auto& source_population = net->population_{{ projection.source }};
    const float input_scale = projection.input_scale, input_limit = projection.input_limit;
    for (int source = thread_first(); source < source_population.n_known; source += thread_stride()) {
        const int64 list = (int64)source << projection.outgoing_shift;
        for (int entry = 0; entry < projection.outgoing_count[source]; ++entry) {
            const int at = projection.outgoing[list + entry];
            if (at < 0) continue;
            const float weight = projection.synapse_weight[at];
            if (!(weight <= input_limit && weight >= -input_limit)) {  // not a number is neither
                const int target = at >> projection.row_shift;
                const int post_id = net->population_{{ projection.target }}.global_id[target];
                if (halt(net->control, OUTGROWN, 0, {{ projection.index }}, post_id)) {
                    net->control->place = source_population.known_id[source];
                    net->control->amount_bits = bits_of(weight);
                }
                return;
            }
            trained.amount[list + entry] = ({{ projection.input_type }})whole_amount(weight, input_scale);
        }
    }
}

KERNEL deliver_{{ name }}(Network* net) {
    if (net->control->halt) return;
    const auto& projection = net->projection_{{ name }};
    const auto& source_population = net->population_{{ projection.source }};
    const {{ projection.input_type }}* amount_of = net->learning.projection_{{ name }}.amount;
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
        const int replica = replica_of(index, source_population.n_own);
        const int source = index - replica * source_population.n_own, n_outgoing = projection.outgoing_count[source];
        {{ projection.input_type }}* input = projection.input + (int64)replica * n_targets;
        const int* outgoing = projection.outgoing + ((int64)source << outgoing_shift);
        const {{ projection.input_type }}* amounts = amount_of + ((int64)source << outgoing_shift);
//% if projection.delays
        for (int entry = lane(); entry < n_outgoing; entry += LANES) {
            const int at = outgoing[entry];
            if (at < 0) continue;
            const int64 arrival = (sent + (uint32)delay_steps_of[at]) & input_mask;
            atomic_add(&input[arrival * n_inputs + (at >> row_shift)], amounts[entry]);
        }
//% else
        for (int entry = lane(); entry < n_outgoing; entry += LANES)
            if (outgoing[entry] >= 0) atomic_add(&input[outgoing[entry] >> row_shift], amounts[entry]);
//% endif
    }
}

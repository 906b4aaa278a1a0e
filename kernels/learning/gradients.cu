// What each spike adds to the gradients of its synapses: the target's, in the step of its arrival.
{%- set name = projection.name %}
KERNEL gradient_{{ name }}(Network* net) {
    const Control& control = *net->control;
    if (control.halt || !net->learning.learns || (control.step + 1) % net->learning.sample_steps) return;
    const auto& projection = net->projection_{{ name }};
    auto& trained = net->learning.projection_{{ name }};
    const auto& senders = net->learning.population_{{ projection.source }};
    const auto& target_population = net->population_{{ projection.target }};
    const int n_steps = net->learning.sample_steps, n_ahead = n_steps + net->learning.ahead, shift = trained.shift;
    const int row_shift = projection.row_shift;
    for (int target = team_first(); target < target_population.n_own; target += team_stride()) {
        const int* back = net->learning.population_{{ projection.target }}.back + first_value(target, n_ahead) +
                          (int64)shift * SIDE_BY_SIDE;
        const int64 row = (int64)target << row_shift;
        for (int k = lane(); k < projection.in_degree[target]; k += LANES) {
            const int source = projection.source[row + k], n_spikes = senders.n_spikes[source];
            if (n_spikes == 0) continue;
            const int* steps = senders.spike_steps + (int64)source * n_steps;
            int64 sum = 0;
            for (int spike = 0; spike < n_spikes; ++spike) sum += back[(int64)steps[spike] * SIDE_BY_SIDE];
            trained.gradient[row + k] += sum;
        }
    }
}

// What each spike adds to the gradients of its synapses: that of what arrives at the target in a step.
{%- set name = projection.name %}
{%- set delay = "delay_of[at] + " if projection.delays else "" %}
{%- set recorded_steps = "window_steps" if windowed else "sample_steps" %}
SELDOM_KERNEL gradient_{{ name }}(Network* net) {
    const Control& control = *net->control;
//% if windowed
    if (control.halt) return;
//% else
    if (control.halt || !net->learning.learns || (control.step + 1) % net->learning.sample_steps) return;
//% endif
    const auto& projection = net->projection_{{ name }};
    auto& trained = net->learning.projection_{{ name }};
    const auto& senders = net->learning.population_{{ projection.source }};
    const int n_targets = net->population_{{ projection.target }}.n_own, row_shift = projection.row_shift;
    const int n_sources = net->population_{{ projection.source }}.n_known;
    const int n_steps = net->learning.{{ recorded_steps }}, n_ahead = n_steps + net->learning.ahead;
    const int* source_of = projection.source;
    const int n_playing = playing(*net).n_replicas;
    if (TOGETHER == 1) {  // of many threads: teams share out the targets, and the replicas of each
        const int n_parts = (n_playing + REPLICAS_A_TEAM - 1) / REPLICAS_A_TEAM;
        for (int item = team_first(); item < n_targets * n_parts; item += team_stride()) {
            const int part = item / n_targets, target = item - part * n_targets, begin = part * REPLICAS_A_TEAM;
            const int end = begin + REPLICAS_A_TEAM < n_playing ? begin + REPLICAS_A_TEAM : n_playing;
            const int64 row = (int64)target << row_shift;
            const int* own = {{ back_of }}.back + first_value(target, n_ahead) + (int64)trained.shift * SIDE_BY_SIDE;
            int64* gradient = trained.gradient + trained.first_gradient[target];
//% if projection.delays
            const int* delay_of = projection.synapse_delay_steps + row;
//% endif
            for (int at = lane(); at < projection.in_degree[target]; at += LANES) {
                const int source = source_of[row + at];
                int64 sum = 0;
                for (int replica = begin; replica < end; ++replica) {
                    const int64 sender = (int64)replica * n_sources + source;
                    const int n_spikes = senders.n_spikes[sender];
                    const int* steps = senders.spike_steps + sender * n_steps;
                    const int* back = own + replica * values_of(n_targets, n_ahead);
                    for (int spike = 0; spike < n_spikes; ++spike)
                        sum += back[(int64)({{ delay }}steps[spike]) * SIDE_BY_SIDE];
                }
                if (sum != 0) atomic_add(&gradient[at], sum);
            }
        }
        return;
    }
    const bool again = *senders.most_spikes > 1;
    for (int replica = 0; replica < n_playing; ++replica) {
        const int* back_of =
            {{ back_of }}.back + replica * values_of(n_targets, n_ahead) + (int64)trained.shift * SIDE_BY_SIDE;
        const int* first_step = senders.first_step + replica * n_sources;
        const int* n_spikes_of = senders.n_spikes + replica * n_sources;
        const int* steps_of = senders.spike_steps + (int64)replica * n_sources * n_steps;
        for (int first = 0; first < n_targets; first += TOGETHER) {
            const int* back = back_of + first_value(first, n_ahead);
            const int n = n_targets - first < TOGETHER ? n_targets - first : TOGETHER;
//% if not projection.delays
            int n_synapses = 0;
            for (int k = 0; k < n; ++k) n_synapses += projection.in_degree[first + k];
            if (n_synapses > 2 * n_sources) {
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
//% endif
            for (int k = 0; k < n; ++k) {
                const int64 row = (int64)(first + k) << row_shift;
                const int* own = back + k;
                int64* gradient = trained.gradient + trained.first_gradient[first + k];
//% if projection.delays
                const int* delay_of = projection.synapse_delay_steps + row;
//% endif
                const int in_degree = projection.in_degree[first + k];
                INDEPENDENT_ITERATIONS
                for (int at = 0; at < in_degree; ++at)
                    gradient[at] += own[({{ delay }}first_step[source_of[row + at]]) * SIDE_BY_SIDE];
                if (!again) continue;
                for (int at = 0; at < in_degree; ++at) {
                    const int source = source_of[row + at], n_spikes = n_spikes_of[source];
                    const int* steps = steps_of + (int64)source * n_steps;
                    int64 sum = 0;
                    for (int spike = 1; spike < n_spikes; ++spike)
                        sum += own[(int64)({{ delay }}steps[spike]) * SIDE_BY_SIDE];
                    gradient[at] += sum;
                }
            }
        }
    }
}

// Pairs without a synapse, drawn before a batch: what a synapse's gradient would be in it, and which of them may form.
{%- set name = projection.name %}
{%- set rule = projection.rewiring %}
{%- set recorded_steps = "window_steps" if windowed else "sample_steps" %}
{% import "rewiring/names.cu" as names with context %}
{{ rule.functions["guide.most"].head }} {
{{ value(rule, "guide.most", rule.guide.most) }}
}

// Of the pairs that were drawn those are kept that may have a synapse and have none, each once; all lists are empty
// afterwards. Expects targets of -1 and gradients of 0.
KERNEL keep_free_{{ name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int row = target << projection.row_shift, in_degree = projection.in_degree[target];
        sort_candidates_{{ name }}(net, target);
        const int first = projection.candidate_first[target];
        for (int n = first; n >= 0; n = projection.candidate_next[n]) {
            const int source = projection.candidate_source[n];
            bool kept = may_join_{{ name }}(net, source, target);
            for (int before = first; before != n; before = projection.candidate_next[before])
                kept &= projection.candidate_source[before] != source;
            if (kept && find_{{ name }}(net, row, in_degree, source) < 0) projection.candidate_target[n] = target;
        }
        projection.candidate_first[target] = -1;
    }
}

// What each spike of a candidate's source adds: as of a synapse.
SELDOM_KERNEL guide_{{ name }}(Network* net) {
    const Control& control = *net->control;
//% if windowed
    if (control.halt) return;
//% else
    if (control.halt || !net->learning.learns || (control.step + 1) % net->learning.sample_steps) return;
//% endif
    const auto& projection = net->projection_{{ name }};
    const auto& trained = net->learning.projection_{{ name }};
    const auto& senders = net->learning.population_{{ projection.source }};
    const int n_targets = net->population_{{ projection.target }}.n_own;
    const int n_sources = net->population_{{ projection.source }}.n_known;
    const int n_steps = net->learning.{{ recorded_steps }}, n_ahead = n_steps + net->learning.ahead;
    const int n_playing = playing(*net).n_replicas;
    for (int n = thread_first(); n < projection.n_guided; n += thread_stride()) {
        const int target = projection.candidate_target[n], source = projection.candidate_source[n];
        if (target < 0) continue;
        int64 first = first_value(target, n_ahead) + (int64)trained.shift * SIDE_BY_SIDE;
//% if projection.delays
        first += (int64)delay_of_{{ name }}(net, source, target) * SIDE_BY_SIDE;
//% endif
        int64 sum = 0;
        for (int replica = 0; replica < n_playing; ++replica) {
            const int64 sender = (int64)replica * n_sources + source;
            const int* steps = senders.spike_steps + sender * n_steps;
            const int* back = {{ back_of }}.back + replica * values_of(n_targets, n_ahead) + first;
            for (int spike = 0; spike < senders.n_spikes[sender]; ++spike)
                sum += back[(int64)steps[spike] * SIDE_BY_SIDE];
        }
        projection.candidate_gradient[n] += sum;
    }
}

// Behind the batch: what the rule makes of the gradients.
KERNEL rank_candidates_{{ name }}(Network* net) {
    {{- names.update_begins() }}
    for (int n = thread_first(); n < projection.n_guided; n += thread_stride()) {
        const int target = projection.candidate_target[n];
        if (target < 0) continue;
        const int source = projection.candidate_source[n];
        const float gradient = (float)projection.candidate_gradient[n] * GRADIENT_UNIT;
        {{- names.target_names() }}
        {{- names.source_names() }}
        {{- names.distance_name() }}
        const float most = {{ rule.functions["guide.most"].call }};
        if (not_finite(most)) {
            halt(control, NOT_FINITE, 0, 0, 0);
            return;
        }
        projection.candidate_rank[n] = most;
    }
}

// Groups of neighbouring neurons, once all of them have been updated: what a model compares within its group, and what
// follows from it, up to the spikes. One thread has a whole group, whose neurons are taken in the order of their ids.
{%- set population = grouped_population %}
{%- set model = population.model %}
{%- set of = model.functions["group.of"] %}
{%- set then = model.functions["group.update"] %}

{{ of.head }} {
{{ value(model, "group.of", model.group.of) }}
}

// Whether the neuron spikes.
{{ then.head }} {
{{ paste(model, "group.update", model.group.update) }}
    if (!(
{{ paste(model, "threshold") }}
    )) return false;
{{ paste(model, "reset") }}
    return true;
}

KERNEL groups_{{ population.name }}(Network* net) {
    if (net->control->halt) return;
    auto& population = net->population_{{ population.name }};
    const int n_groups = population.n_groups, size = population.model_group_size, step = net->control->step;
    const float dt_ms = net->dt_ms;
    (void)dt_ms;
//% if model.draws
    const RandomKey random_key = key_of(net->control);
    const int* id_of = population.global_id;
//% endif
{{ bound_constants("population", model, "model_") }}
//% for variable in model.state
    {{ variable.ctype }}* all_{{ variable.name }} = population.state_{{ variable.name }};
//% endfor
    for (int number = thread_first(); number < n_groups; number += thread_stride()) {
        const int* members = population.group_member + (int64)number * size;
        float* compared = population.compared + (int64)number * size;
        for (int k = 0; k < size; ++k) {
            const int neuron = members[k];
//% for variable in model.state
            {{ variable.ctype }} now_{{ variable.name }} = all_{{ variable.name }}[neuron];
//% endfor
//% if model.draws
            auto random = sequence_of(id_of[neuron], step, {{ population.stream_spikes }}u, random_key, 0x40000000u);
//% endif
            compared[k] = {{ of.call }};
            if (!(compared[k] - compared[k] == 0.0f))
                halt(net->control, NOT_FINITE, {{ stage }}, {{ population.index }}, population.global_id[neuron]);
        }
//% if model.uses_softmax
        const Group group = group_with_softmax(size, [&](const int k) { return compared[k]; });
//% else
        const Group group = group_of(size, [&](const int k) { return compared[k]; });
//% endif
        for (int k = 0; k < size; ++k) {
            const int neuron = members[k];
            const float group_max = group.max, group_sum = group.sum;
            const float group_softmax = {{ "softmax_in(group, compared[k])" if model.uses_softmax else "0.0f" }};
            const bool is_winner = k == group.winner;
//% for variable in model.state
            {{ variable.ctype }} now_{{ variable.name }} = all_{{ variable.name }}[neuron];
//% endfor
//% if model.draws
            auto random = sequence_of(id_of[neuron], step, {{ population.stream_spikes }}u, random_key, 0x80000000u);
//% endif
            const bool spikes = {{ then.call }};
            float finite = 0.0f;
//% for variable in model.state
            all_{{ variable.name }}[neuron] = now_{{ variable.name }};
            finite += (float)now_{{ variable.name }} - (float)now_{{ variable.name }};
//% endfor
            if (finite != 0.0f) {
                halt(net->control, NOT_FINITE, {{ stage }}, {{ population.index }}, population.global_id[neuron]);
                continue;
            }
            if (spikes) {
{%- include "step/spike.cu" %}
            }
        }
    }
}

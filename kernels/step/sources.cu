// A population that spikes by itself. Each neuron holds the step of its next spike; drawing it again costs a random
// number per spike and one per window, instead of one per step.
{%- set population = source_population %}
{%- set model = population.model %}
{%- set functions = model.functions %}

// The start of a window, then each neuron's first spike in it: `next_spike` beyond the window means none.
{{ functions.on_window.head }} {
{{ paste(model, "on_window") }}
    hpcsnn_each([&]({{ functions.first_spike.parameters }}) {
{{ paste(model, "first_spike") }}
    });
    return true;
}

{{ functions.next_spike.head }} {
{{ paste(model, "next_spike") }}
}

KERNEL window_{{ population.name }}(Network* net) {
    auto& population = net->population_{{ population.name }};
    const Control& control = *net->control;
    if (control.halt || control.step % population.model_window_steps) return;
    const int n_neurons = population.n_own, step = control.step, never = 0x7fffffff;
    const int window = control.step / population.model_window_steps;
    const int window_end = end_of_window(window, population.model_window_steps);
{{ bound_constants("population", model, "model_") }}
    const StreamNumbers random4 = { {{ population.stream_spikes }}u, key_of(&control) };
    const auto hpcsnn_each = [&](const auto& first_spike) {
        for (int neuron = thread_first(); neuron < n_neurons; neuron += thread_stride()) {
            const int id = population.global_id[neuron];
            int next_spike = never;
            {{ functions.first_spike.call }};
            population.next_spike[neuron] = next_spike;
            if ({{ any_not_finite("population.state_", population.model.state, "neuron") }}) {
                halt(net->control, NOT_FINITE, 0, 0, 0);
                return;
            }
        }
    };
    {{ functions.on_window.call }};
}

KERNEL spikes_{{ population.name }}(Network* net) {
    auto& population = net->population_{{ population.name }};
    const Control& control = *net->control;
    if (control.halt) return;
    const int n_neurons = population.n_own, step = control.step, never = 0x7fffffff;
    const int* due = population.next_spike;
{{ bound_constants("population", model, "model_") }}
    const StreamNumbers random4 = { {{ population.stream_spikes }}u, key_of(&control) };
    for (int group = thread_first() * GROUP; group < n_neurons; group += thread_stride() * GROUP) {
        int any = 0;
        for (int neuron = group; neuron < group + GROUP; ++neuron) any |= due[neuron] == step;
        if (!any) continue;
        for (int neuron = group; neuron < group + GROUP; ++neuron) {
            if (due[neuron] != step) continue;
//% if population.removes
            if (!population.removed[neuron])
//% endif
            emit(net, population, neuron);
            const int id = population.global_id[neuron];
            int next_spike = never;
            const int window = step / population.model_window_steps;
            const int window_end = end_of_window(window, population.model_window_steps);
            {{ functions.next_spike.call }};
            population.next_spike[neuron] = next_spike;
            if ({{ any_not_finite("population.state_", population.model.state, "neuron") }}) {
                halt(net->control, NOT_FINITE, 0, 0, 0);
                return;
            }
        }
    }
}

// A population that spikes by itself. Each neuron holds the step of its next spike; drawing it again costs a random
// number per spike and one per window, instead of one per step.
{%- set population = source_population %}

// What the model's snippets see of one neuron. `next_spike` beyond the window means none in this window.
KERNEL window_{{ population.name }}(Network* net) {
    auto& population = net->populations.{{ population.name }};
    const Control& control = *net->control;
    if (control.halt || control.step % population.model_window_steps) return;
    const int n_neurons = population.n_own, step = control.step, never = 0x7fffffff;
    const int window = control.step / population.model_window_steps;
    const int window_end = end_of_window(window, population.model_window_steps);
{{ bind_parameters("population", population.model, "model_") }}
    auto random4 = [&](const uint32 entity, const uint32 at, const uint32 draw) {
        return philox(entity, at, {{ population.stream_spikes }}u, draw, key_of(&control));
    };
    (void)window; (void)window_end; (void)never; (void)random4;
{{ paste(population.model, "on_window") }}
    for (int neuron = thread_first(); neuron < n_neurons; neuron += thread_stride()) {
        const int id = population.global_id[neuron];
        int next_spike = never;
        (void)id;
//% for variable in population.model.state
        {{ variable.ctype }} {{ variable.name }} = population.state_{{ variable.name }}[neuron];
//% endfor
{{ paste(population.model, "first_spike") }}
        population.next_spike[neuron] = next_spike;
//% for variable in population.model.state
        population.state_{{ variable.name }}[neuron] = {{ variable.name }};
//% endfor
        if ({{ any_not_finite("population.state_", population.model.state, "neuron") }}) {
            halt(net->control, NOT_FINITE, 0, 0, 0);
            return;
        }
    }
}

KERNEL spike_{{ population.name }}(Network* net) {
    auto& population = net->populations.{{ population.name }};
    const Control& control = *net->control;
    if (control.halt) return;
    const int n_neurons = population.n_own, step = control.step, never = 0x7fffffff;
    const int* due = population.next_spike;
{{ bind_parameters("population", population.model, "model_") }}
    auto random4 = [&](const uint32 entity, const uint32 at, const uint32 draw) {
        return philox(entity, at, {{ population.stream_spikes }}u, draw, key_of(&control));
    };
    (void)never; (void)random4;
    for (int group = thread_first() * GROUP; group < n_neurons; group += thread_stride() * GROUP) {
        int any = 0;
        for (int neuron = group; neuron < group + GROUP; ++neuron) any |= due[neuron] == step;
        if (!any) continue;
        for (int neuron = group; neuron < group + GROUP; ++neuron) {
            if (due[neuron] != step) continue;
            emit(net, population, neuron);
            const int id = population.global_id[neuron];
            int next_spike = never;
            (void)id;
//% for variable in population.model.state
            {{ variable.ctype }} {{ variable.name }} = population.state_{{ variable.name }}[neuron];
//% endfor
            const int window_end = end_of_window(step / population.model_window_steps, population.model_window_steps);
            (void)window_end;
{{ paste(population.model, "next_spike") }}
            population.next_spike[neuron] = next_spike;
//% for variable in population.model.state
            population.state_{{ variable.name }}[neuron] = {{ variable.name }};
//% endfor
            if ({{ any_not_finite("population.state_", population.model.state, "neuron") }}) {
                halt(net->control, NOT_FINITE, 0, 0, 0);
                return;
            }
        }
    }
}

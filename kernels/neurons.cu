// One step of a neuron population: synaptic input, the model's update, threshold and reset; then its spikes.
{%- set population = neuron_population %}

KERNEL update_{{ population.name }}(Network* net) {
    if (net->control->halt) return;
    auto& population = net->populations.{{ population.name }};
    const int n_neurons = population.n_own;
    const float dt_ms = net->dt_ms;
    int* event = population.event;
{{ bind_parameters("population", population.model, "model_") }}
//% for variable in population.model.state
    {{ variable.ctype }}* {{ variable.name }}_of = population.state_{{ variable.name }};
//% endfor
//% for projection in population.incoming
    {{ projection.input_type }}* {{ projection.name }}_input_of = net->projections.{{ projection.name }}.input;
    const float {{ projection.name }}_unit = net->projections.{{ projection.name }}.input_unit;
//% for variable in projection.receptor.state
    {{ variable.ctype }}* {{ projection.name }}_{{ variable.name }}_of = net->projections.{{ projection.name }}.receptor_state_{{ variable.name }};
//% endfor
//% for name, ctype in projection.receptor.constants
    const {{ ctype }} {{ projection.name }}_{{ name }} = net->projections.{{ projection.name }}.receptor_{{ name }};
//% endfor
//% endfor
    INDEPENDENT_ITERATIONS
    for (int neuron = thread_first(); neuron < n_neurons; neuron += thread_stride()) {
//% for variable in population.model.state
        {{ variable.ctype }} {{ variable.name }} = {{ variable.name }}_of[neuron];
//% endfor
        float input_current = 0.0f;
        float finite = 0.0f;
//% for projection in population.incoming
        {   // {{ projection.name }}: {{ projection.receptor.name }}
//% for name, ctype in projection.receptor.constants
            const {{ ctype }} {{ name }} = {{ projection.name }}_{{ name }};
//% endfor
//% for variable in projection.receptor.state
            {{ variable.ctype }} {{ variable.name }} = {{ projection.name }}_{{ variable.name }}_of[neuron];
//% endfor
            const float input = (float){{ projection.name }}_input_of[neuron] * {{ projection.name }}_unit;
            {{ projection.name }}_input_of[neuron] = 0;
            {{ projection.receptor.update | indent(12) }}
//% for variable in projection.receptor.state
            {{ projection.name }}_{{ variable.name }}_of[neuron] = {{ variable.name }};
            finite += (float){{ variable.name }};
//% endfor
        }
//% endfor
        {{ population.model.update | indent(8) }}
        const bool spikes = {{ population.model.threshold }};
        if (spikes) {
            {{ population.model.reset | indent(12) }}
        }
//% for variable in population.model.state
        {{ variable.name }}_of[neuron] = {{ variable.name }};
        finite += (float){{ variable.name }};
//% endfor
        // Not a number and infinity are the only ones that differ from themselves in this way.
        event[neuron] = (spikes ? 1 : 0) | (finite - finite == 0.0f ? 0 : 2);
    }
}

KERNEL spike_{{ population.name }}(Network* net) {
    if (net->control->halt) return;
    auto& population = net->populations.{{ population.name }};
    const int step = net->control->step;
    const int* event_of = population.event;
    for (int group = thread_first() * GROUP; group < population.n_own; group += thread_stride() * GROUP) {
        int any = 0;
        for (int neuron = group; neuron < group + GROUP; ++neuron) any |= event_of[neuron];
        if (!any) continue;
        for (int neuron = group; neuron < group + GROUP; ++neuron) {
            const int event = event_of[neuron];
            if (event == 0) continue;
            if (event & 2) {
                halt(net->control, NOT_FINITE, {{ stage }}, {{ population.index }}, population.global_id[neuron]);
                continue;
            }
            emit(net, population, neuron);
//% for projection in population.incoming
//% for trace in projection.synapse.post_traces
            {
                auto& projection = net->projections.{{ projection.name }};
                Trace& trace = projection.post_{{ trace.name }}[neuron];
                trace.value = decayed(trace, step, projection.decay_{{ trace.name }}) + 1.0f;
                trace.last = step;
            }
//% endfor
//% endfor
        }
    }
}

// One step of a neuron population: synaptic input, the model's update, threshold and reset; then its spikes.
{%- set population = neuron_population %}
{%- set model = population.model %}
{%- set draws = "random" in (model.update ~ model.threshold ~ model.reset) %}

KERNEL update_{{ population.name }}(Network* net) {
    if (net->control->halt) return;
    auto& population = net->populations.{{ population.name }};
    const int n_neurons = population.n_own, step = net->control->step;
    const float dt_ms = net->dt_ms;
    (void)dt_ms;
//% if draws
    const RandomKey random_key = key_of(net->control);
    const int* id_of = population.global_id;
//% endif
{{ bind_parameters("population", population.model, "model_") }}
//% for variable in population.model.state
    {{ variable.ctype }}* {{ variable.name }}_of = population.state_{{ variable.name }};
//% endfor
//% for name, ctype in population.model.arrays
    const {{ ctype }}* {{ name }}_of = population.model_{{ name }};
//% endfor
//% for projection in population.incoming
    {{ projection.input_type }}* {{ projection.name }}_input_of = net->projections.{{ projection.name }}.input;
//% if projection.delays
    {{ projection.name }}_input_of +=
        (int64)((uint32)step & net->projections.{{ projection.name }}.input_mask) * n_neurons;
//% endif
    const float {{ projection.name }}_unit = net->projections.{{ projection.name }}.input_unit;
//% for variable in projection.receptor.state
    {{ variable.ctype }}* {{ projection.name }}_{{ variable.name }}_of =
        net->projections.{{ projection.name }}.receptor_state_{{ variable.name }};
//% endfor
//% for name, ctype in projection.receptor.constants
    const {{ ctype }} {{ projection.name }}_{{ name }} = net->projections.{{ projection.name }}.receptor_{{ name }};
//% endfor
//% endfor
    // A block at a time, so that what happened in it is still at hand when its spikes are looked for.
    for (int first = thread_first() * BLOCK; first < n_neurons; first += thread_stride() * BLOCK) {
        const int n = n_neurons - first < BLOCK ? n_neurons - first : BLOCK;
        int event[BLOCK];  // 1: spikes, 2: not finite
        INDEPENDENT_ITERATIONS
        for (int k = 0; k < n; ++k) {
            const int neuron = first + k;
//% for variable in population.model.state
            {{ variable.ctype }} {{ variable.name }} = {{ variable.name }}_of[neuron];
//% endfor
//% for name, ctype in population.model.arrays
            const {{ ctype }} {{ name }} = {{ name }}_of[neuron];
//% endfor
//% if draws
            auto random = sequence_of(id_of[neuron], step, {{ population.stream_spikes }}u, random_key);
//% endif
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
                const float input = {{ projection.name }}_unit *
                                    {{ projection.float_of_input }}({{ projection.name }}_input_of[neuron]);
                {{ projection.name }}_input_of[neuron] = 0;
{{ paste(projection.receptor, "update") }}
//% for variable in projection.receptor.state
                {{ projection.name }}_{{ variable.name }}_of[neuron] = {{ variable.name }};
                finite += (float){{ variable.name }} - (float){{ variable.name }};
//% endfor
            }
//% endfor
{{ paste(population.model, "update") }}
            const bool spikes =
{{ paste(population.model, "threshold") }}
            ;
            if (spikes) {
{{ paste(population.model, "reset") }}
            }
//% for variable in population.model.state
            {{ variable.name }}_of[neuron] = {{ variable.name }};
            finite += (float){{ variable.name }} - (float){{ variable.name }};
//% endfor
            // Not a number and infinity are the only ones whose difference to themselves is not 0.
            event[k] = (spikes ? 1 : 0) | (finite == 0.0f ? 0 : 2);
        }
        for (int group = 0; group < n; group += GROUP) {
            const int end = group + GROUP < n ? group + GROUP : n;
            int any = 0;
            for (int k = group; k < end; ++k) any |= event[k];
            if (!any) continue;
            for (int k = group; k < end; ++k) {
                if (event[k] == 0) continue;
                const int neuron = first + k;
                if (event[k] & 2) {
                    halt(net->control, NOT_FINITE, {{ stage }}, {{ population.index }}, population.global_id[neuron]);
                    continue;
                }
                emit(net, population, neuron);
//% for projection in population.incoming
//% for trace in projection.post_traces
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
}

// One step of a neuron population: currents, synaptic input, the model's update, threshold and reset; then its spikes.
{%- set population = neuron_population %}
{%- set model = population.model %}
{%- set learns = population.learns %}
{%- set step = learns.step if learns else model.functions.step %}
{% import "learning/step.cu" as training with context %}

//% for projection in population.incoming
{{ projection.receptor.functions["update"].head }} {
{{ paste(projection.receptor, "update") }}
}

//% endfor
//% for current in population.currents
{{ current.function.head }} {
{{ value(current.model, "current") }}
}

//% endfor
//% if learns
{{ training.functions(learns) }}
//% endif
// Whether the neuron spikes. Threshold and reset see what the update declares.
{{ step.head }} {
//% if learns
{{- training.before_update(learns, model) }}
//% endif
{{ paste(model, "update") }}
//% if learns
{{- training.behind_update(learns, model) }}
//% endif
    if (!(
{{ paste(model, "threshold") }}
    )) return false;
{{ paste(model, "reset") }}
//% if learns and learns.rule.on_spike.strip()
    {{ learns.functions["on_spike"].call }};
//% endif
    return true;
}

KERNEL update_{{ population.name }}(Network* net) {
    if (net->control->halt) return;
    auto& population = net->population_{{ population.name }};
    const int n_neurons = population.n_simulated, step = net->control->step;
    const float dt_ms = net->dt_ms;
    (void)dt_ms;
//% if model.draws or population.currents
    const RandomKey random_key = key_of(net->control);
    const int* id_of = population.global_id;
//% endif
{{ bound_constants("population", model, "model_") }}
//% if learns
{{ bound_constants("net->learning", learns.rule, "rule_", "rule_") }}
//% endif
//% for variable in model.state
    {{ variable.ctype }}* all_{{ variable.name }} = population.state_{{ variable.name }};
//% endfor
//% for projection in population.incoming
{%- set part = "net->projection_" ~ projection.name %}
{%- set receptor = "receptor" ~ projection.index %}
    {{ projection.input_type }}* {{ receptor }}_input_of = {{ part }}.input;
//% if projection.input_ring
    {{ receptor }}_input_of += (int64)((uint32)step & {{ part }}.input_mask) * n_neurons;
//% endif
    const float {{ receptor }}_unit = {{ part }}.input_unit;
//% for variable in projection.receptor.state
    {{ variable.ctype }}* {{ receptor }}_all_{{ variable.name }} = {{ part }}.receptor_state_{{ variable.name }};
//% endfor
{{ bound_constants(part, projection.receptor, "of_receptor_", receptor ~ "_") }}
//% endfor
//% for current in population.currents
{{ bound_constants("population", current.model, current.prefix, current.prefix) }}
    const int {{ current.prefix }}from = population.from_step_{{ current.number }};
    const int {{ current.prefix }}to = population.to_step_{{ current.number }};
    const CurrentNumbers {{ current.prefix }}numbers = {
        {{ population.stream_spikes }}u | CURRENT_NUMBERS, {{ current.number }}u, random_key};
//% endfor
    // A block at a time, so that what happened in it is still at hand when its spikes are looked for.
    for (int first = thread_first() * BLOCK; first < n_neurons; first += thread_stride() * BLOCK) {
        const int n = n_neurons - first < BLOCK ? n_neurons - first : BLOCK;
        int event[BLOCK];  // 1: spikes, 2: not finite
//% if population.currents
        float stimulus[BLOCK];
        for (int k = 0; k < n; ++k) stimulus[k] = 0.0f;
//% endif
//% for current in population.currents
        if (step >= {{ current.prefix }}from && step < {{ current.prefix }}to) {  // {{ current.model.name }}
            INDEPENDENT_ITERATIONS
            for (int k = 0; k < n; ++k) {
                const int neuron = first + k;
//% if current.chosen
                if (!population.chosen_{{ current.number }}[neuron]) continue;
//% endif
                stimulus[k] += {{ current.function.call }};
            }
        }
//% endfor
        INDEPENDENT_ITERATIONS
        for (int k = 0; k < n; ++k) {
            const int neuron = first + k;
//% for variable in model.state
            {{ variable.ctype }} now_{{ variable.name }} = all_{{ variable.name }}[neuron];
//% endfor
//% if model.draws
            auto random = sequence_of(id_of[neuron], step, {{ population.stream_spikes }}u, random_key);
//% endif
            float input_current = 0.0f;
            float finite = 0.0f;
//% for projection in population.incoming
{%- set receptor = "receptor" ~ projection.index %}
            {   // {{ projection.name }}: {{ projection.receptor.name }}
//% for variable in projection.receptor.state
                {{ variable.ctype }} {{ receptor }}_now_{{ variable.name }} =
                    {{ receptor }}_all_{{ variable.name }}[neuron];
//% endfor
                const float input =
                    {{ receptor }}_unit * {{ projection.float_of_input }}({{ receptor }}_input_of[neuron]);
                {{ receptor }}_input_of[neuron] = 0;
                {{ projection.receptor.functions["update"].call }};
//% for variable in projection.receptor.state
                {{ receptor }}_all_{{ variable.name }}[neuron] = {{ receptor }}_now_{{ variable.name }};
                finite += (float){{ receptor }}_now_{{ variable.name }} - (float){{ receptor }}_now_{{ variable.name }};
//% endfor
            }
//% endfor
//% if population.currents
            input_current += stimulus[k];
//% endif
            const bool spikes = {{ step.call }};
//% for variable in model.state
            all_{{ variable.name }}[neuron] = now_{{ variable.name }};
            finite += (float)now_{{ variable.name }} - (float)now_{{ variable.name }};
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
                    const int id = population.global_id[own_neuron(population, neuron)];
                    halt(net->control, NOT_FINITE, {{ stage }}, {{ population.index }}, id);
                    continue;
                }
//% if population.removes
                if (population.removed[neuron]) continue;
//% endif
                emit(net, population, neuron);
//% for projection in population.incoming
//% for trace in projection.post_traces if trace not in projection.late_post_traces
                {
                    auto& projection = net->projection_{{ projection.name }};
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

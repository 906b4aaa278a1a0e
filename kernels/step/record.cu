{%- set value = "values[recorder.neuron[k]]" %}
//% if recorder.trace
{%- set value = "decayed(" ~ value ~ ", net->control->step, owner.decay_" ~ recorder.trace ~ ")" %}
//% endif
//% if recorder.kind == "synapses"
// A variable of all synapses of some targets as it is at the end of a step: a row of values with their sources, until
// the host takes it.
//% else
// A variable of neurons as it is at the end of a step: a row of values, until the host takes it.
//% endif
KERNEL record_{{ recorder.number }}(Network* net) {
    if (net->control->halt) return;
    const auto& recorder = net->{{ recorder.name }};
    const auto& owner = net->{{ recorder.part }};
    const auto* values = owner.{{ recorder.field.name }};
    const int width = recorder.width, row = (net->control->step + 1) / recorder.every_steps - 1 - recorder.rows_taken;
    const int64 first = (int64)row * width;
    auto* to = recorder.rows + first;
//% if recorder.kind == "synapses"
    const int* known_id = net->population_{{ recorder.owner.source.name }}.known_id;
    const int row_shift = owner.row_shift;
    int* sources = recorder.source + first;
    INDEPENDENT_ITERATIONS
    for (int k = thread_first(); k < width; k += thread_stride()) {
        const int target = recorder.neuron[k >> row_shift], place = k & ((1 << row_shift) - 1);
        const int slot = (target << row_shift) + place;
        sources[k] = place < owner.in_degree[target] ? known_id[owner.source[slot]] : -1;
        to[k] = values[slot];
    }
//% else
    INDEPENDENT_ITERATIONS
    for (int k = thread_first(); k < width; k += thread_stride()) to[k] = {{ value }};
//% endif
}

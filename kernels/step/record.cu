{%- set value = "values[recorder.neuron[k]]" %}
//% if recorder.trace
{%- set value = "decayed(" ~ value ~ ", net->control->step, owner.decay_" ~ recorder.trace ~ ")" %}
//% endif
//% if recorder.kind == "synapses"
// A variable of all synapses of some targets as it is at the end of a step: a row of values with their sources, until
// the host takes it.
//% elif recorder.kind == "averages"
// Sum, least and most of a variable of neurons as it is at the end of a step, until the host takes them. Few threads
// share the neurons, since all add to the same few numbers in the end.
//% else
// A variable of neurons as it is at the end of a step: a row of values, until the host takes it.
//% endif
KERNEL record_{{ recorder.number }}(Network* net) {
    if (net->control->halt) return;
    const auto& recorder = net->{{ recorder.name }};
    const auto& owner = net->{{ recorder.part }};
    const auto* values = owner.{{ recorder.field.name }};
    const int row = (net->control->step + 1) / recorder.every_steps - 1 - recorder.rows_taken;
//% if recorder.kind == "averages"
    const int n_neurons = recorder.n_neurons;
    ExactSum sum = {};
    int least = 0x7fffffff, most = -0x7fffffff - 1;
    for (int k = thread_first(); k < n_neurons; k += thread_stride()) {
        const auto value = {{ value }};
        const int order = comparable(value);
        sum.add(value);
        least = order < least ? order : least;
        most = order > most ? order : most;
    }
    if (least > most) return;  // no neuron was this thread's
    int64* to = recorder.sums + (int64)row * EXACT_WINDOWS;
    for (int k = 0; k < EXACT_WINDOWS; ++k)
        if (sum.window[k]) atomic_add(&to[k], sum.window[k]);
    keep_least(&recorder.least[row], least);
    keep_most(&recorder.most[row], most);
//% else
    const int n_items = recorder.n_items;
    const int64 first = (int64)row * n_items;
    auto* to = recorder.rows + first;
//% if recorder.kind == "synapses"
    const int* known_id = net->population_{{ recorder.owner.source.name }}.known_id;
    const int row_shift = owner.row_shift;
    int* sources = recorder.source + first;
    INDEPENDENT_ITERATIONS
    for (int k = thread_first(); k < n_items; k += thread_stride()) {
        const int target = recorder.neuron[k >> row_shift], place = k & ((1 << row_shift) - 1);
        const int slot = (target << row_shift) + place;
        sources[k] = place < owner.in_degree[target] ? known_id[owner.source[slot]] : -1;
        to[k] = values[slot];
    }
//% else
    INDEPENDENT_ITERATIONS
    for (int k = thread_first(); k < n_items; k += thread_stride()) to[k] = {{ value }};
//% endif
//% endif
}

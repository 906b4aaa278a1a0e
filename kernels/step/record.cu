// A variable of neurons as it is at the end of a step: a row of values, until the host takes it.
KERNEL record_{{ recorder.number }}(Network* net) {
    if (net->control->halt) return;
    const auto& recorder = net->{{ recorder.name }};
    const auto* values = net->{{ recorder.owner }}.{{ recorder.array.field.name }};
    const int before = *recorder.rows_taken + 1, row = (net->control->step + 1) / recorder.every_steps - before;
    auto* to = recorder.rows + (int64)row * recorder.n_neurons;
    INDEPENDENT_ITERATIONS
    for (int k = thread_first(); k < recorder.n_neurons; k += thread_stride()) to[k] = values[recorder.neuron[k]];
}

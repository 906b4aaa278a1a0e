// Rows without the room behind them, for reading and for disk, in two steps so that a run waits for the first only: a
// copy as it stands, with rows where `packing_start` wants them; then, in each row, sources as global ids and in
// ascending order, so that nothing of the order in which synapses came and went is left. The second step looks at the
// copy alone (and at what never changes) and may run beside the schedule.
{%- set variables = projection.columns %}

KERNEL pack_{{ projection.name }}(Network* net) {
    const auto& projection = net->projection_{{ projection.name }};
    const int n_targets = net->population_{{ projection.target }}.n_own;
    for (int target = thread_first(); target < n_targets; target += thread_stride()) {
        const int row = target << projection.row_shift, first = projection.packing_start[target];
        for (int k = 0; k < projection.in_degree[target]; ++k) {
            projection.packed_source[first + k] = projection.source[row + k];
//% for variable in variables
            projection.packed_{{ variable.name }}[first + k] = projection.synapse_{{ variable.name }}[row + k];
//% endfor
        }
    }
}

KERNEL order_{{ projection.name }}(Network* net) {
    const auto& projection = net->projection_{{ projection.name }};
    const int* known_id = net->population_{{ projection.source }}.known_id;
    const int n_targets = net->population_{{ projection.target }}.n_own;
    for (int target = thread_first(); target < n_targets; target += thread_stride()) {
        const int first = projection.packing_start[target], end = first + projection.packing_in_degree[target];
        for (int k = first; k < end; ++k) {
            const int source = known_id[projection.packed_source[k]];
//% for variable in variables
            const {{ variable.ctype }} moved_{{ variable.name }} = projection.packed_{{ variable.name }}[k];
//% endfor
            int at = k;
            for (; at > first && projection.packed_source[at - 1] > source; --at) {
                projection.packed_source[at] = projection.packed_source[at - 1];
//% for variable in variables
                projection.packed_{{ variable.name }}[at] = projection.packed_{{ variable.name }}[at - 1];
//% endfor
            }
            projection.packed_source[at] = source;
//% for variable in variables
            projection.packed_{{ variable.name }}[at] = moved_{{ variable.name }};
//% endfor
        }
    }
}

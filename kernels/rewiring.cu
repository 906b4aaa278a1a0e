// Structural plasticity. An update is a number of attempts per block of targets, each on one (source, target) slot.
// Drawing them costs a random number each; only those within reach come to the synapses, in attempt order per block.
{%- set rule = projection.rewiring %}
{%- set synapse = projection.synapse %}
{%- set variables = projection.columns %}

KERNEL draw_attempts_{{ projection.name }}(Network* net) {
    auto& projection = net->projections.{{ projection.name }};
    const Control control = *net->control;
    const int now = control.step + 1;
    if (control.halt || now % projection.rewiring_every_steps) return;
    const auto& source_population = net->populations.{{ projection.source }};
    const auto& target_population = net->populations.{{ projection.target }};
    const int nx = target_population.nx, ny = target_population.ny;
    const int side_x = projection.rewiring_block_x, side_y = projection.rewiring_block_y;
    const int attempts = projection.rewiring_attempts, blocks_x = nx / side_x;
    const int reach = projection.rewiring_reach_squared;
    for (int block = thread_first(); block < projection.n_blocks; block += thread_stride()) {
        const int block_id = projection.block_id[block];
        const int block_y = block_id / blocks_x;
        const int y0 = block_y * side_y, x0 = (block_id - block_y * blocks_x) * side_x;
        Attempt* drawn = projection.attempts + block * attempts;
        INDEPENDENT_ITERATIONS
        for (int attempt = 0; attempt < attempts; ++attempt) {
            const Random4 random = philox((uint32)(block_id * attempts + attempt), (uint32)now,
                                          {{ projection.stream_attempts }}u, 0u, control.seed0, control.seed1);
            uint32 rest;
            const int x = x0 + (int)choose(random.x, (uint32)side_x, &rest);
            const int y = y0 + (int)choose(rest, (uint32)side_y, &rest);
            const int source_x = (int)choose(random.y, (uint32)nx, &rest);
            const int source_y = (int)choose(rest, (uint32)ny, &rest);
            const int dx = torus_distance(x, source_x, nx), dy = torus_distance(y, source_y, ny);
            drawn[attempt] = {y * nx + x, source_y * nx + source_x, dx * dx + dy * dy, random.z};
        }
        // Those within reach move to the front, now with local indices.
        int n = 0;
        for (int attempt = 0; attempt < attempts; ++attempt) {
            const Attempt one = drawn[attempt];
            if (one.distance_squared > reach) continue;
            const int target = known_index(target_population, one.target);
            if (target < 0 || target >= target_population.n_own) continue;
            const int source = known_index(source_population, one.source);
            if (source < 0) continue;  // beyond what this rank can be wired to, so neither there nor to be formed
            bool tried = false;  // a slot is tried at most once an update
            for (int k = 0; k < n; ++k) tried |= drawn[k].target == target && drawn[k].source == source;
            if (!tried) drawn[n++] = {target, source, one.distance_squared, one.random};
        }
        projection.attempts_drawn[block] = n;
        projection.attempts_done[block] = 0;
    }
}

// An entry of the source's outgoing list for a new synapse: one that a removal freed, else a new one; -1 if full.
DEVICE int claim_entry_{{ projection.name }}(Network* net, const int source, const int at) {
    auto& projection = net->projections.{{ projection.name }};
    int* outgoing = projection.outgoing + ((int64)source << projection.outgoing_shift);
    // Another block may just be finding the list full: it counts beyond the end for a moment.
    const int room = 1 << projection.outgoing_shift, counted = projection.outgoing_count[source];
    const int n = counted < room ? counted : room;
    for (int entry = 0; entry < n; ++entry)
        if (outgoing[entry] < 0 && atomic_swap_if(&outgoing[entry], -1, at) < 0) return entry;
    const int entry = atomic_add(&projection.outgoing_count[source], 1);
    if (entry >= room) {
        atomic_add(&projection.outgoing_count[source], -1);
        return -1;
    }
    outgoing[entry] = at;
    return entry;
}

// What became of a slot, for the log of events: 0 formed, 1 + n eliminated for the rule's n-th reason.
DEVICE void log_event_{{ projection.name }}(Network* net, const int source, const int target, const int what) {
    auto& projection = net->projections.{{ projection.name }};
    if (projection.event_log_size == 0) return;
    int* event = projection.event_log + 4 * atomic_add(projection.event_log_count, 1);
    event[0] = net->control->step;
    event[1] = net->populations.{{ projection.source }}.known_id[source];
    event[2] = net->populations.{{ projection.target }}.global_id[target];
    event[3] = what;
}

KERNEL rewire_{{ projection.name }}(Network* net) {
    Control* control = net->control;
    auto& projection = net->projections.{{ projection.name }};
    const int now = control->step + 1;
    if (control->halt || now % projection.rewiring_every_steps) return;
    const int n_attempts = projection.rewiring_attempts;
{{ bind_parameters("projection", rule, "rewiring_") }}
    for (int block = thread_first(); block < projection.n_blocks; block += thread_stride()) {
        const int n_drawn = projection.attempts_drawn[block];
        for (int n = projection.attempts_done[block]; n < n_drawn; ++n) {
            const Attempt attempt = projection.attempts[block * n_attempts + n];
            const int distance_squared = attempt.distance_squared;
            const int target = attempt.target, source = attempt.source;
            const int row = target << projection.row_shift;
            const int in_degree = projection.in_degree[target];
            int found = -1;
            for (int k = 0; k < in_degree; ++k) found = projection.source[row + k] == source ? k : found;
            if (found >= 0) {
                int at = row + found;
//% for variable in variables
                const {{ variable.ctype }} {{ variable.name }} = projection.synapse_{{ variable.name }}[at];
//% endfor
                if (!chance(attempt.random, {{ rule.eliminate }})) continue;
                log_event_{{ projection.name }}(net, source, target, 1 + ({{ rule.reason }}));
                atomic_exchange(&projection.outgoing[((int64)source << projection.outgoing_shift) + projection.entry[at]], -1);
                // The row's last synapse takes the place: rows have no holes.
                const int last = row + in_degree - 1;
                if (last != at) {
                    const int moved = projection.source[last];
                    projection.source[at] = moved;
                    projection.entry[at] = projection.entry[last];
//% for variable in variables
                    projection.synapse_{{ variable.name }}[at] = projection.synapse_{{ variable.name }}[last];
//% endfor
                    atomic_exchange(&projection.outgoing[((int64)moved << projection.outgoing_shift) + projection.entry[at]], at);
                }
                projection.in_degree[target] = in_degree - 1;
                atomic_add(projection.eliminated, (uint64)1);
            } else {
                if (!chance(attempt.random, {{ rule.form }})) continue;
                if (in_degree >> projection.row_shift) {
                    if (projection.rows_grow) {
                        projection.attempts_done[block] = n;
                        halt(control, ROWS_FULL, {{ stage }}, {{ projection.index }}, target);
                        return;
                    }
                    atomic_add(projection.refused, (uint64)1);
                    continue;
                }
                const int at = row + in_degree;
                const int entry = claim_entry_{{ projection.name }}(net, source, at);
                if (entry < 0) {
                    projection.attempts_done[block] = n;
                    halt(control, OUTGOING_FULL, {{ stage }}, {{ projection.index }}, source);
                    return;
                }
                projection.source[at] = source;
                projection.entry[at] = entry;
//% for variable in variables
                projection.synapse_{{ variable.name }}[at] = {{ rule.initial if variable.name == "weight" else "delay_of_" ~ projection.name ~ "(net, source, target)" if variable.name == "delay_steps" and projection.delays else "projection.initial_" ~ variable.name }};
//% endfor
                projection.in_degree[target] = in_degree + 1;
                log_event_{{ projection.name }}(net, source, target, 0);
                atomic_add(projection.formed, (uint64)1);
            }
        }
        projection.attempts_done[block] = n_drawn;
    }
}

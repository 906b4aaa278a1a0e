// Attempts of an update: a number per block of targets, each on one (source, target) slot.
// Drawing them costs a random number each; only those within reach come to the synapses, in attempt order per block.
{%- set rule = projection.rewiring %}
{% import "rewiring_names.cu" as names with context %}

KERNEL draw_attempts_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    const int nx = target_population.nx, ny = target_population.ny;
    const int side_x = projection.rewiring_block_x, side_y = projection.rewiring_block_y;
    const int blocks_x = nx / side_x;
    const int furthest = projection.rewiring_reach_squared;  // of a synapse that may be there
    const uint32 seed0 = control->seed0, seed1 = control->seed1;
//% if rule.select.looks_back_ms
    const int reach = projection.rewiring_forms_within;  // every rank knows all sources within it
    // Spikes of this interval that other ranks have are not known here yet: those up to the last exchange count.
    const int known_until = now - now % projection.rewiring_interval;
    const int first_recent = known_until - projection.rewiring_looks_back < 0 ? 0 : known_until - projection.rewiring_looks_back;
//% endif
    for (int block = thread_first(); block < projection.n_blocks; block += thread_stride()) {
        const int block_id = projection.block_id[block];
        const int block_y = block_id / blocks_x;
        const int y0 = block_y * side_y, x0 = (block_id - block_y * blocks_x) * side_x;
        Attempt* drawn = projection.attempts + block * attempts;
        INDEPENDENT_ITERATIONS
        for (int attempt = 0; attempt < attempts; ++attempt) {
            const Random4 random = philox((uint32)(block_id * attempts + attempt), (uint32)now,
                                          {{ projection.stream_attempts }}u, 0u, seed0, seed1);
            uint32 left;
            const int x = x0 + (int)choose(random.x, (uint32)side_x, &left);
            const int y = y0 + (int)choose(left, (uint32)side_y, &left);
            int source_x = -1, source_y = 0;
//% if rule.select.looks_back_ms
            const int own = known_index(target_population, x, y);
            if (own >= 0 && own < target_population.n_own) {
                RecentSpikes recent = {source_population.ring, source_population.own_count, source_population.remote_count,
                                       source_population.known_id, source_population.n_known, source_population.ring_mask, first_recent, 0};
                const int n_recent = recent.count(known_until);
{{ paste(rule, "draw", rule.select.draw) }}
            }
//% else
{{ paste(rule, "draw", rule.select.draw) }}
//% endif
            const int dx = torus_distance(x, source_x, nx), dy = torus_distance(y, source_y, ny);
            drawn[attempt] = {y * nx + x, source_x < 0 ? -1 : source_y * nx + source_x, dx * dx + dy * dy, random.z};
        }
        // Those within reach move to the front, now with local indices.
        int n = 0;
        for (int attempt = 0; attempt < attempts; ++attempt) {
            const Attempt one = drawn[attempt];
            const bool within = one.source >= 0 && one.distance_squared <= furthest;
//% if not rule.select.pick
            if (!within) continue;
//% endif
            const int target = known_index(target_population, one.target);
            if (target < 0 || target >= target_population.n_own) continue;
            // A source beyond what this rank can be wired to is neither there nor to be formed.
            const int source = within ? known_index(source_population, one.source) : -1;
//% if rule.select.pick
            drawn[n++] = {target, source, one.distance_squared, one.random};
//% else
            if (source < 0) continue;
            bool again = false;  // a slot is tried at most once an update
            for (int k = 0; k < n; ++k) again |= drawn[k].target == target && drawn[k].source == source;
            if (!again) drawn[n++] = {target, source, one.distance_squared, one.random};
//% endif
        }
        projection.attempts_drawn[block] = n;
        projection.attempts_done[block] = 0;
    }
}

KERNEL rewire_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    const int n_attempts = projection.rewiring_attempts;
    for (int block = thread_first(); block < projection.n_blocks; block += thread_stride()) {
        const int n_drawn = projection.attempts_drawn[block];
        for (int n = projection.attempts_done[block]; n < n_drawn; ++n) {
            const Attempt attempt = projection.attempts[block * n_attempts + n];
            const int target = attempt.target;
            const int row = target << projection.row_shift;
            const int in_degree = projection.in_degree[target];
            const int found = attempt.source < 0 ? -1 : find_{{ projection.name }}(net, row, in_degree, attempt.source);
            // Numbers beyond the four that an attempt is drawn from: a sequence that the first of them begins.
            RandomSequence random = {attempt.random, (uint32)now, {{ projection.stream_attempts }}u, control->seed0, control->seed1, 4u, {0u, 0u, 0u, 0u}};
            (void)random;
            {{- names.target_names() }}
//% if rule.select.pick
            auto any_synapse = [&]() { return any_synapse_{{ projection.name }}(net, target, random()); };
            auto weakest = [&]() { return weakest_{{ projection.name }}(net, target); };
            (void)any_synapse; (void)weakest;
            int tried = -1;
            bool forming = false;
{{ paste(rule, "pick", rule.select.pick) }}
            forming &= attempt.source >= 0 && attempt.distance_squared <= projection.rewiring_forms_within;
//% else
            const int tried = found;
            const bool forming = found < 0 && attempt.distance_squared <= projection.rewiring_forms_within;
//% endif
            bool goes = false;
            int why = 0;
            if (tried >= 0) {
                const int at = row + tried, source = projection.source[at];
                {{- names.source_names() }}
//% if rule.select.pick
                {{- names.distance_name() }}
//% else
                const int distance_squared = attempt.distance_squared;
                (void)distance_squared; (void)source;
//% endif
                {{- names.synapse_names("const ") }}
                goes = chance(attempt.random, {{ value(rule, "eliminate", "Probability") }});
                if (goes) why = {{ value(rule, "reason", "int") }};
            }
            if (forming) {
                const int source = attempt.source, distance_squared = attempt.distance_squared;
                (void)distance_squared;
                {{- names.source_names() }}
                if (chance({{ "tried >= 0 ? random() : attempt.random" if rule.select.pick else "attempt.random" }}, {{ value(rule, "form", "Probability") }})) {
                    if (!form_{{ projection.name }}(net, source, target, now, {{ projection.stage_of.rewire }})) {
                        projection.attempts_done[block] = n;
                        return;
                    }
                }
            }
            if (goes) remove_{{ projection.name }}(net, target, tried, why);
        }
        projection.attempts_done[block] = n_drawn;
    }
}

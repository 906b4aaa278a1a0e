// Attempts of an update: a number per block of targets, each on one (source, target) slot.
// Drawing them costs a random number each; only those within reach come to the synapses, in attempt order per block.
{%- set rule = projection.rewiring %}
{%- set forming_number = "tried >= 0 ? random() : attempt.random" if rule.select.pick else "attempt.random" %}
{% import "rewiring/names.cu" as names with context %}

// The squared distance of the target that has been drawn from a place among the sources.
struct SquaredTo_{{ projection.name }} {
    Network* net;
    int x, y, period_x, period_y;
    DEVICE_MEMBER int operator()(const int source_x, const int source_y) const {
//% if projection.dimensions
        // A block is one target, which this rank owns.
        const auto& targets = net->population_{{ projection.target }};
        const int target = known_index(targets, x, y);
        if (source_x < 0 || target < 0 || target >= targets.n_own) return 0x7fffffff;
        return (int)free_distance_squared(net->projection_{{ projection.name }}, {{ projection.dimensions }},
                                          source_y * net->population_{{ projection.source }}.nx + source_x, target);
//% elif projection.lattice
        return lattice_distance_squared(net->projection_{{ projection.name }}, source_x, source_y, x, y);
//% else
        const int dx = torus_distance(x, source_x, period_x), dy = torus_distance(y, source_y, period_y);
        return dx * dx + dy * dy;
//% endif
    }
};

{{ rule.functions.draw.head }} {
{{ paste(rule, "draw", rule.select.draw) }}
}

//% if rule.select.pick
// Synapses of a target that a snippet may ask for.
struct AnySynapse_{{ projection.name }} {
    Network* net;
    int target;
    Sequence<EntityBlocks>* random;
    DEVICE_MEMBER int operator()() const { return any_synapse_{{ projection.name }}(net, target, (*random)()); }
};

struct Weakest_{{ projection.name }} {
    Network* net;
    int target;
    DEVICE_MEMBER int operator()() const { return weakest_{{ projection.name }}(net, target); }
};

{{ rule.functions.pick.head }} {
{{ paste(rule, "pick", rule.select.pick) }}
}

//% endif
{{ rule.functions.form.head }} {
{{ value(rule, "form") }}
}

// Every attempt of every block alike, so that the host draws many at once: slot, distance, and a number to decide by.
KERNEL draw_attempts_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    const int nx = source_population.nx, ny = source_population.ny, target_nx = target_population.nx;
    const int period_x = source_population.period_x, period_y = source_population.period_y;
    const uint32 side_x = projection.rewiring_block_x, side_y = projection.rewiring_block_y;
    const int furthest = projection.rewiring_reach_squared;  // of a synapse that may be there
    const RandomKey random_key = key_of(control);
    const int n_attempts = projection.n_attempts;
    const int *number_of = projection.attempt_number, *x0_of = projection.attempt_x0, *y0_of = projection.attempt_y0;
    int *target_of = projection.attempt_target, *source_of = projection.attempt_source;
    int* distance_of = projection.attempt_distance;
    uint32* decision_of = projection.attempt_decision;
//% if rule.select.looks_back_ms
    const int reach = projection.rewiring_forms_within;  // every rank knows all sources within it
    // Spikes count from when they arrive at synapses: younger ones of other ranks need not be known here.
    const int known_until = now - projection.delay_steps;
    const int first_recent =
        known_until < projection.rewiring_looks_back ? 0 : known_until - projection.rewiring_looks_back;
//% endif
    for (int block = thread_first(); block < projection.n_blocks; block += thread_stride())
        projection.attempts_done[block] = 0;
//% if rule.thins
    // Where few slots are within reach: how many attempts are on one of them, for all blocks at once, then only these.
    if (projection.n_within > 0) {
        int* count_of = projection.attempt_count;
        const int* id_of = projection.block_id;
        INDEPENDENT_ITERATIONS
        for (int block = thread_first(); block < projection.n_blocks; block += thread_stride())
            count_of[block] =
                philox(id_of[block], now, {{ projection.stream_attempts }}u | COUNT_NUMBERS, 0u, random_key).x;
        for (int block = thread_first(); block < projection.n_blocks; block += thread_stride()) {
            const uint32 word = (uint32)count_of[block];
            int count = 0;
            while (count < constant_attempts && word >= projection.count_threshold[count]) ++count;
            count_of[block] = count;
            for (int n = block * constant_attempts; n < block * constant_attempts + count; ++n) {
                const Random4 random = philox(number_of[n], now, {{ projection.stream_attempts }}u, 0u, random_key);
                uint32 left;
                const int x = x0_of[n] + (int)choose(random.x, side_x, &left);
                const int y = y0_of[n] + (int)choose(left, side_y, &left);
                const int within = (int)choose(random.y, (uint32)projection.n_within, &left);
                const int dx = projection.within_dx[within], dy = projection.within_dy[within];
                target_of[n] = y * target_nx + x;
                const int source_x = torus_place(x + dx, period_x), source_y = torus_place(y + dy, period_y);
                const bool on_grid = source_x < nx && source_y < ny;
                source_of[n] = on_grid ? source_y * nx + source_x : -1;
                distance_of[n] = dx * dx + dy * dy;
                decision_of[n] = random.z;
            }
        }
        return;
    }
//% endif
    INDEPENDENT_ITERATIONS
    for (int n = thread_first(); n < n_attempts; n += thread_stride()) {
        const Random4 random = philox(number_of[n], now, {{ projection.stream_attempts }}u, 0u, random_key);
        uint32 left;
        const int x = x0_of[n] + (int)choose(random.x, side_x, &left);
        const int y = y0_of[n] + (int)choose(left, side_y, &left);
        int source_x = -1, source_y = 0;
        const SquaredTo_{{ projection.name }} squared_to = {net, x, y, period_x, period_y};
//% if rule.select.looks_back_ms
        const int own = known_index(target_population, x, y);
        if (own >= 0 && own < target_population.n_own) {
            RecentSpikes recent = {source_population.ring,         source_population.own_count,
                                   source_population.remote_count, source_population.known_id,
                                   source_population.slot_size,    source_population.ring_mask,
                                   first_recent,                   0};
            const int n_recent = recent.count(known_until);
            {{ rule.functions.draw.call }};
        }
//% else
        {{ rule.functions.draw.call }};
//% endif
        const int distance_squared = squared_to(source_x, source_y);
        target_of[n] = y * target_nx + x;
        const bool on_grid = (uint32)source_x < (uint32)nx && (uint32)source_y < (uint32)ny;
        source_of[n] = on_grid && distance_squared <= furthest ? source_y * nx + source_x : -1;
        distance_of[n] = distance_squared;
        decision_of[n] = random.z;
    }
}

// The own target of an attempt, -1 if there is nothing to try.
DEVICE int attempted_{{ projection.name }}(Network* net, const int n) {
    const auto& projection = net->projection_{{ projection.name }};
    const auto& target_population = net->population_{{ projection.target }};
//% if not rule.select.pick
    if (projection.attempt_source[n] < 0) return -1;
//% endif
    const int target = known_index(target_population, projection.attempt_target[n]);
    return target < target_population.n_own ? target : -1;
}

KERNEL rewire_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int block = thread_first(); block < projection.n_blocks; block += thread_stride()) {
        // In a large network every row is a cache miss or three: those of blocks to come are asked for.
        if (block + 8 < projection.n_blocks) {
            const int first = (block + 8) * constant_attempts;
            for (int n = first; n < first + projection.attempt_count[block + 8]; ++n) {
                const int later = attempted_{{ projection.name }}(net, n);
                if (later < 0) continue;
                PREFETCH(&projection.in_degree[later]);
                PREFETCH(&projection.source[later << projection.row_shift]);
                PREFETCH(&projection.source[(later << projection.row_shift)] + 16);
            }
        }
        const int first = block * constant_attempts, end = first + projection.attempt_count[block];
        for (int n = first + projection.attempts_done[block]; n < end; ++n) {
            const int target = attempted_{{ projection.name }}(net, n);
            if (target < 0) continue;
            const struct { int source, distance_squared; uint32 random; } attempt = {
                // A source beyond what this rank can be wired to is neither there nor to be formed.
                projection.attempt_source[n] >= 0 ? known_index(source_population, projection.attempt_source[n]) : -1,
                projection.attempt_distance[n], projection.attempt_decision[n]};
//% if not rule.select.pick
            if (attempt.source < 0) continue;
            bool again = false;  // a slot is tried at most once per update
            for (int k = first; k < n; ++k)
                again |= projection.attempt_target[k] == projection.attempt_target[n]
                         && projection.attempt_source[k] == projection.attempt_source[n];
            if (again) continue;
//% endif
            const int row = target << projection.row_shift;
            const int in_degree = projection.in_degree[target];
            const int found = attempt.source < 0 ? -1 : find_{{ projection.name }}(net, row, in_degree, attempt.source);
            // Numbers beyond the four that an attempt is drawn from: a sequence that the first of them begins.
            auto random = sequence_of(attempt.random, now, {{ projection.stream_attempts }}u, key_of(control), 4u);
            (void)random;
            {{- names.target_names() }}
//% if rule.select.pick
            const AnySynapse_{{ projection.name }} any_synapse = {net, target, &random};
            const Weakest_{{ projection.name }} weakest = {net, target};
            int tried = -1;
            bool forming = false;
            {{ rule.functions.pick.call }};
            tried = tried < in_degree ? tried : -1;
            forming &= attempt.source >= 0 && attempt.distance_squared <= projection.rewiring_forms_within;
//% else
            const int tried = found;
            bool forming = found < 0 && attempt.distance_squared <= projection.rewiring_forms_within;
//% endif
//% if projection.source_removes or projection.target_removes
            forming = forming && !is_removed_{{ projection.name }}(net, attempt.source, target);
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
                {{ names.decided("attempt.random") }}
            }
            if (forming) {
                const int source = attempt.source, distance_squared = attempt.distance_squared;
                (void)distance_squared;
                {{- names.source_names() }}
                {{ names.asked("form", 1) }}
                if (chance({{ forming_number }}, p_form)) {
                    const bool went_on =
                        new_synapse_{{ projection.name }}(net, source, target, now, {{ projection.stage_of.rewire }});
                    if (!went_on) {
                        projection.attempts_done[block] = n - first;
                        return;
                    }
                }
            }
            if (goes) remove_{{ projection.name }}(net, target, tried, why);
        }
        projection.attempts_done[block] = end - first;  // whoever comes back after a halt begins behind it
    }
}

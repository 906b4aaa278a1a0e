// How a synapse comes and goes: one row and one or two entries of outgoing lists change, and the log of events.
// Whoever calls these is the only one who works on the target's row.

// An entry of the source's outgoing list for a new synapse: one that a removal freed, else a new one; -1 if full.
DEVICE int claim_entry_{{ projection.name }}(Network* net, const int source, const int at) {
    auto& projection = net->projection_{{ projection.name }};
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
    auto& projection = net->projection_{{ projection.name }};
    if (projection.event_log_size == 0) return;
    // A log that is full has been asked for more than an update was thought to need: the host then finds the count.
    const int entry = atomic_add(projection.event_log_count, 1);
    if (entry >= projection.event_log_size) return;
    int* event = projection.event_log + 4 * (int64)entry;
    event[0] = net->control->step;
    event[1] = net->population_{{ projection.source }}.known_id[source];
    event[2] = net->population_{{ projection.target }}.global_id[target];
    event[3] = what;
}

// The place of the synapse from `source` in a row of n synapses, -1 if there is none.
DEVICE int find_{{ projection.name }}(Network* net, const int row, const int n, const int source) {
    const int* source_of = net->projection_{{ projection.name }}.source + row;
    int found = -1;
    for (int k = 0; k < n; ++k) found = source_of[k] == source ? k : found;
    return found;
}

//% if projection.source_removes or projection.target_removes
// Whether one of the two neurons is removed: then no rule forms a synapse between them.
DEVICE bool is_removed_{{ projection.name }}(Network* net, const int source, const int target) {
    int removed = 0;
//% if projection.source_removes
    removed |= net->population_{{ projection.source }}.removed[source];
//% endif
//% if projection.target_removes
    removed |= net->population_{{ projection.target }}.removed[target];
//% endif
    (void)source; (void)target;
    return removed != 0;
}
//% endif

{%- set rule = projection.rewiring %}
{% import "rewiring/names.cu" as names with context %}
//% if projection.rewiring.proposes
// Whether the rule may form a synapse: neither neuron is removed, and they are within its reach, where every rank knows
// every source, beyond it not.
DEVICE bool may_join_{{ projection.name }}(Network* net, const int source, const int target) {
//% if projection.source_removes or projection.target_removes
    if (is_removed_{{ projection.name }}(net, source, target)) return false;
//% endif
//% if projection.rewiring.reach_squared
    const auto& projection = net->projection_{{ projection.name }};
    const auto& source_population = net->population_{{ projection.source }};
    const auto& target_population = net->population_{{ projection.target }};
    const int pre_id = source_population.known_id[source], post_id = target_population.global_id[target];
    return {{ names.distance_of_pair() }} <= projection.rewiring_forms_within;
//% else
    (void)net; (void)source; (void)target;
    return true;
//% endif
}
//% endif

// The row's last synapse takes the place of the one that goes: rows have no holes.
DEVICE void remove_{{ projection.name }}(Network* net, const int target, const int place, const int reason) {
    auto& projection = net->projection_{{ projection.name }};
    const int row = target << projection.row_shift, in_degree = projection.in_degree[target];
    const int at = row + place, last = row + in_degree - 1, source = projection.source[at];
    const int most = {{ projection.rewiring.reasons | length }} - 1;
    const int named = reason < 0 ? 0 : reason < most ? reason : most;
    log_event_{{ projection.name }}(net, source, target, 1 + named);
    atomic_exchange(&projection.outgoing[((int64)source << projection.outgoing_shift) + projection.entry[at]], -1);
    if (last != at) {
        const int moved = projection.source[last];
        projection.source[at] = moved;
        projection.entry[at] = projection.entry[last];
//% for column in projection.columns
        projection.synapse_{{ column.name }}[at] = projection.synapse_{{ column.name }}[last];
//% endfor
        atomic_exchange(&projection.outgoing[((int64)moved << projection.outgoing_shift) + projection.entry[at]], at);
    }
    projection.in_degree[target] = in_degree - 1;
//% if projection.rewiring.replace
    projection.target_owed[target] += 1;
//% endif
    atomic_add(projection.eliminated, (uint64)1);
}

// The slot of a new synapse, its variables at their first values; -1: it was refused, -2: the run must halt for room.
DEVICE int add_synapse_{{ projection.name }}(Network* net, const int source, const int target, const int stage) {
    auto& projection = net->projection_{{ projection.name }};
    const int in_degree = projection.in_degree[target];
    if (in_degree >> projection.row_shift) {
        if (projection.rows_grow) {
            halt(net->control, ROWS_FULL, stage, {{ projection.index }}, target);
            return -2;
        }
        atomic_add(projection.refused, (uint64)1);
        return -1;
    }
    const int at = (target << projection.row_shift) + in_degree;
    const int entry = claim_entry_{{ projection.name }}(net, source, at);
    if (entry < 0) {
        halt(net->control, OUTGOING_FULL, stage, {{ projection.index }}, source);
        return -2;
    }
    projection.source[at] = source;
    projection.entry[at] = entry;
//% for variable in projection.variables
    projection.synapse_{{ variable.name }}[at] = projection.initial_{{ variable.name }};
//% endfor
//% if projection.delays
    projection.synapse_delay_steps[at] = delay_of_{{ projection.name }}(net, source, target);
//% endif
    projection.in_degree[target] = in_degree + 1;
    log_event_{{ projection.name }}(net, source, target, 0);
    atomic_add(projection.formed, (uint64)1);
    return at;
}

// Each synapse of a row with the same chance, whatever their order in it: the least of a hash over sources' numbers.
DEVICE int any_synapse_{{ projection.name }}(Network* net, const int target, const uint32 random) {
    const auto& projection = net->projection_{{ projection.name }};
    const int* known_id = net->population_{{ projection.source }}.known_id;
    const int row = target << projection.row_shift;
    int chosen = -1;
    uint64 least = 0;
    for (int k = 0; k < projection.in_degree[target]; ++k) {
        const uint64 key = spike_hash((int)random, known_id[projection.source[row + k]]);
        if (chosen >= 0 && key >= least) continue;
        chosen = k;
        least = key;
    }
    return chosen;
}

// The synapse of least weight in a row that is not empty; of equal ones that with the source of least number.
DEVICE int weakest_{{ projection.name }}(Network* net, const int target) {
    const auto& projection = net->projection_{{ projection.name }};
    const int* known_id = net->population_{{ projection.source }}.known_id;
    const int row = target << projection.row_shift;
    int chosen = 0;
    for (int k = 1; k < projection.in_degree[target]; ++k) {
        const float weight = projection.synapse_weight[row + k], least = projection.synapse_weight[row + chosen];
        const bool before = known_id[projection.source[row + k]] < known_id[projection.source[row + chosen]];
        if (weight < least || (weight == least && before)) chosen = k;
    }
    return chosen;
}

{{ names.neuron_struct("Post", projection.target_state + rule.target_variables) }}
//% if rule.shares
{{ names.neuron_struct("Pre", projection.shared) }}
//% endif

//% for name, text in rule.initials.items()
{{ rule.functions["initial." ~ name].head }} {
{{ value(rule, "initial", text) }}
}

//% endfor
//% if rule.visits_synapses or rule.select.draw
{{ rule.functions.eliminate.head }} {
{{ value(rule, "eliminate") }}
}

{{ rule.functions.reason.head }} {
{{ value(rule, "reason") }}
}

//% endif
// A new synapse as the rule wants it; false if the run must halt for room first.
DEVICE bool new_synapse_{{ projection.name }}(Network* net, const int source, const int target, const int now,
                                       const int stage) {
    const int at = add_synapse_{{ projection.name }}(net, source, target, stage);
//% if rule.initials
    if (at < 0) return at == -1;
    Control* control = net->control;
    auto& projection = net->projection_{{ projection.name }};
    const auto& source_population = net->population_{{ projection.source }};
    const auto& target_population = net->population_{{ projection.target }};
    (void)now; (void)control; (void)source_population; (void)target_population;
    {{ names.constants() }}
    {{- names.target_names() }}
    {{- names.source_names() }}
    {{- names.distance_name() }}
    auto random = sequence_of_pair(post_id, pre_id, now, {{ projection.stream_attempts }}u | SYNAPSE_NUMBERS,
                                   key_of(control), 256u);
    (void)random;
//% for name in rule.initials
    projection.synapse_{{ name }}[at] = {{ rule.functions["initial." ~ name].call }};
//% endfor
    if ({{ any_not_finite("projection.synapse_", projection.variables, "at") }})
        halt(control, NOT_FINITE, 0, 0, 0);
    return true;
//% else
    return at != -2;
//% endif
}

// Targets with all their synapses: the rule's own hook, synapses that go because there are too many, and synapses that
// form from lists: `proposed_start` cuts `proposed` (sources as this rank numbers them) by target.
{%- set rule = projection.rewiring %}
{% import "rewiring/names.cu" as names with context %}

//% if rule.per_target
// What a hook sees of a target. Removing a synapse moves the last one into its place.
struct Row_{{ projection.name }} {
    Network* net;
    int target, now;
    DEVICE_MEMBER int at(const int place) const {
        return (target << net->projections.{{ projection.name }}.row_shift) + place;
    }
    DEVICE_MEMBER int size() const { return net->projections.{{ projection.name }}.in_degree[target]; }
    DEVICE_MEMBER int source(const int place) const { return net->projections.{{ projection.name }}.source[at(place)]; }
    DEVICE_MEMBER int source_id(const int place) const {
        return net->populations.{{ projection.source }}.known_id[source(place)];
    }
//% for variable in projection.variables
    DEVICE_MEMBER {{ variable.ctype }}& {{ variable.name }}(const int place) {
        return net->projections.{{ projection.name }}.synapse_{{ variable.name }}[at(place)];
    }
//% endfor
//% for trace in projection.pre_traces
    DEVICE_MEMBER float {{ trace.name }}(const int place) const {
        const auto& projection = net->projections.{{ projection.name }};
        return decayed(projection.pre_{{ trace.name }}[source(place)], now - 1, projection.decay_{{ trace.name }});
    }
//% endfor
    DEVICE_MEMBER int find(const int id) const {
        const auto& sources = net->populations.{{ projection.source }};
        const int source = id < 0 || id >= sources.nx * sources.ny ? -1 : known_index(sources, id);
        return source < 0 ? -1 : find_{{ projection.name }}(net, at(0), size(), source);
    }
    // Nothing where the row has no such place, such as that of a source that was not found.
    DEVICE_MEMBER void remove(const int place, const int reason = 0) const {
        if (place >= 0 && place < size()) remove_{{ projection.name }}(net, target, place, reason);
    }
    // False where there is one already or proposed already, and where this projection can form none.
    DEVICE_MEMBER bool propose(const int id) const {
        auto& projection = net->projections.{{ projection.name }};
        const auto& sources = net->populations.{{ projection.source }};
        if (id < 0 || id >= sources.nx * sources.ny) return false;
        if (projection.n_proposed[target] == {{ rule.proposals }}) return false;
        const int source = known_index(sources, id);
        if (source < 0 || find(id) >= 0 || !reaches_{{ projection.name }}(net, source, target)) return false;
        int* proposed = projection.hook_proposed + (int64)target * {{ rule.proposals }};
        for (int n = 0; n < projection.n_proposed[target]; ++n)
            if (proposed[n] == source) return false;
        proposed[projection.n_proposed[target]++] = source;
        return true;
    }
};

KERNEL per_target_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        Row_{{ projection.name }} row = {net, target, now};
        {{- names.target_names() }}
        auto random = sequence_of(post_id, now, {{ projection.stream_attempts }}u | HOOK_NUMBERS, key_of(control));
        (void)random;
//% for variable in rule.target_variables
        {{ variable.ctype }}& own_{{ variable.name }} = projection.target_{{ variable.name }}[target];
        (void)own_{{ variable.name }};
//% endfor
        projection.n_proposed[target] = 0;
        {
{{ paste(rule, "per_target") }}
        }
        bool wrong = {{ any_not_finite("projection.target_", rule.target_variables, "target") }};
        for (int at = row.at(0); at < row.at(row.size()); ++at)
            wrong |= {{ any_not_finite("projection.synapse_", projection.variables, "at") }};
        if (wrong) {
            halt(control, NOT_FINITE, 0, 0, 0);
            return;
        }
    }
}

KERNEL form_hooked_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride())
        for (; projection.n_proposed[target] > 0; --projection.n_proposed[target]) {
            const int64 last = (int64)target * {{ rule.proposals }} + projection.n_proposed[target] - 1;
            const int source = projection.hook_proposed[last];
            if (!form_{{ projection.name }}(net, source, target, now, {{ projection.stage_of.form_hooked }})) break;
        }
}
//% endif

//% if rule.replace == "target"
// A stage of its own: a halt in the next one must not make tries anew.
KERNEL clear_tries_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride())
        projection.replace_tried[target] = 0;
}

// What went from a row comes back in it, at sources that are drawn until one is free and formed.
KERNEL replace_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const uint32 id = target_population.global_id[target];
        const uint32 stream = {{ projection.stream_attempts }}u | CANDIDATE_NUMBERS;
        int* tried = &projection.replace_tried[target];
        const bool full = !projection.rows_grow && projection.in_degree[target] >> projection.row_shift;
        if (full && projection.target_owed[target] > 0 && *tried < REPLACEMENT_TRIES) {
            atomic_add(projection.refused, (uint64)1);  // once per update; it is owed still
            *tried = REPLACEMENT_TRIES;
        }
        for (; projection.target_owed[target] > 0 && *tried < REPLACEMENT_TRIES; *tried += 1) {
            const uint32 number = philox(id, now, stream, *tried, key_of(control)).x;
            const int source = known_index(source_population, (int)(((uint64)number * (uint32)n_sources) >> 32));
            const int in_degree = projection.in_degree[target];
            if (source < 0 || !reaches_{{ projection.name }}(net, source, target)) continue;
            if (find_{{ projection.name }}(net, target << projection.row_shift, in_degree, source) >= 0) continue;
            if (!form_{{ projection.name }}(net, source, target, now, {{ projection.stage_of.replace }})) return;
            projection.target_owed[target] -= projection.in_degree[target] - in_degree;
        }
    }
}
//% endif

//% if rule.replace == "projection"
// Where what went from anywhere may come back: candidate n of a round, for as many as are owed by all ranks together.
KERNEL draw_candidates_{{ projection.name }}(Network* net) {
    auto& projection = net->projections.{{ projection.name }};
    const auto& source_population = net->populations.{{ projection.source }};
    const auto& target_population = net->populations.{{ projection.target }};
    const uint32 n_sources = (uint32)(source_population.nx * source_population.ny);
    const uint32 n_targets = (uint32)(target_population.nx * target_population.ny);
    const uint32 stream = {{ projection.stream_attempts }}u | CANDIDATE_NUMBERS;
    const uint32 now = (uint32)net->control->step {{ "" if rule.trigger == "call" else "+ 1u" }};
    for (int n = thread_first(); n < projection.n_candidates; n += thread_stride()) {
        const uint32 number = projection.first_candidate + (uint32)n;
        const Random4 random = philox(number, now, stream, 0u, key_of(net->control));
        const int target = known_index(target_population, (int)(((uint64)random.x * n_targets) >> 32));
        const int source = known_index(source_population, (int)(((uint64)random.y * n_sources) >> 32));
        const bool here = target >= 0 && target < target_population.n_own && source >= 0;
        projection.candidates[2 * (int64)n] = here ? target : -1;
        projection.candidates[2 * (int64)n + 1] = source;
    }
}
//% endif

//% if rule.replace == "projection" or rule.pairing
KERNEL form_proposed_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int row = target << projection.row_shift;
        for (int& n = projection.proposed_done[target]; n < projection.proposed_start[target + 1]; ++n) {
            const int source = projection.proposed[n], in_degree = projection.in_degree[target];
            if (source < 0 || !reaches_{{ projection.name }}(net, source, target)) continue;
            if (find_{{ projection.name }}(net, row, in_degree, source) >= 0) continue;
            if (!form_{{ projection.name }}(net, source, target, now, {{ projection.stage_of.form_proposed }})) return;
            // None if it was refused.
            atomic_add(projection.n_formed, (int64)(projection.in_degree[target] - in_degree));
        }
    }
}
//% endif

//% if rule.pairing
// What sources offer and targets demand as things stand.
KERNEL offers_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int source = thread_first(); source < source_population.n_own; source += thread_stride()) {
        const int id = source_population.known_id[source], out_degree = projection.out_degree[source];
        (void)id; (void)out_degree;
        {{- names.rule_variables("source", const="const ") }}
        projection.offers[source] = {{ value(rule, "pairing.offers", "int", rule.pairing.offers) }};
    }
}

KERNEL demands_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int id = target_population.global_id[target], in_degree = projection.in_degree[target];
        (void)id; (void)in_degree;
        {{- names.rule_variables("target", const="const ") }}
        projection.demands[target] = {{ value(rule, "pairing.demands", "int", rule.pairing.demands) }};
    }
}

// Targets with too many synapses lose some at random.
KERNEL remove_surplus_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const uint32 id = target_population.global_id[target];
        const uint32 stream = {{ projection.stream_attempts }}u | SURPLUS_NUMBERS;
        uint32 n = 0;
        for (int surplus = -projection.demands[target]; surplus > 0 && projection.in_degree[target] > 0; --surplus) {
            const uint32 number = philox(id, now, stream, n++, key_of(control)).x;
            remove_{{ projection.name }}(net, target, any_synapse_{{ projection.name }}(net, target, number), 0);
        }
    }
}

// Synapses that the ranks have chosen because their sources have too many: cut like proposals.
KERNEL retract_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride())
        for (int n = projection.proposed_start[target]; n < projection.proposed_start[target + 1]; ++n) {
            const int row = target << projection.row_shift, in_degree = projection.in_degree[target];
            const int place = find_{{ projection.name }}(net, row, in_degree, projection.proposed[n]);
            remove_{{ projection.name }}(net, target, place, 1);
        }
}

// What is still vacant, for the rule to settle.
KERNEL settle_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int source = thread_first(); source < source_population.n_own; source += thread_stride()) {
        const int id = source_population.known_id[source], out_degree = projection.out_degree[source];
        const int vacant = projection.offers[source];
        (void)id; (void)out_degree; (void)vacant;
        {{- names.rule_variables("source", reference="&") }}
        {
{{ paste(rule, "pairing.after_source", rule.pairing.after_source) }}
        }
        if ({{ any_not_finite("projection.source_", rule.source_variables, "source") }}) {
            halt(control, NOT_FINITE, 0, 0, 0);
            return;
        }
    }
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int id = target_population.global_id[target], in_degree = projection.in_degree[target];
        const int vacant = projection.demands[target];
        (void)id; (void)in_degree; (void)vacant;
        {{- names.rule_variables("target", reference="&") }}
        {
{{ paste(rule, "pairing.after_target", rule.pairing.after_target) }}
        }
        if ({{ any_not_finite("projection.target_", rule.target_variables, "target") }}) {
            halt(control, NOT_FINITE, 0, 0, 0);
            return;
        }
    }
}

// Synapses of each source that this rank has, for the owners to add up. Expects zeros.
KERNEL count_out_degree_{{ projection.name }}(Network* net) {
    auto& projection = net->projections.{{ projection.name }};
    const int n_targets = net->populations.{{ projection.target }}.n_own;
    for (int target = thread_first(); target < n_targets; target += thread_stride())
        for (int k = 0; k < projection.in_degree[target]; ++k)
            atomic_add(&projection.local_out_degree[projection.source[(target << projection.row_shift) + k]], 1);
}
//% endif

//% for name, text in rule.sums.items()
KERNEL sum_{{ name }}_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int in_degree = projection.in_degree[target];
        (void)in_degree;
        {{- names.target_names() }}
        atomic_add(projection.partial_{{ name }}, (int64)({{ value(rule, "sums." ~ name, "int64", text) }}));
    }
}
//% endfor

//% if projection.meeting_places
// A place where the host of each rank has something to do with those of the others; the schedule goes on behind it.
//% for place in projection.meeting_places
KERNEL {{ place }}_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
//% if place == "meet" and rule.only_pairs and rule.trigger != "call"
    if (now / projection.rewiring_every_steps % {{ rule.pairing.every }}) return;
//% endif
    if (thread_first() != 0) return;
    meet(control, {{ projection.stage_of[place] }}, {{ projection.index }}, {{ place | upper }});
}
//% endfor
//% endif

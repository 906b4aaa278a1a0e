// Targets with all their synapses: the rule's own hook, synapses that go because there are too many, and synapses that
// form from lists: `proposed_start` cuts `proposed` (sources as this rank numbers them) by target.
{%- set rule = projection.rewiring %}
{% import "rewiring/names.cu" as names with context %}

//% if rule.per_target
// A target's row of synapses, and what a hook may do with it. Removing a synapse moves the last one into its place.
struct Places_{{ projection.name }} {
    Network* net;
    int target, now;
    DEVICE_MEMBER auto& projection() const { return net->projection_{{ projection.name }}; }
    DEVICE_MEMBER int at(const int place) const { return (target << projection().row_shift) + place; }
    DEVICE_MEMBER int size() const { return projection().in_degree[target]; }
    DEVICE_MEMBER int source(const int place) const { return projection().source[at(place)]; }
    DEVICE_MEMBER int source_id(const int place) const {
        return net->population_{{ projection.source }}.known_id[source(place)];
    }
    DEVICE_MEMBER int find(const int id) const {
        const auto& sources = net->population_{{ projection.source }};
        const int source = id < 0 || id >= sources.nx * sources.ny ? -1 : known_index(sources, id);
        return source < 0 ? -1 : find_{{ projection.name }}(net, at(0), size(), source);
    }
    // Nothing where the row has no such place, such as that of a source that was not found.
    DEVICE_MEMBER void remove(const int place, const int reason = 0) const {
        if (place >= 0 && place < size()) remove_{{ projection.name }}(net, target, place, reason);
    }
    // False where there is one already or proposed already, and where this projection can form none.
    DEVICE_MEMBER bool propose(const int id) const {
        const auto& sources = net->population_{{ projection.source }};
        if (id < 0 || id >= sources.nx * sources.ny) return false;
        if (projection().n_proposed[target] == {{ rule.proposals }}) return false;
        const int source = known_index(sources, id);
        if (source < 0 || find(id) >= 0 || !may_join_{{ projection.name }}(net, source, target)) return false;
        int* proposed = projection().hook_proposed + (int64)target * {{ rule.proposals }};
        for (int n = 0; n < projection().n_proposed[target]; ++n)
            if (proposed[n] == source) return false;
        proposed[projection().n_proposed[target]++] = source;
        return true;
    }
};

// The same as the hook sees it: with its variables and traces by their names, and without what is for kernels alone.
class hpcsnn_Row_{{ projection.name }} : Places_{{ projection.name }} {
  public:
    DEVICE_MEMBER hpcsnn_Row_{{ projection.name }}(const Places_{{ projection.name }}& places)
        : Places_{{ projection.name }}(places) {}
    using Places_{{ projection.name }}::size;
    using Places_{{ projection.name }}::source_id;
    using Places_{{ projection.name }}::find;
    using Places_{{ projection.name }}::remove;
    using Places_{{ projection.name }}::propose;
//% set places = "Places_" ~ projection.name
//% for variable in projection.variables
    DEVICE_MEMBER {{ variable.ctype }}& {{ variable.name }}(const int hpcsnn_place) {
        return {{ places }}::projection().synapse_{{ variable.name }}[{{ places }}::at(hpcsnn_place)];
    }
//% endfor
//% for trace in projection.pre_traces
    DEVICE_MEMBER float {{ trace.name }}(const int hpcsnn_place) const {
        return ::decayed({{ places }}::projection().pre_{{ trace.name }}[{{ places }}::source(hpcsnn_place)],
                         {{ places }}::now - 1, {{ places }}::projection().decay_{{ trace.name }});
    }
//% endfor
};

{{ rule.functions.per_target.head }} {
{{ paste(rule, "per_target") }}
}

KERNEL per_target_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const Places_{{ projection.name }} places = {net, target, now};
        hpcsnn_Row_{{ projection.name }} row(places);
        {{- names.target_names() }}
        auto random = sequence_of(post_id, now, {{ projection.stream_attempts }}u | HOOK_NUMBERS, key_of(control));
        projection.n_proposed[target] = 0;
        {{ rule.functions.per_target.call }};
        bool wrong = {{ any_not_finite("projection.target_", rule.target_variables, "target") }};
        for (int at = places.at(0); at < places.at(places.size()); ++at)
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
            const bool went_on =
                new_synapse_{{ projection.name }}(net, source, target, now, {{ projection.stage_of.form_hooked }});
            if (!went_on) break;
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
//% if projection.target_removes
        if (target_population.removed[target]) continue;  // what it lost is owed still
//% endif
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
            if (source < 0 || !may_join_{{ projection.name }}(net, source, target)) continue;
            if (find_{{ projection.name }}(net, target << projection.row_shift, in_degree, source) >= 0) continue;
            if (!new_synapse_{{ projection.name }}(net, source, target, now, {{ projection.stage_of.replace }})) return;
            projection.target_owed[target] -= projection.in_degree[target] - in_degree;
        }
    }
}
//% endif

//% if rule.replaces_anywhere
// Where what went from anywhere may come back: candidate n of a round, for as many as are owed by all ranks together.
KERNEL draw_candidates_{{ projection.name }}(Network* net) {
    auto& projection = net->projection_{{ projection.name }};
    const auto& source_population = net->population_{{ projection.source }};
    const auto& target_population = net->population_{{ projection.target }};
    const uint32 n_sources = (uint32)(source_population.nx * source_population.ny);
    const uint32 n_targets = (uint32)(target_population.nx * target_population.ny);
    const uint32 stream = {{ projection.stream_attempts }}u | CANDIDATE_NUMBERS;
    const uint32 now = (uint32)net->control->step {{ "" if rule.trigger == "call" else "+ 1u" }};
    for (int n = thread_first(); n < projection.n_candidates; n += thread_stride()) {
        const uint32 number = projection.first_candidate + (uint32)n;
        const Random4 random = philox(number, now, stream, 0u, key_of(net->control));
        const int target = known_index(target_population, (int)(((uint64)random.x * n_targets) >> 32));
        const int source = known_index(source_population, (int)(((uint64)random.y * n_sources) >> 32));
        if (target < 0 || target >= target_population.n_own || source < 0) continue;
        projection.candidate_source[n] = source;
        projection.candidate_next[n] = atomic_exchange(&projection.candidate_first[target], n);
    }
}

// Threads list a target's candidates in any order; they form by number, so that it does not matter which finds no room.
DEVICE void sort_candidates_{{ projection.name }}(Network* net, const int target) {
    auto& projection = net->projection_{{ projection.name }};
    int* next = projection.candidate_next;
    int least = -1;
    for (int n = projection.candidate_first[target]; n >= 0;) {
        const int after = next[n];
        int* link = &least;
        while (*link >= 0 && *link < n) link = &next[*link];
        next[n] = *link;
        *link = n;
        n = after;
    }
    projection.candidate_first[target] = least;
}

// Of a round's candidates those form that are no synapses yet; all lists are empty afterwards.
KERNEL form_candidates_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int row = target << projection.row_shift;
        sort_candidates_{{ projection.name }}(net, target);
        for (int& n = projection.candidate_first[target]; n >= 0; n = projection.candidate_next[n]) {
            const int source = projection.candidate_source[n];
            if (!may_join_{{ projection.name }}(net, source, target)) continue;
            if (find_{{ projection.name }}(net, row, projection.in_degree[target], source) >= 0) continue;
            if (!new_synapse_{{ projection.name }}(net, source, target, now, {{ projection.stage_of.form_candidates }}))
                return;
        }
    }
}
//% endif

//% if rule.lists
KERNEL form_proposed_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int row = target << projection.row_shift;
        for (int& n = projection.proposed_done[target]; n < projection.proposed_start[target + 1]; ++n) {
            const int source = projection.proposed[n], in_degree = projection.in_degree[target];
            if (source < 0 || !may_join_{{ projection.name }}(net, source, target)) continue;
            if (find_{{ projection.name }}(net, row, in_degree, source) >= 0) continue;
            const bool went_on =
                new_synapse_{{ projection.name }}(net, source, target, now, {{ projection.stage_of.form_proposed }});
            if (!went_on) return;
        }
    }
}
//% endif

//% if rule.pairing or rule.turnover
// Synapses that the ranks have chosen to go: cut like proposals.
KERNEL retract_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride())
        for (int n = projection.proposed_start[target]; n < projection.proposed_start[target + 1]; ++n) {
            const int row = target << projection.row_shift, in_degree = projection.in_degree[target];
            const int place = find_{{ projection.name }}(net, row, in_degree, projection.proposed[n]);
            remove_{{ projection.name }}(net, target, place, 1);
        }
}
//% endif

//% if rule.turnover
{{ rule.functions["turnover.least"].head }} {
{{ value(rule, "turnover.least", rule.turnover.least) }}
}

// What synapses that are to go are chosen by, slot by slot.
KERNEL weaknesses_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int row = target << projection.row_shift, in_degree = projection.in_degree[target];
        {{- names.target_names() }}
        for (int at = row; at < row + in_degree; ++at) {
            const int source = projection.source[at];
            {{- names.source_names() }}
            {{- names.distance_name() }}
            const float least = {{ rule.functions["turnover.least"].call }};
            if (not_finite(least)) {
                halt(control, NOT_FINITE, 0, 0, 0);
                return;
            }
            projection.weakness[at] = least;
        }
    }
}
//% endif

//% if rule.pairing
//% for part in ("offers", "demands")
{{ rule.functions["pairing." ~ part].head }} {
{{ value(rule, "pairing." ~ part, rule.pairing[part]) }}
}

//% endfor
//% for part in ("after_source", "after_target")
{{ rule.functions["pairing." ~ part].head }} {
{{ paste(rule, "pairing." ~ part, rule.pairing[part]) }}
}

//% endfor
// What sources offer and targets demand as things stand.
KERNEL offers_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int source = thread_first(); source < source_population.n_own; source += thread_stride()) {
        const int id = source_population.known_id[source], out_degree = projection.out_degree[source];
        (void)id; (void)out_degree;
        projection.offers[source] = {{ rule.functions["pairing.offers"].call }};
    }
}

KERNEL demands_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int id = target_population.global_id[target], in_degree = projection.in_degree[target];
        (void)id; (void)in_degree;
        projection.demands[target] = {{ rule.functions["pairing.demands"].call }};
    }
}

// Targets with too many synapses lose some at random.
KERNEL drop_surplus_{{ projection.name }}(Network* net) {
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

// What is still vacant, for the rule to settle.
KERNEL settle_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int source = thread_first(); source < source_population.n_own; source += thread_stride()) {
        const int id = source_population.known_id[source], out_degree = projection.out_degree[source];
        const int vacant = projection.offers[source];
        (void)id; (void)out_degree; (void)vacant;
        {{ rule.functions["pairing.after_source"].call }};
        if ({{ any_not_finite("projection.source_", rule.source_variables, "source") }}) {
            halt(control, NOT_FINITE, 0, 0, 0);
            return;
        }
    }
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int id = target_population.global_id[target], in_degree = projection.in_degree[target];
        const int vacant = projection.demands[target];
        (void)id; (void)in_degree; (void)vacant;
        {{ rule.functions["pairing.after_target"].call }};
        if ({{ any_not_finite("projection.target_", rule.target_variables, "target") }}) {
            halt(control, NOT_FINITE, 0, 0, 0);
            return;
        }
    }
}

// Synapses of each source that this rank has, for the owners to add up. Expects zeros.
KERNEL count_out_degree_{{ projection.name }}(Network* net) {
    auto& projection = net->projection_{{ projection.name }};
    const int n_targets = net->population_{{ projection.target }}.n_own;
    for (int target = thread_first(); target < n_targets; target += thread_stride())
        for (int k = 0; k < projection.in_degree[target]; ++k)
            atomic_add(&projection.local_out_degree[projection.source[(target << projection.row_shift) + k]], 1);
}
//% endif

//% for name, text in rule.sums.items()
{{ rule.functions["sums." ~ name].head }} {
{{ value(rule, "sums." ~ name, text) }}
}

KERNEL sum_{{ loop.index0 }}_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int in_degree = projection.in_degree[target];
        (void)in_degree;
        {{- names.target_names() }}
        atomic_add(projection.partial_{{ name }}, {{ rule.functions["sums." ~ name].call }});
    }
}
//% endfor

//% if projection.meeting_places
// A place where the host of each rank has something to do with those of the others; the schedule goes on behind it.
//% for place in projection.meeting_places
KERNEL {{ place }}_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
//% if place == "meet" and rule.only_pairs and rule.trigger != "call"
    if (now / projection.rewiring_every_steps % constant_{{ rule.pairing.every }}) return;
//% endif
    if (thread_first() != 0) return;
    meet(control, {{ projection.stage_of[place] }}, {{ projection.index }}, {{ place | upper }});
}
//% endfor
//% endif

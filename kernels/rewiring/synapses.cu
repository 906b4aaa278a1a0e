// What an update does to each neuron and each synapse, before anything is drawn.
{%- set rule = projection.rewiring %}
{% import "rewiring/names.cu" as names with context %}

//% if rule.update_source
{{ names.neuron_struct("SourceState", projection.source_state) }}

{{ rule.functions.update_source.head }} {
{{ paste(rule, "update_source") }}
}

KERNEL sources_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int source = thread_first(); source < source_population.n_own; source += thread_stride()) {
        const int id = source_population.known_id[source];
        auto random = sequence_of(id, now, {{ projection.stream_attempts }}u | SOURCE_NUMBERS, key_of(control));
        (void)id; (void)random;
        {{- names.neuron("pre", "SourceState", "source", [("source_population.state_", projection.source_state)]) }}
//% if rule.pairing
        const int out_degree = projection.out_degree[source];
        (void)out_degree;
//% endif
        {{ rule.functions.update_source.call }};
        if ({{ any_not_finite("projection.source_", rule.source_variables, "source") }}) {
            halt(control, NOT_FINITE, 0, 0, 0);
            return;
        }
    }
}
//% endif

//% if rule.update_target
{{ names.neuron_struct("TargetState", projection.target_state) }}

{{ rule.functions.update_target.head }} {
{{ paste(rule, "update_target") }}
}

KERNEL targets_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int id = target_population.global_id[target], in_degree = projection.in_degree[target];
        auto random = sequence_of(id, now, {{ projection.stream_attempts }}u | TARGET_NUMBERS, key_of(control));
        (void)id; (void)in_degree; (void)random;
        {{- names.neuron("post", "TargetState", "target", [("target_population.state_", projection.target_state)]) }}
        {{ rule.functions.update_target.call }};
        if ({{ any_not_finite("projection.target_", rule.target_variables, "target") }}) {
            halt(control, NOT_FINITE, 0, 0, 0);
            return;
        }
    }
}
//% endif

//% if rule.update
{{ rule.functions["update"].head }} {
{{ paste(rule, "update") }}
}

{{ rule.functions["update_if"].head }} {
{{ value(rule, "update_if") }}
}

//% endif
//% if rule.visits_synapses
// A synapse with what snippets see of it; `random` are its numbers of this update.
{%- macro synapse_names() %}
                const int at = row + place, source = projection.source[at];
                {{- names.source_names() }}
                {{- names.distance_name() }}
                auto random = sequence_of_pair(post_id, pre_id, now,
                                               {{ projection.stream_attempts }}u | SYNAPSE_NUMBERS, key_of(control));
                (void)random;
{%- endmacro %}
// From the last synapse of a row to the first: where one goes, the last one, which has been seen, takes its place.
KERNEL visit_synapses_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int row = target << projection.row_shift;
        const int in_degree = projection.in_degree[target];
        (void)in_degree;
        {{- names.target_names() }}
        for (int group = (in_degree - 1) / GROUP * GROUP; group >= 0; group -= GROUP) {
            const int end = group + GROUP < in_degree ? group + GROUP : in_degree;
//% if rule.passes_over
            int happens[GROUP], any = 0;  // mostly nothing does
            INDEPENDENT_ITERATIONS
            for (int place = group; place < end; ++place) {
                {{- synapse_names() }}
                int something = 0;
//% if rule.update
                something |= {{ rule.functions["update_if"].call }};
//% endif
//% if rule.select.every_synapse
                something |= {{ rule.functions["eliminate"].call }}.threshold != 0;
//% endif
                happens[place - group] = something;
                any |= something;
            }
            if (!any) continue;
//% endif
            for (int place = end - 1; place >= group; --place) {
//% if rule.passes_over
                if (!happens[place - group]) continue;
//% endif
                {{- synapse_names() }}
//% if rule.update
                if ({{ rule.functions["update_if"].call }}) {
                    {{ rule.functions["update"].call }};
                    if ({{ any_not_finite("projection.synapse_", projection.variables, "at") }}) {
                        halt(control, NOT_FINITE, 0, 0, 0);
                        return;
                    }
                }
//% endif
//% if rule.select.every_synapse
                bool goes = false;
                int why = 0;
//% if rule.decides_by_random
                const uint32 number = random();
                {{ names.decided("number") }}
//% else
                {{ names.decided("random()") }}
//% endif
                if (goes) remove_{{ projection.name }}(net, target, place, why);
//% endif
            }
        }
    }
}
//% endif

// What an update does to each neuron and each synapse, before anything is drawn.
{%- set rule = projection.rewiring %}
{% import "rewiring/names.cu" as names with context %}

//% if rule.update_source
KERNEL sources_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int source = thread_first(); source < source_population.n_own; source += thread_stride()) {
        const int id = source_population.known_id[source];
        RandomSequence random = {(uint32)id, (uint32)now, {{ projection.stream_attempts }}u | SOURCE_NUMBERS, control->seed0, control->seed1, 0u, {0u, 0u, 0u, 0u}};
        (void)id; (void)random;
        const struct { {% for variable in projection.source_state %}{{ variable.ctype }} {{ variable.name }}; {% endfor %} } pre = { {%- for variable in projection.source_state %}source_population.state_{{ variable.name }}[source], {% endfor -%} };
        (void)pre;
        {{- names.pre_trace_names() }}
        {{- names.rule_variables("source") }}
//% if rule.pairing
        const int out_degree = projection.out_degree[source];
        (void)out_degree;
//% endif
        {
{{ paste(rule, "update_source") }}
        }
//% for variable in rule.source_variables
        projection.source_{{ variable.name }}[source] = {{ variable.name }};
//% endfor
    }
}
//% endif

//% if rule.update_target
KERNEL targets_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int id = target_population.global_id[target], in_degree = projection.in_degree[target];
        RandomSequence random = {(uint32)id, (uint32)now, {{ projection.stream_attempts }}u | TARGET_NUMBERS, control->seed0, control->seed1, 0u, {0u, 0u, 0u, 0u}};
        (void)id; (void)in_degree; (void)random;
        const struct { {% for variable in projection.target_state %}{{ variable.ctype }} {{ variable.name }}; {% endfor %} } post = { {%- for variable in projection.target_state %}target_population.state_{{ variable.name }}[target], {% endfor -%} };
        (void)post;
        {{- names.post_trace_names() }}
        {{- names.rule_variables("target") }}
        {
{{ paste(rule, "update_target") }}
        }
//% for variable in rule.target_variables
        projection.target_{{ variable.name }}[target] = {{ variable.name }};
//% endfor
    }
}
//% endif

//% if rule.visits_synapses
// From the last synapse of a row to the first: where one goes, the last one, which has been seen, takes its place.
KERNEL visit_synapses_{{ projection.name }}(Network* net) {
    {{- names.update_begins() }}
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int row = target << projection.row_shift;
        const int in_degree = projection.in_degree[target];
        (void)in_degree;
        {{- names.target_names() }}
        for (int place = in_degree - 1; place >= 0; --place) {
            const int at = row + place, source = projection.source[at];
            {{- names.source_names() }}
            {{- names.distance_name() }}
            PairSequence random = {(uint32)post_id, (uint32)now, {{ projection.stream_attempts }}u | SYNAPSE_NUMBERS, (uint32)pre_id, control->seed0, control->seed1, 0u, {0u, 0u, 0u, 0u}};
            (void)random;
            {{- names.synapse_names("") }}
//% if rule.update
            {
{{ paste(rule, "update") }}
            }
//% for variable in projection.variables
            projection.synapse_{{ variable.name }}[at] = {{ variable.name }};
//% endfor
//% endif
//% if rule.select.every_synapse
            const uint32 number = random();
            bool goes = false;
            int why = 0;
            {
                {{- names.synapse_names("const ") }}
                goes = chance(number, {{ value(rule, "eliminate", "Probability") }});
                if (goes) why = {{ value(rule, "reason", "int") }};
            }
            if (goes) remove_{{ projection.name }}(net, target, place, why);
//% endif
        }
    }
}
//% endif

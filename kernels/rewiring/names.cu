{#- What a rule's snippets see, by name. Used by the kernels of an update; what a snippet does not use costs nothing. #}

{%- macro update_begins() %}
    Control* control = net->control;
    auto& projection = net->projections.{{ projection.name }};
//% if rule.trigger == "call"
    const int now = control->step;  // between two steps
    if (control->halt) return;
//% else
    const int now = control->step + 1;
    if (control->halt || now % projection.rewiring_every_steps) return;
//% endif
    const auto& source_population = net->populations.{{ projection.source }};
    const auto& target_population = net->populations.{{ projection.target }};
    (void)source_population; (void)target_population;
    {{- constants() }}
{%- endmacro %}

{#- What is the same for a whole update. #}
{%- macro constants() %}
    const float dt_ms = net->dt_ms;
    const int step = now, n_sources = source_population.nx * source_population.ny;
    const int n_targets = target_population.nx * target_population.ny;
    (void)dt_ms; (void)step; (void)n_sources; (void)n_targets;
{{ bind_parameters("projection", rule, "rewiring_") }}
{%- for name in rule.sums %}
    const int64 {{ name }} = projection.sum_{{ name }}[0];
    (void){{ name }};
{%- endfor %}
{%- endmacro %}

{#- Traces of a source as this rank has heard it, and of a target, at the end of the step. #}
{%- macro pre_trace_names() %}
//% for trace in projection.pre_traces
            const float {{ trace.name }} =
                decayed(projection.pre_{{ trace.name }}[source], now - 1, projection.decay_{{ trace.name }});
            (void){{ trace.name }};
//% endfor
{%- endmacro %}
{%- macro post_trace_names() %}
//% for trace in projection.post_traces
            const float {{ trace.name }} =
                decayed(projection.post_{{ trace.name }}[target], now - 1, projection.decay_{{ trace.name }});
            (void){{ trace.name }};
//% endfor
{%- endmacro %}

{#- The rule's own variables of a source or target: copies, constant ones, or (`&`) the variables themselves. #}
{%- macro rule_variables(side, const="", reference="") %}
//% for variable in (rule.source_variables if side == "source" else rule.target_variables)
        {{ const }}{{ variable.ctype }}{{ reference }} {{ variable.name }} =
            projection.{{ side }}_{{ variable.name }}[{{ side }}];
        (void){{ variable.name }};
//% endfor
{%- endmacro %}

{#- Copies of a neuron's variables as members of one struct; `groups`: how their arrays' names begin, and which. #}
{%- macro neuron_struct(name, index, groups) %}
        const struct {
//% for array, variables in groups
//% for variable in variables
            {{ variable.ctype }} {{ variable.name }};
//% endfor
//% endfor
        } {{ name }} = {
//% for array, variables in groups
//% for variable in variables
            {{ array }}{{ variable.name }}[{{ index }}],
//% endfor
//% endfor
        };
        (void){{ name }};
{%- endmacro %}

{#- A target: its number in the population, its variables and the rule's, its traces. #}
{%- macro target_names() %}
            const int post_id = target_population.global_id[target];
            (void)post_id;
            {{- neuron_struct("post", "target", [
                ("target_population.state_", projection.target_state),
                ("projection.target_", rule.target_variables),
            ]) }}
            {{- post_trace_names() }}
{%- endmacro %}

{#- A source that this rank knows. #}
{%- macro source_names() %}
            const int pre_id = source_population.known_id[source];
            (void)pre_id;
//% if rule.shares
            {{- neuron_struct("pre", "source", [("projection.shared_", projection.shared)]) }}
//% endif
            {{- pre_trace_names() }}
            auto pair_random = [&](const uint32 draw) {
                const uint32 stream = {{ projection.stream_attempts }}u | PAIR_NUMBERS;
                return philox(post_id, draw, stream, pre_id, key_of(control)).x;
            };
            (void)pair_random;
{%- endmacro %}

{#- The distance between the ends of a pair, where a snippet asks for it. #}
{%- macro distance_name() %}
//% if rule.uses_distance
            const int distance_squared = squared_distance(pre_id, post_id, target_population.nx, target_population.ny);
//% endif
{%- endmacro %}

{#- The variables of the synapse in slot `at`. #}
{%- macro synapse_names(const) %}
//% for variable in projection.variables
            {{ const }}{{ variable.ctype }} {{ variable.name }} = projection.synapse_{{ variable.name }}[at];
            (void){{ variable.name }};
//% endfor
{%- endmacro %}

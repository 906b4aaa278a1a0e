{#- What the kernels of an update have at hand under the names by which they pass it to the functions of snippets.
    Variables, traces and sums are no names of theirs: hpcsnn/codegen/snippet_functions.py says where each one is. #}

{%- macro update_begins() %}
    Control* control = net->control;
    auto& projection = net->projection_{{ projection.name }};
//% if rule.trigger == "call"
    const int now = control->step;  // between two steps
    if (control->halt) return;
//% else
    const int now = control->step + 1;
    if (control->halt || now % projection.rewiring_every_steps) return;
//% endif
    const auto& source_population = net->population_{{ projection.source }};
    const auto& target_population = net->population_{{ projection.target }};
    (void)source_population; (void)target_population;
    {{- constants() }}
{%- endmacro %}

{#- What is the same for a whole update. #}
{%- macro constants() %}
    const float dt_ms = net->dt_ms;
    const int n_sources = source_population.nx * source_population.ny;
    const int n_targets = target_population.nx * target_population.ny;
    (void)dt_ms; (void)n_sources; (void)n_targets;
{{ bound_constants("projection", rule, "of_rule_") }}
{%- for name in rule.sums %}
    const int64 sum_{{ name }} = projection.sum_{{ name }}[0];
    (void)sum_{{ name }};
{%- endfor %}
{%- endmacro %}

{#- A struct of copies of a neuron's variables, as `post` and `pre` are. #}
{%- macro neuron_struct(name, variables) %}
struct {{ name }}_{{ projection.name }} {
//% for variable in variables
    {{ variable.ctype }} {{ variable.name }};
//% endfor
};
{%- endmacro %}

{#- One of it; `groups`: how the arrays' names begin, and which variables they hold. #}
{%- macro neuron(variable, name, index, groups) %}
        const {{ name }}_{{ projection.name }} {{ variable }} = {
//% for array, variables in groups
//% for variable in variables
            {{ array }}{{ variable.name }}[{{ index }}],
//% endfor
//% endfor
        };
        (void){{ variable }};
{%- endmacro %}

{#- A target: its number in the population, its variables and the rule's. #}
{%- macro target_names() %}
            const int post_id = target_population.global_id[target];
            (void)post_id;
            {{- neuron("post", "Post", "target", [
                ("target_population.state_", projection.target_state),
                ("projection.target_", rule.target_variables),
            ]) }}
{%- endmacro %}

{#- A source that this rank knows. #}
{%- macro source_names() %}
            const int pre_id = source_population.known_id[source];
//% if rule.shares
            {{- neuron("pre", "Pre", "source", [("projection.shared_", projection.shared)]) }}
//% endif
            const PairNumbers pair_random = {(uint32)post_id, (uint32)pre_id,
                                             {{ projection.stream_attempts }}u | PAIR_NUMBERS, key_of(control)};
            (void)pair_random;
{%- endmacro %}

{#- The squared distance between the ends of a pair. #}
{%- macro distance_of_pair() %}
{%- if projection.dimensions -%}
(int)free_distance_squared(projection, {{ projection.dimensions }}, pre_id, target)
{%- elif projection.lattice -%}
lattice_distance_of_ids(projection, pre_id, post_id, source_population.nx, target_population.nx)
{%- else -%}
squared_distance(pre_id, post_id, target_population.nx, target_population.period_x, target_population.period_y)
{%- endif %}
{%- endmacro %}

{#- The distance between the ends of a pair, where a snippet asks for it. #}
{%- macro distance_name() %}
//% if rule.uses_distance
            const int distance_squared = {{ distance_of_pair() }};
//% endif
{%- endmacro %}

{#- A chance that the rule gives, which must be one; `slot` by number for the message. #}
{%- macro asked(slot, number) %}
const Probability p_{{ slot }} = {{ rule.functions[slot].call }};
                if (!p_{{ slot }}.is_one()) {
                    if (halt(control, NO_CHANCE, {{ number }}, {{ projection.index }}, post_id)) {
                        control->place = pre_id;
                        control->amount_bits = bits_of(p_{{ slot }}.value());
                    }
                    return;
                }
{%- endmacro %}

{#- Whether a synapse goes, and why. #}
{%- macro decided(number) %}
{{ asked("eliminate", 0) }}
                goes = p_eliminate.is_certain() ? p_eliminate.threshold != 0 : chance({{ number }}, p_eliminate);
                if (goes) why = {{ rule.functions.reason.call }};
{%- endmacro %}

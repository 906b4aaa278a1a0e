// What a step of a hidden neuron is to training, behind the model's own update: how near to its threshold it is,
// and what the rule makes of the step. Where the functions of kernels/step/neurons.cu are.
{%- macro functions(learns) %}
{{ learns.functions["shape"].head }} {
{{ value(learns.rule, "shape") }}
}

//% for slot in ("update", "on_spike") if learns.rule[slot].strip()
{{ learns.functions[slot].head }} {
{{ paste(learns.rule, slot) }}
}

//% endfor
//% for slot, text in learns.rule.recorded.items()
{{ learns.functions["recorded." ~ slot].head }} {
{{ value(learns.rule, "recorded." ~ slot, text) }}
}

//% endfor
{%- endmacro %}
{%- macro before_update(learns, model) %}
//% for variable, name in learns.of_gradient.items()
    {{ variable }} =
{{ paste(model, "gradient.recorded." ~ name, learns.gradient.recorded[name]) }}
    ;
//% endfor
{%- endmacro %}
{%- macro behind_update(learns, model) %}
    const float hpcsnn_distance =
{{ paste(model, "gradient.distance", learns.gradient.distance) }}
    ;
    const bool hpcsnn_blocked =
{{ paste(model, "gradient.blocked", learns.gradient.blocked) }}
    ;
    const float hpcsnn_away = hpcsnn_distance < 0.0f ? -hpcsnn_distance : hpcsnn_distance;
    pseudo_derivative = hpcsnn_blocked ? 0.0f : surrogate_height * {{ learns.functions["shape"].call }};
//% if learns.rule.update.strip()
    {{ learns.functions["update"].call }};
//% endif
//% for variable, slot in learns.recorded.items()
    {{ variable }} = {{ learns.functions[slot].call }};
//% endfor
{%- endmacro %}

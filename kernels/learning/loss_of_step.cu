// What the loss makes of the outputs of a step: it sets errors, which are 0 in steps that do not count, and returns the
// step's loss `onto` something.
{%- macro asked(loss, onto) %}
//% if loss.of_targets
        const float* target = learning.target + ((int64)sample * n_steps + step) * n_outputs;
//% else
        const float* target = nullptr;
//% endif
        (void)target;
        if (step < learning.first_scored[sample]) {
            for (int k = 0; k < n_outputs; ++k) error[k] = 0.0f;
        } else {
            {{ onto }} {{ loss.functions["step"].call }};
        }
{%- endmacro %}

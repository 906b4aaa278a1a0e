// A sample's gradients, back in time within each neuron and nothing across neurons (e-prop): what one more unit of
// input in a step would change of the loss. Generated from the neuron's declaration, which
// hpcsnn/models/learning/gradients.py explains.
{%- set name = population.name %}
{%- set windowed = population.windowed %}
{%- set rule = population.rule %}
{%- set custom = rule and not rule.is_linear %}
{%- set at_a_time = "learning.window_steps" if windowed else "n_steps" %}
{%- set recorded = "recorded_steps" if windowed else "n_steps" %}
{%- set step_behind = "step + 1 < n_steps || !ends_sample" if windowed else "step + 1 < n_steps" %}
{%- set n_spikes = "n_spikes_of_sample" if windowed else "n_spikes" %}
{%- set whole = "sample_steps" if windowed else "n_steps" %}
{{ population.back.head }} {
{{ population.back.body }}
}

//% for receptor in population.filters
{{ receptor.back.head }} {
{{ receptor.back.body }}
}

//% endfor
//% if custom
{{ rule.functions["signal"].head }} {
{{ paste(rule, "signal") }}
}

//% if rule.backward.strip()
{{ rule.functions["backward"].head }} {
{{ paste(rule, "backward") }}
}

//% endif
//% endif
SELDOM_KERNEL backward_{{ name }}(Network* net) {
    const Control& control = *net->control;
//% if windowed
    if (control.halt) return;
//% else
    if (control.halt || !net->learning.learns || (control.step + 1) % net->learning.sample_steps) return;
//% endif
    auto& population = net->population_{{ name }};
    auto& learning = net->learning;
    auto& learner = learning.population_{{ name }};
//% if windowed
    // Back through the steps of a window, of which this is the last one, from what the window behind it has left.
    const int now = playing(*net).step, begins = now - now % learning.window_steps, n_steps = now + 1 - begins;
    const int sample_steps = learning.sample_steps;
//% if not population.is_readout
    const int recorded_steps = learning.window_steps + 1;
//% endif
    const bool ends_sample = now + 1 == sample_steps;
    const int n_neurons = population.n_own, stride = learning.outputs_stride;
//% else
    const int n_neurons = population.n_own, n_steps = learning.sample_steps, stride = learning.outputs_stride;
//% if custom
    const int sample_steps = n_steps;
//% endif
//% endif
    const bool mlgenn = {{ "learning.rule_pairing == 1" if population.pairs else "false" }};
    (void)mlgenn;
{{ bound_constants("population", population.model, "model_") }}
//% if custom
{{ bound_constants("learning", rule, "rule_", rule.local) }}
    const float dt_ms = net->dt_ms;
    (void)dt_ms;
//% endif
//% for receptor in population.filters
{{ bound_constants("net->projection_" ~ receptor.projection, receptor.model, "of_receptor_", receptor.local) }}
//% endfor
    const int n_ahead = {{ at_a_time }} + learning.ahead, n_groups = (n_neurons + TOGETHER - 1) / TOGETHER;
    const int n_items = n_groups * playing(*net).n_replicas;
    for (int item = thread_first(); item < n_items; item += thread_stride()) {
        const int replica = replica_of(item, n_groups), first = (item - replica * n_groups) * TOGETHER;
        const int64 values_ahead = replica * values_of(n_neurons, n_ahead) + first_value(first, n_ahead);
        const int64 errors_ahead = (int64)replica * (1 + n_ahead) * stride;
        int* back = learner.back + values_ahead;
//% for receptor in population.filters
//% if receptor.trained
        int* {{ receptor.local }}back = learning.projection_{{ receptor.projection }}.back + values_ahead;
//% endif
//% if receptor.heard_by
        float* {{ receptor.local }}filtered =
            learning.population_{{ receptor.heard_by }}.filtered_error + errors_ahead + stride + first;
//% endif
//% for variable in receptor.adjoints
        float {{ receptor.local }}p_{{ variable }}[TOGETHER] = {};
//% endfor
//% endfor
//% if population.is_readout
        float* filtered = learning.filtered_error + errors_ahead + stride + first;
        // mlGeNN's outputs learn from the error of the step before; before the first step there is none.
        const float* errors = learning.error + ((int64)replica * (1 + {{ whole }}) + (mlgenn ? 0 : 1)) * stride + first;
//% if windowed
        errors += (int64)begins * stride;
//% endif
//% for trained in population.trained
        int64 sum_{{ trained.name }}[TOGETHER] = {};
//% endfor
//% else
        const int64 values = replica * values_of(n_neurons, {{ recorded }}) + first_value(first, {{ recorded }});
        const float* psi_of = learner.psi + values;
        const float* filtered = {{ "learner" if population.own_errors else "learning" }}.filtered_error + errors_ahead +
                                (int64)(1 + learner.feedback_shift) * stride;
        const int n_outputs = learning.n_outputs;
        const float* feedback = learner.feedback + (int64)(first / SIDE_BY_SIDE) * n_outputs * SIDE_BY_SIDE +
                                first % SIDE_BY_SIDE;
//% if population.hears_late
        const int* feedback_steps = learner.feedback_steps + (feedback - learner.feedback);
//% endif
//% if population.records_rate
        const float* rate_of = learner.rate + values;
//% endif
//% for name in population.recorded + rule.kept
        const float* {{ name }}_of = learner.{{ name }} + values;
//% endfor
//% if custom
//% if rule.wants.error
        const float* error_of_steps =
            learning.error + ((int64)replica * (1 + sample_steps) + 1{{ " + begins" if windowed }}) * stride;
//% endif
//% if rule.wants.local_error
        const float* local_error_of_steps = learner.local_error + (int64)replica * sample_steps * stride;
//% endif
//% if rule.wants.label_weight
        const float* of_label = feedback + learning.label[playing(*net).first_sample + replica] * SIDE_BY_SIDE;
//% endif
//% if rule.wants.teacher_rate
        const float* teacher_of = learner.teacher + (int64)(playing(*net).first_sample + replica) * n_neurons + first;
        float teacher_rate_of[TOGETHER] = {};
        for (int k = 0; k < TOGETHER && first + k < n_neurons; ++k) teacher_rate_of[k] = teacher_of[k];
//% endif
//% if rule.wants.rate
        float rate_of_sample[TOGETHER] = {};
        for (int k = 0; k < TOGETHER && first + k < n_neurons; ++k)
            rate_of_sample[k] =
                (float)learner.{{ n_spikes }}[replica * n_neurons + first + k] / (float){{ whole }};
//% endif
//% if rule.wants.spiked
        // The last spike that is not behind the step.
        int last_spike[TOGETHER] = {};
        for (int k = 0; k < TOGETHER; ++k)
            last_spike[k] = first + k < n_neurons ? learner.n_spikes[replica * n_neurons + first + k] - 1 : -1;
//% endif
//% for filter in rule.filters
        float filter_{{ filter }}[TOGETHER] = {};
//% endfor
//% endif
        float pull[TOGETHER] = {};
        if (!mlgenn && learner.rate_pull > 0.0f) {
            const int n = n_neurons - first < TOGETHER ? n_neurons - first : TOGETHER;
            for (int k = 0; k < n; ++k) {
                const float rate = (float)learner.{{ n_spikes }}[replica * n_neurons + first + k] / (float){{ whole }};
                pull[k] = learner.rate_pull * (rate - learner.rate_target) / (float){{ whole }};
            }
        }
//% endif
//% for variable in population.adjoints
        float p_{{ variable }}[TOGETHER] = {};
//% endfor
//% if population.is_readout
//% for variable in population.adjoints
        float heard_{{ variable }}[TOGETHER] = {};
//% endfor
//% endif
//% if windowed
        const int64 adjoints = replica * values_of(n_neurons, 1) + first;
        if (!ends_sample) {
            for (int k = 0; k < TOGETHER; ++k) {
//% for filter in (rule.filters if rule else [])
                filter_{{ filter }}[k] = learner.filter_{{ filter }}[adjoints + k];
//% endfor
//% for variable in population.adjoints
                p_{{ variable }}[k] = learner.adjoint_{{ variable }}[adjoints + k];
//% if population.is_readout
                heard_{{ variable }}[k] = learner.heard_{{ variable }}[adjoints + k];
//% endif
//% endfor
//% for receptor in population.filters
//% for variable in receptor.adjoints
                {{ receptor.local }}p_{{ variable }}[k] =
                    learner.adjoint_{{ receptor.number }}_{{ variable }}[adjoints + k];
//% endfor
//% endfor
            }
        }
        // Spikes at its end arrive in the first steps behind it, and hear of errors there.
        for (int step = learning.carried_steps - 1; step >= 0; --step)
            for (int k = 0; k < TOGETHER; ++k) {
                const int64 from = (int64)step * SIDE_BY_SIDE + k, to = from + (int64)n_steps * SIDE_BY_SIDE;
                back[to] = ends_sample ? 0 : back[from];
//% if population.is_readout
                const int64 heard = (int64)step * stride + k, hears = heard + (int64)n_steps * stride;
                filtered[hears] = ends_sample ? 0.0f : filtered[heard];
//% endif
//% for receptor in population.filters
//% if receptor.trained
                {{ receptor.local }}back[to] = ends_sample ? 0 : {{ receptor.local }}back[from];
//% endif
//% if receptor.heard_by
                {{ receptor.local }}filtered[hears] = ends_sample ? 0.0f : {{ receptor.local }}filtered[heard];
//% endif
//% endfor
            }
//% endif
        int wrong[TOGETHER] = {};
        for (int step = n_steps - 1; step >= 0; --step) {
            float signal[TOGETHER];
//% if population.is_readout
            for (int k = 0; k < TOGETHER; ++k) signal[k] = errors[(int64)step * stride + k];
//% else
//% if custom
            // The rule's signal takes the place of what is heard; the pull is beside it.
            Together errors = {};
//% else
            // In so many words, since compilers would vectorise the loop over outputs, and transpose what is in it.
            Together errors = together(pull);
//% endif
            const float* heard = filtered + (int64)step * stride;
//% if population.hears_late
            put_together(signal, errors);
            for (int output = 0; output < n_outputs; ++output)
                for (int k = 0; k < TOGETHER; ++k)
                    signal[k] += feedback[output * SIDE_BY_SIDE + k] *
                                 heard[(int64)feedback_steps[output * SIDE_BY_SIDE + k] * stride + output];
//% else
            for (int output = 0; output < n_outputs; ++output)
                errors += together(feedback + output * SIDE_BY_SIDE) * heard[output];
            put_together(signal, errors);
//% endif
//% if custom
//% for name in rule.errors
            const float* {{ name }}_now = {{ name }}_of_steps + (int64)step * stride;
            Together {{ name }}_by_weights = {};
            for (int output = 0; output < n_outputs; ++output)
                {{ name }}_by_weights += together(feedback + output * SIDE_BY_SIDE) * {{ name }}_now[output];
            float {{ name }}_of[TOGETHER];
            put_together({{ name }}_of, {{ name }}_by_weights);
//% endfor
            const int sample_step = {{ "begins + step" if windowed else "step" }};
//% if rule.wants.heard
            float heard_of[TOGETHER];
            for (int k = 0; k < TOGETHER; ++k) heard_of[k] = signal[k];
//% endif
//% if rule.wants.spiked
            float spiked_of[TOGETHER];
            for (int k = 0; k < TOGETHER; ++k) {
                const int neuron = first + k < n_neurons ? first + k : n_neurons - 1;
                const int* spikes = learner.spike_steps + (int64)(replica * n_neurons + neuron) * {{ at_a_time }};
                while (last_spike[k] >= 0 && spikes[last_spike[k]] > step) --last_spike[k];
                spiked_of[k] = last_spike[k] >= 0 && spikes[last_spike[k]] == step ? 1.0f : 0.0f;
            }
//% endif
            for (int k = 0; k < TOGETHER; ++k) {
                const int64 at = (int64)step * SIDE_BY_SIDE + k;
                const float psi = psi_of[at];
                signal[k] = {{ rule.functions["signal"].call }} + pull[k];
            }
//% endif
//% if population.records_rate
            for (int k = 0; k < TOGETHER; ++k)
                signal[k] += learner.rate_pull * (rate_of[(int64)step * SIDE_BY_SIDE + k] - learner.rate_target);
//% endif
//% endif
            for (int k = 0; k < TOGETHER; ++k) {
//% if population.model.arrays
                const int neuron = first + k < n_neurons ? first + k : n_neurons - 1;
//% endif
//% if population.recorded or custom
                const int64 at = (int64)step * SIDE_BY_SIDE + k;
//% endif
//% if custom
                (void)at;
//% endif
//% if population.recorded
                // Behind the last step nothing is carried.
                const int64 later = {{ step_behind }} ? at + SIDE_BY_SIDE : at;
//% endif
//% if population.is_readout
                const float psi = 1.0f;
//% else
                const float psi = psi_of[(int64)step * SIDE_BY_SIDE + k];
//% endif
//% if custom and rule.backward.strip()
                const float input_gradient = {{ population.back.call }};
                const float gradient = {{ rule.functions["backward"].call }};
//% else
                const float gradient = {{ population.back.call }};
//% endif
                const float scaled = gradient * GRADIENT_SCALE;
                const bool held = scaled <= LARGEST_GRADIENT && scaled >= -LARGEST_GRADIENT;
                wrong[k] |= held ? 0 : 1;
                back[(int64)step * SIDE_BY_SIDE + k] = (int)whole_amount(held ? gradient : 0.0f, GRADIENT_SCALE);
//% for receptor in population.filters
                {   // What an amount that arrives would change, by way of {{ receptor.projection }}'s receptor.
                    const float arriving = {{ receptor.back.call }};
//% if receptor.trained
                    const float scaled = arriving * GRADIENT_SCALE;
                    const bool held = scaled <= LARGEST_GRADIENT && scaled >= -LARGEST_GRADIENT;
                    wrong[k] |= held ? 0 : 1;
                    {{ receptor.local }}back[(int64)step * SIDE_BY_SIDE + k] =
                        (int)whole_amount(held ? arriving : 0.0f, GRADIENT_SCALE);
//% endif
//% if receptor.heard_by
                    {{ receptor.local }}filtered[(int64)step * stride + k] = arriving;
//% endif
                }
//% endfor
//% if population.is_readout
                filtered[(int64)step * stride + k] = gradient;
                if (mlgenn) {
                    // Hidden neurons hear of an error one step after outputs do: of the last one, behind the end.
//% for variable in population.adjoints
                    float(&p_{{ variable }})[TOGETHER] = heard_{{ variable }};
//% endfor
                    filtered[(int64)step * stride + k] = {{ step_behind }} ? {{ population.back.call }} : 0.0f;
                }
//% for trained in population.trained
                const float of_{{ trained.name }} = mlgenn ? signal[k] : p_{{ trained.onto }}[k];
                const bool held_{{ trained.name }} = of_{{ trained.name }} * GRADIENT_SCALE <= LARGEST_GRADIENT &&
                                                     of_{{ trained.name }} * GRADIENT_SCALE >= -LARGEST_GRADIENT;
                sum_{{ trained.name }}[k] +=
                    (int)whole_amount(held_{{ trained.name }} ? of_{{ trained.name }} : 0.0f, GRADIENT_SCALE);
//% endfor
//% endif
            }
        }
//% if windowed
        for (int k = 0; k < TOGETHER; ++k) {
//% for filter in (rule.filters if rule else [])
            learner.filter_{{ filter }}[adjoints + k] = filter_{{ filter }}[k];
//% endfor
//% for variable in population.adjoints
            learner.adjoint_{{ variable }}[adjoints + k] = p_{{ variable }}[k];
//% if population.is_readout
            learner.heard_{{ variable }}[adjoints + k] = heard_{{ variable }}[k];
//% endif
//% endfor
//% for receptor in population.filters
//% for variable in receptor.adjoints
            learner.adjoint_{{ receptor.number }}_{{ variable }}[adjoints + k] =
                {{ receptor.local }}p_{{ variable }}[k];
//% endfor
//% endfor
//% if population.recorded
            const int64 behind = values + (int64)learning.window_steps * SIDE_BY_SIDE + k;  // the window before
//% endif
//% for name in population.recorded
            learner.{{ name }}[behind] = {{ name }}_of[k];
//% endfor
        }
//% endif
        for (int k = 0; k < TOGETHER && first + k < n_neurons; ++k) {
            if (wrong[k]) halt(net->control, GRADIENT, 0, {{ population.index }}, population.global_id[first + k]);
//% for trained in population.trained
            atomic_add(&learner.gradient_{{ trained.name }}[first + k], sum_{{ trained.name }}[k]);
//% endfor
//% if population.is_readout
            // The step before the first has no error of its own, but those to come.
//% if windowed
            const float psi = 1.0f;
            float signal[TOGETHER] = {};
            if (begins > 0) signal[k] = errors[k - stride];
//% else
            const float psi = 1.0f, signal[TOGETHER] = {};
//% endif
//% if population.model.arrays
            const int neuron = first + k;
//% endif
//% for variable in population.adjoints
            float(&later_{{ variable }})[TOGETHER] = mlgenn ? heard_{{ variable }} : p_{{ variable }};
            float(&p_{{ variable }})[TOGETHER] = later_{{ variable }};
//% endfor
            filtered[k - stride] = {{ population.back.call }};
//% endif
        }
    }
}

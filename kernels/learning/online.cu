// Gradients as they come about, by e-prop's definition: of each synapse an eligibility, carried forward in every step.
// A step costs every synapse, whether anything arrives or not: it is what the backward recursion is measured by.
{%- macro each_constant(population, local) %}
{{ bound_constants("net->population_" ~ population.name, population.model, "model_", local) }}
{%- endmacro %}
//% for population in populations
{{ population.forward.head }} {
{{ population.forward.body }}
}

//% endfor
//% for receptor in receptors
{{ receptor.head }} {
{{ receptor.body }}
}

//% endfor
//% for projection in trained
{%- set name, target, readout = projection.name, projection.of_target, projection.of_readout %}
{%- set hidden = not target.is_readout %}
KERNEL online_{{ name }}(Network* net) {
    const Control& control = *net->control;
    if (control.halt || !net->learning.learns) return;
    const auto& learning = net->learning;
    const auto& projection = net->projection_{{ name }};
    auto& trained = net->learning.projection_{{ name }};
    const auto& senders = learning.population_{{ projection.source }};
    const auto& target_population = net->population_{{ target.name }};
    const int n_steps = learning.sample_steps, now = control.step % n_steps;
    const int n_sources = net->population_{{ projection.source }}.n_known, row_shift = projection.row_shift;
    const bool begins = now == 0, ends = now + 1 == n_steps;
    const bool mlgenn = {{ "learning.rule_pairing == 1" if readout.pairs else "false" }};
//% if hidden
    const auto& learner = learning.population_{{ target.name }};
    const int n_outputs = learning.n_outputs;
    // mlGeNN's hidden neurons hear of an error two steps late. What is exact is that their spikes are some steps on
    // their way to the readout: this step's errors are about eligibilities of that much earlier.
    const int late = mlgenn ? 2 : 0, heard_step = mlgenn ? now : now - learner.feedback_shift;
//% else
    const int late = mlgenn ? 1 : 0, heard_step = now;  // and its outputs, one step
//% endif
    // Before the first step there is no error.
    const float* errors = learning.error + (int64)(now < late ? 0 : 1 + now - late) * learning.outputs_stride;
    const float largest = LARGEST_GRADIENT * (float)n_steps;
{{ each_constant(target, "") }}
//% if hidden
{{ each_constant(readout, "output_") }}
//% endif
//% for receptor in projection.receptors
{{ bound_constants("net->projection_" ~ receptor.projection, receptor.model, "of_receptor_", receptor.local) }}
//% endfor
    for (int neuron = team_first(); neuron < target_population.n_own; neuron += team_stride()) {
        const int64 row = (int64)neuron << row_shift;
        const int in_degree = projection.in_degree[neuron];
        const int* source_of = projection.source + row;
//% if projection.delays
        const int* delay_of = projection.synapse_delay_steps + row;
//% endif
//% for kept in projection.kept
        float* {{ kept }} = trained.{{ kept }} + row;
//% endfor
        for (int at = lane(); begins && at < in_degree; at += LANES) {
//% for kept in projection.kept
            {{ kept }}[at] = 0.0f;
//% endfor
        }
//% if hidden
        const float* feedback = learner.feedback + (int64)(neuron / SIDE_BY_SIDE) * n_outputs * SIDE_BY_SIDE +
                                neuron % SIDE_BY_SIDE;
        float signal = 0.0f;
        for (int output = 0; output < n_outputs; ++output) signal += feedback[output * SIDE_BY_SIDE] * errors[output];
//% else
        const float signal = errors[neuron];
//% endif
        // In the last step, also those steps whose spikes the readout never hears of: they are part of the rate.
        for (int step = heard_step < 0 ? 0 : heard_step; step <= (ends ? n_steps - 1 : heard_step); ++step) {
            const float error = step == heard_step ? signal : 0.0f;
            const int* arrived = senders.spiked + (int64)(learning.ahead + step - trained.shift) * n_sources;
//% if hidden
            const float psi = learner.psi[first_value(neuron, n_steps) + (int64)step * SIDE_BY_SIDE];
//% if target.records_rate
            const float rate = learner.rate[first_value(neuron, n_steps) + (int64)step * SIDE_BY_SIDE];
            const float pull = learner.rate_pull * (rate - learner.rate_target);
//% endif
//% endif
            INDEPENDENT_ITERATIONS
            for (int at = lane(); at < in_degree; at += LANES) {
//% if projection.delays
                const float spikes = (float)arrived[source_of[at] - (int64)delay_of[at] * n_sources];
//% else
                const float spikes = (float)arrived[source_of[at]];
//% endif
                const float arriving = {{ projection.received }};
                const float eligibility = {{ projection.forward }};
//% if hidden
                const float sent = {{ projection.sent }};
                const float heard = {{ projection.heard }};
//% if target.records_rate
                sum[at] += error * heard + pull * eligibility;
//% else
                sum[at] += error * heard;
//% if holds_rates
                by_rate[at] += eligibility;
//% endif
//% endif
//% else
                sum[at] += error * eligibility;
//% endif
            }
        }
        if (!ends) continue;
//% if hidden and holds_rates
        const float rate = (float)learner.n_spikes[neuron] / (float)n_steps;
        const float pull = learner.rate_pull * (rate - learner.rate_target) / (float)n_steps;
//% endif
        int64* gradient = trained.gradient + trained.first_gradient[neuron];
        int wrong = 0;
        for (int at = lane(); at < in_degree; at += LANES) {
//% if hidden and holds_rates
            const float total = sum[at] + pull * by_rate[at];
//% else
            const float total = sum[at];
//% endif
            const float scaled = total * GRADIENT_SCALE;
            const bool held = scaled <= largest && scaled >= -largest;
            wrong |= held ? 0 : 1;
            gradient[at] += (int64)whole_amount(held ? total : 0.0f, GRADIENT_SCALE);
        }
        if (wrong) halt(net->control, GRADIENT, 0, {{ target.index }}, target_population.global_id[neuron]);
    }
}

//% endfor
//% if readout.trained
// What is added to a variable of each output in every step has an eligibility too.
KERNEL online_{{ readout.name }}(Network* net) {
    const Control& control = *net->control;
    if (control.halt || !net->learning.learns) return;
    const auto& population = net->population_{{ readout.name }};
    const auto& learning = net->learning;
    auto& learner = net->learning.population_{{ readout.name }};
    const int n_steps = learning.sample_steps, now = control.step % n_steps;
    const bool begins = now == 0, ends = now + 1 == n_steps;
    const bool mlgenn = {{ "learning.rule_pairing == 1" if readout.pairs else "false" }};
    const float* errors = learning.error + (int64)(mlgenn ? now : 1 + now) * learning.outputs_stride;
    const float largest = LARGEST_GRADIENT * (float)n_steps;
{{ each_constant(readout, "") }}
    for (int neuron = thread_first(); neuron < population.n_own; neuron += thread_stride()) {
//% for trained in readout.trained
{%- set number = loop.index0 %}
        {
            float* sum = learner.sum_{{ trained.name }} + neuron;
            if (begins) *sum = 0.0f;
//% for variable in readout.forward.variables
            float* carried_{{ variable }} = learner.carried_{{ number }}_{{ variable }} + neuron;
            if (begins) *carried_{{ variable }} = 0.0f;
//% endfor
            *carried_{{ trained.onto }} += 1.0f;
            const float eligibility = {{ trained.forward }};
            *sum += mlgenn ? errors[neuron] : errors[neuron] * eligibility;
            const float scaled = *sum * GRADIENT_SCALE;
            const bool held = scaled <= largest && scaled >= -largest;
            if (!held) halt(net->control, GRADIENT, 0, {{ readout.index }}, population.global_id[neuron]);
            if (ends && held) learner.gradient_{{ trained.name }}[neuron] += (int64)whole_amount(*sum, GRADIENT_SCALE);
        }
//% endfor
    }
}
//% endif

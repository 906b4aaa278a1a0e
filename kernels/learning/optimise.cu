// The end of a batch: gradients become changes of weights, in the optimiser's one text.
DEVICE float clipped(const int64 gradient, const float factor, const float largest) {
    const float scaled = (float)gradient * GRADIENT_UNIT * factor;
    return scaled > largest ? largest : scaled < -largest ? -largest : scaled;
}

//% for owner in owners
{{ owner.function.head }} {
{{ paste(optimiser, "update") }}
}

//% if owner.is_population
KERNEL optimise_{{ owner.name }}(Network* net) {
    if (net->control->halt) return;
    auto& population = net->population_{{ owner.name }};
    auto& learner = net->learning.population_{{ owner.name }};
    const auto& learning = net->learning;
    const float factor = learning.gradient_factor, largest = learning.largest_gradient;
{{ bound_constants("learning", optimiser, "optimiser_") }}
    for (int neuron = thread_first(); neuron < population.n_own; neuron += thread_stride()) {
//% for trained in owner.trained
        {
            const float gradient = clipped(learner.gradient_{{ trained }}[neuron], factor, largest);
            learner.gradient_{{ trained }}[neuron] = 0;
            float* weight_of = population.state_{{ trained }};
//% for variable in optimiser.variables
            float* hpcsnn_all_{{ variable.name }} = population.state_{{ trained }}_{{ variable.name }};
//% endfor
            const int at = neuron;
            {{ owner.function.call }};
            if (not_finite(weight_of[at])) halt(net->control, NOT_FINITE, 0, 0, 0);
            for (int copy = neuron + population.n_own; copy < population.n_simulated; copy += population.n_own)
                weight_of[copy] = weight_of[at];
        }
//% endfor
    }
}
//% else
{%- set projection = owner.projection %}
{%- set rule = projection.rewiring %}
//% if rule
{% import "rewiring/names.cu" as names with context %}
{{ rule.functions["gradient"].head }} {
{{ value(rule, "gradient") }}
}

//% endif
KERNEL optimise_{{ owner.name }}(Network* net) {
    if (net->control->halt) return;
    Control* control = net->control;
    auto& projection = net->projection_{{ owner.name }};
    auto& trained = net->learning.projection_{{ owner.name }};
    const auto& learning = net->learning;
    const auto& source_population = net->population_{{ projection.source }};
    const auto& target_population = net->population_{{ projection.target }};
    const int row_shift = projection.row_shift, now = control->step;
    const float limit = trained.weight_limit, factor = learning.gradient_factor, largest = learning.largest_gradient;
    (void)source_population; (void)now;
{{ bound_constants("learning", optimiser, "optimiser_") }}
//% if rule
    {{- names.constants() }}
    const float n_samples = (float)learning.batch_samples;
//% endif
    float* weight_of = projection.synapse_weight;
//% for variable in optimiser.variables
    float* hpcsnn_all_{{ variable.name }} = projection.synapse_{{ variable.name }};
//% endfor
    for (int target = thread_first(); target < target_population.n_own; target += thread_stride()) {
        const int row = target << row_shift, in_degree = projection.in_degree[target];
//% if rule
        {{- names.target_names() }}
//% endif
        int64* gradient_of = trained.gradient + trained.first_gradient[target];
        int wrong = 0;
        INDEPENDENT_ITERATIONS
        for (int at = row; at < row + in_degree; ++at) {
//% if rule
            const int source = projection.source[at];
            {{- names.source_names() }}
            {{- names.distance_name() }}
            const float gradient =
                clipped(gradient_of[at - row], factor, largest) + n_samples * {{ rule.functions["gradient"].call }};
//% else
            const float gradient = clipped(gradient_of[at - row], factor, largest);
//% endif
            gradient_of[at - row] = 0;
            {{ owner.function.call }};
            wrong |= not_finite(weight_of[at]);
            weight_of[at] = weight_of[at] > limit ? limit : weight_of[at] < -limit ? -limit : weight_of[at];
        }
        if (wrong) halt(control, NOT_FINITE, 0, 0, 0);
    }
}
//% endif

//% endfor
//% for hidden in fed_back
// The readout's weights as hidden neurons hear errors through them.
KERNEL feedback_{{ hidden.name }}(Network* net) {
    const auto& projection = net->projection_{{ hidden.projection }};
    const auto& learner = net->learning.population_{{ hidden.name }};
    const int n_outputs = net->learning.n_outputs, n_hidden = net->population_{{ hidden.name }}.n_own;
    for (int neuron = thread_first(); neuron < n_hidden; neuron += thread_stride()) {
        float* own = learner.feedback + (int64)(neuron / SIDE_BY_SIDE) * n_outputs * SIDE_BY_SIDE +
                     neuron % SIDE_BY_SIDE;
        for (int output = 0; output < n_outputs; ++output) own[output * SIDE_BY_SIDE] = 0.0f;
        const int* outgoing = projection.outgoing + ((int64)neuron << projection.outgoing_shift);
//% if hidden.delays
        int* steps = learner.feedback_steps + (own - learner.feedback);
//% endif
        for (int entry = 0; entry < projection.outgoing_count[neuron]; ++entry) {
            if (outgoing[entry] < 0) continue;
            const int place = (outgoing[entry] >> projection.row_shift) * SIDE_BY_SIDE;
            own[place] = projection.synapse_weight[outgoing[entry]];
//% if hidden.delays
            steps[place] = projection.synapse_delay_steps[outgoing[entry]];
//% endif
        }
    }
}

//% endfor
//% for hidden in adapted
{{ hidden.function.head }} {
{{ paste(optimiser, "update") }}
}

// Weights by which errors come back, and which learn as the readout's do: each by the gradient of the synapse that goes
// the other way.
KERNEL adapt_{{ hidden.name }}(Network* net) {
    if (net->control->halt) return;
    const auto& projection = net->projection_{{ hidden.projection }};
    const auto& learning = net->learning;
    const auto& trained = learning.projection_{{ hidden.projection }};
    const auto& learner = learning.population_{{ hidden.name }};
    const int n_outputs = learning.n_outputs, n_hidden = net->population_{{ hidden.name }}.n_own;
    const float limit = trained.weight_limit, factor = learning.gradient_factor, largest = learning.largest_gradient;
{{ bound_constants("learning", optimiser, "optimiser_") }}
    float* weight_of = learner.feedback;
//% for variable in optimiser.variables
    float* hpcsnn_all_{{ variable.name }} = learner.of_feedback_{{ variable.name }};
//% endfor
    for (int neuron = thread_first(); neuron < n_hidden; neuron += thread_stride()) {
        const int64 own = (int64)(neuron / SIDE_BY_SIDE) * n_outputs * SIDE_BY_SIDE + neuron % SIDE_BY_SIDE;
        const int* outgoing = projection.outgoing + ((int64)neuron << projection.outgoing_shift);
        for (int entry = 0; entry < projection.outgoing_count[neuron]; ++entry) {
            if (outgoing[entry] < 0) continue;
            const int target = outgoing[entry] >> projection.row_shift;
            const int place = outgoing[entry] - (target << projection.row_shift);
            const int64 at = own + target * SIDE_BY_SIDE;
            const float gradient =
                clipped(trained.gradient[trained.first_gradient[target] + place], factor, largest);
            {{ hidden.function.call }};
            weight_of[at] = weight_of[at] > limit ? limit : weight_of[at] < -limit ? -limit : weight_of[at];
        }
    }
}

//% endfor

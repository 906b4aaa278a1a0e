// A readout of a hidden population's own, by the weights of its feedback: its outputs, and by which errors they miss. A
// replica's neurons are added up in their order, by one thread.
{%- set name = population.name %}
{% import "learning/loss_of_step.cu" as scored with context %}
KERNEL local_{{ name }}(Network* net) {
    const Control& control = *net->control;
    if (control.halt || !net->learning.learns) return;
    const auto& learning = net->learning;
    auto& learner = net->learning.population_{{ name }};
    const int n_neurons = net->population_{{ name }}.n_own;
    const int n_outputs = learning.n_outputs, n_steps = learning.sample_steps, stride = learning.outputs_stride;
    const Playing now = playing(*net);
    const int step = now.step;
{{ bound_constants("learning", loss, "loss_") }}
    for (int replica = thread_first(); replica < now.n_replicas; replica += thread_stride()) {
        const int sample = now.first_sample + replica;
        const int label = learning.label[sample];
        float* output = learner.local_output + replica * stride;
        float* score = learner.local_score + replica * stride;
        float* error = learner.local_error + ((int64)replica * n_steps + step) * stride;
        for (int k = 0; k < n_outputs; ++k) {
            output[k] = step == 0 ? 0.0f : flushed(output[k] * learner.local_kept);
            if (step == 0) score[k] = 0.0f;
        }
        for (int neuron = 0; neuron < n_neurons; ++neuron) {
            const int64 own = (int64)replica * n_neurons + neuron;
            const int n_spikes = learner.n_spikes[own];
            if (n_spikes == 0 || learner.spike_steps[own * n_steps + n_spikes - 1] != step) continue;
            const float* weights = learner.feedback + (int64)(neuron / SIDE_BY_SIDE) * n_outputs * SIDE_BY_SIDE +
                                   neuron % SIDE_BY_SIDE;
            for (int k = 0; k < n_outputs; ++k) output[k] += weights[k * SIDE_BY_SIDE];
        }
{{ scored.asked(loss, "(void)") }}
    }
}

// The score of a step: what the loss makes of the outputs, and by which error they miss.
{{ loss.functions["step"].head }} {
{{ paste(loss, "step") }}
}

//% if loss.sample
{{ loss.functions["sample"].head }} {
{{ paste(loss, "sample") }}
}

//% endif
{% import "learning/loss_of_step.cu" as scored with context %}
KERNEL score_{{ readout.name }}(Network* net) {
    const Control& control = *net->control;
//% if readout.windowed
    if (net->learning.replays) return;
//% endif
    if (control.halt || net->population_{{ readout.name }}.n_own == 0) return;  // of ranks, one has the readout
    auto& learning = net->learning;
    const int n_outputs = learning.n_outputs, n_steps = learning.sample_steps, stride = learning.outputs_stride;
    const Playing now = playing(*net);
    const int step = now.step;
{{ bound_constants("learning", loss, "loss_") }}
    for (int replica = thread_first(); replica < now.n_replicas; replica += thread_stride()) {
        const int sample = now.first_sample + replica;
        const int label = learning.label[sample];
        const float* output = net->population_{{ readout.name }}.state_{{ readout.output }} + replica * n_outputs;
        float* score = learning.scores + replica * stride;
        float* errors = learning.error + ((int64)replica * (1 + n_steps) + 1) * stride;
        float* error = errors + (int64)step * stride;
        if (step == 0) learning.sample_loss[sample] = 0.0f;
{{ scored.asked(loss, "learning.sample_loss[sample] +=") }}
        if (step + 1 < n_steps) continue;
//% if loss.sample
        const int first = learning.first_scored[sample], n_scored = n_steps - first;
//% if loss.draws
        auto random = sequence_of(learning.sample_id[sample], learning.batch_number, {{ stream }}u | LOSS_NUMBERS,
                                  key_of(net->control));
//% endif
        learning.sample_loss[sample] += {{ loss.functions["sample"].call }};
        for (int earlier = first; earlier < step; ++earlier)
            for (int k = 0; k < n_outputs; ++k) errors[(int64)earlier * stride + k] = error[k];
//% endif
        int best = 0;
        for (int k = 1; k < n_outputs; ++k) best = score[k] > score[best] ? k : best;
        learning.prediction[sample] = best;
    }
}
//% if brought is not none

// Errors are where the readout is: hidden neurons of other ranks hear of them from there, and then go back in time.
KERNEL bring_{{ readout.name }}(Network* net) {
    Control* control = net->control;
    if (control->halt || !net->learning.learns || (control->step + 1) % net->learning.sample_steps) return;
    if (thread_first() == 0) meet(control, {{ brought }}, 0, ERRORS);
}
//% endif

// The score of a step: what the loss makes of the outputs, and by which error they miss.
{{ loss.functions["step"].head }} {
{{ paste(loss, "step") }}
}

//% if loss.sample
{{ loss.functions["sample"].head }} {
{{ paste(loss, "sample") }}
}

//% endif
KERNEL score_{{ readout.name }}(Network* net) {
    const Control& control = *net->control;
    if (control.halt || thread_first() != 0) return;
    auto& learning = net->learning;
    const float* output = net->population_{{ readout.name }}.state_{{ readout.output }};
    const int n_outputs = learning.n_outputs, n_steps = learning.sample_steps;
    const int sample = control.step / n_steps, step = control.step - sample * n_steps;
    const int label = learning.label[sample], first = learning.first_scored[sample];
    float* score = learning.scores;
    float* error = learning.error + (int64)(1 + step) * learning.outputs_stride;
//% if loss.of_targets
    const float* target = learning.target + (int64)control.step * n_outputs;
//% else
    const float* target = nullptr;
//% endif
    (void)target;
{{ bound_constants("learning", loss, "loss_") }}
    if (step == 0) learning.sample_loss[sample] = 0.0f;
    if (step < first) {
        for (int k = 0; k < n_outputs; ++k) error[k] = 0.0f;
    } else {
        learning.sample_loss[sample] += {{ loss.functions["step"].call }};
    }
    if (step + 1 < n_steps) return;
//% if loss.sample
    const int n_scored = n_steps - first;
    learning.sample_loss[sample] += {{ loss.functions["sample"].call }};
    for (int earlier = first; earlier < step; ++earlier) {
        float* of_earlier = learning.error + (int64)(1 + earlier) * learning.outputs_stride;
        for (int k = 0; k < n_outputs; ++k) of_earlier[k] = error[k];
    }
//% endif
    int best = 0;
    for (int k = 1; k < n_outputs; ++k) best = score[k] > score[best] ? k : best;
    learning.prediction[sample] = best;
}

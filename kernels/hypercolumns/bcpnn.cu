// Hypercolumns that learn without supervision (Ravichandran, Lansner & Herman 2025).
//
// The units of a hypercolumn share the hypercolumns of the source that they listen to, so what log p_i adds to their
// support is the same for all of them, and leaves their softmax as it is: the weight is log(p_ij / p_j), which only a
// unit's own activity changes. Probabilities of a unit decay by the same factor in each pattern; within a batch they
// are kept divided by it, so that only the units that are active have to be looked at.

DEVICE float at_least(const float value, const float least) { return value > least ? value : least; }

// Bias and weights of unit `j` of a hypercolumn.
DEVICE void weigh(const Hypercolumns& h, const int group, const int j) {
    const int unit = group * h.size + j, n = h.source_units;
    const float* joint = h.p_joint + (int64)unit * h.n_inputs;
    const float p_unit = at_least(h.p_unit[unit], 1e-30f);
    h.bias[unit] = logarithm(p_unit);
    const int* connected = h.connected + (int64)group * h.connections;
    float* weight = h.weight + (int64)group * h.connections * n * h.size + j;
    for (int a = 0; a < h.connections; ++a)
        for (int k = 0; k < n; ++k)
            weight[(int64)(a * n + k) * h.size] =
                logarithm(at_least(joint[connected[a] * n + k] / p_unit, h.least_probability));
}

// Probabilities at first: of independent channels and units, but for what tells units apart.
KERNEL begin_units(Network* net) {
    const auto& h = net->hypercolumns;
    const RandomKey key = key_of(net->control);
    const int n_units = h.n_groups * h.size;
    const float p_unit = 1.0f / (float)h.size;
    for (int unit = thread_first(); unit < n_units; unit += thread_stride()) {
        float* joint = h.p_joint + (int64)unit * h.n_inputs;
        h.p_unit[unit] = p_unit;
        for (int i = 0; i < h.n_inputs; ++i) {
            const Random4 random = philox((uint32)h.id[unit], (uint32)i, HYPERCOLUMN_NUMBERS, 0u, key);
            joint[i] = h.p_input[i] * p_unit * exponential(h.initial_spread * standard_normal(random.x, random.y));
        }
    }
}

KERNEL make_weights(Network* net) {
    const auto& h = net->hypercolumns;
    const int n_units = h.n_groups * h.size;
    for (int unit = thread_first(); unit < n_units; unit += thread_stride()) weigh(h, unit / h.size, unit % h.size);
}

// The support of all units by the pattern that is shown.
KERNEL add_support(Network* net) {
    const auto& h = net->hypercolumns;
    const int size = h.size, n = h.source_units, n_blocks = (size + BLOCK - 1) / BLOCK;
    const float* pattern = h.pattern + (int64)h.shown * h.n_inputs;
    for (int item = thread_first(); item < h.n_groups * n_blocks; item += thread_stride()) {
        const int group = item / n_blocks, first = item % n_blocks * BLOCK;
        const int n_here = size - first < BLOCK ? size - first : BLOCK;
        const int* connected = h.connected + (int64)group * h.connections;
        const float* weights = h.weight + (int64)group * h.connections * n * size + first;
        float support[BLOCK];
        for (int j = 0; j < n_here; ++j) support[j] = h.bias[group * size + first + j];
        for (int a = 0; a < h.connections; ++a)
            for (int k = 0; k < n; ++k) {
                const float x = pattern[connected[a] * n + k];
                if (x == 0.0f) continue;
                const float* weight = weights + (int64)(a * n + k) * size;
                INDEPENDENT_ITERATIONS
                for (int j = 0; j < n_here; ++j) support[j] += x * weight[j];
            }
        for (int j = 0; j < n_here; ++j) h.support[group * size + first + j] = support[j];
    }
}

// Activity: the softmax of the support within each hypercolumn. Minus the logarithm of the largest one is added up, as
// a whole number, so that ranks and threads may add in any order.
KERNEL compete(Network* net) {
    const auto& h = net->hypercolumns;
    const int size = h.size;
    for (int number = thread_first(); number < h.n_groups; number += thread_stride()) {
        const float* support = h.support + (int64)number * size;
        const Group group = group_with_softmax(size, [&](const int k) { return support[k]; });
        for (int k = 0; k < size; ++k) h.activity[number * size + k] = softmax_in(group, support[k]);
        atomic_add(h.undecided, (int64)(1048576.0f * logarithm(group.total)));
    }
}

// What the units that are active learn from the pattern that is shown.
KERNEL learn_units(Network* net) {
    const auto& h = net->hypercolumns;
    const int n_units = h.n_groups * h.size, n_inputs = h.n_inputs;
    const float* pattern = h.pattern + (int64)h.shown * n_inputs;
    for (int unit = thread_first(); unit < n_units; unit += thread_stride()) {
        const float active = h.activity[unit];
        if (active < h.least_activity || active == 0.0f) continue;
        const float added = h.gain * active;
        float* joint = h.p_joint + (int64)unit * n_inputs;
        INDEPENDENT_ITERATIONS
        for (int i = 0; i < n_inputs; ++i) joint[i] += added * pattern[i];
        h.p_unit[unit] += added;
        weigh(h, unit / h.size, unit % h.size);
    }
}

// What a batch of patterns says of the channels alone.
KERNEL learn_inputs(Network* net) {
    const auto& h = net->hypercolumns;
    for (int i = thread_first(); i < h.n_inputs; i += thread_stride()) {
        float p = h.p_input[i];
        for (int at = 0; at < h.n_patterns; ++at) p += h.rate * (h.pattern[(int64)at * h.n_inputs + i] - p);
        h.p_input[i] = p;
    }
}

// Probabilities themselves again, behind a batch.
KERNEL scale_units(Network* net) {
    const auto& h = net->hypercolumns;
    const int n_units = h.n_groups * h.size, n_inputs = h.n_inputs;
    const float keep = h.keep;
    for (int unit = thread_first(); unit < n_units; unit += thread_stride()) {
        float* joint = h.p_joint + (int64)unit * n_inputs;
        INDEPENDENT_ITERATIONS
        for (int i = 0; i < n_inputs; ++i) joint[i] *= keep;
        h.p_unit[unit] *= keep;
    }
}

// What each channel tells about the units of each hypercolumn, in nats: added up over units in their order.
KERNEL inform(Network* net) {
    const auto& h = net->hypercolumns;
    const int n_inputs = h.n_inputs, n_blocks = (n_inputs + BLOCK - 1) / BLOCK;
    for (int item = thread_first(); item < h.n_groups * n_blocks; item += thread_stride()) {
        const int group = item / n_blocks, first = item % n_blocks * BLOCK;
        const int n_here = n_inputs - first < BLOCK ? n_inputs - first : BLOCK;
        float sum[BLOCK];
        for (int i = 0; i < n_here; ++i) sum[i] = 0.0f;
        for (int j = 0; j < h.size; ++j) {
            const int64 unit = (int64)group * h.size + j;
            const float* joint = h.p_joint + unit * n_inputs + first;
            const float* p_input = h.p_input + first;
            const float p_unit = at_least(h.p_unit[unit], 1e-30f);
            INDEPENDENT_ITERATIONS
            for (int i = 0; i < n_here; ++i) {
                const float ratio = joint[i] / at_least(p_input[i] * p_unit, 1e-30f);
                sum[i] += joint[i] * logarithm(at_least(ratio, 1e-30f));
            }
        }
        for (int i = 0; i < n_here; ++i) h.information[(int64)group * n_inputs + first + i] = sum[i];
    }
}

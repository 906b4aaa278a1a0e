// Where a hidden neuron's values of each step are: 16 neurons side by side, step after step, so that a host goes back
// through a sample with their state in registers, and a GPU's threads read lines.
DEVICE int64 first_value(const int neuron, const int n_steps) {
    return (int64)(neuron / SIDE_BY_SIDE) * n_steps * SIDE_BY_SIDE + neuron % SIDE_BY_SIDE;
}

// Values of each step of so many neurons: what one replica takes.
DEVICE int64 values_of(const int n_neurons, const int n_steps) {
    return (int64)((n_neurons + SIDE_BY_SIDE - 1) / SIDE_BY_SIDE) * n_steps * SIDE_BY_SIDE;
}

// Which replica an item belongs to, of so many in each; without a division where there is one replica, as on a host.
DEVICE int replica_of(const int item, const int n_items) { return item < n_items ? 0 : item / n_items; }

// Whether a step is among these, which are in order.
DEVICE bool is_among(const int* steps, const int n, const int step) {
    int first = 0, end = n;
    while (first < end) {
        const int middle = (first + end) / 2;
        if (steps[middle] < step)
            first = middle + 1;
        else
            end = middle;
    }
    return first < n && steps[first] == step;
}

// Replica r plays samples r, replicas + r, 2 replicas + r, ..; towards the end some have none to play.
struct Playing {
    int first_sample, n_replicas, step;
};

DEVICE Playing playing(const Network& net) {
    const auto& learning = net.learning;
    const int group = net.control->step / learning.sample_steps;
    const int first_sample = group * learning.replicas, left = learning.n_samples - first_sample;
    const int n_replicas = left < learning.replicas ? left : learning.replicas;
    return {first_sample, n_replicas, net.control->step - group * learning.sample_steps};
}

constexpr float GRADIENT_UNIT = 1.0f / GRADIENT_SCALE, LARGEST_GRADIENT = 2147483000.0f;

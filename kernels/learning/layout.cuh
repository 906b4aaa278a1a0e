// Where a hidden neuron's values of each step are: 16 neurons side by side, step after step, so that a host goes back
// through a sample with their state in registers, and a GPU's threads read lines.
DEVICE int64 first_value(const int neuron, const int n_steps) {
    return (int64)(neuron / SIDE_BY_SIDE) * n_steps * SIDE_BY_SIDE + neuron % SIDE_BY_SIDE;
}

constexpr float GRADIENT_UNIT = 1.0f / GRADIENT_SCALE, LARGEST_GRADIENT = 2147483000.0f;

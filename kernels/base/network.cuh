// Types and small functions that every kernel of a network uses.

enum HaltReason { RUNNING = 0, ROWS_FULL = 1, OUTGOING_FULL = 2, NOT_FINITE = 3, EXCHANGE_FAILED = 4, LOG_FULL = 5, MEETING = 6 };

// One a rank. A kernel that cannot go on sets `halt`; every later kernel then returns at once, so that the
// host can mend the cause and go on at (step, stage), whether the steps ran in a loop or in a CUDA graph.
struct Control {
    int step;
    int halt;
    int stage;
    int population;
    int neuron;
    int bin_steps;
    uint32 seed0, seed1;
};

// An exponential trace, kept as its value at its last spike: it costs nothing while its neuron is silent.
struct Trace { float value; int last; };

// decay^n = coarse[n / 256] * fine[n % 256]; zero past the end.
struct DecayTable { const float* fine; const float* coarse; int n_coarse; };

DEVICE float decayed(const Trace trace, const int step, const DecayTable table) {
    const int elapsed = step - trace.last;
    const int coarse = elapsed >> 8;
    if (coarse >= table.n_coarse) return 0.0f;
    return trace.value * (table.coarse[coarse] * table.fine[elapsed & 255]);
}

// Synapses that went from a target are replaced by trying this many sources an update; the rest waits for the next.
constexpr int REPLACEMENT_TRIES = 1024;

// Exponential decay reaches numbers so small that processors stop to handle them; nothing here depends on those.
DEVICE float flushed(const float x) { return (x < 1e-30f && x > -1e-30f) ? 0.0f : x; }

// Synaptic input adds up in fixed point, so that its order does not matter.
DEVICE void add_input(int* at, const float amount, const float scale) {
    const float scaled = amount * scale;
    atomic_add(at, (int)(scaled + (scaled < 0.0f ? -0.5f : 0.5f)));
}
DEVICE void add_input(int64* at, const float amount, const float scale) {
    const float scaled = amount * scale;
    atomic_add(at, (int64)(scaled + (scaled < 0.0f ? -0.5f : 0.5f)));
}

DEVICE int torus_distance(const int a, const int b, const int side) {
    const int d = a < b ? b - a : a - b;
    return d < side - d ? d : side - d;
}

// Between two neurons, by their numbers on a grid.
DEVICE int squared_distance(const int a, const int b, const int nx, const int ny) {
    const int a_y = a / nx, b_y = b / nx;
    const int dx = torus_distance(a - a_y * nx, b - b_y * nx, nx), dy = torus_distance(a_y, b_y, ny);
    return dx * dx + dy * dy;
}

// A number that the set of spikes fixes whatever their order: the sum of this hash over spikes (splitmix64).
DEVICE uint64 spike_hash(const int step, const int id) {
    uint64 z = (((uint64)(uint32)step << 32) | (uint32)id) + 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

DEVICE void halt(Control* control, const int reason, const int stage, const int population, const int neuron) {
    if (atomic_swap_if(&control->halt, RUNNING, reason) == RUNNING) {
        control->stage = stage;
        control->population = population;
        control->neuron = neuron;
    }
}

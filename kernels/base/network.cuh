// Small functions that every kernel of a network uses; their structs are in hpcsnn/codegen/constants.py.

DEVICE float decayed(const Trace trace, const int step, const DecayTable table) {
    const uint32 elapsed = (uint32)step - (uint32)trace.last;  // a trace that never was may be 3 * 2^30 steps old
    const int coarse = (int)(elapsed >> 8);
    if (coarse >= table.n_coarse) return 0.0f;
    return trace.value * (table.coarse[coarse] * table.fine[elapsed & 255u]);
}

// Not a number and infinity are the only ones that differ from themselves in this way.
DEVICE bool not_finite(const float x) { return !(x - x == 0.0f); }
DEVICE bool not_finite(int) { return false; }

// What random numbers of the whole run depend on: the user's seed.
DEVICE RandomKey key_of(const Control* control) { return {control->seed0, control->seed1}; }

// The first step behind a window of a stimulus; the last window ends where steps do.
DEVICE int end_of_window(const int window, const int window_steps) {
    const int64 end = ((int64)window + 1) * window_steps;
    return end < 0x7fffffff ? (int)end : 0x7fffffff;
}

// Synapses that went from a target are replaced by trying this many sources per update; the rest waits for the next.
constexpr int REPLACEMENT_TRIES = 1024;

// Exponential decay reaches numbers so small that processors stop to handle them; nothing here depends on those.
DEVICE float flushed(const float x) { return (x < 1e-30f && x > -1e-30f) ? 0.0f : x; }

// Synaptic input adds up in fixed point, so that its order does not matter. hpcsnn/network/input_scale.py chooses type
// and scale so that no sum can overflow.

// An amount in units, rounded to nearest, halves away from zero. The scale is a power of two: the product is exact (or
// so small that it rounds to 0). Adding the largest float below a half, not a half itself, is right for every float: up
// to 2^22 only what lies at a half or beyond reaches the next whole number, and what is whole already, as all is beyond
// 2^23, stays (a half added to an odd number between 2^23 and 2^24 would round to the even one above).
DEVICE float whole_amount(const float amount, const float scale) {
    const float scaled = amount * scale;
    return scaled + (scaled < 0.0f ? -0.49999997f : 0.49999997f);  // towards zero is what a cast does
}
DEVICE void add_input(int* at, const float amount, const float scale) {
    atomic_add(at, (int)whole_amount(amount, scale));
}
DEVICE void add_input(int64* at, const float amount, const float scale) {
    atomic_add(at, (int64)whole_amount(amount, scale));
}

// The nearest float of a sum, an even one of two. A sum within 2^51 of zero, added to the bits of 1.5 * 2^52, gives
// those of the double 1.5 * 2^52 + sum, since doubles from 2^52 to 2^53 are the whole numbers: exact, by vector
// instructions that every processor has, where converting from 64 bits takes AVX-512.
DEVICE float float_of_sum(const int sum) { return (float)sum; }
DEVICE float float_of_sum(const int64 sum) {
    return (float)(double_of(sum + 0x4338000000000000ll) - 6755399441055744.0);
}
DEVICE float float_of_wide_sum(const int64 sum) { return (float)sum; }
// And back: a float that is a whole number, within the same bounds.
DEVICE int narrow_sum_of(const float whole) { return (int)whole; }
DEVICE int64 sum_of(const float whole) { return bits_of((double)whole + 6755399441055744.0) - 0x4338000000000000ll; }
DEVICE int64 wide_sum_of(const float whole) { return (int64)whole; }

// A place along a side that goes on after so many places, from one that is less than these off. Where a side is open
// it goes on after 2 n - 1: what is beyond its ends stays so, and the way round is never the shorter one.
DEVICE int torus_place(const int place, const int side) {
    return place < 0 ? place + side : place >= side ? place - side : place;
}

DEVICE int torus_distance(const int a, const int b, const int side) {
    const int d = a < b ? b - a : a - b;
    return d < side - d ? d : side - d;
}

// Between two neurons, by their numbers on a grid.
DEVICE int squared_distance(const int a, const int b, const int nx, const int period_x, const int period_y) {
    const int a_y = a / nx, b_y = b / nx;
    const int dx = torus_distance(a - a_y * nx, b - b_y * nx, period_x), dy = torus_distance(a_y, b_y, period_y);
    return dx * dx + dy * dy;
}

// Between the neurons of two unequal grids, by their coordinates: squared, in points of the lattice that both are on.
template <class Projection> DEVICE int lattice_distance_squared(const Projection& projection, const int source_x,
                                                                const int source_y, const int x, const int y) {
    const int dx =
        torus_distance(projection.fineness * x, projection.lattice_offset_x + projection.lattice_stride_x * source_x,
                       projection.lattice_period_x);
    const int dy =
        torus_distance(projection.fineness * y, projection.lattice_offset_y + projection.lattice_stride_y * source_y,
                       projection.lattice_period_y);
    return dx * dx + dy * dy;
}

template <class Projection> DEVICE int lattice_distance_of_ids(const Projection& projection, const int pre_id,
                                                               const int post_id, const int source_nx, const int nx) {
    const int source_y = pre_id / source_nx, y = post_id / nx;
    return lattice_distance_squared(projection, pre_id - source_y * source_nx, source_y, post_id - y * nx, y);
}

// Of a source, by its id, from one of the rank's targets, where neurons are on no grid.
template <class Projection> DEVICE int64 free_distance_squared(const Projection& projection, const int dimensions,
                                                               const int pre_id, const int target) {
    int64 squared = 0;
    for (int axis = 0; axis < dimensions; ++axis) {
        const int64 apart = (int64)projection.source_place[(int64)dimensions * pre_id + axis]
                            - projection.target_place[(int64)dimensions * target + axis];
        squared += apart * apart;
    }
    return squared;
}

// Cells along an axis that places from `low` to `high` are in, of so many: the first one, and the last.
DEVICE int first_cell(const int64 low, const int side) { return low <= 0 ? 0 : (int)(low / side); }
DEVICE int last_cell(const int64 high, const int side, const int n) {
    if (high < 0) return -1;
    const int64 cell = high / side;
    return cell < n ? (int)cell : n - 1;
}

// Sources along an axis of a lattice, as a target sees them: n of them, from one point to the next so many.
struct LatticeAxis {
    int place, stride, period, n;  // the target's place, from the first source's
    bool is_open;

    // The first source within reach, which may be before the front where the axis goes on there.
    DEVICE_MEMBER int first_within(const int reach) const {
        const int64 lowest = (int64)place - reach;
        const int first = (int)(lowest > 0 ? (lowest + stride - 1) / stride : -(-lowest / stride));
        return is_open && first < 0 ? 0 : first;
    }
    DEVICE_MEMBER int count_within(const int reach) const {
        const int64 highest = (int64)place + reach;
        const int64 last = highest >= 0 ? highest / stride : -((-highest + stride - 1) / stride);
        const int64 count = (is_open && last >= n ? n - 1 : last) - first_within(reach) + 1;
        return (int)(count < n ? count : n);
    }
    DEVICE_MEMBER int source(const int k) const { return k < 0 ? k % n + (k % n < 0 ? n : 0) : k % n; }
    DEVICE_MEMBER int distance(const int source) const { return torus_distance(place, stride * source, period); }
};

// The root of a whole number, without what is behind the point.
DEVICE int whole_root(const int square) {
    int root = 0;
    for (int bit = 1 << 15; bit; bit >>= 1) root += (int64)(root + bit) * (root + bit) <= square ? bit : 0;
    return root;
}

// A number that the set of spikes fixes whatever their order: the sum of this hash over spikes (splitmix64).
DEVICE uint64 spike_hash(const int step, const int id) {
    uint64 z = (((uint64)(uint32)step << 32) | (uint32)id) + 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// What a kernel does that cannot go on: at most one of them says why, and where the schedule is to go on.
DEVICE bool halt(Control* control, const int reason, const int stage, const int owner, const int neuron) {
    if (atomic_swap_if(&control->halt, RUNNING, reason) != RUNNING) return false;
    control->stage = stage;
    control->owner = owner;
    control->neuron = neuron;
    return true;
}

// The same, so that the hosts of all ranks do their part of an update; the schedule goes on behind it.
DEVICE void meet(Control* control, const int stage, const int owner, const MeetingPlace place) {
    if (halt(control, MEETING, stage + 1, owner, 0)) control->place = place;
}

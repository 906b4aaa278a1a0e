// Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
// Counter = (entity, step, stream, draw), key = the user's seed: what is drawn depends on what it is for,
// never on the thread, rank or slot that draws it.

struct Random4 {
    uint32 x, y, z, w;
};

struct RandomKey {
    uint32 low, high;
};

DEVICE Random4 philox(const uint32 entity, const uint32 step, const uint32 stream, const uint32 draw, RandomKey key) {
    uint32 c0 = entity, c1 = step, c2 = stream, c3 = draw;
    UNROLLED
    for (int round = 0; round < 10; ++round) {
        const uint64 product0 = (uint64)0xD2511F53u * c0;
        const uint64 product1 = (uint64)0xCD9E8D57u * c2;
        c0 = (uint32)(product1 >> 32) ^ c1 ^ key.low;
        c1 = (uint32)product1;
        c2 = (uint32)(product0 >> 32) ^ c3 ^ key.high;
        c3 = (uint32)product0;
        key.low += 0x9E3779B9u;
        key.high += 0xBB67AE85u;
    }
    return {c0, c1, c2, c3};
}

// Successive 32-bit numbers, from blocks of four that `Blocks` numbers.
template <class Blocks> struct Sequence {
    Blocks blocks;
    uint32 used;
    Random4 block;
    DEVICE_MEMBER uint32 next() {
        if ((used & 3u) == 0u) block = blocks(used >> 2);
        const uint32 position = used++ & 3u;
        return position == 0u ? block.x : position == 1u ? block.y : position == 2u ? block.z : block.w;
    }
    DEVICE_MEMBER uint32 operator()() { return next(); }
    DEVICE_MEMBER float uniform() { return (float)(next() >> 8) * 5.9604644775390625e-8f; }  // in [0, 1), 24 bits
};

struct EntityBlocks {
    uint32 entity, step, stream;
    RandomKey key;
    DEVICE_MEMBER Random4 operator()(const uint32 n) const { return philox(entity, step, stream, n, key); }
};

// A pair has two entities: the draw's place in the counter is the source's, and draws are told apart in the stream.
struct PairBlocks {
    uint32 post, pre, step, stream;
    RandomKey key;
    DEVICE_MEMBER Random4 operator()(const uint32 n) const { return philox(post, step, stream | n << 16, pre, key); }
};

// The sequence of one (entity, step, stream), from its number `used` on, a multiple of four.
DEVICE Sequence<EntityBlocks> sequence_of(const uint32 entity, const uint32 step, const uint32 stream,
                                          const RandomKey key, const uint32 used = 0u) {
    const EntityBlocks blocks = {entity, step, stream, key};
    return {blocks, used, {0u, 0u, 0u, 0u}};
}

// The same of one (pair of neurons, step, stream).
DEVICE Sequence<PairBlocks> sequence_of_pair(const uint32 post, const uint32 pre, const uint32 step,
                                             const uint32 stream, const RandomKey key, const uint32 used = 0u) {
    const PairBlocks blocks = {post, pre, step, stream, key};
    return {blocks, used, {0u, 0u, 0u, 0u}};
}

// Four numbers for any entity, step and draw of one stream.
struct StreamNumbers {
    uint32 stream;
    RandomKey key;
    DEVICE_MEMBER Random4 operator()(const uint32 entity, const uint32 step, const uint32 draw) const {
        return philox(entity, step, stream, draw, key);
    }
};

// The same of one of the currents onto a population.
struct CurrentNumbers {
    uint32 stream, number;
    RandomKey key;
    DEVICE_MEMBER Random4 operator()(const uint32 entity, const uint32 step, const uint32 draw) const {
        return philox(entity, step, stream, number << 16 | (draw & 0xffffu), key);
    }
};

// Numbers of a pair that stay the same for ever.
struct PairNumbers {
    uint32 post, pre, stream;
    RandomKey key;
    DEVICE_MEMBER uint32 operator()(const uint32 draw) const { return philox(post, draw, stream, pre, key).x; }
};

// One of 0 .. n-1; what is left of the 32 bits, scaled up again, goes to `rest` for a second, independent choice.
DEVICE uint32 choose(const uint32 random, const uint32 n, uint32* rest) {
    const uint64 product = (uint64)random * n;
    *rest = (uint32)product;
    return (uint32)(product >> 32);
}

// A probability as the threshold that a 32-bit random number must stay below: p * 2^32, so that 0 and 1 are exact.
// Snippets may give one as a parameter or table of this type, as yes or no, or as a number. One above 1 always happens,
// one below 0 (or none at all) never; their bits stay known, so that a rule can refuse them.
struct Probability {
    int64 threshold;
    DEVICE_MEMBER Probability(const bool certain) : threshold((int64)certain << 32) {}
    DEVICE_MEMBER Probability(const float p)
        : threshold(p >= 0.0f && p <= 1.0f ? (int64)(p * 4294967296.0f)
                    : p > 1.0f             ? (int64)1 << 40 | (uint32)bits_of(p)
                                           : ~((int64)1 << 40 | (uint32)bits_of(p))) {}
    DEVICE_MEMBER Probability(const int p) : Probability((float)p) {}
    DEVICE_MEMBER Probability(const double p) : Probability((float)p) {}
    DEVICE_MEMBER bool is_certain() const { return threshold == 0 || threshold == (int64)1 << 32; }
    DEVICE_MEMBER bool is_one() const { return (uint64)threshold <= (uint64)1 << 32; }
    DEVICE_MEMBER float value() const {
        if (is_one()) return (float)threshold * 2.3283064365386963e-10f;
        return float_of((int)(uint32)(threshold < 0 ? ~threshold : threshold));
    }
};

DEVICE bool chance(const uint32 random, const Probability p) { return (int64)random < p.threshold; }

// What snippets calculate with probabilities is a number.
DEVICE float operator-(const Probability p) { return -p.value(); }
DEVICE float operator+(const Probability p, const float x) { return p.value() + x; }
DEVICE float operator+(const float x, const Probability p) { return x + p.value(); }
DEVICE float operator+(const Probability p, const Probability q) { return p.value() + q.value(); }
DEVICE float operator-(const Probability p, const float x) { return p.value() - x; }
DEVICE float operator-(const float x, const Probability p) { return x - p.value(); }
DEVICE float operator-(const Probability p, const Probability q) { return p.value() - q.value(); }
DEVICE float operator*(const Probability p, const float x) { return p.value() * x; }
DEVICE float operator*(const float x, const Probability p) { return x * p.value(); }
DEVICE float operator*(const Probability p, const Probability q) { return p.value() * q.value(); }
DEVICE float operator/(const Probability p, const float x) { return p.value() / x; }
DEVICE float operator/(const float x, const Probability p) { return x / p.value(); }
DEVICE float operator/(const Probability p, const Probability q) { return p.value() / q.value(); }

// Steps to wait for the first success of a Bernoulli trial per step, or length + 1 if there is none in `length` steps.
// survival[k - 1] = (chance of no success in k trials) * 2^32 - 1: the geometric distribution, inverted by bisection.
DEVICE int waiting_steps(const uint32* survival, const int length, const uint32 random) {
    if (length <= 0 || random <= survival[length - 1]) return length + 1;
    int low = 0;
    for (int n = length; n > 1;) {  // without a branch on what is random
        const int half = n >> 1;
        low += random <= survival[low + half - 1] ? half : 0;
        n -= half;
    }
    return low + 1;
}

// Events of a Poisson process in a step: cumulative[k] = (chance of at most k events) * 2^32 - 1 for k < 255, inverted
// by bisection in as many rounds for every number, so that a loop of neurons has no branch here.
DEVICE int poisson_events(const uint32* cumulative, const uint32 random) {
    int n = 0;
    UNROLLED
    for (int bit = 7; bit >= 0; --bit) n += random > cumulative[n + (1 << bit) - 1] ? 1 << bit : 0;
    return n;
}

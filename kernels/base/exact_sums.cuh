// Sums of floats and of whole numbers without any rounding, and so the same in any order and on any ranks; and numbers
// whose order is that of floats, for their least and most.
//
// A float is a whole number below 2^24 times 2^(position - 149), with position from 0 to 253. A window holds 32 of
// these positions, and counts in 64 bits what falls into them: too much for it would be more than 2^31 values.
struct ExactSum {
    int64 window[EXACT_WINDOWS];

    DEVICE_MEMBER void add(const int64 whole, const int position) {
        const int64 shifted = whole * ((int64)1 << (position & 31));
        window[position >> 5] += shifted & 0xffffffffll;
        window[(position >> 5) + 1] += shifted >> 32;
    }
    DEVICE_MEMBER void add(const float x) {
        const int bits = bits_of(x), exponent = (bits >> 23) & 255, fraction = bits & 0x7fffff;
        const int64 whole = exponent ? fraction | 0x800000 : fraction;
        add(bits < 0 ? -whole : whole, exponent ? exponent - 1 : 0);
    }
    DEVICE_MEMBER void add(const int n) { add((int64)n, 149); }
};

DEVICE int comparable(const float x) {
    const int bits = bits_of(x);
    return bits < 0 ? bits ^ 0x7fffffff : bits;
}
DEVICE int comparable(const int n) { return n; }

DEVICE void keep_least(int* at, const int value) {
    for (int now = atomic_add(at, 0); value < now;) {
        const int before = atomic_swap_if(at, now, value);
        if (before == now) return;
        now = before;
    }
}
DEVICE void keep_most(int* at, const int value) {
    for (int now = atomic_add(at, 0); value > now;) {
        const int before = atomic_swap_if(at, now, value);
        if (before == now) return;
        now = before;
    }
}

// Exponential, logarithm and sine that are the same bits everywhere: float32 + - * and integer operations on bits, in
// one order, without a branch, so that the host's compiler vectorises loops around them. The first two are within 2
// units in the last place.
// The polynomials are minimax fits over the reduced range (tests/test_neuron_models.py measures the error).

// e^x. Zero below -87.33 (where e^x leaves the normal numbers), infinity above 88.73, not a number for none.
DEVICE float exponential(const float x) {
    const float within = x > 89.0f ? 89.0f : x < -88.0f ? -88.0f : x;
    // Adding 1.5 * 2^23 rounds to the nearest whole number, which is then in the lowest bits.
    const float shifted = within * 1.44269504f + 12582912.0f;
    const float n = shifted - 12582912.0f;
    // x = n ln 2 + r; the first part of ln 2 has so few bits that n times it is exact.
    const float r = (within - n * 0.693359375f) - n * -2.12194440e-4f;
    const float q = 0.49999994f + r * (0.16666521f + r * (0.041668389f + r * (0.0083687167f + r * 0.0013814599f)));
    const float e_to_r = 1.0f + (r + r * r * q);
    // 2^n in two factors: 2^128 is no float32, but 1.9 * 2^127 is.
    const int exponent = bits_of(shifted) - 0x4b400000, half = exponent >> 1;
    const float scaled = e_to_r * float_of((half + 127) << 23) * float_of((exponent - half + 127) << 23);
    return x < -87.33654f ? 0.0f : scaled;
}

// The natural logarithm. Of 0: minus infinity; of less than 0: not a number; of infinity: infinity.
DEVICE float logarithm(const float x) {
    const bool subnormal = x < 1.17549435e-38f;
    const int bits = bits_of(subnormal ? x * 8388608.0f : x);
    // x = m 2^n with m from sqrt(1/2) to sqrt(2).
    const int above = bits - 0x3f3504f3;
    const float n = (float)((above >> 23) - (subnormal ? 23 : 0));
    const float f = float_of((above & 0x007fffff) + 0x3f3504f3) - 1.0f;
    const float high = 0.14201719f + f * (-0.13160364f + f * (0.12761962f + f * -0.076344877f));
    const float q = 0.33333331f + f * (-0.25000823f + f * (0.20001228f + f * (-0.16623336f + f * high)));
    const float of_m = f - f * f * (0.5f - f * q);
    const float finite = n * 0.693359375f + (of_m + n * -2.12194440e-4f);
    const float infinity = float_of(0x7f800000);
    return x > 0.0f ? (x == infinity ? x : finite) : x == 0.0f ? -infinity : float_of(0x7fc00000);
}

// The sine of a number of turns, sin(2 pi turns), within 2e-7; exact at every quarter of a turn.
DEVICE float sine_of_turns(const float turns) {
    // As above, adding 1.5 * 2^23 rounds; what is beyond 2^22 is a whole number of half turns. None stays none.
    const float from_whole = turns - ((turns + 12582912.0f) - 12582912.0f);
    const float part = turns < 4194304.0f && turns > -4194304.0f ? from_whole : turns - turns;
    const float r = part > 0.25f ? 0.5f - part : part < -0.25f ? -0.5f - part : part;
    const float q = r * r;
    return r * (6.2831855f + q * (-41.34168f + q * (81.602234f + q * (-76.57507f + q * 39.711494f))));
}

// A number of the standard normal distribution from two 32-bit random numbers, none further out than 6.77 (Box & Muller
// 1958, "A note on the generation of random normal deviates").
DEVICE float standard_normal(const uint32 one, const uint32 other) {
    const float chance_of_more = ((float)one + 0.5f) * 2.3283064365386963e-10f;
    const float radius = square_root(-2.0f * logarithm(chance_of_more));
    return radius * sine_of_turns((float)(other >> 8) * 5.9604644775390625e-8f);
}

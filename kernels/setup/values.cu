// Whether this program computes with float32 as every other one does: what compilers' flags change, and whoever sets
// the modes of a processor. 0, or a sum of `ChangedValues`.

// A number that no compiler knows.
DEVICE float unknown(const float x) {
    volatile float at = x;
    return at;
}

DEVICE int changed_values() {
    int changed = 0;
    const float zero = unknown(0.0f), half = unknown(0.5f), one = unknown(1.0f), two = unknown(2.0f);
    const float least = unknown(1.17549435e-38f), denormal = unknown(float_of(0x00400000));
    if (bits_of(least * half) != 0x00400000 || bits_of(denormal * two) != 0x00800000) changed |= DENORMALS;

    const float factor = unknown(1.000244140625f), minus_square = unknown(-1.00048828125f);  // rounded, this is 0
    if (factor * factor + minus_square != 0.0f) changed |= FUSED;

    const float none = unknown(float_of(0x7fc00000)), infinity = unknown(float_of(0x7f800000));
    if (none == none || !not_finite(none) || !not_finite(infinity) || not_finite(half)) changed |= NOT_A_NUMBER;

    const float large = unknown(1e8f);
    if ((large + one) - large != 0.0f || (one + large) - large != 0.0f) changed |= ORDER;

    // Four quotients by one number, so that its reciprocal would pay. That of 49 times 5 or 7 is another number.
    const float divisor = unknown(49.0f);
    const float first = unknown(1.0f) / divisor, second = unknown(3.0f) / divisor;
    const float third = unknown(5.0f) / divisor, fourth = unknown(7.0f) / divisor;
    const bool rounded =
        (first == 0.0204081628f) & (second == 0.0612244904f) & (third == 0.102040820f) & (fourth == 0.142857149f);
    if (!rounded) changed |= DIVISION;

    if (bits_of(unknown(-0.0f) + 0.0f) != 0 || bits_of(0.0f - zero) != 0) changed |= SIGNED_ZERO;

    const double tenth = 0.1;
    if (!not_finite(unknown(3e38f) * unknown(10.0f) * unknown(0.1f)) || tenth == (double)0.1f) changed |= PRECISION;

    const float last_place = unknown(1.1920929e-7f), half_of_it = unknown(5.9604645e-8f);
    if (one + half_of_it != one || (one + last_place) + half_of_it != one + last_place * two) changed |= ROUNDING;
    return changed;
}

KERNEL check_values(Network* net) {
    if (thread_first() != 0) return;
    const int changed = changed_values();
    if (changed) halt(net->control, VALUES_CHANGED, 0, 0, changed);
}

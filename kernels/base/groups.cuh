// What is compared within a group of neighbours, whose values are `value(0)` .. `value(n - 1)`: always in this order,
// so that the sums are the same bits everywhere.

struct Group {
    float max, sum, total;  // total: of exp(value - max)
    int winner;             // the first that has the largest value
};

template <class Value> DEVICE Group group_of(const int n, const Value& value) {
    Group group = {value(0), value(0), 0.0f, 0};
    for (int k = 1; k < n; ++k) {
        const float mine = value(k);
        group.sum += mine;
        if (mine > group.max) {
            group.max = mine;
            group.winner = k;
        }
    }
    return group;
}

// The same with what its softmax is divided by.
template <class Value> DEVICE Group group_with_softmax(const int n, const Value& value) {
    Group group = group_of(n, value);
    for (int k = 0; k < n; ++k) group.total += exponential(value(k) - group.max);
    return group;
}

DEVICE float softmax_in(const Group& group, const float value) { return exponential(value - group.max) / group.total; }

"""Patch swaps: silent synapses keep statistics, and the worst active patch gives way to the best silent one."""

from hpcsnn.models.base import Derived
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.models.rewiring.selections import PER_TARGET

PatchSwaps = RewiringRule(
    "patch_swaps",
    "Sources come in patches; each target listens to a few of them and exchanges the least telling for a better one.",
    parameters={
        "every_ms": Parameter(100.0, "ms", "time between updates", above=0.0, in_steps=True),
        "patch_size": Parameter(8, "neurons", "neighbours in number that make a patch", ctype="int", minimum=1),
        "active_patches": Parameter(2, "patches", "patches that a target listens to", ctype="int", minimum=1),
        "gain": Parameter(0.1, "weight", "weight of a log-odds of 1"),
        "least": Parameter(1e-3, "", "probability below which nothing is distinguished", above=0.0),
        "statistics_ms": Parameter(5000.0, "ms", "how long joint statistics last; the synapse's tau_p_ms", above=0.0),
        "most": Parameter(1.0, "weight", "upper bound of the absolute weight; the synapse's w_max", above=0.0),
        "share": Parameter(0.002, "", "probability that a spike stands for; 1 / (tau_p f_max)", above=0.0),
    },
    derived={"keep": Derived("exp(-every_ms / statistics_ms)", vanishes=True)},
    select=PER_TARGET,
    update="""
p_joint *= keep;
const float odds = (p_joint + least * least) / ((pre_p * share + least) * (post_p * share + least));
const float log_odds = gain * logarithm(odds);
weight = log_odds > most ? most : log_odds < -most ? -most : log_odds;
""",
    # A patch's score is the mutual information of its neurons with the target, summed in whole numbers: in any order.
    per_target="""
auto patch = [&](const int place) { return row.source_id(place) / patch_size; };
auto first_of_patch = [&](const int place) {  // the place that speaks for a patch: that of its least source
    for (int other = 0; other < row.size(); ++other)
        if (patch(other) == patch(place) && row.source_id(other) < row.source_id(place)) return false;
    return true;
};
auto score = [&](const int place) {
    int64 sum = 0;
    for (int other = 0; other < row.size(); ++other)
        if (patch(other) == patch(place)) sum += (int64)(1073741824.0f * row.p_joint(other) * row.weight(other));
    return sum;
};
auto better = [&](const int64 mine, const int place, const int64 best, const int other) {
    return mine != best ? mine > best : spike_hash(post_id, patch(place)) > spike_hash(post_id, patch(other));
};
auto set_active = [&](const int place, const float active) {
    const int changed = patch(place);
    for (int other = 0; other < row.size(); ++other)
        if (patch(other) == changed) row.active(other) = active;
};
for (int round = 0; round <= active_patches; ++round) {
    int n_active = 0, worst = -1, best = -1;
    int64 worst_score = 0, best_score = 0;
    for (int place = 0; place < row.size(); ++place) {
        if (!first_of_patch(place)) continue;
        const int64 mine = score(place);
        if (row.active(place) > 0.0f) {
            ++n_active;
            if (worst < 0 || better(worst_score, worst, mine, place)) { worst = place; worst_score = mine; }
        } else if (best < 0 || better(mine, place, best_score, best)) { best = place; best_score = mine; }
    }
    if (best < 0) break;
    if (n_active < active_patches) { set_active(best, 1.0f); continue; }
    if (best_score > worst_score) { set_active(worst, 0.0f); set_active(best, 1.0f); }
    break;
}
""",
    needs=("weight", "active", "p_joint", "pre_p", "post_p"),
    bound="most",
    source="Ravichandran, Lansner & Herman 2025; a patch here is a hypercolumn's synapses onto one neuron",
)

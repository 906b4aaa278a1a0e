"""What one structural update does in NEST: checks of ``nest_semantics``."""

from __future__ import annotations

import math

import nest
import numpy as np

from scaling.peers.nest_homeostatic import DT_MS, element, endpoints
from scaling.peers.nest_probes import KEPT, fired, fresh, got, put, still, update


def b_whole_elements_pair_whatever_continuous_says() -> str:
    for continuous in (True, False):
        fresh()
        axon, den = still("Axon_ex", [2.9], continuous=continuous), still("Den_ex", [5.9], continuous=continuous)
        update()
        assert got(axon, "Axon_ex", "z_connected") == got(den, "Den_ex", "z_connected") == [2], continuous
    return "z of 2.9 and 5.9 make two synapses, continuous or not"


def b_vacant_ones_decay_once_an_update_after_pairing() -> str:
    fresh()
    axon, den = still("Axon_ex", [3.0], tau_vacant=0.1), still("Den_ex", [1.5], tau_vacant=0.1)
    seen = []
    for _ in range(3):
        update()
        seen.append((got(axon, "Axon_ex", "z")[0], got(den, "Den_ex", "z")[0]))
    assert np.allclose(seen, [(2.8, 1.5), (2.7, 1.5), (2.6, 1.5)], atol=1e-12), seen
    fresh(interval_ms=5.0)
    axon = still("Axon_ex", [1.0], tau_vacant=0.1)
    seen_z = []
    for _ in range(5):
        nest.Simulate(2.5)
        seen_z.append(got(axon, "Axon_ex", "z")[0])
    assert np.allclose(seen_z, [0.9] * 5, atol=1e-12), seen_z
    return "z 3.0 with one bound: 2.8, 2.7, 2.6: floor(z) - bound, a whole number, loses a tenth; below one, none"


def c_a_loss_larger_than_one_lifts_z() -> str:
    seen = {}
    for z in (4.25, 3.25, 1.25):
        fresh()
        axon, den = still("Axon_ex", [5.25]), still("Den_ex", [1.0] * 5)
        update()
        sink = still("Den_ex", [100_000.0])
        put(axon, "Axon_ex", [z])
        update()
        bound = int(sum(got(den, "Den_ex", "z_connected")))
        seen[z] = (bound, int(got(sink, "Den_ex", "z_connected")[0]), got(axon, "Axon_ex", "z")[0])
    assert seen == {4.25: (4, 0, 4.25), 3.25: (3, 1, 4.25), 1.25: (1, 3, 4.25)}, seen
    return (
        "5 bound, z set to 4.25, 3.25, 1.25: 1, 2, 4 synapses go, z is 4.25 after each, and 0, 1, 3 pair anew at once"
    )


def c_the_lost_synapse_is_any_of_the_elements() -> str:
    fresh()
    n = 2000
    axon = still("Axon_ex", [4.0] * n)
    den = still("Den_ex", [1.5] * (4 * n))
    update()
    before = endpoints("ex")
    put(axon, "Axon_ex", [3.5] * n)
    update()
    after = {tuple(pair) for pair in endpoints("ex").tolist()}
    ranks = np.zeros(4, int)
    for source in axon.tolist():
        targets = np.sort(before[before[:, 0] == source, 1])
        lost = [rank for rank, target in enumerate(targets) if (source, int(target)) not in after]
        assert len(lost) == 1, lost
        ranks[lost[0]] += 1
    chi2 = float(np.sum((ranks - n / 4) ** 2) / (n / 4))
    assert chi2 < 16.27, (chi2, ranks)  # 1 in 1000 with 3 degrees of freedom
    spared = set(got(den, "Den_ex", "z"))
    assert all(math.isclose(z, 1.5) for z in spared) and got(axon, "Axon_ex", "z") == [3.5] * n, spared
    return (
        f"of 4 synapses, by id of the target, {ranks.tolist()} are lost (chi2 {chi2:.1f}); the partner's element stays"
    )


def c_losses_of_axons_come_first_and_settle_their_partners() -> str:
    fresh()
    axon, den = still("Axon_ex", [2.0]), still("Den_ex", [2.0])
    update()
    sinks = still("Den_ex", [100_000.0]), still("Axon_ex", [0.0])
    put(axon, "Axon_ex", [1.25])
    put(den, "Den_ex", [1.5])
    update()
    left = [len(endpoints("ex")), got(sinks[0], "Den_ex", "z_connected")[0]]
    assert left == [1, 0], left
    fresh()
    axon, den = still("Axon_ex", [1.0] * 3), still("Den_ex", [3.0])
    update()
    put(den, "Den_ex", [1.75])  # two too many
    put(axon, "Axon_ex", [0.5, 1.0, 1.0])
    update()
    z, bound = got(den, "Den_ex", "z"), got(den, "Den_ex", "z_connected")
    assert (z, bound) == ([2.75], [2]), (z, bound)
    assert got(axon, "Axon_ex", "z_connected") == [0, 1, 1], got(axon, "Axon_ex", "z_connected")
    return (
        "an axon's loss takes one synapse of a partner that was to lose one or two: that one loses no more, z is lifted"
    )


def c_axons_spare_partners_without_a_whole_element() -> str:
    kept_by_continuous = {}
    for continuous in (False, True):
        left = []
        for seed in range(1, 31):
            fresh(seed)
            axon = still("Axon_ex", [3.0])
            den = still("Den_ex", [1.0] * 3, continuous=continuous)
            update()
            still("Den_ex", [100_000.0])
            put(axon, "Axon_ex", [2.5])
            put(den[:1], "Den_ex", [0.5])
            update()
            left.append(int(sum(got(den, "Den_ex", "z_connected"))))
        kept_by_continuous[continuous] = sorted(set(left))
    assert kept_by_continuous == {False: [1], True: [1, 2]}, kept_by_continuous
    return "1 of 3 targets at z 0.5: the axon loses one of the others, the target its own on top (if continuous, any)"


def c_pairs_are_uniform_and_the_scarcer_side_all_binds() -> str:
    fresh()
    n = 3000
    still("Axon_ex", [1.0] * n)
    den = still("Den_ex", [2.0] * n)
    update()
    pairs = endpoints("ex")
    degrees = np.bincount(np.array(got(den, "Den_ex", "z_connected"), int), minlength=3) / n
    correlation = float(np.corrcoef(pairs.T)[0, 1])
    assert len(pairs) == n and np.abs(degrees - [0.25, 0.5, 0.25]).max() < 0.03, degrees
    assert abs(correlation) < 0.06, correlation
    return f"3000 axons, 6000 dendritic: 3000 synapses; in-degrees 0, 1, 2: {degrees.round(3).tolist()} (1/4, 1/2, 1/4)"


def c_autapses_can_be_forbidden_and_multapses_cannot() -> str:
    seen = []
    for rule in ({}, {"allow_autapses": False}, {"allow_multapses": False}):
        fresh(**rule)
        elements = {name: element(0.0, 0.05, z=2.0, tau_vacant=KEPT) for name in ("Axon_ex", "Den_ex")}
        nest.Create("iaf_psc_exp", 1, {"synaptic_elements": elements})
        update()
        seen.append(len(endpoints("ex")))
    assert seen == [2, 0, 2], seen
    return (
        "a neuron, two elements per side: two autapses; none with allow_autapses False, two with allow_multapses False"
    )


def d_an_update_sees_elements_of_its_own_time() -> str:
    fresh(interval_ms=100.0)
    growing = {"Axon_ex": element(0.01, 0.05, z=0.0005)}  # calcium of 0.025, which stays, grows 0.001 a step
    axon = nest.Create("iaf_psc_exp", 1, {"Ca": 0.025, "tau_Ca": 1e12, "synaptic_elements": growing})
    still("Den_ex", [10.0])
    nest.Simulate(99.9)
    assert 0.999 < got(axon, "Axon_ex", "z")[0] < 1.0, got(axon, "Axon_ex", "z")
    nest.Simulate(0.1)
    assert got(axon, "Axon_ex", "z")[0] > 1.0 and got(axon, "Axon_ex", "z_connected") == [0]
    nest.Simulate(0.1)
    assert got(axon, "Axon_ex", "z_connected") == [1]
    return "z reaches 1 in the step to 100 ms: bound by the update at 100 ms, which the next Simulate does first"


def d_spikes_in_flight_keep_the_old_wiring() -> str:
    arrived = {}
    for change in ("made", "gone"):
        for stamp_ms in (49.5, 50.0, 50.1):
            fresh(interval_ms=50.0)
            axon, den = still("Axon_ex", [1.5 * (change == "gone")]), still("Den_ex", [1.5])
            axon.tau_syn_ex = 0.1  # so short that one input makes one spike
            drive = nest.Create("spike_generator", params={"spike_times": [stamp_ms - 1.1]})
            nest.Connect(drive, axon, syn_spec={"weight": 1e6, "delay": 1.0})
            meter = nest.Create("multimeter", params={"record_from": ["I_syn_ex"], "interval": DT_MS})
            nest.Connect(meter, den)
            recorder = fired(axon)
            nest.Simulate(45.0)
            put(axon, "Axon_ex", [1.5 * (change == "made")])
            nest.Simulate(10.0)
            assert math.isclose(recorder.events["times"][0], stamp_ms), recorder.events
            current = meter.events["I_syn_ex"]
            jumps = np.asarray(meter.events["times"])[np.flatnonzero(current)]
            arrived[change, stamp_ms] = round(float(jumps[0]) - stamp_ms, 6) if len(jumps) else None
    none = {("made", 49.5): None, ("made", 50.0): None, ("gone", 50.1): None}
    assert arrived == {**none, ("made", 50.1): 1.0, ("gone", 49.5): 1.0, ("gone", 50.0): 1.0}, arrived
    return "spikes of 50.0 or before go by the wiring before the update at 50, later ones by the new; all take 1 ms"


def d_updates_fall_on_multiples_of_the_interval_however_the_run_is_cut() -> str:
    counts = []
    for parts_ms in ([30.0] * 4, [120.0], [7.3] * 16 + [3.2]):
        fresh(interval_ms=50.0)
        den = still("Den_ex", [10.5], tau_vacant=0.1)  # 10, 9, 9 vacant: each update takes a tenth of them
        for part_ms in parts_ms:
            nest.Simulate(part_ms)
        counts.append(round(got(den, "Den_ex", "z")[0], 9))
    assert counts == [10.5 - 1.0 - 0.9 - 0.8] * 3, counts
    return "updates at 0, 50 and 100 ms of 120 ms in one, 4 and 17 calls of Simulate"

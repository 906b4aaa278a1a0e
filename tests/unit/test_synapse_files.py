"""Synapses in .npz files: each format says the same, each rank gets its own, what is wrong is refused by its place."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import scipy.sparse
import yaml

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.configuration.files import load_configuration, parse_configuration
from hpcsnn.models.connectors.synapse_lists import refuse_pairs_twice
from support.messages import as_pattern

N_SOURCES, N_TARGETS = 40, 30
WHERE = "projections.ab.connector.listed_in_file.file"


def random_lists(n=600, seed=0):
    random = np.random.default_rng(seed)
    source, target = np.divmod(random.permutation(N_SOURCES * N_TARGETS)[:n], N_TARGETS)
    return {"source": source, "target": target, "weight": random.normal(size=n), "delay_ms": np.arange(n) % 7 + 1.0}


def declared(file, weight=None, delay_ms=None, rewiring=None, synapse=None, sizes=(N_SOURCES, N_TARGETS)):
    network = Network(seed=1)
    network.add_population("a", sizes[0], models.Poisson(rate_hz=1))
    network.add_population("b", sizes[1], models.LIF())
    return network.add_projection(
        "ab", "a", "b", file if isinstance(file, models.Configured) else models.ListedInFile(file=file),
        models.DeltaCurrent(), weight, synapse, delay_ms, rewiring,
    )  # fmt: skip


def saved(folder, **arrays):
    path = folder / "lists.npz"
    np.savez_compressed(path, **arrays)
    return path


def save_matrix(folder, lists, kind):
    path = folder / f"{kind}.npz"
    entries = lists["weight"], (lists["source"], lists["target"])
    matrix = scipy.sparse.coo_array(entries, shape=(N_SOURCES, N_TARGETS))
    scipy.sparse.save_npz(path, matrix.asformat(kind), compressed=kind != "csr")
    return path


@pytest.mark.parametrize("kind", ["arrays", "coo", "csr", "csc"])
def test_every_format_says_the_same_and_a_rank_reads_its_own(kind, tmp_path):
    lists = random_lists()
    path = saved(tmp_path, **lists) if kind == "arrays" else save_matrix(tmp_path, lists, kind)
    listed = declared(path).synapse_list
    assert listed.n_synapses == 600
    np.testing.assert_array_equal(listed.in_degrees, np.bincount(lists["target"]))
    weights = lists["weight"]
    assert (listed.weights.least, listed.weights.most) == (weights.min(), weights.max())
    assert listed.weights.smallest == np.abs(weights).min()
    np.testing.assert_allclose(listed.weights.sums, np.bincount(lists["target"], np.abs(weights)), rtol=1e-6)
    order = np.lexsort((lists["source"], lists["target"]))
    for targets in (np.arange(0, N_TARGETS, 3), np.array([29]), np.arange(N_TARGETS), np.array([], dtype=int)):
        own = order[np.isin(lists["target"][order], targets)]
        found = listed.of_targets(targets)
        np.testing.assert_array_equal(found.pre, lists["source"][own])
        np.testing.assert_array_equal(found.post, lists["target"][own])
        np.testing.assert_array_equal(found.weight, weights[own])
        if kind == "arrays":
            np.testing.assert_array_equal(found.position, own)
            np.testing.assert_array_equal(found.delay_ms, lists["delay_ms"][own])
        else:
            assert found.delay_ms is None


def test_a_long_file_is_read_in_blocks(tmp_path):
    """Of 600,000 synapses: more than are looked at together."""
    n = 600_000
    source, target = np.divmod(np.arange(n, dtype=np.uint32)[::-1], 600)
    weight = np.where(np.arange(n) == n - 7, -3.0, 1.0).astype(np.float32)
    path = saved(tmp_path, source=source, target=target, weight=weight)
    listed = declared(path, sizes=(1000, 600)).synapse_list
    assert (listed.weights.least, listed.weights.least_at, listed.weights.most) == (-3.0, n - 7, 1.0)
    assert (listed.in_degrees == 1000).all()
    found = listed.of_targets(np.array([6, 599]))
    assert found.pre.tolist() == [*range(1000)] * 2
    assert found.position.tolist() == [n - 1 - 6 - 600 * k for k in range(1000)] + [
        n - 1 - 599 - 600 * k for k in range(1000)
    ]


def test_a_matrix_in_python_is_a_list():
    lists = random_lists()
    matrix = scipy.sparse.coo_array((lists["weight"], (lists["source"], lists["target"])), shape=(N_SOURCES, N_TARGETS))
    for kind in ("coo", "csr", "dok"):
        projection = declared(models.from_matrix(matrix.asformat(kind)), 1.0)
        values = projection.connector.values
        found = {(a, b): w for a, b, w in zip(values["pre"], values["post"], values["weight"], strict=True)}
        assert found == {(a, b): w for a, b, w in zip(lists["source"], lists["target"], lists["weight"], strict=True)}
    with pytest.raises(ConfigurationError, match=r"^matrix: ndarray is not allowed; must be a scipy\.sparse matrix"):
        models.from_matrix(np.zeros((2, 2)))
    twice = scipy.sparse.coo_array(([1.0, 2.0], ([3, 3], [4, 4])), shape=(5, 5))
    with pytest.raises(ConfigurationError, match=r"from 3 to 4 is listed more than once \(synapses 0 and 1\)$"):
        models.from_matrix(twice)


PAIR = {"source": np.array([3, 4]), "target": np.array([1, 2])}
WRONG = [
    ({"source": PAIR["source"]}, "target: missing; give arrays source, target, or a scipy.sparse matrix"),
    (PAIR | {"wieght": np.ones(2)}, "array: unknown name 'wieght'; allowed: delay_ms, source, target, weight."),
    (PAIR | {"weight": np.ones(3)}, "source has 2, target has 2, weight has 3 entries; must be equally many, one per"),
    (PAIR | {"source": np.array([3.0, 4.0])}, "source: dtype float64 is not allowed; must be whole numbers"),
    (PAIR | {"target": np.array([True, False])}, "target: dtype bool is not allowed; must be whole numbers"),
    (PAIR | {"weight": np.array(["1", "2"])}, "weight: dtype <U1 is not allowed; must be numbers"),
    (PAIR | {"weight": np.array([1, None])}, "weight: dtype object is not allowed; must be numbers"),
    (PAIR | {"weight": np.ones((2, 1))}, "weight: has shape (2, 1); must be a list, one entry per synapse"),
    (PAIR | {"source": np.array([3, -4])}, "source: -4 of synapse 1 is not allowed; must be a whole number >= 0"),
    (PAIR | {"target": np.array([2**31, 1])}, "target: 2147483648 of synapse 0 is not allowed; kernels hold numbers"),
    (PAIR | {"target": np.array([1, 30])}, "target: 30 of synapse 1 is not allowed; must be < 30, the population's"),
    (PAIR | {"source": np.array([40, 1])}, "source: 40 of synapse 0 is not allowed; must be < 40, the population's"),
    (PAIR | {"weight": np.array([1.0, np.nan])}, "weight: nan of synapse 1 is not allowed; must be a finite number"),
    (PAIR | {"weight": np.array([1e-40, 1.0])}, "weight: 1e-40 of synapse 0 is not allowed; kernels hold numbers"),
    (PAIR | {"delay_ms": np.array([1.0, -1.0])}, "delay_ms: -1.0 of synapse 1 is not allowed; must be a number in ms"),
]  # fmt: skip


@pytest.mark.parametrize(("arrays", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_what_is_wrong_in_a_file_is_refused_by_its_place(arrays, message, tmp_path):
    path = saved(tmp_path, **({"weight": np.ones(2)} | arrays))
    with pytest.raises(
        ConfigurationError,
        match=f"^{as_pattern(f'{WHERE}: {path}: {message}')}|^listed_in_file.file: {path}: {as_pattern(message)}",
    ):
        declared(path)


def test_a_pair_that_is_there_twice_is_refused_by_the_rank_that_has_it(tmp_path):
    path = saved(tmp_path, source=np.array([3, 4, 3]), target=np.array([1, 2, 1]), weight=np.ones(3))
    listed = declared(path).synapse_list
    assert listed.of_targets(np.array([0, 2])).pre.tolist() == [4]
    message = f"{path}: file: the synapse from 3 to 1 is listed more than once (synapses 0 and 2)"
    with pytest.raises(ConfigurationError, match=f"^{as_pattern(message)}$"):
        listed.of_targets(np.array([1, 5]))


def test_pairs_are_found_twice_wherever_they_stand():
    random = np.random.default_rng(3)
    pre, post = np.divmod(random.permutation(5 * 2**14)[:5000], 2**14)
    refuse_pairs_twice("x", pre, post)
    for first, second in random.integers(0, 5000, (20, 2)):
        if first != second:
            twice_pre, twice_post = pre.copy(), post.copy()
            twice_pre[second], twice_post[second] = pre[first], post[first]
            places = sorted((first, second))
            with pytest.raises(ConfigurationError, match=rf"\(synapses {places[0]} and {places[1]}\)$"):
                refuse_pairs_twice("x", twice_pre, twice_post)


def test_files_that_are_none(tmp_path):
    whole = saved(tmp_path, **random_lists())
    text = tmp_path / "text.npz"
    text.write_text("source")
    short = tmp_path / "short.npz"
    short.write_bytes(whole.read_bytes()[:-40])
    damaged = tmp_path / "damaged.npz"
    content = bytearray(whole.read_bytes())
    content[500] ^= 0xFF
    damaged.write_bytes(content)
    header = tmp_path / "header.npz"
    with zipfile.ZipFile(header, "w") as archive:
        archive.writestr("source.npy", b"\x93NUMPY\x01\x00\x04\x00....")
        archive.writestr("target.npy", b"")
    for path in (text, short, damaged, header):
        with pytest.raises(ConfigurationError, match=rf"^listed_in_file\.file: {path}: "):
            models.ListedInFile(file=path)
    with pytest.raises(ConfigurationError, match=r"none\.npz: no such file$"):
        models.ListedInFile(file=tmp_path / "none.npz")
    for value in ("lists.npy", 3, ["lists.npz"]):
        with pytest.raises(ConfigurationError, match=r"is not allowed; must be the path of an \.npz file$"):
            models.ListedInFile(file=value)
    diagonal = tmp_path / "dia.npz"
    scipy.sparse.save_npz(diagonal, scipy.sparse.eye_array(30, format="dia"))
    with pytest.raises(ConfigurationError, match=r"format: 'dia' is not allowed; must be one of coo, csr, csc$"):
        models.ListedInFile(file=diagonal)
    square = tmp_path / "square.npz"
    scipy.sparse.save_npz(square, scipy.sparse.eye_array(30, format="csr"))
    with pytest.raises(
        ConfigurationError, match=as_pattern("shape (30, 30) is not allowed; must be (40, 30), the numbers")
    ):
        declared(square)


def test_weights_and_delays_of_a_file_are_given_once(tmp_path):
    path = saved(tmp_path, **random_lists())
    projection = declared(path)
    assert (projection.delay_steps, projection.delays.last_steps) == (10, 70)
    assert not projection.has_weight
    bare = tmp_path / "bare.npz"
    np.savez(bare, **PAIR)
    assert declared(bare, [0.5, 0.25]).given_weights.least == 0.25
    stdp, rule = models.AdditiveSTDP(w_max=0.2), models.rewiring.DeepR(w_max=0.2)
    weighted = tmp_path / "weighted.npz"
    np.savez(weighted, **PAIR, weight=[0.1, 0.3])
    between = tmp_path / "between.npz"
    np.savez(between, **PAIR, delay_ms=[0.1, 0.25])
    twice = "is not allowed beside the {}s of projections.ab.connector.listed_in_file; give one of them"
    for make, message in (
        (lambda: declared(path, 0.5), "weight: 0.5 " + twice.format("weight")),
        (lambda: declared(path, None, 1.0), "delay_ms: 1.0 " + twice.format("delay")),
        (lambda: declared(bare), "weight: missing; give a number, an array or a distribution"),
        (lambda: declared(bare, [1.0]), "weight: has 1 values; must be one number or 2 values, one per synapse"),
        (lambda: declared(bare, [1.0, np.nan]), "weight: nan of synapse 1 is not allowed; must be a finite number"),
        (lambda: declared(bare, 1.0, [0.2, 0.25]), "delay_ms: 0.25 of synapse 1 is not allowed; must be a whole"),
        (lambda: declared(bare, 1.0, [0.2, 0.0]), "delay_ms: 0.0 of synapse 1 is not allowed; must be a whole number"),
        (lambda: declared(bare, 1.0, [0.1, 6554.0]), "delay_ms: 0.1 .. 6554 ms are 65539 steps; at most 65536"),
        (
            lambda: declared(between, 1.0),
            "connector.listed_in_file: delay_ms: 0.25 of different delay 1 is not",
        ),
        (
            lambda: declared(weighted, synapse=stdp),
            "connector.listed_in_file.weight: 0.3 of synapse 1 is not allowed; must be in [0, 0.2], the range of ad",
        ),
        (
            lambda: declared(weighted, rewiring=rule),
            "weight: missing; give a number, which synapses have that the rule of rewiring forms",
        ),
        (
            lambda: declared(bare, 0.1, [0.2, 0.3], rule),
            "delay_ms: delays one by one are not allowed with the rule deep_r, as they do not say which delay a new",
        ),
        (
            lambda: declared(bare, [0.1, 0.2], None, models.Homeostatic()),
            "weight: an array is not allowed with the rule homeostatic, which does not say which weight a new synapse",
        ),
    ):
        with pytest.raises(ConfigurationError, match="^projections.ab." + as_pattern(message)):
            make()
    assert declared(weighted, 0.2, rewiring=rule).has_weight


def test_values_of_target_neurons():
    network = Network(seed=1)
    network.add_population("a", 5, models.Poisson(rate_hz=1))
    network.add_population("b", Grid(3, 2), models.LIF())

    def projection(**given):
        return network.copy().add_projection("ab", "a", "b", models.AllToAll(), models.DeltaCurrent(), **given)

    one = projection(weight=np.arange(6) - 2.0, delay_ms=np.arange(1, 7))
    assert (one.weights.each, one.weight_bound, one.delay_steps, one.delays.last_steps) == ("target neuron", 3, 10, 60)
    with pytest.raises(
        ConfigurationError, match=r"^projections\.ab\.weight: has 5 values; must be one number or 6 val"
    ):
        projection(weight=np.ones(5))


CONFIGURATION = """
duration_ms: 10
populations:
  a: {size: 40, model: {poisson: {rate_hz: 5}}}
  b: {size: 30, model: lif}
projections:
  ab: {source: a, target: b, connector: {listed_in_file: {file: data/lists.npz}}, receptor: delta_current}
"""


def test_a_configuration_finds_the_file_from_its_folder_and_keeps_its_digest(tmp_path):
    (tmp_path / "data").mkdir()
    path = saved(tmp_path / "data", **random_lists())
    file = tmp_path / "net.yaml"
    file.write_text(CONFIGURATION)
    resolved = load_configuration(file).resolved()
    kept = resolved["projections"]["ab"]
    assert (kept["weight"], kept["delay_ms"]) == (None, None)
    assert kept["connector"]["listed_in_file"]["file"]["path"] == str(path)
    assert parse_configuration(resolved).resolved() == resolved
    text = yaml.safe_load(yaml.safe_dump(resolved))
    saved(tmp_path / "data", **random_lists(seed=1))
    load_configuration(file)  # which says nothing of what it must be
    with pytest.raises(
        ConfigurationError, match=rf"^{WHERE}: {path} is another file than the run began with \(its SHA"
    ):
        parse_configuration(text)
    listed = yaml.safe_load(CONFIGURATION.replace("listed_in_file: {file: data/lists.npz}", "one_to_one:"))
    listed["projections"]["ab"] |= {"weight": [0.5] * 30, "delay_ms": [0.1] * 30}
    again = parse_configuration(listed).resolved()
    assert again["projections"]["ab"]["weight"] == [0.5] * 30
    assert parse_configuration(again).resolved() == again

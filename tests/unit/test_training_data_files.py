"""Files of data: small real ones are read to the event; what is missing or damaged is refused by its name."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn.errors import ConfigurationError, DataError
from hpcsnn.training.data.registry import data_sets, find_data_set
from hpcsnn.training.data.sets.images import read_table_images
from support.data_files import (
    N_MNIST_OVERFLOW,
    n_mnist_event,
    spoken,
    write_idx_images,
    write_spoken,
    write_ts,
)
from support.messages import as_pattern


def triples(samples):
    """(sample, step, channel) of each event."""
    of = np.repeat(np.arange(len(samples)), np.diff(samples.first_event))
    return list(zip(of.tolist(), samples.event_steps.tolist(), samples.event_channels.tolist(), strict=True))


@pytest.mark.parametrize("ending", [".gz", ""])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_images_of_idx_files_become_spikes(name, ending, tmp_path):
    written = write_idx_images(tmp_path, ending)
    data = find_data_set(name).load(folder=tmp_path)
    assert data.image_shape == (3, 4)
    for samples, part in ((data.train, "train"), (data.test, "t10k")):
        pixels = written[f"{part}-images-idx3"].reshape(-1, 12)
        assert samples.labels.tolist() == written[f"{part}-labels-idx1"].tolist()
        expected = [
            (k, int(20 * np.log(pixels[k, c] / (pixels[k, c] - 51.0))), c) for k, c in np.argwhere(pixels > 51).tolist()
        ]
        assert triples(samples) == sorted(expected)
    assert data.train.n_steps == data.test.n_steps == 80


def test_fewer_samples_are_chosen_by_the_seed_each_class_alike(tmp_path):
    write_idx_images(tmp_path)
    data_set = find_data_set("mnist")
    whole = data_set.load(folder=tmp_path).train
    few = [data_set.load({"train_samples": 10}, tmp_path, seed).train for seed in (1, 1, 2)]
    assert sorted(few[0].labels) == list(range(10))
    assert triples(few[0]) == triples(few[1]) != triples(few[2])
    own = {tuple(triples(whole.select([k]))) for k in range(20)}
    assert {tuple(triples(few[0].select([k]))) for k in range(10)} < own
    message = "mnist.train_samples: 21 is not allowed; must be at most 20, which there are, or 0 for all of them"
    with pytest.raises(ConfigurationError, match=as_pattern(message)):
        data_set.load({"train_samples": 21}, tmp_path)


def test_the_digits_of_scikit_learn_are_those_that_it_loads():
    from sklearn.datasets import load_digits

    images = read_table_images(find_data_set("digits").places()[0] / "digits.csv.gz", 8, 16, 0.2, 7)
    bunch = load_digits()
    assert (len(images.train), len(images.test)) == (1438, 359)
    both = np.concatenate([images.train, images.test]).reshape(-1, 64)
    order = np.lexsort(both.T)
    theirs = np.lexsort(bunch.data.T)
    assert np.array_equal(both[order], bunch.data[theirs])
    assert sorted(np.bincount(images.test_labels)) == sorted(np.rint(np.bincount(bunch.target) * 359 / 1797))


def test_vowels_of_ts_files_are_scaled_by_those_to_train_on(tmp_path):
    random = np.random.default_rng(4)
    train = [random.normal(5, 2, (n, 2)) for n in (3, 7, 4)]
    test = [random.normal(5, 2, (n, 2)) for n in (9, 2)]
    write_ts(tmp_path / "JapaneseVowels_TRAIN.ts", train, ["a", "b", "b"])
    write_ts(tmp_path / "JapaneseVowels_TEST.ts", test, ["b", "a"])
    data = find_data_set("japanese_vowels").load(folder=tmp_path)
    assert data.class_names == ("a", "b")
    assert (data.train.labels.tolist(), data.test.labels.tolist()) == ([0, 1, 1], [1, 0])
    assert (data.train.n_steps, data.train.n_channels) == (9 * 5 + 5, 16)
    values = np.concatenate(train)
    z = (test[1] - values.mean(axis=0)) / values.std(axis=0)
    active = np.exp(-0.5 * ((z[:, :, None] - np.linspace(-2, 2, 8)) / (4 / 7)) ** 2)
    expected = [
        (1, frame * 5 + round((1 - active[frame, feature, cell]) * 4), feature * 8 + cell)
        for frame, feature, cell in np.argwhere(active > 0.3).tolist()
    ]
    assert [event for event in triples(data.test) if event[0] == 1] == sorted(expected)


def test_spoken_digits_are_binned_in_ms(tmp_path):
    spoken(tmp_path)
    data = find_data_set("shd").load(folder=tmp_path)
    assert (data.class_names, data.train.labels.tolist()) == (("zero", "one"), [0, 1, 1])
    assert triples(data.train) == [(0, 0, 3), (0, 250, 699), (2, 750, 0)]
    assert triples(data.test) == [(0, 125, 2), (0, 500, 1)]
    assert data.train.n_steps == data.test.n_steps == 751
    cut = find_data_set("shd").load({"duration_ms": 500.0}, tmp_path / "SHD", dt_ms=0.5)
    assert triples(cut.train) == [(0, 0, 3), (0, 1, 3), (0, 500, 699)]
    assert cut.test.n_steps == 1000
    assert triples(cut.test) == [(0, 250, 2)]


def test_commands_can_be_tested_by_those_to_choose_settings_by(tmp_path):
    spoken(tmp_path, "ssc")
    write_spoken(tmp_path / "SSC" / "ssc_valid.h5", [([0.001], [5])], [0], ["zero", "one"])
    assert triples(find_data_set("ssc").load({"test_on": "valid"}, tmp_path).test) == [(0, 1, 5)]


def test_gestures_are_downsampled_and_several_events_are_one_spike(tmp_path):
    events = [[0, 0, 1, 0.2], [3, 3, 1, 0.9], [127, 4, 0, 2.5], [127, 4, 1, 2.5]]
    for part, label in (("Train", 10), ("Test", 0)):
        folder = tmp_path / "DVSGesture" / f"ibmGesture{part}" / "user01_led"
        folder.mkdir(parents=True)
        np.save(folder / f"{label}.npy", np.array(events))
    data = find_data_set("dvs_gesture").load(folder=tmp_path)
    assert (data.train.n_channels, data.train.labels.tolist(), data.test.labels.tolist()) == (2048, [10], [0])
    assert triples(data.train) == [(0, 0, 1), (0, 2, (1 * 32 + 31) * 2), (0, 2, (1 * 32 + 31) * 2 + 1)]
    fine = find_data_set("dvs_gesture").load({"downsample": 1}, tmp_path).train
    assert triples(fine)[:2] == [(0, 0, 1), (0, 0, (3 * 128 + 3) * 2 + 1)]


def test_events_of_n_mnist_have_a_clock_that_overflows(tmp_path):
    for part in ("Train", "Test"):
        (tmp_path / "NMNIST" / part / "7").mkdir(parents=True)
        content = n_mnist_event(33, 1, 1, 999) + N_MNIST_OVERFLOW + n_mnist_event(0, 33, 0, 70_000)
        (tmp_path / "NMNIST" / part / "7" / "00001.bin").write_bytes(content)
    data = find_data_set("n_mnist").load(folder=tmp_path)
    assert data.train.labels.tolist() == [7]
    assert triples(data.train) == [(0, 0, (34 + 33) * 2 + 1), (0, 78, 33 * 34 * 2)]
    assert (data.train.n_steps, data.train.n_channels) == (79, 2312)


def test_every_data_set_says_what_it_is_and_what_it_takes():
    known = data_sets()
    names = {"fashion_mnist", "mnist", "mnist_5k", "digits", "japanese_vowels", "mnist_1d", "evidence_accumulation"}
    assert set(known) == names | {
        "pattern_generation",
        "delayed_xor",
        "saccades",
        "shd",
        "ssc",
        "dvs_gesture",
        "n_mnist",
    }
    for name, data_set in known.items():
        assert data_set.name == name
        assert data_set.doc.endswith((".", "?"))
        assert {"train_samples", "test_samples"} <= set(data_set.settings())
        assert bool(data_set.files) == bool(data_set.source)
        for setting in data_set.settings().values():
            assert setting.checked("it", setting.default) == setting.default


@pytest.mark.parametrize("name", sorted(name for name, data_set in data_sets().items() if data_set.files))
def test_what_is_missing_is_named_with_its_place_and_how_to_get_it(name, tmp_path):
    data_set = find_data_set(name)
    with pytest.raises(DataError) as error:
        data_set.load(folder=tmp_path)
    assert str(tmp_path) in str(error.value)
    assert data_set.files[0] in str(error.value)
    how = FASHION if name == "saccades" else data_set.source
    assert str(error.value).endswith(f"To get them: {how}")


FASHION = find_data_set("fashion_mnist").source


def test_without_a_folder_or_package_the_message_says_so():
    message = (
        "train-images-idx3-ubyte.gz .* is not in any folder: --data names none, and no package that brings it is inst"
    )
    with pytest.raises(DataError, match=as_pattern(message)):
        find_data_set("mnist").load()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("mnist_10k", {}, "data: unknown name 'mnist_10k'; allowed: delayed_xor, .*Did you mean 'mnist_.*'?"),
        (
            "digits",
            {"train_sample": 3},
            "digits: unknown name 'train_sample'; allowed: .*Did you mean 'train_samples'?",
        ),
        (
            "digits",
            {"encoder": "rat"},
            "digits.encoder: unknown name 'rat'; allowed: latency, on_off, rate. Did you mean 'rate'?",
        ),
        ("digits", {"rate_hz": 3}, "digits: unknown name 'rate_hz'; allowed: duration_ms, encoder, tau_ms, "),
        ("digits", {"encoder": "rate", "tau_ms": 3}, "digits: unknown name 'tau_ms'; allowed: "),
        ("digits", {"threshold": 1.0}, "digits.threshold: 1.0 is not allowed; must be a number > 0 and <= 1"),
        (
            "digits",
            {"test_samples": 1.5},
            "digits.test_samples: 1.5 is not allowed; must be a whole number in samples >= 0",
        ),
        ("ssc", {"test_on": "train"}, "ssc.test_on: unknown name 'train'; allowed: test, valid."),
    ],
)
def test_settings_that_there_are_none_of_are_refused(name, values, message):
    with pytest.raises(ConfigurationError, match=as_pattern(message)):
        find_data_set(name).load(values)


def test_seeds_and_steps_that_are_none_are_refused():
    with pytest.raises(ConfigurationError, match=as_pattern("seed: -1 is not allowed; must be a whole number >= 0")):
        find_data_set("digits").load(seed=-1)
    with pytest.raises(ConfigurationError, match=as_pattern("dt_ms: 0 is not allowed; must be a number in ms > 0")):
        find_data_set("digits").load(dt_ms=0)

"""Files of data that are damaged, hostile or of another kind: each is refused by its name, and nothing is unpickled."""

from __future__ import annotations

import gzip
import sys

import h5py
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hpcsnn.errors import DataError, HpcsnnError
from hpcsnn.training.data.reading import read_bytes, read_idx, read_npy, read_table
from hpcsnn.training.data.registry import find_data_set
from hpcsnn.training.data.sets.series import read_ts
from support.data_files import n_mnist_event, spoken, write_idx, write_idx_images, write_spoken
from support.messages import as_pattern

IDX = bytes((0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 bytes; an IDX file of 1 dimensions has >= 8"),
        (b"\x00\x00\x0d\x01" + IDX[4:], "begins with 00000d01; must be an IDX file that begins with 00000801"),
        (IDX[:-1], "has 2 bytes of data; its header says 3"),
        (IDX + b"1", "has 4 bytes of data; its header says 3"),
        (IDX[:4] + b"\xff\xff\xff\xff" + IDX[8:], "has 3 bytes of data; its header says 4294967295"),
    ],
)
def test_damaged_idx_files_are_refused(content, message, tmp_path):
    file = tmp_path / "labels"
    file.write_bytes(IDX)
    assert read_idx(file, 1).tolist() == [1, 2, 3]
    file.write_bytes(content)
    with pytest.raises(DataError, match=as_pattern(f"{file}: {message}")):
        read_idx(file, 1)


@given(st.binary(max_size=60))
@example(b"PK\x03\x04")  # the beginning of a zip file
def test_no_bytes_make_readers_fail_with_anything_but_a_message(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("random")
    names = ("x.gz", "x.npy", "x.ts", "x.csv", "x.h5", "x")
    for name in names:
        (folder / name).write_bytes(content)
    (folder / "magic.npy").write_bytes(b"\x93NUMPY\x01\x00" + content)
    (folder / "packed.gz").write_bytes(gzip.compress(content))
    readers = [
        lambda: read_idx(folder / "x.gz", 3),
        lambda: read_idx(folder / "packed.gz", 1),
        lambda: read_npy(folder / "x.npy", 4),
        lambda: read_npy(folder / "magic.npy", 4),
        lambda: read_ts(folder / "x.ts"),
        lambda: read_table(folder / "x.csv", 3, 255),
        lambda: find_data_set("shd").load(folder=folder),
    ]
    for part in ("train", "test"):
        (folder / f"shd_{part}.h5").write_bytes(content)
    for read in readers:
        try:
            read()
        except HpcsnnError as error:
            assert str(folder) in str(error)


def test_packed_files_are_unpacked_no_further_than_expected(tmp_path):
    file = tmp_path / "zeros.gz"
    file.write_bytes(gzip.compress(bytes(3 * 2**20)))
    with pytest.raises(DataError, match="has more than the 2000000 bytes that were expected"):
        read_bytes(file, 2_000_000)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read: "):
        read_bytes(file)


def test_labels_that_do_not_fit_the_images_are_refused(tmp_path):
    write_idx_images(tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(19) % 10)
    with pytest.raises(DataError, match=as_pattern("has 19 labels; .*train-images-idx3-ubyte.gz has 20 images")):
        find_data_set("mnist").load(folder=tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.full(20, 11))
    with pytest.raises(DataError, match="label 11 of sample 0 is not allowed; must be below 10"):
        find_data_set("mnist").load(folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3\n", "must be numbers separated by commas"),
        ("1,2\n3,a\n", "must be numbers separated by commas"),
        ("1,2,3\n", "has shape (1, 3); must be rows of 2 numbers"),
        ("1,2\n3,17\n", "17 in row 1, column 1 is not allowed; must be a whole number from 0 to 16"),
        ("1,2\n3,nan\n", "nan in row 1, column 1 is not allowed"),
        ("1,2\n3,0.5\n", "0.5 in row 1, column 1 is not allowed"),
    ],
)
def test_tables_with_something_else_in_them_are_refused(text, message, tmp_path):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(DataError, match=as_pattern(message)):
        read_table(tmp_path / "table.csv", 2, 16)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2:3,4:c", "line 3: class 'c' is not one of the header's a, b"),
        ("1,2:3:a", "line 3: has 2 series of lengths [1, 2]; must be 2 equally long ones"),
        ("1,?:3,4:a", "line 3: could not convert string to float: '?'"),
        ("1,nan:3,4:a", "line 3: has a value that is missing or not finite"),
        ("1,2:3,4:a\n1,2:a", "line 4: has 1 series of lengths [2]; must be 2 equally long ones"),
        ("", "has no series behind a line @data"),
    ],
)
def test_series_that_are_none_are_refused(line, message, tmp_path):
    file = tmp_path / "x.ts"
    file.write_text(f"@classLabel true a b\n@data\n{line}\n")
    with pytest.raises(DataError, match=as_pattern(f"{file}.*{message}")):
        read_ts(file)


def test_an_array_with_objects_is_not_unpickled(tmp_path):
    folder = tmp_path / "ibmGestureTrain" / "user01_led"
    folder.mkdir(parents=True)
    (tmp_path / "ibmGestureTest" / "user01_led").mkdir(parents=True)
    (tmp_path / "ibmGestureTest" / "user01_led" / "1.npy").write_bytes(b"")
    gestures = find_data_set("dvs_gesture")
    for array, message in (
        (np.array([[0, 0, 0, None]], dtype=object), "cannot be read as an array of numbers"),
        (np.zeros((2, 3)), "has shape (2, 3) and type float64; must be numbers of shape (events, 4)"),
        (np.array([[0, 0, 2, 1.0]]), "event 0 is at 2.0; must be from 0 to 1"),
        (np.array([[0, np.nan, 0, 1.0]]), "event 0 is at nan; must be from 0 to 127"),
        (np.array([[0, 0, 0, np.inf]]), "has an event at inf ms; times must be finite and >= 0"),
    ):
        np.save(folder / "3.npy", array, allow_pickle=True)
        with pytest.raises(DataError, match=as_pattern(message)):
            gestures.load(folder=tmp_path)
    # A header that says more than there is: nothing is made room for.
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000, 4), }"
    (folder / "3.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64))
    with pytest.raises(DataError, match="cannot be read as an array of numbers"):
        gestures.load(folder=tmp_path)


def test_recordings_of_unknown_classes_and_cut_events_are_refused(tmp_path):
    (tmp_path / "ibmGestureTrain" / "u").mkdir(parents=True)
    with pytest.raises(DataError, match=as_pattern("ibmGestureTrain: has no recordings USER/LABEL.npy")):
        find_data_set("dvs_gesture").load(folder=tmp_path)
    np.save(tmp_path / "ibmGestureTrain" / "u" / "11.npy", np.zeros((1, 4)))
    with pytest.raises(DataError, match=as_pattern("recording of class 11 is not allowed; must be from 0 to 10")):
        find_data_set("dvs_gesture").load(folder=tmp_path)
    for part in ("Train", "Test"):
        (tmp_path / part / "0").mkdir(parents=True)
        (tmp_path / part / "0" / "1.bin").write_bytes(n_mnist_event(1, 2, 0, 5)[:4])
    with pytest.raises(DataError, match=as_pattern("1.bin: has 4 bytes; must be 5 an event")):
        find_data_set("n_mnist").load(folder=tmp_path)


def test_damaged_hdf5_files_are_refused(tmp_path):
    file = spoken(tmp_path)
    shd = find_data_set("shd")

    def refused(change, message):
        spoken(tmp_path)
        with h5py.File(file, "r+") as inside:
            change(inside)
        with pytest.raises(DataError, match=as_pattern(f"{file}: {message}")):
            shd.load(folder=tmp_path)

    def replaced(name, **arguments):
        def change(inside):
            del inside[name]
            inside.create_dataset(name, **arguments)

        return change

    def elsewhere(inside):
        del inside["labels"]
        inside["labels"] = h5py.ExternalLink(str(tmp_path / "SHD" / "shd_test.h5"), "labels")

    refused(lambda inside: inside.__delitem__("labels"), "has no data set labels of its own")
    refused(elsewhere, "has no data set labels of its own")
    refused(replaced("labels", data=np.zeros(3)), "labels have type float64; must be whole numbers")
    refused(
        replaced("labels", data=[0, 1]), "times, units and labels have shapes (3,), (3,), (2,); must be equally long"
    )
    refused(replaced("labels", data=[0, 1, 2]), "label 2 of sample 2 is not allowed; must be below 2")
    refused(
        replaced("spikes/times", data=np.zeros(3)), "spikes/times have type float64; must be a list of numbers a sample"
    )
    units = {"shape": (3,), "dtype": h5py.vlen_dtype(np.uint16)}
    refused(replaced("spikes/units", **units), "sample 0 has 3 times and 0 units")
    write_spoken(file, [([0.1], [700])], [0], ["zero", "one"])
    with pytest.raises(DataError, match="sample 0 has an event of channel 700; must be below 700"):
        shd.load(folder=tmp_path)
    write_spoken(file, [([-0.1], [7])], [0], ["zero", "one"])
    with pytest.raises(
        DataError, match=as_pattern("sample 0 has an event at -99.9.* ms; times must be finite and >= 0")
    ):
        shd.load(folder=tmp_path)


def test_without_h5py_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    file = spoken(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    message = f"{file}: is read by h5py, which is not installed: `pip install h5py`"
    with pytest.raises(DataError, match=as_pattern(message)):
        find_data_set("shd").load(folder=tmp_path)

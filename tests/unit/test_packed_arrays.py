"""Arrays as bytes: Zarr reads what it would have written, to the metadata, and a changed byte is found."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, Crc32cCodec

from hpcsnn.storage.packed.arrays import ArrayForm, Description, groups

ABOUT = {"units": "mV", "long_name": "of a test"}
CODECS = (BloscCodec(cname="lz4", clevel=1, shuffle="shuffle"), Crc32cCodec())
FORMS = st.sampled_from([
    ((8, 8), (4, 4), (8, 4)),
    ((7, 10), (4, 4), (8, 8)),
    ((1, 70), (1, 16), (1, 64)),
    ((3, 5), (1, 5), (1, 5)),
    ((7, 2), (3, 2), None),
    ((9,), (4,), None),
    ((0, 2), (1, 2), None),
])  # fmt: skip
DTYPES = st.sampled_from(["int32", "float32", "uint8", "int64", "uint64", "float64", "bool"])


def write(path, form, values):
    """The array ``x`` of a group, file by file."""
    for name, text in groups(["x"], {"of": "a test"}):
        put(path / name, text)
    for name, pieces in form.files(values):
        put(path / "x" / name, b"".join(pieces))


def put(file, data):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def form_of(values, chunk, shard):
    return ArrayForm(values.shape, values.dtype, Description(("y", "x")[: values.ndim], ABOUT), chunk, shard)


@settings(max_examples=60)
@given(FORMS, DTYPES, st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_zarr_reads_what_it_would_have_written(tmp_path_factory, form, dtype, sparse, seed):
    shape, chunk, shard = form
    chance = np.random.default_rng(seed)
    values = (chance.normal(size=shape) * 100 * (chance.random(shape) < sparse)).astype(dtype)
    folder = tmp_path_factory.mktemp("arrays")
    write(folder / "ours", form_of(values, chunk, shard), values)
    theirs = zarr.open_group(folder / "theirs", mode="w", zarr_format=3, attributes={"of": "a test"})
    theirs.create_array(
        "x", shape=shape, dtype=dtype, shards=shard, chunks=chunk, compressors=CODECS, fill_value=0,
        dimension_names=("y", "x")[: len(shape)], attributes=ABOUT,
    )[...] = values  # fmt: skip
    read = zarr.open_group(folder / "ours", mode="r")
    assert dict(read.attrs) == {"of": "a test"}
    assert read["x"].dtype == dtype
    np.testing.assert_array_equal(read["x"][...], values)
    for name in ("zarr.json", "x/zarr.json"):
        ours, zarrs = (json.loads((folder / who / name).read_text()) for who in ("ours", "theirs"))
        assert ours == zarrs
    assert files(folder / "ours") == files(folder / "theirs"), "what is zero is not written"


def files(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def test_every_bit_is_kept(tmp_path):
    values = np.array([[-0.0, 0.0], [np.nan, np.inf]], dtype=np.float32)
    values.view(np.uint32)[1, 0] |= 5  # a NaN of one's own
    write(tmp_path, form_of(values, (1, 2), (2, 2)), values)
    read = zarr.open_group(tmp_path, mode="r")["x"][...]
    assert read.view(np.uint32).tolist() == values.view(np.uint32).tolist()


def test_groups_are_all_that_lie_above():
    names = [name for name, _ in groups(["a/b/c", "a/d", "e/"], {})]
    assert names == ["zarr.json", "a/zarr.json", "a/b/zarr.json"]


@pytest.mark.parametrize("place", [0, 20, -5])
def test_a_changed_byte_is_found(place, tmp_path):
    values = np.arange(64, dtype=np.int32).reshape(8, 8)
    write(tmp_path, form_of(values, (4, 4), (8, 4)), values)
    shard = tmp_path / "x" / "c" / "0" / "1"
    data = bytearray(shard.read_bytes())
    data[place] ^= 4
    shard.write_bytes(data)
    with pytest.raises(Exception, match=r"(?i)checksum|crc32c"):
        zarr.open_group(tmp_path, mode="r")["x"][...]

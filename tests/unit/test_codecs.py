"""How arrays are packed: the fast library and Zarr's own read what either wrote, and a changed byte is found."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from hpcsnn.storage.codecs import CODECS, FAST

SLOW = {"codec_pipeline.path": "zarr.core.codec_pipeline.BatchedCodecPipeline"}
VALUES = {
    "float": np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8),
    "int": np.arange(64, dtype=np.int32).reshape(8, 8),
    "uint64": (np.arange(64, dtype=np.uint64) << np.uint64(58)).reshape(8, 8),
}


def write(path, values, how):
    with zarr.config.set(how):
        group = zarr.open_group(path, mode="w", zarr_format=3)
        array = group.create_array(
            "x", shape=values.shape, dtype=values.dtype, shards=(8, 4), chunks=(4, 4), compressors=CODECS, fill_value=0
        )
        array[...] = values


def read(path, how):
    with zarr.config.set(how):
        return np.asarray(zarr.open_group(path, mode="r")["x"][...])


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize(("writer", "reader"), [(FAST, SLOW), (SLOW, FAST), (FAST, FAST)], ids=["out", "in", "both"])
def test_one_reads_what_the_other_wrote(kind, writer, reader, tmp_path):
    write(tmp_path / "a.zarr", VALUES[kind], writer)
    back = read(tmp_path / "a.zarr", reader)
    assert back.dtype == VALUES[kind].dtype
    np.testing.assert_array_equal(back, VALUES[kind])


@pytest.mark.parametrize("reader", [FAST, SLOW], ids=["fast", "slow"])
@pytest.mark.parametrize("place", [0, 20, -5])
def test_a_changed_byte_is_found(place, reader, tmp_path):
    write(tmp_path / "a.zarr", VALUES["int"], FAST)
    shard = tmp_path / "a.zarr" / "x" / "c" / "0" / "1"
    data = bytearray(shard.read_bytes())
    data[place] ^= 4
    shard.write_bytes(data)
    with pytest.raises(Exception, match=r"(?i)checksum|crc32c"):
        read(tmp_path / "a.zarr", reader)

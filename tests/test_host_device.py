"""The compiler behind the CPU device: found, asked once, kept; and clear words where it is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from networks import topographic_map

from hpcsnn import DeviceError, Simulation
from hpcsnn.devices import HostDevice
from hpcsnn.devices.host import cache_folder, compile_library, find_compiler

SOURCE = 'extern "C" int answer() { return 42; }\n'


@pytest.fixture
def counting_compiler(tmp_path, monkeypatch):
    """A compiler that notes every compilation in a file, and an empty cache."""
    log, script = tmp_path / "compilations", tmp_path / "counting-c++"
    real = shutil.which("c++") or shutil.which("g++")
    script.write_text(f'#!/bin/sh\ncase "$*" in *-shared*) echo x >> {log}; sleep 0.2;; esac\nexec {real} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    monkeypatch.setenv("HPCSNN_CACHE", str(tmp_path / "cache"))
    log.touch()
    return lambda: len(log.read_text().split())


def test_a_source_is_compiled_once_even_by_processes_that_start_together(counting_compiler, tmp_path):
    text = f"from hpcsnn.devices.host import compile_library; print(compile_library({SOURCE!r}, ('-O1',)))"
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(subprocess.run, [sys.executable, "-c", text], capture_output=True, text=True, check=True)
            for _ in range(4)
        ]
        libraries = {job.result().stdout.strip() for job in jobs}
    assert len(libraries) == 1
    assert counting_compiler() == 1
    compile_library(SOURCE, ("-O1",))
    assert counting_compiler() == 1
    compile_library(SOURCE, ("-O2",))
    compile_library(SOURCE + "\n", ("-O1",))
    assert counting_compiler() == 3, "other flags and other text are other libraries"
    assert not list((tmp_path / "cache").glob("*.part"))


def test_sizes_parameters_and_seeds_need_no_new_compilation(counting_compiler):
    for settings in ({}, {"scale": 3}, {"seed": 9}, {"projections__ff__rewiring__bamford__p_eliminate": 0.5}):
        Simulation(topographic_map(**settings), device="cpu")
    assert counting_compiler() == 1


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


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HPCSNN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DeviceError, match=r"cannot use the kernel cache .*file/cache.*set HPCSNN_CACHE"):
        compile_library(SOURCE, ())


def test_where_the_cache_is(monkeypatch):
    monkeypatch.delenv("HPCSNN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/hpcsnn")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "hpcsnn"


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

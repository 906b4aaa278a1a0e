"""The compiler behind the CPU device: found, asked once, kept; and clear words where it is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from hpcsnn import DeviceError, Simulation
from hpcsnn.devices.host import compile_library, load_library
from support.networks import topographic_map

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
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_sizes_parameters_and_seeds_need_no_new_compilation(counting_compiler):
    for settings in ({}, {"scale": 3}, {"seed": 9}, {"projections__ff__rewiring__bamford__p_eliminate": 0.5}):
        Simulation(topographic_map(**settings), device="cpu")
    assert counting_compiler() == 1


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_library_that_was_damaged_is_compiled_again(damage, counting_compiler):
    """Loaded as it is, one that was cut short ends the process without a word."""
    library = compile_library(SOURCE, ("-O1",))
    content = library.read_bytes()
    library.write_bytes(content[:4000] if damage == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    assert compile_library(SOURCE, ("-O1",)) == library
    assert counting_compiler() == 2
    assert load_library(library).answer() == 42


def test_a_library_that_is_not_loaded_says_where_it_lies(tmp_path):
    (tmp_path / "cut.so").write_bytes(b"\x7fELF")
    with pytest.raises(
        DeviceError, match=rf"cannot be loaded: .*\({tmp_path}\) must be one that programs may be loaded"
    ):
        load_library(tmp_path / "cut.so")


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HPCSNN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DeviceError, match=r"cannot use the kernel cache .*file/cache.*set HPCSNN_CACHE"):
        compile_library(SOURCE, ())

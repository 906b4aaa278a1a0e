"""The compiler behind the CPU device: found, asked once, kept; and clear words where it is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from hpcsnn import DeviceError, Simulation
from hpcsnn.devices.host import compile_library, find_library, load_library
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


def test_a_compiler_behind_another_program_is_called_through_it(counting_compiler, tmp_path, monkeypatch):
    """As ccache is; and a library that was compiled so is the one that is found where there is no compiler."""
    wrapper = tmp_path / "ccache"
    wrapper.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/wrapped\nexec "$@"\n')
    wrapper.chmod(0o755)
    real = os.environ["CXX"]
    monkeypatch.setenv("CXX", f"{wrapper} {real} -g0")
    library = compile_library(SOURCE, ("-O1",))
    assert set((tmp_path / "wrapped").read_text().split()) == {real}
    assert counting_compiler() == 1
    assert load_library(library).answer() == 42
    monkeypatch.setenv("CXX", "no-such-compiler -g0")
    assert compile_library(SOURCE, ("-O1",)) == library
    assert counting_compiler() == 1


@pytest.mark.usefixtures("counting_compiler")
def test_where_there_is_no_compiler_a_library_serves_that_one_has_made(monkeypatch):
    library = compile_library(SOURCE, ("-O1",))
    assert find_library(SOURCE, ("-O1",)) == library
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert compile_library(SOURCE, ("-O1",)) == library
    for source, flags in ((SOURCE, ("-O2",)), (f"{SOURCE}\n", ("-O1",))):
        with pytest.raises(DeviceError, match=r"no-such-compiler.* apt-get install g\+\+.*`hpcsnn compile CONFIG`"):
            compile_library(source, flags)
    monkeypatch.setenv("CXXFLAGS", "-DOTHER")
    with pytest.raises(DeviceError, match=r"and this CXXFLAGS$"):
        compile_library(SOURCE, ("-O1",))


@pytest.mark.usefixtures("counting_compiler")
@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("exit 0", r"wrapped made no library of the kernels: set CXX to a C\+\+ compiler$"),
        (
            "exit 3",
            r"wrapped could not compile the kernels \(source kept in .*\.cpp\):\nit said nothing, and ended with 3$",
        ),
        ("echo sorry >&2; exit 1", r"\.cpp\):\nsorry$"),
    ],
)
def test_a_compiler_that_makes_nothing_is_named(does, said, tmp_path, monkeypatch):
    (tmp_path / "wrapped").write_text(f"#!/bin/sh\n{does}\n")
    (tmp_path / "wrapped").chmod(0o755)
    monkeypatch.setenv("CXX", str(tmp_path / "wrapped"))
    with pytest.raises(DeviceError, match=said):
        compile_library(SOURCE, ())
    assert not list((tmp_path / "cache").rglob("*.part"))


def with_a_mount(script, folder, code):
    """Code carried out by Python in a namespace of its own, where `script` mounts something at a folder."""
    alone = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", folder]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true", ""], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    return subprocess.run([*alone, sys.executable, code], capture_output=True, text=True, check=False)


def test_a_cache_that_no_program_may_be_loaded_from_is_named(tmp_path):
    """As scratch folders are mounted on some clusters; mounted here in a namespace of its own."""
    run = (
        f"from hpcsnn.devices.host import compile_library, load_library; load_library(compile_library({SOURCE!r}, ()))"
    )
    script = 'mount -t tmpfs -o noexec none "$1" && HPCSNN_CACHE="$1" exec "$2" -c "$3"'
    done = with_a_mount(script, tmp_path, run)
    folder = re.escape(str(tmp_path))
    words = rf"DeviceError: the compiled kernels cannot be loaded: .*\({folder}/kernels-\d+\) must be one that programs"
    assert re.search(words, done.stderr), done.stderr


def test_a_cache_that_cannot_be_written_serves_what_it_has(tmp_path, monkeypatch):
    """As the home of a node that mounts it for reading."""
    monkeypatch.setenv("HPCSNN_CACHE", str(tmp_path))
    library = compile_library(SOURCE, ("-O1",))
    script = 'mount --bind -o ro "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$2" -c "$3"'
    for flags, said in (("-O1", str(library)), ("-O2", "Read-only file system")):
        run = f"from hpcsnn.devices.host import compile_library; print(compile_library({SOURCE!r}, ({flags!r},)))"
        done = with_a_mount(script, tmp_path, run)
        assert said in (done.stdout + done.stderr), done.stderr
    assert f"cannot use the kernel cache {tmp_path}" in done.stderr
    assert "set HPCSNN_CACHE to a folder you can write" in done.stderr


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

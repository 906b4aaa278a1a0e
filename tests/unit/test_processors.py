"""Which libraries a processor can run that were compiled elsewhere, and what is said where it cannot."""

from __future__ import annotations

import platform
from itertools import pairwise

import pytest

from hpcsnn import DeviceError
from hpcsnn.devices import processors
from hpcsnn.devices.processors import features, library_from_elsewhere, needed, write_needs
from hpcsnn.kernel_cache import cached

KEY = ["source", "-O3"]
WHY = "no C++ compiler: none"
# As /proc/cpuinfo has it: what compilers use, and what they do not.
OLD = "flags\t\t: fpu sse sse2 pni ssse3 sse4_1 sse4_2 popcnt cx16 lahf_lm aes"
NEW = f"{OLD} hypervisor abm movbe f16c fma avx avx2 bmi1 bmi2\nmodel name\t: A processor with avx512f in its name"


@pytest.fixture
def on(monkeypatch, tmp_path):
    """Puts the test on an x86 processor of this description; the cache is empty."""
    monkeypatch.setenv("HPCSNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(processors, "processor", lambda: "an old one")

    def described(text):
        monkeypatch.setattr(processors, "description", lambda: text)

    described(NEW)
    return described


def compiled(needs, how):
    """A library of KEY, compiled by `how` for processors that can do what is needed."""

    def make(text, library):
        library.write_bytes(b"compiled")
        write_needs(text, needs)

    return cached(KEY, ".so", make, [how])


@pytest.mark.usefixtures("on")
def test_features_are_what_compilers_use():
    assert {"x86_64", "avx2", "pni", "abm"} <= features()
    assert not features() & {"fpu", "hypervisor", "aes", "flags", "avx512f"}


def test_of_other_kinds_of_processor_all_words_count(on, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    on("Features\t: fp asimd sve")
    assert features() == {"aarch64", "fp", "asimd", "sve"}


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize(
    ("options", "level"),
    [
        (["-O3", "-march=native"], None),
        (["-O3", "-march=native", "-mprefer-vector-width=512", "-march=x86-64-v3", "-m64"], "v3"),
        (["-march=x86-64-v3", "-march=native"], None),
        (["-march=x86-64-v2", "-mavx2"], None),
        (["-march=x86-64-v2", "-mtune=native"], "v2"),
        (["-march=znver3"], None),
    ],
)
def test_what_is_needed_is_what_is_here_unless_options_name_a_level(options, level):
    if level is None:
        assert needed(options) == features()
        return
    assert needed(options) < features() | {"osxsave"}
    assert ("avx2" in needed(options)) == (level == "v3")


@pytest.mark.usefixtures("on")
def test_levels_include_those_below():
    levels = [needed([f"-march=x86-64{level}"]) for level in ("", "-v2", "-v3", "-v4")]
    assert all(one < other for one, other in pairwise(levels))
    assert "avx512f" in levels[-1]


def test_a_library_is_taken_by_processors_that_can_do_what_it_needs(on):
    on(OLD)
    of_the_old = compiled(needed([]), "an old compiler")
    assert library_from_elsewhere(KEY, WHY) == of_the_old
    on(NEW)
    assert library_from_elsewhere(KEY, WHY) == of_the_old, "a newer one can do that too"


@pytest.mark.usefixtures("on")
def test_of_several_the_one_that_fits_is_taken():
    compiled({"x86_64", "avx512f"}, "there")
    fitting = compiled(features(), "here")
    compiled({"x86_64", "amx_tile"}, "elsewhere")
    assert library_from_elsewhere(KEY, WHY) == fitting


def test_another_processor_is_told_what_it_lacks(on):
    compiled(needed([]), "there")
    on(OLD)
    with pytest.raises(DeviceError) as error:
        library_from_elsewhere(KEY, WHY)
    assert str(error.value) == (
        "no C++ compiler: none. The kernels were compiled for another processor than this one (an old one), which "
        "lacks abm, avx, avx2, bmi1, bmi2, f16c and 2 more: run `hpcsnn compile CONFIG` on a node of this kind that "
        "has a compiler, or compile with CXXFLAGS=-march=x86-64-v3 and set that here too"
    )


NOTHING = (
    "no C++ compiler: none; or compile where there is a compiler (`hpcsnn compile CONFIG`), with this version of "
    "hpcsnn, this HPCSNN_CACHE and this CXXFLAGS"
)


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("needs", [None, "{", "[[]]", '["x86_64"'])
def test_where_none_is_there_the_command_is_named_that_makes_one(needs):
    """What a library needs is not guessed where it is not noted, or only half."""
    if needs is not None:
        compiled(features(), "there").with_suffix(".needs").write_text(needs)
    with pytest.raises(DeviceError) as error:
        library_from_elsewhere(KEY, WHY)
    assert str(error.value) == NOTHING


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("damage", ["library", "needs of anybody"])
def test_what_may_be_somebody_elses_is_not_taken(damage):
    library = compiled(features(), "there")
    if damage == "library":
        library.write_bytes(b"cut")
    else:
        library.with_suffix(".needs").chmod(0o666)
    with pytest.raises(DeviceError, match="or compile where there is a compiler"):
        library_from_elsewhere(KEY, WHY)


@pytest.mark.usefixtures("on")
def test_a_cache_that_cannot_be_used_has_none(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HPCSNN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DeviceError) as error:
        library_from_elsewhere(KEY, WHY)
    assert str(error.value) == NOTHING
